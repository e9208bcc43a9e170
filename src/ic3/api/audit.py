"""Who did what."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from ic3.api.callers import actor_of
from ic3.api.csv_files import csv_file
from ic3.api.lists import Cursor, number_in, paged
from ic3.domain.cursors import cursor_of
from ic3.domain.history import instant
from ic3.domain.spreadsheets import csv_text
from ic3.store.audit import Act, AuditStore, Verified, Wanted
from ic3.store.telemetry import moment

PAGE: Final = 1000
HEADINGS: Final = (
    "id", "at", "who", "role", "what", "whence", "object", "before", "after", "chain", "hash"
)  # fmt: skip
Word = Annotated[str | None, QueryParameter(max_length=400, pattern=r"^[^\x00]*$")]
Object = Annotated[str | None, QueryParameter(name="object", max_length=400, pattern=r"^[^\x00]*$")]
From = Annotated[
    str, QueryParameter(name="from", max_length=100, description="RFC 3339 with a zone; inside.")
]
Until = Annotated[str, QueryParameter(max_length=100, description="RFC 3339 with a zone; outside.")]


class Acts(msgspec.Struct):
    """Acts, newest first; ask on with `cursor=next`."""

    acts: list[Act]
    next: str | None


async def newest(
    audits: NamedDependency[AuditStore],
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
    who: Word = None,
    what: Word = None,
    object_: Object = None,
    begin: From = "",
    until: Until = "",
) -> Response[Acts]:
    """What people did, newest first; `from` and `until` are half-open."""
    wanted = Wanted(who, what, object_, _time("from", begin), _time("until", until))
    acts = await audits.newest(limit, below=number_in(cursor), wanted=wanted)
    following = cursor_of(acts[-1].id) if len(acts) == limit else None
    return paged(request, Acts(acts, following), following)


async def export(
    audits: NamedDependency[AuditStore],
    request: Request[Any, Any, Any],
    who: Word = None,
    what: Word = None,
    object_: Object = None,
    begin: From = "",
    until: Until = "",
) -> Stream:
    """The same as CSV, all of it, newest first; the export is an act too."""
    actor = actor_of(request)
    wanted = Wanted(who, what, object_, _time("from", begin), _time("until", until))
    await audits.note_export(actor, wanted)
    return csv_file(_rows(audits, wanted), "audit.csv")


def _time(name: str, text: str) -> datetime | None:
    return moment(instant(name, text)) if text else None


async def _rows(audits: AuditStore, wanted: Wanted) -> AsyncIterator[str]:
    yield csv_text([HEADINGS])
    below: int | None = None
    while acts := await audits.newest(PAGE, below=below, wanted=wanted):
        yield csv_text(_row(each) for each in acts)
        below = acts[-1].id


def _row(act: Act) -> tuple[str | int, ...]:
    return (
        act.id, act.at.isoformat(), act.who, act.role, act.what, act.whence, act.object,
        _json(act.before), _json(act.after), act.chain, act.hash,
    )  # fmt: skip


def _json(value: Any) -> str:
    return "" if value is None else msgspec.json.encode(value).decode()


async def verify(audits: NamedDependency[AuditStore]) -> Verified:
    """Compute the chain of hashes anew: an altered or missing row is found."""
    return await audits.verify()
