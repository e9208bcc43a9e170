"""The health of pumps: fleet view, one pump, history, CSV, and what its plate says."""

from datetime import date, datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter
from litestar.response import Stream

from ic3.analytics.pump_samples import PumpNameplate
from ic3.api.callers import actor_of, principal_of
from ic3.api.csv_files import csv_file, csv_pages
from ic3.api.lists import MOST_DAYS, begin_of, days_asked, paged
from ic3.clock import Clock
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.domain.pumps import CSV_HEADINGS, DAY_HEADINGS, PumpDay, PumpFigures, csv_rows, day_rows
from ic3.domain.spreadsheets import csv_text
from ic3.errors import ApiError
from ic3.store.pump_health import (
    DEFAULT_CLASS,
    FIRST,
    OnePump,
    Plate,
    PumpPlace,
    PumpStore,
    place_of,
    plate_etag,
    set_plate,
)

NO_NUL: Final = r"^[^\x00]*$"

Serial = Annotated[str, PathParameter(max_length=1024, pattern=NO_NUL)]
Word = Annotated[str | None, QueryParameter(max_length=1024, pattern=NO_NUL)]
Limit = Annotated[int, QueryParameter(ge=1, le=1000)]
Cursor = Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)]
Below = Annotated[float | None, QueryParameter(ge=0, le=100, description="Health below.")]
Day = Annotated[date | None, QueryParameter()]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", max_length=1000, description="ETag of the pump as it was read."
    ),
]


class PumpPage(msgspec.Struct):
    """A page of pumps, the least healthy first; ask on with `cursor=next`."""

    pumps: list[PumpFigures]
    next: str | None


class PumpHistory(msgspec.Struct):
    """A page of days of a pump, newest first; ask on with `cursor=next`."""

    serial_number: str
    days: list[PumpDay]
    next: str | None


class PlateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What the maker says; what is absent is not known, and nothing is guessed for it.

    `vibration_class` is one of `category I`, `category II`, `group 2 rigid`, `group 2 flexible`.
    `overhauled_at` is the last recorded overhaul: its reference curve is learned anew from then.
    """

    plate: PumpNameplate
    vibration_class: Annotated[str, msgspec.Meta(max_length=100)] = DEFAULT_CLASS
    overhauled_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


async def listed(
    request: Request[Any, Any, Any],
    pump_store: NamedDependency[PumpStore],
    clock: NamedDependency[Clock],
    domain: Word = None,
    below: Below = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response[PumpPage]:
    """The health of pumps, the least first; those without one last."""
    after = begin_of(cursor, PumpPlace) if cursor else FIRST
    if not 0 <= after.asset_id < 2**31:
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    page = await pump_store.page(
        principal_of(request).scope(), now=clock.now(), limit=limit, after=after, domain=domain,
        below=below,
    )  # fmt: skip
    onward = cursor_of(place_of(page[-1])) if len(page) == limit else None
    return paged(request, PumpPage(page, onward), onward)


async def export(
    request: Request[Any, Any, Any],
    pump_store: NamedDependency[PumpStore],
    clock: NamedDependency[Clock],
    domain: Word = None,
    below: Below = None,
) -> Stream:
    """The health of pumps as CSV."""
    scope = principal_of(request).scope()
    pages = pump_store.pages(scope, now=clock.now(), domain=domain, below=below)
    first = await anext(pages)
    return csv_file(csv_pages(CSV_HEADINGS, csv_rows, first, pages), "pump-health.csv")


async def one(
    request: Request[Any, Any, Any], pump_store: NamedDependency[PumpStore],
    clock: NamedDependency[Clock], serial_number: Serial,
) -> Response[OnePump]:  # fmt: skip
    """One pump: every sub-score with its inputs, limits and reasons, its point on the curve."""
    found = await pump_store.one(
        principal_of(request).scope(), _serial(serial_number), now=clock.now()
    )
    return Response(found, headers={"etag": plate_etag(found.plate)})


async def history(
    request: Request[Any, Any, Any],
    pump_store: NamedDependency[PumpStore],
    clock: NamedDependency[Clock],
    serial_number: Serial,
    begin: Annotated[Day, QueryParameter(name="from", description="First day.")] = None,
    until: Annotated[Day, QueryParameter(description="Day after the last.")] = None,
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response[PumpHistory]:
    """Days of a pump, newest first."""
    pump = await pump_store.one(
        principal_of(request).scope(), _serial(serial_number), now=clock.now()
    )
    from_day, before = days_asked(clock.now().date(), begin, until)
    if cursor:
        before = min(before, begin_of(cursor, date))
    days = await pump_store.days(
        pump.figures.asset_id, from_day=from_day, before=before, limit=limit
    )
    onward = cursor_of(days[-1].day) if len(days) == limit else None
    return paged(request, PumpHistory(pump.figures.serial_number, days, onward), onward)


async def history_export(
    request: Request[Any, Any, Any],
    pump_store: NamedDependency[PumpStore],
    clock: NamedDependency[Clock],
    serial_number: Serial,
    begin: Annotated[Day, QueryParameter(name="from", description="First day.")] = None,
    until: Annotated[Day, QueryParameter(description="Day after the last.")] = None,
) -> Stream:
    """Days of a pump as CSV, newest first."""
    pump = await pump_store.one(
        principal_of(request).scope(), _serial(serial_number), now=clock.now()
    )
    from_day, before = days_asked(clock.now().date(), begin, until)
    days = await pump_store.days(
        pump.figures.asset_id, from_day=from_day, before=before, limit=MOST_DAYS
    )
    rows = [DAY_HEADINGS, *day_rows(pump.figures.serial_number, days)]
    return csv_file(iter([csv_text(rows)]), "pump-history.csv")


async def change_plate(
    data: JSONBody[PlateRequest],
    request: Request[Any, Any, Any],
    pump_store: NamedDependency[PumpStore],
    clock: NamedDependency[Clock],
    serial_number: Serial,
    if_match: IfMatch = None,
) -> Response[Plate]:
    """Enter what the maker says of a pump, if it is still as it was seen (If-Match)."""
    new = Plate(
        version=0, plate=data.plate, vibration_class=data.vibration_class,
        overhauled_at=data.overhauled_at,
    )  # fmt: skip
    async with pump_store.database.connection() as connection:
        made = await set_plate(
            connection, actor_of(request), principal_of(request).scope(), _serial(serial_number),
            new, if_match, at=clock.now(),
        )  # fmt: skip
    return Response(made, headers={"etag": plate_etag(made)})


def _serial(segment: str) -> str:
    """A serial number as the path spells it."""
    serial = unquote(segment, errors="replace")
    if "\0" in serial:
        raise ApiError(404, "pump not found", "no such pump was assessed")
    return serial
