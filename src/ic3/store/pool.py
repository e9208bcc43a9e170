"""Connections to PostgreSQL, and whether it is there."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from copy import copy
from datetime import datetime
from typing import Any, Final, Self

import psycopg
import psycopg_pool
from psycopg.rows import TupleRow

from ic3.clock import Clock
from ic3.errors import (
    Contended,
    DatabaseAway,
    OutOfScope,
    Refused,
    SchemaError,
    StoreError,
    TooSlow,
)
from ic3.observations import DatabaseBack, DatabaseLost, Observe

WAIT_FOR_CONNECTION_S = 3.0
CHECK_LIMIT_S = 2.0
CANCEL_LIMIT_S = 0.5
CLOSE_LIMIT_S = 0.5
# Beyond the server's own limit for a statement: only one that hangs is cut off.
GRACE_S = 5.0
# A half-open connection must not hold a worker for the kernel's two hours.
LIVENESS: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Nor may the server's half: while it waits for the rest of a COPY no timeout of a statement ends
# it, and what it has written keeps the same rows out.
SERVER_LIVENESS: Final = (
    "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=20000"
)


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection on which every wait can be ended, also where the server hangs."""

    was_cut = False

    def cut(self) -> None:
        """Close the wire under the driver: all who wait on it fail at once, the pool drops it."""
        if self.closed:
            return
        self.was_cut = True
        with suppress(OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    @asynccontextmanager
    async def within(self, limit_s: float) -> AsyncIterator[None]:
        """Cut it off after so many seconds; one whose user was cancelled is not used again."""
        timer = asyncio.get_running_loop().call_later(limit_s, self.cut)
        try:
            yield
        except asyncio.CancelledError:
            await self.close()
            raise
        finally:
            timer.cancel()

    async def cancel_safe(self, *, timeout: float = CANCEL_LIMIT_S) -> None:
        """Ask the server to give the statement up; one that hangs is left."""
        try:
            await super().cancel_safe(timeout=min(timeout, CANCEL_LIMIT_S))
        except psycopg.Error:
            self.cut()
        else:
            # It may take the request and go on: the driver would wait longer than a stop may.
            asyncio.get_running_loop().call_later(CANCEL_LIMIT_S, self.cut)


class Availability:
    """Since when the database is away, as all pools of the program see it.

    Args:
        clock: Stamps `since`.
        observe: Told when the server goes and comes.
    """

    def __init__(self, clock: Clock, observe: Observe | None = None) -> None:
        self._clock = clock
        self._observe = observe or (lambda _: None)
        self.since: datetime | None = None
        self.reason = ""

    def lost(self, reason: str) -> None:
        """It does not answer; the first to say so gives the reason."""
        if self.since is None:
            self.since, self.reason = self._clock.now(), reason
            self._observe(DatabaseLost(reason))

    def why_away(self) -> str | None:
        """Why it cannot be reached; None while it can."""
        return None if self.since is None else self.reason

    def back(self) -> None:
        """It has answered."""
        if self.since is not None:
            away_s = (self._clock.now() - self.since).total_seconds()
            self.since = None
            self._observe(DatabaseBack(away_s))


class Database:
    """A pool of connections.

    Args:
        dsn: libpq conninfo or URL.
        name: Shown as application_name.
        size: Greatest number of connections.
        statement_timeout_s: Longest any statement may take.
        clock: Stamps `away_since`.
        availability: Shared with other pools of the same server; its own where there are none.
        role: Role of all its connections; None is the login's own. See `ic3.store.roles`.
        enter: Run first in each transaction: says on whose behalf it is; see `ic3.store.scope`.
    """

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        size: int,
        statement_timeout_s: float,
        clock: Clock,
        availability: Availability | None = None,
        role: str | None = None,
        enter: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        self.enter = enter
        timeouts = (
            f"-c statement_timeout={int(statement_timeout_s * 1000)} -c lock_timeout=3000"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
            " -c client_encoding=UTF8"
            # The statements are few and their plans must not be made anew for every partition.
            " -c plan_cache_mode=force_generic_plan"
            f" {SERVER_LIVENESS}"
        )
        if role is not None:
            # With the connection: no transaction has to ask for it.
            timeouts += f" -c role={role}"
        self.dsn = dsn
        self._pool = psycopg_pool.AsyncConnectionPool(
            dsn,
            connection_class=Connection,
            kwargs={"application_name": name, "options": timeouts, **LIVENESS},
            min_size=1,
            max_size=size,
            timeout=WAIT_FOR_CONNECTION_S,
            reconnect_timeout=30,
            check=_check,
            open=False,
        )
        self.availability = availability or Availability(clock)
        self._limit_s = statement_timeout_s + GRACE_S
        self._in_use: set[Connection] = set()

    @property
    def away_since(self) -> datetime | None:
        """Since when the server cannot be reached; None while it can."""
        return self.availability.since

    def limited(self, limit_s: float) -> Self:
        """The same pool for users who cannot wait so long.

        Args:
            limit_s: Total seconds for one use of a connection.
        """
        other = copy(self)
        other._limit_s = limit_s
        return other

    async def open(self) -> None:
        """Begin to connect; does not wait for the server."""
        await self._pool.open(wait=False)

    def cut_all(self) -> None:
        """Let nobody wait any longer on a connection in use."""
        for connection in list(self._in_use):
            connection.cut()

    async def close(self) -> None:
        """Close all connections, also those in use; about a second where the server hangs."""
        self.cut_all()
        await self._pool.close(timeout=CLOSE_LIMIT_S)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection whose block is one transaction: committed at its end, or rolled back.

        Raises:
            DatabaseAway: The server cannot be reached, went away, or hangs.
            StoreError: It refused; the text names its SQL state and nothing secret.
        """
        try:
            with translated():
                # Begun here: a `transaction()` inside, if outermost, would commit by itself.
                async with (
                    self._pool.connection() as connection,
                    self._used(connection),
                    connection.transaction(),
                ):
                    if self.enter is not None:
                        await self.enter(connection)
                    yield connection
        except DatabaseAway as error:
            raise await self._judged(error) from None
        self.availability.back()

    @asynccontextmanager
    async def _used(self, connection: Connection) -> AsyncIterator[None]:
        """Bound the use, and say so where the bound ended it."""
        self._in_use.add(connection)
        try:
            async with connection.within(self._limit_s):
                yield
        except psycopg.Error:
            if connection.was_cut:
                words = f"database: no answer within {self._limit_s:g} s"
                raise _Unanswered(words) from None
            raise
        finally:
            self._in_use.discard(connection)

    async def _judged(self, error: DatabaseAway) -> DatabaseAway:
        """The error to raise: a server that is only busy is not said to be away."""
        if self.availability.since is None:
            cause = await self._refusal()
            if cause is None and isinstance(error, _Unanswered):
                return DatabaseAway(str(error))
            self.availability.lost(cause or str(error))
        return DatabaseAway(self.availability.reason)

    async def _refusal(self) -> str | None:
        """What keeps connections from being made: the pool itself only says that it has none."""
        try:
            async with await Connection.connect(self.dsn, connect_timeout=2):
                return None
        except psycopg.Error as cause:
            return f"database: {first_line(cause)}"


class _Unanswered(DatabaseAway):
    """Nothing came in time, from the pool or from the server: busy, or hanging."""


async def _check(connection: Connection) -> None:
    """Whether a connection that lay idle still works."""
    async with connection.within(CHECK_LIMIT_S):
        await psycopg_pool.AsyncConnectionPool.check_connection(connection)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except psycopg_pool.PoolTimeout:
        raise _Unanswered("database: no connection within 3 s; it is down or busy") from None
    except psycopg.Error as error:
        raise translate(error) from error


def translate(error: psycopg.Error) -> StoreError:  # noqa: PLR0911  one line a kind
    """Our error for one of the driver's."""
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        words = first_line(error)
        if words.startswith("connection failed"):
            return DatabaseAway(f"database: {words}")
        return DatabaseAway(f"database: the connection was lost ({words})")
    if state is not None and (state.startswith(("08", "53", "57P0")) or state == "25006"):
        return DatabaseAway(f"database: {first_line(error)}")
    if state in {"23505", "40001", "40P01", "55P03"}:
        return Contended(f"database: {first_line(error)}")
    if state is not None and state.startswith(("22", "23", "54")):
        return Refused(f"database: refused with {state}: {first_line(error)}", state)
    if state == "42501":
        return OutOfScope(f"database: {first_line(error)}")
    if state == "57014":
        return TooSlow(f"database: {first_line(error)}")
    if state == "42P01":
        return SchemaError("database: its schema is not there; run ic3 migrate")
    return StoreError(f"database: refused with {state or 'no state'}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """The first line of an error's text; libpq adds hints and positions below."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
