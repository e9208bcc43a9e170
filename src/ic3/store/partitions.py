"""Daily and monthly partitions: made ahead, dropped when old, and the bounded tables trimmed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from psycopg.sql import SQL, Identifier, Literal

from ic3.store import dead_letter
from ic3.store.pool import Connection, Database

DAYS_AHEAD: Final = 2
ROLLUP_DAYS: Final = 400
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


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A partitioned table.

    Attributes:
        column: Time it is divided by.
        keep: What decides how long: `raw`, `rollup`, or None where it is kept for good.
    """

    name: str
    column: str
    monthly: bool = False
    keep: str | None = "raw"


PARTITIONED: Final = (
    Partitioned("telemetry", "occurred_at"),
    Partitioned("ic3_asset_monitoring_data", "recorded_at"),
    Partitioned("ic3_rollup_5m", "bucket_at", monthly=True, keep="rollup"),
    Partitioned("ic3_rollup_1h", "bucket_at", monthly=True, keep=None),
)


class PartitionStore:
    """Makes and drops partitions.

    Args:
        database: Where they are.
        raw_days: Days that telemetry and monitoring rows are kept.
        rollup_days: Days that roll-ups of five minutes are kept; at least as long as the rows
            they are made of.
    """

    def __init__(
        self, database: Database, *, raw_days: int, rollup_days: int = ROLLUP_DAYS
    ) -> None:
        self._database = database
        self._raw_days = raw_days
        self._rollup_days = max(rollup_days, raw_days)

    async def make(self, today: date) -> int:
        """Make what is missing, from the horizon of the raw rows to two days ahead.

        Of roll-ups: from that horizon's month to the next month. Answers how many were made.
        """
        made = 0
        for table in PARTITIONED:
            async with self._database.connection() as connection:
                existing = await _existing(connection, table.name)
                for first in self._wanted(table, today):
                    if partition_name(table.name, first, monthly=table.monthly) not in existing:
                        await _make(connection, table, first)
                        made += 1
        return made

    async def sizes_bytes(self, today: date) -> list[int]:
        """Size of each past day with its indexes, newest first."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(SIZES_OF_DAYS, {"today": f"{today:%Y%m%d}"})
            return [row[0] for row in await cursor.fetchall()]

    async def drop_old(self, now: datetime) -> int:
        """Drop partitions beyond the horizon and trim the bounded tables; answers how many fell."""
        dropped = 0
        for table in PARTITIONED:
            oldest_day = self._oldest_day(table, now)
            if oldest_day is None:
                continue
            async with self._database.connection() as connection:
                oldest = partition_name(table.name, oldest_day, monthly=table.monthly)
                default = f"{table.name}_default"
                for name in await _existing(connection, table.name):
                    if name != default and name < oldest:
                        await connection.execute(SQL("DROP TABLE {}").format(Identifier(name)))
                        dropped += 1
        before = datetime.combine(now.date(), time(), UTC) - timedelta(days=self._raw_days)
        async with self._database.connection() as connection:
            await connection.execute(TRIM_DEFAULT_READINGS, {"before": before})
            await connection.execute(TRIM_DEFAULT, {"before": before})
        await self._trim(now)
        return dropped

    def _wanted(self, table: Partitioned, today: date) -> list[date]:
        """First days of the partitions that must be there."""
        days = [today + timedelta(days=offset) for offset in range(-self._raw_days, DAYS_AHEAD + 1)]
        if not table.monthly:
            return days
        return sorted({each.replace(day=1) for each in days} | {_next_month(today)})

    def _oldest_day(self, table: Partitioned, now: datetime) -> date | None:
        """The oldest day whose rows are kept; None where all are."""
        if table.keep is None:
            return None
        days = self._raw_days if table.keep == "raw" else self._rollup_days
        return now.date() - timedelta(days=days)

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


def partition_name(table: str, first: date, *, monthly: bool = False) -> str:
    """Name of the partition that holds a day; sorts by day."""
    return f"{table}_{first:%Y%m}" if monthly else f"{table}_{first:%Y%m%d}"


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


async def _existing(connection: Connection, table: str) -> set[str]:
    """Partitions of a table; nobody else makes or drops one until the transaction ends."""
    await connection.execute(TAKE_TURN)
    cursor = await connection.execute(EXISTING, {"table": table})
    return {row[0] for row in await cursor.fetchall()}


async def _make(connection: Connection, table: Partitioned, first: date) -> None:
    """Make one partition and move what DEFAULT holds of its time into it."""
    beyond = _next_month(first) if table.monthly else first + timedelta(days=1)
    column = Identifier(table.column)
    partition = Identifier(partition_name(table.name, first, monthly=table.monthly))
    default = Identifier(f"{table.name}_default")
    bounds = {
        "low": Literal(datetime.combine(first, time(), UTC)),
        "high": Literal(datetime.combine(beyond, time(), UTC)),
    }
    create = SQL("CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)").format(
        partition, Identifier(table.name)
    )
    move = SQL(
        "WITH moved AS (DELETE FROM {default} WHERE {column} >= {low} AND {column} < {high}"
        " RETURNING *) INSERT INTO {partition} SELECT * FROM moved"
    ).format(default=default, column=column, partition=partition, **bounds)
    attach = SQL(
        "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({low}) TO ({high})"
    ).format(table=Identifier(table.name), partition=partition, **bounds)
    for statement in (create, move, attach):
        await connection.execute(statement)
