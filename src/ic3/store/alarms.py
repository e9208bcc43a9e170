"""Alarms, their history and what holds them: written behind the memory, read at start."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.alarm_history import AlarmEvent, AlarmFilter
from ic3.domain.alarm_journal import ACTS, Batch, Entry, HoldEntry
from ic3.domain.alarms import Alarm, AlarmState, Hold, HoldKind, Priority, What
from ic3.domain.envelope import time_text
from ic3.store.audit import NewAct, record_many
from ic3.store.pool import Connection, Database
from ic3.store.telemetry import microseconds

KEPT_DAYS: Final = 400
KEPT_ALARMS: Final = 500_000
KEPT_EVENTS: Final = 2_000_000
TRIM_BATCH: Final = 5000
EVIDENCE_LIMIT_BYTES: Final = 16_384

# By number: a closed alarm makes room for the next of its condition. An older state, come again,
# changes nothing.
KEEP_ALARMS: Final = """
INSERT INTO ic3_alarm AS kept (id, version, source_kind, source, condition, priority, state, active,
    text, domain, dma_id, tag, value, limit_value, unit, rule_id, notify, evidence, raised_at,
    returned_at, acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id)
SELECT id, version, source_kind, source, condition, priority, state, active, text, domain, dma_id,
    tag, value, limit_value, unit, rule_id, notify, evidence, raised_at, returned_at,
    acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id
FROM jsonb_to_recordset(%(rows)s) AS given (id bigint, version int, source_kind text, source text,
    condition text, priority smallint, state text, active boolean, text text, domain text,
    dma_id text, tag text, value double precision, limit_value double precision, unit text,
    rule_id bigint, notify jsonb, evidence jsonb, raised_at timestamptz, returned_at timestamptz,
    acknowledged_at timestamptz, acknowledged_by text, cleared_at timestamptz, flaps int,
    comments int, held text, hold_id bigint)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    version = excluded.version, priority = excluded.priority, state = excluded.state,
    active = excluded.active, text = excluded.text, value = excluded.value,
    limit_value = excluded.limit_value, returned_at = excluded.returned_at,
    acknowledged_at = excluded.acknowledged_at, acknowledged_by = excluded.acknowledged_by,
    cleared_at = excluded.cleared_at, flaps = excluded.flaps, comments = excluded.comments,
    held = excluded.held, hold_id = excluded.hold_id
WHERE kept.version < excluded.version
"""
KEEP_EVENTS: Final = """
INSERT INTO ic3_alarm_event (alarm_id, version, at, what, state, active, priority, value, held,
    hold_id, who, note)
SELECT alarm_id, version, at, what, state, active, priority, value, held, hold_id, who, note
FROM jsonb_to_recordset(%(rows)s) AS given (alarm_id bigint, version int, at timestamptz, what text,
    state text, active boolean, priority smallint, value double precision, held text,
    hold_id bigint, who text, note text)
ORDER BY alarm_id, version
ON CONFLICT DO NOTHING
RETURNING alarm_id, version
"""
KEEP_HOLDS: Final = """
INSERT INTO ic3_alarm_hold AS kept (id, kind, reason, who, from_at, until_at, source_kind, source,
    condition, domain, dma_id, ended_at, ended_by)
SELECT id, kind, reason, who, from_at, until_at, source_kind, source, condition, domain, dma_id,
    ended_at, ended_by
FROM jsonb_to_recordset(%(rows)s) AS given (id bigint, kind text, reason text, who text,
    from_at timestamptz, until_at timestamptz, source_kind text, source text, condition text,
    domain text, dma_id text, ended_at timestamptz, ended_by text)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, ended_by = excluded.ended_by
WHERE kept.ended_at IS NULL AND excluded.ended_at IS NOT NULL
RETURNING id, xmax = 0, ended_at IS NOT NULL
"""
CLOSE_OTHERS: Final = """
UPDATE ic3_alarm SET state = 'cleared', active = false, cleared_at = %(at)s
WHERE source_kind = %(source_kind)s AND source = %(source)s AND condition = %(condition)s
    AND state <> 'cleared' AND id <> %(id)s
RETURNING id
"""
OPEN_ALARMS: Final = """
SELECT id, version, source_kind, source, condition, priority, state, active, text, domain, dma_id,
    tag, value, limit_value, unit, rule_id, notify, evidence, raised_at, returned_at,
    acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id
FROM ic3_alarm WHERE state <> 'cleared' ORDER BY id
"""
OPEN_HOLDS: Final = """
SELECT id, kind, reason, who, from_at, until_at, source_kind, source, condition, domain, dma_id,
    ended_at, ended_by
FROM ic3_alarm_hold WHERE ended_at IS NULL ORDER BY id
"""
# The history may know an alarm that the outage did not let us keep, and so may the outbox and the
# work orders, which are written beside it: a number that is given again would be taken for one that
# was told, or that has an order.
LAST_IDS: Final = """
SELECT greatest((SELECT max(id) FROM ic3_alarm), (SELECT max(alarm_id) FROM ic3_alarm_event),
        (SELECT max(alarm_id) FROM (SELECT alarm_id FROM ic3_delivery
            ORDER BY id DESC LIMIT 20000) newest),
        (SELECT max(alarm_id) FROM (SELECT alarm_id FROM ic3_work_order
            ORDER BY id DESC LIMIT 20000) newest), 0),
    coalesce((SELECT max(id) FROM ic3_alarm_hold), 0)
"""
ALARM: Final = """
SELECT id, version, source_kind, source, condition, priority, state, active, text, domain, dma_id,
    tag, value, limit_value, unit, rule_id, notify, evidence, raised_at, returned_at,
    acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id
FROM ic3_alarm WHERE id = %(id)s
"""
PAGE: Final = """
SELECT id, version, source_kind, source, condition, priority, state, active, text, domain, dma_id,
    tag, value, limit_value, unit, rule_id, notify, evidence, raised_at, returned_at,
    acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id
FROM ic3_alarm
WHERE raised_at >= %(from_at)s AND raised_at < %(until_at)s
    AND (raised_at, id) < (%(before_at)s, %(before_id)s)
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(scope)s::text[] IS NULL OR source_kind = 'system' OR domain = ANY(%(scope)s::text[]))
    AND (%(dma_ids)s::text[] IS NULL OR dma_id = ANY(%(dma_ids)s::text[]))
    AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s::text[]))
    AND (%(conditions)s::text[] IS NULL OR condition = ANY(%(conditions)s::text[]))
    AND (%(text)s::text IS NULL
        OR strpos(lower(source || ' ' || condition || ' ' || text), lower(%(text)s::text)) > 0)
ORDER BY raised_at DESC, id DESC LIMIT %(limit)s
"""
# The generic plan of PAGE walks by time; the past of a few sources is found by source.
PAGE_OF_SOURCES: Final = """
SELECT id, version, source_kind, source, condition, priority, state, active, text, domain, dma_id,
    tag, value, limit_value, unit, rule_id, notify, evidence, raised_at, returned_at,
    acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id
FROM ic3_alarm
WHERE source = ANY(%(sources)s::text[])
    AND raised_at >= %(from_at)s AND raised_at < %(until_at)s
    AND (raised_at, id) < (%(before_at)s, %(before_id)s)
    AND (%(priorities)s::int[] IS NULL OR priority = ANY(%(priorities)s::int[]))
    AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(scope)s::text[] IS NULL OR source_kind = 'system' OR domain = ANY(%(scope)s::text[]))
    AND (%(dma_ids)s::text[] IS NULL OR dma_id = ANY(%(dma_ids)s::text[]))
    AND (%(conditions)s::text[] IS NULL OR condition = ANY(%(conditions)s::text[]))
    AND (%(text)s::text IS NULL
        OR strpos(lower(source || ' ' || condition || ' ' || text), lower(%(text)s::text)) > 0)
ORDER BY raised_at DESC, id DESC LIMIT %(limit)s
"""
EVENTS: Final = """
SELECT version, at, what, state, active, priority, value, held, hold_id, who, note
FROM ic3_alarm_event WHERE alarm_id = %(id)s ORDER BY version DESC LIMIT 1000
"""
# The newest row stays: its number is the last that was given.
TRIM_ALARMS: Final = """
DELETE FROM ic3_alarm WHERE id IN (
    SELECT id FROM ic3_alarm WHERE cleared_at < %(before)s ORDER BY cleared_at LIMIT 5000)
    AND id < (SELECT max(id) FROM ic3_alarm)
"""
TRIM_MANY_ALARMS: Final = """
DELETE FROM ic3_alarm WHERE id IN (
    SELECT id FROM ic3_alarm
    WHERE cleared_at < (SELECT cleared_at FROM ic3_alarm WHERE cleared_at IS NOT NULL
        ORDER BY cleared_at DESC LIMIT 1 OFFSET %(keep)s)
    ORDER BY cleared_at LIMIT 5000)
    AND id < (SELECT max(id) FROM ic3_alarm)
"""
TRIM_EVENTS: Final = """
DELETE FROM ic3_alarm_event WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ic3_alarm_event WHERE at < %(before)s ORDER BY at LIMIT 5000))
"""
TRIM_MANY_EVENTS: Final = """
DELETE FROM ic3_alarm_event WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ic3_alarm_event
    WHERE at < (SELECT at FROM ic3_alarm_event ORDER BY at DESC LIMIT 1 OFFSET %(keep)s)
    ORDER BY at LIMIT 5000))
"""
TRIM_HOLDS: Final = """
DELETE FROM ic3_alarm_hold WHERE id IN (
    SELECT id FROM ic3_alarm_hold WHERE ended_at < %(before)s ORDER BY ended_at LIMIT 5000)
    AND id < (SELECT max(id) FROM ic3_alarm_hold)
"""


class Restored(NamedTuple):
    """What a new process begins with; the fields are arguments of `Alarms.restore`."""

    alarms: list[Alarm]
    holds: list[Hold]
    last_id: int
    last_hold_id: int


class AlarmStore:
    """Writes what the journal brings and reads it back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, batch: Batch) -> None:
        """Write states, history, holds and the acts of people, all or nothing.

        What is there already is left alone: after an unknown outcome the same may be sent again.

        Raises:
            DatabaseAway: Nothing was written, or the outcome is unknown.
            Contended: Another alarm of the same condition is open there; nothing was written.
            Refused: PostgreSQL will not have one of them; nothing was written.
        """
        async with self._database.connection() as connection:
            acts = await _keep_holds(connection, batch.holds)
            if batch.alarms:
                rows = [_alarm_row(each) for each in sorted(batch.alarms, key=lambda a: a.id)]
                await connection.execute(KEEP_ALARMS, {"rows": Jsonb(rows)})
            acts += await _keep_events(connection, batch.entries)
            await record_many(connection, [act for _, act in sorted(acts, key=lambda a: a[0])])

    async def close_others(self, alarm: Alarm) -> list[int]:
        """Close what else is open of an alarm's condition; answers the numbers."""
        row = _alarm_row(alarm)
        named = {name: row[name] for name in ("id", "source_kind", "source", "condition")}
        async with self._database.connection() as connection:
            cursor = await connection.execute(CLOSE_OTHERS, {**named, "at": row["raised_at"]})
            return [number for (number,) in await cursor.fetchall()]

    async def restore(self) -> Restored:
        """Open alarms, standing holds, and the greatest numbers ever given."""
        async with self._database.connection() as connection:
            alarms = await (await connection.execute(OPEN_ALARMS)).fetchall()
            holds = await (await connection.execute(OPEN_HOLDS)).fetchall()
            last = await (await connection.execute(LAST_IDS)).fetchone()
        assert last is not None
        return Restored([_alarm(row) for row in alarms], [_hold(row) for row in holds], *last)

    async def alarm(self, alarm_id: int) -> Alarm | None:
        """One alarm as it is stored, open or closed."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(ALARM, {"id": alarm_id})).fetchone()
        return None if row is None else _alarm(row)

    async def events(self, alarm_id: int) -> list[AlarmEvent]:
        """The last thousand changes of an alarm, oldest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(EVENTS, {"id": alarm_id})
            return [_event(*row) for row in reversed(await cursor.fetchall())]

    async def page(
        self, wanted: AlarmFilter, *, limit: int, before: tuple[datetime, int]
    ) -> list[Alarm]:
        """Stored alarms, open and closed, newest raise first.

        Args:
            wanted: Which.
            limit: How many at most.
            before: Raise and number of the last of the page before.
        """
        statement = PAGE_OF_SOURCES if wanted.sources else PAGE
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                statement,
                {
                    "from_at": wanted.from_at, "until_at": wanted.until_at,
                    "before_at": before[0], "before_id": before[1],
                    "priorities": list(wanted.priorities) or None,
                    "domains": list(wanted.domains) or None,
                    "scope": None if wanted.scope is None else sorted(wanted.scope),
                    "dma_ids": list(wanted.dma_ids) or None,
                    "sources": list(wanted.sources) or None,
                    "conditions": list(wanted.conditions) or None,
                    "text": wanted.text or None, "limit": limit,
                },
            )  # fmt: skip
            return [_alarm(row) for row in await cursor.fetchall()]

    async def trim(self, now: datetime) -> int:
        """Let go of what is old or too much, in small batches; answers how many rows."""
        before = {"before": now - timedelta(days=KEPT_DAYS)}
        # `keep` rows are newer than the one that the offset finds.
        gone = 0
        for statement, bound in (
            (TRIM_ALARMS, before), (TRIM_MANY_ALARMS, {"keep": KEPT_ALARMS - 1}),
            (TRIM_EVENTS, before), (TRIM_MANY_EVENTS, {"keep": KEPT_EVENTS - 1}),
            (TRIM_HOLDS, before),
        ):  # fmt: skip
            full = True
            while full:
                async with self._database.connection() as connection:
                    count = (await connection.execute(statement, bound)).rowcount
                gone += count
                full = count == TRIM_BATCH
        return gone


async def _keep_holds(
    connection: Connection, holds: Mapping[int, HoldEntry]
) -> list[tuple[int, NewAct]]:
    """Write holds; answers the acts that are new, each with its number in the journal."""
    if not holds:
        return []
    newest = {each.hold.id: each.hold for each in holds.values()}
    rows = [_hold_row(newest[number]) for number in sorted(newest)]
    cursor = await connection.execute(KEEP_HOLDS, {"rows": Jsonb(rows)})
    changed = {number: (made, ended) for number, made, ended in await cursor.fetchall()}
    return [
        (number, _hold_act(entry.actor, entry.hold))
        for number, entry in holds.items()
        if entry.actor is not None and changed.get(entry.hold.id, (False, False))[_side(entry.hold)]
    ]


async def _keep_events(
    connection: Connection, entries: Mapping[int, Entry]
) -> list[tuple[int, NewAct]]:
    """Write history; answers the acts that are new, each with its number in the journal."""
    if not entries:
        return []
    rows = [_event_row(each) for each in entries.values()]
    cursor = await connection.execute(KEEP_EVENTS, {"rows": Jsonb(rows)})
    new = set(await cursor.fetchall())
    return [
        (number, _act(entry.actor, entry))
        for number, entry in entries.items()
        if entry.actor is not None and entry.change.what in ACTS and entry.key in new
    ]


def _side(hold: Hold) -> int:
    """Whether an entry is of a hold that is made or of one that is ended."""
    return 0 if hold.ended_us is None else 1


def _act(actor: Actor, entry: Entry) -> NewAct:
    change, alarm = entry.change, entry.change.alarm
    about = {"source": _clean(alarm.source), "condition": _clean(alarm.condition)}
    after = {"state": alarm.state.value, **about, "note": _clean(change.note)}
    if change.what is What.COMMENT:
        return NewAct(actor, "alarm commented", f"alarm {alarm.id}", None, after)
    was = AlarmState.RETURNED if alarm.state is AlarmState.CLEARED else AlarmState.UNACKNOWLEDGED
    return NewAct(
        actor, "alarm acknowledged", f"alarm {alarm.id}", {"state": was.value}, after
    )  # fmt: skip


def _hold_act(actor: Actor, hold: Hold) -> NewAct:
    words = {
        HoldKind.SHELVED: "shelved", HoldKind.SUPPRESSED: "suppressed",
        HoldKind.OUT_OF_SERVICE: "taken out of service",
    }[hold.kind]  # fmt: skip
    shown = _hold_row(hold)
    if hold.ended_us is None:
        return NewAct(actor, f"alarms {words}", f"hold {hold.id}", None, shown)
    return NewAct(actor, "hold ended", f"hold {hold.id}", {**shown, "ended_at": None}, shown)


def _alarm_row(alarm: Alarm) -> dict[str, Any]:
    return {
        "id": alarm.id, "version": alarm.version, "source_kind": alarm.source_kind,
        "source": _clean(alarm.source), "condition": _clean(alarm.condition),
        "priority": int(alarm.priority), "state": alarm.state.value, "active": alarm.active,
        "text": _clean(alarm.text), "domain": _clean(alarm.domain),
        "dma_id": _clean(alarm.dma_id), "tag": _clean(alarm.tag), "value": _finite(alarm.value),
        "limit_value": _finite(alarm.limit), "unit": _clean(alarm.unit), "rule_id": alarm.rule_id,
        "notify": [_clean(each) for each in alarm.notify], "evidence": _evidence(alarm.evidence),
        "raised_at": time_text(alarm.raised_us), "returned_at": _time(alarm.returned_us),
        "acknowledged_at": _time(alarm.acknowledged_us),
        "acknowledged_by": _clean(alarm.acknowledged_by), "cleared_at": _time(alarm.cleared_us),
        "flaps": alarm.flaps, "comments": alarm.comments, "held": alarm.held,
        "hold_id": alarm.hold_id,
    }  # fmt: skip


def _event_row(entry: Entry) -> dict[str, Any]:
    change, alarm = entry.change, entry.change.alarm
    return {
        "alarm_id": alarm.id, "version": alarm.version, "at": time_text(change.at_us),
        "what": change.what.value, "state": alarm.state.value, "active": alarm.active,
        "priority": int(alarm.priority), "value": _finite(alarm.value), "held": alarm.held,
        "hold_id": alarm.hold_id, "who": _clean(change.who), "note": _clean(change.note),
    }  # fmt: skip


def _hold_row(hold: Hold) -> dict[str, Any]:
    return {
        "id": hold.id, "kind": hold.kind.value, "reason": _clean(hold.reason),
        "who": _clean(hold.who), "from_at": time_text(hold.from_us),
        "until_at": _time(hold.until_us), "source_kind": hold.source_kind,
        "source": _clean(hold.source), "condition": _clean(hold.condition),
        "domain": _clean(hold.domain), "dma_id": _clean(hold.dma_id),
        "ended_at": _time(hold.ended_us), "ended_by": _clean(hold.ended_by),
    }  # fmt: skip


def _alarm(row: Sequence[Any]) -> Alarm:
    (
        number, version, source_kind, source, condition, priority, state, active, text, domain,
        dma_id, tag, value, limit, unit, rule_id, notify, evidence, raised_at, returned_at,
        acknowledged_at, acknowledged_by, cleared_at, flaps, comments, held, hold_id,
    ) = row  # fmt: skip
    return Alarm(
        id=number, version=version, source_kind=source_kind, source=source, condition=condition,
        priority=Priority(priority), state=AlarmState(state), active=active, text=text,
        domain=domain, dma_id=dma_id, tag=tag, value=value, limit=limit, unit=unit,
        rule_id=rule_id, notify=tuple(notify), evidence=evidence,
        raised_us=microseconds(raised_at), returned_us=_us(returned_at),
        acknowledged_us=_us(acknowledged_at), acknowledged_by=acknowledged_by,
        cleared_us=_us(cleared_at), flaps=flaps, comments=comments,
        held=None if held is None else HoldKind(held), hold_id=hold_id,
    )  # fmt: skip


def _hold(row: Sequence[Any]) -> Hold:
    (
        number, kind, reason, who, from_at, until_at, source_kind, source, condition, domain,
        dma_id, ended_at, ended_by,
    ) = row  # fmt: skip
    return Hold(
        id=number, kind=HoldKind(kind), reason=reason, who=who, from_us=microseconds(from_at),
        until_us=_us(until_at), source_kind=source_kind, source=source, condition=condition,
        domain=domain, dma_id=dma_id, ended_us=_us(ended_at), ended_by=ended_by,
    )  # fmt: skip


def _event(
    version: int, at: datetime, what: str, state: str, active: bool, priority: int,
    value: float | None, held: str | None, hold_id: int | None, who: str | None, note: str | None,
) -> AlarmEvent:  # fmt: skip
    return AlarmEvent(
        version=version, at=time_text(microseconds(at)), what=what, state=state, active=active,
        priority=priority, value=value, held=held, hold_id=hold_id, who=who, note=note,
    )  # fmt: skip


def _time(us: int | None) -> str | None:
    return None if us is None else time_text(us)


def _us(at: datetime | None) -> int | None:
    return None if at is None else microseconds(at)


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _clean(text: str | None) -> str | None:
    """Text that PostgreSQL holds: one alarm must not keep all others from being stored."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _evidence(evidence: Mapping[str, Any] | None) -> Any:
    """JSON that PostgreSQL holds; of anything else only that it was there."""
    if evidence is None:
        return None
    try:
        text = msgspec.json.encode(evidence)
    except (TypeError, ValueError, UnicodeEncodeError):
        return {"left_out": "it is not JSON"}
    if len(text) > EVIDENCE_LIMIT_BYTES or b"\\u0000" in text:
        return {"left_out": "it is too long or holds a NUL"}
    return msgspec.json.decode(text)
