"""Everything the program can state about itself; log lines and metrics are its readers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Starting:
    """A part of the program is being started; `ic3 demo` shows it."""

    part: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Serving:
    """The HTTP server listens."""

    address: str
    gateway: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Warned:
    """Something works but should not stay as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class MonitoringStarted:
    """The monitoring worker runs; the contract's first line."""

    interval_s: float


@dataclass(frozen=True, slots=True)
class SweepEnded:
    """A pass over the gateway ended, stored or failed.

    Attributes:
        named: Reason to the first keys it struck.
    """

    sweep_id: int | None
    outcomes: Mapping[str, int]
    failed: Mapping[str, int]
    quarantined: Mapping[str, int]
    tags_rejected: Mapping[str, int]
    list_rejected: Mapping[str, int]
    named: Mapping[str, Sequence[str]]
    phase_s: Mapping[str, float]
    error: str | None


@dataclass(frozen=True, slots=True)
class UpstreamAsked:
    """A call to the gateway, or a sweep of them, ended.

    Attributes:
        requests: How many by operation (`list`, `key`, `mget`) and outcome: a status or a word.
        limit: How many may be in flight from here on.
    """

    requests: Mapping[tuple[str, str], int]
    limit: int


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """The gateway is left alone; it is tried now and then."""

    why: str


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    """The gateway answers again."""

    open_s: float


@dataclass(frozen=True, slots=True)
class CapTooLow:
    """The keys cannot be read in the time of a sweep with so few requests in flight."""

    keys: int
    read: int
    in_flight: int
    needed: int


@dataclass(frozen=True, slots=True)
class AssetsJudged:
    """How many assets are in which state, how many are stale in which domain; once an interval."""

    states: Mapping[str, int]
    stale_by_domain: Mapping[str, int]
    clock_offset_s: float | None


@dataclass(frozen=True, slots=True)
class FeedChanged:
    """Keys appeared, vanished or returned, or assets changed their state."""

    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OwnClockSuspect:
    """Most of a sweep seems to come from the future: our own clock is the suspect."""

    future: int
    accepted: int
    offset_s: float | None


@dataclass(frozen=True, slots=True)
class ConservationBroken:
    """The counters of a sweep do not add up: a fault of this program."""

    sweep_id: int | None
    equation: str
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class SpoolFilling:
    """The database has been away for so long that the spool fills."""

    percent: int
    envelopes: int


@dataclass(frozen=True, slots=True)
class SpoolDropped:
    """The spool was full: envelopes were thinned or dropped, each counted as a gap."""

    how: str
    envelopes: int


@dataclass(frozen=True, slots=True)
class SpoolNotBounded:
    """Old sweeps could not be thinned or dropped; what is new is accepted all the same."""

    why: str


@dataclass(frozen=True, slots=True)
class SpoolDamaged:
    """The spool's file could not be used and was set aside; a new one was begun."""

    aside: str
    why: str


@dataclass(frozen=True, slots=True)
class SweepLost:
    """A sweep in the spool cannot be read any more."""

    spool_id: int
    why: str


@dataclass(frozen=True, slots=True)
class RunLogged:
    """A monitoring run ended well; the contract's second line."""

    duration_ms: int
    keys_scanned: int
    matched: int
    unmatched: int
    rows_inserted: int
    tags_skipped: int


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A monitoring run of a sweep that was stored failed; a failed sweep is a failed run itself."""

    error: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class RunRowsDropped:
    """The database was away for so long that the oldest failed runs were given up."""

    number: int


@dataclass(frozen=True, slots=True)
class AlarmHistoryLost:
    """Changes of alarms were not stored and never will be; the newest states are."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class InboxFull:
    """New lines of the inbox were left out, since it holds as many as it may."""

    number: int


@dataclass(frozen=True, slots=True)
class ReplayEnded:
    """A job that maps stored telemetry again came to its end."""

    number: int
    rows: int
    envelopes: int
    error: str | None


@dataclass(frozen=True, slots=True)
class CmmsSynchronised:
    """Assets were refreshed from the external CMMS; `conflicts` are fields a person entered."""

    success: int
    failed: int
    skipped: int
    conflicts: int
    duration_ms: int
    first_error: str


@dataclass(frozen=True, slots=True)
class TicksSkipped:
    """Intervals in which a worker did not begin because it was still busy."""

    worker: str
    number: int


@dataclass(frozen=True, slots=True)
class WorkerFailed:
    """A round of a worker failed; it goes on with the next."""

    worker: str
    error: str
    unforeseen: bool


@dataclass(frozen=True, slots=True)
class DatabaseLost:
    """The database cannot be reached."""

    reason: str


@dataclass(frozen=True, slots=True)
class DatabaseBack:
    """The database answers again."""

    away_s: float


@dataclass(frozen=True, slots=True)
class PartitionsKept:
    """Partitions were made ahead or dropped."""

    made: int
    dropped: int


@dataclass(frozen=True, slots=True)
class RolledUp:
    """Roll-ups of five minutes were written or corrected."""

    rows: int


@dataclass(frozen=True, slots=True)
class AnalyticsRan:
    """An analytics worker has judged a stretch of time; history opens no finding."""

    worker: str
    origin: str
    judged: int
    not_computed: int
    opened: int
    closed: int
    duration_ms: int
    error: str | None


@dataclass(frozen=True, slots=True)
class PlannedOrders:
    """Plans of preventive maintenance made work orders."""

    number: int


@dataclass(frozen=True, slots=True)
class PlanFailed:
    """A plan could not make its work order; the others could."""

    plan: int
    error: str


@dataclass(frozen=True, slots=True)
class ClientClosed:
    """A live client was closed by us."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotificationTried:
    """Changes of alarms were told by a route, or were not.

    Attributes:
        outcome: `sent`, `waiting` for another try, or `dead`.
    """

    route: str
    outcome: str
    number: int
    attempt: int
    why: str


@dataclass(frozen=True, slots=True)
class NotificationsLeftOut:
    """Changes of alarms were not told, since more waited than may."""

    number: int


@dataclass(frozen=True, slots=True)
class FramesDropped:
    """Frames of the numbered protocol were dropped for one client; a snapshot replaces them."""

    policy: str
    frames: int


@dataclass(frozen=True, slots=True)
class SnapshotSent:
    """One client of the numbered protocol was sent a snapshot."""


@dataclass(frozen=True, slots=True)
class Resynced:
    """A client said what it has: it was `resumed`, or got a `snapshot`."""

    how: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """A login failed or was throttled."""

    username: str
    address: str
    why: str


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request ended in an error of ours; the id stands in the answer."""

    request_id: str
    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """The program was asked to stop."""

    why: str


Observation = (
    Starting
    | Serving
    | Warned
    | MonitoringStarted
    | SweepEnded
    | UpstreamAsked
    | BreakerOpened
    | BreakerClosed
    | CapTooLow
    | AssetsJudged
    | FeedChanged
    | OwnClockSuspect
    | ConservationBroken
    | SpoolFilling
    | SpoolDropped
    | SpoolDamaged
    | SpoolNotBounded
    | SweepLost
    | RunLogged
    | RunFailed
    | RunRowsDropped
    | AlarmHistoryLost
    | InboxFull
    | ReplayEnded
    | CmmsSynchronised
    | TicksSkipped
    | WorkerFailed
    | DatabaseLost
    | DatabaseBack
    | PartitionsKept
    | RolledUp
    | AnalyticsRan
    | PlannedOrders
    | PlanFailed
    | ClientClosed
    | NotificationTried
    | NotificationsLeftOut
    | FramesDropped
    | SnapshotSent
    | Resynced
    | LoginRefused
    | RequestFailed
    | Stopping
)

Observe = Callable[[Observation], None]
