"""What the HTTP server takes: each route's parts, built once."""

from functools import partial
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from prometheus_client import CollectorRegistry

from ic3.api import ROUTES
from ic3.api.alarm_acts import AlarmDesk
from ic3.api.alarms import AlarmsReader
from ic3.api.attachments import AttachmentDesk
from ic3.api.auth import Logins, Passwords, Throttle, Tickets, Tokens
from ic3.api.findings import FindingDesk
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
from ic3.api.map_values import MapValuesReader
from ic3.api.monitoring import MonitoringReads
from ic3.api.notifications import Notifications
from ic3.api.ogc import PublicAddress
from ic3.api.once import Once
from ic3.api.plans import PlanDesk
from ic3.api.quarantine import Quarantine
from ic3.api.server import HotRead, Server, build, server
from ic3.api.states import StatesReader
from ic3.api.system import SystemReader
from ic3.api.telemetry import StatsReader
from ic3.api.users import People
from ic3.api.work_orders import OrderDesk
from ic3.app.clients import cmms_sync
from ic3.app.doctor import survey
from ic3.app.logins import jwt_secret
from ic3.clock import Clock
from ic3.dashboard import Dashboard
from ic3.domain.access import Access, PendingEvents
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarms import Alarms
from ic3.domain.geo import Box
from ic3.domain.latest import LatestReadings
from ic3.domain.layers import Layers
from ic3.domain.rates import Rates
from ic3.domain.runs import RecentRuns
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed
from ic3.gateway.breaker import Breaker
from ic3.hub.live import LiveHub
from ic3.hub.local import LocalHub
from ic3.observations import Observe
from ic3.settings import Settings
from ic3.spool import Spool
from ic3.store.access import AccessStore
from ic3.store.alarm_kpi import KpiStore
from ic3.store.alarm_rules import RuleStore
from ic3.store.alarms import AlarmStore
from ic3.store.analytics import AnalyticsStore
from ic3.store.api_keys import ApiKeyStore
from ic3.store.assets import AssetStore
from ic3.store.attachment_files import AttachmentFiles
from ic3.store.attachments import AttachmentStore
from ic3.store.audit import AuditStore
from ic3.store.conflicts import ConflictStore
from ic3.store.dma import DmaStore
from ic3.store.exports import ExportStore
from ic3.store.findings import FindingStore
from ic3.store.gaps import GapStore
from ic3.store.history import HistoryStore
from ic3.store.inbox import InboxStore
from ic3.store.layers import MapReader
from ic3.store.logins import LoginStore
from ic3.store.mappings import MappingStore
from ic3.store.network import NetworkStore
from ic3.store.nrw import NrwStore
from ic3.store.order_details import DetailStore
from ic3.store.parameters import ParameterStore
from ic3.store.plans import PlanStore
from ic3.store.pool import Database
from ic3.store.pump_health import PumpStore
from ic3.store.quarantine import QuarantineStore
from ic3.store.register import RegisterStore
from ic3.store.reliability import ReliabilityStore
from ic3.store.replays import ReplayStore
from ic3.store.runs import RunStore
from ic3.store.states import StateStore
from ic3.store.system import SystemStore
from ic3.store.telemetry import TelemetryStore
from ic3.store.users import UserStore
from ic3.store.work_orders import WorkOrderStore

IMPORT_LIMIT_S: Final = 120.0  # a file is many statements, none of them longer than a request's
NETWORK_LIMIT_S: Final = 60.0


def http_server(
    settings: Settings, *, clock: Clock, tell: Observe, registry: CollectorRegistry,
    requests: Database, ingest: Database, hub: LocalHub, live: LiveHub, feed: Feed,
    latest: LatestReadings, runs: RecentRuns, readiness: ReadinessReader, base: str,
    breaker: Breaker, spool: Spool, access: Access, events: PendingEvents, alarms: Alarms,
    journal: AlarmJournal, notifications: Notifications, files: AttachmentFiles,
    pages: Dashboard,
) -> Server:  # fmt: skip
    life_s = settings.token_minutes * 60
    tokens = Tokens(
        jwt_secret(settings), life_s=life_s, clock=clock, access=access,
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
    system = SystemReader(
        settings=settings, store=SystemStore(requests), spool=spool, hub=hub, live=live,
        survey=partial(survey, settings, requests, clock),
        reasons=lambda: readiness.read().reasons, clock=clock,
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
            "stats_reader": stats, "system_reader": system,
            "registers": RegisterStore(requests), "latest": latest,
            "readiness": readiness, "registry": registry, "run_store": RunStore(requests),
            "gap_store": GapStore(requests),
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
            "states_reader": StatesReader(
                feed=feed, latest=latest, alarms=alarms, zone=settings.zone, clock=clock
            ),
            "network_store": networks, "map_reader": MapReader(networks, layers, clock=clock),
            "map_values": MapValuesReader(
                latest=latest, freshness=feed.freshness,
                store=HistoryStore(requests, zone=settings.zone), clock=clock,
            ),
            "public_address": PublicAddress(settings.public_url),
            "alarms_reader": AlarmsReader(
                alarms, journal, AlarmStore(requests), clock, settings.zone
            ),
            "alarm_desk": AlarmDesk(alarms, journal, AlarmStore(requests), clock),
            "rule_store": RuleStore(requests), "kpi_store": KpiStore(requests),
            "finding_desk": FindingDesk(FindingStore(requests), clock),
            "analytics_store": AnalyticsStore(requests), "dma_store": DmaStore(requests),
            "nrw_store": NrwStore(requests), "pump_store": PumpStore(requests),
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
        dashboard=pages,
        verify=tokens.verify,
        origins=settings.cors_origins,
        observe=tell,
        clock=clock,
        events=events,
        once=Once(requests, clock),
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


def without_credentials(url: str) -> str:
    """An address as people may see it."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
