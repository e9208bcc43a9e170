"""Preventive maintenance: when the next order of a plan is due, by calendar or by run hours."""

import calendar
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ic3.domain.alarms import Priority

RECENT_DAYS: Final = 7
# A step of the calendar that is looked for cannot be further than this many steps away.
_STEPS_LIMIT: Final = 1_000_000


class Basis(StrEnum):
    """What a plan goes by."""

    CALENDAR = "calendar"
    RUN_HOURS = "run_hours"


class Unit(StrEnum):
    """What a calendar plan counts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that makes preventive work orders.

    Attributes:
        every: So many units of the calendar, or run hours, from one order to the next.
        starts_at: First due of the calendar; run hours are counted from here.
        lead_days: So long before it is due its order is made.
        made_number: How many dues are dealt with.
    """

    id: int
    version: int
    active: bool
    title: str
    description: str
    serial: str | None
    category: str | None
    domain: str | None
    priority: Priority
    team: str | None
    assignee: str | None
    checklist: list[str]
    basis: Basis
    every: int
    unit: Unit | None
    tag_code: str | None
    starts_at: datetime
    lead_days: int
    made_number: int
    created_at: datetime
    created_by: str


class RunHours(msgspec.Struct, frozen=True):
    """How long an asset ran since its plan began.

    Attributes:
        measured_hours: Hours with a reading; the others count as standing.
        recent_hours: Run in the seven days before `counted_to`.
    """

    counted_to: datetime
    run_hours: float
    measured_hours: float
    recent_hours: float


class Due(NamedTuple):
    """One due of a plan.

    Attributes:
        number: The first is 1.
        at: When; for run hours as the last seven days let expect.
        word: What names it for good: a date, or a number of run hours.
    """

    number: int
    at: datetime
    word: str


def calendar_due(plan: Plan, number: int, zone: ZoneInfo) -> Due:
    """The due of this number, at the same time of day on the plant's clocks.

    A month that is too short has it on its last day; a time that the clocks skip is the one they
    go to.
    """
    assert plan.unit is not None
    first = plan.starts_at.astimezone(zone).replace(tzinfo=None)
    steps = plan.every * (number - 1)
    local = _later(first, steps, plan.unit)
    return Due(number, local.replace(tzinfo=zone).astimezone(UTC), local.date().isoformat())


def _later(first: datetime, steps: int, unit: Unit) -> datetime:
    match unit:
        case Unit.DAY:
            return first + timedelta(days=steps)
        case Unit.WEEK:
            return first + timedelta(weeks=steps)
        case Unit.MONTH:
            return _months_later(first, steps)


def _months_later(first: datetime, months: int) -> datetime:
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    day = min(first.day, calendar.monthrange(year, month + 1)[1])
    return first.replace(year=year, month=month + 1, day=day)


def run_hours_due(plan: Plan, number: int, hours: RunHours) -> Due | None:
    """When this due is reached if the asset goes on as in the last seven days; None: never."""
    wanted = plan.every * number
    missing = wanted - hours.run_hours
    if missing <= 0:
        return Due(number, hours.counted_to, f"{wanted} h")
    if hours.recent_hours <= 0:
        return None
    days = missing / hours.recent_hours * RECENT_DAYS
    if days > 36_500:
        return None
    return Due(number, hours.counted_to + timedelta(days=days), f"{wanted} h")


def next_due(plan: Plan, zone: ZoneInfo, hours: RunHours | None) -> Due | None:
    """The next due that has no order yet; None where it cannot be told."""
    number = plan.made_number + 1
    if plan.basis is Basis.CALENDAR:
        try:
            return calendar_due(plan, number, zone)
        except (OverflowError, ValueError):
            return None  # beyond the calendar
    return None if hours is None else run_hours_due(plan, number, hours)


def due_to_make(plan: Plan, zone: ZoneInfo, hours: RunHours | None, now: datetime) -> Due | None:
    """The due whose order is to be made now; None where none is.

    Of several that were missed, as after a long stop, only the last is made: one visit does.
    """
    due = next_due(plan, zone, hours)
    if due is None or due.at - timedelta(days=plan.lead_days) > now:
        return None
    for number in range(due.number + 1, due.number + _STEPS_LIMIT):
        later = _numbered(plan, number, zone, hours)
        if later is None or later.at > now:
            break
        due = later
    return due


def _numbered(plan: Plan, number: int, zone: ZoneInfo, hours: RunHours | None) -> Due | None:
    """A due that is already reached where the plan goes by run hours."""
    if plan.basis is Basis.CALENDAR:
        return calendar_due(plan, number, zone)
    if hours is None or plan.every * number > hours.run_hours:
        return None
    return run_hours_due(plan, number, hours)
