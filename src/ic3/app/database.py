"""The database that the program runs on: the configured one, or its own."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from ic3.app.stop import StopTime
from ic3.clock import Clock
from ic3.embedded.postgres import EmbeddedPostgres
from ic3.errors import DatabaseAway, EmbeddedError, SettingsError
from ic3.observations import Observe, Starting, Warned
from ic3.settings import Settings
from ic3.store import roles, scope
from ic3.store.pool import Availability, Database
from ic3.store.rollups import RollupStore

T = TypeVar("T")

PAUSE_S: Final = 0.5
INGEST_TIMEOUT_S: Final = 60.0
API_TIMEOUT_S: Final = 5.0
# poll, save, monitoring, replay, retention, rollup, alarm_log and plans may be busy
POOL_SIZE: Final = 8


class Patience:
    """How long the start waits for a database that went away in the middle of it.

    Our own server is started again where it is killed; one at `DATABASE_URL` is somebody else's,
    and a wrong address is said at once.
    """

    def __init__(self, wait_s: float, tell: Observe) -> None:
        self._wait_s = wait_s
        self._tell = tell

    async def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step of the start, again where the database was away.

        Raises:
            DatabaseAway: It has been for too long.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._wait_s
        while True:
            try:
                return await step()
            except DatabaseAway as error:
                if loop.time() >= ends:
                    raise
                self._tell(Starting("database", f"waits for it: {error}"))
                await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def database(
    settings: Settings, tell: Observe, stop_time: StopTime | None = None
) -> AsyncIterator[str]:
    """The DSN of the database: the configured one, or the embedded one while it runs."""
    stop_time = stop_time or StopTime()
    if settings.database_url is not None:
        _check_database_url(settings.database_url)
        yield settings.database_url
        return
    tell(Starting("database", f"embedded PostgreSQL in {settings.data_dir}"))
    postgres = EmbeddedPostgres(settings.data_dir)
    dsn = await postgres.start()
    keeper = asyncio.Event()
    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_keep_alive(postgres, keeper, tell))
            try:
                yield dsn
            except Exception as error:  # noqa: BLE001  raised below, where no group wraps it
                failure = error
            finally:
                keeper.set()
                task.cancel()
    finally:
        await postgres.stop(limit_s=stop_time.left_s())
    if failure is not None:
        raise failure


@dataclass(frozen=True, slots=True)
class Pools:
    """The connections of the server: each part has the rights of its role.

    Attributes:
        ingest: Stores sweeps and what follows from them.
        keeper: Owns the tables: partitions, retention, and the work of the other workers.
        requests: Answers people and programs, on behalf of who asks.
    """

    ingest: Database
    keeper: Database
    requests: Database


@asynccontextmanager
async def open_pools(
    dsn: str, patient: Patience, clock: Clock, tell: Observe
) -> AsyncIterator[Pools]:
    """Connections in the roles that the login may enter; of the others, in its own."""
    availability = Availability(clock, tell)
    held = await patient.run(lambda: roles.held(dsn))
    if (lacking := roles.missing(held)) is not None:
        tell(Warned(lacking))

    def pool(name: str, limit_s: float, role: str | None) -> Database:
        return Database(
            dsn, name=name, size=POOL_SIZE, statement_timeout_s=limit_s, clock=clock,
            availability=availability, role=role if role in held else None,
        )  # fmt: skip

    ingest = pool("ic3 ingest", INGEST_TIMEOUT_S, roles.INGEST)
    keeper = pool("ic3 keeper", INGEST_TIMEOUT_S, roles.MIGRATE)
    # Enters its role in each transaction, with the domains of who asks.
    requests = pool("ic3 api", API_TIMEOUT_S, None)
    requests.enter = scope.enter if roles.API in held else None
    async with AsyncExitStack() as stack:
        for each in (ingest, keeper, requests):
            await each.open()
            stack.push_async_callback(each.close)
        yield Pools(ingest, keeper, requests)


async def _keep_alive(postgres: EmbeddedPostgres, stopped: asyncio.Event, tell: Observe) -> None:
    """Start the embedded server again where it was killed."""
    while not stopped.is_set():
        await asyncio.sleep(0.5)
        if postgres.pid is None and not stopped.is_set():
            tell(Warned("embedded PostgreSQL: it ended by itself and is started again"))
            try:
                await postgres.start()
            except EmbeddedError as error:
                tell(Warned(str(error)))
                await asyncio.sleep(5)


def _check_database_url(text: str) -> None:
    """Refuse what libpq would refuse with a message that quotes the password."""
    scheme, is_url, rest = text.partition("://")
    if not is_url:
        good = "=" in text.partition(" ")[0]
    else:
        hosts = rest.partition("/")[0].partition("?")[0].rpartition("@")[2].split(",")
        ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]
        good = (
            scheme in {"postgresql", "postgres"}
            and all(port == "" or (port.isascii() and port.isdecimal()) for port in ports)
            and not re.search(r"%(?![0-9A-Fa-f]{2})", rest)
        )
    if not good:
        raise SettingsError(
            "settings: DATABASE_URL: must be a libpq URL, postgresql://user:password@host:port/name;"
            " in user and password write % as %25, / as %2F, @ as %40"
        )


def rollup_store(settings: Settings, ingest: Database) -> RollupStore:
    """The roll-ups, in the plant's zone."""
    return RollupStore(ingest, zone=settings.zone, raw_days=settings.raw_days)
