"""On whose behalf the database is asked: the role of the API, and the domains of the caller."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from psycopg.sql import SQL, Identifier, Literal

from ic3.store.pool import Connection
from ic3.store.roles import API

_EVERYTHING: Final = "*"
# Of the request that is served; tasks that serve none see no row of any domain.
CALLER: Final[ContextVar[str]] = ContextVar("domains of the caller", default="")


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
        SQL("SET LOCAL ROLE {}; SET LOCAL ic3.domains = {}").format(Identifier(API), domains)
    )
