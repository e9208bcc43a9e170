"""Envelopes: `telemetry`, `asset_latest`, `assets` and the sweep's own row."""

import struct
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, LiteralString

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.envelope import (
    FUTURE_LIMIT_US,
    YEAR_2000_US,
    Envelope,
    Reject,
    Value,
    key_of_serial,
    time_text,
)
from ic3.domain.sweeps import Origin, Rejected, Sweep, batches
from ic3.errors import Contended, Refused, StoreError
from ic3.store import copy_rows as rows
from ic3.store.dead_letter import keep_rejected
from ic3.store.pool import Connection, Database

NEXT_SWEEP_ID: Final = "SELECT nextval(pg_get_serial_sequence('ic3_sweep', 'id'))"

COPY_TELEMETRY: Final = """
COPY telemetry (occurred_at, asset_id, record_id, values, quality, alarm, domain, system_id,
    protocol, occurred_nanoseconds, received_at, content_hash, sweep_id, rejected, origin)
FROM STDIN (FORMAT binary)
"""

# Only where a key collides: the same batch again through a table of its own.
STAGE_TELEMETRY: Final = """
CREATE TEMPORARY TABLE staged_telemetry (LIKE telemetry) ON COMMIT DROP
"""
COPY_STAGED: Final = """
COPY staged_telemetry (occurred_at, asset_id, record_id, values, quality, alarm, domain, system_id,
    protocol, occurred_nanoseconds, received_at, content_hash, sweep_id, rejected, origin)
FROM STDIN (FORMAT binary)
"""
INSERT_STAGED: Final = """
INSERT INTO telemetry (occurred_at, asset_id, record_id, values, quality, alarm, domain, system_id,
    protocol, occurred_nanoseconds, received_at, content_hash, sweep_id, rejected, origin)
SELECT occurred_at, asset_id, record_id, values, quality, alarm, domain, system_id,
    protocol, occurred_nanoseconds, received_at, content_hash, sweep_id, rejected, origin
FROM staged_telemetry ORDER BY occurred_at, asset_id, record_id
ON CONFLICT DO NOTHING
RETURNING asset_id, record_id, occurred_at
"""
CONFLICTING: Final = """
SELECT asset_id, record_id, occurred_at
FROM staged_telemetry staged JOIN telemetry kept USING (occurred_at, asset_id, record_id)
WHERE kept.content_hash <> staged.content_hash
"""

# One row an asset in a sweep, so the statement never meets an asset twice.
MOVE_LATEST: Final = """
INSERT INTO asset_latest AS latest (asset_id, record_id, occurred_at, values, quality, alarm,
    domain, system_id, protocol, occurred_nanoseconds, received_at, content_hash, sweep_id)
SELECT asset_id, record_id, occurred_at, values, quality, alarm,
    domain, system_id, protocol, occurred_nanoseconds, received_at, content_hash, sweep_id
FROM telemetry
WHERE sweep_id = %(sweep_id)s AND occurred_at BETWEEN %(first)s AND %(last)s
ORDER BY asset_id
ON CONFLICT (asset_id) DO UPDATE SET
    record_id = excluded.record_id, occurred_at = excluded.occurred_at, values = excluded.values,
    quality = excluded.quality, alarm = excluded.alarm, domain = excluded.domain,
    system_id = excluded.system_id, protocol = excluded.protocol,
    occurred_nanoseconds = excluded.occurred_nanoseconds, received_at = excluded.received_at,
    content_hash = excluded.content_hash, sweep_id = excluded.sweep_id
WHERE (excluded.occurred_at, excluded.record_id) > (latest.occurred_at, latest.record_id)
"""

# `last_seen_at` moves once a minute: exact to the sweep it would double the rows written.
SEE_ASSETS: Final = """
INSERT INTO assets AS seen (asset_id, system_id, domain, protocol, first_seen_at, last_seen_at)
SELECT t.asset_id, t.system_id, t.domain, t.protocol, t.received_at, t.received_at
FROM telemetry t LEFT JOIN assets a ON a.asset_id = t.asset_id
WHERE t.sweep_id = %(sweep_id)s AND t.occurred_at BETWEEN %(first)s AND %(last)s
    AND (a.asset_id IS NULL OR a.last_seen_at < t.received_at - interval '1 minute'
        OR (a.system_id, a.domain, a.protocol) IS DISTINCT FROM (t.system_id, t.domain, t.protocol))
ORDER BY t.asset_id
ON CONFLICT (asset_id) DO UPDATE SET
    system_id = excluded.system_id, domain = excluded.domain, protocol = excluded.protocol,
    last_seen_at = greatest(seen.last_seen_at, excluded.last_seen_at)
"""

INSERT_SWEEP: Final = """
INSERT INTO ic3_sweep (id, begun_at, ended_at, keys_listed, keys_scanned, matched, unmatched,
    read_ok, unchanged, accepted, stored, duplicate, dead, gap, deferred, deferred_by,
    list_duplicates, list_rejected, failed, quarantined, tags_rejected, phase_ms, simulated, error,
    origin, spool, spool_id, times)
VALUES (%(id)s, %(begun_at)s, %(ended_at)s, %(keys_listed)s, %(keys_scanned)s, %(matched)s,
    %(unmatched)s, %(read_ok)s, %(unchanged)s, %(accepted)s, %(stored)s, %(duplicate)s, %(dead)s,
    %(gap)s, %(deferred)s, %(deferred_by)s, %(list_duplicates)s, %(list_rejected)s, %(failed)s,
    %(quarantined)s, %(tags_rejected)s, %(phase_ms)s, %(simulated)s, %(error)s, %(origin)s,
    %(spool)s, %(spool_id)s, %(times)s)
ON CONFLICT (id) DO NOTHING
"""
INSERT_KEYS: Final = """
INSERT INTO ic3_sweep_keys (sweep_id, at, keys) VALUES (%(sweep_id)s, %(at)s, %(keys)s)
ON CONFLICT (sweep_id) DO NOTHING
"""
# Whether a transaction whose end was not heard of did end well.
STORED_BEFORE: Final = """
SELECT id, stored, duplicate, dead, gap FROM ic3_sweep
WHERE spool = %(spool)s AND spool_id = %(spool_id)s
"""

LATEST_ASSETS: Final = """
SELECT asset_id, occurred_at, received_at, quality, alarm, content_hash, record_id
FROM asset_latest
"""

LATEST_ENVELOPE: Final = """
SELECT asset_id, record_id, system_id, domain, protocol, occurred_at, occurred_nanoseconds, values,
    quality, alarm, received_at, content_hash
FROM asset_latest WHERE asset_id = %(serial)s
"""

LAST_SWEEP_ID: Final = "SELECT max(id) FROM ic3_sweep WHERE origin = 'live'"

ENVELOPES_OF_SWEEPS: Final = """
SELECT asset_id, record_id, system_id, domain, protocol, occurred_at, occurred_nanoseconds, values,
    quality, alarm, received_at, content_hash
FROM telemetry WHERE sweep_id > %(after)s AND sweep_id <= %(last)s AND origin = 'live'
ORDER BY sweep_id DESC LIMIT %(limit)s
"""

READS_ANOTHER_PLANT: Final = """
SELECT EXISTS (SELECT FROM ic3_sweep WHERE accepted > 0 AND NOT simulated)
"""

_encode_json = msgspec.json.Encoder().encode
Key = tuple[str, str, int]
_FIELDS = struct.Struct(">h").pack
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """What the latest table says of an asset, for the memory of a new process."""

    serial: str
    occurred_us: int
    received_us: int
    quality: str | None
    alarm: str | None
    content_hash: bytes
    record_id: str


class NotAccepted(StoreError):  # noqa: N818  a state
    """The spool did not take the sweep, so it is not stored either."""


class RefusesEverything(StoreError):  # noqa: N818  a state
    """PostgreSQL refuses most of a sweep: our fault or the schema's, not the plant's."""


class _TriedOut(Exception):  # noqa: N818  takes back a trial
    """Ends a transaction that was only a trial."""


class TelemetryStore:
    """Saves sweeps and reads envelopes back.

    Args:
        database: Where to.
        spool: Identity of the spool that sweeps come through; empty for history.
    """

    def __init__(self, database: Database, *, spool: str = "") -> None:
        self._database = database
        self._spool = spool

    async def save(
        self, sweep: Sweep, *, now_us: int, accepted: Awaitable[bool] | None = None,
        uncertain: bool = False,
    ) -> None:  # fmt: skip
        """Store a sweep whole, in one transaction; on return it is durable.

        Rows are encoded and copied at once; the transaction is committed after the spool's.
        Fills the sweep's `sweep_id`, `stored`, `duplicate` and `dead`. Rows that PostgreSQL refuses
        are found by halving, put aside with their SQL state, and the others are stored.

        Args:
            sweep: A sweep whose reading has ended.
            now_us: The wall clock, microseconds since 1970 UTC; a time beyond now + 5 min never
                becomes latest.
            accepted: Ends once the spool has it (True) or could not take it (False).
            uncertain: Whether an earlier try may have stored it after all.

        Raises:
            DatabaseAway: Nothing was stored, or the outcome is unknown; saving again is safe.
            NotAccepted: The spool did not take it; nothing was stored.
            RefusesEverything: More than half of twenty or more were refused; nothing was stored.
            StoreError: PostgreSQL refused; nothing was stored.
        """
        if uncertain and await self._stored_before(sweep):
            return
        try:
            await self._save_or_stage(sweep, now_us, accepted)
        except Refused:
            await self._put_aside(sweep)
            try:
                await self._save_or_stage(sweep, now_us, accepted)
            except Refused:
                # It is none of the envelopes: they must not wait for what is only said of them.
                sweep.rejected, sweep.keys = [], {}
                await self._save_or_stage(sweep, now_us, accepted)

    async def _save_or_stage(
        self, sweep: Sweep, now_us: int, accepted: Awaitable[bool] | None
    ) -> None:
        try:
            await self._save(sweep, now_us, accepted, staged=False)
        except Contended:
            await self._save(sweep, now_us, accepted, staged=True)

    async def _stored_before(self, sweep: Sweep) -> bool:
        async with self._database.connection() as connection:
            key = {"spool": self._spool, "spool_id": sweep.spool_id}
            found = await (await connection.execute(STORED_BEFORE, key)).fetchone()
        if found is None:
            return False
        sweep.sweep_id, sweep.stored, sweep.duplicate, sweep.dead, sweep.gap = found
        return True

    async def _put_aside(self, sweep: Sweep) -> None:
        """Take what PostgreSQL refuses out of the sweep, into its rejects."""
        bad = await self._refused_among(sweep.envelopes)
        if len(sweep.envelopes) >= 20 and len(bad) > len(sweep.envelopes) / 2:
            raise RefusesEverything(
                f"database: it refuses {len(bad)} of {len(sweep.envelopes)} envelopes; nothing of"
                " the sweep is stored before this is mended"
            )
        gone = {id(envelope) for envelope, _ in bad}
        sweep.envelopes = [each for each in sweep.envelopes if id(each) not in gone]
        sweep.dead += len(bad)
        for envelope, error in bad:
            raw = envelope.text.encode()
            key = key_of_serial(envelope.asset_id)
            sweep.name_key("dead:refused_by_database", envelope.asset_id)
            sweep.rejected.append(
                Rejected("database", "refused_by_database", key, raw, len(raw), str(error),
                         error.sqlstate)
            )  # fmt: skip

    async def _refused_among(self, envelopes: Sequence[Envelope]) -> list[tuple[Envelope, Refused]]:
        """By halving: which of these PostgreSQL will not have."""
        try:
            async with self._database.connection() as connection:
                await connection.execute(STAGE_TELEMETRY)
                trial = [[encode_envelope(each, 0, Origin.LIVE) for each in envelopes]]
                await rows.copy(connection, COPY_STAGED, trial)
                await connection.execute(INSERT_STAGED)
                raise _TriedOut
        except _TriedOut:
            return []
        except Refused as error:
            if len(envelopes) == 1:
                return [(envelopes[0], error)]
        half = len(envelopes) // 2
        first = await self._refused_among(envelopes[:half])
        return first + await self._refused_among(envelopes[half:])

    async def known_assets(self) -> list[KnownAsset]:
        """Every asset of the latest table."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(LATEST_ASSETS, binary=True)
            return [
                KnownAsset(serial, microseconds(occurred_at), microseconds(received_at), *rest)
                for serial, occurred_at, received_at, *rest in await cursor.fetchall()
            ]

    async def newest(self, limit: int) -> list[Envelope]:
        """The envelopes received last, newest first."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(LAST_SWEEP_ID)).fetchone()
            last = (row and row[0]) or 0
            # A sweep of an unchanged plant brings nothing: look back over a day of sweeps.
            return await read_envelopes(connection, after=last - 5760, last=last, limit=limit)

    async def holds_a_real_plant(self) -> bool:
        """Whether telemetry of a real gateway is stored here."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(READS_ANOTHER_PLANT)).fetchone()
            return bool(row and row[0])

    async def _save(
        self, sweep: Sweep, now_us: int, accepted: Awaitable[bool] | None, *, staged: bool
    ) -> None:
        """One transaction: copied straight into the partitions, or through a staging table."""
        async with self._database.connection() as connection:
            sweep.sweep_id = sweep.sweep_id or await _next_id(connection)
            sweep.stored = len(sweep.envelopes)
            if staged:
                await connection.execute(STAGE_TELEMETRY)
                await rows.copy(connection, COPY_STAGED, _encoded(sweep))
                sweep.duplicates = _missing(sweep, await _keys(connection, INSERT_STAGED))
                sweep.stored -= len(sweep.duplicates)
                await _keep_conflicts(connection, sweep)
            elif sweep.envelopes:
                await rows.copy(connection, COPY_TELEMETRY, _encoded(sweep))
            sweep.duplicate = len(sweep.envelopes) - sweep.stored
            if sweep.stored:
                await self._follow(connection, sweep, now_us=now_us)
            await keep_rejected(connection, sweep)
            if accepted is not None and not await accepted:
                raise NotAccepted("database: the spool did not take the sweep")
            await self._insert_sweep(connection, sweep)

    async def _insert_sweep(self, connection: Connection, sweep: Sweep) -> None:
        """Write the sweep's own row, and which of its keys met with what."""
        plain = (
            "keys_listed", "keys_scanned", "matched", "unmatched", "read_ok", "unchanged",
            "accepted", "stored", "duplicate", "dead", "gap", "list_duplicates", "simulated",
            "error", "origin", "spool_id",
        )  # fmt: skip
        counted = ("list_rejected", "failed", "quarantined", "tags_rejected", "phase_ms", "times")
        await connection.execute(
            INSERT_SWEEP,
            {
                "id": sweep.sweep_id,
                "begun_at": sweep.begun_at,
                "ended_at": sweep.ended_at or sweep.begun_at,
                "deferred": sweep.deferred.total(),
                "deferred_by": Jsonb(sweep.deferred),
                "spool": self._spool if sweep.spool_id is not None else None,
                **{name: getattr(sweep, name) for name in plain},
                **{name: Jsonb(getattr(sweep, name)) for name in counted},
            },
        )
        if sweep.keys:
            keys = {"sweep_id": sweep.sweep_id, "at": sweep.begun_at, "keys": Jsonb(sweep.keys)}
            await connection.execute(INSERT_KEYS, keys)

    @staticmethod
    async def _follow(connection: Connection, sweep: Sweep, *, now_us: int) -> None:
        """Move the latest table and note who was seen."""
        times = [each.occurred_us for each in sweep.envelopes]
        span = {"first": moment(min(times)), "last": moment(max(times))}
        await connection.execute(SEE_ASSETS, {"sweep_id": sweep.sweep_id, **span})
        plausible = {
            "first": moment(max(min(times), YEAR_2000_US)),
            "last": moment(min(max(times), now_us + FUTURE_LIMIT_US)),
        }
        await connection.execute(MOVE_LATEST, {"sweep_id": sweep.sweep_id, **plausible})


async def _keep_conflicts(connection: Connection, sweep: Sweep) -> None:
    """Keep aside what telemetry has with another text."""
    conflicting = await _keys(connection, CONFLICTING)
    for envelope in sweep.duplicates:
        if _key(envelope) in conflicting:
            key = key_of_serial(envelope.asset_id)
            raw = envelope.text.encode()
            words = f"record_id {envelope.record_id}, {time_text(envelope.occurred_us)}"
            sweep.name_key(f"quarantined:{Reject.KEY_CONFLICT}", envelope.asset_id)
            sweep.reject(Rejected("envelope", Reject.KEY_CONFLICT, key, raw, len(raw), words))


async def _keys(connection: Connection, statement: LiteralString) -> set[Key]:
    cursor = await connection.execute(statement)
    return {(serial, record, microseconds(at)) for serial, record, at in await cursor.fetchall()}


def _key(envelope: Envelope) -> Key:
    return envelope.asset_id, envelope.record_id, envelope.occurred_us


def _missing(sweep: Sweep, stored: set[Key]) -> list[Envelope]:
    """Envelopes whose key was not stored; of two with one key the second is no news either."""
    left = set(stored)
    missing = []
    for envelope in sweep.envelopes:
        key = _key(envelope)
        if key in left:
            left.remove(key)
        else:
            missing.append(envelope)
    return missing


async def _next_id(connection: Connection) -> int:
    row = await (await connection.execute(NEXT_SWEEP_ID)).fetchone()
    assert row is not None
    return int(row[0])


async def read_envelopes(
    connection: Connection, *, after: int, last: int, limit: int
) -> list[Envelope]:
    """Read stored envelopes of sweeps `after` < id <= `last`, newest sweep first.

    Their `rejected` is empty and their `frame` is written anew: the raw text is not kept.
    """
    cursor = await connection.execute(
        ENVELOPES_OF_SWEEPS, {"after": after, "last": last, "limit": limit}, binary=True
    )
    return [_envelope(*row) for row in await cursor.fetchall()]


async def newest_envelope(connection: Connection, serial: str) -> Envelope | None:
    """The newest envelope of an asset, its `rejected` empty; None where none has arrived."""
    cursor = await connection.execute(LATEST_ENVELOPE, {"serial": serial}, binary=True)
    row = await cursor.fetchone()
    return None if row is None else _envelope(*row)


def _encoded(sweep: Sweep) -> Iterator[list[bytes]]:
    assert sweep.sweep_id is not None
    for batch in batches(sweep.envelopes):
        yield [encode_envelope(each, sweep.sweep_id, sweep.origin) for each in batch]


def encode_envelope(envelope: Envelope, sweep_id: int, origin: Origin) -> bytes:
    """One row of `telemetry` for the binary COPY."""
    text = rows.text
    return b"".join(
        (
            _FIELDS(15),
            rows.timestamp(envelope.occurred_us),
            text(envelope.asset_id),
            text(envelope.record_id),
            rows.jsonb(_encode_json(envelope.values)),
            text(envelope.quality),
            text(envelope.alarm),
            text(envelope.domain),
            text(envelope.system_id),
            text(envelope.protocol),
            rows.int2(envelope.occurred_nanoseconds),
            rows.timestamp(envelope.received_us),
            rows.binary(envelope.content_hash),
            rows.int8(sweep_id),
            rows.jsonb(_encode_json(envelope.rejected) if envelope.rejected else None),
            text(origin),
        )
    )


def moment(us: int) -> datetime:
    """Microseconds since 1970 as an aware time."""
    seconds, fraction = divmod(us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=fraction)


def microseconds(at: datetime) -> int:
    """An aware time as whole microseconds since 1970."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def frame_of(fields: Iterable[tuple[str, object]], occurred_us: int, nanoseconds: int) -> str:
    """The live frame of an envelope read back from the database."""
    document = dict(fields)
    document["occurred_at"] = f"{time_text(occurred_us)[:-1]}{nanoseconds:03d}Z"
    return _encode_json(document).decode()


def _envelope(
    serial: str, record_id: str, system_id: str | None, domain: str | None, protocol: str | None,
    occurred_at: datetime, nanoseconds: int, values: dict[str, Value], quality: str | None,
    alarm: str | None, received_at: datetime, content_hash: bytes,
) -> Envelope:  # fmt: skip
    occurred_us = microseconds(occurred_at)
    fields = {
        "record_id": record_id, "system_id": system_id, "asset_id": serial, "domain": domain,
        "protocol": protocol, "occurred_at": "", "values": values, "quality": quality,
        "alarm": alarm,
    }  # fmt: skip
    return Envelope(
        serial, record_id, system_id, domain, protocol, occurred_us, nanoseconds, values, {},
        quality, alarm, microseconds(received_at), content_hash,
        frame_of(fields.items(), occurred_us, nanoseconds), "",
    )  # fmt: skip
