"""Files for the register, and the conflicts they leave."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from ic3.api.callers import actor_of, principal_of
from ic3.api.csv_files import csv_file, csv_pages
from ic3.api.lists import Cursor, first_page, number_in, paged
from ic3.domain.cursors import cursor_of
from ic3.domain.diffs import SHOWN, Change
from ic3.domain.imports import COLUMNS, FileImport, cells, read_csv
from ic3.errors import ApiError, Refused, TooSlow, UnknownHere
from ic3.store.conflicts import Conflict, ConflictStore, Decision
from ic3.store.exports import ExportStore
from ic3.store.mappings import MappingStore
from ic3.store.register import RegisterStore

Table = Literal["register", "parameters", "tagmap", "dmas"]


class ImportAnswer(msgspec.Struct):
    """What an import did, or would do.

    Attributes:
        rows: Rows of the file.
        conflicts: Fields that differ from what a person entered; they stay as they are.
        changes: The first 1,000 rows that are added, changed or in conflict.
        replay_id: The job that maps the past of what a tag map added.
    """

    table: str
    dry_run: bool
    rows: int
    added: int
    changed: int
    same: int
    conflicts: int
    changes: list[Change]
    replay_id: int | None


class ConflictPage(msgspec.Struct):
    """Conflicts in the order in which they were first met; ask on with `cursor=next`."""

    open: int
    conflicts: list[Conflict]
    next: str | None


class DecisionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Keep what a person entered, or take what the file or the CMMS says."""

    decision: Decision


class Decided(msgspec.Struct):
    """What became of a conflict."""

    id: int
    state: str


async def import_file(
    registers: NamedDependency[RegisterStore],
    importer: NamedDependency[MappingStore],
    request: Request[Any, Any, Any],
    table: FromQuery[Table],
    dry_run: FromQuery[bool] = False,
) -> Response[ImportAnswer]:
    """Import a table from CSV: all or nothing; with `dry_run` only say what it would do."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/csv":
        raise ApiError(415, "not csv", "send the file as it is, as Content-Type: text/csv")
    parsed = await asyncio.to_thread(read_csv, table, await request.body())
    scope = principal_of(request).scope()
    await _check(registers, parsed, scope)
    if parsed.problems:
        return _refused(request, parsed)
    actor = actor_of(request)
    try:
        found, job = await importer.import_file(actor, table, parsed.rows, dry_run=dry_run)
    except Refused as error:
        raise ApiError(
            422, "file refused", f"the database does not take a value ({error.sqlstate})"
        ) from None
    except TooSlow:
        raise ApiError(422, "file too large", "import it in parts of 10,000 rows") from None
    return Response(
        ImportAnswer(
            table, dry_run, len(parsed.rows), found.added, found.changed, found.same,
            found.conflicts, found.changes[:SHOWN], job,
        )
    )  # fmt: skip


async def export_table(
    exports: NamedDependency[ExportStore],
    request: Request[Any, Any, Any],
    table: FromQuery[Table],
) -> Stream:
    """A table as CSV, in the form that an import takes."""
    pages = exports.pages(table, principal_of(request).scope())
    first = await first_page(pages) or []
    content = csv_pages(
        list(COLUMNS[table]), lambda page: (cells(table, row) for row in page), first, pages
    )
    return csv_file(content, f"{table}.csv")


async def conflicts(
    conflict_store: NamedDependency[ConflictStore],
    request: Request[Any, Any, Any],
    conflict_state: Annotated[
        Literal["open", "kept", "taken"] | None, QueryParameter(name="state")
    ] = "open",
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[ConflictPage]:
    """What files and the CMMS say otherwise than a person entered."""
    scope = principal_of(request).scope()
    found = await conflict_store.page(
        state=conflict_state, scope=scope, limit=limit, after=number_in(cursor) or 0
    )  # fmt: skip
    more = cursor_of(found[-1].id) if len(found) == limit else None
    page = ConflictPage(await conflict_store.count_open(scope), found, more)
    return paged(request, page, more)


async def decide(
    conflict_id: FromPath[int],
    data: JSONBody[DecisionRequest],
    conflict_store: NamedDependency[ConflictStore],
    request: Request[Any, Any, Any],
) -> Decided:
    """Decide a conflict: keep what was entered, or take what was offered."""
    principal, actor = principal_of(request), actor_of(request)
    if not 0 < conflict_id < 2**63:
        raise _no_conflict()
    try:
        await conflict_store.decide(actor, conflict_id, data.decision, principal.scope())
    except UnknownHere:
        raise _no_conflict() from None
    return Decided(conflict_id, "taken" if data.decision == "take" else "kept")


async def _check(registers: RegisterStore, parsed: FileImport, scope: list[str] | None) -> None:
    """Note what only the database knows: unknown references, rows outside the domains."""
    if parsed.table == "tagmap":
        serials, codes = await registers.unknown_codes(
            serials=parsed.serials(), tag_codes=parsed.codes(), scope=scope
        )
        parsed.check_references(serials, codes)
    elif scope is not None and parsed.table in {"register", "dmas"}:
        known, foreign = await registers.known_keys(parsed.table, parsed.keys(), scope)
        parsed.check_scope(scope, foreign)
        parsed.check_new(scope, known | foreign)
        if parsed.table == "register":
            areas = parsed.areas()
            mine, _ = await registers.known_keys("dmas", areas, scope)
            parsed.check_areas(set(areas) - mine)


def _refused(request: Request[Any, Any, Any], parsed: FileImport) -> Response[Any]:
    document = {
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
        "error": "file refused", "detail": "nothing was written; mend these lines",
        "problems": parsed.problems,
        "request_id": request.scope["state"].get("request_id", ""),
    }  # fmt: skip
    return Response(
        msgspec.json.encode(document), status_code=422, media_type="application/problem+json"
    )


def _no_conflict() -> ApiError:
    return ApiError(404, "conflict not found", "look at /api/register/conflicts")
