"""What belongs to a work order: checklist, labour, parts, comments, and its history."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from ic3.api.callers import actor_of, principal_of
from ic3.api.lists import begin_of, paged
from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.alarms import Alarms
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.domain.users import Principal
from ic3.domain.work_orders import Acted, Order, view_of
from ic3.store.order_details import (
    DetailStore,
    OrderEvent,
    add_check,
    add_comment,
    add_labour,
    add_part,
    set_check,
)
from ic3.store.pool import Connection
from ic3.store.work_orders import WorkOrderStore, order_etag

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
MANY_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=5000, pattern=MANY_LINES)]
Place: Any = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Number = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
Act = Callable[[Connection, datetime], Awaitable[tuple[Order, int | None]]]


class CheckRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Add a line to the checklist."""

    text: Line


class TickRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a line of the checklist is done."""

    done: bool


class LabourRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Time that somebody spent; without `person` it is the caller."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=10_080)]
    person: Line | None = None
    note: Line | None = None


class PartRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Material that was used.

    `quantity` has at most three decimals and may be sent as text; `unit_cost_minor` is in
    hundredths of the currency (paise).
    """

    name: Line
    quantity: Decimal
    unit_cost_minor: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    number: Line | None = None


class CommentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Say something."""

    text: Text


class OrderHistory(msgspec.Struct):
    """What happened to an order, oldest first; ask on with `cursor=next`."""

    events: list[OrderEvent]
    next: str | None


async def history(
    request: Request[Any, Any, Any],
    work_orders: NamedDependency[WorkOrderStore],
    order_details: NamedDependency[DetailStore],
    order_id: Number,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)] = "",
) -> Response[OrderHistory]:
    """What happened to an order, oldest first."""
    order = await work_orders.one(order_id, principal_of(request).scope())
    after = begin_of(cursor, Place) if cursor else 0
    events = await order_details.events(order.id, after=after, limit=limit)
    onward = cursor_of(events[-1].id) if len(events) == limit else None
    return paged(request, OrderHistory(events, onward), onward)


async def check(
    data: JSONBody[CheckRequest],
    request: Request[Any, Any, Any],
    work_orders: NamedDependency[WorkOrderStore],
    alarms: NamedDependency[Alarms],
    clock: NamedDependency[Clock],
    order_id: Number,
) -> Response[Acted]:
    """Add a line to the checklist."""

    async def act(connection: Connection, at: datetime) -> tuple[Order, int | None]:
        return await add_check(connection, *_who(request), order_id, data.text, at=at)

    return await _entered(request, work_orders, alarms, clock, order_id, act)


async def tick(
    data: JSONBody[TickRequest],
    request: Request[Any, Any, Any],
    work_orders: NamedDependency[WorkOrderStore],
    alarms: NamedDependency[Alarms],
    clock: NamedDependency[Clock],
    order_id: Number,
    item_id: Number,
) -> Response[Acted]:
    """Tick a line of the checklist, or take the tick away."""

    async def act(connection: Connection, at: datetime) -> tuple[Order, int | None]:
        order = await set_check(
            connection, *_who(request), order_id, item_id, done=data.done, at=at
        )
        return order, item_id

    return await _entered(request, work_orders, alarms, clock, order_id, act)


async def labour(
    data: JSONBody[LabourRequest],
    request: Request[Any, Any, Any],
    work_orders: NamedDependency[WorkOrderStore],
    alarms: NamedDependency[Alarms],
    clock: NamedDependency[Clock],
    order_id: Number,
) -> Response[Acted]:
    """Enter time that somebody spent."""

    async def act(connection: Connection, at: datetime) -> tuple[Order, int | None]:
        person = data.person or principal_of(request).username
        return await add_labour(
            connection, *_who(request), order_id, person=person, minutes=data.minutes,
            note=data.note, at=at,
        )  # fmt: skip

    return await _entered(request, work_orders, alarms, clock, order_id, act)


async def part(
    data: JSONBody[PartRequest],
    request: Request[Any, Any, Any],
    work_orders: NamedDependency[WorkOrderStore],
    alarms: NamedDependency[Alarms],
    clock: NamedDependency[Clock],
    order_id: Number,
) -> Response[Acted]:
    """Enter material that was used."""

    async def act(connection: Connection, at: datetime) -> tuple[Order, int | None]:
        return await add_part(
            connection, *_who(request), order_id, name=data.name, number=data.number,
            quantity=data.quantity, unit_cost_minor=data.unit_cost_minor, at=at,
        )  # fmt: skip

    return await _entered(request, work_orders, alarms, clock, order_id, act)


async def comment(
    data: JSONBody[CommentRequest],
    request: Request[Any, Any, Any],
    work_orders: NamedDependency[WorkOrderStore],
    alarms: NamedDependency[Alarms],
    clock: NamedDependency[Clock],
    order_id: Number,
) -> Response[Acted]:
    """Say something about an order."""

    async def act(connection: Connection, at: datetime) -> tuple[Order, int | None]:
        return await add_comment(connection, *_who(request), order_id, data.text, at=at)

    return await _entered(request, work_orders, alarms, clock, order_id, act)


async def _entered(
    request: Request[Any, Any, Any], work_orders: WorkOrderStore, alarms: Alarms, clock: Clock,
    order_id: int, act: Act,
) -> Response[Acted]:  # fmt: skip
    """Do an act on an order in scope."""
    at = clock.now()
    await work_orders.one(order_id, principal_of(request).scope())
    async with work_orders.database.connection() as connection:
        order, number = await act(connection, at)
    return Response(Acted(view_of(order, alarms, at), number), headers={"etag": order_etag(order)})


def _who(request: Request[Any, Any, Any]) -> tuple[Actor, Principal]:
    return actor_of(request), principal_of(request)
