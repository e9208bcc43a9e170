"""The past of an asset as JSON or CSV."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from ic3.api.callers import principal_of
from ic3.api.csv_files import csv_file, csv_pages
from ic3.api.lists import first_page
from ic3.clock import Clock
from ic3.domain.downsample import Outline
from ic3.domain.history import (
    AUTO,
    DEFAULT_AGGREGATES,
    DEFAULT_POINTS,
    HistoryQuery,
    Point,
    RawPoint,
    ask,
    check_width,
    csv_headings,
    csv_rows,
    label,
)
from ic3.domain.mapping import Parameter
from ic3.domain.scope import AssetScope
from ic3.errors import ApiError, InputError, TooSlow
from ic3.store.history import HistoryStore

# Of one answer in JSON, all tags together.
POINTS_LIMIT: Final = 100_000
READINGS_LIMIT: Final = 1_000_000

_encode = msgspec.json.Encoder().encode


class Series(msgspec.Struct):
    """The points of one tag.

    Attributes:
        downsampled: Whether points were left out.
        from_points: How many there were before.
    """

    tag_code: str
    parameter_name: str | None
    param_tag_code: str | None
    unit: str | None
    count: int
    downsampled: bool
    from_points: int
    points: list[dict[str, Any]]


class History(msgspec.Struct):
    """The answer; of buckets `from` and `to` are those of the first and the last, both whole."""

    serial_number: str
    asset_id: int | None
    from_: str = msgspec.field(name="from")
    to: str
    bucket: str
    agg: list[str]
    zone: str
    downsampled: bool
    series: list[Series]


@dataclass(slots=True)
class _Reading:
    """What has been read of the tags so far."""

    query: HistoryQuery
    outlines: dict[str, Outline[Point]] = field(default_factory=dict)
    param_ids: dict[str, int] = field(default_factory=dict)
    count: int = 0

    def take(self, points: Sequence[Point]) -> None:
        """Add a page.

        Raises:
            ApiError: More than one answer may hold.
        """
        self.count += len(points)
        if self.count > READINGS_LIMIT:
            raise _refused(
                f"more than {READINGS_LIMIT:,} readings; ask for fewer tags or less time"
            )
        shape_by = self.query.aggregates[0]
        for point in points:
            outline = self.outlines.get(point.tag_code) or self.expect(point.tag_code)
            self.param_ids[point.tag_code] = point.param_id
            number = point.value_num if isinstance(point, RawPoint) else point.figure(shape_by)
            outline.add(point.at_us, number, point)

    def expect(self, tag: str) -> Outline[Point]:
        """Make room for a tag."""
        query = self.query
        tags = len(self.outlines) + 1
        if tags * query.max_points > POINTS_LIMIT:
            raise _refused(
                f"{tags} tags of {query.max_points:,} points are more than {POINTS_LIMIT:,} an"
                f" answer; name fewer tags, or max_points={POINTS_LIMIT // tags} or less"
            )
        made: Outline[Point] = Outline(query.max_points, from_us=query.from_us, to_us=query.to_us)
        self.outlines[tag] = made
        return made


class HistoryReader:
    """Answers questions about the past.

    Args:
        store: Where it is read.
        zone: The plant's.
        clock: Says which minutes are the newest.
    """

    def __init__(self, store: HistoryStore, *, zone: str, clock: Clock) -> None:
        self._store = store
        self._zone = ZoneInfo(zone)
        self._clock = clock

    @property
    def zone(self) -> ZoneInfo:
        """The plant's."""
        return self._zone

    async def json(self, query: HistoryQuery, *, visible: bool = True) -> bytes:
        """The whole answer; what is not visible to the caller is as one that is unknown."""
        register_id = await self._store.register_id(query.serial) if visible else None
        series: list[Series] = []
        if register_id is not None:
            series = await self._series(register_id, query)
        aggregates = [] if query.bucket == "raw" else [each.value for each in query.aggregates]
        return _encode(
            History(
                serial_number=query.serial, asset_id=register_id,
                from_=label(query.from_us, query), to=label(query.to_us, query),
                bucket=query.bucket.value, agg=aggregates, zone=self._zone.key,
                downsampled=any(each.downsampled for each in series), series=series,
            )
        )  # fmt: skip

    async def csv(
        self, query: HistoryQuery, *, thinned: bool, visible: bool = True
    ) -> AsyncIterator[str]:
        """The answer as CSV, piece by piece; the first is read before this returns.

        Args:
            query: What is asked for.
            thinned: Whether `max_points` holds; otherwise every point is there.
            visible: Whether the caller may see the asset.
        """
        register_id = await self._store.register_id(query.serial) if visible else None
        parameters = await self._store.parameters()
        pages: AsyncIterator[Sequence[Point]] = _nothing()
        if register_id is not None and thinned:
            outlines = (await self._read(register_id, query)).outlines
            pages = _each([outlines[tag].points() for tag in sorted(outlines)])
        elif register_id is not None:
            pages = self._store.pages(register_id, query, now_us=self._clock.now_us())
        first = await first_page(pages) or ()
        return csv_pages(
            csv_headings(query), lambda page: csv_rows(query, page, parameters), first, pages
        )

    async def _series(self, register_id: int, query: HistoryQuery) -> list[Series]:
        reading = await self._read(register_id, query)
        mapped = await self._store.mapped_tags(register_id)
        parameters = await self._store.parameters()
        return [
            _series(query, tag, outline,
                    parameters.get(reading.param_ids.get(tag, mapped.get(tag, -1))))
            for tag, outline in sorted(reading.outlines.items())
        ]  # fmt: skip

    async def _read(self, register_id: int, query: HistoryQuery) -> _Reading:
        reading = _Reading(query)
        for tag in query.tags or ():
            reading.expect(tag)
        async for page in self._store.pages(register_id, query, now_us=self._clock.now_us()):
            reading.take(page)
        return reading


async def read(
    history: NamedDependency[HistoryReader],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
    serial_number: Annotated[str, QueryParameter(description="Serial number.")] = "",
    tag_code: Annotated[
        str, QueryParameter(description="Tags, separated by commas; all where it is absent.")
    ] = "",
    begin: Annotated[
        str, QueryParameter(name="from", description="RFC 3339 with a zone; inside.")
    ] = "",
    end: Annotated[
        str, QueryParameter(name="to", description="RFC 3339 with a zone; outside.")
    ] = "",
    until: Annotated[str, QueryParameter(description="The same as `to`.")] = "",
    bucket: Annotated[
        str, QueryParameter(description="raw, 5m, 1h, day, week, month or auto.")
    ] = AUTO,
    agg: Annotated[
        str,
        QueryParameter(
            description="Of a bucket, separated by commas: mean, min, max, last, first, count, sum,"
            " increase, percent_good."
        ),
    ] = DEFAULT_AGGREGATES,
    max_points: Annotated[int | None, QueryParameter(description="Of a tag; 1,000.")] = None,
    answer_format: Annotated[
        str, QueryParameter(name="format", description="json or csv.")
    ] = "json",
) -> Response[Any]:
    """Readings or buckets of one asset from `from` to `to`, as JSON or CSV."""
    if not serial_number:
        raise ApiError(400, "serial_number required", "add ?serial_number=…")
    if answer_format not in {"json", "csv"}:
        raise _refused("format: must be json or csv")
    try:
        query = ask(
            serial=serial_number, tags=tag_code, begin=begin, end=end or until, bucket=bucket,
            aggregates=agg, max_points=DEFAULT_POINTS if max_points is None else max_points,
            zone=history.zone,
        )  # fmt: skip
        check_width(query)
        visible = asset_scope.sees(principal_of(request), serial_number)
        if answer_format == "json":
            return Response(
                await history.json(query, visible=visible), media_type="application/json"
            )
        return csv_file(
            await history.csv(query, thinned=max_points is not None, visible=visible),
            "history.csv",
        )
    except InputError as error:
        raise _refused(str(error)) from None
    except TooSlow:
        raise _refused(
            "the database took longer than a request may; ask for less time, fewer tags or a wider"
            " bucket"
        ) from None


def _refused(detail: str) -> ApiError:
    return ApiError(422, "history refused", detail)


def _series(
    query: HistoryQuery, tag: str, outline: Outline[Point], parameter: Parameter | None
) -> Series:
    name, code, unit = None, None, None
    if parameter is not None:
        name, code, unit = parameter.name, parameter.tag_code, parameter.unit
    points = [_point(query, each) for each in outline.points()]
    return Series(tag, name, code, unit, len(points), outline.thinned, outline.count, points)


def _point(query: HistoryQuery, point: Point) -> dict[str, Any]:
    shown: dict[str, Any] = {"at": label(point.at_us, query), "percent_good": point.percent_good}
    if isinstance(point, RawPoint):
        shown["value_num"] = point.value_num
        shown["value_text"] = point.value_text
        shown["quality"] = point.quality_word
        return shown
    for aggregate in query.aggregates:
        shown[aggregate.value] = point.figure(aggregate)
    if point.resets:
        shown["resets"] = point.resets
    return shown


async def _each(pages: Sequence[Sequence[Point]]) -> AsyncIterator[Sequence[Point]]:
    for page in pages:
        yield page


async def _nothing() -> AsyncIterator[Sequence[Point]]:
    return
    yield
