"""Routes of notification, and the outbox: what is to be told, was told, or was given up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.alarms import Priority, What
from ic3.domain.envelope import time_text
from ic3.domain.notify import Route, RouteKind
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database

KEPT_DAYS: Final = 30
KEPT_DELIVERIES: Final = 100_000
# Of one route: what a dead receiver lets pile up takes no room from the others.
WAITING_LIMIT: Final = 2_000
GIVEN_UP_AFTER: Final = timedelta(hours=25)
ROUTES_LIMIT: Final = 200
BATCH: Final = 5000
BEYOND: Final = 2**63 - 1

ROUTES: Final = """
SELECT id, name, kind, address, recipients, enabled, least_priority, domains, sources, conditions,
    changes, quiet_from, quiet_until, quiet_priority, version
FROM ic3_route ORDER BY id
"""
ROUTE: Final = """
SELECT id, name, kind, address, recipients, enabled, least_priority, domains, sources, conditions,
    changes, quiet_from, quiet_until, quiet_priority, version
FROM ic3_route WHERE id = %(id)s FOR UPDATE
"""
TARGETS: Final = "SELECT route_id, url, secret FROM ic3_route_secret ORDER BY route_id"
COUNT_ROUTES: Final = "SELECT count(*) FROM ic3_route"
NAME_TAKEN: Final = """
SELECT EXISTS (SELECT FROM ic3_route WHERE name = %(name)s AND id <> %(id)s)
"""
ADD_ROUTE: Final = """
INSERT INTO ic3_route (name, kind, address, recipients, enabled, least_priority, domains, sources,
    conditions, changes, quiet_from, quiet_until, quiet_priority, changed_by)
VALUES (%(name)s, %(kind)s, %(address)s, %(recipients)s, %(enabled)s, %(least_priority)s,
    %(domains)s, %(sources)s, %(conditions)s, %(changes)s, %(quiet_from)s, %(quiet_until)s,
    %(quiet_priority)s, %(who)s)
RETURNING id
"""
CHANGE_ROUTE: Final = """
UPDATE ic3_route SET name = %(name)s, address = %(address)s, recipients = %(recipients)s,
    enabled = %(enabled)s, least_priority = %(least_priority)s, domains = %(domains)s,
    sources = %(sources)s, conditions = %(conditions)s, changes = %(changes)s,
    quiet_from = %(quiet_from)s, quiet_until = %(quiet_until)s,
    quiet_priority = %(quiet_priority)s, version = version + 1, changed_at = now(),
    changed_by = %(who)s
WHERE id = %(id)s
"""
KEEP_TARGET: Final = """
INSERT INTO ic3_route_secret (route_id, url, secret) VALUES (%(id)s, %(url)s, %(secret)s)
ON CONFLICT (route_id) DO UPDATE SET url = excluded.url, secret = excluded.secret
"""
CHANGE_URL: Final = "UPDATE ic3_route_secret SET url = %(url)s WHERE route_id = %(id)s"
CHANGE_KEY: Final = "UPDATE ic3_route_secret SET secret = %(secret)s WHERE route_id = %(id)s"
DELETE_ROUTE: Final = "DELETE FROM ic3_route WHERE id = %(id)s"
FORGET_TARGET: Final = "DELETE FROM ic3_route_secret WHERE route_id = %(id)s"
GIVE_UP_ROUTE: Final = """
UPDATE ic3_delivery SET state = 'dead', error = 'the route was deleted', ended_at = now()
WHERE route_id = %(id)s AND state = 'waiting'
"""
COUNT_WAITING: Final = """
SELECT route_id, count(*) FROM ic3_delivery WHERE state = 'waiting' GROUP BY route_id
"""
ENQUEUE: Final = """
INSERT INTO ic3_delivery (route_id, route, alarm_id, alarm_version, what, priority, event, next_at,
    created_at, queued_at)
SELECT route_id, route, alarm_id, alarm_version, what, priority, event, at, at, at
FROM jsonb_to_recordset(%(rows)s) AS given (n int, route_id bigint, route text, alarm_id bigint,
    alarm_version int, what text, priority smallint, event text, at timestamptz)
ORDER BY n
ON CONFLICT (route_id, alarm_id, alarm_version) DO NOTHING
"""
# In order; one that the receiver refused again and again steps behind the others.
WAITING_OF_ROUTE: Final = """
SELECT id, event, attempts, next_at, queued_at FROM ic3_delivery
WHERE route_id = %(route_id)s AND state = 'waiting'
ORDER BY (status IS NOT NULL AND attempts >= 10), id LIMIT %(limit)s
"""
WAITING_ROUTES: Final = """
SELECT route_id, min(next_at) FROM ic3_delivery WHERE state = 'waiting' GROUP BY route_id
"""
SETTLE: Final = """
UPDATE ic3_delivery SET state = %(state)s, attempts = attempts + 1, next_at = %(next_at)s,
    status = %(status)s, error = %(error)s, ended_at = %(ended_at)s
WHERE id = ANY(%(ids)s::bigint[]) AND state = 'waiting'
"""
PAGE: Final = """
SELECT id, route_id, route, alarm_id, alarm_version, what, priority, state, attempts, next_at,
    status, error, created_at, ended_at
FROM ic3_delivery
WHERE id < %(below)s AND (%(state)s::text IS NULL OR state = %(state)s::text)
    AND (%(route_id)s::bigint IS NULL OR route_id = %(route_id)s::bigint)
ORDER BY id DESC LIMIT %(limit)s
"""
DELIVERY: Final = """
SELECT d.route, d.alarm_id, d.alarm_version, d.state, r.id IS NOT NULL
FROM ic3_delivery d LEFT JOIN ic3_route r ON r.id = d.route_id
WHERE d.id = %(id)s FOR UPDATE OF d
"""
RESEND: Final = """
UPDATE ic3_delivery SET state = 'waiting', attempts = 0, next_at = %(now)s, queued_at = %(now)s,
    status = NULL, error = NULL, ended_at = NULL
WHERE id = %(id)s
"""
# A route that is disabled tries nothing, so nobody else gives them up.
GIVE_UP_OLD: Final = """
UPDATE ic3_delivery SET state = 'dead', error = 'not tried for a day: the route is disabled',
    ended_at = %(now)s
WHERE state = 'waiting' AND queued_at < %(before)s
"""
TRIM_DELIVERIES: Final = """
DELETE FROM ic3_delivery WHERE id IN (
    SELECT id FROM ic3_delivery WHERE created_at < %(before)s AND state <> 'waiting'
    ORDER BY created_at LIMIT 5000)
"""
TRIM_MANY_DELIVERIES: Final = """
DELETE FROM ic3_delivery WHERE id IN (
    SELECT id FROM ic3_delivery
    WHERE id < (SELECT id FROM ic3_delivery ORDER BY id DESC LIMIT 1 OFFSET %(keep)s)
        AND state <> 'waiting'
    ORDER BY id LIMIT 5000)
"""


class Secret(msgspec.Struct, frozen=True):
    """What of a webhook is never answered nor logged."""

    url: str
    secret: str

    def __repr__(self) -> str:
        return "Secret(…)"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an alarm for one route, to be put into the outbox."""

    route_id: int
    route: str
    alarm_id: int
    alarm_version: int
    what: What
    priority: Priority
    event: str
    at_us: int


class Waiting(msgspec.Struct, frozen=True):
    """A delivery that is to be tried."""

    id: int
    event: str
    attempts: int
    next_at: datetime
    queued_at: datetime


class Delivery(msgspec.Struct, frozen=True):
    """One delivery as people see it.

    Attributes:
        status: Of the last answer; null where there was none.
        error: Why the last try failed.
    """

    id: int
    route_id: int
    route: str
    alarm_id: int
    alarm_version: int
    what: str
    priority: int
    state: str
    attempts: int
    next_at: datetime
    status: int | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


class NotifyStore:
    """Keeps routes and deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def routes(self) -> list[Route]:
        """Every route, without what is secret of it."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(ROUTES)
            return [_route(row) for row in await cursor.fetchall()]

    async def secrets(self) -> dict[int, Secret]:
        """What of each webhook the sender alone may know."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(TARGETS)
            return {number: Secret(url, key) for number, url, key in await cursor.fetchall()}

    async def add(self, actor: Actor, route: Route, secret: Secret | None) -> Route:
        """Make a route; its number is given here.

        Raises:
            InputError: The name is taken, or there are too many.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(COUNT_ROUTES)).fetchone()
            if row is not None and row[0] >= ROUTES_LIMIT:
                raise InputError(f"routes: there are {ROUTES_LIMIT}, which is the limit")
            await _refuse_taken(connection, route)
            values = {**_values(route), "kind": route.kind.value, "who": actor.who}
            made = await (await connection.execute(ADD_ROUTE, values)).fetchone()
            assert made is not None
            route = msgspec.structs.replace(route, id=made[0])
            if secret is not None:
                await connection.execute(
                    KEEP_TARGET, {"id": route.id, "url": secret.url, "secret": secret.secret}
                )
            await record(connection, actor, "route made", route.name, after=_audited(route))
        return route

    async def change(
        self, actor: Actor, route_id: int, changes: Mapping[str, Any], *, url: str | None = None,
        secret: str | None = None, version: int | None = None,
    ) -> Route | None:  # fmt: skip
        """Change a route; None where there is none of this number.

        Args:
            actor: Who changes it.
            route_id: Which.
            changes: Fields of `Route` to their new values.
            url: The new one of a webhook.
            secret: Likewise.
            version: That it must have; None where it does not matter.

        Raises:
            InputError: The name is taken, or somebody changed it in between.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(ROUTE, {"id": route_id})).fetchone()
            if row is None:
                return None
            before = _route(row)
            if version is not None and version != before.version:
                raise InputError(
                    f"routes: it has version {before.version} by now; read it and try again"
                )
            after = msgspec.structs.replace(before, **changes, version=before.version + 1)
            await _refuse_taken(connection, after)
            await connection.execute(
                CHANGE_ROUTE, {**_values(after), "id": route_id, "who": actor.who}
            )
            if url is not None:
                await connection.execute(CHANGE_URL, {"id": route_id, "url": url})
            if secret is not None:
                await connection.execute(CHANGE_KEY, {"id": route_id, "secret": secret})
            told = {**_audited(after), "url_changed": url is not None,
                    "secret_changed": secret is not None}  # fmt: skip
            await record(
                connection, actor, "route changed", after.name, before=_audited(before), after=told
            )
        return after

    async def delete(self, actor: Actor, route_id: int) -> bool:
        """Delete a route and give up what waits for it; False where there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(ROUTE, {"id": route_id})).fetchone()
            if row is None:
                return False
            for statement in (FORGET_TARGET, GIVE_UP_ROUTE, DELETE_ROUTE):
                await connection.execute(statement, {"id": route_id})
            before = _route(row)
            await record(connection, actor, "route deleted", before.name, before=_audited(before))
        return True

    async def enqueue(self, messages: Sequence[Message]) -> int:
        """Put messages into the outbox, each once; answers how many it had no room for.

        Raises:
            StoreError: None of them is in it, or the outcome is unknown; again is safe.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(COUNT_WAITING)
            waiting = Counter[int](dict(await cursor.fetchall()))
            rows = list[dict[str, object]]()
            for message in messages:
                if waiting[message.route_id] < WAITING_LIMIT:
                    waiting[message.route_id] += 1
                    rows.append(_message(len(rows), message))
            await connection.execute(ENQUEUE, {"rows": Jsonb(rows)})
        return len(messages) - len(rows)

    async def waiting(self) -> dict[int, datetime]:
        """Each route that something waits for, and when the first of it is to be tried."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(WAITING_ROUTES)
            return dict(await cursor.fetchall())

    async def waiting_of(self, route_id: int, limit: int) -> list[Waiting]:
        """What waits for a route, in the order in which it is to be told."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                WAITING_OF_ROUTE, {"route_id": route_id, "limit": limit}
            )
            return [Waiting(*row) for row in await cursor.fetchall()]

    async def settle(
        self, ids: Sequence[int], state: str, *, now: datetime, next_at: datetime,
        status: int | None, error: str | None,
    ) -> None:  # fmt: skip
        """Note a try: sent, dead, or waiting for the next."""
        ended_at = None if state == "waiting" else now
        values = {"ids": list(ids), "state": state, "next_at": next_at, "status": status,
                  "error": error, "ended_at": ended_at}  # fmt: skip
        async with self._database.connection() as connection:
            await connection.execute(SETTLE, values)

    async def page(
        self, *, state: str | None, route_id: int | None, below: int | None, limit: int
    ) -> list[Delivery]:
        """Deliveries, newest first."""
        values = {
            "state": state, "route_id": route_id, "below": below or BEYOND, "limit": limit,
        }  # fmt: skip
        async with self._database.connection() as connection:
            cursor = await connection.execute(PAGE, values)
            return [Delivery(*row) for row in await cursor.fetchall()]

    async def resend(self, actor: Actor, delivery_id: int, now: datetime) -> bool:
        """Let an ended delivery be tried again; False where there is none of this number.

        Raises:
            InputError: It waits, or its route is gone.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(DELIVERY, {"id": delivery_id})).fetchone()
            if row is None:
                return False
            route, alarm_id, version, state, has_route = row
            if state == "waiting":
                raise InputError("delivery: it waits to be sent anyway")
            if not has_route:
                raise InputError("delivery: its route was deleted")
            await connection.execute(RESEND, {"id": delivery_id, "now": now})
            event = {"delivery": delivery_id, "event": f"{alarm_id}-{version}", "was": state}
            await record(connection, actor, "notification sent again", route, after=event)
        return True

    async def trim(self, now: datetime) -> None:
        """Give up what waits too long; let go of ended ones, old or too many, in small batches."""
        async with self._database.connection() as connection:
            await connection.execute(GIVE_UP_OLD, {"now": now, "before": now - GIVEN_UP_AFTER})
        before = {"before": now - timedelta(days=KEPT_DAYS)}
        full = True
        while full:
            async with self._database.connection() as connection:
                old = (await connection.execute(TRIM_DELIVERIES, before)).rowcount
                # `keep` rows are newer than the one that the offset finds.
                many = {"keep": KEPT_DELIVERIES - 1}
                full = (
                    max(old, (await connection.execute(TRIM_MANY_DELIVERIES, many)).rowcount)
                    == BATCH
                )


async def _refuse_taken(connection: Connection, route: Route) -> None:
    values = {"name": route.name, "id": route.id}
    row = await (await connection.execute(NAME_TAKEN, values)).fetchone()
    if row is not None and row[0]:
        raise InputError(f"routes: the name {route.name} is taken")


def _route(row: Sequence[Any]) -> Route:
    (number, name, kind, address, recipients, enabled, least, domains, sources, conditions, changes,
     quiet_from, quiet_until, quiet_priority, version) = row  # fmt: skip
    return Route(
        id=number, name=name, kind=RouteKind(kind), address=address, recipients=tuple(recipients),
        enabled=enabled, least_priority=Priority(least), domains=tuple(domains),
        sources=tuple(sources), conditions=tuple(conditions),
        changes=tuple(What(each) for each in changes), quiet_from=quiet_from,
        quiet_until=quiet_until,
        quiet_priority=None if quiet_priority is None else Priority(quiet_priority),
        version=version,
    )  # fmt: skip


def _values(route: Route) -> dict[str, object]:
    priority = route.quiet_priority
    return {
        "name": route.name, "address": route.address, "recipients": Jsonb(list(route.recipients)),
        "enabled": route.enabled, "least_priority": int(route.least_priority),
        "domains": Jsonb(list(route.domains)), "sources": Jsonb(list(route.sources)),
        "conditions": Jsonb(list(route.conditions)),
        "changes": Jsonb([each.value for each in route.changes]), "quiet_from": route.quiet_from,
        "quiet_until": route.quiet_until,
        "quiet_priority": None if priority is None else int(priority),
    }  # fmt: skip


def _audited(route: Route) -> dict[str, Any]:
    return dict(msgspec.to_builtins(route))


def _message(number: int, each: Message) -> dict[str, object]:
    return {
        "n": number, "route_id": each.route_id, "route": each.route, "alarm_id": each.alarm_id,
        "alarm_version": each.alarm_version, "what": each.what.value,
        "priority": int(each.priority), "event": each.event, "at": time_text(each.at_us),
    }  # fmt: skip
