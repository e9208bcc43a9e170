"""The composition root: builds each part once, starts in order, stops in reverse."""

import asyncio
import importlib.util
import os
import re
import resource
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry, Gauge

from ic3 import dashboard
from ic3.api import ROUTES
from ic3.api.alarm_acts import AlarmDesk
from ic3.api.alarms import AlarmsReader
from ic3.api.attachments import AttachmentDesk
from ic3.api.auth import Logins, Passwords, Throttle, Tickets, Tokens
from ic3.api.cmms_sync import CmmsSync
from ic3.api.health import ReadinessReader
from ic3.api.history import HistoryReader
from ic3.api.live import (
    Admission,
    FrameProtocol,
    LiveSocket,
    NumberedSocket,
    SnapshotReader,
    StreamProtocol,
    Streams,
)
from ic3.api.monitoring import MonitoringReads
from ic3.api.notifications import Notifications
from ic3.api.ogc import PublicAddress
from ic3.api.plans import PlanDesk
from ic3.api.quarantine import Quarantine
from ic3.api.server import HotRead, Server, build, listen, server
from ic3.api.states import StatesReader
from ic3.api.telemetry import StatsReader
from ic3.api.users import People
from ic3.api.work_orders import OrderDesk
from ic3.clock import Clock
from ic3.domain.access import Access, PendingEvents
from ic3.domain.addresses import is_loopback
from ic3.domain.alarm_defaults import DEFAULT_RULES
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_rules import Rule, RuleTable
from ic3.domain.alarms import Alarm, Alarms, Change, What
from ic3.domain.board import Board
from ic3.domain.geo import Box
from ic3.domain.inp import read_inp
from ic3.domain.latest import LatestReadings
from ic3.domain.layers import Layers
from ic3.domain.network import described
from ic3.domain.notify import RouteKind, Router
from ic3.domain.rates import Rates
from ic3.domain.returns import Returns
from ic3.domain.runs import RecentRuns
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.domain.users import Role
from ic3.embedded.postgres import EmbeddedPostgres
from ic3.errors import DatabaseAway, EmbeddedError, SettingsError, StartError
from ic3.gateway.breaker import Breaker
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.innomaint import InnomaintClient
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import Greeting, LiveHub
from ic3.hub.local import LocalHub
from ic3.hub.mail import Mail, smtp_server
from ic3.hub.notices import Carrier, Notices
from ic3.hub.places import Places
from ic3.hub.webhook import Webhook
from ic3.observations import Observation, Observe, Serving, Starting, Stopping, Warned
from ic3.observers import LogObserver, MetricsObserver
from ic3.settings import Settings, environment_without_secrets
from ic3.spool import Spool
from ic3.store import scope
from ic3.store.access import AccessStore
from ic3.store.alarm_kpi import KpiStore
from ic3.store.alarm_rules import RuleStore
from ic3.store.alarms import AlarmStore
from ic3.store.api_keys import ApiKeyStore
from ic3.store.assets import AssetStore
from ic3.store.attachment_files import AttachmentFiles
from ic3.store.attachments import AttachmentStore
from ic3.store.audit import AuditStore
from ic3.store.cmms import CmmsStore
from ic3.store.conflicts import ConflictStore
from ic3.store.exports import ExportStore
from ic3.store.gaps import GapStore
from ic3.store.history import HistoryStore
from ic3.store.inbox import InboxStore
from ic3.store.layers import MapReader
from ic3.store.logins import LoginStore
from ic3.store.mappings import MappingStore
from ic3.store.migrate import migrate
from ic3.store.monitoring import MonitoringStore
from ic3.store.network import NetworkStore
from ic3.store.notify import NotifyStore
from ic3.store.order_details import DetailStore
from ic3.store.parameters import ParameterStore
from ic3.store.partitions import PartitionStore
from ic3.store.plans import PlanStore
from ic3.store.pool import Availability, Database
from ic3.store.presence import keep_presence
from ic3.store.quarantine import QuarantineStore
from ic3.store.register import RegisterStore
from ic3.store.reliability import ReliabilityStore
from ic3.store.replays import ReplayStore
from ic3.store.rollups import RollupStore
from ic3.store.runs import RunStore
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.store.users import UserStore
from ic3.store.work_orders import WorkOrderStore
from ic3.workers import WORKERS, Parts
from ic3.workers.alarms import News, Noticed
from ic3.workers.monitoring import EndedSweeps
from ic3.workers.notify import GIVEN_UP_AFTER
from ic3.workers.runner import BACK_OFF_LIMIT_S, run_worker
from ic3.workers.save import UnsavedSweeps

T = TypeVar("T")

SECRET_BYTES: Final = 32
DATABASE_WAIT_S: Final = 30.0
PAUSE_S: Final = 0.5
INGEST_TIMEOUT_S: Final = 60.0
# poll, save, monitoring, replay, retention, rollup, alarm_log and plans may be busy
POOL_SIZE: Final = 8
API_TIMEOUT_S: Final = 5.0
IMPORT_LIMIT_S: Final = 120.0  # a file is many statements, none of them longer than a request's
DRAIN_LIMIT_S: Final = 1.5
# Without any progress for so long the database hangs, and the rest of the stop needs the time.
DRAIN_PAUSE_S: Final = 0.8
UNTOLD_LIMIT: Final = 1000
SAVE_LIMIT_S: Final = 10.0
NETWORK_LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 3.8  # of five: the interpreter ends after it, late on a busy machine
FILES_BESIDE_CLIENTS: Final = 200  # database, gateway, requests, files
WORKERS_STOP_S: Final = 1.0
PLANT_STATE_FILE: Final = "plant.json"
PLANT_CMMS_PATH: Final = "/cmms"
PLANT_ADDRESS_FILE: Final = "plant.address"
JWT_SECRET_FILE: Final = "jwt.secret"  # noqa: S105  a file name
SERVER_ADDRESS_FILE: Final = "server.address"
STREAM_LIMIT_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """Shown once, when the first user is made.

    Attributes:
        password: None where it was given by IC3_ADMIN_PASSWORD.
    """

    username: str
    password: str | None


class StopTime:
    """What is left of the one deadline that the whole stop has; it begins when first asked."""

    def __init__(self) -> None:
        self._ends: float | None = None

    def begin(self) -> None:
        """From here on it counts, unless it does already."""
        self.left_s()

    def left_s(self) -> float:
        """Seconds left; 0 where there are none."""
        now = asyncio.get_running_loop().time()
        if self._ends is None:
            self._ends = now + STOP_LIMIT_S
        return max(0.0, self._ends - now)


async def serve(  # noqa: PLR0915  the whole life on one screen
    settings: Settings,
    *,
    clock: Clock,
    observe: Observe | None = None,
    show_login: Callable[[FirstLogin], None] = lambda _: None,
    stop: asyncio.Event | None = None,
    scenario: str = "none",
) -> None:
    """Run the whole product until SIGTERM, SIGINT or `stop`.

    Args:
        settings: What the environment says.
        clock: Handed to every part.
        observe: Told everything beside log and metrics, for the command line.
        show_login: Told the first login, where one is made.
        stop: Set it to stop; for tests.
        scenario: Faults that the simulated plant plays.

    Raises:
        IC3Error: Something keeps the program from starting; one line for a person.
    """
    stop, stop_time = stop or asyncio.Event(), StopTime()
    registry = CollectorRegistry()
    noticed = Noticed(clock)
    tell = _tell_all(LogObserver(settings.log_format), MetricsObserver(registry), noticed, observe)
    with _signals(stop, tell) as signals:
        async with AsyncExitStack() as stack:
            carriers = ways_out(settings, clock)
            if settings.redis_api_base is not None:
                # A bad address is said at once, before anything is started.
                gateway_client(settings, settings.redis_api_base, clock)
            if settings.cmms_base is not None:
                cmms_client(settings, settings.cmms_base, clock)
            bound = listen(settings.host, settings.port)
            stack.callback(bound.close)
            _warn(settings, tell)
            _allow_files(settings, tell)
            dsn = await stack.enter_async_context(database(settings, tell, stop_time))
            patient = Patience(DATABASE_WAIT_S if settings.database_url is None else 0, tell)
            await patient.run(
                lambda: migrate(
                    dsn, adopt_zone=settings.adopt_zone,
                    say=lambda step: tell(Starting("schema", step)),
                )
            )  # fmt: skip
            availability = Availability(clock, tell)
            ingest = await stack.enter_async_context(
                _pool(dsn, "ic3 ingest", INGEST_TIMEOUT_S, clock, availability)
            )
            requests = await stack.enter_async_context(
                _pool(dsn, "ic3 api", API_TIMEOUT_S, clock, availability)
            )
            if await patient.run(lambda: scope.holds(ingest)):
                requests.enter = scope.enter
            else:
                tell(
                    Warned(
                        "database: this login cannot make the role ic3_api: the scope of users"
                        " is kept by the program alone; see docs/howto/users-and-keys.md"
                    )
                )
            await patient.run(lambda: refuse_mixing(settings, ingest))
            base = await patient.run(
                lambda: stack.enter_async_context(plant(settings, ingest, tell, scenario=scenario))
            )
            await patient.run(lambda: _ensure_admin(settings, requests, show_login))
            partitions = PartitionStore(ingest, raw_days=settings.raw_days)
            await patient.run(lambda: partitions.make(clock.now().date()))
            rollups = rollup_store(settings, ingest)
            await patient.run(lambda: rollups.settle_zone(clock.now()))
            alarms, journal, notices = Alarms(), AlarmJournal(), Notices()
            rules = RuleTable()
            await patient.run(lambda: restore_rules(rules, ingest, defaults=DEFAULT_RULES))
            await patient.run(lambda: restore_alarms(alarms, journal, notices, ingest, clock))
            client = gateway_client(settings, base, clock, tell)
            stack.push_async_callback(client.aclose)
            spool = open_spool(settings, clock, tell)
            stack.push_async_callback(spool.close)
            signals.started()
            await _run(
                settings, clock=clock, tell=tell, stop=stop, stop_time=stop_time, bound=bound,
                registry=registry, ingest=ingest, requests=requests, client=client, base=base,
                spool=spool, alarms=alarms, journal=journal, notices=notices, rules=rules,
                noticed=noticed, carriers=carriers,
            )  # fmt: skip


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


@asynccontextmanager
async def plant(
    settings: Settings, ingest: Database, tell: Observe, *, fill: bool = True,
    scenario: str = "none",
) -> AsyncIterator[str]:  # fmt: skip
    """The gateway's address: the configured one, or the simulated plant's while it runs.

    Args:
        settings: What the environment says.
        ingest: Whose empty register is filled with the simulated plant's.
        tell: Told each step.
        fill: Whether it may be filled.
        scenario: Of faults; `none`, `demo` or a file.

    Raises:
        SettingsError: There is neither a gateway nor a simulated plant.
        StartError: The plant does not start.
    """
    if settings.redis_api_base is not None:
        yield settings.redis_api_base
        return
    _check_simulator()
    if fill:
        await fill_register(settings, ingest, tell)
        await fill_network(settings, ingest, tell)
    tell(Starting("plant", "simulated plant on loopback"))
    _make_data_dir(settings)
    process = await plant_process(
        settings, "--watch-parent", "--interval", f"{settings.poll_interval_s:g}",
        "--speed", f"{settings.plant_speed:g}", "--scenario", scenario,
        "--address-file", str(settings.data_dir / PLANT_ADDRESS_FILE),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode().strip()
        if "http://" not in line:
            raise StartError("plant: the simulated plant did not start; see the lines above")
        yield "http://" + line.rpartition("http://")[2]
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(1):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"plant: {settings.data_dir}: {error.strerror}; set IC3_DATA_DIR to one that can be"
            " used"
        ) from None


async def plant_process(settings: Settings, *arguments: str) -> asyncio.subprocess.Process:
    """A process of the simulated plant, with the plant's state in the data directory."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ic3.simulator", "--seed", str(settings.plant_seed),
        "--state", str(settings.data_dir / PLANT_STATE_FILE), *arguments,
        stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        env=environment_without_secrets(), start_new_session=True, limit=STREAM_LIMIT_BYTES,
    )  # fmt: skip


async def fill_register(settings: Settings, ingest: Database, tell: Observe) -> None:
    """Fill an empty register with the simulated plant's."""
    registers = RegisterStore(ingest)
    if await registers.count():
        return
    # An extra: imported only where it is used.
    from ic3.simulator.plant import Plant

    tell(Starting("register", "filling the empty register with the simulated plant's"))
    await registers.import_rows(Plant(settings.plant_seed).tables())


async def fill_network(settings: Settings, ingest: Database, tell: Observe) -> None:
    """Fill an empty pipe network with the simulated plant's."""
    networks = NetworkStore(ingest)
    if not await networks.is_empty():
        return
    from ic3.simulator.plant import Plant

    tell(Starting("network", "filling the empty pipe network with the simulated plant's"))
    file, tables = Plant(settings.plant_seed).network_tables()
    network = described(read_inp(file.encode(), "simulated plant"), tables)
    await networks.replace(None, network, hydraulic=False)


def _check_simulator() -> None:
    if importlib.util.find_spec("epanet_plus") is None:
        raise SettingsError(
            "settings: REDIS_API_BASE is unset and the simulated plant is not installed;"
            " install ic3[sim]"
        )


def gateway_client(
    settings: Settings, base: str, clock: Clock, observe: Observe = lambda _: None
) -> RedisRESTClient:
    """The client of the gateway at `base`."""
    return RedisRESTClient(
        base,
        max_in_flight=settings.redis_api_max_in_flight,
        timeout_s=settings.redis_api_timeout_s,
        mget_path=settings.redis_api_mget_path,
        ca_file=settings.redis_api_ca_file,
        bearer_token=settings.redis_api_token,
        interval_s=settings.poll_interval_s,
        clock=clock,
        observe=observe,
    )


def cmms_client(settings: Settings, base: str, clock: Clock) -> InnomaintClient:
    """The client of the CMMS at `base`."""
    return InnomaintClient(
        base, path=settings.cmms_path, token=settings.cmms_token,
        rate_per_s=settings.cmms_rate_per_s, timeout_s=settings.cmms_timeout_s,
        ca_file=settings.cmms_ca_file, clock=clock,
    )  # fmt: skip


def cmms_sync(
    settings: Settings, requests: Database, base: str, *, clock: Clock, observe: Observe
) -> CmmsSync:
    """The synchronisation with the configured CMMS, or with the simulated plant's.

    Args:
        settings: What the environment says.
        requests: Where the register is.
        base: Address of the gateway, which is the plant's where it is simulated.
        clock: Handed on.
        observe: Handed on.
    """
    store = CmmsStore(requests)
    if settings.cmms_base is not None:
        configured = settings.cmms_base
        return CmmsSync(
            store, lambda: cmms_client(settings, configured, clock), clock=clock, observe=observe
        )
    if settings.simulated:
        stub = base + PLANT_CMMS_PATH
        # On loopback nobody has to be spared, and the token is not the stub's.
        return CmmsSync(
            store, lambda: InnomaintClient(stub, rate_per_s=1000, clock=clock), clock=clock,
            observe=observe,
        )  # fmt: skip
    return CmmsSync(store, None, clock=clock, observe=observe)


def rollup_store(settings: Settings, ingest: Database) -> RollupStore:
    """The roll-ups, in the plant's zone."""
    return RollupStore(ingest, zone=settings.zone, raw_days=settings.raw_days)


async def restore_rules(rules: RuleTable, database: Database, *, defaults: Sequence[Rule]) -> None:
    """Take up the rules; a new installation begins with the defaults."""
    store = RuleStore(database)
    await store.insert_defaults(defaults)
    rules.replace([each.rule for each in await store.all()])


async def restore_alarms(
    alarms: Alarms, journal: AlarmJournal, notices: Notices, database: Database, clock: Clock
) -> None:
    """Take up the alarms as they were left, before anything is judged.

    Args:
        alarms: Empty.
        journal: Follows them from then on.
        notices: Likewise; also told of what an earlier process may have had no time to tell.
        database: Where they are stored.
        clock: Says which holds are over.
    """
    known = await AlarmStore(database).restore()
    alarms.restore(
        known.alarms, known.holds, last_id=known.last_id, last_hold_id=known.last_hold_id
    )
    journal.follow(alarms)
    for change in untold(alarms.open, clock.now_us()):
        notices.put(change)
    alarms.listen(notices.put)
    alarms.settle(clock.now_us())


def untold(alarms: Iterable[Alarm], now_us: int) -> list[Change]:
    """Calls that a killed process may have stored and not put into the outbox, oldest first.

    The outbox takes each once. One that anything has happened to since was there long enough.
    """
    since_us = now_us - int(GIVEN_UP_AFTER.total_seconds() * 1e6)
    found = [
        Change(What.NEW, each, each.raised_us)
        for each in alarms
        if each.version == 1 and each.calls and each.raised_us >= since_us
    ]
    return sorted(found, key=lambda change: change.alarm.id)[-UNTOLD_LIMIT:]


def warnings(settings: Settings) -> list[str]:
    """What works but should not stay as it is; said at start and by `ic3 doctor`."""
    found = []
    host = _plain_host(settings.redis_api_base or "")
    if host and not is_loopback(host):
        found.append(
            f"gateway: {host} is read over plain http; anybody on the way can read and"
            " forge telemetry; use https where the gateway offers it"
        )
    cmms = _plain_host(settings.cmms_base or "")
    if cmms and not is_loopback(cmms):
        found.append(
            f"cmms: {cmms} is read over plain http; anybody on the way can read its token and forge"
            " the register; use https where it offers it"
        )
    if settings.admin_password is not None and len(settings.admin_password) < 12:
        found.append("login: IC3_ADMIN_PASSWORD is shorter than 12 characters; choose a longer one")
    if not is_loopback(settings.host):
        found.append(
            f"server: listens on {settings.host} without TLS; put a proxy that ends TLS in front"
        )
    return found


async def _run(  # noqa: PLR0915  the whole life on one screen
    settings: Settings, *, clock: Clock, tell: Observe, stop: asyncio.Event, stop_time: StopTime,
    bound: socket.socket, registry: CollectorRegistry, ingest: Database, requests: Database,
    client: RedisRESTClient, base: str, spool: Spool, alarms: Alarms, journal: AlarmJournal,
    notices: Notices, rules: RuleTable, noticed: Noticed, carriers: Mapping[RouteKind, Carrier],
) -> None:  # fmt: skip
    """Build what is left, run the workers and the server, stop them in order."""
    feed = Feed(interval_s=settings.poll_interval_s, raw_days=settings.raw_days)
    latest, runs = LatestReadings(feed.freshness.stale_after_s), RecentRuns()
    places = Places(max_clients=settings.ws_clients, max_per_user=settings.ws_clients_per_user)
    asset_scope = AssetScope(latest, feed)
    hub = LocalHub(clock=clock, observe=tell, places=places, domain_of=asset_scope.domain_of)
    live = LiveHub(
        board=Board(feed=feed, latest=latest, alarms=alarms), alarms=alarms, runs=runs,
        places=places, clock=clock, observe=tell,
        greeting=Greeting(
            dashboard.build(), settings.poll_interval_s, settings.zone, settings.simulated
        ),
        domain_of=asset_scope.domain_of,
    )  # fmt: skip
    router = Router(ZoneInfo(settings.zone))
    unsaved = UnsavedSweeps()
    access, events = Access(), PendingEvents()
    access_store = AccessStore(ingest, token_life_s=settings.token_minutes * 60, clock=clock)
    access.replace(await access_store.load())
    _gauge_spool(registry, spool, clock)
    _gauge_alarms(registry, journal)
    _gauge_clients(registry, hub, live)
    await _reopen(spool, unsaved, simulated=settings.simulated, clock=clock, tell=tell)
    # What cannot be stored in an interval waits in the spool.
    hurried = ingest.limited(max(SAVE_LIMIT_S, settings.poll_interval_s))
    files = AttachmentFiles(settings.data_dir / "attachments")
    parts = Parts(
        sweeper=Sweeper(client, simulated=settings.simulated, clock=clock),
        spool=spool, unsaved=unsaved, telemetry=TelemetryStore(hurried, spool=spool.uuid),
        gaps=GapStore(hurried, spool=spool.uuid), monitoring=MonitoringStore(ingest),
        registers=RegisterStore(hurried), inbox=InboxStore(ingest), replays=ReplayStore(ingest),
        partitions=PartitionStore(
            ingest, raw_days=settings.raw_days, rollup_days=settings.rollup_days
        ),
        rollups=rollup_store(settings, ingest),
        plans=PlanStore(ingest), orders=WorkOrderStore(ingest),
        attachments=AttachmentStore(ingest, cap_bytes=settings.attachments_max_mib << 20),
        files=files, returns=Returns(alarms), zone=ZoneInfo(settings.zone),
        states=StateStore(ingest), alarm_store=AlarmStore(ingest), journal=journal,
        notices=notices, router=router, notify=NotifyStore(hurried),
        carriers=carriers,
        hub=hub, live=live, feed=feed, latest=latest, runs=runs, ended=EndedSweeps(tell),
        access=access, access_events=events, access_store=access_store,
        audits=AuditStore(ingest), audit_days=settings.audit_days,
        alarms=alarms, rules=rules, rule_store=RuleStore(ingest), news=News(), noticed=noticed,
        away=ingest.availability.why_away, spool_share=spool.share,
        interval_s=settings.poll_interval_s, clock=clock, observe=tell,
    )  # fmt: skip
    readiness = ReadinessReader(
        database=ingest, feed=feed, breaker=client.breaker, interval_s=settings.poll_interval_s,
        simulated=settings.simulated, clock=clock,
    )  # fmt: skip
    http = _http(
        settings, clock=clock, tell=tell, registry=registry, requests=requests, ingest=ingest,
        hub=hub, live=live, feed=feed, latest=latest, runs=runs, readiness=readiness, base=base,
        breaker=client.breaker, spool=spool, access=access, events=events, alarms=alarms,
        journal=journal, files=files,
        notifications=Notifications(
            NotifyStore(requests), notices, carriers, settings.webhook_allow_private, router, clock
        ),
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(http.serve(sockets=[bound]))
        back_off_limit_s = min(BACK_OFF_LIMIT_S, settings.poll_interval_s)
        made = [make(parts) for make in WORKERS]
        workers = {
            each.name: group.create_task(
                run_worker(each, clock=clock, observe=tell, back_off_limit_s=back_off_limit_s)
            )
            for each in made
        }
        hub_tasks = {group.create_task(hub.run()), group.create_task(live.run())}
        presence = group.create_task(keep_presence(ingest.dsn))
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        tell(Serving(f"http://{shown}:{port}", base, settings.simulated))
        noted = note_address(settings, host, port)
        waiting = group.create_task(stop.wait())
        await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        # Before the drain, which a database that hangs draws out to its end.
        stop_time.begin()
        noted.unlink(missing_ok=True)
        readiness.stopping = True
        await _drain(workers, unsaved, parts.ended, journal, notices)
        ending = {*hub_tasks, presence, *workers.values()}
        for task in ending:
            task.cancel()
        await asyncio.wait(ending, timeout=min(WORKERS_STOP_S, stop_time.left_s()))
        for pool in (ingest, requests):
            pool.cut_all()
        await asyncio.wait(ending, timeout=stop_time.left_s())
        http.should_exit = True


def note_address(settings: Settings, host: str, port: int) -> Path:
    """Leave in the data directory where commands of this machine find the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    shown = f"[{host}]" if ":" in host else host
    path = settings.data_dir / SERVER_ADDRESS_FILE
    with suppress(OSError):  # commands then go by IC3_HOST and IC3_PORT
        path.write_text(f"http://{shown}:{port}\n", encoding="ascii")
    return path


def ways_out(settings: Settings, clock: Clock) -> dict[RouteKind, Carrier]:
    """Webhook and mail, by the settings.

    Raises:
        SettingsError: IC3_SMTP_URL is no such URL.
    """
    server = None if settings.smtp_url is None else smtp_server(settings.smtp_url)
    return {
        RouteKind.WEBHOOK: Webhook(clock=clock, allow_private=settings.webhook_allow_private),
        RouteKind.EMAIL: Mail(
            server=server, sender=settings.smtp_from, zone=ZoneInfo(settings.zone), clock=clock
        ),
    }


def _gauge_spool(registry: CollectorRegistry, spool: Spool, clock: Clock) -> None:
    """The spool's level as metrics, asked for at each scrape."""

    def age_s() -> float:
        oldest_us = spool.level.oldest_us
        return 0.0 if oldest_us is None else (clock.now_us() - oldest_us) / 1e6

    for name, words, read in (
        ("ic3_spool_rows", "Accepted envelopes not yet stored.", lambda: spool.level.envelopes),
        ("ic3_spool_bytes", "Their size.", lambda: spool.level.bytes),
        ("ic3_spool_oldest_age_seconds", "Age of the oldest of them.", age_s),
    ):
        Gauge(name, words, registry=registry).set_function(read)


def _gauge_alarms(registry: CollectorRegistry, journal: AlarmJournal) -> None:
    waiting = Gauge(
        "ic3_alarm_changes_waiting", "What happened to alarms and is not stored yet.",
        registry=registry,
    )  # fmt: skip
    waiting.set_function(lambda: len(journal))


def _gauge_clients(registry: CollectorRegistry, hub: LocalHub, live: LiveHub) -> None:
    """Live clients as metrics, asked for at each scrape."""
    for name, words, read in (
        ("ic3_ws_clients", "Clients of /ws.", lambda: hub.clients),
        ("ic3_ws_v1_clients", "Clients of /ws/v1 and /api/stream.", lambda: live.clients),
        ("ic3_ws_v1_slow", "Those that do not take what is sent.", lambda: live.slow),
    ):
        Gauge(name, words, registry=registry).set_function(read)


def open_spool(settings: Settings, clock: Clock, tell: Observe) -> Spool:
    """The spool of the data directory, not yet opened."""
    return Spool(
        settings.data_dir / "spool", cap_bytes=settings.spool_max_mib << 20,
        age_cap_s=settings.spool_max_hours * 3600, clock=clock, observe=tell,
    )  # fmt: skip


async def _reopen(
    spool: Spool, unsaved: UnsavedSweeps, *, simulated: bool, clock: Clock, tell: Observe
) -> None:
    """Open the spool, and take up what an earlier process left in it."""
    opened = await spool.open()
    unsaved.restore(opened.waiting)
    if opened.waiting:
        number = sum(each.envelopes for each in opened.waiting)
        tell(Starting("spool", f"{number:,} accepted envelopes wait to be stored"))
    if opened.interrupted_us is not None:
        broken = Sweep(
            begun_at=datetime.fromtimestamp(opened.interrupted_us / 1e6, UTC),
            started=clock.monotonic(), simulated=simulated, error="interrupted",
        )  # fmt: skip
        broken.spool_id = await spool.accept(broken.record(), [])
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        accepted.set_result(True)
        unsaved.put(broken, accepted)


async def _drain(
    workers: Mapping[str, asyncio.Task[None]], unsaved: UnsavedSweeps, ended: EndedSweeps,
    journal: AlarmJournal, notices: Notices,
) -> None:  # fmt: skip
    """No new sweep; what is accepted may still be stored, for a moment."""
    workers["poll"].cancel()
    await asyncio.wait({workers["poll"]}, timeout=1)
    await until_drained(lambda: len(unsaved) + len(ended) + len(journal) + len(notices))


async def until_drained(waiting: Callable[[], int]) -> None:
    """Wait until nothing waits any more, unless that takes too long or nothing moves.

    Args:
        waiting: How much there is that workers are still to store.
    """
    loop = asyncio.get_running_loop()
    begun = moved = loop.time()
    least = waiting()
    while least and loop.time() < min(begun + DRAIN_LIMIT_S, moved + DRAIN_PAUSE_S):
        await asyncio.sleep(0.01)
        if (now := waiting()) < least:
            least, moved = now, loop.time()


def _http(
    settings: Settings, *, clock: Clock, tell: Observe, registry: CollectorRegistry,
    requests: Database, ingest: Database, hub: LocalHub, live: LiveHub, feed: Feed,
    latest: LatestReadings, runs: RecentRuns, readiness: ReadinessReader, base: str,
    breaker: Breaker, spool: Spool, access: Access, events: PendingEvents, alarms: Alarms,
    journal: AlarmJournal, notifications: Notifications, files: AttachmentFiles,
) -> Server:  # fmt: skip
    life_s = settings.token_minutes * 60
    tokens = Tokens(
        _jwt_secret(settings), life_s=life_s, clock=clock, access=access,
        previous=settings.jwt_secret_previous,
    )  # fmt: skip
    tickets, passwords = Tickets(clock), Passwords()
    logins = Logins(
        users=UserStore(requests), store=LoginStore(requests), access=access,
        access_store=AccessStore(requests, token_life_s=life_s, clock=clock), events=events,
        passwords=passwords, tokens=tokens, throttle=Throttle(clock), clock=clock, observe=tell,
        idle_days=settings.login_days,
    )  # fmt: skip
    people = People(
        users=logins.users, logins=logins.store, keys=ApiKeyStore(requests), clock=clock,
        hash=passwords.hash, reload=logins.reload,
    )  # fmt: skip
    reads = MonitoringReads(latest, runs)
    admission = Admission(
        verify=tokens.verify, use_ticket=tickets.use, origins=settings.cors_origins,
        insecure=settings.ws_insecure, access=access, observe=tell,
    )  # fmt: skip
    stats = StatsReader(
        feed=feed, latest=latest, runs=runs, hub=hub, live=live, database=ingest, spool=spool,
        breaker=breaker, clock=clock,
        gateway=without_credentials(base), simulated=settings.simulated,
    )  # fmt: skip
    # A whole network may take longer to read or write than other requests may.
    networks = NetworkStore(requests.limited(NETWORK_LIMIT_S))
    layers = Layers(
        latest=latest, freshness=feed.freshness, alarms=alarms,
        area=Box(*settings.service_area) if settings.service_area else None,
    )  # fmt: skip
    application = build(
        ROUTES,
        dependencies={
            "asset_scope": AssetScope(latest, feed), "logins": logins, "people": people,
            "tickets": tickets, "reads": reads, "feed": feed,
            "stats_reader": stats, "registers": RegisterStore(requests), "latest": latest,
            "readiness": readiness, "registry": registry, "run_store": RunStore(requests),
            "inbox": InboxStore(requests), "mappings": MappingStore(requests),
            "replays": ReplayStore(requests), "audits": AuditStore(requests),
            "asset_store": AssetStore(requests), "parameter_store": ParameterStore(requests),
            "conflict_store": ConflictStore(requests), "exports": ExportStore(requests),
            "importer": MappingStore(requests.limited(IMPORT_LIMIT_S)),
            "cmms_sync": cmms_sync(settings, requests, base, clock=clock, observe=tell),
            "quarantine": Quarantine(
                QuarantineStore(requests), TelemetryStore(ingest), latest, clock,
                simulated=settings.simulated,
            ),
            "history": HistoryReader(
                HistoryStore(requests, zone=settings.zone), zone=settings.zone, clock=clock
            ),
            **order_parts(settings, requests, alarms, files, latest, clock),
            "clock": clock, "notifications": notifications, "state_store": StateStore(requests),
            "states_reader": StatesReader(feed=feed, latest=latest, clock=clock),
            "network_store": networks, "map_reader": MapReader(networks, layers, clock=clock),
            "public_address": PublicAddress(settings.public_url),
            "alarms_reader": AlarmsReader(
                alarms, journal, AlarmStore(requests), clock, settings.zone
            ),
            "alarm_desk": AlarmDesk(alarms, journal, AlarmStore(requests), clock),
            "rule_store": RuleStore(requests), "kpi_store": KpiStore(requests),
            "snapshots": SnapshotReader(live),
            "streams": Streams(
                hub=live, clock=clock, observe=tell, admission=admission
            ),
        },
        hot={
            "/api/monitoring/progress": HotRead(reads.progress),
            "/api/monitoring/live": HotRead(reads.live, "serial_number", scoped=True),
        },
        sockets={
            "/ws": LiveSocket(hub=hub, admission=admission, clock=clock, observe=tell),
            "/ws/v1": NumberedSocket(hub=live, admission=admission, clock=clock, observe=tell),
        },
        admissions={"/api/stream": admission.admit_stream},
        files=dashboard.static_files(),
        verify=tokens.verify,
        origins=settings.cors_origins,
        observe=tell,
        clock=clock,
        events=events,
        rates=Rates(settings.rate_per_minute) if settings.rate_per_minute else None,
    )  # fmt: skip
    return server(application, http=StreamProtocol, websocket=FrameProtocol)


def order_parts(
    settings: Settings, requests: Database, alarms: Alarms, files: AttachmentFiles,
    latest: LatestReadings, clock: Clock,
) -> dict[str, object]:  # fmt: skip
    """What the routes of work orders and plans take."""
    orders = WorkOrderStore(requests)
    attachments = AttachmentStore(requests, cap_bytes=settings.attachments_max_mib << 20)
    return {
        "alarms": alarms, "work_orders": orders, "order_details": DetailStore(requests),
        "order_desk": OrderDesk(orders, ReliabilityStore(requests), alarms, latest, clock),
        "attachment_desk": AttachmentDesk(
            orders=orders, store=attachments, files=files, alarms=alarms, clock=clock
        ),
        "plan_desk": PlanDesk(PlanStore(requests), ZoneInfo(settings.zone), clock),
    }  # fmt: skip


@asynccontextmanager
async def _pool(
    dsn: str, name: str, statement_timeout_s: float, clock: Clock, availability: Availability
) -> AsyncIterator[Database]:
    pool = Database(
        dsn, name=name, size=POOL_SIZE, statement_timeout_s=statement_timeout_s, clock=clock,
        availability=availability,
    )  # fmt: skip
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


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


async def refuse_mixing(settings: Settings, ingest: Database) -> None:
    """Simulated readings never join those of a real plant.

    Raises:
        StartError: They would.
    """
    if settings.simulated and await TelemetryStore(ingest).holds_a_real_plant():
        raise StartError(
            "plant: this database holds telemetry of a real gateway, which the simulated plant"
            " never joins; set REDIS_API_BASE to that gateway, or IC3_DATA_DIR or DATABASE_URL to"
            " another database"
        )


async def _ensure_admin(
    settings: Settings, requests: Database, show_login: Callable[[FirstLogin], None]
) -> None:
    users = UserStore(requests)
    if await users.has_admin():
        return
    given = settings.admin_password
    if given is not None and len(given) < 12 and not is_loopback(settings.host):
        raise StartError(
            "login: IC3_ADMIN_PASSWORD is shorter than 12 characters, which is refused where the"
            " server listens for other machines; choose a longer one"
        )
    password = given or secrets.token_urlsafe(12)
    await users.add(
        "admin", await Passwords().hash(password), Role.ADMIN, must_change=given is None
    )
    show_login(FirstLogin("admin", None if given else password))


def _jwt_secret(settings: Settings) -> str:
    if settings.jwt_secret is not None:
        if len(settings.jwt_secret.encode()) < SECRET_BYTES:
            raise StartError(f"login: IC3_JWT_SECRET is shorter than {SECRET_BYTES} bytes")
        return settings.jwt_secret
    path = settings.data_dir / JWT_SECRET_FILE
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            temporary.rename(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StartError(
            f"login: {path} cannot be used: {error.strerror}; set IC3_DATA_DIR or IC3_JWT_SECRET"
        ) from None


def without_credentials(url: str) -> str:
    """An address as people may see it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _plain_host(address: str) -> str:
    """The host that is read over plain http; empty where none is, or the address is none."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "") if parts.scheme == "http" else ""
    except ValueError:
        return ""


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


def files_needed(settings: Settings) -> int:
    """How many files the program may have open with all the live clients it allows."""
    return settings.ws_clients + FILES_BESIDE_CLIENTS


def files_possible() -> int:
    """How many files this process may allow itself to have open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _allow_files(settings: Settings, tell: Observe) -> None:
    """Make room for the live clients, or say that there is none for so many."""
    needed, possible = files_needed(settings), files_possible()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, possible), hard))
    if possible < needed:
        tell(
            Warned(
                f"server: {possible} files may be open, {settings.ws_clients} live clients are"
                f" allowed; ulimit -n {needed}, or set IC3_WS_CLIENTS lower"
            )
        )


def _warn(settings: Settings, tell: Observe) -> None:
    for text in warnings(settings):
        tell(Warned(text))


def _tell_all(*observers: Observe | None) -> Observe:
    present = [each for each in observers if each is not None]

    def tell(observation: Observation) -> None:
        for observer in present:
            observer(observation)

    return tell


class _signals:  # noqa: N801  reads as a word in `with`
    """SIGTERM and SIGINT set the event; a second one ends the process at once.

    Before `started` nobody waits for the event: the start itself is given up.
    """

    def __init__(self, stop: asyncio.Event, tell: Observe) -> None:
        self._stop = stop
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        self._given_up: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._heard, number)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)
        if self._given_up is None:
            return False
        self._given_up.uncancel()
        return kind is asyncio.CancelledError

    def started(self) -> None:
        """From here on the event is heeded."""
        self._starting = None

    def _heard(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        self._tell(Stopping(signal.Signals(number).name))
        self._stop.set()
        if self._starting is not None:
            self._given_up = self._starting
            self._given_up.cancel()
