"""Who is told of which change: filters, names, quiet hours, holds, flapping."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.alarms import Alarms, Change, Finding, Hold, HoldKind, Priority, What
from ic3.domain.notify import FLAP_WINDOW_US, Route, RouteKind, Router, event_of

DELHI = ZoneInfo("Asia/Kolkata")
BERLIN = ZoneInfo("Europe/Berlin")
NOW_US = int(datetime(2026, 6, 15, 6, 0, tzinfo=UTC).timestamp()) * 1_000_000
SECOND_US = 1_000_000
EVERY = tuple(What)


def route(number: int = 1, **more: Any) -> Route:
    return Route(id=number, name=f"route {number}", kind=RouteKind.WEBHOOK, **more)


def finding(*, active: bool = True, **more: Any) -> Finding:
    given = {"source_kind": "asset", "source": "PUMP_7", "condition": "low", "active": active}
    return Finding(**{**given, **more})


class Plant:
    """Alarms whose changes are routed at once."""

    def __init__(self, *routes: Route, zone: ZoneInfo = DELHI) -> None:
        self.alarms, self.router = Alarms(), Router(zone)
        self.router.use(list(routes))
        self.told: list[tuple[int, What, int]] = []
        self.changes: list[Change] = []
        self.alarms.listen(self._hear)

    def _hear(self, change: Change) -> None:
        self.changes.append(change)
        for each in self.router.routes_for(change):
            self.told.append((each.id, change.what, change.alarm.id))

    def report(self, at_s: float = 0, **more: Any) -> None:
        self.alarms.report(finding(**more), at_us=NOW_US + int(at_s * SECOND_US))

    def due(self, at_s: float) -> list[tuple[int, What]]:
        found = self.router.due(NOW_US + int(at_s * SECOND_US))
        return [(each.id, change.what) for each, change in found]

    @property
    def whats(self) -> list[What]:
        return [what for _, what, _ in self.told]


def test_an_empty_filter_lets_all_through_and_each_filter_counts() -> None:
    plant = Plant(
        route(1), route(2, least_priority=Priority.HIGH), route(3, domains=("DEL-D01",)),
        route(4, sources=("PUMP_7",)), route(5, conditions=("high",)), route(6, enabled=False),
        route(7, changes=(What.ACK,)),
    )  # fmt: skip
    plant.report(priority=Priority.MEDIUM, domain="DEL-D02")
    assert [number for number, *_ in plant.told] == [1, 4]
    plant.told.clear()
    plant.report(priority=Priority.CRITICAL, domain="DEL-D01", source="PUMP_8", condition="high")
    assert [number for number, *_ in plant.told] == [1, 2, 3, 5]


def test_a_rule_names_its_routes_past_their_filters() -> None:
    plant = Plant(route(1), route(2, least_priority=Priority.CRITICAL), route(3, enabled=False))
    plant.report(notify=("route 2", "nobody"))
    assert [number for number, *_ in plant.told] == [2]
    plant.report(source="B", notify=("route 3",))
    assert len(plant.told) == 1
    plant.report(source="C", notify=("deleted",))
    assert [number for number, *_ in plant.told] == [2, 1]


def test_a_held_alarm_never_notifies_and_calls_when_it_is_let_go() -> None:
    plant = Plant(route(changes=EVERY))
    held = Hold(id=0, kind=HoldKind.SHELVED, reason="x", who="asha", from_us=NOW_US,
                until_us=NOW_US + 60 * SECOND_US, source="PUMP_7")  # fmt: skip
    plant.alarms.hold(held, at_us=NOW_US)
    plant.report(1)
    (alarm,) = plant.alarms.open
    plant.alarms.comment(alarm.id, "x", who="asha", at_us=NOW_US + SECOND_US)
    assert plant.told == []
    plant.router.use([route(changes=(What.NEW,))])
    plant.alarms.expire(NOW_US + 60 * SECOND_US)
    assert plant.whats == [What.UNSHELVE]


def test_a_flapping_condition_calls_once_in_ten_minutes() -> None:
    plant = Plant(route())
    for second in range(0, 600, 20):
        plant.report(second)
        plant.report(second + 10, active=False)
    assert plant.whats == [What.NEW, What.RETURN]
    assert plant.router.suppressed == 2 * 29
    assert plant.due(700) == []
    plant.report(701)
    assert plant.whats[-1] is What.NEW


def test_what_flapped_and_stays_is_told_when_the_time_is_over() -> None:
    plant = Plant(route())
    plant.report(0)
    plant.report(5, active=False)
    plant.report(10)
    assert plant.whats == [What.NEW, What.RETURN]
    assert plant.router.next_due_us() == NOW_US + FLAP_WINDOW_US
    assert plant.due(599) == []
    assert plant.due(600) == [(1, What.NEW)]
    assert plant.due(1300) == []
    plant.report(1400, active=False)
    assert plant.whats[-1] is What.RETURN


def test_what_is_held_back_is_forgotten_once_somebody_knows_or_it_is_shelved() -> None:
    for act in ("ack", "shelve"):
        plant = Plant(route())
        plant.report(0)
        plant.report(5, active=False)
        plant.report(10)
        (alarm,) = plant.alarms.open
        if act == "ack":
            plant.alarms.acknowledge(alarm.id, who="asha", at_us=NOW_US + 11 * SECOND_US)
        else:
            hold = Hold(id=0, kind=HoldKind.SHELVED, reason="x", who="asha", from_us=NOW_US,
                        until_us=NOW_US + 10**10)  # fmt: skip
            plant.alarms.hold(hold, at_us=NOW_US + 11 * SECOND_US)
        assert plant.due(700) == []


def test_a_more_urgent_call_is_never_held_back() -> None:
    plant = Plant(route())
    plant.report(0, priority=Priority.LOW)
    plant.report(1, priority=Priority.CRITICAL)
    assert plant.whats == [What.NEW, What.NEW]


def test_an_alarm_of_another_condition_or_route_is_not_held_back() -> None:
    plant = Plant(route(1), route(2, sources=("PUMP_8",)))
    plant.report(0)
    plant.report(1, source="PUMP_8")
    plant.report(2, condition="high")
    assert [number for number, *_ in plant.told] == [1, 1, 2, 1]


def minutes(text: str) -> int:
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def is_quiet(begin: str, end: str, at: datetime, zone: ZoneInfo = DELHI, **more: Any) -> bool:
    quiet = route(quiet_from=minutes(begin), quiet_until=minutes(end), **more)
    return quiet.is_quiet(Priority.MEDIUM, int(at.timestamp() * 1e6), zone)


@pytest.mark.parametrize(
    ("at", "expected"),
    [("21:59:59", False), ("22:00:00", True), ("23:59:59", True), ("00:00:00", True),
     ("05:59:59", True), ("06:00:00", False), ("12:00:00", False)],
)  # fmt: skip
def test_quiet_hours_are_half_open_and_go_over_midnight(at: str, expected: bool) -> None:
    local = datetime.fromisoformat(f"2026-06-15T{at}").replace(tzinfo=DELHI)
    assert is_quiet("22:00", "06:00", local) is expected


def test_a_priority_breaks_through_the_quiet_hours() -> None:
    plant = Plant(route(quiet_from=0, quiet_until=1439, quiet_priority=Priority.HIGH))
    plant.report(priority=Priority.MEDIUM)
    plant.report(source="B", priority=Priority.HIGH)
    plant.report(source="C", priority=Priority.CRITICAL)
    assert len(plant.told) == 2
    assert plant.router.quiet == 1


def test_a_repeated_hour_is_quiet_twice_and_a_skipped_one_ends_them() -> None:
    back = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 twice in Berlin
    for at in (back, back + timedelta(hours=1)):
        assert is_quiet("02:00", "03:00", at, BERLIN)
    assert not is_quiet("02:00", "03:00", back + timedelta(hours=2), BERLIN)
    forth = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)  # 01:59:59, then 03:00
    assert is_quiet("01:30", "03:00", forth, BERLIN)
    assert not is_quiet("01:30", "03:00", forth + timedelta(seconds=1), BERLIN)


@given(
    st.integers(0, 1439), st.integers(0, 1439),
    st.integers(946_684_800, 2_840_140_800),
    st.sampled_from(["Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
)  # fmt: skip
def test_two_complementary_spans_make_a_whole_day(
    begin: int, end: int, at_s: int, zone: str
) -> None:
    at_us = at_s * 1_000_000
    there = ZoneInfo(zone)
    one = route(quiet_from=begin, quiet_until=end).is_quiet(Priority.LOW, at_us, there)
    other = route(quiet_from=end, quiet_until=begin).is_quiet(Priority.LOW, at_us, there)
    assert one != other or (begin == end and not one)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["raise", "return", "ack", "wait", "shelve", "release"]),
        st.integers(0, 2), st.integers(1, 4), st.integers(1, 900),
    ),
    max_size=60,
)  # fmt: skip


@given(STEPS, st.sampled_from([EVERY, (What.NEW,), (What.NEW, What.CLEAR)]))
def test_whatever_happens_nobody_is_called_twice_in_ten_minutes_nor_while_held(  # noqa: C901
    steps: list[tuple[str, int, int, int]], changes: tuple[What, ...]
) -> None:
    plant, at_us = Plant(route(changes=changes)), NOW_US
    calls: dict[object, list[tuple[int, int]]] = {}
    seen: set[tuple[int, int]] = set()

    def hear(change: Change) -> None:
        for _ in plant.router.routes_for(change):
            note(change, change.at_us)

    def note(change: Change, when_us: int) -> None:
        alarm = change.alarm
        assert alarm.held is None
        assert (alarm.id, alarm.version) not in seen
        seen.add((alarm.id, alarm.version))
        if change.what in {What.NEW, What.UNSHELVE} and alarm.active:
            calls.setdefault(alarm.key, []).append((when_us, alarm.priority))

    plant.alarms._listeners.clear()
    plant.alarms.listen(hear)
    for act, source, priority, seconds in steps:
        at_us += seconds * SECOND_US
        for _, change in plant.router.due(at_us):
            still = plant.alarms.find("asset", change.alarm.source, "low")
            assert still is not None
            assert still.active
            note(change, at_us)
        alarm = plant.alarms.find("asset", f"PUMP_{source}", "low")
        if act in {"raise", "return"}:
            plant.alarms.report(
                finding(source=f"PUMP_{source}", active=act == "raise",
                        priority=Priority(priority)),
                at_us=at_us,
            )  # fmt: skip
        elif act == "ack" and alarm is not None:
            plant.alarms.acknowledge(alarm.id, who="asha", at_us=at_us)
        elif act == "shelve":
            plant.alarms.hold(
                Hold(id=0, kind=HoldKind.SHELVED, reason="x", who="asha", from_us=at_us,
                     until_us=None, source=f"PUMP_{source}"),
                at_us=at_us,
            )  # fmt: skip
        elif act == "release" and plant.alarms.holds:
            plant.alarms.release(plant.alarms.holds[0].id, who="asha", at_us=at_us)
    for times in calls.values():
        for (first_us, before), (second_us, after) in pairwise(times):
            assert second_us - first_us >= FLAP_WINDOW_US or after < before


def test_a_number_that_is_given_again_after_a_crash_is_another_event() -> None:
    """A receiver that leaves out what it knows must not leave out the second alarm."""
    first, second = Plant(route()), Plant(route())
    first.report()
    second.report(at_s=60, source="PUMP_8")
    events = [json.loads(event_of(each.changes[0])) for each in (first, second)]
    assert [each["data"]["id"] for each in events] == [1, 1]
    assert events[0]["id"] != events[1]["id"]


def test_an_event_is_a_cloudevent_and_the_same_each_time() -> None:
    plant = Plant(route())
    plant.report(text="low pressure\r\n½", evidence={"n": 1})
    (change,) = plant.changes
    event = json.loads(event_of(change))
    assert event_of(change) == event_of(change)
    data = event.pop("data")
    assert event == {
        "specversion": "1.0", "id": f"1-1-{NOW_US}", "source": "/ic3/alarms",
        "type": "ic3.alarm.new",
        "subject": "asset/PUMP_7/low", "time": "2026-06-15T06:00:00.000000Z",
        "datacontenttype": "application/json",
    }  # fmt: skip
    assert (data["id"], data["version"], data["evidence"]) == (1, 1, {"n": 1})
    assert msgspec.json.decode(event_of(change))["data"]["text"] == "low pressure\r\n½"
