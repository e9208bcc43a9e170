"""Levels as metrics, asked for at each scrape."""

from prometheus_client import CollectorRegistry, Gauge

from ic3.clock import Clock
from ic3.domain.alarm_journal import AlarmJournal
from ic3.hub.live import LiveHub
from ic3.hub.local import LocalHub
from ic3.spool import Spool


def gauge_spool(registry: CollectorRegistry, spool: Spool, clock: Clock) -> None:
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


def gauge_alarms(registry: CollectorRegistry, journal: AlarmJournal) -> None:
    waiting = Gauge(
        "ic3_alarm_changes_waiting", "What happened to alarms and is not stored yet.",
        registry=registry,
    )  # fmt: skip
    waiting.set_function(lambda: len(journal))


def gauge_clients(registry: CollectorRegistry, hub: LocalHub, live: LiveHub) -> None:
    """Live clients as metrics, asked for at each scrape."""
    for name, words, read in (
        ("ic3_ws_clients", "Clients of /ws.", lambda: hub.clients),
        ("ic3_ws_v1_clients", "Clients of /ws/v1 and /api/stream.", lambda: live.clients),
        ("ic3_ws_v1_slow", "Those that do not take what is sent.", lambda: live.slow),
    ):
        Gauge(name, words, registry=registry).set_function(read)
