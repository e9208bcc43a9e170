"""Turns observations into log lines and metrics."""

import sys
from typing import TextIO, assert_never

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ic3.observations import (
    AssetsJudged,
    ClientClosed,
    ConservationBroken,
    DatabaseBack,
    DatabaseLost,
    FeedChanged,
    LoginRefused,
    MonitoringStarted,
    Observation,
    OwnClockSuspect,
    PartitionsKept,
    RequestFailed,
    RunFailed,
    RunLogged,
    RunRowsDropped,
    Serving,
    Starting,
    Stopping,
    SweepEnded,
    TicksSkipped,
    Warned,
    WorkerFailed,
)


class LogObserver:
    """Writes one line an observation; the contract's two lines to the letter.

    Args:
        log_format: `text` or `json`.
        stream: Where to, stderr by default.
    """

    def __init__(self, log_format: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(self._stream), processors=_processors(log_format)
        )

    def __call__(self, observation: Observation) -> None:  # noqa: C901, PLR0912, PLR0915  one arm an event
        """Write what is worth a line."""
        log = self._log
        match observation:
            case MonitoringStarted(interval_s):
                self._line(f"[MonitoringWorker] started — polling every {interval_s:g}s")
            case RunLogged() as run:
                self._line(
                    f"[MonitoringWorker] done in {run.duration_ms}ms | keys={run.keys_scanned}"
                    f" matched={run.matched} unmatched={run.unmatched}"
                    f" inserted={run.rows_inserted} skipped={run.tags_skipped}"
                )
            case RunFailed() | AssetsJudged():
                pass  # the sweep's own line has said it; a metric
            case FeedChanged(events):
                log.info("feed changed", **events)
            case OwnClockSuspect(future, accepted, offset_s):
                log.error(
                    "our own clock is suspected: check the time service of this machine",
                    future=future, accepted=accepted, offset_s=offset_s,
                )  # fmt: skip
            case SweepEnded() as sweep:
                self._sweep(sweep)
            case Starting(part, detail):
                log.info("starting", part=part, detail=detail)
            case Serving(address, gateway, simulated):
                kind = "simulated plant" if simulated else "real gateway"
                log.info("serving", address=address, gateway=gateway, kind=kind)
            case Warned(text):
                log.warning(text)
            case ConservationBroken(sweep_id, keys_scanned, accounted):
                log.error(
                    "conservation broken", sweep_id=sweep_id, keys_scanned=keys_scanned,
                    accounted=accounted,
                )  # fmt: skip
            case RunRowsDropped(number):
                log.warning("run rows dropped while the database was away", number=number)
            case TicksSkipped(worker, number):
                log.warning("ticks skipped", worker=worker, number=number)
            case WorkerFailed(worker, error, unforeseen):
                (log.error if unforeseen else log.warning)(
                    "worker failed", worker=worker, error=error
                )
            case DatabaseLost(reason):
                log.warning("database away", reason=reason)
            case DatabaseBack(away_s):
                log.info("database back", away_s=round(away_s, 1))
            case PartitionsKept(made, dropped):
                log.info("partitions", made=made, dropped=dropped)
            case ClientClosed(reason):
                log.info("live client closed", reason=reason)
            case LoginRefused(username, address, why):
                log.warning("login refused", username=username, address=address, why=why)
            case RequestFailed(request_id, path, error):
                log.error("request failed", request_id=request_id, path=path, error=error)
            case Stopping(why):
                log.info("stopping", why=why)
            case _:
                assert_never(observation)

    def _sweep(self, sweep: SweepEnded) -> None:
        if sweep.error is not None:
            self._log.warning("sweep failed", error=sweep.error)
            return
        lost = {**sweep.failed, **sweep.quarantined, **sweep.tags_rejected}
        if lost:
            self._log.warning(
                "not everything was taken", sweep_id=sweep.sweep_id, failed=dict(sweep.failed),
                quarantined=dict(sweep.quarantined), tags_rejected=dict(sweep.tags_rejected),
            )  # fmt: skip

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class MetricsObserver:
    """Counts observations in a registry of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._runs = Counter("ic3_ingest_runs", "Monitoring runs.", ["outcome"], registry=registry)
        self._duration = Histogram(
            "ic3_ingest_run_duration_seconds", "Phases of a sweep.", ["phase"], registry=registry
        )
        self._keys = Gauge(
            "ic3_keys", "Keys of the last run by state.", ["state"], registry=registry
        )
        self._envelopes = Counter(
            "ic3_envelopes", "Envelopes by outcome.", ["outcome"], registry=registry
        )
        self._failed = Counter(
            "ic3_keys_failed", "Keys that could not be read.", ["reason"], registry=registry
        )
        self._quarantined = Counter(
            "ic3_quarantined", "Envelopes not taken.", ["reason"], registry=registry
        )
        self._values = Counter(
            "ic3_values_rejected", "Tags not taken.", ["reason"], registry=registry
        )
        self._rows = Counter("ic3_rows_written", "Rows written.", ["table"], registry=registry)
        self._assets = Gauge("ic3_assets", "Assets by state.", ["state"], registry=registry)
        self._stale = Gauge(
            "ic3_assets_stale", "Stale assets by domain.", ["domain"], registry=registry
        )
        self._offset = Gauge(
            "ic3_clock_offset_seconds", "Our clock less the gateway's.", registry=registry
        )
        self._feed = Counter("ic3_feed_events", "Events of the feed.", ["event"], registry=registry)
        self._ticks = Counter(
            "ic3_ticks_skipped", "Intervals skipped.", ["worker"], registry=registry
        )
        self._failures = Counter(
            "ic3_worker_failures", "Rounds that failed.", ["worker"], registry=registry
        )
        self._conservation = Counter(
            "ic3_conservation_errors", "Sweeps that do not add up.", registry=registry
        )
        self._success = Gauge(
            "ic3_last_success_timestamp_seconds", "Last good run.", registry=registry
        )
        self._away = Gauge("ic3_database_away", "1 while it is away.", registry=registry)
        self._closed = Counter(
            "ic3_ws_closed", "Live clients closed by us.", ["reason"], registry=registry
        )
        self._logins = Counter("ic3_logins_refused", "Logins refused.", registry=registry)
        self._requests = Counter("ic3_requests_failed", "Answers 500.", registry=registry)

    def __call__(self, observation: Observation) -> None:  # noqa: C901, PLR0912  one arm an event
        """Count it; what is only a log line has no arm."""
        match observation:
            case RunLogged() as run:
                self._runs.labels("ok").inc()
                self._success.set_to_current_time()
                self._rows.labels("ic3_asset_monitoring_data").inc(run.rows_inserted)
                self._keys.labels("matched").set(run.matched)
                self._keys.labels("unmatched").set(run.unmatched)
            case RunFailed():
                self._runs.labels("failed").inc()
            case SweepEnded() as sweep:
                self._sweep(sweep)
            case AssetsJudged() as judged:
                self._judged(judged)
            case FeedChanged(events):
                for event, number in events.items():
                    self._feed.labels(event).inc(number)
            case TicksSkipped(worker, number):
                self._ticks.labels(worker).inc(number)
            case WorkerFailed(worker):
                self._failures.labels(worker).inc()
            case ConservationBroken():
                self._conservation.inc()
            case DatabaseLost():
                self._away.set(1)
            case DatabaseBack():
                self._away.set(0)
            case ClientClosed(reason):
                self._closed.labels(reason).inc()
            case LoginRefused():
                self._logins.inc()
            case RequestFailed():
                self._requests.inc()
            case _:
                pass

    def _judged(self, judged: AssetsJudged) -> None:
        for state, number in judged.states.items():
            self._assets.labels(state).set(number)
        # A domain without an asset must not keep the number it had.
        self._stale.clear()
        for domain, number in judged.stale_by_domain.items():
            self._stale.labels(domain).set(number)
        if judged.clock_offset_s is not None:
            self._offset.set(judged.clock_offset_s)

    def _sweep(self, sweep: SweepEnded) -> None:
        for name, number in sweep.outcomes.items():
            self._envelopes.labels(name).inc(number)
        self._rows.labels("telemetry").inc(sweep.outcomes.get("stored", 0))
        for counter, reasons in (
            (self._failed, sweep.failed),
            (self._quarantined, sweep.quarantined),
            (self._values, sweep.tags_rejected),
        ):
            for reason, number in reasons.items():
                counter.labels(reason).inc(number)
        for phase, seconds in sweep.phase_s.items():
            self._duration.labels(phase).observe(seconds)


def _processors(log_format: str) -> list[structlog.typing.Processor]:
    common: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
    ]
    if log_format == "json":
        return [*common, structlog.processors.JSONRenderer()]
    return [*common, _as_text]


def _as_text(_: object, __: str, event: structlog.typing.EventDict) -> str:
    """One event, one line; values by repr, so that none can break the line or steer a terminal."""
    head = f"{event.pop('timestamp')} {event.pop('level'):7} {event.pop('event')!s}"
    return "  ".join([head, *(f"{name}={value!r}" for name, value in event.items() if value != "")])
