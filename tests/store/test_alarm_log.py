"""The writer behind the memory: what is done while the database is away is written later."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from patience import PATIENCE_S
from samples import NOW_US, Sql

from ic3.app.restore import restore_alarms, restore_rules
from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.alarm_defaults import DEFAULT_RULES
from ic3.domain.alarm_journal import AlarmJournal, Batch
from ic3.domain.alarm_rules import RuleTable
from ic3.domain.alarms import Alarms, AlarmState, Finding, Hold, HoldKind
from ic3.errors import DatabaseAway
from ic3.hub.notices import Notices
from ic3.observations import AlarmHistoryLost, Observation
from ic3.store.alarm_rules import RuleStore
from ic3.store.alarms import AlarmStore
from ic3.store.pool import Database
from ic3.workers import alarm_log
from ic3.workers.alarm_log import AlarmLog
from ic3.workers.alarm_rules import AlarmRules
from ic3.workers.runner import run_worker

ASHA = Actor("asha", "operator", "10.0.0.7")


class Flaky(AlarmStore):
    """A database that goes away: before the write, or after it and before the answer."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.away = self.silent = False
        self.tried = 0
        self.trimmed = 0

    async def keep(self, batch: Batch) -> None:
        self.tried += 1
        if self.away:
            raise DatabaseAway("database: it is away")
        await super().keep(batch)
        if self.silent:
            self.silent = False
            raise DatabaseAway("database: the connection was lost")

    async def trim(self, now: Any) -> int:
        self.trimmed += 1
        return await super().trim(now)


class Site:
    """Alarms, their journal and the worker at work."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.alarms, self.journal = Alarms(), AlarmJournal()
        self.journal.follow(self.alarms)
        self.told: list[Observation] = []
        self.store = Flaky(database)
        self.worker = AlarmLog(
            journal=self.journal, store=self.store, clock=clock, observe=self.told.append
        )

    def report(self, source: str = "A", *, active: bool = True, at_us: int = NOW_US) -> None:
        self.alarms.report(
            Finding(source_kind="asset", source=source, condition="low", active=active),
            at_us=at_us,
        )  # fmt: skip

    async def until_written(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.journal):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.fixture
async def site(database: Database, clock: Clock) -> AsyncIterator[Site]:
    site = Site(database, clock)
    task = asyncio.create_task(
        run_worker(site.worker, clock=clock, observe=site.told.append, back_off_limit_s=0.02)
    )
    yield site
    task.cancel()
    await asyncio.wait([task])


async def test_alarm_acknowledged_while_the_database_is_away_is_written_later(
    site: Site, sql: Sql
) -> None:
    site.report()
    await site.until_written()
    site.store.away = True
    with site.journal.by(ASHA):
        site.alarms.acknowledge(1, who="asha", at_us=NOW_US + 1)
    assert site.alarms.get(1).state is AlarmState.ACKNOWLEDGED
    async with asyncio.timeout(PATIENCE_S):
        while site.store.tried < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert sql("SELECT state FROM ic3_alarm") == [("unacknowledged",)]
    assert not site.journal.acts_stored
    site.store.away = False
    await site.until_written()
    assert sql("SELECT state, acknowledged_by FROM ic3_alarm") == [("acknowledged", "asha")]
    assert sql("SELECT whence FROM audit_log WHERE what = 'alarm acknowledged'")[-1:] == [
        ("10.0.0.7",)
    ]


async def test_a_write_of_unknown_outcome_is_sent_again_and_counts_once(
    site: Site, sql: Sql
) -> None:
    before = sql("SELECT count(*) FROM audit_log")[0][0]
    site.store.silent = True
    site.report()
    site.alarms.comment(1, "on its way", who="asha", at_us=NOW_US)
    await site.until_written()
    assert site.store.tried == 2
    assert sql("SELECT count(*) FROM ic3_alarm_event") == [(2,)]
    assert sql("SELECT count(*) FROM audit_log") == [(before + 1,)]


async def test_one_that_is_refused_does_not_keep_the_others(site: Site, sql: Sql) -> None:
    site.report("A")
    site.report("B")
    bad = site.journal._states[1]
    site.journal._states[1] = msgspec.structs.replace(bad, flaps=2**40)
    site.report("C")
    await site.until_written()
    assert sql("SELECT source FROM ic3_alarm ORDER BY 1") == [("B",), ("C",)]
    assert [each.number for each in site.told if isinstance(each, AlarmHistoryLost)] == [1]


async def test_an_open_alarm_that_only_the_database_knows_makes_room(site: Site, sql: Sql) -> None:
    site.report("A")
    await site.until_written()
    sql("UPDATE ic3_alarm SET id = 77")
    site.alarms.acknowledge(1, who="asha", at_us=NOW_US)
    site.report("B")
    await site.until_written()
    assert sql("SELECT id, state FROM ic3_alarm ORDER BY id") == [
        (1, "acknowledged"), (2, "unacknowledged"), (77, "cleared"),
    ]  # fmt: skip
    (told,) = [each for each in site.told if isinstance(each, AlarmHistoryLost)]
    assert told.why == "alarm 77 was open in the database and not here; it was closed"


async def test_history_that_was_let_go_is_told(site: Site) -> None:
    site.journal._limit = 10
    site.store.away = True
    for number in range(30):
        site.report(active=number % 2 == 0)
    site.store.away = False
    await site.until_written()
    assert AlarmHistoryLost(20, "the database was away for too long") in site.told


async def test_old_history_goes_once_an_hour(site: Site, clock: Any) -> None:
    site.report()
    await site.until_written()
    assert site.store.trimmed == 0
    clock.advance(alarm_log.TRIM_S)
    site.report("B")
    await site.until_written()
    await asyncio.sleep(0.1)
    assert site.store.trimmed == 1


async def test_a_start_takes_up_what_was_left_and_ends_what_is_over(
    site: Site, database: Database, clock: Any, sql: Sql
) -> None:
    site.report()
    site.alarms.hold(
        Hold(
            id=0, kind=HoldKind.SHELVED, reason="x", who="asha", from_us=NOW_US,
            until_us=NOW_US + 60_000_000, source="A",
        ), at_us=NOW_US,
    )  # fmt: skip
    await site.until_written()
    clock.advance(timedelta(minutes=2).total_seconds())
    alarms, journal = Alarms(), AlarmJournal()
    notices = Notices()
    await restore_alarms(alarms, journal, notices, database, clock)
    assert alarms.holds == []
    assert alarms.get(1).held is None
    assert [each.what for each in notices.take()] == ["unshelve"]
    assert [each.change.what for each in journal.take().entries.values()] == ["unshelve"]


async def test_an_alarm_whose_hold_is_gone_calls_again_after_a_crash(
    site: Site, database: Database, clock: Any, sql: Sql
) -> None:
    site.report()
    site.alarms.hold(
        Hold(
            id=0, kind=HoldKind.OUT_OF_SERVICE, reason="x", who="asha", from_us=NOW_US,
            until_us=None, source="A",
        ), at_us=NOW_US,
    )  # fmt: skip
    await site.until_written()
    # Killed between two batches: the hold's end is stored, what it freed is not.
    sql("UPDATE ic3_alarm_hold SET ended_at = now()")
    alarms, journal = Alarms(), AlarmJournal()
    notices = Notices()
    await restore_alarms(alarms, journal, notices, database, clock)
    assert alarms.get(1).held is None
    assert len(journal) > 0
    assert [each.what for each in notices.take()] == ["unshelve"]


async def test_a_start_tells_again_what_nothing_happened_to_since_it_was_raised(
    site: Site, database: Database, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed process may have stored an alarm and not put it into the outbox."""
    day_us = 86_400 * 1_000_000
    now_us = clock.now_us()
    site.report("old", at_us=now_us - day_us - 1)
    for source in ("known", "over", "held", "untold", "last"):
        site.report(source, at_us=now_us - 60_000_000)
    site.alarms.acknowledge(2, who="asha", at_us=now_us)
    site.report("over", active=False, at_us=now_us)
    site.alarms.hold(
        Hold(
            id=0, kind=HoldKind.OUT_OF_SERVICE, reason="x", who="asha", from_us=now_us,
            until_us=None, source="held",
        ), at_us=now_us,
    )  # fmt: skip
    await site.until_written()
    notices = Notices()
    await restore_alarms(Alarms(), AlarmJournal(), notices, database, clock)
    told = notices.take()
    assert [(each.what, each.alarm.source) for each in told] == [("new", "untold"), ("new", "last")]
    assert {each.at_us for each in told} == {now_us - 60_000_000}
    monkeypatch.setattr("ic3.app.restore.UNTOLD_LIMIT", 1)
    await restore_alarms(Alarms(), AlarmJournal(), notices, database, clock)
    assert [each.alarm.source for each in notices.take()] == ["last"]


async def test_a_number_that_the_outbox_knows_is_not_given_again(
    database: Database, sql: Sql
) -> None:
    sql(
        "INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event,"
        " next_at, created_at, queued_at)"
        " VALUES (1, 'x', 57, 1, 'new', 1, '{}', now(), now(), now())"
    )
    assert (await AlarmStore(database).restore()).last_id == 57


async def test_a_new_installation_gets_its_rules_once(database: Database, sql: Sql) -> None:
    rules = RuleTable()
    for _ in range(2):
        await restore_rules(rules, database, defaults=DEFAULT_RULES)
    assert len(rules.rules) == len(DEFAULT_RULES)
    sql("DELETE FROM ic3_alarm_rule WHERE name <> %s", DEFAULT_RULES[0].name)
    await restore_rules(rules, database, defaults=DEFAULT_RULES)
    assert [each.name for each in rules.rules] == [DEFAULT_RULES[0].name]


async def test_a_changed_rule_holds_after_the_next_round(database: Database, sql: Sql) -> None:
    rules, store = RuleTable(), RuleStore(database)
    await restore_rules(rules, database, defaults=DEFAULT_RULES)
    worker = AlarmRules(rules=rules, store=store)
    await worker.step()
    version = rules.version
    await worker.step()
    assert rules.version == version
    sql("UPDATE ic3_alarm_rule SET enabled = false")
    await worker.step()
    assert {each.enabled for each in rules.rules} == {False}
    assert rules.version == version + 1
