"""Quarantine: what was not taken, kept with its bytes."""

import hashlib
from typing import Final

from ic3.domain.sweeps import Rejected, Sweep
from ic3.store.pool import Connection

KEPT_BYTES: Final = 16 * 1024
# The key stands in an index, whose entries PostgreSQL bounds at 2,704 bytes.
KEPT_KEY_BYTES: Final = 1024
KEPT_ROWS: Final = 100_000

# A poisoned key that is polled all day is one line with a count.
KEEP: Final = """
INSERT INTO dead_letter AS kept (scope, reason, sqlstate, detail, key, raw, raw_length, raw_sha256,
    sweep_id, first_seen_at, last_seen_at, times_seen)
VALUES (%(scope)s, %(reason)s, %(sqlstate)s, %(detail)s, %(key)s, %(raw)s, %(raw_length)s,
    %(sha256)s, %(sweep_id)s, %(seen_at)s, %(seen_at)s, 1)
ON CONFLICT (raw_sha256, reason, key) DO UPDATE SET
    last_seen_at = excluded.last_seen_at, times_seen = kept.times_seen + 1,
    sweep_id = excluded.sweep_id
"""

TRIM: Final = """
DELETE FROM dead_letter WHERE id IN (
    SELECT id FROM dead_letter ORDER BY last_seen_at DESC OFFSET %(keep)s LIMIT 5000)
"""


async def keep_rejected(connection: Connection, sweep: Sweep) -> None:
    """Write what the sweep did not take."""
    if not sweep.rejected:
        return
    async with connection.cursor() as cursor:
        await cursor.executemany(KEEP, [_row(each, sweep) for each in _ordered(sweep.rejected)])


async def trim(connection: Connection) -> int:
    """Drop the oldest rows beyond the bound, a few thousand a call; answers how many."""
    return (await connection.execute(TRIM, {"keep": KEPT_ROWS})).rowcount


def _ordered(items: list[Rejected]) -> list[Rejected]:
    return sorted(items, key=lambda each: (each.key, each.reason))


def _row(item: Rejected, sweep: Sweep) -> dict[str, object]:
    raw = item.raw[:KEPT_BYTES]
    return {
        "scope": item.scope,
        "reason": item.reason,
        "sqlstate": item.sqlstate,
        "detail": _printable(item.detail),
        "key": item.key.encode("utf-8", "surrogatepass")[:KEPT_KEY_BYTES],
        "raw": raw,
        "raw_length": item.raw_length,
        "sha256": hashlib.sha256(raw).digest(),
        "sweep_id": sweep.sweep_id,
        "seen_at": sweep.begun_at,
    }


def _printable(text: str) -> str | None:
    return text.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")[:1000] or None
