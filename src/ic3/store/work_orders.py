"""Work orders: lists, single orders, and what people do to them, each act in one transaction."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.alarms import Priority
from ic3.domain.etags import still_so
from ic3.domain.returns import Watched
from ic3.domain.users import Principal, Role
from ic3.domain.work_orders import (
    OVER,
    SHUT,
    TO_DO,
    ForbiddenStep,
    Order,
    OrderKind,
    OrderQuery,
    Place,
    Sla,
    Sort,
    State,
    check_step,
    may_work_on,
)
from ic3.errors import ApiError
from ic3.store.assignees import check_assignee
from ic3.store.audit import record
from ic3.store.pool import Connection, Database
from ic3.store.telemetry import microseconds, moment

EXPORT_PAGE: Final = 1000
OPERATORS_CHANGE: Final = frozenset({"title", "description"})

ORDERS: Final = """
SELECT id, version, kind, state, priority, title, description, serial, category, domain, assignee,
    team, created_at, created_by, updated_at, start_due_at, due_at, due_given, started_at, done_at,
    ended_at, failed_at, returned_at, alarm_id, source_kind, source, condition, plan_id, plan_due,
    labour_minutes, parts_cost_minor
FROM ic3_work_order WHERE id = ANY(%(ids)s::bigint[])
"""
ORDER: Final = """
SELECT id, version, kind, state, priority, title, description, serial, category, domain, assignee,
    team, created_at, created_by, updated_at, start_due_at, due_at, due_given, started_at, done_at,
    ended_at, failed_at, returned_at, alarm_id, source_kind, source, condition, plan_id, plan_due,
    labour_minutes, parts_cost_minor
FROM ic3_work_order
WHERE id = %(id)s AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
"""
LOCK_ORDER: Final = """
SELECT id, version, kind, state, priority, title, description, serial, category, domain, assignee,
    team, created_at, created_by, updated_at, start_due_at, due_at, due_given, started_at, done_at,
    ended_at, failed_at, returned_at, alarm_id, source_kind, source, condition, plan_id, plan_due,
    labour_minutes, parts_cost_minor
FROM ic3_work_order
WHERE id = %(id)s AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
FOR UPDATE
"""
EVIDENCE: Final = "SELECT evidence FROM ic3_work_order WHERE id = %(id)s"
# A list is planned for the filters it has: the plan for any filters sorts all there is.
PLAN_FOR_FILTERS: Final = "SET LOCAL plan_cache_mode = force_custom_plan"
# One statement an order: each walks its own index from where the page before ended.
PAGE_BY_CREATED: Final = """
SELECT id FROM ic3_work_order
WHERE id < %(last_id)s
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(serial)s::text IS NULL OR serial = %(serial)s::text)
    AND (%(of_domain)s::text IS NULL OR domain = %(of_domain)s::text)
    AND (%(assignee)s::text IS NULL OR assignee = %(assignee)s::text)
    AND (%(team)s::text IS NULL OR team = %(team)s::text)
    AND (%(overdue)s::boolean IS NULL OR %(overdue)s::boolean = (state = ANY(%(to_do)s::text[])
        AND (due_at < %(now)s OR (started_at IS NULL AND start_due_at < %(now)s))))
    AND (%(q)s::text IS NULL OR strpos(
        lower(id::text || ' ' || title || ' ' || coalesce(serial, '')), lower(%(q)s::text)) > 0)
ORDER BY id DESC LIMIT %(limit)s
"""
PAGE_OF_ASSET: Final = """
SELECT id FROM ic3_work_order
WHERE serial = %(serial)s::text AND id < %(last_id)s
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(of_domain)s::text IS NULL OR domain = %(of_domain)s::text)
    AND (%(assignee)s::text IS NULL OR assignee = %(assignee)s::text)
    AND (%(team)s::text IS NULL OR team = %(team)s::text)
    AND (%(overdue)s::boolean IS NULL OR %(overdue)s::boolean = (state = ANY(%(to_do)s::text[])
        AND (due_at < %(now)s OR (started_at IS NULL AND start_due_at < %(now)s))))
    AND (%(q)s::text IS NULL OR strpos(
        lower(id::text || ' ' || title || ' ' || coalesce(serial, '')), lower(%(q)s::text)) > 0)
ORDER BY id DESC LIMIT %(limit)s
"""
PAGE_BY_DUE: Final = """
SELECT id FROM ic3_work_order
WHERE (due_at, id) > (%(last_at)s, %(last_id)s)
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(serial)s::text IS NULL OR serial = %(serial)s::text)
    AND (%(of_domain)s::text IS NULL OR domain = %(of_domain)s::text)
    AND (%(assignee)s::text IS NULL OR assignee = %(assignee)s::text)
    AND (%(team)s::text IS NULL OR team = %(team)s::text)
    AND (%(overdue)s::boolean IS NULL OR %(overdue)s::boolean = (state = ANY(%(to_do)s::text[])
        AND (due_at < %(now)s OR (started_at IS NULL AND start_due_at < %(now)s))))
    AND (%(q)s::text IS NULL OR strpos(
        lower(id::text || ' ' || title || ' ' || coalesce(serial, '')), lower(%(q)s::text)) > 0)
ORDER BY due_at, id LIMIT %(limit)s
"""
PAGE_BY_PRIORITY: Final = """
SELECT id FROM ic3_work_order
WHERE (priority, id) > (%(last_priority)s, %(last_id)s)
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(serial)s::text IS NULL OR serial = %(serial)s::text)
    AND (%(of_domain)s::text IS NULL OR domain = %(of_domain)s::text)
    AND (%(assignee)s::text IS NULL OR assignee = %(assignee)s::text)
    AND (%(team)s::text IS NULL OR team = %(team)s::text)
    AND (%(overdue)s::boolean IS NULL OR %(overdue)s::boolean = (state = ANY(%(to_do)s::text[])
        AND (due_at < %(now)s OR (started_at IS NULL AND start_due_at < %(now)s))))
    AND (%(q)s::text IS NULL OR strpos(
        lower(id::text || ' ' || title || ' ' || coalesce(serial, '')), lower(%(q)s::text)) > 0)
ORDER BY priority, id LIMIT %(limit)s
"""
PAGE_BY_UPDATED: Final = """
SELECT id FROM ic3_work_order
WHERE (updated_at, id) < (%(last_at)s, %(last_id)s)
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s::text[]))
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(serial)s::text IS NULL OR serial = %(serial)s::text)
    AND (%(of_domain)s::text IS NULL OR domain = %(of_domain)s::text)
    AND (%(assignee)s::text IS NULL OR assignee = %(assignee)s::text)
    AND (%(team)s::text IS NULL OR team = %(team)s::text)
    AND (%(overdue)s::boolean IS NULL OR %(overdue)s::boolean = (state = ANY(%(to_do)s::text[])
        AND (due_at < %(now)s OR (started_at IS NULL AND start_due_at < %(now)s))))
    AND (%(q)s::text IS NULL OR strpos(
        lower(id::text || ' ' || title || ' ' || coalesce(serial, '')), lower(%(q)s::text)) > 0)
ORDER BY updated_at DESC, id DESC LIMIT %(limit)s
"""
COUNTS: Final = """
SELECT state, priority, count(*), count(*) FILTER (WHERE state = ANY(%(to_do)s::text[])
    AND (due_at < %(now)s OR (started_at IS NULL AND start_due_at < %(now)s)))
FROM ic3_work_order
WHERE %(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[])
GROUP BY state, priority ORDER BY state, priority
"""
# What is on the feed and in no register has the domain that the feed says.
FIND_ASSET: Final = """
SELECT domain, category FROM ic3_asset_master WHERE serialnumber = %(serial)s
UNION ALL
SELECT domain, NULL FROM assets WHERE asset_id = %(serial)s
LIMIT 1
"""
SLA: Final = (
    "SELECT priority, start_minutes, done_minutes FROM ic3_work_order_sla ORDER BY priority"
)
SET_SLA: Final = """
UPDATE ic3_work_order_sla SET start_minutes = %(start_minutes)s, done_minutes = %(done_minutes)s
WHERE priority = %(priority)s
"""
INSERT_ORDER: Final = """
INSERT INTO ic3_work_order (kind, state, priority, title, description, serial, category, domain,
    assignee, team, created_at, created_by, updated_at, start_due_at, due_at, due_given, failed_at,
    alarm_id, source_kind, source, condition, evidence, plan_id, plan_due)
VALUES (%(kind)s, %(state)s, %(priority)s, %(title)s, %(description)s, %(serial)s, %(category)s,
    %(domain)s, %(assignee)s, %(team)s, %(at)s, %(created_by)s, %(at)s, %(start_due_at)s,
    %(due_at)s, %(due_given)s, %(failed_at)s, %(alarm_id)s, %(source_kind)s, %(source)s,
    %(condition)s, %(evidence)s, %(plan_id)s, %(plan_due)s)
ON CONFLICT DO NOTHING
RETURNING id
"""
OPEN_OF_ALARM: Final = """
SELECT id FROM ic3_work_order
WHERE alarm_id = %(alarm_id)s AND state NOT IN ('verified', 'closed', 'cancelled')
    AND id <> %(but)s
"""
SAVE_ORDER: Final = """
UPDATE ic3_work_order SET version = %(version)s, state = %(state)s, priority = %(priority)s,
    title = %(title)s, description = %(description)s, assignee = %(assignee)s, team = %(team)s,
    updated_at = %(updated_at)s, start_due_at = %(start_due_at)s, due_at = %(due_at)s,
    due_given = %(due_given)s, started_at = %(started_at)s, done_at = %(done_at)s,
    ended_at = %(ended_at)s, labour_minutes = %(labour_minutes)s,
    parts_cost_minor = %(parts_cost_minor)s
WHERE id = %(id)s
"""
INSERT_EVENT: Final = """
INSERT INTO ic3_work_order_event (order_id, version, at, who, what, from_state, to_state, note,
    before, after)
VALUES (%(order_id)s, %(version)s, %(at)s, %(who)s, %(what)s, %(from_state)s, %(to_state)s,
    %(note)s, %(before)s, %(after)s)
"""
INSERT_CHECKS: Final = """
INSERT INTO ic3_work_order_check (order_id, text)
SELECT %(order_id)s, given.text
FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS given (text, number) ORDER BY given.number
"""
WATCHED: Final = """
SELECT id, source_kind, source, condition, returned_at FROM ic3_work_order
WHERE source IS NOT NULL AND state NOT IN ('verified', 'closed', 'cancelled')
ORDER BY id LIMIT 100000
"""
SET_RETURNED: Final = """
UPDATE ic3_work_order AS kept SET returned_at = given.at
FROM unnest(%(ids)s::bigint[], %(times)s::timestamptz[]) AS given (id, at)
WHERE kept.id = given.id AND kept.state NOT IN ('verified', 'closed', 'cancelled')
"""

COLUMNS: Final = tuple(each.name for each in msgspec.structs.fields(Order))
BEGINNING: Final = datetime.fromisoformat("1970-01-01T00:00:00Z")
END: Final = datetime.fromisoformat("9999-01-01T00:00:00Z")


class NewOrder(NamedTuple):
    """An order to be made.

    Attributes:
        due_at: None where it follows from the priority.
        failed_at: Begin of the failure; None is now.
        from_alarm: Number, kind of source, source and condition of the alarm.
        of_plan: Number of the plan and which of its dues.
    """

    title: str
    priority: Priority
    state: State
    kind: OrderKind = OrderKind.CORRECTIVE
    description: str = ""
    serial: str | None = None
    domain: str | None = None
    assignee: str | None = None
    team: str | None = None
    due_at: datetime | None = None
    failed_at: datetime | None = None
    from_alarm: tuple[int, str, str, str] | None = None
    evidence: Mapping[str, Any] | None = None
    of_plan: tuple[int, str] | None = None
    checklist: Sequence[str] = ()


class OrderCount(msgspec.Struct, frozen=True):
    """How many orders of a state and a priority there are, and how many of them are overdue."""

    state: State
    priority: Priority
    count: int
    overdue: int


class WorkOrderStore:
    """Reads and changes work orders."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def page(
        self, wanted: OrderQuery, *, now: datetime, limit: int, after: Place | None
    ) -> list[Order]:
        """A page of orders in the order of `wanted.sort`.

        Args:
            wanted: Which.
            now: Says what is overdue.
            limit: How many at most.
            after: Where the page before ended.
        """
        statement, first = _page(wanted)
        last = after or first
        async with self.database.connection() as connection:
            await connection.execute(PLAN_FOR_FILTERS)
            cursor = await connection.execute(
                statement,
                {
                    **_filters(wanted, now), "limit": limit, "last_id": last.id,
                    "last_at": moment(last.us), "last_priority": last.priority,
                },
            )  # fmt: skip
            ids = [number for (number,) in await cursor.fetchall()]
            rows = await (await connection.execute(ORDERS, {"ids": ids})).fetchall()
        found = {row[0]: order_of(row) for row in rows}
        return [found[number] for number in ids if number in found]

    async def pages(self, wanted: OrderQuery, *, now: datetime) -> AsyncIterator[list[Order]]:
        """All of them, a thousand at a time, each page a statement of its own."""
        after: Place | None = None
        full = True
        while full:
            page = await self.page(wanted, now=now, limit=EXPORT_PAGE, after=after)
            yield page
            full = len(page) == EXPORT_PAGE
            after = place_of(page[-1], wanted.sort) if page else None

    async def counts(self, domains: list[str] | None, now: datetime) -> list[OrderCount]:
        """How many there are, by state and priority."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                COUNTS, {"domains": domains, "to_do": sorted(TO_DO), "now": now}
            )
            return [
                OrderCount(State(state), Priority(priority), count, overdue)
                for state, priority, count, overdue in await cursor.fetchall()
            ]

    async def one(self, order_id: int, domains: list[str] | None) -> Order:
        """An order.

        Raises:
            ApiError: 404: there is none, or not for this user.
        """
        async with self.database.connection() as connection:
            return await visible(connection, order_id, domains)

    async def sla(self) -> list[Sla]:
        """Within what time orders are to be begun and done, by priority."""
        async with self.database.connection() as connection:
            return await _sla(connection)

    async def set_sla(self, actor: Actor, new: Sla) -> None:
        """Change it for orders that are made, or change priority, from now on."""
        async with self.database.connection() as connection:
            before = {each.priority: each for each in await _sla(connection)}
            await connection.execute(SET_SLA, msgspec.structs.asdict(new))
            await record(
                connection, actor, "work order sla changed", f"priority {new.priority:d}",
                before=msgspec.to_builtins(before[new.priority]), after=msgspec.to_builtins(new),
            )  # fmt: skip

    async def watched(self) -> list[Watched]:
        """Orders that were made from alarms and are not verified."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(WATCHED)
            return [
                Watched(number, (kind, source, condition), None if at is None else microseconds(at))
                for number, kind, source, condition, at in await cursor.fetchall()
            ]

    async def set_returned(self, changed: Sequence[tuple[int, int | None]]) -> None:
        """Write when the measured values of orders returned."""
        times = [None if us is None else moment(us) for _, us in changed]
        async with self.database.connection() as connection:
            await connection.execute(
                SET_RETURNED, {"ids": [number for number, _ in changed], "times": times}
            )


async def visible(connection: Connection, order_id: int, domains: list[str] | None) -> Order:
    """An order in scope.

    Raises:
        ApiError: 404: there is none, or not for this user.
    """
    return await _found(connection, ORDER, order_id, domains)


async def evidence_of(connection: Connection, order: Order) -> Any:
    """What was kept with an order when it was made; None where nothing was."""
    row = await (await connection.execute(EVIDENCE, {"id": order.id})).fetchone()
    return None if row is None else row[0]


async def locked(
    connection: Connection, order_id: int, principal: Principal, if_match: str | None = None
) -> Order:
    """An order in scope that nobody else changes until the transaction ends.

    Raises:
        ApiError: 404: there is none, or not for this user. 412: it is another by now.
    """
    order = await _found(connection, LOCK_ORDER, order_id, principal.scope())
    if if_match is not None and not still_so(if_match, order_etag(order)):
        raise ApiError(
            412, "changed meanwhile", f"work order {order.id} has changed; read it again"
        )
    return order


async def _found(
    connection: Connection, statement: Any, order_id: int, domains: list[str] | None
) -> Order:
    cursor = await connection.execute(statement, {"id": order_id, "domains": domains})
    row = await cursor.fetchone()
    if row is None:
        raise ApiError(404, "work order not found", "there is no such work order")
    return order_of(row)


def order_etag(order: Order) -> str:
    """The entity tag of an order: it stands for what people change."""
    return f'"{order.version}"'


async def create(
    connection: Connection, actor: Actor, domains: list[str] | None, new: NewOrder, *, at: datetime
) -> Order:
    """Make an order.

    Args:
        connection: Of the transaction.
        actor: Who makes it.
        domains: Scope of who makes it.
        new: What it is.
        at: Now.

    Raises:
        ApiError: 404: the asset is unknown, or not for this user. 409: the alarm, or the due of the
            plan, has an order. 422: it would be in nobody's domain.
    """
    domain, category = await _asset(connection, new, domains)
    if new.of_plan is None:
        # The due of a plan gets its order, though who was to do it has left.
        await check_assignee(connection, new.assignee, domain)
    sla = {each.priority: each for each in await _sla(connection)}[new.priority]
    alarm_id, source_kind, source, condition = new.from_alarm or (None, None, None, None)
    plan_id, plan_due = new.of_plan or (None, None)
    due_at = new.due_at or sla.due(at)
    # Planned work has its day; that of a failure is begun soon.
    start_due_at = due_at if new.of_plan else min(sla.start_due(at), due_at)
    cursor = await connection.execute(
        INSERT_ORDER,
        {
            "kind": new.kind, "state": new.state, "priority": new.priority, "title": new.title,
            "description": new.description, "serial": new.serial, "category": category,
            "domain": domain, "assignee": new.assignee, "team": new.team, "at": at,
            "created_by": actor.who, "due_at": due_at, "start_due_at": start_due_at,
            "due_given": new.due_at is not None, "failed_at": new.failed_at or at,
            "alarm_id": alarm_id, "source_kind": source_kind, "source": source,
            "condition": condition,
            "evidence": None if new.evidence is None else Jsonb(new.evidence),
            "plan_id": plan_id, "plan_due": plan_due,
        },
    )  # fmt: skip
    row = await cursor.fetchone()
    if row is None:
        await _refuse_second(connection, alarm_id)
        raise ApiError(409, "order exists", "the due of this plan has its work order")
    order = await visible(connection, row[0], None)
    if new.checklist:
        await connection.execute(
            INSERT_CHECKS, {"order_id": order.id, "texts": list(new.checklist)}
        )
    made = {**_shown(order), "checklist": list(new.checklist)}
    await note_act(connection, actor, None, order, "created", after=made)
    return order


async def _asset(
    connection: Connection, new: NewOrder, domains: list[str] | None
) -> tuple[str | None, str | None]:
    """Domain and kind of what an order is about."""
    domain, category = new.domain, None
    if new.serial is not None:
        row = await asset_of(connection, new.serial)
        if row is not None:
            domain, category = row[0] if new.from_alarm is None else new.domain or row[0], row[1]
        elif new.from_alarm is None:
            raise unknown_asset()
        if domains is not None and domain not in domains:
            raise unknown_asset()
    elif domains is not None and domain not in domains:
        raise ApiError(422, "domain required", "name a serial_number, or a domain that is yours")
    return domain, category


async def asset_of(connection: Connection, serial: str) -> tuple[str | None, str | None] | None:
    """Domain and kind of an asset of the register or the feed; None where it is in neither."""
    row = await (await connection.execute(FIND_ASSET, {"serial": serial})).fetchone()
    return None if row is None else (row[0], row[1])


def unknown_asset() -> ApiError:
    """There is no such asset, or not for this user."""
    return ApiError(404, "asset not found", "there is no such asset")


async def _refuse_second(connection: Connection, alarm_id: int | None, but: int = 0) -> None:
    """Refuse where an alarm has another order that is not over."""
    if alarm_id is None:
        return
    cursor = await connection.execute(OPEN_OF_ALARM, {"alarm_id": alarm_id, "but": but})
    row = await cursor.fetchone()
    if row is not None:
        raise ApiError(409, "order exists", f"alarm {alarm_id} has work order {row[0]}")


async def change(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, if_match: str,
    fields: Mapping[str, Any], *, at: datetime,
) -> Order:  # fmt: skip
    """Change fields of an order.

    Args:
        connection: Of the transaction.
        actor: Who changes it.
        principal: Their role and scope.
        order_id: Which.
        if_match: Entity tags of what they saw.
        fields: title, description, priority, assignee, team or due_at to the new value; a due_at of
            None follows from the priority again.
        at: Now.

    Raises:
        ApiError: 403, 404, 409, 412 or 422.
    """
    order = await locked(connection, order_id, principal, if_match)
    check_work(order, principal)
    others = sorted(fields.keys() - OPERATORS_CHANGE)
    if others and not principal.role.covers(Role.ENGINEER):
        raise ApiError(403, "forbidden", f"{others[0]} is changed by engineers")
    changed = msgspec.structs.replace(
        order, **{name: value for name, value in fields.items() if name != "due_at"}
    )
    if "assignee" in fields:
        await check_assignee(connection, changed.assignee, order.domain)
    if order.state is State.ASSIGNED and changed.assignee is None and changed.team is None:
        raise ApiError(422, "nobody assigned", "an order that is assigned needs somebody")
    changed = await _with_dues(connection, changed, fields)
    return await save(connection, actor, order, changed, "changed", at=at)


async def _with_dues(connection: Connection, order: Order, fields: Mapping[str, Any]) -> Order:
    """An order whose dues follow from its priority, unless somebody said when."""
    if not fields.keys() & {"priority", "due_at"}:
        return order
    sla = {each.priority: each for each in await _sla(connection)}[order.priority]
    due_at, given = order.due_at, order.due_given
    if "due_at" in fields:
        due_at, given = fields["due_at"], fields["due_at"] is not None
    if not given:
        due_at = sla.due(order.created_at)
    start_due_at = min(sla.start_due(order.created_at), due_at)
    return msgspec.structs.replace(order, due_at=due_at, due_given=given, start_due_at=start_due_at)


def check_work(order: Order, principal: Principal) -> None:
    """Whether somebody may enter what belongs to the work.

    Raises:
        ApiError: 403: they may not. 409: nothing is entered any more.
    """
    if not may_work_on(order, principal.username, principal.role):
        raise ApiError(403, "forbidden", f"work order {order.id} is not assigned to you")
    check_open(order)


def check_open(order: Order) -> None:
    """Whether anything may still be entered.

    Raises:
        ApiError: 409: it may not.
    """
    if order.state in SHUT:
        raise ApiError(409, f"order is {order.state}", "reopen it, or make another")


async def move(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, to: State, *,
    note: str | None, assigned: tuple[str | None, str | None] | None,
    returned: Callable[[Order], bool | None], if_match: str | None, at: datetime,
) -> Order:  # fmt: skip
    """Move an order to another state.

    Args:
        connection: Of the transaction.
        actor: Who moves it.
        principal: Their role and scope.
        order_id: Which.
        to: Where to.
        note: What they say.
        assigned: Assignee and team to set with it; None leaves both. For engineers.
        returned: Whether the measured value of an order has returned.
        if_match: Entity tags of what they saw; None where they do not mind.
        at: Now.

    Raises:
        ApiError: 403, 404, 409, 412 or 422.
    """
    order = await locked(connection, order_id, principal, if_match)
    planned = order
    if assigned is not None:
        if not principal.role.covers(Role.ENGINEER):
            raise ApiError(403, "forbidden", "assignee and team are set by engineers")
        await check_assignee(connection, assigned[0], order.domain)
        planned = msgspec.structs.replace(order, assignee=assigned[0], team=assigned[1])
    try:
        check_step(
            planned, to, username=principal.username, role=principal.role, note=note,
            returned=returned(order),
        )  # fmt: skip
    except ForbiddenStep as error:
        status = 403 if error.role else 409
        raise ApiError(
            status, "forbidden" if error.role else "no such step", error.reason
        ) from None
    if order.state in OVER and to not in OVER:
        await _refuse_second(connection, order.alarm_id, order.id)
    moved = _moved(planned, to, principal, at)
    return await save(connection, actor, order, moved, to.value, note=note, at=at)


def _moved(order: Order, to: State, principal: Principal, at: datetime) -> Order:
    changes: dict[str, Any] = {"state": to}
    if to is State.IN_PROGRESS:
        changes["started_at"] = order.started_at or at
        if order.assignee is None:
            # Who begins the work of a team has taken it.
            changes["assignee"] = principal.username
    elif to is State.DONE:
        changes["done_at"] = at
    elif to is State.REOPENED:
        changes["done_at"] = changes["ended_at"] = None
    elif to in SHUT:
        changes["ended_at"] = at
    elif to is State.OPEN:
        changes["assignee"] = changes["team"] = None
    return msgspec.structs.replace(order, **changes)


async def save(
    connection: Connection, actor: Actor, before: Order, after: Order, what: str, *, at: datetime,
    note: str | None = None, entered: object = None, removed: object = None,
) -> Order:  # fmt: skip
    """Write a changed order with its history and its row of the audit log.

    Args:
        connection: Of the transaction that locked it.
        actor: Who acts.
        before: As it was.
        after: As it is to be.
        what: Word for the act.
        at: Now.
        note: What was said.
        entered: What came beside the order's own fields, such as a part.
        removed: What went.
    """
    saved = msgspec.structs.replace(after, version=before.version + 1, updated_at=at)
    await connection.execute(SAVE_ORDER, msgspec.structs.asdict(saved))
    old, new = _shown(before), _shown(saved)
    differing = [name for name in new if name not in {"version", "updated_at"}
                 and new[name] != old[name]]  # fmt: skip
    was: Any = {name: old[name] for name in differing}
    now: Any = {name: new[name] for name in differing}
    if removed is not None:
        was["entry"] = removed
    if entered is not None:
        now["entry"] = entered
    await note_act(
        connection, actor, before, saved, what, note=note, before=was or None, after=now or None
    )
    return saved


async def note_act(
    connection: Connection, actor: Actor, was: Order | None, order: Order, what: str, *,
    note: str | None = None, before: object = None, after: object = None,
) -> None:  # fmt: skip
    """Note an act in the history of its order and in the audit log."""
    await connection.execute(
        INSERT_EVENT,
        {
            "order_id": order.id, "version": order.version, "at": order.updated_at,
            "who": actor.who, "what": what, "from_state": None if was is None else was.state,
            "to_state": order.state, "note": note,
            "before": None if before is None else Jsonb(before),
            "after": None if after is None else Jsonb(after),
        },
    )  # fmt: skip
    said: Any = after if note is None else {**(after or {}), "note": note}  # type: ignore[dict-item]  # a dict in every call
    await record(
        connection, actor, f"work order {what}", f"work order {order.id}", before=before, after=said
    )


async def _sla(connection: Connection) -> list[Sla]:
    cursor = await connection.execute(SLA)
    return [Sla(Priority(row[0]), *row[1:]) for row in await cursor.fetchall()]


def _shown(order: Order) -> dict[str, Any]:
    return dict(msgspec.to_builtins(order))


def order_of(row: Sequence[Any]) -> Order:
    """An order from a row with the columns of `ORDER`."""
    return msgspec.convert(dict(zip(COLUMNS, row, strict=True)), Order)


def place_of(order: Order, sort: Sort) -> Place:
    """Where a page that ends with this order ended."""
    at = order.updated_at if sort is Sort.UPDATED else order.due_at
    return Place(sort, order.id, microseconds(at), int(order.priority))


def _page(wanted: OrderQuery) -> tuple[Any, Place]:
    """Statement of a sort, and the place before its first row."""
    beyond = 2**63 - 1
    match wanted.sort:
        case Sort.CREATED:
            statement = PAGE_BY_CREATED if wanted.serial is None else PAGE_OF_ASSET
            return statement, Place(Sort.CREATED, beyond, 0, 0)
        case Sort.DUE:
            return PAGE_BY_DUE, Place(Sort.DUE, 0, microseconds(BEGINNING), 0)
        case Sort.PRIORITY:
            return PAGE_BY_PRIORITY, Place(Sort.PRIORITY, 0, 0, 0)
        case Sort.UPDATED:
            return PAGE_BY_UPDATED, Place(Sort.UPDATED, beyond, microseconds(END), 0)


def _filters(wanted: OrderQuery, now: datetime) -> dict[str, Any]:
    return {
        "domains": wanted.scope, "states": wanted.states, "priorities": wanted.priorities,
        "serial": wanted.serial, "of_domain": wanted.domain, "assignee": wanted.assignee,
        "team": wanted.team, "overdue": wanted.overdue, "q": wanted.q, "now": now,
        "to_do": sorted(TO_DO),
    }  # fmt: skip
