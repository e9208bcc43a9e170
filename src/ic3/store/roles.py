"""The roles of the database: each part of the program has the rights it needs and no others.

A login that may neither make the roles nor enter them still works: what runs without its role has
the rights of the login, and `missing` says so.
"""

from collections.abc import Mapping
from typing import Final, LiteralString

from psycopg.sql import SQL, Identifier

from ic3.store.pool import LIVENESS, Connection, translated

MIGRATE: Final = "ic3_migrate"
INGEST: Final = "ic3_ingest"
API: Final = "ic3_api"
READER: Final = "ic3_ro"

MAY_CREATE: Final = """
SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user
"""
# Ingest copies rows in, which PostgreSQL does only past row security; its rights are its limit.
CREATE_ROLES: Final = """
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ic3_migrate', 'ic3_ingest', 'ic3_api', 'ic3_ro'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            END IF;
            IF name <> 'ic3_ro' AND NOT EXISTS (SELECT FROM pg_auth_members m
                    WHERE m.roleid = name::regrole AND m.member = current_user::regrole
                        AND NOT m.admin_option) THEN
                EXECUTE format('GRANT %I TO %I', name, current_user);
            END IF;
            IF name = 'ic3_ingest' AND NOT (SELECT rolbypassrls FROM pg_roles
                    WHERE rolname = name) THEN
                EXECUTE format('ALTER ROLE %I BYPASSRLS', name);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;  -- another program was first
            WHEN insufficient_privilege THEN NULL;  -- `held` tells what there is
        END;
    END LOOP;
END $$
"""
GRANT_SCHEMA: Final = """
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT rolname FROM pg_roles
            WHERE rolname IN ('ic3_ingest', 'ic3_api', 'ic3_ro') LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles
            WHERE rolname = 'ic3_migrate' AND pg_has_role(current_user, oid, 'MEMBER')) THEN
        GRANT USAGE, CREATE ON SCHEMA public TO ic3_migrate;
    END IF;
END $$
"""
MAY_OWN: Final = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ic3_migrate'
    AND pg_has_role(current_user, oid, 'MEMBER') AND has_schema_privilege(oid, 'public', 'CREATE'))
"""
# Only what is ours: the schema may hold the tables of others.
HAND_OVER: Final = """
DO $$
DECLARE
    each record;
BEGIN
    FOR each IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
            AND c.relowner <> 'ic3_migrate'::regrole
            AND pg_has_role(current_user, c.relowner, 'MEMBER')
            AND c.relname ~ '^(ic3_|telemetry|asset_latest$|assets$|audit_log$|data_gap$'
                '|dead_letter$|schema_migrations$)'
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO ic3_migrate', each.name);
    END LOOP;
    FOR each IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.proname ~ '^ic3_'
            AND p.proowner <> 'ic3_migrate'::regrole
            AND pg_has_role(current_user, p.proowner, 'MEMBER')
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO ic3_migrate', each.name);
    END LOOP;
END $$
"""
BE_OWNER: Final = "SET ROLE ic3_migrate"
GRANTED: Final = """
SELECT rolname FROM pg_roles WHERE rolname IN ('ic3_ingest', 'ic3_api', 'ic3_ro') ORDER BY rolname
"""
# Not the partitions: a policy of the parent holds only for who asks the parent.
TABLES: Final = """
SELECT relname, relrowsecurity FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
    AND pg_has_role(current_user, relowner, 'USAGE')
ORDER BY relname
"""
NUMBERS: Final = """
SELECT relname FROM pg_class WHERE oid IN (
    pg_get_serial_sequence('ic3_sweep', 'id')::regclass,
    pg_get_serial_sequence('ic3_ingest_run_log', 'id')::regclass)
"""
# What a reader says of their domains counts only where the register of readers says the same.
HAS_READERS_POLICY: Final = """
SELECT EXISTS (SELECT FROM pg_policy WHERE polrelid = %(table)s::regclass AND polname = 'reader')
"""
READERS_POLICY: Final[LiteralString] = """
CREATE POLICY reader ON {} AS RESTRICTIVE TO ic3_ro USING (
    (SELECT current_setting('ic3.domains', true)) = (SELECT ic3_reader_domains()))
"""
# By default everybody may call a function, and this one has the rights of its owner.
ONLY_THE_OWNER_TRIMS: Final = """
DO $$
BEGIN
    IF to_regprocedure('ic3_audit_trim(timestamptz, int)') IS NOT NULL THEN
        REVOKE EXECUTE ON FUNCTION ic3_audit_trim(timestamptz, int) FROM PUBLIC;
    END IF;
END $$
"""
HELD: Final = """
SELECT rolname FROM pg_roles
WHERE pg_has_role(current_user, oid, 'MEMBER') AND CASE rolname
    WHEN 'ic3_migrate' THEN EXISTS (SELECT FROM pg_class
        WHERE pg_class.oid = to_regclass('public.telemetry') AND relowner = pg_roles.oid)
    WHEN 'ic3_ingest' THEN rolbypassrls
        AND has_table_privilege(oid, to_regclass('public.telemetry'), 'INSERT')
    WHEN 'ic3_api' THEN has_table_privilege(oid, to_regclass('public.telemetry'), 'SELECT')
    ELSE false END
"""

_INGESTED: Final = (
    "assets", "asset_latest", "telemetry", "dead_letter", "data_gap", "ic3_sweep",
    "ic3_sweep_keys", "ic3_asset_monitoring_data", "ic3_asset_monitoring_latest",
    "ic3_ingest_run_log", "ic3_inbox", "ic3_rollup_dirty",
)  # fmt: skip
_MEASURED: Final = (
    "assets", "asset_latest", "telemetry", "data_gap", "ic3_sweep", "ic3_sweep_keys",
    "ic3_asset_monitoring_data", "ic3_asset_monitoring_latest", "ic3_ingest_run_log",
    "ic3_rollup_5m", "ic3_rollup_1h", "ic3_rollup_zone", "ic3_asset_state", "ic3_feed_event",
)  # fmt: skip
_ANALYSED: Final = (
    "ic3_sensor_trust", "ic3_pump_health", "ic3_pump_day", "ic3_nrw", "ic3_nrw_day",
)  # fmt: skip
# Of tables that are not named a role has what stands under the empty name.
_RIGHTS: Final[Mapping[str, Mapping[str, LiteralString]]] = {
    INGEST: dict.fromkeys(_INGESTED, "SELECT, INSERT, UPDATE") | dict.fromkeys(
        ("ic3_asset_master", "ic3_parameter_master", "ic3_asset_tag_map", "ic3_registry_version",
         "ic3_dma", "schema_migrations"), "SELECT",
    ),
    API: {"": "SELECT, INSERT, UPDATE, DELETE"} | dict.fromkeys(
        (*_MEASURED, *_ANALYSED, "ic3_analytics_run", "schema_migrations", "ic3_audit_cut",
         "ic3_asset_latest_reading"), "SELECT",
    ) | dict.fromkeys(("audit_log", "ic3_work_order_event"), "SELECT, INSERT") | {
        "ic3_reader": "", "ic3_model_state": "",
    },
    READER: dict.fromkeys(
        (*_MEASURED, *_ANALYSED, "ic3_finding", "ic3_dma_definition",
         "ic3_asset_latest_reading", "ic3_asset_master", "ic3_parameter_master",
         "ic3_asset_tag_map", "ic3_dma", "ic3_alarm", "ic3_alarm_event", "ic3_alarm_hold",
         "ic3_alarm_rule", "ic3_work_order", "ic3_work_order_event", "ic3_maintenance_plan",
         "ic3_network_node", "ic3_network_link", "ic3_network_valve"), "SELECT",
    ),
}  # fmt: skip


async def make(connection: Connection) -> None:
    """Make the roles where the login may."""
    if await _says(connection, MAY_CREATE):
        await connection.execute(CREATE_ROLES)


async def prepare(connection: Connection) -> None:
    """Make the roles where the login may, and go on as the owner of all that is made."""
    await make(connection)
    await connection.execute(GRANT_SCHEMA)
    if await _says(connection, MAY_OWN):
        async with connection.transaction():
            await connection.execute(HAND_OVER)
        await connection.execute(BE_OWNER)


async def grant(connection: Connection) -> None:
    """Give each role the rights it needs, and take all others from it."""
    roles = [name for (name,) in await (await connection.execute(GRANTED)).fetchall()]
    tables = await (await connection.execute(TABLES)).fetchall()
    async with connection.transaction():
        for role in roles:
            rights = _RIGHTS[role]
            for table, has_rows_secured in tables:
                await _set(connection, role, table, rights.get(table, rights.get("", "")))
                if role == READER and has_rows_secured:
                    await _limit_readers(connection, table)
        await connection.execute(ONLY_THE_OWNER_TRIMS)
        if INGEST in roles:
            for (name,) in await (await connection.execute(NUMBERS)).fetchall():
                await connection.execute(
                    SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(
                        Identifier(name), Identifier(INGEST)
                    )
                )


async def held(dsn: str) -> frozenset[str]:
    """Which roles the login may enter and which have their rights here.

    Raises:
        StoreError: The database cannot be asked.
    """
    with translated():
        async with await Connection.connect(
            dsn, autocommit=True, application_name="ic3 roles", **LIVENESS
        ) as connection:
            rows = await (await connection.execute(HELD)).fetchall()
    return frozenset(name for (name,) in rows)


def missing(roles: frozenset[str]) -> str | None:
    """What it means that some roles cannot be entered; None where all can."""
    lacking = [name for name in (MIGRATE, INGEST, API) if name not in roles]
    if not lacking:
        return None
    words = f"database: this login cannot use the roles {', '.join(lacking)}"
    if API in lacking:
        words += ": row security is off and the scope of users is kept by the program alone"
    return f"{words}; see docs/howto/users-and-keys.md"


async def _set(connection: Connection, role: str, table: str, rights: LiteralString) -> None:
    names = Identifier(table), Identifier(role)
    await connection.execute(SQL("REVOKE ALL ON {} FROM {}").format(*names))
    if rights:
        await connection.execute(SQL("GRANT {} ON {} TO {}").format(SQL(rights), *names))


async def _limit_readers(connection: Connection, table: str) -> None:
    if not await _says(connection, HAS_READERS_POLICY, table=table):
        await connection.execute(SQL(READERS_POLICY).format(Identifier(table)))


async def _says(connection: Connection, question: LiteralString, **named: str) -> bool:
    row = await (await connection.execute(question, named)).fetchone()
    return bool(row and row[0])
