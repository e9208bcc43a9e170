"""Migrations: numbered SQL files, one transaction each, under an advisory lock."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Final

import psycopg
from psycopg.sql import SQL, Identifier, Literal

from ic3.errors import SchemaError
from ic3.store import roles
from ic3.store.pool import Connection, first_line, translate

# Any number will do as long as it stays: "ic3" in ASCII.
LOCK_KEY: Final = 0x696333
LOCK: Final = "SELECT pg_advisory_lock(%(key)s)"
CREATE_LOG: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version int PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
COMMENT_LOG: Final = """
COMMENT ON TABLE schema_migrations IS 'Which migrations this database has.';
COMMENT ON COLUMN schema_migrations.version IS 'Number of the migration.';
COMMENT ON COLUMN schema_migrations.name IS 'What it brought.';
COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of its text.';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied.';
"""
APPLIED: Final = "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
RECORD: Final = """
INSERT INTO schema_migrations (version, name, checksum)
VALUES (%(version)s, %(name)s, %(checksum)s)
"""
# Other migration tools keep a table of this name too; only ours has checksums.
LOG_EXISTS: Final = """
SELECT EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('schema_migrations') AND attname = 'checksum')
"""
SERVER_VERSION: Final = "SELECT current_setting('server_version_num')::int"
OLDEST_SERVER: Final = 150_000

# What of the original backend's tables stands in the way of ours.
IN_THE_WAY: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
    AND relname IN ('telemetry', 'ic3_asset_monitoring_data', 'assets', 'asset_latest',
        'schema_migrations')
ORDER BY relname
"""
ZONELESS_RUNS: Final = """
SELECT EXISTS (SELECT FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = 'ic3_ingest_run_log'
        AND column_name = 'run_at' AND data_type = 'timestamp without time zone')
"""
WITHOUT_NUMBERING: Final = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = current_schema() AND column_default IS NULL AND is_identity = 'NO'
    AND (table_name, column_name) IN (('ic3_asset_master', 'asset_id'),
        ('ic3_parameter_master', 'param_id'))
ORDER BY table_name
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The program's own migrations in order."""
    found = []
    for entry in resources.files("ic3.store").joinpath("migrations").iterdir():
        if entry.name.endswith(".sql"):
            number, _, name = entry.name.removesuffix(".sql").partition("_")
            found.append(Migration(int(number), name, entry.read_text(encoding="utf-8")))
    return sorted(found, key=lambda each: each.version)


async def migrate(
    dsn: str, *, adopt_zone: str, dry_run: bool = False, say: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Bring a database to this program's schema.

    Two programs starting together: one migrates, the other waits. Killed at any point, the next
    call goes on where the last whole migration ended.

    Args:
        dsn: libpq conninfo or URL.
        adopt_zone: Zone of the zoneless run times of the original backend's database.
        dry_run: Only tell the plan.
        say: Told each step before it is taken.

    Returns:
        The steps taken, or planned; empty where the schema is up to date.

    Raises:
        SchemaError: The schema is newer than the program, was altered, or the server is too old.
        StoreError: PostgreSQL cannot be reached or refuses.
    """
    try:
        async with await Connection.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="ic3 migrate"
        ) as connection:
            await connection.execute(LOCK, {"key": LOCK_KEY})
            await connection.execute("SET lock_timeout = '30s'")
            if not dry_run:
                await roles.prepare(connection)
            taken = await _migrate(connection, adopt_zone, dry_run=dry_run, say=say)
            if not dry_run:
                await roles.grant(connection)
            return taken
    except psycopg.errors.UniqueViolation as error:
        raise SchemaError(
            f"database: {first_line(error)}: {error.diag.message_detail} Mend these rows and"
            " migrate again; nothing was changed"
        ) from error
    except psycopg.Error as error:
        raise translate(error) from error


async def pending(connection: Connection) -> list[Migration]:
    """The migrations this database lacks.

    Raises:
        SchemaError: It has one the program does not know, or one whose text differs.
    """
    await _check_server(connection)
    exists = await (await connection.execute(LOG_EXISTS)).fetchone()
    ours = {each.version: each for each in migrations()}
    if not (exists and exists[0]):
        return list(ours.values())
    for version, name, checksum in await (await connection.execute(APPLIED)).fetchall():
        mine = ours.pop(version, None)
        if mine is None:
            raise SchemaError(
                f"database: its schema has migration {version} ({name}), which is newer than this"
                " program; install the newer ic3 again"
            )
        if mine.checksum != checksum:
            raise SchemaError(
                f"database: migration {version} ({name}) was applied with another text; the"
                " database belongs to another build of ic3"
            )
    return list(ours.values())


async def _migrate(
    connection: Connection, adopt_zone: str, *, dry_run: bool, say: Callable[[str], None]
) -> list[str]:
    missing = await pending(connection)
    taken: list[str] = []
    for migration in missing:
        steps = await _adoption(connection, adopt_zone) if migration.version == 1 else []
        taken += [words for words, _ in steps]
        taken.append(f"apply {migration.version:04d}_{migration.name}")
        if dry_run:
            continue
        async with connection.transaction():
            for words, statement in steps:
                say(words)
                await connection.execute(statement)
            say(taken[-1])
            await connection.execute(CREATE_LOG)
            await connection.execute(COMMENT_LOG)
            await connection.execute(migration.sql.encode())
            if migration.version == 1:
                await _number_on(connection)
            await connection.execute(
                RECORD,
                {
                    "version": migration.version,
                    "name": migration.name,
                    "checksum": migration.checksum,
                },
            )
    return taken


async def _adoption(
    connection: Connection, adopt_zone: str
) -> list[tuple[str, psycopg.sql.Composed]]:
    """What the original backend's tables need before the first migration: words and statement."""
    steps = []
    for (table,) in await (await connection.execute(IN_THE_WAY)).fetchall():
        statement = SQL("ALTER TABLE {} RENAME TO {}").format(
            Identifier(table), Identifier(f"{table}_before")
        )
        steps.append((f"rename table {table} to {table}_before", statement))
    zoneless = await (await connection.execute(ZONELESS_RUNS)).fetchone()
    if zoneless and zoneless[0]:
        statement = SQL(
            "ALTER TABLE ic3_ingest_run_log ALTER COLUMN run_at TYPE timestamptz"
            " USING run_at AT TIME ZONE {}"
        ).format(Literal(adopt_zone))
        steps.append((f"give ic3_ingest_run_log.run_at a zone, read as {adopt_zone}", statement))
    for table, column in await (await connection.execute(WITHOUT_NUMBERING)).fetchall():
        statement = SQL(
            "ALTER TABLE {0} ALTER COLUMN {1} SET NOT NULL,"
            " ALTER COLUMN {1} ADD GENERATED BY DEFAULT AS IDENTITY"
        ).format(Identifier(table), Identifier(column))
        steps.append((f"number new rows of {table}.{column}", statement))
    return steps


# Never backwards: the number of a deleted row is not given again.
NUMBER_ON: Final = """
SELECT setval(seq, greatest(highest, pg_sequence_last_value(seq)))
FROM (VALUES
    (pg_get_serial_sequence('ic3_asset_master', 'asset_id')::regclass,
        (SELECT max(asset_id)::bigint FROM ic3_asset_master)),
    (pg_get_serial_sequence('ic3_parameter_master', 'param_id')::regclass,
        (SELECT max(param_id)::bigint FROM ic3_parameter_master)),
    (pg_get_serial_sequence('ic3_ingest_run_log', 'id')::regclass,
        (SELECT max(id)::bigint FROM ic3_ingest_run_log))) AS numbered (seq, highest)
WHERE highest > 0
"""


async def _number_on(connection: Connection) -> None:
    """Let numbering begin after the rows that adopted tables already have."""
    await connection.execute(NUMBER_ON)


async def _check_server(connection: Connection) -> None:
    row = await (await connection.execute(SERVER_VERSION)).fetchone()
    version = int(row[0]) if row else 0
    if version < OLDEST_SERVER:
        raise SchemaError(
            f"database: PostgreSQL {version // 10_000} is too old; ic3 needs 15 or newer"
        )
