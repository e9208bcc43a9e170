"""Readings that are missing: `data_gap`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from ic3.domain.gaps import Cause, Gap
from ic3.store.pool import Database
from ic3.store.telemetry import microseconds, moment

# The spool's row grows until it is forgotten there: the same again replaces, it never adds.
KEEP_GAPS: Final = """
INSERT INTO data_gap AS kept (spool, cause, asset_id, from_at, to_at, readings, estimated)
VALUES (%(spool)s, %(cause)s, %(asset_id)s, %(from_at)s, %(to_at)s, %(readings)s, %(estimated)s)
ON CONFLICT (from_at, cause, asset_id, spool) DO UPDATE SET
    to_at = greatest(kept.to_at, excluded.to_at),
    readings = greatest(kept.readings, excluded.readings)
"""
GAPS: Final = """
SELECT cause, asset_id, from_at, to_at, readings FROM data_gap
WHERE to_at >= %(since)s ORDER BY from_at DESC, cause, asset_id LIMIT %(limit)s
"""


class GapStore:
    """Keeps gaps for good.

    Args:
        database: Where.
        spool: Identity of the spool that counts them.
    """

    def __init__(self, database: Database, *, spool: str = "") -> None:
        self._database = database
        self._spool = spool

    async def keep(self, gaps: Sequence[Gap]) -> None:
        """Write gaps; writing the same ones again changes nothing."""
        ordered = sorted(gaps, key=lambda gap: (gap.from_us, gap.cause, gap.serial or ""))
        async with self._database.connection() as connection, connection.cursor() as cursor:
            await cursor.executemany(KEEP_GAPS, [self._row(gap) for gap in ordered])

    async def since(self, since: datetime, *, limit: int) -> list[Gap]:
        """Gaps that reach beyond a moment, newest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(GAPS, {"since": since, "limit": limit})
            return [
                Gap(Cause(cause), serial or None, microseconds(first), microseconds(last), readings)
                for cause, serial, first, last, readings in await cursor.fetchall()
            ]

    def _row(self, gap: Gap) -> dict[str, Any]:
        return {
            "spool": self._spool, "cause": gap.cause, "asset_id": gap.serial or "",
            "from_at": moment(gap.from_us), "to_at": moment(gap.to_us), "readings": gap.readings,
            "estimated": gap.estimated,
        }  # fmt: skip
