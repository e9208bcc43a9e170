"""From an alarm to its receiver through the outbox: at least once, in order, whatever happens."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
import pytest
from patience import PATIENCE_S
from receivers import KEY, Receiver, verified

from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.alarms import Alarms, Finding, Priority, What
from ic3.domain.notify import Route, RouteKind, Router
from ic3.errors import DatabaseAway
from ic3.hub.notices import Carrier, Notices, Outcome, Target
from ic3.hub.webhook import Webhook
from ic3.observations import NotificationsLeftOut, NotificationTried, Observation
from ic3.store.notify import NotifyStore, Secret
from ic3.store.pool import Database
from ic3.workers.notify import Notify, pause_s

ASHA = Actor("asha", "admin", "127.0.0.1")
DELHI = ZoneInfo("Asia/Kolkata")


@dataclass
class Told:
    """A carrier that answers what it is told, and remembers."""

    outcomes: list[Outcome] = field(default_factory=list)
    sent: list[list[str]] = field(default_factory=list)
    hangs: bool = False

    async def send(self, target: Target, events: Sequence[str]) -> Outcome:
        self.sent.append([json.loads(each)["id"].rpartition("-")[0] for each in events])
        if self.hangs:
            await asyncio.sleep(60)
        return self.outcomes.pop(0) if self.outcomes else Outcome(True)


class Site:
    """Alarms, a worker and its database."""

    def __init__(self, database: Database, webhook: Carrier, mail: Carrier | None = None) -> None:
        self.database, self.clock = database, Clock()
        self.store = NotifyStore(database)
        self.alarms = Alarms()
        self.told: list[Observation] = []
        self.carriers = {RouteKind.WEBHOOK: webhook, RouteKind.EMAIL: mail or Told()}
        self.notices = Notices()
        self.alarms.listen(lambda change: self.notices.put(change))

    async def route(self, name: str, url: str = "http://x", **more: Any) -> Route:
        kind = more.pop("kind", RouteKind.WEBHOOK)
        wanted = Route(id=0, name=name, kind=kind, address="http://x", **more)
        secret = Secret(url, KEY) if kind is RouteKind.WEBHOOK else None
        made = await self.store.add(ASHA, wanted, secret)
        self.notices.wake(routes_changed=True)
        return made

    def raise_alarm(self, source: str = "PUMP_7", **more: Any) -> None:
        finding = Finding(
            source_kind="asset", source=source, condition="low", active=True, text="low", **more
        )
        self.alarms.report(finding, at_us=self.clock.now_us())

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Notify]:
        """A worker, killed at the end as a crash would."""
        worker = Notify(
            notices=self.notices, router=Router(DELHI), store=self.store, carriers=self.carriers,
            clock=self.clock, observe=self.told.append,
        )  # fmt: skip
        task = asyncio.create_task(worker.step())
        try:
            yield worker
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
            assert done, "it did not stop"

    async def states(self) -> list[str]:
        return [each.state for each in await self.all()]

    async def all(self) -> list[Any]:
        found = await self.store.page(state=None, route_id=None, below=None, limit=1000)
        return found[::-1]


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = true()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


def quick(monkeypatch: pytest.MonkeyPatch, *, mail_s: float = 60.0) -> None:
    """Pauses of a hundredth."""
    monkeypatch.setattr("ic3.workers.notify.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("ic3.workers.notify.MAIL_EVERY_S", mail_s)


async def test_each_event_comes_once_and_in_order(database: Database, receiver: Receiver) -> None:
    site = Site(database, Webhook(clock=Clock(), allow_private=True))
    await site.route("one", receiver.url)
    async with site.working():
        for number in range(20):
            site.raise_alarm(f"PUMP_{number}")
        await until(lambda: len(receiver.seen) == 20)
        await until(lambda: _all_are(site, "sent"))
    assert receiver.ids == [f"{number}-1" for number in range(1, 21)]
    assert {each.attempts for each in await site.all()} == {1}


async def _all_are(site: Site, state: str, number: int = 1) -> bool:
    """Whether there are so many, or more, and all in this state."""
    states = await site.states()
    return len(states) >= number and set(states) == {state}


async def test_a_receiver_that_fails_and_returns_misses_nothing_and_keeps_the_order(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    site = Site(database, Webhook(clock=Clock(), allow_private=True, deadline_s=0.3))
    await site.route("one", receiver.url)
    receiver.answers = [500, "drop", "hang", 503, 429]
    async with site.working():
        for number in range(5):
            site.raise_alarm(f"PUMP_{number}")
        await until(lambda: _all_are(site, "sent", 5))
        receiver.close()
        site.raise_alarm("PUMP_5")
        site.raise_alarm("PUMP_6")
        await until(lambda: any(each.outcome == "waiting" and each.attempt > 2 for each in
                                site.told if isinstance(each, NotificationTried)))  # fmt: skip
        await receiver.open()
        await until(lambda: _all_are(site, "sent", 7))
    firsts = list(dict.fromkeys(receiver.ids))
    assert firsts == [f"{number}-1" for number in range(1, 8)]
    assert receiver.ids[:6] == ["1-1"] * 6
    for each in receiver.seen:
        assert verified(each.headers["ic3-signature"], each.body, KEY, time.time())


async def test_what_is_gone_is_dead_at_once_and_can_be_sent_again(
    database: Database, receiver: Receiver
) -> None:
    site = Site(database, Webhook(clock=Clock(), allow_private=True))
    await site.route("one", receiver.url)
    receiver.answers = [410]
    async with site.working():
        site.raise_alarm("A")
        site.raise_alarm("B")
        await until(lambda: len(receiver.seen) == 2)
        await until(lambda: _none_waits(site))
        dead, sent = await site.all()
        assert (dead.state, dead.status, dead.error, dead.attempts) == (
            "dead", 410, "answered 410", 1,
        )  # fmt: skip
        assert sent.state == "sent"
        assert await site.store.resend(ASHA, dead.id, site.clock.now())
        site.notices.wake(routes_changed=True)
        await until(lambda: _all_are(site, "sent"))
    assert receiver.ids == ["1-1", "2-1", "1-1"]
    assert receiver.seen[0].body == receiver.seen[2].body


async def _none_waits(site: Site) -> bool:
    return "waiting" not in await site.states()


async def test_a_crash_between_sending_and_noting_sends_again_with_the_same_id(
    database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(database, Webhook(clock=Clock(), allow_private=True))
    await site.route("one", receiver.url)
    settle, reached = NotifyStore.settle, asyncio.Event()

    async def crash(*_: Any, **__: Any) -> None:
        reached.set()
        await asyncio.sleep(60)

    monkeypatch.setattr(NotifyStore, "settle", crash)
    async with site.working():
        site.raise_alarm()
        await reached.wait()
    assert await site.states() == ["waiting"]
    monkeypatch.setattr(NotifyStore, "settle", settle)
    async with site.working():
        await until(lambda: _all_are(site, "sent"))
    assert receiver.ids == ["1-1", "1-1"]
    assert receiver.seen[0].body == receiver.seen[1].body


async def test_a_route_that_hangs_delays_no_other_and_no_stop(
    database: Database, receiver: Receiver
) -> None:
    site = Site(database, Webhook(clock=Clock(), allow_private=True))
    await site.route("hangs", receiver.url)
    receiver.answers = ["hang"] * 9
    async with Receiver().serving() as other, site.working():
        await site.route("works", other.url)
        for number in range(5):
            site.raise_alarm(f"PUMP_{number}")
        await until(lambda: len(other.seen) == 5)
        assert len(receiver.seen) == 1


async def test_one_that_is_refused_again_and_again_steps_behind_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    monkeypatch.setattr("ic3.workers.notify.LONGEST_PAUSE_S", 0.02)
    carrier = Told([Outcome(False, True, 500, "answered 500")] * 10)
    site = Site(database, carrier)
    await site.route("one")
    async with site.working():
        site.raise_alarm("A")
        site.raise_alarm("B")
        await until(lambda: _all_are(site, "sent", 2))
    assert carrier.sent == [["1-1"]] * 10 + [["2-1"], ["1-1"]]


async def test_a_fault_with_one_route_ends_no_other(database: Database) -> None:
    class Faulty:
        async def send(self, target: Target, events: Sequence[str]) -> Outcome:
            raise RuntimeError(target.secret)

    mail = Told()
    site = Site(database, Faulty(), mail)
    await site.route("faulty")
    await site.route("people", kind=RouteKind.EMAIL, recipients=("asha@example.org",))
    async with site.working():
        site.raise_alarm()
        await until(lambda: mail.sent == [["1-1"]])
        await until(lambda: len(site.told) == 2)
    assert "planted" not in repr(site.told)
    assert "a fault of this program (RuntimeError)" in repr(site.told)


def _a_day_passes(dsn: str) -> None:
    # In a thread of its own: the row may be locked by the worker, which needs the loop to let go.
    with psycopg.connect(dsn) as sql:
        sql.execute("UPDATE ic3_delivery SET queued_at = queued_at - interval '1 day'")


async def test_after_a_day_it_is_given_up(
    database: Database, fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    carrier = Told([Outcome(False, True, words="no answer")] * 50)
    site = Site(database, carrier)
    await site.route("one")
    async with site.working():
        site.raise_alarm()
        await until(lambda: len(carrier.sent) > 1)
        await asyncio.to_thread(_a_day_passes, fresh_dsn)
        await until(lambda: _all_are(site, "dead"))
    (found,) = await site.all()
    assert found.error == "no answer"


async def test_mails_of_a_minute_are_joined(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch, mail_s=0.5)
    mail = Told()
    site = Site(database, Told(), mail)
    await site.route("people", kind=RouteKind.EMAIL, recipients=("asha@example.org",))
    async with site.working():
        site.raise_alarm("A")
        await until(lambda: len(mail.sent) == 1)
        for source in "BCD":
            site.raise_alarm(source)
        await until(lambda: _all_are(site, "sent", 4))
    assert mail.sent == [["1-1"], ["2-1", "3-1", "4-1"]]


async def test_while_the_database_is_away_the_urgent_are_told_and_all_are_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.workers.notify.DATABASE_PAUSE_S", 0.02)
    carrier = Told()
    site = Site(database, carrier)
    await site.route("one")
    enqueue = NotifyStore.enqueue

    async def away(*_: Any) -> int:
        raise DatabaseAway("database: away")

    async with site.working():
        await until(lambda: not site.notices.routes_changed)
        monkeypatch.setattr(NotifyStore, "enqueue", away)
        site.raise_alarm("A", priority=Priority.CRITICAL)
        site.raise_alarm("B", priority=Priority.LOW)
        await until(lambda: carrier.sent == [["1-1"]])
        await asyncio.sleep(0.1)
        assert carrier.sent == [["1-1"]]
        monkeypatch.setattr(NotifyStore, "enqueue", enqueue)
        await until(lambda: _all_are(site, "sent", 2))
    assert carrier.sent == [["1-1"], ["1-1"], ["2-1"]]


async def test_what_came_before_the_routes_were_known_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.workers.notify.DATABASE_PAUSE_S", 0.02)
    carrier = Told()
    site = Site(database, carrier)
    await site.route("one")
    routes = NotifyStore.routes

    async def away(_: NotifyStore) -> list[Route]:
        raise DatabaseAway("database: away")

    monkeypatch.setattr(NotifyStore, "routes", away)
    async with site.working():
        site.raise_alarm()
        await asyncio.sleep(0.1)
        monkeypatch.setattr(NotifyStore, "routes", routes)
        await until(lambda: carrier.sent == [["1-1"]])


async def test_the_outbox_is_bounded_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.store.notify.WAITING_LIMIT", 3)
    site = Site(database, Told(hangs=True))
    await site.route("hangs")
    await site.route("people", kind=RouteKind.EMAIL, recipients=("asha@example.org",))
    async with site.working():
        for number in range(5):
            site.raise_alarm(f"PUMP_{number}")
        left_out = NotificationsLeftOut(2), NotificationsLeftOut(4)
        await until(lambda: any(each in site.told for each in left_out))
        await until(lambda: NotificationTried("people", "sent", 3, 1, "") in site.told)
        site.raise_alarm("PUMP_5")
        await until(lambda: _of(site, "people", 4))
    assert len([each for each in await site.all() if each.route == "hangs"]) == 3


async def _of(site: Site, route: str, number: int) -> bool:
    return len([each for each in await site.all() if each.route == route]) >= number


def test_the_queue_is_bounded_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ic3.hub.notices.QUEUE_LIMIT", 2)
    notices, alarms = Notices(), Alarms()
    alarms.listen(notices.put)
    for source in "ABCD":
        finding = Finding(source_kind="asset", source=source, condition="low", active=True)
        alarms.report(finding, at_us=1)
    assert notices.left_out == 2
    assert [each.alarm.source for each in notices.take()] == ["C", "D"]


async def test_a_change_is_put_into_the_outbox_once(database: Database) -> None:
    site = Site(database, Told(hangs=True))
    await site.route("one", changes=tuple(What))
    heard = list[Any]()
    site.alarms.listen(heard.append)
    async with site.working():
        site.raise_alarm()
        site.notices.put(heard[0])
        await until(site.all)
        await asyncio.sleep(0.1)
    assert len(await site.all()) == 1


async def test_old_and_many_ended_deliveries_are_let_go_and_waiting_ones_stay(
    database: Database, fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.store.notify.KEPT_DELIVERIES", 5)
    with psycopg.connect(fresh_dsn) as sql:
        sql.execute(
            "INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority,"
            " event, state, next_at, created_at, queued_at) SELECT 1, 'x', n, 1, 'new', 1, '{}',"
            " CASE WHEN n %% 10 = 0 THEN 'waiting' ELSE 'sent' END, now(),"
            " now() - (20 - n) * interval '2 days', now() FROM generate_series(1, 20) n".replace(
                "%%", "%"
            )
        )
    await NotifyStore(database).trim(datetime.now(UTC))
    with psycopg.connect(fresh_dsn) as sql:
        sql.execute("UPDATE ic3_delivery SET queued_at = now() - interval '26 hours' WHERE id = 10")
    await NotifyStore(database).trim(datetime.now(UTC))
    site = Site(database, Told())
    found = [each.alarm_id for each in await site.all()]
    assert found == [16, 17, 18, 19, 20]


async def test_nothing_secret_is_in_what_is_told_or_kept(
    database: Database, fresh_dsn: str, receiver: Receiver
) -> None:
    site = Site(database, Webhook(clock=Clock(), allow_private=True))
    await site.route("one", receiver.url)
    receiver.answers = [500, 404]
    async with site.working() as worker:
        site.raise_alarm()
        await until(lambda: len(site.told) >= 1)
        assert "planted" not in repr(vars(worker)["_secrets"])
    shown = [site.told, await site.all(), await site.store.routes()]
    assert "planted" not in repr(shown)
    assert b"planted" not in msgspec.json.encode(await site.store.routes())
    with psycopg.connect(fresh_dsn) as sql:
        assert "planted" not in repr(sql.execute("SELECT * FROM audit_log").fetchall())
        assert "planted" not in repr(sql.execute("SELECT * FROM ic3_delivery").fetchall())


def test_pauses_double_to_an_hour_with_jitter_and_heed_what_is_asked_for() -> None:
    for attempt in range(1, 60):
        limit = min(3600.0, 2.0 ** (attempt - 1))
        assert limit / 2 <= pause_s(attempt) <= limit
    assert pause_s(1, 77.0) == 77.0
