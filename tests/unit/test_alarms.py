"""The state machine of alarms against the diagram of ISA-18.2, by properties."""

from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from ic3.domain.alarms import (
    Alarm,
    Alarms,
    AlarmState,
    Change,
    Finding,
    Hold,
    HoldKind,
    Priority,
    UnknownAlarmError,
    What,
    worst_first,
    worst_of,
)

SOURCES = ("Azadpur_PT_1", "Dev Nagar_PT_10")
CONDITIONS = ("PRESSURE.low", "stale")
N, U, A, R = "normal", "unacknowledged", "acknowledged", "returned"
MINUTE_US = 60_000_000
# What the standard's diagram allows: state, then event, to state.
DIAGRAM = {
    (N, "raise"): U, (U, "raise"): U, (A, "raise"): A, (R, "raise"): U,
    (N, "return"): N, (U, "return"): R, (A, "return"): N, (R, "return"): R,
    (U, "ack"): A, (A, "ack"): A, (R, "ack"): N,
}  # fmt: skip


def finding(
    source: str = SOURCES[0], condition: str = CONDITIONS[0], *, active: bool = True,
    priority: Priority = Priority.HIGH, value: float | None = None,
) -> Finding:  # fmt: skip
    return Finding(
        source_kind="asset", source=source, condition=condition, active=active,
        priority=priority, text="pressure is low", value=value, domain="DEL-D01", dma_id="D1",
    )  # fmt: skip


def shelf(
    until_us: int | None = 10 * MINUTE_US, *, source: str | None = None, dma_id: str | None = None
) -> Hold:
    return Hold(
        id=0, kind=HoldKind.SHELVED, reason="noisy", who="ops", from_us=0, until_us=until_us,
        source=source, dma_id=dma_id,
    )  # fmt: skip


@dataclass
class Heard:
    changes: list[Change] = field(default_factory=list)

    def __call__(self, change: Change) -> None:
        self.changes.append(change)

    @property
    def words(self) -> list[str]:
        return [change.what.value for change in self.changes]


class Diagram(RuleBasedStateMachine):
    """Any order of events, with a model of each condition beside it."""

    @initialize()
    def begin(self) -> None:
        self.alarms, self.heard, self.now = Alarms(), Heard(), 0
        self.alarms.listen(self.heard)
        self.model = {(s, c): N for s in SOURCES for c in CONDITIONS}
        self.shelved: dict[str, int] = {}

    def _step(self, source: str, condition: str, event: str) -> None:
        key = (source, condition)
        after = DIAGRAM[self.model[key], event]
        if source in self.shelved and event == "return" and self.model[key] == U:
            after = N  # nobody was called
        self.model[key] = after

    @rule(source=st.sampled_from(SOURCES), condition=st.sampled_from(CONDITIONS))
    def raises(self, source: str, condition: str) -> None:
        self.now += 1
        self.alarms.report(finding(source, condition), at_us=self.now)
        self._step(source, condition, "raise")

    @rule(source=st.sampled_from(SOURCES), condition=st.sampled_from(CONDITIONS))
    def returns(self, source: str, condition: str) -> None:
        self.now += 1
        self.alarms.report(finding(source, condition, active=False), at_us=self.now)
        self._step(source, condition, "return")

    @precondition(lambda self: any(state != N for state in self.model.values()))
    @rule(data=st.data())
    def acknowledges(self, data: st.DataObject) -> None:
        self.now += 1
        source, condition = data.draw(
            st.sampled_from(sorted(key for key, state in self.model.items() if state != N))
        )
        alarm = self.alarms.find("asset", source, condition)
        assert alarm is not None
        self.alarms.acknowledge(alarm.id, who="ops", at_us=self.now)
        self._step(source, condition, "ack")

    @rule(source=st.sampled_from(SOURCES), minutes=st.integers(1, 5))
    def shelves(self, source: str, minutes: int) -> None:
        if source in self.shelved:
            return
        made = self.alarms.hold(
            shelf(self.now + minutes * MINUTE_US, source=source), at_us=self.now
        )
        self.shelved[source] = made.id

    @rule(minutes=st.integers(0, 3))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE_US
        self.alarms.expire(self.now)
        kept = {each.id for each in self.alarms.holds}
        for source in [name for name, number in self.shelved.items() if number not in kept]:
            del self.shelved[source]
            for condition in CONDITIONS:
                if self.model[source, condition] == A:
                    self.model[source, condition] = U  # it calls again

    @invariant()
    def the_book_is_the_model(self) -> None:
        kept = {(each.source, each.condition): each.state.value for each in self.alarms.open}
        assert kept == {key: state for key, state in self.model.items() if state != N}

    @invariant()
    def one_open_alarm_a_condition(self) -> None:
        keys = [each.key for each in self.alarms.open]
        assert len(keys) == len(set(keys))

    @invariant()
    def held_exactly_while_shelved(self) -> None:
        for each in self.alarms.open:
            assert (each.held is not None) == (each.source in self.shelved)

    @invariant()
    def all_alarms_are_as_all_holds_say(self) -> None:
        told = len(self.heard.changes)
        self.alarms._apply_holds(self.alarms.open, self.now, who=None, note=None)
        assert len(self.heard.changes) == told

    @invariant()
    def history_tells_the_present(self) -> None:
        told: dict[int, Alarm] = {}
        for change in self.heard.changes:
            told[change.alarm.id] = change.alarm
        standing = {
            number: each for number, each in told.items() if each.state is not AlarmState.CLEARED
        }
        assert standing == {each.id: each for each in self.alarms.open}

    @invariant()
    def versions_have_no_hole(self) -> None:
        seen: dict[int, int] = {}
        for change in self.heard.changes:
            assert change.alarm.version == seen.get(change.alarm.id, 0) + 1
            seen[change.alarm.id] = change.alarm.version


Diagram.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_order_of_events_follows_the_diagram = Diagram.TestCase


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def alarms(heard: Heard) -> Alarms:
    made = Alarms()
    made.listen(heard)
    return made


def test_condition_that_comes_and_goes_is_one_alarm(alarms: Alarms, heard: Heard) -> None:
    for number in range(10):
        alarms.report(finding(active=number % 2 == 0), at_us=number)
    (alarm,) = alarms.open
    assert (alarm.flaps, alarm.state, alarm.raised_us) == (4, AlarmState.RETURNED, 0)
    assert heard.words == ["new", "return"] * 5


def test_worse_finding_calls_again(alarms: Alarms, heard: Heard) -> None:
    alarms.report(finding(priority=Priority.LOW), at_us=1)
    alarms.acknowledge(1, who="ops", at_us=2)
    alarms.report(finding(priority=Priority.CRITICAL), at_us=3)
    assert alarms.open[0].state is AlarmState.UNACKNOWLEDGED
    assert heard.words == ["new", "ack", "new"]


def test_milder_finding_calls_nobody(alarms: Alarms, heard: Heard) -> None:
    alarms.report(finding(priority=Priority.CRITICAL), at_us=1)
    alarms.acknowledge(1, who="ops", at_us=2)
    alarms.report(finding(priority=Priority.LOW), at_us=3)
    assert alarms.open[0].state is AlarmState.ACKNOWLEDGED
    assert alarms.open[0].priority is Priority.CRITICAL
    assert heard.words == ["new", "ack"]


def test_worst_first(alarms: Alarms) -> None:
    for number, priority in enumerate([4, 1, 2, 1]):
        alarms.report(finding(f"S{number}", priority=Priority(priority)), at_us=number)
    alarms.acknowledge(alarms.of("asset", "S1")[0].id, who="ops", at_us=9)
    alarms.hold(shelf(source="S3"), at_us=9)
    assert [each.source for each in alarms.open] == ["S2", "S0", "S1", "S3"]
    assert sorted(alarms.open, key=worst_first) == alarms.open


def test_maintenance_window_holds_what_begins_in_it(alarms: Alarms, heard: Heard) -> None:
    window = msgspec.structs.replace(
        shelf(dma_id="D1"), kind=HoldKind.SUPPRESSED, from_us=5, until_us=9
    )
    alarms.hold(window, at_us=1)
    alarms.report(finding(SOURCES[0]), at_us=2)
    assert alarms.open[0].held is None
    alarms.expire(5)
    alarms.report(finding(SOURCES[1]), at_us=6)
    assert [each.held for each in alarms.open] == [HoldKind.SUPPRESSED] * 2
    alarms.report(finding(SOURCES[1], active=False), at_us=7)
    alarms.expire(9)
    (alarm,) = alarms.open
    assert (alarm.source, alarm.held, alarm.state) == (SOURCES[0], None, AlarmState.UNACKNOWLEDGED)
    assert heard.words == ["new", "shelve", "new", "clear", "unshelve"]


def test_out_of_service_ends_only_by_a_person(alarms: Alarms) -> None:
    made = alarms.hold(
        msgspec.structs.replace(
            shelf(None, source=SOURCES[0]), kind=HoldKind.OUT_OF_SERVICE
        ), at_us=1,
    )  # fmt: skip
    alarms.report(finding(), at_us=2)
    alarms.expire(10**18)
    assert alarms.open[0].held is HoldKind.OUT_OF_SERVICE
    alarms.release(made.id, who="eng", at_us=10**18)
    assert alarms.open[0].held is None


def test_held_and_returned_alarms_are_not_the_worst(alarms: Alarms) -> None:
    alarms.report(finding(priority=Priority.CRITICAL), at_us=1)
    alarms.report(finding(condition="stale", priority=Priority.LOW), at_us=1)
    assert worst_of(alarms.of("asset", SOURCES[0])) == (1, True)
    alarms.report(finding(active=False), at_us=2)
    assert worst_of(alarms.of("asset", SOURCES[0])) == (4, True)
    alarms.hold(shelf(source=SOURCES[0]), at_us=3)
    assert worst_of(alarms.of("asset", SOURCES[0])) == (0, False)


def test_numbers_go_on_after_a_restart(alarms: Alarms, heard: Heard) -> None:
    alarms.report(finding(), at_us=1)
    again = Alarms()
    again.restore(alarms.open, alarms.holds, last_id=7, last_hold_id=3)
    again.report(finding(SOURCES[1]), at_us=2)
    assert [each.id for each in again.open] == [8, 1]
    again.report(finding(active=False), at_us=3)
    assert again.get(1).state is AlarmState.RETURNED


def test_comment_changes_nothing_else(alarms: Alarms, heard: Heard) -> None:
    alarms.report(finding(), at_us=1)
    alarms.comment(1, "crew is on its way", who="ops", at_us=2)
    assert (alarms.get(1).comments, alarms.get(1).state) == (1, AlarmState.UNACKNOWLEDGED)
    assert heard.changes[-1].note == "crew is on its way"


def test_acknowledging_twice_changes_nothing(alarms: Alarms, heard: Heard) -> None:
    alarms.report(finding(), at_us=1)
    first = alarms.acknowledge(1, who="ops", at_us=2)
    assert alarms.acknowledge(1, who="other", at_us=3) == first
    assert heard.words == ["new", "ack"]


def test_unknown_alarm_is_said(alarms: Alarms) -> None:
    with pytest.raises(UnknownAlarmError):
        alarms.acknowledge(1, who="ops", at_us=2)
    with pytest.raises(UnknownAlarmError):
        alarms.release(1, who="ops", at_us=2)


def test_open_alarms_are_bounded(monkeypatch: pytest.MonkeyPatch, alarms: Alarms) -> None:
    monkeypatch.setattr("ic3.domain.alarms.OPEN_LIMIT", 2)
    for number in range(4):
        alarms.report(finding(f"S{number}"), at_us=number)
    assert (len(alarms.open), alarms.refused) == (2, 2)


def test_every_word_of_the_protocol_is_told(alarms: Alarms, heard: Heard) -> None:
    alarms.report(finding(), at_us=1)
    alarms.comment(1, "seen", who="ops", at_us=1)
    made = alarms.hold(shelf(source=SOURCES[0]), at_us=2)
    alarms.release(made.id, who="ops", at_us=3)
    alarms.report(finding(active=False), at_us=4)
    alarms.report(finding(), at_us=5)
    alarms.acknowledge(1, who="ops", at_us=6)
    alarms.report(finding(active=False), at_us=7)
    assert set(heard.words) == {each.value for each in What}
