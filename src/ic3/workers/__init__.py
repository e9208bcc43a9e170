"""The workers, and the table of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ic3.clock import Clock
from ic3.domain.latest import LatestReadings
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.gateway.sweep import Sweeper
from ic3.hub.local import LocalHub
from ic3.observations import Observe
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.register import RegisterStore
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.workers.monitoring import EndedSweeps, Monitoring
from ic3.workers.poll import Poll
from ic3.workers.retention import Retention
from ic3.workers.runner import Worker
from ic3.workers.states import States


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What workers are made of."""

    sweeper: Sweeper
    telemetry: TelemetryStore
    monitoring: MonitoringStore
    registers: RegisterStore
    partitions: PartitionStore
    states: StateStore
    hub: LocalHub
    feed: Feed
    latest: LatestReadings
    runs: RecentRuns
    ended: EndedSweeps
    interval_s: float
    clock: Clock
    observe: Observe


def _poll(parts: Parts) -> Worker:
    return Poll(
        sweeper=parts.sweeper, store=parts.telemetry, registers=parts.registers,
        hub=parts.hub, feed=parts.feed, latest=parts.latest, ended=parts.ended,
        interval_s=parts.interval_s, clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _monitoring(parts: Parts) -> Worker:
    return Monitoring(
        ended=parts.ended, store=parts.monitoring, registers=parts.registers, latest=parts.latest,
        runs=parts.runs, interval_s=parts.interval_s, clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


def _retention(parts: Parts) -> Worker:
    return Retention(partitions=parts.partitions, clock=parts.clock, observe=parts.observe)


def _states(parts: Parts) -> Worker:
    return States(
        freshness=parts.feed.freshness, store=parts.states, interval_s=parts.interval_s,
        clock=parts.clock, observe=parts.observe,
    )  # fmt: skip


WORKERS: Final[tuple[Callable[[Parts], Worker], ...]] = (_monitoring, _poll, _retention, _states)
