"""Connections to PostgreSQL, and whether it is there."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime

import psycopg
import psycopg_pool
from psycopg.rows import TupleRow

from ic3.clock import Clock
from ic3.errors import Contended, DatabaseAway, SchemaError, StoreError, TooSlow
from ic3.observations import DatabaseBack, DatabaseLost, Observe

Connection = psycopg.AsyncConnection[TupleRow]

WAIT_FOR_CONNECTION_S = 3.0
# A half-open connection must not hold a worker for the kernel's two hours.
_LIVENESS = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}


class Database:
    """A pool of connections.

    Args:
        dsn: libpq conninfo or URL.
        name: Shown as application_name.
        size: Greatest number of connections.
        statement_timeout_s: Longest any statement may take.
        clock: Stamps `away_since`.
        observe: Told when the server goes and comes.
    """

    def __init__(
        self,
        dsn: str,
        *,
        name: str,
        size: int,
        statement_timeout_s: float,
        clock: Clock,
        observe: Observe | None = None,
    ) -> None:
        timeouts = (
            f"-c statement_timeout={int(statement_timeout_s * 1000)} -c lock_timeout=3000"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC"
            " -c client_encoding=UTF8"
            # The statements are few and their plans must not be made anew for every partition.
            " -c plan_cache_mode=force_generic_plan"
        )
        self._dsn = dsn
        self._pool = psycopg_pool.AsyncConnectionPool(
            dsn,
            kwargs={"application_name": name, "options": timeouts, **_LIVENESS},
            min_size=1,
            max_size=size,
            timeout=WAIT_FOR_CONNECTION_S,
            reconnect_timeout=30,
            check=psycopg_pool.AsyncConnectionPool.check_connection,
            open=False,
        )
        self._clock = clock
        self._observe = observe or (lambda _: None)
        self.away_since: datetime | None = None
        self.away_reason = ""

    async def open(self) -> None:
        """Begin to connect; does not wait for the server."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close(timeout=2)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection whose block is one transaction: committed at its end, or rolled back.

        Raises:
            DatabaseAway: The server cannot be reached, or went away.
            StoreError: It refused; the text names its SQL state and nothing secret.
        """
        try:
            with translated():
                # Begun here: a `transaction()` inside, if outermost, would commit by itself.
                async with self._pool.connection() as connection, connection.transaction():
                    yield connection
        except DatabaseAway as error:
            if self.away_since is None:
                self.away_since = self._clock.now()
                self.away_reason = await self._why(error)
                self._observe(DatabaseLost(self.away_reason))
            raise DatabaseAway(self.away_reason) from None
        if self.away_since is not None:
            away_s = (self._clock.now() - self.away_since).total_seconds()
            self.away_since = None
            self._observe(DatabaseBack(away_s))

    async def _why(self, error: DatabaseAway) -> str:
        """What keeps connections from being made: the pool itself only says that it has none."""
        try:
            async with await psycopg.AsyncConnection.connect(self._dsn, connect_timeout=2):
                return str(error)
        except psycopg.Error as cause:
            return f"database: {first_line(cause)}"


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into ours."""
    try:
        yield
    except psycopg_pool.PoolTimeout:
        raise DatabaseAway("database: no connection within 3 s; it is down or busy") from None
    except psycopg.Error as error:
        raise translate(error) from error


def translate(error: psycopg.Error) -> StoreError:
    """Our error for one of the driver's."""
    state = error.sqlstate
    if state is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseAway(f"database: the connection was lost ({first_line(error)})")
    if state is not None and (state.startswith(("08", "57P0")) or state in {"53300", "25006"}):
        return DatabaseAway(f"database: {first_line(error)}")
    if state in {"23505", "40001", "40P01"}:
        return Contended(f"database: {first_line(error)}")
    if state == "57014":
        return TooSlow(f"database: {first_line(error)}")
    if state == "42P01":
        return SchemaError("database: its schema is not there; run ic3 migrate")
    return StoreError(f"database: refused with {state or 'no state'}: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """The first line of an error's text; libpq adds hints and positions below."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
