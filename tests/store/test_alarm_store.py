"""Alarms behind the memory: written in any batches, again and again, they are read back as told."""

import math
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import MINUTE_US, NOW, NOW_US, Sql

from ic3.domain.acts import Actor
from ic3.domain.alarm_history import AlarmFilter
from ic3.domain.alarm_journal import AlarmJournal, Batch
from ic3.domain.alarms import Alarms, AlarmState, Finding, Hold, HoldKind, Priority
from ic3.errors import Refused
from ic3.store import alarms as store_of_alarms
from ic3.store.alarms import AlarmStore
from ic3.store.pool import Database

FIRST = (NOW + timedelta(days=1), 2**62)
ASHA = Actor("asha", "operator", "10.0.0.7")
SOURCES = ("Azadpur_PT_1", "पम्प 'A'")
EVERYTHING = AlarmFilter()
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("report"), st.sampled_from(SOURCES), st.booleans(), st.sampled_from(Priority)
        ),
        st.tuples(st.just("ack"), st.integers(0, 5)),
        st.tuples(st.just("comment"), st.integers(0, 5)),
        st.tuples(st.just("hold"), st.sampled_from(SOURCES), st.integers(1, 5)),
        st.tuples(st.just("release"), st.integers(0, 3)),
        st.tuples(st.just("pass"), st.integers(0, 4)),
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("repeat"), st.integers(0, 9)),
    ),
    max_size=40,
)


def finding(source: str = SOURCES[0], *, active: bool = True, **more: Any) -> Finding:
    fields = {
        "source_kind": "asset", "source": source, "condition": "PRESSURE.low", "active": active,
        "priority": Priority.HIGH, "text": "pressure is low", "value": 1.25, "limit": 2.0,
        "unit": "bar", "domain": "DEL-D01", "dma_id": "D1", "tag": "PT", "notify": ("ops",),
        "evidence": {"last": [1.5, None, "x"]},
    }  # fmt: skip
    return Finding(**{**fields, **more})


def shelf(source: str | None, until_us: int | None, **more: Any) -> Hold:
    fields = {
        "id": 0, "kind": HoldKind.SHELVED, "reason": "noisy", "who": "asha", "from_us": NOW_US,
        "until_us": until_us, "source": source,
    }  # fmt: skip
    return Hold(**{**fields, **more})


class Book:
    """Alarms with their journal, and every batch that was ever written."""

    def __init__(self) -> None:
        self.alarms, self.journal, self.now = Alarms(), AlarmJournal(), NOW_US
        self.journal.follow(self.alarms)
        self.batches: list[Batch] = []

    def play(self, step: tuple[Any, ...]) -> None:
        self.now += 1
        what, *given = step
        alarms, holds = self.alarms.open, self.alarms.holds
        if what == "report":
            source, active, priority = given
            self.alarms.report(finding(source, active=active, priority=priority), at_us=self.now)
        elif what == "ack" and alarms:
            chosen = alarms[given[0] % len(alarms)].id
            with self.journal.by(ASHA):
                self.alarms.acknowledge(chosen, who="asha", at_us=self.now, note="seen")
        elif what == "comment" and alarms:
            chosen = alarms[given[0] % len(alarms)].id
            with self.journal.by(ASHA):
                self.alarms.comment(chosen, "on its way", who="asha", at_us=self.now)
        elif what == "hold":
            source, minutes = given
            with self.journal.by(ASHA):
                self.alarms.hold(shelf(source, self.now + minutes * MINUTE_US), at_us=self.now)
        elif what == "release" and holds:
            with self.journal.by(ASHA):
                self.alarms.release(holds[given[0] % len(holds)].id, who="asha", at_us=self.now)
        elif what == "pass":
            self.now += given[0] * MINUTE_US
            self.alarms.expire(self.now)

    async def write(self, store: AlarmStore, limit: int = 5000) -> None:
        while len(batch := self.journal.take(limit)):
            await store.keep(batch)
            self.journal.stored(batch)
            self.batches.append(batch)

    def again(self) -> Alarms:
        return Alarms()


@pytest.fixture
def store(database: Database) -> AlarmStore:
    return AlarmStore(database)


@pytest.fixture
def book() -> Book:
    return Book()


@given(steps=STEPS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_acts_in_any_batches_with_repeats_are_restored_as_in_memory(
    steps: list[tuple[Any, ...]], store: AlarmStore, sql: Sql
) -> None:
    sql("DELETE FROM ic3_alarm")
    sql("DELETE FROM ic3_alarm_event")
    sql("DELETE FROM ic3_alarm_hold")
    written_before = sql("SELECT count(*) FROM audit_log")[0][0]
    book, told = Book(), list[Any]()
    book.alarms.listen(told.append)
    acts = 0
    for step in steps:
        if step[0] == "write":
            await book.write(store, step[1])
        elif step[0] == "repeat" and book.batches:
            await store.keep(book.batches[step[1] % len(book.batches)])
        else:
            book.play(step)
    await book.write(store, 3)
    for batch in book.batches:
        await store.keep(batch)
        acts += sum(e.actor is not None for e in batch.holds.values())
        acts += sum(
            e.actor is not None and e.change.what in {"ack", "comment"}
            for e in batch.entries.values()
        )
    restored = await store.restore()
    assert sorted(restored.alarms, key=lambda a: a.id) == sorted(
        book.alarms.each(), key=lambda a: a.id
    )
    assert restored.holds == book.alarms.holds
    events = sql("SELECT alarm_id, version, what FROM ic3_alarm_event ORDER BY 1, 2")
    assert events == sorted((c.alarm.id, c.alarm.version, c.what.value) for c in told)
    assert sql("SELECT count(*) FROM audit_log") == [(written_before + acts,)]
    after = Alarms()
    after.restore(
        restored.alarms, restored.holds, last_id=restored.last_id,
        last_hold_id=restored.last_hold_id,
    )  # fmt: skip
    after.report(finding("new"), at_us=NOW_US)
    book.alarms.report(finding("new"), at_us=NOW_US)
    assert after.find("asset", "new", "PRESSURE.low") == book.alarms.find(
        "asset", "new", "PRESSURE.low"
    )


async def test_closed_alarm_makes_room_for_the_next_in_the_same_batch(
    store: AlarmStore, book: Book
) -> None:
    book.play(("report", SOURCES[0], True, Priority.LOW))
    await book.write(store)
    book.play(("ack", 0))
    book.play(("report", SOURCES[0], False, Priority.LOW))
    book.play(("report", SOURCES[0], True, Priority.LOW))
    await book.write(store)
    assert [each.id for each in (await store.restore()).alarms] == [2]
    closed = await store.alarm(1)
    assert closed is not None
    assert closed.state is AlarmState.CLEARED
    assert [each.what for each in await store.events(1)] == ["new", "ack", "clear"]


async def test_database_itself_refuses_two_open_alarms_of_a_condition(
    store: AlarmStore, book: Book, sql: Sql
) -> None:
    book.play(("report", SOURCES[0], True, Priority.LOW))
    await book.write(store)
    with pytest.raises(psycopg.errors.UniqueViolation):
        sql(
            "INSERT INTO ic3_alarm SELECT 7, version, source_kind, source, condition, priority,"
            " state, active, text, domain, dma_id, tag, value, limit_value, unit, rule_id, notify,"
            " evidence, raised_at, returned_at, acknowledged_at, acknowledged_by, cleared_at,"
            " flaps, comments, held, hold_id FROM ic3_alarm"
        )


async def test_act_is_audited_once_with_who_role_and_whence(
    store: AlarmStore, book: Book, sql: Sql
) -> None:
    last = sql("SELECT coalesce(max(id), 0) FROM audit_log")[0][0]
    book.play(("report", SOURCES[0], True, Priority.LOW))
    book.play(("ack", 0))
    book.play(("hold", SOURCES[0], 5))
    book.play(("release", 0))
    await book.write(store)
    await store.keep(book.batches[0])
    assert sql(
        "SELECT who, role, whence, what, object FROM audit_log WHERE id > %s ORDER BY id", last
    ) == [
        ("asha", "operator", "10.0.0.7", "alarm acknowledged", "alarm 1"),
        ("asha", "operator", "10.0.0.7", "alarms shelved", "hold 1"),
        ("asha", "operator", "10.0.0.7", "hold ended", "hold 1"),
    ]


async def test_what_postgresql_cannot_hold_is_stored_as_near_as_can_be(
    store: AlarmStore, book: Book
) -> None:
    for number, evidence in enumerate(({"a": "\0"}, {"a": math.inf}, {"a": "x" * 20_000})):
        book.alarms.report(
            finding(f"a\0b{number}\ud800", value=math.nan, text="\0", evidence=evidence),
            at_us=NOW_US,
        )
    await book.write(store)
    kept = (await store.restore()).alarms
    assert [each.source for each in kept] == [f"a\ufffdb{number}?" for number in range(3)]
    assert {each.value for each in kept} == {None}
    assert ["left_out" in (each.evidence or {}) for each in kept] == [True, False, True]


async def test_history_is_read_newest_first_by_filter_and_page(
    store: AlarmStore, book: Book
) -> None:
    for number in range(6):
        book.alarms.report(
            finding(
                f"S{number}", priority=Priority(1 + number % 4), domain=f"DEL-D0{number % 2}",
                dma_id=f"D{number % 3}", condition=f"C{number % 2}", text=f"is 50% low {number}",
            ),
            at_us=NOW_US + number // 2,
        )  # fmt: skip
    await book.write(store)

    async def ids(limit: int = 10, before: Any = FIRST, **wanted: Any) -> list[int]:
        page = await store.page(AlarmFilter(**wanted), limit=limit, before=before)
        return [each.id for each in page]

    assert await ids() == [6, 5, 4, 3, 2, 1]
    assert await ids(limit=2) == [6, 5]
    assert await ids(before=(NOW + timedelta(microseconds=1), 4)) == [3, 2, 1]
    assert await ids(priorities=[1]) == [5, 1]
    assert await ids(domains=["DEL-D00"]) == [5, 3, 1]
    assert await ids(dma_ids=["D1", "D2"]) == [6, 5, 3, 2]
    assert await ids(sources=["S1", "S4"]) == [5, 2]
    assert await ids(sources=["S1", "S4"], text="LOW 4") == [5]
    assert await ids(conditions=["C1"]) == [6, 4, 2]
    assert await ids(text="50% LOW 3") == [4]
    assert await ids(text="s_") == []
    end = NOW + timedelta(microseconds=2)
    assert await ids(from_at=NOW + timedelta(microseconds=1), until_at=end) == [4, 3]
    assert await store.page(EVERYTHING, limit=1, before=FIRST) == [book.alarms.get(6)]


async def test_old_and_surplus_history_goes_and_what_is_open_stays(
    store: AlarmStore, book: Book, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        source = f"S{number}"
        book.alarms.report(finding(source), at_us=NOW_US + number * MINUTE_US)
        if number < 10:
            book.alarms.acknowledge(number + 1, who="x", at_us=NOW_US + number * MINUTE_US)
            book.alarms.report(finding(source, active=False), at_us=NOW_US + number * MINUTE_US)
    made = book.alarms.hold(shelf("S1", None), at_us=NOW_US)
    book.alarms.release(made.id, who="x", at_us=NOW_US)
    book.alarms.hold(shelf("S2", None), at_us=NOW_US)
    await book.write(store)
    monkeypatch.setattr(store_of_alarms, "KEPT_ALARMS", 7)
    assert await store.trim(NOW) == 3
    assert sql("SELECT min(id), count(*) FROM ic3_alarm") == [(4, 9)]
    later = NOW + timedelta(days=400, minutes=5, microseconds=1)
    assert await store.trim(later) > 0
    assert sql("SELECT min(id), count(*) FROM ic3_alarm") == [(7, 6)]
    assert sql("SELECT min(alarm_id) FROM ic3_alarm_event") == [(7,)]
    assert sql("SELECT id FROM ic3_alarm_hold") == [(2,)]
    monkeypatch.setattr(store_of_alarms, "KEPT_EVENTS", 5)
    await store.trim(later)
    assert sql("SELECT count(*) FROM ic3_alarm_event") == [(5,)]
    assert (await store.restore()).last_id == 12


async def test_a_batch_that_is_refused_leaves_nothing(
    store: AlarmStore, book: Book, sql: Sql
) -> None:
    book.play(("report", SOURCES[0], True, Priority.LOW))
    batch = book.journal.take()
    bad = msgspec.structs.replace(batch.alarms[0], id=2, source="B", flaps=2**40)
    with pytest.raises(Refused):
        await store.keep(Batch([*batch.alarms, bad], batch.entries, batch.holds))
    assert sql("SELECT count(*) FROM ic3_alarm") == [(0,)]
