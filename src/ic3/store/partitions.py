"""Daily partitions: made ahead, dropped when old, and the bounded tables trimmed."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from psycopg.sql import SQL, Identifier, Literal

from ic3.store import dead_letter
from ic3.store.pool import Connection, Database

PARTITIONED: Final = {"telemetry": "occurred_at", "ic3_asset_monitoring_data": "recorded_at"}
DAYS_AHEAD: Final = 2
RUN_LOG_DAYS: Final = 30
KEY_HOURS: Final = 48
GAP_DAYS: Final = 400

# Two programs on one database take turns; any number will do as long as it stays.
TAKE_TURN: Final = "SELECT pg_advisory_xact_lock(6906723)"
EXISTING: Final = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %(table)s::regclass
"""
SIZES_OF_DAYS: Final = """
SELECT sum(pg_total_relation_size(c.oid))::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('telemetry'::regclass, 'ic3_asset_monitoring_data'::regclass)
    AND right(c.relname, 8) < %(today)s
GROUP BY right(c.relname, 8) ORDER BY right(c.relname, 8) DESC
"""
TRIM_RUNS: Final = """
DELETE FROM ic3_ingest_run_log WHERE id IN (
    SELECT id FROM ic3_ingest_run_log WHERE run_at < %(before)s ORDER BY run_at LIMIT 5000)
"""
TRIM_SWEEPS: Final = """
DELETE FROM ic3_sweep WHERE id IN (
    SELECT id FROM ic3_sweep WHERE begun_at < %(before)s ORDER BY id LIMIT 5000)
"""
TRIM_KEYS: Final = """
DELETE FROM ic3_sweep_keys WHERE sweep_id IN (
    SELECT sweep_id FROM ic3_sweep_keys WHERE at < %(before)s ORDER BY at LIMIT 5000)
"""
TRIM_GAPS: Final = """
DELETE FROM data_gap WHERE (from_at, cause, asset_id, spool) IN (
    SELECT from_at, cause, asset_id, spool FROM data_gap WHERE from_at < %(before)s
    ORDER BY from_at LIMIT 5000)
"""
# Rows whose own time is implausible live in DEFAULT and go by when they were received.
TRIM_DEFAULT_READINGS: Final = """
DELETE FROM ic3_asset_monitoring_data_default d USING telemetry_default t, ic3_asset_master m
WHERE t.received_at < %(before)s AND m.serialnumber = t.asset_id
    AND d.asset_id = m.asset_id AND d.recorded_at = t.occurred_at
"""
TRIM_DEFAULT: Final = "DELETE FROM telemetry_default WHERE received_at < %(before)s"


class PartitionStore:
    """Makes and drops daily partitions."""

    def __init__(self, database: Database, *, raw_days: int) -> None:
        self._database = database
        self._raw_days = raw_days

    async def make(self, today: date) -> int:
        """Make what is missing from the horizon to two days ahead; answers how many."""
        made = 0
        for table in PARTITIONED:
            async with self._database.connection() as connection:
                existing = await _existing(connection, table)
                for offset in range(-self._raw_days, DAYS_AHEAD + 1):
                    day = today + timedelta(days=offset)
                    if partition_name(table, day) not in existing:
                        await _make(connection, table, day)
                        made += 1
        return made

    async def sizes_bytes(self, today: date) -> list[int]:
        """Size of each past day with its indexes, newest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(SIZES_OF_DAYS, {"today": f"{today:%Y%m%d}"})
            return [row[0] for row in await cursor.fetchall()]

    async def drop_old(self, now: datetime) -> int:
        """Drop partitions beyond the horizon and trim the bounded tables; answers how many fell."""
        before = datetime.combine(now.date(), time(), UTC) - timedelta(days=self._raw_days)
        dropped = 0
        for table in PARTITIONED:
            async with self._database.connection() as connection:
                oldest = partition_name(table, before.date())
                default = f"{table}_default"
                for name in await _existing(connection, table):
                    if name != default and name < oldest:
                        await connection.execute(SQL("DROP TABLE {}").format(Identifier(name)))
                        dropped += 1
        async with self._database.connection() as connection:
            await connection.execute(TRIM_DEFAULT_READINGS, {"before": before})
            await connection.execute(TRIM_DEFAULT, {"before": before})
        await self._trim(now)
        return dropped

    async def _trim(self, now: datetime) -> None:
        for statement, kept in (
            (TRIM_RUNS, timedelta(days=RUN_LOG_DAYS)), (TRIM_SWEEPS, timedelta(days=RUN_LOG_DAYS)),
            (TRIM_KEYS, timedelta(hours=KEY_HOURS)), (TRIM_GAPS, timedelta(days=GAP_DAYS)),
        ):  # fmt: skip
            full = True
            while full:
                async with self._database.connection() as connection:
                    before = {"before": now - kept}
                    full = (await connection.execute(statement, before)).rowcount == 5000
        full = True
        while full:
            async with self._database.connection() as connection:
                full = await dead_letter.trim(connection) == 5000


def partition_name(table: str, day: date) -> str:
    """Name of a day's partition; sorts by day."""
    return f"{table}_{day:%Y%m%d}"


async def _existing(connection: Connection, table: str) -> set[str]:
    """Partitions of a table; nobody else makes or drops one until the transaction ends."""
    await connection.execute(TAKE_TURN)
    cursor = await connection.execute(EXISTING, {"table": table})
    return {row[0] for row in await cursor.fetchall()}


async def _make(connection: Connection, table: str, day: date) -> None:
    """Make one day's partition and move what DEFAULT holds of that day into it."""
    column = Identifier(PARTITIONED[table])
    partition = Identifier(partition_name(table, day))
    default = Identifier(f"{table}_default")
    bounds = {
        "low": Literal(datetime.combine(day, time(), UTC)),
        "high": Literal(datetime.combine(day + timedelta(days=1), time(), UTC)),
    }
    create = SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)").format(
        partition, Identifier(table)
    )
    move = SQL(
        "WITH moved AS (DELETE FROM {default} WHERE {column} >= {low} AND {column} < {high}"
        " RETURNING *) INSERT INTO {partition} SELECT * FROM moved"
    ).format(default=default, column=column, partition=partition, **bounds)
    attach = SQL(
        "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({low}) TO ({high})"
    ).format(table=Identifier(table), partition=partition, **bounds)
    for statement in (create, move, attach):
        await connection.execute(statement)
