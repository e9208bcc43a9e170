"""When plans are due, over changes of the clocks, short months and long stops."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.alarms import Priority
from ic3.domain.plans import Basis, Plan, RunHours, Unit, calendar_due, due_to_make, next_due

DELHI = ZoneInfo("Asia/Kolkata")
BERLIN = ZoneInfo("Europe/Berlin")
PLAN = Plan(
    id=1, version=1, active=True, title="Oil", description="", serial="A", category="pump",
    domain="DEL-D01", priority=Priority.LOW, team=None, assignee=None, checklist=[],
    basis=Basis.CALENDAR, every=1, unit=Unit.MONTH, tag_code=None,
    starts_at=datetime(2026, 1, 31, 2, 30, tzinfo=UTC), lead_days=7, made_number=0,
    created_at=datetime(2026, 1, 1, tzinfo=UTC), created_by="asha",
)  # fmt: skip
HOURLY = msgspec.structs.replace(
    PLAN, basis=Basis.RUN_HOURS, unit=None, tag_code="PUMP_STS", every=500
)
NOW = datetime(2026, 6, 15, 1, 0, tzinfo=UTC)


def plan(**changes: object) -> Plan:
    return msgspec.structs.replace(PLAN, **changes)


@pytest.mark.parametrize(
    ("number", "day"),
    [(1, "2026-01-31"), (2, "2026-02-28"), (3, "2026-03-31"), (4, "2026-04-30"),
     (13, "2027-01-31"), (26, "2028-02-29")],
)  # fmt: skip
def test_a_short_month_has_it_on_its_last_day(number: int, day: str) -> None:
    due = calendar_due(PLAN, number, DELHI)
    assert due.word == day
    assert due.at.astimezone(DELHI).strftime("%H:%M") == "08:00"


@given(st.integers(1, 2000), st.sampled_from(list(Unit)), st.sampled_from([DELHI, BERLIN]))
def test_every_due_has_the_same_time_of_day_and_comes_after_the_one_before(
    number: int, unit: Unit, zone: ZoneInfo
) -> None:
    made = plan(unit=unit)
    before, after = calendar_due(made, number, zone), calendar_due(made, number + 1, zone)
    assert before.at < after.at
    clock = PLAN.starts_at.astimezone(zone).time()
    # 03:30 is there on every day of both zones, and 08:00 too.
    assert before.at.astimezone(zone).time() == clock


def test_a_day_is_a_day_of_the_clocks_also_where_it_has_23_hours() -> None:
    made = plan(unit=Unit.DAY, starts_at=datetime(2026, 3, 28, 7, 0, tzinfo=UTC))
    first, second = calendar_due(made, 1, BERLIN), calendar_due(made, 2, BERLIN)
    assert second.at - first.at == timedelta(hours=23)
    assert [each.word for each in (first, second)] == ["2026-03-28", "2026-03-29"]


def test_a_time_that_the_clocks_skip_is_the_one_they_go_to() -> None:
    made = plan(unit=Unit.DAY, starts_at=datetime(2026, 3, 28, 1, 30, tzinfo=UTC))
    due = calendar_due(made, 2, BERLIN)
    assert due.at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert due.word == "2026-03-29"


def test_an_order_is_made_lead_days_before_and_not_sooner() -> None:
    made = plan(made_number=1)
    due_at = calendar_due(PLAN, 2, DELHI).at
    assert due_to_make(made, DELHI, None, due_at - timedelta(days=7, seconds=1)) is None
    due = due_to_make(made, DELHI, None, due_at - timedelta(days=7))
    assert due is not None
    assert due.number == 2


def test_after_a_long_stop_only_the_last_missed_one_is_made() -> None:
    due = due_to_make(PLAN, DELHI, None, datetime(2026, 6, 15, tzinfo=UTC))
    assert due is not None
    assert due.word == "2026-05-31"


def hours(run: float, recent: float) -> RunHours:
    return RunHours(NOW, run, run, recent)


def test_run_hours_are_due_when_reached_or_as_the_last_week_lets_expect() -> None:
    assert next_due(HOURLY, DELHI, None) is None
    assert next_due(HOURLY, DELHI, hours(100, 0)) is None
    due = next_due(HOURLY, DELHI, hours(332, 84))
    assert due is not None
    assert due.at == NOW + timedelta(days=14)
    assert due_to_make(HOURLY, DELHI, hours(332, 84), NOW) is None
    assert due_to_make(HOURLY, DELHI, hours(417, 84), NOW) == (1, NOW + timedelta(
        days=83 / 84 * 7), "500 h")  # fmt: skip
    reached = due_to_make(HOURLY, DELHI, hours(1700, 0), NOW)
    assert reached == (3, NOW, "1500 h")


def test_a_plan_beyond_the_calendar_is_never_due() -> None:
    assert next_due(plan(every=1000, made_number=10**5), DELHI, None) is None
