"""The workers, and the table of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from ic3.clock import Clock
from ic3.domain.access import Access, PendingEvents
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_rules import RuleTable
from ic3.domain.alarms import Alarms as OpenAlarms
from ic3.domain.figures import Figures
from ic3.domain.latest import LatestReadings
from ic3.domain.notify import RouteKind, Router
from ic3.domain.returns import Returns
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import LiveHub
from ic3.hub.local import LocalHub
from ic3.hub.notices import Carrier, Notices
from ic3.observations import Observe
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
from ic3.store.pump_health import PumpStore
from ic3.store.register import RegisterStore
from ic3.store.replays import ReplayStore
from ic3.store.rollups import RollupStore
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.store.work_orders import WorkOrderStore
from ic3.workers.access import AccessWorker
from ic3.workers.alarm_log import AlarmLog
from ic3.workers.alarm_rules import AlarmRules
from ic3.workers.alarms import Alarms, News, Noticed
from ic3.workers.anomaly import Anomaly
from ic3.workers.monitoring import EndedSweeps, Monitoring
from ic3.workers.notify import Notify
from ic3.workers.nrw import Nrw
from ic3.workers.plans import Plans
from ic3.workers.poll import Poll
from ic3.workers.pump_health import PumpHealth
from ic3.workers.replay import Replay
from ic3.workers.retention import Retention
from ic3.workers.rollup import Rollup
from ic3.workers.runner import Worker
from ic3.workers.save import Save, UnsavedSweeps
from ic3.workers.states import States


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What workers are made of."""

    sweeper: Sweeper
    spool: Spool
    unsaved: UnsavedSweeps
    telemetry: TelemetryStore
    gaps: GapStore
    monitoring: MonitoringStore
    registers: RegisterStore
    inbox: InboxStore
    replays: ReplayStore
    partitions: PartitionStore
    rollups: RollupStore
    states: StateStore
    plans: PlanStore
    orders: WorkOrderStore
    attachments: AttachmentStore
    files: AttachmentFiles
    returns: Returns
    zone: ZoneInfo
    alarm_store: AlarmStore
    journal: AlarmJournal
    rule_store: RuleStore
    notices: Notices
    router: Router
    notify: NotifyStore
    carriers: Mapping[RouteKind, Carrier]
    hub: LocalHub
    live: LiveHub
    feed: Feed
    latest: LatestReadings
    runs: RecentRuns
    ended: EndedSweeps
    access: Access
    access_events: PendingEvents
    access_store: AccessStore
    audits: AuditStore
    audit_days: int
    alarms: OpenAlarms
    rules: RuleTable
    figures: Figures
    five_minutes: FiveMinuteStore
    findings: FindingStore
    analytics: AnalyticsStore
    pumps: PumpStore
    definitions: DmaStore
    nrw: NrwStore
    networks: NetworkStore
    water_value_per_m3: float | None = None
    news: News
    noticed: Noticed
    away: Callable[[], str | None]
    spool_share: Callable[[], float]
    interval_s: float
    clock: Clock
    observe: Observe


def _poll(parts: Parts) -> Worker:
    return Poll(
        sweeper=parts.sweeper, spool=parts.spool, store=parts.telemetry,
        registers=parts.registers, hub=parts.hub, live=parts.live, feed=parts.feed,
        latest=parts.latest, unsaved=parts.unsaved, news=parts.news, interval_s=parts.interval_s,
        clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _save(parts: Parts) -> Worker:
    return Save(
        unsaved=parts.unsaved, spool=parts.spool, store=parts.telemetry, gaps=parts.gaps,
        ended=parts.ended, clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _monitoring(parts: Parts) -> Worker:
    return Monitoring(
        ended=parts.ended, store=parts.monitoring, registers=parts.registers,
        inbox=parts.inbox, latest=parts.latest, runs=parts.runs, live=parts.live,
        interval_s=parts.interval_s, clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _replay(parts: Parts) -> Worker:
    return Replay(
        jobs=parts.replays, registers=parts.registers, latest=parts.latest,
        latest_turn=parts.monitoring.latest_turn, clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _retention(parts: Parts) -> Worker:
    return Retention(partitions=parts.partitions, clock=parts.clock, observe=parts.observe)


def _rollup(parts: Parts) -> Worker:
    return Rollup(rollups=parts.rollups, clock=parts.clock, observe=parts.observe)


def _states(parts: Parts) -> Worker:
    return States(
        freshness=parts.feed.freshness, store=parts.states, interval_s=parts.interval_s,
        clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _access(parts: Parts) -> Worker:
    return AccessWorker(
        access=parts.access, events=parts.access_events, store=parts.access_store,
        audits=parts.audits, audit_days=parts.audit_days, clock=parts.clock,
    )  # fmt: skip


def _alarm_log(parts: Parts) -> Worker:
    return AlarmLog(
        journal=parts.journal, store=parts.alarm_store, clock=parts.clock, observe=parts.observe
    )


def _alarm_rules(parts: Parts) -> Worker:
    return AlarmRules(rules=parts.rules, store=parts.rule_store)


def _alarms(parts: Parts) -> Worker:
    return Alarms(
        alarms=parts.alarms, rules=parts.rules, news=parts.news, noticed=parts.noticed,
        feed=parts.feed, latest=parts.latest, away=parts.away, spool_share=parts.spool_share,
        figures=parts.figures, interval_s=parts.interval_s, clock=parts.clock,
    )  # fmt: skip


def _notify(parts: Parts) -> Worker:
    return Notify(
        notices=parts.notices, router=parts.router, store=parts.notify, carriers=parts.carriers,
        clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _plans(parts: Parts) -> Worker:
    return Plans(
        plans=parts.plans, orders=parts.orders, attachments=parts.attachments, files=parts.files,
        returns=parts.returns, zone=parts.zone, clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _pump_health(parts: Parts) -> Worker:
    return PumpHealth(
        values=parts.five_minutes, store=parts.pumps, findings=parts.findings,
        analytics=parts.analytics, latest=parts.latest, figures=parts.figures, zone=parts.zone,
        clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _anomaly(parts: Parts) -> Worker:
    return Anomaly(
        values=parts.five_minutes, findings=parts.findings, analytics=parts.analytics,
        latest=parts.latest, figures=parts.figures, zone=parts.zone, clock=parts.clock,
        observe=parts.observe,
    )  # fmt: skip


def _nrw(parts: Parts) -> Worker:
    return Nrw(
        values=parts.five_minutes, definitions=parts.definitions, store=parts.nrw,
        networks=parts.networks, water_value_per_m3=parts.water_value_per_m3,
        findings=parts.findings, analytics=parts.analytics,
        latest=parts.latest, figures=parts.figures, zone=parts.zone, clock=parts.clock,
        observe=parts.observe,
    )  # fmt: skip


WORKERS: Final[tuple[Callable[[Parts], Worker], ...]] = (
    _monitoring,
    _save,
    _poll,
    _replay,
    _retention,
    _rollup,
    _states,
    _access,
    _alarm_log,
    _alarm_rules,
    _alarms,
    _notify,
    _plans,
    _anomaly,
    _pump_health,
    _nrw,
)
