"""The transition table, who may what, money, dues and the returning of values."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.alarms import Alarms, Finding, Priority
from ic3.domain.returns import Returns, Watched
from ic3.domain.users import Role
from ic3.domain.work_orders import (
    OVER,
    SHUT,
    STEPS,
    TO_DO,
    ForbiddenStep,
    Order,
    OrderKind,
    Sla,
    State,
    check_step,
    csv_rows,
    has_returned,
    line_cost_minor,
    may_work_on,
    moves,
    next_states,
    quantity_milli,
    quantity_of,
)

NOW = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
ORDER = Order(
    id=1, version=1, kind=OrderKind.CORRECTIVE, state=State.OPEN, priority=Priority.MEDIUM,
    title="=leak", description="", serial="A", category="pump", domain="DEL-D01",
    assignee="ravi", team=None, created_at=NOW, created_by="asha", updated_at=NOW,
    start_due_at=NOW + timedelta(hours=1), due_at=NOW + timedelta(hours=4), due_given=False,
    started_at=None, done_at=None, ended_at=None, failed_at=NOW, returned_at=None, alarm_id=7,
    source_kind="asset", source="A", condition="high", plan_id=None, plan_due=None,
    labour_minutes=0, parts_cost_minor=0,
)  # fmt: skip
# Written by hand: the diagram of ui and security, not the table of the code.
MAY = {
    ("draft", "open"), ("draft", "cancelled"), ("open", "assigned"), ("open", "cancelled"),
    ("assigned", "open"), ("assigned", "in_progress"), ("assigned", "on_hold"),
    ("assigned", "cancelled"), ("in_progress", "on_hold"), ("in_progress", "done"),
    ("in_progress", "cancelled"), ("on_hold", "in_progress"), ("on_hold", "cancelled"),
    ("done", "verified"), ("done", "reopened"), ("verified", "closed"), ("verified", "reopened"),
    ("closed", "reopened"), ("reopened", "assigned"), ("reopened", "in_progress"),
    ("reopened", "cancelled"),
}  # fmt: skip
OF_OPERATORS = {
    ("assigned", "in_progress"), ("assigned", "on_hold"), ("in_progress", "on_hold"),
    ("in_progress", "done"), ("on_hold", "in_progress"), ("reopened", "in_progress"),
}  # fmt: skip
STATES = st.sampled_from(list(State))


def order(state: State, **changes: object) -> Order:
    return msgspec.structs.replace(ORDER, state=state, **changes)


def allowed(at: Order, to: State, who: str, role: Role, note: str | None = "x") -> bool:
    try:
        check_step(at, to, username=who, role=role, note=note, returned=True)
    except ForbiddenStep:
        return False
    return True


@given(STATES, st.sampled_from(list(Role)), st.sampled_from(["ravi", "asha", "leela"]))
def test_what_is_offered_is_what_may_be_done(state: State, role: Role, who: str) -> None:
    at = order(state)
    offered = [each.to for each in moves(at, username=who, role=role, returned=True)]
    assert offered == [to for to in next_states(state) if allowed(at, to, who, role)]


def test_an_offer_says_where_a_word_is_needed() -> None:
    done = order(State.DONE)
    noted = {
        each.to: each.noted
        for each in moves(done, username="leela", role=Role.ENGINEER, returned=False)
    }
    assert noted == {State.VERIFIED: True, State.REOPENED: True}
    good = moves(done, username="leela", role=Role.ENGINEER, returned=True)
    assert [each.noted for each in good] == [False, True]


@given(STATES, STATES, st.sampled_from(list(Role)), st.sampled_from(["ravi", "asha", "leela"]))
def test_a_step_is_allowed_exactly_where_the_diagram_and_the_role_say(
    state: State, to: State, role: Role, who: str
) -> None:
    engineer = role in {Role.ENGINEER, Role.ADMIN}
    operator = role is Role.OPERATOR and (
        (who == "ravi" and (state, to) in OF_OPERATORS)
        or (who == "asha" and (state, to) == ("draft", "cancelled"))
    )
    expected = (state, to) in MAY and (engineer or operator)
    assert allowed(order(state), to, who, role) is expected


@given(st.lists(STATES, max_size=30))
def test_no_walk_leaves_the_diagram_or_skips_verification(wishes: list[State]) -> None:
    at, seen = order(State.DRAFT), [State.DRAFT]
    for to in wishes:
        if allowed(at, to, "leela", Role.ENGINEER):
            at = order(to)
            seen.append(to)
    for before, after in itertools.pairwise(seen):
        assert (before, after) in MAY
        assert after is not State.CLOSED or before is State.VERIFIED
        assert after is not State.VERIFIED or before is State.DONE
        assert before is not State.CANCELLED


def test_every_state_is_reached_and_only_cancelled_has_no_way_on() -> None:
    assert {to for _, to in STEPS} == set(State) - {State.DRAFT}
    assert [state for state in State if not next_states(state)] == [State.CANCELLED]
    assert not TO_DO & OVER
    assert SHUT < OVER


@pytest.mark.parametrize(
    ("state", "to"),
    [("assigned", "on_hold"), ("in_progress", "cancelled"), ("closed", "reopened")],
)
def test_what_needs_a_word_is_refused_without(state: str, to: str) -> None:
    assert not allowed(order(State(state)), State(to), "leela", Role.ENGINEER, None)


def test_who_is_assigned_is_named_first_and_a_team_is_taken_by_any_operator() -> None:
    nobody = order(State.OPEN, assignee=None)
    assert not allowed(nobody, State.ASSIGNED, "leela", Role.ENGINEER)
    team = order(State.ASSIGNED, assignee=None, team="north")
    assert allowed(team, State.IN_PROGRESS, "anybody", Role.OPERATOR)
    assert may_work_on(team, "anybody", Role.OPERATOR)
    assert not may_work_on(nobody, "anybody", Role.OPERATOR)
    assert not may_work_on(team, "anybody", Role.VIEWER)


def test_what_has_not_returned_is_verified_only_with_a_word() -> None:
    done = order(State.DONE)
    for note, returned, fine in ((None, False, False), ("seal ordered", False, True),
                                 (None, True, True), (None, None, True)):  # fmt: skip
        try:
            check_step(done, State.VERIFIED, username="leela", role=Role.ENGINEER, note=note,
                       returned=returned)  # fmt: skip
        except ForbiddenStep:
            assert not fine
        else:
            assert fine


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_a_line_costs_what_exact_fractions_say_half_rounded_up(milli: int, unit: int) -> None:
    exact = Decimal(milli) * unit / 1000
    cost = line_cost_minor(quantity_of(milli), unit)
    assert abs(Decimal(cost) - exact) <= Decimal("0.5")
    assert quantity_milli(quantity_of(milli)) == milli


@pytest.mark.parametrize(
    "word", ["0", "-1", "NaN", "Infinity", "-Infinity", "1.0001", "1000000.001", "1e99", "sNaN"]
)
def test_a_quantity_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        quantity_milli(Decimal(word))


@pytest.mark.parametrize(
    ("minutes", "state", "started", "late"),
    [
        (59, State.OPEN, False, False), (61, State.OPEN, False, True),
        (61, State.IN_PROGRESS, True, False), (241, State.IN_PROGRESS, True, True),
        (241, State.DONE, True, False), (999, State.CANCELLED, False, False),
    ],
)  # fmt: skip
def test_an_order_is_overdue_until_it_is_begun_and_until_it_is_done(
    minutes: int, state: State, started: bool, late: bool
) -> None:
    made = order(state, started_at=NOW if started else None)
    assert made.is_overdue(NOW + timedelta(minutes=minutes)) is late


def test_dues_follow_from_the_table() -> None:
    sla = Sla(Priority.CRITICAL, 60, 240)
    assert sla.start_due(NOW) == NOW + timedelta(hours=1)
    assert sla.due(NOW) == NOW + timedelta(hours=4)


def test_csv_keeps_numbers_and_times() -> None:
    (row,) = csv_rows([ORDER], NOW)
    assert row[:6] == (1, "corrective", "open", 3, 0, "=leak")
    assert "2026-06-15T01:42:00+00:00" in row


def finding(*, active: bool, condition: str = "high") -> Finding:
    return Finding(source_kind="asset", source="A", condition=condition, active=active)


def test_a_value_has_returned_when_no_alarm_of_its_condition_is_active() -> None:
    alarms = Alarms()
    assert has_returned(order(State.DONE, source=None), alarms) is None
    assert has_returned(ORDER, alarms) is True
    alarms.report(finding(active=True), at_us=NOW_US)
    assert has_returned(ORDER, alarms) is False
    alarms.report(finding(active=False), at_us=NOW_US + 1)
    assert has_returned(ORDER, alarms) is True
    alarms.report(finding(active=True), at_us=NOW_US + 2)
    assert has_returned(ORDER, alarms) is False


def test_the_time_of_the_return_outlives_the_alarm() -> None:
    alarms = Alarms()
    returns = Returns(alarms)
    key = ("asset", "A", "high")
    alarms.report(finding(active=True), at_us=NOW_US)
    assert returns.changed([Watched(1, key, None)], now_us=NOW_US + 5) == []
    alarms.acknowledge(1, who="asha", at_us=NOW_US + 1)
    alarms.report(finding(active=False), at_us=NOW_US + 2)
    assert alarms.open == []
    assert returns.changed([Watched(1, key, None)], now_us=NOW_US + 9) == [(1, NOW_US + 2)]
    assert returns.changed([Watched(1, key, NOW_US + 2)], now_us=NOW_US + 9) == []
    alarms.report(finding(active=True), at_us=NOW_US + 10)
    assert returns.changed([Watched(1, key, NOW_US + 2)], now_us=NOW_US + 11) == [(1, None)]


def test_a_return_nobody_heard_of_is_dated_when_it_is_seen() -> None:
    returns = Returns(Alarms())
    watched = [Watched(1, ("asset", "B", "low"), None)]
    assert returns.changed(watched, now_us=NOW_US) == [(1, NOW_US)]
