"""On whose behalf the database is asked: the role of the API, and the domains of the caller."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from psycopg.sql import SQL, Identifier, Literal

from ic3.store.pool import Connection, Database

_ROLE: Final = "ic3_api"
_EVERYTHING: Final = "*"
# Of the request that is served; tasks that serve none see no row of any domain.
CALLER: Final[ContextVar[str]] = ContextVar("domains of the caller", default="")

MAY_CREATE: Final = """
SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user
"""
MAY_ENTER: Final = """
SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ic3_api'
    AND pg_has_role(current_user, oid, 'MEMBER'))
"""
CREATE_ROLE: Final = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ic3_api') THEN
        CREATE ROLE ic3_api NOLOGIN;
    END IF;
    EXECUTE format('GRANT ic3_api TO %I', current_user);
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another program was first
END $$
"""
# Not the partitions: a policy of the parent holds only for who asks the parent.
TABLES: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v')
    AND NOT relispartition
ORDER BY relname
"""
READ_ONLY: Final = frozenset({"schema_migrations", "ic3_audit_cut"})
GROWS_ONLY: Final = frozenset({"audit_log", "ic3_work_order_event"})


def enter_as(domains: Iterable[str] | None) -> None:
    """Let what follows in this task be asked on behalf of somebody.

    Args:
        domains: What they may see; None is all.
    """
    CALLER.set(_EVERYTHING if domains is None else ",".join(sorted(domains)))


@contextmanager
def for_everybody() -> Iterator[None]:
    """Ask for what is kept in memory for all callers; each is shown only what is theirs of it."""
    before = CALLER.set(_EVERYTHING)
    try:
        yield
    finally:
        CALLER.reset(before)


async def enter(connection: Connection) -> None:
    """Ask on behalf of the caller until the end of the transaction."""
    # Both end with the transaction: nothing is left on a connection that goes back to its pool.
    # No query: what needs a snapshot of its own may still ask for one.
    domains = Literal(CALLER.get())
    await connection.execute(
        SQL("SET LOCAL ROLE {}; SET LOCAL ic3.domains = {}").format(Identifier(_ROLE), domains)
    )


async def holds(database: Database) -> bool:
    """Whether the login may enter the role, so that row security holds for the API."""
    async with database.connection() as connection:
        row = await (await connection.execute(MAY_ENTER)).fetchone()
        return bool(row and row[0])


async def ensure_role(connection: Connection) -> None:
    """Make the role of the API and give it its rights, where the login may; see `holds`."""
    row = await (await connection.execute(MAY_CREATE)).fetchone()
    if row is not None and row[0]:
        await connection.execute(CREATE_ROLE)
    row = await (await connection.execute(MAY_ENTER)).fetchone()
    if row is None or not row[0]:
        return
    role = Identifier(_ROLE)
    async with connection.transaction():
        await connection.execute(
            SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier("public"), role)
        )
        for (name,) in await (await connection.execute(TABLES)).fetchall():
            rights = SQL("SELECT, INSERT, UPDATE, DELETE")
            if name in READ_ONLY:
                rights = SQL("SELECT")
            elif name in GROWS_ONLY:
                rights = SQL("SELECT, INSERT")
            table = Identifier(name)
            await connection.execute(SQL("REVOKE ALL ON {} FROM {}").format(table, role))
            await connection.execute(SQL("GRANT {} ON {} TO {}").format(rights, table, role))
