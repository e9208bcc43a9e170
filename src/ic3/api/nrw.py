"""Non-revenue water of districts: figures, history, CSV."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter
from litestar.response import Stream

from ic3.api.callers import principal_of
from ic3.api.csv_files import csv_file, csv_pages
from ic3.api.lists import MOST_DAYS, begin_of, days_asked, paged
from ic3.clock import Clock
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.domain.nrw import CSV_HEADINGS, DAY_HEADINGS, DistrictFigures, csv_row, day_rows
from ic3.domain.spreadsheets import Cell, csv_text
from ic3.errors import ApiError
from ic3.store.nrw import DistrictDay, DistrictPlace, NrwStore, OneDistrict, place_of

NO_NUL: Final = r"^[^\x00]*$"

DmaId = Annotated[str, PathParameter(max_length=200, pattern=NO_NUL)]
Word = Annotated[str | None, QueryParameter(max_length=1024, pattern=NO_NUL)]
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
Cursor = Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)]
Day = Annotated[date | None, QueryParameter()]


class DistrictPage(msgspec.Struct):
    """A page of districts, those that lose most first; ask on with `cursor=next`."""

    districts: list[DistrictFigures]
    next: str | None


class DistrictHistory(msgspec.Struct):
    """A page of days of a district, newest first; ask on with `cursor=next`."""

    dma_id: str
    days: list[DistrictDay]
    next: str | None


async def listed(
    request: Request[Any, Any, Any],
    nrw_store: NamedDependency[NrwStore],
    clock: NamedDependency[Clock],
    domain: Word = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response[DistrictPage]:
    """The figures of districts over the last seven days, those that lose most first."""
    found = await nrw_store.page(
        principal_of(request).scope(), now=clock.now(), limit=limit, domain=domain,
        after=begin_of(cursor, DistrictPlace) if cursor else None,
    )  # fmt: skip
    page = [each.figures for each in found]
    onward = cursor_of(place_of(page[-1])) if len(page) == limit else None
    return paged(request, DistrictPage(page, onward), onward)


async def export(
    request: Request[Any, Any, Any],
    nrw_store: NamedDependency[NrwStore],
    clock: NamedDependency[Clock],
    domain: Word = None,
) -> Stream:
    """The figures of districts as CSV."""
    pages = nrw_store.pages(principal_of(request).scope(), now=clock.now(), domain=domain)
    first = await anext(pages)
    return csv_file(csv_pages(CSV_HEADINGS, _rows, first, pages), "nrw.csv")


async def one(
    request: Request[Any, Any, Any], nrw_store: NamedDependency[NrwStore],
    clock: NamedDependency[Clock], dma_id: DmaId,
) -> OneDistrict:  # fmt: skip
    """One district with its whole report: balance, nights, supply, index, each with its reason."""
    return await _found(request, nrw_store, clock, dma_id)


async def history(
    request: Request[Any, Any, Any],
    nrw_store: NamedDependency[NrwStore],
    clock: NamedDependency[Clock],
    dma_id: DmaId,
    begin: Annotated[Day, QueryParameter(name="from", description="First day.")] = None,
    until: Annotated[Day, QueryParameter(description="Day after the last.")] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response[DistrictHistory]:
    """Days of a district, newest first."""
    district = (await _found(request, nrw_store, clock, dma_id)).figures.dma_id
    from_day, before = days_asked(clock.now().date(), begin, until)
    if cursor:
        before = min(before, begin_of(cursor, date))
    days = await nrw_store.days(
        principal_of(request).scope(), district, from_day=from_day, before=before, limit=limit
    )
    onward = cursor_of(days[-1].day) if len(days) == limit else None
    return paged(request, DistrictHistory(district, days, onward), onward)


async def history_export(
    request: Request[Any, Any, Any],
    nrw_store: NamedDependency[NrwStore],
    clock: NamedDependency[Clock],
    dma_id: DmaId,
    begin: Annotated[Day, QueryParameter(name="from", description="First day.")] = None,
    until: Annotated[Day, QueryParameter(description="Day after the last.")] = None,
) -> Stream:
    """Days of a district as CSV, newest first."""
    district = (await _found(request, nrw_store, clock, dma_id)).figures.dma_id
    from_day, before = days_asked(clock.now().date(), begin, until)
    days = await nrw_store.days(
        principal_of(request).scope(), district, from_day=from_day, before=before, limit=MOST_DAYS
    )
    rows = day_rows((each.day, each.figures) for each in days)
    return csv_file(iter([csv_text([DAY_HEADINGS, *rows])]), "nrw-history.csv")


async def _found(
    request: Request[Any, Any, Any], nrw_store: NrwStore, clock: Clock, dma_id: str
) -> OneDistrict:
    found = await nrw_store.page(
        principal_of(request).scope(), now=clock.now(), limit=1, dma_id=_id(dma_id)
    )
    if not found:
        raise ApiError(404, "district not found", "there are no figures of such a district")
    return found[0]


def _rows(page: list[OneDistrict]) -> Iterable[Sequence[Cell]]:
    return (csv_row(each.figures) for each in page)


def _id(segment: str) -> str:
    """The id of a district as the path spells it."""
    dma_id = unquote(segment, errors="replace")
    if "\0" in dma_id:
        raise ApiError(404, "district not found", "there is no such district metered area")
    return dma_id
