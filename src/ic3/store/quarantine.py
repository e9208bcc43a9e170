"""Quarantine as people see it: listed, counted, marked as replayed, purged."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from ic3.domain.acts import Actor
from ic3.domain.envelope import FUTURE_LIMIT_US, YEAR_2000_US, Envelope
from ic3.domain.quarantine import readable, words_for
from ic3.domain.replays import JobKind, Scope
from ic3.errors import InputError
from ic3.store.audit import record
from ic3.store.pool import Database
from ic3.store.replays import create
from ic3.store.telemetry import moment

COUNT_REASONS: Final = """
SELECT scope, reason, count(*), sum(times_seen)::bigint, count(replayed_at)
FROM dead_letter GROUP BY scope, reason ORDER BY scope, reason
"""
PAGE: Final = """
SELECT id, scope, reason, sqlstate, detail, key, raw_length, first_seen_at, last_seen_at,
    times_seen, sweep_id, replayed_at
FROM dead_letter
WHERE id < %(below)s AND (%(scope)s::text IS NULL OR scope = %(scope)s::text)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s::text)
ORDER BY id DESC LIMIT %(limit)s
"""
ITEM: Final = """
SELECT id, scope, reason, sqlstate, detail, key, raw_length, first_seen_at, last_seen_at,
    times_seen, sweep_id, replayed_at, raw, raw_sha256
FROM dead_letter WHERE id = %(id)s
"""
RAW: Final = """
SELECT id, scope, reason, key, raw, raw_length, last_seen_at FROM dead_letter
WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id
"""
OPEN_IDS: Final = """
SELECT id FROM dead_letter
WHERE id > %(after)s AND replayed_at IS NULL
    AND (%(scope)s::text IS NULL OR scope = %(scope)s::text)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s::text)
ORDER BY id LIMIT %(limit)s
"""
STORED_ALREADY: Final = """
SELECT given.n - 1, t.content_hash, t.rejected IS NULL
FROM unnest(%(times)s::timestamptz[], %(serials)s::text[], %(records)s::text[])
    WITH ORDINALITY AS given (occurred_at, asset_id, record_id, n)
JOIN telemetry t ON t.occurred_at = given.occurred_at AND t.asset_id = given.asset_id
    AND t.record_id = given.record_id
"""
MARK: Final = """
UPDATE dead_letter SET replayed_at = now() WHERE id = ANY(%(ids)s::bigint[])
"""
REGISTERED: Final = """
SELECT asset_id FROM ic3_asset_master WHERE serialnumber = ANY(%(serials)s::text[])
"""
COUNT: Final = """
SELECT count(*) FROM dead_letter
WHERE (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[]))
    AND (%(scope)s::text IS NULL OR scope = %(scope)s::text)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s::text)
"""
PURGE: Final = """
DELETE FROM dead_letter
WHERE (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s::bigint[]))
    AND (%(scope)s::text IS NULL OR scope = %(scope)s::text)
    AND (%(reason)s::text IS NULL OR reason = %(reason)s::text)
RETURNING scope, reason
"""
BEYOND: Final = 2**63 - 1


class ReasonCount(msgspec.Struct, frozen=True):
    """How much is kept under one reason.

    Attributes:
        times_seen: How often it was met; one item may be met often.
    """

    scope: str
    reason: str
    words: str
    items: int
    times_seen: int
    replayed: int


class Item(msgspec.Struct, frozen=True):
    """One item without its bytes; `key` is escaped where it is no printable text."""

    id: int
    scope: str
    reason: str
    words: str
    sqlstate: str | None
    detail: str | None
    key: str
    raw_length: int
    first_seen_at: datetime
    last_seen_at: datetime
    times_seen: int
    sweep_id: int | None
    replayed_at: datetime | None


class Kept(NamedTuple):
    """What an item is replayed from; `raw` is cut where `raw_length` is more."""

    id: int
    scope: str
    reason: str
    key: bytes
    raw: bytes
    raw_length: int
    last_seen_at: datetime


class Stored(NamedTuple):
    """What telemetry has under the key of an envelope: the hash of its text, and all its tags."""

    content_hash: bytes
    whole: bool


class Choice(msgspec.Struct, frozen=True):
    """Which items: these, or all of a scope and a reason."""

    ids: list[int] | None = None
    scope: str | None = None
    reason: str | None = None


class QuarantineStore:
    """Reads `dead_letter` and notes what became of its items."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def counts(self) -> list[ReasonCount]:
        """How much is kept, by scope and reason."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(COUNT_REASONS)
            return [
                ReasonCount(scope, reason, words_for(reason), *rest)
                for scope, reason, *rest in await cursor.fetchall()
            ]

    async def page(
        self, *, scope: str | None, reason: str | None, limit: int, below: int | None
    ) -> list[Item]:
        """Items, the newest first; `below` is the last number of the page before."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                PAGE, {"scope": scope, "reason": reason, "limit": limit, "below": below or BEYOND}
            )
            return [_item(*row) for row in await cursor.fetchall()]

    async def item(self, number: int) -> tuple[Item, bytes, bytes] | None:
        """One item, its bytes and their SHA-256; None where there is none."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(ITEM, {"id": number})).fetchone()
            return None if row is None else (_item(*row[:-2]), bytes(row[-2]), bytes(row[-1]))

    async def open_ids(self, choice: Choice, limit: int, *, after: int = 0) -> list[int]:
        """Items of a choice behind `after` that were not replayed yet, the oldest first."""
        if choice.ids is not None:
            return choice.ids[:limit]
        async with self._database.connection() as connection:
            named = {"scope": choice.scope, "reason": choice.reason, "after": after}
            cursor = await connection.execute(OPEN_IDS, {**named, "limit": limit})
            return [row[0] for row in await cursor.fetchall()]

    async def kept(self, ids: Sequence[int]) -> list[Kept]:
        """What items are replayed from; those that are gone are left out."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(RAW, {"ids": list(ids)})
            return [Kept(*row) for row in await cursor.fetchall()]

    async def stored_already(self, envelopes: Sequence[Envelope]) -> dict[int, Stored]:
        """By position, what telemetry has under time, asset and record of the envelopes."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                STORED_ALREADY,
                {
                    "times": [moment(each.occurred_us) for each in envelopes],
                    "serials": [each.asset_id for each in envelopes],
                    "records": [each.record_id for each in envelopes],
                },
            )
            rows = await cursor.fetchall()
            return {n: Stored(bytes(content_hash), whole) for n, content_hash, whole in rows}

    async def mark_replayed(
        self, actor: Actor, taken: Mapping[int, Envelope], refused: Mapping[int, str],
        *, now_us: int,
    ) -> int | None:  # fmt: skip
        """Note a replay, and ask for the monitoring rows of what was taken.

        Args:
            actor: Who replays.
            taken: Item to the envelope that is in telemetry now.
            refused: Item to the reason for which it still is not.
            now_us: The wall clock; a time beyond now + 5 min makes no rows.

        Returns:
            The job that maps them; None where no registered asset has a plausible time.
        """
        async with self._database.connection() as connection:
            await connection.execute(MARK, {"ids": sorted(taken)})
            last = now_us + FUTURE_LIMIT_US
            mapped = [each for each in taken.values() if YEAR_2000_US <= each.occurred_us <= last]
            serials = sorted({each.asset_id for each in mapped})
            cursor = await connection.execute(REGISTERED, {"serials": serials})
            register_ids = [row[0] for row in await cursor.fetchall()]
            job = None
            if register_ids:
                times = [each.occurred_us for each in mapped]
                first, end = moment(min(times)), moment(max(times) + 1)
                scope = Scope(sorted(register_ids), None, first, end)
                job = await create(connection, actor, JobKind.MAP, scope, "quarantine replayed")
            await record(
                connection, actor, "quarantine replayed", f"{len(taken) + len(refused)} items",
                after={
                    "taken": sorted(taken), "refused": {str(n): why for n, why in refused.items()},
                    "replay": job,
                },
            )  # fmt: skip
            return job

    async def count(self, choice: Choice) -> int:
        """How many items a choice is."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(COUNT, msgspec.to_builtins(choice))).fetchone()
            return int(row[0]) if row else 0

    async def purge(self, actor: Actor, choice: Choice, *, confirm: int) -> int:
        """Delete items for good; answers how many.

        Args:
            actor: Who purges.
            choice: Which.
            confirm: How many they are; another number deletes nothing.

        Raises:
            InputError: They are more or fewer by now.
        """
        async with self._database.connection() as connection:
            named = msgspec.to_builtins(choice)
            rows = await (await connection.execute(PURGE, named)).fetchall()
            if len(rows) != confirm:
                raise InputError(
                    f"quarantine: {len(rows)} items, not {confirm}; nothing was deleted, look again"
                )
            reasons = sorted({f"{scope} {reason}" for scope, reason in rows})
            await record(
                connection, actor, "quarantine purged", f"{len(rows)} items",
                before={**named, "reasons": reasons},
            )  # fmt: skip
            return len(rows)


def _item(
    number: int, scope: str, reason: str, sqlstate: str | None, detail: str | None, key: bytes,
    *rest: object,
) -> Item:  # fmt: skip
    found = (
        number,
        scope,
        reason,
        words_for(reason),
        sqlstate,
        detail,
        readable(bytes(key)),
        *rest,
    )
    return Item(*found)  # type: ignore[arg-type]  # the rest are columns as the row has them
