"""Turns observations into log lines and metrics."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any, Final, TextIO, assert_never

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ic3.observations import (
    AlarmHistoryLost,
    AnalyticsRan,
    AssetsJudged,
    BreakerClosed,
    BreakerOpened,
    CapTooLow,
    ClientClosed,
    CmmsSynchronised,
    ConservationBroken,
    DatabaseBack,
    DatabaseLost,
    FeedChanged,
    FramesDropped,
    InboxFull,
    LoginRefused,
    MonitoringStarted,
    NotificationsLeftOut,
    NotificationTried,
    Observation,
    OwnClockSuspect,
    PartitionsKept,
    PlanFailed,
    PlannedOrders,
    ReplayEnded,
    RequestFailed,
    Resynced,
    RolledUp,
    RunFailed,
    RunLogged,
    RunRowsDropped,
    Serving,
    SnapshotSent,
    SpoolDamaged,
    SpoolDropped,
    SpoolFilling,
    SpoolNotBounded,
    Starting,
    Stopping,
    SweepEnded,
    SweepLost,
    TicksSkipped,
    UpstreamAsked,
    Warned,
    WorkerFailed,
)

NAMED_CHARACTERS: Final = 200


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
            case RunFailed(error, duration_ms):
                log.warning("monitoring run failed", error=error, duration_ms=duration_ms)
            case AssetsJudged():
                pass  # a metric
            case FeedChanged(events):
                log.info("feed changed", **events)
            case OwnClockSuspect(future, accepted, offset_s):
                log.error(
                    "our own clock is suspected: check the time service of this machine",
                    future=future, accepted=accepted, offset_s=offset_s,
                )  # fmt: skip
            case SweepEnded() as sweep:
                self._sweep(sweep)
            case UpstreamAsked():
                pass  # a metric
            case BreakerOpened(why):
                log.warning("gateway left alone", why=why)
            case BreakerClosed(open_s):
                log.info("gateway answers again", after_s=round(open_s, 1))
            case CapTooLow() as cap:
                log.warning(
                    "too few requests in flight to read every key in time", keys=cap.keys,
                    read=cap.read, in_flight=cap.in_flight, needed=cap.needed,
                    fix="raise REDIS_API_MAX_IN_FLIGHT, with the consent of the gateway's owner,"
                    " or set REDIS_API_MGET_PATH or a longer MONITORING_POLL_INTERVAL",
                )  # fmt: skip
            case Starting(part, detail):
                log.info("starting", part=part, detail=detail)
            case Serving(address, gateway, simulated):
                kind = "simulated plant" if simulated else "real gateway"
                log.info("serving", address=address, gateway=gateway, kind=kind)
            case Warned(text):
                log.warning(text)
            case ConservationBroken(sweep_id, equation, left, right):
                log.error(
                    "conservation broken", sweep_id=sweep_id, equation=equation, left=left,
                    right=right,
                )  # fmt: skip
            case SpoolFilling(percent, envelopes):
                log.warning(
                    "the spool fills: the database is away", percent=percent, envelopes=envelopes
                )
            case SpoolDropped(how, envelopes):
                log.error("the spool is full", how=how, envelopes=envelopes)
            case SpoolDamaged(aside, why):
                log.error("the spool was damaged and set aside", aside=aside, why=why)
            case SpoolNotBounded(why):
                log.error("the spool could not be kept within its bounds", why=why)
            case SweepLost(spool_id, why):
                log.error("a sweep in the spool is lost", spool_id=spool_id, why=why)
            case RunRowsDropped(number):
                log.warning("run rows dropped while the database was away", number=number)
            case AlarmHistoryLost(number, why):
                log.error("history of alarms is lost", number=number, why=why)
            case InboxFull(number):
                log.warning("inbox full, new lines left out", number=number)
            case ReplayEnded(number, rows, envelopes, error):
                (log.warning if error else log.info)(
                    "replay ended", number=number, rows=rows, envelopes=envelopes,
                    error=error or "",
                )  # fmt: skip
            case CmmsSynchronised(success, failed, skipped, conflicts, duration_ms, first_error):
                (log.warning if failed or skipped else log.info)(
                    "cmms synchronised", success=success, failed=failed, skipped=skipped,
                    conflicts=conflicts, duration_ms=duration_ms, first_error=first_error[:200],
                )  # fmt: skip
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
            case RolledUp():
                pass  # counted; once in five minutes at least
            case FramesDropped() | SnapshotSent() | Resynced():
                pass  # counted; a thousand clients may do so at once
            case AnalyticsRan() as ran:
                self._analysed(ran)
            case PlannedOrders(number):
                log.info("planned work orders made", orders=number)
            case PlanFailed(plan, error):
                log.warning("maintenance plan failed", plan=plan, error=error)
            case ClientClosed(reason):
                log.info("live client closed", reason=reason)
            case NotificationTried() as tried:
                self._notified(tried)
            case NotificationsLeftOut(number):
                log.error("notifications left out: too many wait", number=number)
            case LoginRefused(username, address, why):
                log.warning("login refused", username=username, address=address, why=why)
            case RequestFailed(request_id, path, error):
                log.error("request failed", request_id=request_id, path=path, error=error)
            case Stopping(why):
                log.info("stopping", why=why)
            case _:
                assert_never(observation)

    def _analysed(self, ran: AnalyticsRan) -> None:
        """A line where findings came or went, of the past, or where it failed; else a metric."""
        if ran.error is not None or ran.opened or ran.closed or ran.origin == "history":
            (self._log.warning if ran.error else self._log.info)(
                "analytics", worker=ran.worker, origin=ran.origin, judged=ran.judged,
                not_computed=ran.not_computed, opened=ran.opened, closed=ran.closed,
                duration_ms=ran.duration_ms, error=ran.error or "",
            )  # fmt: skip

    def _notified(self, tried: NotificationTried) -> None:
        """A line where it went wrong first or for good; what went well is counted."""
        if tried.outcome == "dead":
            self._log.error(
                "notification given up", route=tried.route, number=tried.number, why=tried.why
            )
        elif tried.outcome == "waiting" and tried.attempt == 1:
            self._log.warning("notification waits", route=tried.route, why=tried.why)

    def library(self, record: logging.LogRecord) -> None:
        """Write what a library said in one line, without its traceback."""
        error = record.exc_info[1] if record.exc_info else None
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        write(
            "a library said", library=record.name, text=record.getMessage().strip(),
            error="" if error is None else f"{type(error).__name__}: {error}",
        )  # fmt: skip

    def _sweep(self, sweep: SweepEnded) -> None:
        """Say what was not taken, and name the first keys of each reason."""
        parts = {
            "failed": sweep.failed, "quarantined": sweep.quarantined,
            "tags_rejected": sweep.tags_rejected, "list_rejected": sweep.list_rejected,
        }  # fmt: skip
        lost = {name: _plain(reasons) for name, reasons in parts.items() if reasons}
        named = {
            reason: [key[:NAMED_CHARACTERS] for key in keys] for reason, keys in sweep.named.items()
        }
        if named:
            lost["keys"] = named
        if sweep.error is not None:
            self._log.warning("sweep failed", error=sweep.error, **lost)
        elif lost:
            self._log.warning("not everything was taken", sweep_id=sweep.sweep_id, **lost)

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class LibraryHandler(logging.Handler):
    """Brings what libraries log, from warnings up, into the program's own log."""

    def __init__(self, log: LogObserver) -> None:
        super().__init__(logging.WARNING)
        self._observer = log

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        # A request that the stop cut off is no news.
        if not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError)):
            self._observer.library(record)


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
        self._alarms_lost = Counter(
            "ic3_alarm_changes_lost", "Changes of alarms that were not stored.", registry=registry
        )
        self._left_out = Counter(
            "ic3_inbox_left_out", "New lines beyond the bound of the inbox.", registry=registry
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
        self._listed = Counter(
            "ic3_list_rejected", "Keys of the list not taken.", ["reason"], registry=registry
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
        self._cmms = Counter(
            "ic3_cmms_assets", "Assets refreshed from the CMMS.", ["outcome"], registry=registry
        )
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
        self._analytics = Counter(
            "ic3_analytics_runs", "Rounds of the analytics.", ["worker", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._analytics_s = Histogram(
            "ic3_analytics_run_duration_seconds", "Rounds of the analytics.", ["worker"],
            registry=registry,
        )  # fmt: skip
        self._findings = Counter(
            "ic3_findings", "Findings of live rounds.", ["worker", "change"], registry=registry
        )
        self._away = Gauge("ic3_database_away", "1 while it is away.", registry=registry)
        self._closed = Counter(
            "ic3_ws_closed", "Live clients closed by us.", ["reason"], registry=registry
        )
        self._notified = Counter(
            "ic3_notifications", "Tries to tell of alarms.", ["outcome"], registry=registry
        )
        self._dropped = Counter(
            "ic3_ws_frames_dropped", "Frames dropped for slow clients of /ws/v1.", ["policy"],
            registry=registry,
        )  # fmt: skip
        self._snapshots = Counter(
            "ic3_ws_snapshots_sent", "Snapshots sent over /ws/v1.", registry=registry
        )
        self._resyncs = Counter(
            "ic3_ws_resyncs", "Clients of /ws/v1 that said what they have.", ["how"],
            registry=registry,
        )  # fmt: skip
        self._logins = Counter("ic3_logins_refused", "Logins refused.", registry=registry)
        self._requests = Counter("ic3_requests_failed", "Answers 500.", registry=registry)
        self._breaker = Gauge(
            "ic3_breaker_state", "1 while the gateway is left alone.", registry=registry
        )
        self._in_flight = Gauge(
            "ic3_upstream_in_flight", "Requests that may be in flight.", registry=registry
        )
        self._upstream = Counter(
            "ic3_upstream_requests", "Requests to the gateway.", ["op", "code"], registry=registry
        )

    def __call__(self, observation: Observation) -> None:  # noqa: C901, PLR0912, PLR0915  one arm an event
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
            case UpstreamAsked(requests, limit):
                for (operation, code), number in requests.items():
                    self._upstream.labels(operation, code).inc(number)
                self._in_flight.set(limit)
            case BreakerOpened():
                self._breaker.set(1)
            case BreakerClosed():
                self._breaker.set(0)
            case InboxFull(number):
                self._left_out.inc(number)
            case AlarmHistoryLost(number):
                self._alarms_lost.inc(number)
            case ReplayEnded(_, rows):
                self._rows.labels("replayed").inc(rows)
            case CmmsSynchronised(success, failed, skipped):
                for outcome, number in (
                    ("success", success), ("failed", failed), ("skipped", skipped),
                ):  # fmt: skip
                    self._cmms.labels(outcome).inc(number)
            case AnalyticsRan() as ran:
                self._analysed(ran)
            case RolledUp(written):
                self._rows.labels("ic3_rollup_5m").inc(written)
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
            case NotificationTried(_, outcome, number):
                self._notified.labels(outcome).inc(number)
            case NotificationsLeftOut(number):
                self._notified.labels("left_out").inc(number)
            case FramesDropped(policy, number):
                self._dropped.labels(policy).inc(number)
            case SnapshotSent():
                self._snapshots.inc()
            case Resynced(how):
                self._resyncs.labels(how).inc()
            case LoginRefused():
                self._logins.inc()
            case RequestFailed():
                self._requests.inc()
            case _:
                pass

    def _analysed(self, ran: AnalyticsRan) -> None:
        self._analytics.labels(ran.worker, "failed" if ran.error else "ok").inc()
        self._analytics_s.labels(ran.worker).observe(ran.duration_ms / 1000)
        if ran.origin == "live":
            self._findings.labels(ran.worker, "opened").inc(ran.opened)
            self._findings.labels(ran.worker, "closed").inc(ran.closed)

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
        if sweep.error is not None:
            self._runs.labels("failed").inc()
        for name, number in sweep.outcomes.items():
            self._envelopes.labels(name).inc(number)
        self._rows.labels("telemetry").inc(sweep.outcomes.get("stored", 0))
        for counter, reasons in (
            (self._failed, sweep.failed),
            (self._quarantined, sweep.quarantined),
            (self._values, sweep.tags_rejected),
            (self._listed, sweep.list_rejected),
        ):
            for reason, number in reasons.items():
                counter.labels(str(reason)).inc(number)
        for phase, seconds in sweep.phase_s.items():
            self._duration.labels(phase).observe(seconds)


def _plain(reasons: Mapping[str, int]) -> dict[str, Any]:
    """Reasons as plain words, for a member of an enum shows its class."""
    return {str(reason): number for reason, number in reasons.items()}


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
