"""The ingest over the last hours: runs, gateway errors, time by phase, gaps."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from ic3.api.callers import principal_of
from ic3.clock import Clock
from ic3.domain.gaps import Gap
from ic3.domain.scope import AssetScope
from ic3.store.gaps import GapStore
from ic3.store.runs import ActivityBucket, FailedRun, RunStore
from ic3.store.telemetry import moment

STRIPS: Final = 288
GAPS: Final = 100
FAILED_RUNS: Final = 50
FAILING_KEYS: Final = 20
FAILING_SPAN: Final = timedelta(hours=1)

Hours = Annotated[int, QueryParameter(ge=1, le=48)]


class FailingKeyView(msgspec.Struct):
    """An asset whose key could not be read in some runs of the last hour, and why."""

    serial: str
    runs: int
    reasons: str


class GapView(msgspec.Struct):
    """A span in which readings are missing.

    Attributes:
        serial: The asset; null where it is the whole plant.
        readings: How many envelopes; 0 where nobody knows.
        estimated: Whether the number is worked out rather than counted.
    """

    cause: str
    serial: str | None
    from_at: datetime
    to_at: datetime
    readings: int
    estimated: bool


class Activity(msgspec.Struct):
    """The ingest over some hours.

    Attributes:
        buckets: Oldest first; one without a run is left out.
        failed: Why keys could not be read, to how often; deferred (not asked for) and quarantined
            (not taken) likewise, each with the most frequent first.
        phase_ms: Mean time of each phase; `map_and_write` is the rest of the run.
        failing_keys: Of the last hour, those of most runs first, at most 20.
        gaps: Newest first, at most 100.
        failed_runs: With their reason, newest first, at most 50.
    """

    from_at: datetime
    until_at: datetime
    bucket_s: float
    buckets: list[ActivityBucket]
    failed: dict[str, int]
    deferred: dict[str, int]
    quarantined: dict[str, int]
    phase_ms: dict[str, float]
    failing_keys: list[FailingKeyView]
    gaps: list[GapView]
    failed_runs: list[FailedRun]


async def read(
    request: Request[Any, Any, Any],
    run_store: NamedDependency[RunStore],
    gap_store: NamedDependency[GapStore],
    asset_scope: NamedDependency[AssetScope],
    clock: NamedDependency[Clock],
    hours: Hours = 24,
) -> Activity:
    """Runs of the last hours in 288 buckets, with gateway errors, time by phase, and gaps."""
    bucket = timedelta(hours=hours) / STRIPS
    now = clock.now()
    # A whole number of buckets, the last of them under way.
    number = int(now.timestamp() // bucket.total_seconds()) + 1
    until = datetime.fromtimestamp(number * bucket.total_seconds(), now.tzinfo)
    begin = until - timedelta(hours=hours)
    counted = await run_store.counted(begin, until)
    principal = principal_of(request)
    failing = [
        FailingKeyView(*each)
        for each in await run_store.failing_keys(now - FAILING_SPAN, until)
        if asset_scope.sees(principal, each.serial)
    ]
    return Activity(
        from_at=begin, until_at=until, bucket_s=bucket.total_seconds(),
        buckets=await run_store.buckets(begin, until, bucket=bucket),
        failed=counted.failed, deferred=counted.deferred, quarantined=counted.quarantined,
        phase_ms=counted.phase_ms, failing_keys=failing[:FAILING_KEYS],
        gaps=[_view(each) for each in await gap_store.since(begin, limit=GAPS)],
        failed_runs=await run_store.failed(begin, until, limit=FAILED_RUNS),
    )  # fmt: skip


def _view(gap: Gap) -> GapView:
    return GapView(
        gap.cause, gap.serial, moment(gap.from_us), moment(gap.to_us), gap.readings, gap.estimated
    )
