"""The mark of a running server: an advisory lock on its database, held as long as it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, LiteralString

from ic3.errors import StartError, StoreError
from ic3.store.pool import LIVENESS, Connection, translated

# Any number will do as long as it stays: "ic3p" in ASCII.
LOCK_KEY: Final = 0x69633370
RETRY_S: Final = 1.0
LOCK_LIMIT_S: Final = 5.0

# Shared: two servers may stand beside each other, a pass by hand beside none.
HOLD: Final = "SELECT pg_try_advisory_lock_shared(%(key)s)"
ALONE: Final = "SELECT pg_try_advisory_lock(%(key)s)"


async def keep_presence(dsn: str) -> None:
    """Hold the mark until cancelled; taken again after the connection was lost."""
    while True:
        with suppress(StoreError):
            async with _connected(dsn) as connection:
                if await _locked(connection, HOLD):
                    # Nobody notifies: it ends with the connection.
                    async for _ in connection.notifies():
                        pass
        await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def no_server_beside(dsn: str, *, refusal: str) -> AsyncIterator[None]:
    """Do by hand, alone, what a running server does by itself.

    Args:
        dsn: Of the database.
        refusal: What to say where a server runs on it.

    Raises:
        StartError: A server does.
        StoreError: The database cannot be asked.
    """
    async with _connected(dsn) as connection:
        if not await _locked(connection, ALONE):
            raise StartError(refusal)
        yield


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    with translated():
        async with await Connection.connect(
            dsn, autocommit=True, application_name="ic3 presence", **LIVENESS
        ) as connection:
            yield connection


async def _locked(connection: Connection, statement: LiteralString) -> bool:
    async with connection.within(LOCK_LIMIT_S):
        row = await (await connection.execute(statement, {"key": LOCK_KEY})).fetchone()
    return bool(row and row[0])
