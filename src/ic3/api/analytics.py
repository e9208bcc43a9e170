"""What the analytics did, and how far each sensor can be trusted."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from ic3.api.callers import principal_of
from ic3.api.lists import begin_of, paged
from ic3.clock import Clock
from ic3.domain.analytics_runs import AnalyticsRun, AnalyticsWorker, SensorTrustView
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.errors import ApiError
from ic3.store.analytics import AnalyticsStore, TrustPlace

NO_NUL: Final = r"^[^\x00]*$"

Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
Cursor = Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)]


class RunPage(msgspec.Struct):
    """A page of rounds, newest first; ask on with `cursor=next`."""

    runs: list[AnalyticsRun]
    next: str | None


class SensorPage(msgspec.Struct):
    """A page of sensors, the least trusted first; ask on with `cursor=next`.

    Attributes:
        unit: Of `trust`.
    """

    sensors: list[SensorTrustView]
    unit: str
    next: str | None


async def runs(
    request: Request[Any, Any, Any],
    analytics_store: NamedDependency[AnalyticsStore],
    worker: FromQuery[AnalyticsWorker | None] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response[RunPage]:
    """Rounds of the analytics workers, newest first."""
    before = begin_of(cursor, int) if cursor else None
    if before is not None and not 0 < before < 2**63:
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    word = None if worker is None else worker.value
    page = await analytics_store.runs(worker=word, limit=limit, before=before)
    onward = cursor_of(page[-1].id) if len(page) == limit else None
    return paged(request, RunPage(page, onward), onward)


async def sensors(
    request: Request[Any, Any, Any],
    analytics_store: NamedDependency[AnalyticsStore],
    clock: NamedDependency[Clock],
    below: Annotated[float | None, QueryParameter(ge=0, le=100, description="Trust below.")] = None,
    serial_number: Annotated[str | None, QueryParameter(max_length=1024, pattern=NO_NUL)] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response[SensorPage]:
    """How far sensors can be trusted, the least trusted first."""
    after = begin_of(cursor, TrustPlace) if cursor else None
    if after is not None and (not -(2**31) <= after.asset_id < 2**31 or "\0" in after.tag_code):
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    page = await analytics_store.trust(
        principal_of(request).scope(), now=clock.now(), below=below, serial=serial_number,
        limit=limit, after=after,
    )  # fmt: skip
    onward = cursor_of(_place(page[-1])) if len(page) == limit else None
    return paged(request, SensorPage(page, "%", onward), onward)


def _place(sensor: SensorTrustView) -> TrustPlace:
    return TrustPlace(sensor.trust, sensor.asset_id, sensor.tag_code)
