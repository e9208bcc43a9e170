"""Work orders: their states, who may move them, what they cost and when they are overdue.

```
  draft --> open --> assigned --> in_progress <--> on_hold
                        ^              |
                        |              v
                     reopened <------ done --> verified --> closed
```

Any order whose work is not done can be cancelled; one that is done, verified or closed can be
reopened.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, NamedTuple

import msgspec

from ic3.domain.alarms import Alarms, Priority
from ic3.domain.users import Role

MILLI: Final = Decimal("0.001")
QUANTITY_LIMIT: Final = Decimal(1_000_000)
# Of all parts of an order; far below what a bigint holds.
COST_LIMIT_MINOR: Final = 10**15


class State(StrEnum):
    """Where an order stands in the diagram."""

    DRAFT = "draft"
    OPEN = "open"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    DONE = "done"
    VERIFIED = "verified"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    REOPENED = "reopened"


class OrderKind(StrEnum):
    """Why there is work to do."""

    CORRECTIVE = "corrective"
    PREVENTIVE = "preventive"


class Who(StrEnum):
    """Who may make a step; an engineer may make every one.

    `WORKER` is the assignee, or any operator where only a team, or nobody, is named. `CREATOR` is
    who made the order.
    """

    ENGINEER = "engineer"
    WORKER = "worker"
    CREATOR = "creator"


class Step(NamedTuple):
    """One arrow of the diagram.

    Attributes:
        noted: Whether a word is needed.
    """

    who: Who
    noted: bool = False


_CANCEL: Final = Step(Who.ENGINEER, noted=True)
_REOPEN: Final = Step(Who.ENGINEER, noted=True)
STEPS: Final[Mapping[tuple[State, State], Step]] = MappingProxyType({
    (State.DRAFT, State.OPEN): Step(Who.ENGINEER),
    (State.DRAFT, State.CANCELLED): Step(Who.CREATOR),
    (State.OPEN, State.ASSIGNED): Step(Who.ENGINEER),
    (State.OPEN, State.CANCELLED): _CANCEL,
    (State.ASSIGNED, State.OPEN): Step(Who.ENGINEER),
    (State.ASSIGNED, State.IN_PROGRESS): Step(Who.WORKER),
    (State.ASSIGNED, State.ON_HOLD): Step(Who.WORKER, noted=True),
    (State.ASSIGNED, State.CANCELLED): _CANCEL,
    (State.IN_PROGRESS, State.ON_HOLD): Step(Who.WORKER, noted=True),
    (State.IN_PROGRESS, State.DONE): Step(Who.WORKER),
    (State.IN_PROGRESS, State.CANCELLED): _CANCEL,
    (State.ON_HOLD, State.IN_PROGRESS): Step(Who.WORKER),
    (State.ON_HOLD, State.CANCELLED): _CANCEL,
    (State.DONE, State.VERIFIED): Step(Who.ENGINEER),
    (State.DONE, State.REOPENED): _REOPEN,
    (State.VERIFIED, State.CLOSED): Step(Who.ENGINEER),
    (State.VERIFIED, State.REOPENED): _REOPEN,
    (State.CLOSED, State.REOPENED): _REOPEN,
    (State.REOPENED, State.ASSIGNED): Step(Who.ENGINEER),
    (State.REOPENED, State.IN_PROGRESS): Step(Who.WORKER),
    (State.REOPENED, State.CANCELLED): _CANCEL,
})  # fmt: skip
# Work is still to be done; only these can be overdue.
TO_DO: Final = frozenset({
    State.DRAFT, State.OPEN, State.ASSIGNED, State.IN_PROGRESS, State.ON_HOLD, State.REOPENED,
})  # fmt: skip
# There is at most one order of an alarm in a state that is none of these.
OVER: Final = frozenset({State.VERIFIED, State.CLOSED, State.CANCELLED})
# Nothing is entered any more.
SHUT: Final = frozenset({State.CLOSED, State.CANCELLED})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A work order.

    Attributes:
        start_due_at: Until when work is to begin; `due_at`: until when it is to be done.
        due_given: Whether a person or a plan said so; otherwise it follows from the priority.
        failed_at: Begin of the failure: the alarm's raise, otherwise when it was reported.
        returned_at: When the measured value returned; null while it has not.
        parts_cost_minor: Hundredths of the currency (paise).
    """

    id: int
    version: int
    kind: OrderKind
    state: State
    priority: Priority
    title: str
    description: str
    serial: str | None
    category: str | None
    domain: str | None
    assignee: str | None
    team: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    start_due_at: datetime
    due_at: datetime
    due_given: bool
    started_at: datetime | None
    done_at: datetime | None
    ended_at: datetime | None
    failed_at: datetime
    returned_at: datetime | None
    alarm_id: int | None
    source_kind: str | None
    source: str | None
    condition: str | None
    plan_id: int | None
    plan_due: str | None
    labour_minutes: int
    parts_cost_minor: int

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have been done by now, or begun."""
        if self.state not in TO_DO:
            return False
        return self.due_at < now or (self.started_at is None and self.start_due_at < now)


class Sort(StrEnum):
    """Order of a list: newest first, soonest due, most urgent and oldest, last changed."""

    CREATED = "created"
    DUE = "due"
    PRIORITY = "priority"
    UPDATED = "updated"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of a list ended.

    Attributes:
        us: Of the last order, what the sort goes by, where that is a time.
    """

    sort: Sort
    id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    us: Annotated[int, msgspec.Meta(ge=0, le=253_000_000_000_000_000)]
    priority: Annotated[int, msgspec.Meta(ge=0, le=4)]


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Which orders are asked for; None asks for all.

    Attributes:
        q: Part of number, title or serial number, in any case.
        scope: Domains whose orders may be seen.
    """

    sort: Sort = Sort.CREATED
    states: list[str] | None = None
    priorities: list[int] | None = None
    serial: str | None = None
    domain: str | None = None
    assignee: str | None = None
    team: str | None = None
    overdue: bool | None = None
    q: str | None = None
    scope: list[str] | None = None


class Sla(msgspec.Struct, frozen=True):
    """Within how many minutes an order of a priority is to be begun and done."""

    priority: Priority
    start_minutes: int
    done_minutes: int

    def start_due(self, created_at: datetime) -> datetime:
        """Until when work is to begin."""
        return created_at + timedelta(minutes=self.start_minutes)

    def due(self, created_at: datetime) -> datetime:
        """Until when it is to be done."""
        return created_at + timedelta(minutes=self.done_minutes)


class ForbiddenStep(Exception):  # noqa: N818  a refusal
    """A step that cannot be made.

    Args:
        reason: For people.
        role: Whether somebody else might make it; otherwise nobody can now.
    """

    def __init__(self, reason: str, *, role: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.role = role


def next_states(state: State) -> list[State]:
    """Where an order may go from here, in the order of the table."""
    return [to for here, to in STEPS if here is state]


def may_work_on(order: Order, username: str, role: Role) -> bool:
    """Whether somebody may enter what belongs to the work: an engineer, or who is assigned."""
    if role.covers(Role.ENGINEER):
        return True
    if not role.covers(Role.OPERATOR):
        return False
    if order.state is State.DRAFT:
        return order.created_by == username
    if order.assignee is None:
        return order.team is not None and order.state is not State.OPEN
    return order.assignee == username


def check_step(
    order: Order, to: State, *, username: str, role: Role, note: str | None, returned: bool | None
) -> None:
    """Whether somebody may move an order.

    Args:
        order: As it stands.
        to: Where to.
        username: Who.
        role: Their role.
        note: What they say.
        returned: Whether the measured value has returned; None where nothing is measured.

    Raises:
        ForbiddenStep: They may not.
    """
    step = STEPS.get((order.state, to))
    if step is None:
        ways = ", ".join(next_states(order.state)) or "nothing"
        raise ForbiddenStep(f"from {order.state} an order goes to {ways}")
    if not _may_take(step.who, order, username, role):
        raise ForbiddenStep(f"{order.state} to {to} is for {_words(step.who)}", role=True)
    if step.noted and not note:
        raise ForbiddenStep(f"{order.state} to {to} needs a note")
    if to is State.ASSIGNED and order.assignee is None and order.team is None:
        raise ForbiddenStep("name an assignee or a team first")
    if to is State.VERIFIED and returned is False and not note:
        raise ForbiddenStep("the measured value has not returned: verifying it needs a note")


class Move(msgspec.Struct, frozen=True):
    """A step that somebody may make now.

    Attributes:
        noted: Whether a word is needed.
    """

    to: State
    noted: bool


def moves(order: Order, *, username: str, role: Role, returned: bool | None) -> list[Move]:
    """The steps that somebody may make, in the order of the table; to assign needs a name too."""
    return [
        Move(to, step.noted or (to is State.VERIFIED and returned is False))
        for (here, to), step in STEPS.items()
        if here is order.state and _may_take(step.who, order, username, role)
    ]


def _may_take(who: Who, order: Order, username: str, role: Role) -> bool:
    if role.covers(Role.ENGINEER):
        return True
    if not role.covers(Role.OPERATOR):
        return False
    match who:
        case Who.ENGINEER:
            return False
        case Who.WORKER:
            return order.assignee in {None, username}
        case Who.CREATOR:
            return order.created_by == username


def _words(who: Who) -> str:
    match who:
        case Who.ENGINEER:
            return "engineers"
        case Who.WORKER:
            return "the assignee and engineers"
        case Who.CREATOR:
            return "who made it and engineers"


def has_returned(order: Order, alarms: Alarms) -> bool | None:
    """Whether the condition that an order was made from is over; None where there was none.

    A new occurrence of the same condition counts: what was repaired would have failed again.
    """
    if order.source is None or order.condition is None:
        return None
    alarm = alarms.find(order.source_kind, order.source, order.condition)  # type: ignore[arg-type]  # a word of the table
    return alarm is None or not alarm.active


def line_cost_minor(quantity: Decimal, unit_cost_minor: int) -> int:
    """What so many parts cost, in whole hundredths of the currency, half rounded up."""
    return (quantity_milli(quantity) * unit_cost_minor + 500) // 1000


def quantity_milli(quantity: Decimal) -> int:
    """A quantity in thousandths.

    Raises:
        ValueError: It is not above zero, too large, or has more than three decimals.
    """
    if not quantity.is_finite() or not 0 < quantity <= QUANTITY_LIMIT:
        raise ValueError(f"quantity: must be above 0 and at most {QUANTITY_LIMIT:,}")
    if quantity != quantity.quantize(MILLI):
        raise ValueError("quantity: has at most three decimals")
    return int(quantity * 1000)


def quantity_of(milli: int) -> Decimal:
    """A quantity of so many thousandths, without trailing zeros."""
    found = Decimal(milli) / 1000
    return found.to_integral_value() if found == found.to_integral_value() else found.normalize()


CSV_HEADINGS: Final = (
    "id", "kind", "state", "priority", "overdue", "title", "serial_number", "category", "domain",
    "assignee", "team", "created_at", "created_by", "due_at", "started_at", "done_at", "ended_at",
    "failed_at", "returned_at", "alarm_id", "plan_id", "labour_minutes", "parts_cost_minor",
)  # fmt: skip


def csv_rows(orders: Iterable[Order], now: datetime) -> list[Sequence[str | int | None]]:
    """Orders as rows under `CSV_HEADINGS`."""
    return [
        (
            each.id, each.kind.value, each.state.value, int(each.priority),
            int(each.is_overdue(now)), each.title, each.serial, each.category, each.domain,
            each.assignee, each.team, _iso(each.created_at), each.created_by, _iso(each.due_at),
            _iso(each.started_at), _iso(each.done_at), _iso(each.ended_at), _iso(each.failed_at),
            _iso(each.returned_at), each.alarm_id, each.plan_id, each.labour_minutes,
            each.parts_cost_minor,
        )
        for each in orders
    ]  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


class OrderView(Order, frozen=True, kw_only=True):
    """A work order as the API shows it.

    Attributes:
        overdue: Whether it should be done, or begun, by now.
        returned: Whether the measured value it was made from has returned; null where there is
            none.
        next_states: Where it may go from here.
    """

    overdue: bool
    returned: bool | None
    next_states: list[State]


def view_of(order: Order, alarms: Alarms, now: datetime) -> OrderView:
    """An order as the API shows it now."""
    return OrderView(
        **msgspec.structs.asdict(order), overdue=order.is_overdue(now),
        returned=has_returned(order, alarms), next_states=next_states(order.state),
    )  # fmt: skip


class Acted(msgspec.Struct, frozen=True):
    """The answer to an act.

    Attributes:
        order: As it is then.
        id: Number of what was entered; null where nothing was.
    """

    order: OrderView
    id: int | None = None
