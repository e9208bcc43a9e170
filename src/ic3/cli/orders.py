"""Commands for work orders: the list, and one."""

from typing import TYPE_CHECKING, Annotated

import typer

from ic3.cli import app
from ic3.cli.read import AsJson
from ic3.settings import load

if TYPE_CHECKING:  # loaded where it is used, so that other commands start fast
    from ic3.domain.work_orders import Order
    from ic3.store.order_details import OrderEvent

orders_app = typer.Typer(help="Work orders, soonest due first; or one of them with its history.")
app.add_typer(orders_app, name="orders")


@orders_app.callback(invoke_without_command=True)
def orders(
    context: typer.Context,
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 50,
    everything: Annotated[
        bool, typer.Option("--all", help="Those that are done or cancelled too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Work orders, soonest due first; or one of them with its history."""
    if context.invoked_subcommand is not None:
        return
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.clock import Clock
    from ic3.domain.work_orders import TO_DO, OrderQuery, Sort
    from ic3.store.work_orders import WorkOrderStore

    now = Clock().now()
    states = None if everything else sorted(each.value for each in TO_DO)

    async def work() -> "list[Order]":
        async with opened(settings, only_look=True) as (_, pool):
            wanted = OrderQuery(sort=Sort.DUE, states=states)
            return await WorkOrderStore(pool).page(wanted, now=now, limit=limit, after=None)

    found = run(work())
    if as_json:
        put_json({"orders": found})
        return
    rows = [
        [
            str(each.id), each.state.value, str(int(each.priority)),
            f"{each.due_at:%Y-%m-%d %H:%M}Z", "overdue" if each.is_overdue(now) else "",
            each.assignee or each.team or "", each.serial or "", each.title,
        ]
        for each in found
    ]  # fmt: skip
    headings = ["order", "state", "priority", "due (UTC)", "", "who", "asset", "title"]
    put_table(headings, rows, right={0, 2})


@orders_app.command("show")
def orders_show(
    order_id: Annotated[int, typer.Argument(help="As ic3 orders lists it.")],
    as_json: AsJson = False,
) -> None:
    """One order and what happened to it."""
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.store.order_details import DetailStore
    from ic3.store.work_orders import WorkOrderStore

    async def work() -> "tuple[Order, list[OrderEvent]]":
        async with opened(settings, only_look=True) as (_, pool):
            order = await WorkOrderStore(pool).one(order_id, None)
            return order, await DetailStore(pool).events(order.id, after=0, limit=1000)

    order, events = run(work())
    if as_json:
        put_json({"order": order, "events": events})
        return
    shown = ("state", "priority", "title", "serial", "domain", "assignee", "team", "due_at",
             "labour_minutes", "parts_cost_minor")  # fmt: skip
    put_table(
        ["", "order"], [[name, str(getattr(order, name) or "")] for name in shown], right=set()
    )
    rows = [
        [f"{each.at:%Y-%m-%d %H:%M:%S}Z", each.who, each.what, each.note or ""] for each in events
    ]
    put_table(["at (UTC)", "who", "what", "note"], rows, right=set())
