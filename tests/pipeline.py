"""Sweep, spool, save and monitoring on their real parts, step by step as a test wants them."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from ic3.app.restore import reopen
from ic3.clock import Clock
from ic3.domain.access import Access, PendingEvents
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_rules import RuleTable
from ic3.domain.alarms import Alarms
from ic3.domain.figures import Figures
from ic3.domain.latest import LatestReadings
from ic3.domain.notify import Router
from ic3.domain.returns import Returns
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.errors import GatewayError
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import unheard
from ic3.hub.local import LocalHub
from ic3.hub.notices import Notices
from ic3.hub.places import Places
from ic3.observations import Observation
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
from ic3.store.monitoring import MonitoringStore
from ic3.store.network import NetworkStore
from ic3.store.notify import NotifyStore
from ic3.store.nrw import NrwStore
from ic3.store.partitions import PartitionStore
from ic3.store.plans import PlanStore
from ic3.store.pool import Database
from ic3.store.pump_health import PumpStore
from ic3.store.register import RegisterStore
from ic3.store.replays import ReplayStore
from ic3.store.rollups import RollupStore
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.store.work_orders import WorkOrderStore
from ic3.workers import WORKERS, Parts
from ic3.workers.alarms import News, Noticed
from ic3.workers.monitoring import EndedSweeps
from ic3.workers.save import UnsavedSweeps

INTERVAL_S = 15.0


class Plant:
    """In the gateway's place: what each key holds now."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.rejected = 0
        self.server_date: datetime | None = None

    @property
    def keys(self) -> list[str]:
        return list(self.texts)

    async def list_keys(self, _pattern: str, *, within_s: float | None = None) -> "Plant":
        return self

    async def read_all(
        self, keys: Iterable[str], receive: Callable[[str, str], None], *, deadline_s: float
    ) -> dict[str, GatewayError]:
        for key in keys:
            receive(key, self.texts[key])
        return {}


class Pipeline:
    """What one process holds, without its tasks: nothing happens but what is asked for.

    Args:
        place: Directory of the spool.
        database: Where to store.
        plant: What is swept.
        clock: Of all parts.
        cap_bytes: Of the spool.
    """

    def __init__(
        self, place: Path, database: Database, plant: Plant, clock: Clock, *,
        cap_bytes: int = 1 << 30,
    ) -> None:  # fmt: skip
        self.told: list[Observation] = []
        self.place, self.database, self.clock = place, database, clock
        self.spool = Spool(
            place, cap_bytes=cap_bytes, age_cap_s=1e9, clock=clock, observe=self.told.append
        )
        self.unsaved, self.ended = UnsavedSweeps(), EndedSweeps(self.told.append)
        client = cast("RedisRESTClient", cast("Any", plant))
        self.sweeper = Sweeper(client, simulated=True, clock=clock)

    async def open(self) -> "Pipeline":
        """As a process starts: the spool is opened, and what it holds is taken up."""
        tell = self.told.append
        await reopen(self.spool, self.unsaved, simulated=True, clock=self.clock, tell=tell)
        database, clock = self.database, self.clock
        feed, runs = Feed(interval_s=INTERVAL_S, raw_days=3), RecentRuns()
        self.latest = LatestReadings(feed.freshness.stale_after_s)
        self.monitoring = MonitoringStore(database)
        parts = Parts(
            sweeper=self.sweeper, spool=self.spool, unsaved=self.unsaved, ended=self.ended,
            telemetry=TelemetryStore(database, spool=self.spool.uuid),
            gaps=GapStore(database, spool=self.spool.uuid), monitoring=self.monitoring,
            registers=RegisterStore(database), inbox=InboxStore(database),
            replays=ReplayStore(database), partitions=PartitionStore(database, raw_days=3),
            rollups=RollupStore(database, zone=str(UTC), raw_days=3), states=StateStore(database),
            hub=LocalHub(clock=clock, observe=tell, places=Places(max_clients=1, max_per_user=1)),
            live=unheard(feed=feed, latest=self.latest, runs=runs, clock=clock),
            access=Access(), access_events=PendingEvents(),
            access_store=AccessStore(database, token_life_s=900, clock=clock),
            audits=AuditStore(database), audit_days=180,
            feed=feed, latest=self.latest, runs=runs, alarms=Alarms(), rules=RuleTable(),
            figures=Figures(), five_minutes=FiveMinuteStore(database),
            findings=FindingStore(database), analytics=AnalyticsStore(database),
            pumps=PumpStore(database),
            definitions=DmaStore(database), nrw=NrwStore(database), networks=NetworkStore(database),
            news=News(),
            noticed=Noticed(clock),
            away=database.availability.why_away,
            spool_share=self.spool.share, alarm_store=AlarmStore(database),
            journal=AlarmJournal(), rule_store=RuleStore(database), interval_s=INTERVAL_S,
            clock=clock, observe=tell,
            notices=Notices(), router=Router(ZoneInfo("UTC")), notify=NotifyStore(database),
            carriers={}, plans=PlanStore(database), orders=WorkOrderStore(database),
            attachments=AttachmentStore(database, cap_bytes=1 << 20),
            files=AttachmentFiles(self.place / "attachments"), returns=Returns(Alarms()),
            zone=ZoneInfo("UTC"),
        )  # fmt: skip
        self.workers = {worker.name: worker for worker in (make(parts) for make in WORKERS)}
        return self

    async def sweep(self) -> None:
        """One sweep; on return what it brought is accepted."""
        await self.workers["poll"].step()

    async def store(self) -> None:
        """Store all that waits, and map it."""
        while len(self.unsaved):
            await self.workers["save"].step()
        await self.map()

    async def map(self) -> None:
        """Map all that is stored."""
        while len(self.ended):
            await self.workers["monitoring"].step()

    async def close(self) -> None:
        await self.spool.close()
