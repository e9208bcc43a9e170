"""What waits for the database: bounded, in an order that is safe to break off."""

import msgspec
import pytest

from ic3.domain.acts import Actor
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarms import Alarms, Finding, Hold, HoldKind

OPS = Actor("ops", "operator", "10.0.0.7")


def finding(source: str, *, active: bool = True) -> Finding:
    return Finding(source_kind="asset", source=source, condition="low", active=active)


def kept(limit: int = 100) -> tuple[Alarms, AlarmJournal]:
    alarms, journal = Alarms(), AlarmJournal(limit=limit)
    journal.follow(alarms)
    return alarms, journal


def shelf() -> Hold:
    return Hold(
        id=0, kind=HoldKind.SHELVED, reason="noisy", who="ops", from_us=0, until_us=None, source="A"
    )


def test_history_beyond_the_bound_goes_and_the_newest_state_stays() -> None:
    alarms, journal = kept(limit=4)
    for number in range(20):
        alarms.report(finding("A", active=number % 2 == 0), at_us=number)
    batch = journal.take()
    assert journal.lost == 16
    assert [each.version for each in batch.alarms] == [20]
    assert [each.change.alarm.version for each in batch.entries.values()] == [17, 18, 19, 20]


def test_alarms_that_came_and_went_unseen_do_not_pile_up() -> None:
    alarms, journal = kept(limit=4)
    for number in range(50):
        alarms.report(finding("A"), at_us=number)
        alarm = alarms.find("asset", "A", "low")
        assert alarm is not None
        made = alarms.hold(shelf(), at_us=number)
        alarms.report(finding("A", active=False), at_us=number)
        alarms.release(made.id, who="ops", at_us=number)
    assert len(journal.take().alarms) <= 4


def test_the_end_of_an_alarm_that_the_database_knows_is_never_let_go() -> None:
    alarms, journal = kept(limit=2)
    alarms.report(finding("A"), at_us=1)
    first = journal.take()
    journal.stored(first)
    made = alarms.hold(shelf(), at_us=2)
    alarms.report(finding("A", active=False), at_us=3)
    alarms.release(made.id, who="ops", at_us=4)
    for number in range(9):
        alarms.report(finding(f"B{number}"), at_us=5)
    assert [each.id for each in journal.take().alarms][:2] == [1, 2]


def test_acts_of_people_are_never_let_go_and_say_when_too_many_wait() -> None:
    alarms, journal = kept(limit=3)
    alarms.report(finding("A"), at_us=1)
    for number in range(3):
        assert not journal.full
        alarms.comment(1, f"note {number}", who="ops", at_us=2)
    assert journal.full
    for number in range(9):
        alarms.report(finding("A", active=number % 2 == 1), at_us=3)
    notes = [each.change.note for each in journal.take().entries.values()]
    assert notes[:3] == ["note 0", "note 1", "note 2"]


def test_an_actor_is_noted_with_what_is_told_inside() -> None:
    alarms, journal = kept()
    alarms.report(finding("A"), at_us=1)
    with journal.by(OPS):
        alarms.acknowledge(1, who="ops", at_us=2)
    alarms.comment(1, "by another way", who="sms", at_us=3)
    actors = [each.actor for each in journal.take().entries.values()]
    assert actors == [OPS, Actor("sms", "unknown", "unknown"), None]


def test_those_that_wait_are_called_when_all_until_then_is_stored() -> None:
    alarms, journal = kept()
    called: list[str] = []
    journal.when_stored(lambda: called.append("nothing waits"))
    alarms.report(finding("A"), at_us=1)
    alarms.acknowledge(1, who="ops", at_us=2)
    journal.when_stored(lambda: called.append("ack"))
    batch = journal.take()
    alarms.comment(1, "later", who="ops", at_us=3)
    journal.when_stored(lambda: called.append("comment"))
    journal.stored(batch)
    assert called == ["nothing waits", "ack"]
    journal.stored(journal.take())
    assert called == ["nothing waits", "ack", "comment"]
    assert len(journal) == 0


def test_a_state_that_changed_while_it_was_written_is_written_again() -> None:
    alarms, journal = kept()
    alarms.report(finding("A"), at_us=1)
    batch = journal.take()
    alarms.acknowledge(1, who="ops", at_us=2)
    journal.stored(batch)
    again = journal.take()
    assert [each.version for each in again.alarms] == [2]
    assert [each.version for each in (e.change.alarm for e in again.entries.values())] == [2]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_states_are_written_before_the_history_that_leads_to_them(limit: int) -> None:
    alarms, journal = kept()
    for number in range(5):
        alarms.report(finding(f"S{number}"), at_us=number)
        alarms.comment(number + 1, "x", who="ops", at_us=number)
    alarms.hold(msgspec.structs.replace(shelf(), source="S1"), at_us=9)
    written: dict[int, int] = {}
    while len(batch := journal.take(limit)):
        written.update({each.id: each.version for each in batch.alarms})
        for entry in batch.entries.values():
            assert written[entry.change.alarm.id] >= entry.change.alarm.version
        journal.stored(batch)
    assert len(written) == 5
