"""Jobs that map stored telemetry again."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from ic3.api.callers import actor_of
from ic3.api.lists import Cursor, number_in, paged
from ic3.domain.cursors import cursor_of
from ic3.domain.replays import Job, JobKind, JobState, Scope
from ic3.errors import ApiError
from ic3.store.replays import ReplayStore

RegisterIdOf = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
AssetIds = Annotated[list[RegisterIdOf], msgspec.Meta(min_length=1, max_length=10_000)]
TagCodes = Annotated[list[Tag], msgspec.Meta(min_length=1, max_length=1000)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class JobView(msgspec.Struct):
    """One job; `share_done` is 0 to 1, by the source's time."""

    id: int
    kind: JobKind
    state: JobState
    share_done: float
    created_at: datetime
    created_by: str
    reason: str
    scope: Scope
    began_at: datetime | None
    from_at: datetime | None
    until_at: datetime | None
    cursor_at: datetime | None
    rows_done: int
    envelopes_done: int
    envelopes_total: int | None
    error: str | None
    finished_at: datetime | None


class Jobs(msgspec.Struct):
    """A page of jobs, newest first; ask on with `cursor=next`."""

    replays: list[JobView]
    next: str | None


class JobRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What to map again; what is left out is no bound.

    `re-map` also corrects the parameter of rows that are there.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
    kind: JobKind = JobKind.MAP
    asset_ids: AssetIds | None = None
    tag_codes: TagCodes | None = None
    from_at: Moment | None = None
    until_at: Moment | None = None


class JobStarted(msgspec.Struct):
    """The number of the job."""

    id: int


class Cancelled(msgspec.Struct):
    """The job was ended; what it has done stays."""

    id: int
    state: JobState


async def listed(
    replays: NamedDependency[ReplayStore],
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[Jobs]:
    """Jobs with their progress, newest first, a page at a time."""
    found = await replays.jobs(limit, before=number_in(cursor))
    onward = cursor_of(found[-1].id) if len(found) == limit else None
    return paged(request, Jobs([_view(each) for each in found], onward), onward)


async def start(
    data: JSONBody[JobRequest],
    replays: NamedDependency[ReplayStore],
    request: Request[Any, Any, Any],
) -> JobStarted:
    """Map stored telemetry again with the tag map as it is now."""
    if data.from_at and data.until_at and data.from_at >= data.until_at:
        raise ApiError(422, "empty span", "from_at is to be before until_at")
    scope = Scope(data.asset_ids, data.tag_codes, data.from_at, data.until_at)
    return JobStarted(await replays.start(actor_of(request), data.kind, scope, data.reason))


async def cancel(
    replay_id: FromPath[int],
    replays: NamedDependency[ReplayStore],
    request: Request[Any, Any, Any],
) -> Cancelled:
    """End a job that waits or runs."""
    known = 0 < replay_id < 2**63
    if not known or not await replays.cancel(actor_of(request), replay_id):
        raise ApiError(404, "replay not found", "no such job waits or runs")
    return Cancelled(replay_id, JobState.CANCELLED)


def _view(job: Job) -> JobView:
    return JobView(
        job.id, job.kind, job.state, round(job.share_done, 4), job.created_at, job.created_by,
        job.reason, job.scope, job.began_at, job.from_at, job.until_at, job.cursor_at,
        job.rows_done, job.envelopes_done, job.envelopes_total, job.error, job.finished_at,
    )  # fmt: skip
