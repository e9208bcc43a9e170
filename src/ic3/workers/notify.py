"""Tell people and programs of alarms: into the outbox at once, out of it route by route."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ic3.clock import Clock
from ic3.domain.alarms import Change, Priority
from ic3.domain.notify import Route, RouteKind, Router, event_of
from ic3.errors import Refused, StoreError
from ic3.hub.notices import QUEUE_LIMIT, Carrier, Notices, Outcome, Target
from ic3.observations import NotificationsLeftOut, NotificationTried, Observe
from ic3.store.notify import Message, NotifyStore, Secret, Waiting

GIVEN_UP_AFTER: Final = timedelta(hours=24)
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 3600.0
LOOK_AGAIN_S: Final = 30.0
SHORTEST_LOOK_S: Final = 0.02
DATABASE_PAUSE_S: Final = 1.0
MAIL_EVERY_S: Final = 60.0
MAIL_LIMIT: Final = 200
TRIM_S: Final = 3600.0
# Told without the outbox while the database is away.
URGENT: Final = Priority.HIGH


@dataclass(slots=True)
class _Lane:
    """The deliveries of one route, one after the other.

    Attributes:
        task: While something is in flight.
        mailed_at: On the monotonic clock; mails of a route are a minute apart.
    """

    task: asyncio.Task[None] | None = None
    mailed_at: float | None = None
    rests_until: float = 0.0


class Notify:
    """One round lasts until the worker is stopped; each route has a lane of its own.

    What is put into the outbox is told at least once, in the order of each route. While the
    database is away, changes wait in memory; those of priority 1 and 2 are told at once besides,
    and again with the same id when it is back.
    """

    name = "notify"
    every_s: float | None = None

    def __init__(
        self, *, notices: Notices, router: Router, store: NotifyStore,
        carriers: Mapping[RouteKind, Carrier], clock: Clock, observe: Observe,
    ) -> None:  # fmt: skip
        self._notices = notices
        self._router = router
        self._store = store
        self._carriers = carriers
        self._clock = clock
        self._observe = observe
        self._secrets: dict[int, Secret] = {}
        self._loaded = False
        self._unwritten: list[Message] = []
        self._ahead = 0
        self._lanes: dict[int, _Lane] = {}
        self._trimmed: float | None = None

    async def step(self) -> None:
        """Take changes in and send deliveries out until cancelled."""
        self._lanes.clear()
        self._notices.routes_changed = True
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    pause_s = await self._round(group)
                except StoreError:
                    # Said by the pool; what was taken waits in `_unwritten`.
                    self._call_ahead(group)
                    await asyncio.sleep(DATABASE_PAUSE_S)
                else:
                    await self._notices.wait(pause_s)

    async def _round(self, group: asyncio.TaskGroup) -> float:
        """Write what came, start what is due; answers seconds until there is more to do."""
        if self._notices.routes_changed:
            self._notices.routes_changed = False
            await self._load()
        self._take()
        await self._write()
        await self._trim()
        return self._start(await self._store.waiting(), group)

    async def _load(self) -> None:
        """The routes as they are now; the old ones serve while the database is away."""
        try:
            routes, secrets = await self._store.routes(), await self._store.secrets()
        except StoreError:
            self._notices.routes_changed = True
            if self._loaded:
                self._take()
            raise
        self._router.use(routes)
        self._secrets, self._loaded = secrets, True
        for lane in self._lanes.values():
            lane.rests_until = 0.0

    def _take(self) -> None:
        """Route what came since; with a bound on what waits for the database."""
        now_us = self._clock.now_us()
        for change in self._notices.take():
            for route in self._router.routes_for(change):
                self._unwritten.append(_message(route, change, change.at_us))
        for route, change in self._router.due(now_us):
            self._unwritten.append(_message(route, change, now_us))
        left_out, self._notices.left_out = self._notices.left_out, 0
        beyond = len(self._unwritten) - QUEUE_LIMIT
        if beyond > 0:
            del self._unwritten[:beyond]
            self._ahead = max(0, self._ahead - beyond)
            left_out += beyond
        if left_out:
            self._observe(NotificationsLeftOut(left_out))

    async def _write(self) -> None:
        if not self._unwritten:
            return
        try:
            left_out = await self._store.enqueue(self._unwritten)
        except Refused:
            left_out = await self._write_singly()
        self._unwritten.clear()
        self._ahead = 0
        if left_out:
            self._observe(NotificationsLeftOut(left_out))

    async def _write_singly(self) -> int:
        """One that PostgreSQL will not have costs the others nothing."""
        left_out = 0
        for message in self._unwritten:
            try:
                left_out += await self._store.enqueue([message])
            except Refused:
                left_out += 1
        return left_out

    def _call_ahead(self, group: asyncio.TaskGroup) -> None:
        """Try the urgent ones that the outbox cannot take, once each."""
        urgent = [each for each in self._unwritten[self._ahead :] if each.priority <= URGENT]
        self._ahead = len(self._unwritten)
        by_route: dict[int, list[Message]] = {}
        for message in urgent:
            by_route.setdefault(message.route_id, []).append(message)
        for number, messages in by_route.items():
            route = self._router.routes.get(number)
            if route is not None:
                group.create_task(self._send_ahead(route, messages))

    async def _send_ahead(self, route: Route, messages: Sequence[Message]) -> None:
        outcome = await self._send(route, [each.event for each in messages])
        words = outcome.words or "told without the outbox: the database is away"
        state = "sent" if outcome.sent else "waiting"
        self._observe(NotificationTried(route.name, state, len(messages), 1, words))

    def _start(self, waiting: Mapping[int, datetime], group: asyncio.TaskGroup) -> float:
        """Start the lanes whose time has come; answers seconds until the next one's."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        pause_s = LOOK_AGAIN_S
        for number, next_at in waiting.items():
            route = self._router.routes.get(number)
            lane = self._lanes.setdefault(number, _Lane())
            if route is None or not route.enabled or lane.task is not None:
                continue
            wait_s = max((next_at - now).total_seconds(), lane.rests_until - monotonic)
            if route.kind is RouteKind.EMAIL and lane.mailed_at is not None:
                wait_s = max(wait_s, lane.mailed_at + MAIL_EVERY_S - monotonic)
            if wait_s <= 0:
                lane.task = group.create_task(self._drive(route, lane))
            else:
                pause_s = min(pause_s, wait_s)
        due_us = self._router.next_due_us()
        if due_us is not None:
            pause_s = min(pause_s, (due_us - self._clock.now_us()) / 1e6)
        return max(SHORTEST_LOOK_S, pause_s)

    async def _drive(self, route: Route, lane: _Lane) -> None:
        """Send what is due of a route, until something has to wait."""
        try:
            while await self._deliver(route, lane):
                if not self._is_current(route):
                    break
        except StoreError:
            # A try that could not be noted is made again: at least once.
            lane.rests_until = self._clock.monotonic() + DATABASE_PAUSE_S
        finally:
            lane.task = None
            self._notices.wake()

    def _is_current(self, route: Route) -> bool:
        return not self._notices.routes_changed and self._router.routes.get(route.id) is route

    async def _deliver(self, route: Route, lane: _Lane) -> bool:
        """One try; whether another may follow at once."""
        is_mail = route.kind is RouteKind.EMAIL
        rows = await self._store.waiting_of(route.id, MAIL_LIMIT if is_mail else 1)
        now = self._clock.now()
        if not rows or rows[0].next_at > now:
            if rows:
                # The first in order holds back the others, which may be due.
                wait_s = (rows[0].next_at - now).total_seconds()
                lane.rests_until = self._clock.monotonic() + wait_s
            return False
        outcome = await self._send(route, [each.event for each in rows])
        if is_mail:
            lane.mailed_at = self._clock.monotonic()
        await self._note(route, rows, outcome)
        return outcome.sent and not is_mail

    async def _send(self, route: Route, events: Sequence[str]) -> Outcome:
        secret = self._secrets.get(route.id, Secret("", ""))
        target = Target(route.name, route.recipients, secret.url, secret.secret)
        try:
            return await self._carriers[route.kind].send(target, events)
        except Exception as error:  # noqa: BLE001  a fault with one route must not end the others
            # Its text may quote what is secret.
            return Outcome(False, True, words=f"a fault of this program ({type(error).__name__})")

    async def _note(self, route: Route, rows: Sequence[Waiting], outcome: Outcome) -> None:
        now = self._clock.now()
        attempt = rows[0].attempts + 1
        next_at = now + timedelta(seconds=pause_s(attempt, outcome.retry_after_s))
        too_old = [each for each in rows if next_at - each.queued_at > GIVEN_UP_AFTER]
        if outcome.sent:
            state, ended = "sent", list(rows)
        elif not outcome.again:
            state, ended = "dead", list(rows)
        else:
            state, ended = "dead", too_old
        waiting = [each for each in rows if each not in ended]
        for group, word in ((ended, state), (waiting, "waiting")):
            if not group:
                continue
            await self._store.settle(
                [each.id for each in group], word, now=now, next_at=next_at,
                status=outcome.status, error=outcome.words or None,
            )  # fmt: skip
            self._observe(NotificationTried(route.name, word, len(group), attempt, outcome.words))

    async def _trim(self) -> None:
        now = self._clock.monotonic()
        if self._trimmed is None or now - self._trimmed >= TRIM_S:
            self._trimmed = now
            await self._store.trim(self._clock.now())


def pause_s(attempt: int, retry_after_s: float | None = None) -> float:
    """Seconds until the next try: 1 s doubling to an hour with jitter, or what was asked for."""
    limit = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 20))
    jittered = random.uniform(limit / 2, limit)  # noqa: S311  jitter
    return max(jittered, retry_after_s or 0.0)


def _message(route: Route, change: Change, at_us: int) -> Message:
    return Message(
        route_id=route.id, route=route.name, alarm_id=change.alarm.id,
        alarm_version=change.alarm.version, what=change.what, priority=change.alarm.priority,
        event=event_of(change), at_us=at_us,
    )  # fmt: skip
