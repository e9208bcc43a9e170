"""The composition root: builds each part once, starts in order, stops in reverse."""

import asyncio
import gc
import socket
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry

from ic3.api.health import ReadinessReader
from ic3.api.notifications import Notifications
from ic3.api.server import listen
from ic3.app.address import note_address
from ic3.app.checks import allow_files, warn
from ic3.app.clients import cmms_client, gateway_client, ways_out
from ic3.app.database import Patience, Pools, database, open_pools, rollup_store
from ic3.app.gauges import gauge_alarms, gauge_clients, gauge_spool
from ic3.app.http import http_server
from ic3.app.logins import FirstLogin, ensure_admin
from ic3.app.plant import plant, refuse_mixing
from ic3.app.restore import open_spool, reopen, restore_alarms, restore_rules
from ic3.app.stop import Signals, StopTime, drain
from ic3.clock import Clock
from ic3.dashboard import read_build
from ic3.domain.access import Access, PendingEvents
from ic3.domain.alarm_defaults import DEFAULT_RULES
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_rules import RuleTable
from ic3.domain.alarms import Alarms
from ic3.domain.board import Board
from ic3.domain.figures import Figures
from ic3.domain.latest import LatestReadings
from ic3.domain.notify import RouteKind, Router
from ic3.domain.returns import Returns
from ic3.domain.runs import RecentRuns
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import Greeting, LiveHub
from ic3.hub.local import LocalHub
from ic3.hub.notices import Carrier, Notices
from ic3.hub.places import Places
from ic3.observations import Observation, Observe, Serving, Starting
from ic3.observers import LogObserver, MetricsObserver
from ic3.settings import Settings
from ic3.spool import Spool
from ic3.store.access import AccessStore
from ic3.store.alarm_rules import RuleStore
from ic3.store.alarms import AlarmStore
from ic3.store.analytics import AnalyticsStore
from ic3.store.attachment_files import AttachmentFiles
from ic3.store.attachments import AttachmentStore
from ic3.store.audit import AuditStore
from ic3.store.dma import DmaStore
from ic3.store.findings import FindingStore
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.gaps import GapStore
from ic3.store.inbox import InboxStore
from ic3.store.migrate import migrate
from ic3.store.monitoring import MonitoringStore
from ic3.store.network import NetworkStore
from ic3.store.notify import NotifyStore
from ic3.store.nrw import NrwStore
from ic3.store.partitions import PartitionStore
from ic3.store.plans import PlanStore
from ic3.store.presence import keep_presence
from ic3.store.pump_health import PumpStore
from ic3.store.register import RegisterStore
from ic3.store.replays import ReplayStore
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.store.work_orders import WorkOrderStore
from ic3.workers import WORKERS, Parts
from ic3.workers.alarms import News, Noticed
from ic3.workers.monitoring import EndedSweeps
from ic3.workers.runner import BACK_OFF_LIMIT_S, run_worker
from ic3.workers.save import UnsavedSweeps

DATABASE_WAIT_S: Final = 30.0
SAVE_LIMIT_S: Final = 10.0
WORKERS_STOP_S: Final = 1.0


async def serve(
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
    with Signals(stop, tell) as signals:
        async with AsyncExitStack() as stack:
            carriers = ways_out(settings, clock)
            if settings.redis_api_base is not None:
                # A bad address is said at once, before anything is started.
                gateway_client(settings, settings.redis_api_base, clock)
            if settings.cmms_base is not None:
                cmms_client(settings, settings.cmms_base, clock)
            bound = listen(settings.host, settings.port)
            stack.callback(bound.close)
            warn(settings, tell)
            allow_files(settings, tell)
            dsn = await stack.enter_async_context(database(settings, tell, stop_time))
            patient = Patience(DATABASE_WAIT_S if settings.database_url is None else 0, tell)
            await patient.run(
                lambda: migrate(
                    dsn, adopt_zone=settings.adopt_zone,
                    say=lambda step: tell(Starting("schema", step)),
                )
            )  # fmt: skip
            pools = await stack.enter_async_context(open_pools(dsn, patient, clock, tell))
            keeper = pools.keeper
            await patient.run(lambda: refuse_mixing(settings, keeper))
            base = await patient.run(
                lambda: stack.enter_async_context(plant(settings, keeper, tell, scenario=scenario))
            )
            await patient.run(lambda: ensure_admin(settings, pools.requests, show_login))
            partitions = PartitionStore(keeper, raw_days=settings.raw_days)
            await patient.run(lambda: partitions.make(clock.now().date()))
            rollups = rollup_store(settings, keeper)
            await patient.run(lambda: rollups.settle_zone(clock.now()))
            alarms, journal, notices = Alarms(), AlarmJournal(), Notices()
            rules = RuleTable()
            await patient.run(lambda: restore_rules(rules, keeper, defaults=DEFAULT_RULES))
            await patient.run(lambda: restore_alarms(alarms, journal, notices, keeper, clock))
            client = gateway_client(settings, base, clock, tell)
            stack.push_async_callback(client.aclose)
            spool = open_spool(settings, clock, tell)
            stack.push_async_callback(spool.close)
            signals.started()
            await _run(
                settings, clock=clock, tell=tell, stop=stop, stop_time=stop_time, bound=bound,
                registry=registry, pools=pools, client=client, base=base,
                spool=spool, alarms=alarms, journal=journal, notices=notices, rules=rules,
                noticed=noticed, carriers=carriers,
            )  # fmt: skip


async def _run(  # noqa: PLR0915  the whole life on one screen
    settings: Settings, *, clock: Clock, tell: Observe, stop: asyncio.Event, stop_time: StopTime,
    bound: socket.socket, registry: CollectorRegistry, pools: Pools,
    client: RedisRESTClient, base: str, spool: Spool, alarms: Alarms, journal: AlarmJournal,
    notices: Notices, rules: RuleTable, noticed: Noticed, carriers: Mapping[RouteKind, Carrier],
) -> None:  # fmt: skip
    """Build what is left, run the workers and the server, stop them in order."""
    ingest, keeper, requests = pools.ingest, pools.keeper, pools.requests
    feed = Feed(interval_s=settings.poll_interval_s, raw_days=settings.raw_days)
    latest, runs = LatestReadings(feed.freshness.stale_after_s), RecentRuns()
    places = Places(max_clients=settings.ws_clients, max_per_user=settings.ws_clients_per_user)
    asset_scope = AssetScope(latest, feed)
    hub = LocalHub(clock=clock, observe=tell, places=places, domain_of=asset_scope.domain_of)
    pages = read_build()
    live = LiveHub(
        board=Board(feed=feed, latest=latest, alarms=alarms), alarms=alarms, runs=runs,
        places=places, clock=clock, observe=tell,
        greeting=Greeting(
            pages.build, settings.poll_interval_s, settings.zone, settings.simulated
        ),
        domain_of=asset_scope.domain_of,
    )  # fmt: skip
    router = Router(ZoneInfo(settings.zone))
    unsaved = UnsavedSweeps()
    access, events = Access(), PendingEvents()
    access_store = AccessStore(keeper, token_life_s=settings.token_minutes * 60, clock=clock)
    access.replace(await access_store.load())
    gauge_spool(registry, spool, clock)
    gauge_alarms(registry, journal)
    gauge_clients(registry, hub, live)
    await reopen(spool, unsaved, simulated=settings.simulated, clock=clock, tell=tell)
    # What cannot be stored in an interval waits in the spool.
    hurry_s = max(SAVE_LIMIT_S, settings.poll_interval_s)
    hurried = ingest.limited(hurry_s)
    files = AttachmentFiles(settings.data_dir / "attachments")
    parts = Parts(
        sweeper=Sweeper(client, simulated=settings.simulated, clock=clock),
        spool=spool, unsaved=unsaved, telemetry=TelemetryStore(hurried, spool=spool.uuid),
        gaps=GapStore(hurried, spool=spool.uuid), monitoring=MonitoringStore(ingest),
        registers=RegisterStore(hurried), inbox=InboxStore(ingest), replays=ReplayStore(keeper),
        partitions=PartitionStore(
            keeper, raw_days=settings.raw_days, rollup_days=settings.rollup_days
        ),
        rollups=rollup_store(settings, keeper),
        plans=PlanStore(keeper), orders=WorkOrderStore(keeper),
        attachments=AttachmentStore(keeper, cap_bytes=settings.attachments_max_mib << 20),
        files=files, returns=Returns(alarms), zone=ZoneInfo(settings.zone),
        states=StateStore(keeper), alarm_store=AlarmStore(keeper), journal=journal,
        notices=notices, router=router, notify=NotifyStore(keeper.limited(hurry_s)),
        carriers=carriers,
        hub=hub, live=live, feed=feed, latest=latest, runs=runs, ended=EndedSweeps(tell),
        access=access, access_events=events, access_store=access_store,
        audits=AuditStore(keeper), audit_days=settings.audit_days,
        alarms=alarms, rules=rules, rule_store=RuleStore(keeper), figures=Figures(),
        five_minutes=FiveMinuteStore(keeper), findings=FindingStore(keeper),
        analytics=AnalyticsStore(keeper), pumps=PumpStore(keeper),
        definitions=DmaStore(keeper), nrw=NrwStore(keeper), networks=NetworkStore(keeper),
        water_value_per_m3=settings.water_value_per_m3,
        news=News(),
        noticed=noticed,
        away=ingest.availability.why_away, spool_share=spool.share,
        interval_s=settings.poll_interval_s, clock=clock, observe=tell,
    )  # fmt: skip
    readiness = ReadinessReader(
        database=ingest, feed=feed, breaker=client.breaker, interval_s=settings.poll_interval_s,
        simulated=settings.simulated, clock=clock,
    )  # fmt: skip
    http = http_server(
        settings, clock=clock, tell=tell, registry=registry, requests=requests, ingest=ingest,
        hub=hub, live=live, feed=feed, latest=latest, runs=runs, readiness=readiness, base=base,
        breaker=client.breaker, spool=spool, access=access, events=events, alarms=alarms,
        journal=journal, files=files, pages=pages,
        notifications=Notifications(
            NotifyStore(requests), notices, carriers, settings.webhook_allow_private, router, clock
        ),
    )  # fmt: skip
    # Modules, routes and schemas stay: no later collection, which holds the loop, looks at them.
    gc.collect()
    gc.freeze()
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
        await drain(workers, unsaved, parts.ended, journal, notices)
        ending = {*hub_tasks, presence, *workers.values()}
        for task in ending:
            task.cancel()
        await asyncio.wait(ending, timeout=min(WORKERS_STOP_S, stop_time.left_s()))
        for pool in (ingest, keeper, requests):
            pool.cut_all()
        await asyncio.wait(ending, timeout=stop_time.left_s())
        http.should_exit = True


def _tell_all(*observers: Observe | None) -> Observe:
    present = [each for each in observers if each is not None]

    def tell(observation: Observation) -> None:
        for observer in present:
            observer(observation)

    return tell
