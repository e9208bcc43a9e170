"""The real server on a real socket, its parts filled by tests, and a client that adds nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from patience import PATIENCE_S
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import ClientConnection, connect

from ic3.api import ROUTES
from ic3.api.alarm_acts import AlarmDesk
from ic3.api.alarms import AlarmsReader
from ic3.api.attachments import AttachmentDesk
from ic3.api.auth import Logins, Passwords, Throttle, Tickets, Tokens
from ic3.api.cmms_sync import CmmsSync
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
from ic3.api.server import HotRead, Route, Server, build, listen, server
from ic3.api.states import StatesReader
from ic3.api.system import SystemReader
from ic3.api.telemetry import StatsReader
from ic3.api.users import People
from ic3.api.work_orders import OrderDesk
from ic3.app.doctor import survey
from ic3.clock import Clock
from ic3.dashboard import Dashboard, StaticFile
from ic3.domain.access import Access, PendingEvents
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarms import Alarms
from ic3.domain.board import Board
from ic3.domain.envelope import Envelope, parse
from ic3.domain.latest import LatestReadings
from ic3.domain.layers import Layers
from ic3.domain.mapping import Parameter, Reading, Register, RegisteredAsset
from ic3.domain.notify import RouteKind, Router
from ic3.domain.rates import Rates
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed
from ic3.domain.users import Principal, Role
from ic3.gateway.breaker import Breaker
from ic3.gateway.innomaint import InnomaintClient
from ic3.hub.live import Greeting, LiveHub
from ic3.hub.local import LocalHub
from ic3.hub.mail import Mail
from ic3.hub.notices import Notices
from ic3.hub.places import Places
from ic3.hub.webhook import Webhook
from ic3.observations import Observation
from ic3.settings import load
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
from ic3.store.cmms import CmmsStore
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
from ic3.store.notify import NotifyStore
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
from ic3.store.scope import enter
from ic3.store.states import StateStore
from ic3.store.system import SystemStore
from ic3.store.telemetry import TelemetryStore
from ic3.store.users import UserStore
from ic3.store.work_orders import WorkOrderStore

SECRET = "a secret of the tests, 32 bytes and more"
ZONE = "Asia/Kolkata"
NOWHERE = "host=127.0.0.1 port=1 dbname=ic3"
FRIEND = "https://maps.example.org"
NOW = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
PANEL = "C Block Ranjeet Nagar_LT Panel_19"
PAGE = b"<!doctype html><title>page</title>"


class StillClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._moved = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._moved)

    def now_us(self) -> int:
        return NOW_US + int(self._moved * 1_000_000)

    def monotonic(self) -> float:
        return 1000.0 + self._moved

    def advance(self, seconds: float) -> None:
        self._moved += seconds


class Answer(NamedTuple):
    """One answer as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0] if found else None

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Site:
    """The server and its parts."""

    port: int
    clock: StillClock
    database: Database
    latest: LatestReadings
    runs: RecentRuns
    feed: Feed
    hub: LocalHub
    places: Places
    numbered: LiveHub
    tokens: Tokens
    tickets: Tickets
    throttle: Throttle
    passwords: Passwords
    readiness: ReadinessReader
    http: Server
    task: asyncio.Task[None]
    told: list[Observation]
    access: Access
    events: PendingEvents
    logins: Logins
    alarms: Alarms
    journal: AlarmJournal
    networks: NetworkStore
    scopes: dict[str, frozenset[str]]

    def token(
        self, role: Role = Role.VIEWER, name: str = "asha", *,
        domains: frozenset[str] | None = None,
    ) -> str:  # fmt: skip
        """A token of somebody whose password was given just now."""
        confirmed_s = self.clock.now_us() / 1e6
        return self.tokens.make(name, role, domains=domains, confirmed_s=confirmed_s)

    async def ask(
        self,
        method: str,
        target: str,
        *,
        token: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        """One request on a connection of its own; the target is sent as it stands."""
        sent = self.request(method, target, token=token, headers=headers, body=body)
        return await self.exchange(sent, bodiless=method == "HEAD")

    async def head(self, method: str, target: str, **more: Any) -> Answer:
        """The same, but only the head of the answer is read: its body does not end."""
        return await self.exchange(self.request(method, target, **more), bodiless=True)

    def request(
        self,
        method: str,
        target: str,
        *,
        token: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> bytes:
        """A request as bytes."""
        lines = [f"{method} {target} HTTP/1.1"]
        if not any(name.lower() == "host" for name, _ in headers):
            lines.append(f"Host: 127.0.0.1:{self.port}")
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        if body and not any(name.lower() == "transfer-encoding" for name, _ in headers):
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def exchange(self, sent: bytes, *, bodiless: bool = False) -> Answer:
        """Send bytes, read one answer."""
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(sent)
            answer = await read_answer(reader, bodiless=bodiless)
            writer.close()
        return answer

    async def get(self, target: str, **more: Any) -> Answer:
        """A request of a viewer."""
        return await self.ask("GET", target, token=self.token(), **more)

    async def login(self, username: str, password: str, **more: Any) -> Answer:
        body = json.dumps({"username": username, "password": password}).encode()
        return await self.ask(
            "POST", "/api/auth/login", headers=[("Content-Type", "application/json")], body=body,
            **more,
        )  # fmt: skip

    async def ticket(self, name: str = "asha") -> str:
        answer = await self.ask("POST", "/api/ws-ticket", token=self.token(name=name))
        ticket = answer.json()["ticket"]
        assert isinstance(ticket, str)
        return ticket

    async def live(
        self, *, name: str = "asha", origin: str | None = None, receive_buffer: int | None = None,
        **more: Any,
    ) -> ClientConnection:  # fmt: skip
        """A live client that came in by a ticket."""
        target = f"/ws?ticket={await self.ticket(name)}"
        return await self.dial(target, origin=origin, receive_buffer=receive_buffer, **more)

    async def dial(
        self, target: str, *, headers: Sequence[tuple[str, str]] = (), origin: str | None = None,
        receive_buffer: int | None = None, **more: Any,
    ) -> ClientConnection:  # fmt: skip
        """A WebSocket client that neither compresses nor pings by itself."""
        wire = socket.socket()
        if receive_buffer is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        wire.setblocking(False)
        await asyncio.get_running_loop().sock_connect(wire, ("127.0.0.1", self.port))
        if origin is not None:
            headers = [*headers, ("Origin", origin)]
        return await connect(
            f"ws://127.0.0.1:{self.port}{target}", sock=wire, additional_headers=headers,
            compression=None, ping_interval=None, max_size=None, proxy=None, user_agent_header=None,
            **{"close_timeout": 2, **more},
        )  # fmt: skip

    async def settle(self, clients: int) -> None:
        """Wait until the hub has this many clients."""
        await until(lambda: self.hub.clients == clients)

    async def stop(self) -> None:
        self.http.should_exit = True
        await self.task


@asynccontextmanager
async def serving(
    dsn: str | None = None,
    *,
    routes: Sequence[Route] = ROUTES,
    more: dict[str, object] | None = None,
    origins: tuple[str, ...] = (FRIEND,),
    max_clients: int = 50,
    max_per_user: int = 10,
    ping_s: float | None = None,
    gateway: str = "http://gateway:3000",
    allow_private: bool = True,
    scopes: Mapping[str, frozenset[str]] | None = None,
    rate_per_minute: int = 0,
    cmms: Callable[[], InnomaintClient] | None = None,
    data_dir: Path = Path("/nowhere"),
    attachments_cap_bytes: int = 100 << 20,
) -> AsyncIterator[Site]:
    """The server, put together as `ic3.app.http` does it.

    Args:
        dsn: Its database; None for one that is away.
        routes: Another route table.
        more: What handlers beside those of the product take.
        origins: Whose pages may call.
        max_clients: Live clients in all.
        max_per_user: Live clients of one user.
        ping_s: Seconds between pings and until one is missed.
        gateway: The address shown.
        allow_private: Whether webhooks may call this machine.
        scopes: User to the domains that user may see; all others see all.
        rate_per_minute: Requests of one caller; 0 is no limit.
        cmms: Makes a client of the external CMMS.
        data_dir: Where attachments are kept.
        attachments_cap_bytes: How much they may take.
    """
    clock, told = StillClock(), list[Observation]()
    database = Database(
        dsn or NOWHERE, name="ic3 ingest test", size=2, statement_timeout_s=60, clock=clock
    )
    requests = Database(
        dsn or NOWHERE, name="ic3 api test", size=2, statement_timeout_s=60, clock=clock,
        enter=enter, availability=database.availability,
    )  # fmt: skip
    if dsn is not None:
        await database.open()
        await requests.open()
    feed, runs = Feed(interval_s=15), RecentRuns()
    latest = LatestReadings(feed.freshness.stale_after_s)
    alarms, places = Alarms(), Places(max_clients=max_clients, max_per_user=max_per_user)
    domain_of, journal = AssetScope(latest, feed).domain_of, AlarmJournal()
    hub = LocalHub(clock=clock, observe=told.append, places=places, domain_of=domain_of)
    journal.follow(alarms)
    numbered = LiveHub(
        board=Board(feed=feed, latest=latest, alarms=alarms), alarms=alarms, runs=runs,
        places=places, greeting=Greeting("build 1", 15.0, ZONE, simulated=False), clock=clock,
        observe=told.append, domain_of=domain_of,
    )  # fmt: skip
    access, events = Access(), PendingEvents()
    tokens, tickets = Tokens(SECRET, life_s=600, clock=clock, access=access), Tickets(clock)
    throttle, passwords = Throttle(clock), Passwords()
    breaker = Breaker(interval_s=15, monotonic=clock.monotonic, observe=told.append)
    reads = MonitoringReads(latest, runs)
    readiness = ReadinessReader(
        database=database, feed=feed, breaker=breaker, interval_s=15, simulated=False, clock=clock
    )
    spool = Spool(
        Path("/nowhere"), cap_bytes=1 << 20, age_cap_s=1, clock=clock, observe=told.append
    )
    admission = Admission(
        verify=tokens.verify, use_ticket=tickets.use, origins=origins, insecure=False,
        access=access, observe=told.append,
    )  # fmt: skip
    stats = StatsReader(
        feed=feed, latest=latest, runs=runs, hub=hub, live=numbered, database=database, clock=clock,
        gateway=gateway, simulated=False, spool=spool, breaker=breaker,
    )  # fmt: skip
    settings = load({"IC3_DATA_DIR": str(data_dir), "REDIS_API_BASE": gateway})
    system = SystemReader(
        settings=settings, store=SystemStore(requests), spool=spool, hub=hub, live=numbered,
        survey=partial(survey, settings, requests, clock),
        reasons=lambda: readiness.read().reasons, clock=clock,
    )  # fmt: skip
    logins = Logins(
        users=UserStore(requests), store=LoginStore(requests), access=access,
        access_store=AccessStore(requests, token_life_s=600, clock=clock), events=events,
        passwords=passwords, tokens=tokens, throttle=throttle, clock=clock, observe=told.append,
    )  # fmt: skip
    people = People(
        users=logins.users, logins=logins.store, keys=ApiKeyStore(requests), clock=clock,
        hash=passwords.hash, reload=logins.reload,
    )  # fmt: skip
    networks, asked_networks = NetworkStore(database), NetworkStore(requests)
    layers = Layers(latest=latest, freshness=feed.freshness, alarms=alarms, area=None)
    scoped = dict(scopes or {})

    application = build(
        routes,
        dependencies={
            "asset_scope": AssetScope(latest, feed), "logins": logins, "people": people,
            "tickets": tickets, "reads": reads, "feed": feed, "stats_reader": stats,
            "system_reader": system,
            "registers": RegisterStore(requests), "latest": latest, "readiness": readiness,
            "registry": CollectorRegistry(), "inbox": InboxStore(requests),
            "run_store": RunStore(requests), "gap_store": GapStore(requests),
            "mappings": MappingStore(requests), "replays": ReplayStore(requests),
            "audits": AuditStore(requests), "clock": clock,
            "notifications": Notifications(
                NotifyStore(requests), Notices(),
                {
                    RouteKind.WEBHOOK: Webhook(clock=clock, allow_private=allow_private),
                    RouteKind.EMAIL: Mail(
                        server=None, sender="ic3@localhost", zone=ZoneInfo(ZONE), clock=clock
                    ),
                },
                allow_private, Router(ZoneInfo(ZONE)), clock,
            ),
            "asset_store": AssetStore(requests), "parameter_store": ParameterStore(requests),
            "conflict_store": ConflictStore(requests), "exports": ExportStore(requests),
            "importer": MappingStore(requests.limited(60)),
            "cmms_sync": CmmsSync(
                CmmsStore(requests), cmms, clock=clock, observe=told.append
            ),
            "quarantine": Quarantine(
                QuarantineStore(requests), TelemetryStore(database), latest, clock, simulated=False
            ),
            "history": HistoryReader(
                HistoryStore(requests, zone=ZONE), zone=ZONE, clock=clock
            ),
            "map_values": MapValuesReader(
                latest=latest, freshness=feed.freshness,
                store=HistoryStore(requests, zone=ZONE), clock=clock,
            ),
            "state_store": StateStore(requests),
            "states_reader": StatesReader(
                feed=feed, latest=latest, alarms=alarms, zone=ZONE, clock=clock
            ),
            "network_store": asked_networks,
            "map_reader": MapReader(asked_networks, layers, clock=clock),
            "public_address": PublicAddress(),
            "alarms_reader": AlarmsReader(alarms, journal, AlarmStore(requests), clock, ZONE),
            "alarm_desk": AlarmDesk(alarms, journal, AlarmStore(requests), clock),
            "rule_store": RuleStore(requests), "kpi_store": KpiStore(requests),
            "finding_desk": FindingDesk(FindingStore(requests), clock),
            "analytics_store": AnalyticsStore(requests), "dma_store": DmaStore(requests),
            "nrw_store": NrwStore(requests), "pump_store": PumpStore(requests),
            "snapshots": SnapshotReader(numbered),
            "streams": Streams(
                hub=numbered, clock=clock, observe=told.append, admission=admission
            ),
            **order_parts(
                requests, alarms, latest, clock, data_dir=data_dir, cap_bytes=attachments_cap_bytes
            ),
            **(more or {}),
        },
        hot={
            "/api/monitoring/progress": HotRead(reads.progress),
            "/api/monitoring/live": HotRead(reads.live, "serial_number", scoped=True),
        },
        sockets={
            "/ws": LiveSocket(hub=hub, admission=admission, clock=clock, observe=told.append),
            "/ws/v1": NumberedSocket(
                hub=numbered, admission=admission, clock=clock, observe=told.append
            ),
        },
        admissions={"/api/stream": admission.admit_stream},
        dashboard=Dashboard(StaticFile(PAGE, "text/html; charset=utf-8")),
        verify=_scoped(tokens, scoped),
        origins=origins,
        observe=told.append,
        clock=clock,
        events=events,
        once=Once(requests, clock),
        rates=Rates(rate_per_minute) if rate_per_minute else None,
    )  # fmt: skip
    bound = listen("127.0.0.1", 0)
    # Accepted sockets inherit it: a client that stalls is felt after little.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
    http = server(application, http=StreamProtocol, websocket=FrameProtocol)
    if ping_s is not None:
        http.config.ws_ping_interval = http.config.ws_ping_timeout = ping_s
    task = asyncio.create_task(http.serve(sockets=[bound]))
    await until(lambda: http.started)
    site = Site(
        bound.getsockname()[1], clock, database, latest, runs, feed, hub, places, numbered,
        tokens, tickets, throttle, passwords, readiness, http, task, told, access, events, logins,
        alarms, journal, networks, scoped,
    )  # fmt: skip
    try:
        yield site
    finally:
        # Quicker than uvicorn's own way, which `Site.stop` takes.
        for listener in http.servers:
            listener.close()
        for connection in list(http.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await until(lambda: not (http.server_state.connections or http.server_state.tasks))
        task.cancel()
        await asyncio.wait([task])
        await requests.close()
        await database.close()


def _scoped(
    tokens: Tokens, scopes: Mapping[str, frozenset[str]]
) -> Callable[[bytes], Principal | None]:
    def verify(token: bytes) -> Principal | None:
        found = tokens.verify(token)
        if found is None or found.username not in scopes:
            return found
        return replace(found, domains=scopes[found.username])

    return verify


def order_parts(
    requests: Database, alarms: Alarms, latest: LatestReadings, clock: Clock, *, data_dir: Path,
    cap_bytes: int,
) -> dict[str, object]:  # fmt: skip
    """What the routes of work orders take."""
    orders = WorkOrderStore(requests)
    attachments = AttachmentStore(requests, cap_bytes=cap_bytes)
    return {
        "alarms": alarms, "work_orders": orders, "order_details": DetailStore(requests),
        "order_desk": OrderDesk(orders, ReliabilityStore(requests), alarms, latest, clock),
        "attachment_desk": AttachmentDesk(
            orders=orders, store=attachments, files=AttachmentFiles(data_dir / "attachments"),
            alarms=alarms, clock=clock,
        ),
        "plan_desk": PlanDesk(PlanStore(requests), ZoneInfo(ZONE), clock),
    }  # fmt: skip


async def until(true: Callable[[], bool]) -> None:
    """Wait for what nobody tells."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def run(number: int, **more: Any) -> Run:
    """A run of the log, one every 15 s."""
    at = NOW + timedelta(seconds=15 * (number - 1))
    return Run(number, at, 557, 541, 16, 2734, 89, 420, **more)


def register_with(*serials: str) -> Register:
    """A register in which each asset measures a few things."""
    parameters = {
        1: Parameter(1, "Health score", "HEALTH_SCORE", "%"),
        2: Parameter(2, "Mode", "MODE", None),
        3: Parameter(3, "Flow", "FLOW", "m³/h"),
    }
    return Register(
        1, {name: RegisteredAsset(number, name, {}) for number, name in enumerate(serials, 12)},
        parameters,
    )  # fmt: skip


def fill(latest: LatestReadings, *serials: str) -> None:
    """Three readings for each asset, given out of order."""
    latest.register = register_with(*serials)
    for asset in latest.register.assets.values():
        add(
            latest,
            Reading(asset.register_id, "mode", 2, None, 'Auto "1" ½', NOW_US + 1),
            Reading(asset.register_id, "HEALTH_SCORE", 1, 94.8, None, NOW_US + 250_000),
            Reading(asset.register_id, "FLOW", 3, None, None, NOW_US),
        )


def add(latest: LatestReadings, *readings: Reading) -> None:
    """Newer readings of one asset."""
    register_id = readings[0].register_id
    tags = {each.tag_code: each for each in readings}
    latest.apply({register_id: {**latest.past({}).tags(register_id), **tags}})


def envelope(
    asset: str, number: int = 1, *, alarm: str = "NORMAL", note: str = "", size: int = 0
) -> Envelope:
    """An envelope as the source wrote it, with so many blanks."""
    values = json.dumps({"FLOW": 12.5, "NOTE": note}, ensure_ascii=False)
    text = (
        f'{{{" " * size}"record_id": "r-{number}", "asset_id": {json.dumps(asset)}, '
        f'"domain":"DEL-D07", "protocol":"MODBUS","system_id":"S1", '
        f'"occurred_at":"2026-06-15T01:41:59.123456789Z", "values":{values}, '
        f'"quality":"GOOD", "alarm":"{alarm}"}}'
    )
    return parse(asset, text, received_us=NOW_US + number, content_hash=b"")


def envelopes(assets: Iterable[str], number: int = 1, *, size: int = 10) -> list[Envelope]:
    return [envelope(asset, number, size=size) for asset in assets]


async def read_answer(reader: asyncio.StreamReader, *, bodiless: bool = False) -> Answer:
    """The next answer on a connection; only what is streamed is chunked."""
    head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
    status = int(first.split(" ")[1])
    bodiless = bodiless or status in {101, 204, 304}
    if ("transfer-encoding", "chunked") in headers and not bodiless:
        return Answer(status, headers, await _read_chunks(reader))
    length = 0 if bodiless else int(dict(headers)["content-length"])
    return Answer(status, headers, await reader.readexactly(length))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body
