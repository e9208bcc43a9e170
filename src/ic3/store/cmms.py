"""How far the synchronisation with the CMMS has come, and what it brings into the register."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from ic3.domain.acts import Actor
from ic3.store.audit import record
from ic3.store.merges import Source, difference, write
from ic3.store.pool import Database

# By number, not by name: what is added meanwhile comes behind, so that offsets stay true.
BATCH: Final = """
SELECT asset_id, serialnumber FROM ic3_asset_master
WHERE asset_id > %(after)s ORDER BY asset_id OFFSET %(offset)s LIMIT %(limit)s
"""
PROGRESS: Final = """
SELECT after_asset_id, begun_at, moved_at, ended_at, total, success, failed, skipped, begun_by
FROM ic3_cmms_sync
"""
BEGIN_BATCH: Final = """
INSERT INTO ic3_cmms_sync (after_asset_id, begun_at, moved_at, ended_at, total, success, failed,
    skipped, begun_by)
VALUES (%(after)s, now(), now(), NULL, %(total)s, 0, 0, 0, %(who)s)
ON CONFLICT (one) DO UPDATE SET
    after_asset_id = excluded.after_asset_id, begun_at = excluded.begun_at,
    moved_at = excluded.moved_at, ended_at = NULL, total = excluded.total, success = 0, failed = 0,
    skipped = 0, begun_by = excluded.begun_by
"""
MOVE: Final = """
UPDATE ic3_cmms_sync SET after_asset_id = %(asset_id)s, moved_at = now(),
    success = success + %(success)s, failed = failed + %(failed)s, skipped = skipped + %(skipped)s
"""
END_BATCH: Final = """
UPDATE ic3_cmms_sync SET ended_at = now(), moved_at = now(), skipped = skipped + %(skipped)s,
    after_asset_id = CASE WHEN %(at_end)s THEN NULL ELSE after_asset_id END
"""


class SyncProgress(msgspec.Struct, frozen=True):
    """Where the synchronisation stands.

    Attributes:
        after_asset_id: Behind this asset the next call without an offset goes on; None: first.
        ended_at: None where a batch runs or was cut off.
        total: Assets of the batch, of which the other three are done.
    """

    after_asset_id: int | None
    begun_at: datetime
    moved_at: datetime
    ended_at: datetime | None
    total: int
    success: int
    failed: int
    skipped: int
    begun_by: str


class CmmsStore:
    """Keeps the place of the synchronisation and writes what it brings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def progress(self) -> SyncProgress | None:
        """Where it stands; None where it never ran."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(PROGRESS)).fetchone()
            return SyncProgress(*row) if row else None

    async def begin(self, actor: Actor, *, batch: int, offset: int | None) -> list[tuple[int, str]]:
        """Number and serial number of the assets of a batch.

        Args:
            actor: Who synchronises.
            batch: How many at most.
            offset: How many of the register to pass over; None goes on where the last one ended
                or was cut off.
        """
        async with self._database.connection() as connection:
            row = await (await connection.execute(PROGRESS)).fetchone()
            after = row[0] if row and offset is None and row[0] is not None else -(2**31)
            named = {"after": after, "offset": offset or 0, "limit": batch}
            assets = await (await connection.execute(BATCH, named)).fetchall()
            place = assets[0][0] - 1 if assets else None
            begun = {"after": place, "total": len(assets), "who": actor.who}
            await connection.execute(BEGIN_BATCH, begun)
            return [(int(number), str(serial)) for number, serial in assets]

    async def settle(
        self, actor: Actor, fields: Mapping[str, Any] | None, *, asset_id: int | None,
        skipped: bool = False,
    ) -> int:  # fmt: skip
        """Write what the CMMS says of an asset, and move on; both or neither.

        Args:
            actor: Who synchronises.
            fields: What it says; None where it did not answer rightly.
            asset_id: The asset, to move on behind it; None where no batch is under way.
            skipped: Whether it was not asked.

        Returns:
            How many fields are in conflict with what a person entered.
        """
        async with self._database.connection() as connection:
            conflicts = 0
            if fields is not None:
                found = await difference(connection, "register", [fields])
                await write(connection, found, source=Source.CMMS, by=actor.who)
                conflicts = found.conflicts
            if asset_id is not None:
                good, left = fields is not None, skipped
                named = {
                    "asset_id": asset_id, "success": int(good), "skipped": int(left),
                    "failed": int(not good and not left),
                }  # fmt: skip
                await connection.execute(MOVE, named)
            return conflicts

    async def end(
        self, actor: Actor, object_: str, told: Mapping[str, Any], *, left: int, at_end: bool,
        batch: bool = True,
    ) -> None:  # fmt: skip
        """Note that a synchronisation ended.

        Args:
            actor: Who synchronised.
            object_: What.
            told: What is answered, for the audit log.
            left: Assets of the batch that were not come to.
            at_end: Whether the register is through: the next one begins anew.
            batch: Whether it was a batch.
        """
        async with self._database.connection() as connection:
            if batch:
                await connection.execute(END_BATCH, {"skipped": left, "at_end": at_end})
            await record(connection, actor, "cmms synchronised", object_, after=dict(told))
