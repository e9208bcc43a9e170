"""Work orders: lists, counts, export, figures, one order, and its way through the states."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from ic3.api.callers import actor_of, principal_of
from ic3.api.csv_files import csv_file, csv_pages
from ic3.api.lists import begin_of, paged, seen_as
from ic3.clock import Clock
from ic3.domain.alarms import Alarm, Alarms, Priority, UnknownAlarmError
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.domain.envelope import time_text
from ic3.domain.history import instant
from ic3.domain.latest import LatestReadings
from ic3.domain.reliability import By, Reliability, figures
from ic3.domain.users import Principal, Role
from ic3.domain.work_orders import (
    CSV_HEADINGS,
    SHUT,
    Acted,
    Move,
    Order,
    OrderQuery,
    OrderView,
    Place,
    Sla,
    Sort,
    State,
    csv_rows,
    has_returned,
    may_work_on,
    moves,
    view_of,
)
from ic3.errors import ApiError, InputError
from ic3.store.assignees import Assignee, assignees
from ic3.store.attachments import Attachment, attachments_of
from ic3.store.order_details import Check, Comment, Labour, Part, details_of
from ic3.store.reliability import ReliabilityStore
from ic3.store.work_orders import (
    NewOrder,
    OrderCount,
    WorkOrderStore,
    change,
    create,
    evidence_of,
    move,
    order_etag,
    place_of,
    visible,
)

NO_NUL: Final = r"^[^\x00]*$"
ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
MANY_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
READINGS_SHOWN: Final = 200
KPI_DAYS: Final = 3660
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=ONE_LINE)]
Serial = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
Body = Annotated[str, msgspec.Meta(max_length=10_000, pattern=MANY_LINES)]
Note = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=MANY_LINES)]
PriorityNumber = Annotated[int, msgspec.Meta(ge=1, le=4)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=525_600)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Number = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
Word = Annotated[str | None, QueryParameter(max_length=1024, pattern=NO_NUL)]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", max_length=1000)]


class NewOrderRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Make a work order; with `alarm_id` from an alarm, whose row and readings are kept with it.

    An operator's begins as a draft, which an engineer opens. `failed_at` is when it failed, where
    that was before now.
    """

    title: Title | None = None
    description: Body = ""
    priority: PriorityNumber | None = None
    serial_number: Serial | None = None
    domain: Name | None = None
    assignee: Name | None = None
    team: Name | None = None
    due_at: Moment | None = None
    failed_at: Moment | None = None
    alarm_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    draft: bool = False
    checklist: Annotated[list[Title], msgspec.Meta(max_length=200)] = []


class OrderChanges(msgspec.Struct, forbid_unknown_fields=True):
    """Fields to change; those that are absent stay. `due_at` null: by priority again."""

    title: Title | msgspec.UnsetType = msgspec.UNSET
    description: Body | msgspec.UnsetType = msgspec.UNSET
    priority: PriorityNumber | msgspec.UnsetType = msgspec.UNSET
    assignee: Name | msgspec.UnsetType | None = msgspec.UNSET
    team: Name | msgspec.UnsetType | None = msgspec.UNSET
    due_at: Moment | msgspec.UnsetType | None = msgspec.UNSET


class MoveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Move an order to another state; engineers may name who does it with the same step."""

    to: State
    note: Note | None = None
    assignee: Name | None = None
    team: Name | None = None


class SlaRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Within how many minutes orders of a priority are to be begun and done."""

    start_minutes: Minutes
    done_minutes: Minutes


class OrderPage(msgspec.Struct):
    """A page of orders; ask on with `cursor=next`, null where there is none."""

    orders: list[OrderView]
    next: str | None


class OrderCounts(msgspec.Struct):
    """How many orders there are in the caller's scope."""

    total: int
    overdue: int
    counts: list[OrderCount]


class SlaList(msgspec.Struct):
    """Within what time orders are to be begun and done."""

    sla: list[Sla]


class Kpi(msgspec.Struct):
    """MTTR, MTBF and availability, most downtime first; what never failed is not listed.

    A failure begins when its alarm was raised, otherwise when it was reported. It ends when the
    measured value returned; without a measured value, or where it was verified all the same, when
    the order was done.
    """

    from_: str = msgspec.field(name="from")
    until: str
    by: By
    figures: list[Reliability]


class OneOrder(msgspec.Struct):
    """An order with all that belongs to it but its history.

    Attributes:
        evidence: The alarm and the readings of the asset as they were when it was made.
        alarm: The alarm as it is now; null where it is cleared, or there was none.
        moves: Where the caller may move it.
        may_work: Whether the caller may enter what belongs to the work.
    """

    order: OrderView
    evidence: Any
    alarm: Alarm | None
    checklist: list[Check]
    labour: list[Labour]
    parts: list[Part]
    comments: list[Comment]
    attachments: list[Attachment]
    moves: list[Move]
    may_work: bool


class Assignees(msgspec.Struct):
    """Users who may be given work."""

    assignees: list[Assignee]


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """What the routes of work orders are made of."""

    orders: WorkOrderStore
    reliability: ReliabilityStore
    alarms: Alarms
    latest: LatestReadings
    clock: Clock

    def view(self, order: Order) -> OrderView:
        """An order as it is shown now."""
        return view_of(order, self.alarms, self.clock.now())

    def returned(self, order: Order) -> bool | None:
        """Whether its measured value has returned."""
        return has_returned(order, self.alarms)

    def alarm_in_scope(self, alarm_id: int, principal: Principal) -> Alarm:
        """An open alarm.

        Raises:
            ApiError: There is none, or not for this user.
        """
        try:
            alarm = self.alarms.get(alarm_id)
        except UnknownAlarmError:
            alarm = None
        if alarm is None or not principal.sees(alarm.domain):
            raise ApiError(404, "alarm not found", "there is no such open alarm")
        return alarm

    def evidence(self, alarm: Alarm) -> dict[str, Any]:
        """The alarm and the newest readings of its asset as they are now."""
        readings = self.latest.live(alarm.source).monitoring if alarm.source_kind == "asset" else []
        return {
            "taken_at": time_text(self.clock.now_us()),
            "alarm": msgspec.to_builtins(alarm),
            "readings": msgspec.to_builtins(readings[:READINGS_SHOWN]),
        }

    async def one(self, order_id: int, principal: Principal) -> OneOrder:
        """An order with all that belongs to it."""
        async with self.orders.database.connection() as connection:
            order = await visible(connection, order_id, principal.scope())
            evidence = await evidence_of(connection, order)
            details = await details_of(connection, order)
            attachments = await attachments_of(connection, order)
        return OneOrder(
            self.view(order), evidence, self._alarm_now(order), details.checklist,
            details.labour, details.parts, details.comments, attachments,
            moves(
                order, username=principal.username, role=principal.role,
                returned=self.returned(order),
            ),
            order.state not in SHUT and may_work_on(order, principal.username, principal.role),
        )  # fmt: skip

    def _alarm_now(self, order: Order) -> Alarm | None:
        if order.source is None or order.condition is None:
            return None
        return self.alarms.find(order.source_kind, order.source, order.condition)  # type: ignore[arg-type]  # a word of the table


async def listed(
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
    states: Annotated[list[State] | None, QueryParameter(name="state", max_items=10)] = None,
    priority: Annotated[list[PriorityNumber] | None, QueryParameter(max_items=4)] = None,
    serial_number: Word = None,
    domain: Word = None,
    assignee: Word = None,
    team: Word = None,
    overdue: FromQuery[bool | None] = None,
    q: Annotated[str | None, QueryParameter(max_length=200, pattern=NO_NUL)] = None,
    sort: FromQuery[Sort] = Sort.CREATED,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)] = "",
) -> Response[OrderPage]:
    """Work orders, a page at a time; the next one is also in the header Link."""
    wanted = OrderQuery(
        sort, _words(states), priority, serial_number, domain, assignee, team, overdue, q,
        principal_of(request).scope(),
    )  # fmt: skip
    after = _place(cursor, sort) if cursor else None
    now = order_desk.clock.now()
    orders = await order_desk.orders.page(wanted, now=now, limit=limit, after=after)
    if len(orders) < limit:
        return Response(OrderPage([order_desk.view(each) for each in orders], None))
    onward = cursor_of(place_of(orders[-1], sort))
    page = OrderPage([order_desk.view(each) for each in orders], onward)
    return paged(request, page, onward)


async def export(
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
    states: Annotated[list[State] | None, QueryParameter(name="state", max_items=10)] = None,
    priority: Annotated[list[PriorityNumber] | None, QueryParameter(max_items=4)] = None,
    serial_number: Word = None,
    domain: Word = None,
    assignee: Word = None,
    team: Word = None,
    overdue: FromQuery[bool | None] = None,
    q: Annotated[str | None, QueryParameter(max_length=200, pattern=NO_NUL)] = None,
    sort: FromQuery[Sort] = Sort.CREATED,
) -> Stream:
    """All work orders that a list would have, as CSV."""
    wanted = OrderQuery(
        sort, _words(states), priority, serial_number, domain, assignee, team, overdue, q,
        principal_of(request).scope(),
    )  # fmt: skip
    now = order_desk.clock.now()
    pages = order_desk.orders.pages(wanted, now=now)
    first = await anext(pages)
    return csv_file(
        csv_pages(CSV_HEADINGS, lambda page: csv_rows(page, now), first, pages), "work-orders.csv"
    )


async def may_be_given(
    request: Request[Any, Any, Any], order_desk: NamedDependency[OrderDesk]
) -> Assignees:
    """Who may be given work in the caller's scope, at most 1,000 by name."""
    async with order_desk.orders.database.connection() as connection:
        return Assignees(await assignees(connection, principal_of(request).scope()))


async def counts(
    request: Request[Any, Any, Any], order_desk: NamedDependency[OrderDesk]
) -> OrderCounts:
    """How many there are, by state and priority."""
    found = await order_desk.orders.counts(principal_of(request).scope(), order_desk.clock.now())
    total, overdue = sum(each.count for each in found), sum(each.overdue for each in found)
    return OrderCounts(total, overdue, found)


async def kpi(
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
    begin: Annotated[
        str, QueryParameter(name="from", max_length=100, description="RFC 3339 with a zone.")
    ] = "",
    until: Annotated[
        str, QueryParameter(max_length=100, description="RFC 3339 with a zone; now.")
    ] = "",
    by: FromQuery[By] = By.KIND,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
) -> Kpi:
    """MTTR, MTBF and availability by asset, kind or domain."""
    now_us = order_desk.clock.now_us()
    until_us = min(instant("until", until), now_us) if until else now_us
    from_us = instant("from", begin) if begin else until_us - 30 * 86_400_000_000
    if not 0 < until_us - from_us <= KPI_DAYS * 86_400_000_000:
        raise InputError(f"from: must be before until and now, by at most {KPI_DAYS} days")
    measured = await order_desk.reliability.measured(
        by, from_at=_moment(from_us), until_at=_moment(until_us),
        domains=principal_of(request).scope(), limit=limit,
    )  # fmt: skip
    span_s = (until_us - from_us) / 1e6
    return Kpi(
        time_text(from_us), time_text(until_us), by, [figures(each, span_s) for each in measured]
    )


async def sla(order_desk: NamedDependency[OrderDesk]) -> SlaList:
    """Within what time orders are to be begun and done, by priority."""
    return SlaList(await order_desk.orders.sla())


async def set_sla(
    data: JSONBody[SlaRequest],
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
    priority: Annotated[int, PathParameter(ge=1, le=4)],
) -> SlaList:
    """Change it, for orders that are made or change priority from now on."""
    if data.start_minutes > data.done_minutes:
        raise ApiError(422, "bad times", "work begins before it is done")
    new = Sla(Priority(priority), data.start_minutes, data.done_minutes)
    await order_desk.orders.set_sla(actor_of(request), new)
    return SlaList(await order_desk.orders.sla())


async def one(
    request: Request[Any, Any, Any], order_desk: NamedDependency[OrderDesk], order_id: Number
) -> Response[OneOrder]:
    """An order with all that belongs to it but its history."""
    found = await order_desk.one(order_id, principal_of(request))
    return Response(
        found, headers={"etag": order_etag(found.order), "cache-control": "private, no-cache"}
    )


async def add(
    data: JSONBody[NewOrderRequest],
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
) -> Response[Acted]:
    """Make a work order, also from an alarm; of an alarm there is one that is not over."""
    principal = principal_of(request)
    new = _new_order(data, principal, order_desk)
    async with order_desk.orders.database.connection() as connection:
        order = await create(
            connection, actor_of(request), principal.scope(), new, at=order_desk.clock.now()
        )
    return Response(
        Acted(order_desk.view(order), order.id), status_code=201,
        headers={"etag": order_etag(order), "location": f"/api/work-orders/{order.id}"},
    )  # fmt: skip


async def patch(
    data: JSONBody[OrderChanges],
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
    order_id: Number,
    if_match: IfMatch = None,
) -> Response[Acted]:
    """Change fields of an order, if it is still as it was seen (If-Match)."""
    seen = seen_as(if_match, "order")
    given = {name: getattr(data, name) for name in data.__struct_fields__}
    fields = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if "priority" in fields:
        fields["priority"] = Priority(fields["priority"])
    if fields.get("due_at") is not None:
        fields["due_at"] = _checked("due_at", fields["due_at"])
    async with order_desk.orders.database.connection() as connection:
        order = await change(
            connection, actor_of(request), principal_of(request), order_id, seen, fields,
            at=order_desk.clock.now(),
        )  # fmt: skip
    return _acted(order_desk, order)


async def step(
    data: JSONBody[MoveRequest],
    request: Request[Any, Any, Any],
    order_desk: NamedDependency[OrderDesk],
    order_id: Number,
    if_match: IfMatch = None,
) -> Response[Acted]:
    """Move an order to another state; If-Match is heeded where it is sent."""
    assigned = (data.assignee, data.team) if data.assignee or data.team else None

    async with order_desk.orders.database.connection() as connection:
        order = await move(
            connection, actor_of(request), principal_of(request), order_id, data.to,
            note=data.note, assigned=assigned, returned=order_desk.returned, if_match=if_match,
            at=order_desk.clock.now(),
        )  # fmt: skip
    return _acted(order_desk, order)


def _new_order(data: NewOrderRequest, principal: Principal, desk: OrderDesk) -> NewOrder:
    """The order that a request means."""
    now = desk.clock.now()
    engineer = principal.role.covers(Role.ENGINEER)
    if not engineer and (data.assignee or data.team):
        raise ApiError(403, "forbidden", "assignee and team are set by engineers")
    alarm = None if data.alarm_id is None else desk.alarm_in_scope(data.alarm_id, principal)
    if alarm is not None and (data.serial_number or data.domain or data.failed_at):
        raise ApiError(422, "unclear", "serial_number, domain and failed_at are the alarm's")
    title = data.title or (None if alarm is None else _title_of(alarm))
    if title is None:
        raise ApiError(422, "title required", "say what is to be done")
    failed_at = data.failed_at
    if failed_at is not None and _checked("failed_at", failed_at) > now + timedelta(seconds=60):
        raise ApiError(422, "bad time", "failed_at: must not lie ahead")
    state = State.OPEN if engineer and not data.draft else State.DRAFT
    if state is State.OPEN and (data.assignee or data.team):
        state = State.ASSIGNED
    serial = data.serial_number
    if alarm is not None:
        serial = alarm.source if alarm.source_kind == "asset" else None
        failed_at = _moment(alarm.raised_us)
    default = Priority.MEDIUM if alarm is None else alarm.priority
    return NewOrder(
        title, Priority(data.priority or default), state, description=data.description,
        serial=serial, domain=data.domain if alarm is None else alarm.domain,
        assignee=data.assignee, team=data.team,
        due_at=None if data.due_at is None else _checked("due_at", data.due_at),
        failed_at=failed_at,
        from_alarm=None if alarm is None
        else (alarm.id, alarm.source_kind, alarm.source, alarm.condition),
        evidence=None if alarm is None else desk.evidence(alarm), checklist=data.checklist,
    )  # fmt: skip


def _title_of(alarm: Alarm) -> str:
    words = alarm.text or f"{alarm.source}: {alarm.condition}"
    return "".join(each if each.isprintable() else " " for each in words)[:200]


def _checked(name: str, at: datetime) -> datetime:
    """A time within what the database and calendars hold, in UTC."""
    if not EARLIEST <= at < LATEST:
        raise ApiError(422, "bad time", f"{name}: must lie between the years 2000 and 2200")
    return at.astimezone(UTC)


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def _acted(desk: OrderDesk, order: Order) -> Response[Acted]:
    return Response(Acted(desk.view(order)), headers={"etag": order_etag(order)})


def _words(states: list[State] | None) -> list[str] | None:
    return None if states is None else [each.value for each in states]


def _place(cursor: str, sort: Sort) -> Place:
    place = begin_of(cursor, Place)
    if place.sort is not sort:
        raise ApiError(422, "bad cursor", f"it is of a list sorted by {place.sort}")
    return place
