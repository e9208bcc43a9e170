"""The state of every asset, and what happened on the feed."""

from collections.abc import Iterator
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from ic3.api.callers import principal_of
from ic3.api.csv_files import csv_file
from ic3.api.lists import Cursor, begin_of, number_in, paged
from ic3.clock import Clock
from ic3.domain.alarms import Alarms, worst_of
from ic3.domain.asset_states import (
    CSV_HEADINGS,
    Known,
    Place,
    Sort,
    StateFilter,
    begin_behind,
    csv_row,
    in_order,
    place_of,
)
from ic3.domain.cursors import cursor_of
from ic3.domain.envelope import time_text
from ic3.domain.freshness import AssetView, State
from ic3.domain.latest import LatestReadings
from ic3.domain.scope import AssetScope
from ic3.domain.spreadsheets import Cell, csv_text
from ic3.domain.status import Feed
from ic3.errors import ApiError
from ic3.store.states import StateStore

NO_NUL: Final = r"^[^\x00]*$"
WORDS_LIMIT: Final = 100
CSV_PIECE: Final = 1000

Word = Annotated[str, msgspec.Meta(max_length=1024, pattern=NO_NUL)]
Words = Annotated[
    list[Word] | None, QueryParameter(max_items=WORDS_LIMIT, description="Empty: those without.")
]
States = Annotated[list[State] | None, QueryParameter(name="state")]
Worst = Annotated[int, msgspec.Meta(ge=0, le=4)]
Priorities = Annotated[
    list[Worst] | None, QueryParameter(max_items=5, description="1 to 4; 0 without an alarm.")
]
Good = Annotated[
    bool | None, QueryParameter(description="Whether the source vouches for the newest record.")
]
Waiting = Annotated[bool | None, QueryParameter(description="Whether an alarm waits for somebody.")]
Text = Annotated[
    str,
    QueryParameter(max_length=200, pattern=NO_NUL, description="Part of serial number or name."),
]


class AssetStateView(msgspec.Struct):
    """One asset: whether it speaks, and how.

    Attributes:
        since: Since when it is in this state.
        age_s: Seconds since a new record was received.
        cadence_s: Usual seconds between new records; null while not learned.
        skew_s: Seconds from the source's time to our receipt, smoothed.
        last_value_at: The source's time of the newest record.
        kind: The register's category, as `name` and `dma_id` are the register's.
        received_at: Our receipt of the newest new record.
        quality: As the source says of it; null where it says nothing.
        priority: Worst of its alarms that call and are active, 1 to 4; 0 where there is none.
        unacknowledged: Whether one of its alarms waits for somebody.
    """

    serial: str
    domain: str | None
    state: str
    since: str | None
    age_s: float | None
    cadence_s: float | None
    skew_s: float | None
    last_value_at: str | None
    name: str | None
    kind: str | None
    dma_id: str | None
    received_at: str | None
    quality: str | None
    priority: int
    unacknowledged: bool


class AssetStates(msgspec.Struct):
    """A page of assets; ask on with `cursor=next`. `cursor` is the same.

    Attributes:
        total: How many there are in all.
    """

    count: int
    states: list[AssetStateView]
    next: str | None
    cursor: str | None
    total: int


class FeedEventView(msgspec.Struct):
    """Something that happened on the feed; `serial` is null for the whole gateway."""

    id: int
    at: str
    serial: str | None
    event: str
    detail: str | None


class FeedEvents(msgspec.Struct):
    """A page of events, newest first; ask on with `cursor=next`."""

    count: int
    events: list[FeedEventView]
    next: str | None


class StatesReader:
    """Answers from memory, the register's silent assets included.

    Args:
        feed: Life and quality.
        latest: The register.
        alarms: Every open alarm.
        zone: The plant's.
        clock: Ages are told by it.
    """

    def __init__(
        self, *, feed: Feed, latest: LatestReadings, alarms: Alarms, zone: str, clock: Clock
    ) -> None:
        self._feed = feed
        self._freshness = feed.freshness
        self._latest = latest
        self._alarms = alarms
        self._zone = ZoneInfo(zone)
        self._clock = clock

    def read(
        self, wanted: StateFilter, *, sort: Sort, limit: int, after: Place | None
    ) -> AssetStates:
        """A page of the assets behind a place."""
        chosen = self._chosen(wanted, sort)
        begin = 0 if after is None else begin_behind(chosen, after)
        page, now = chosen[begin : begin + limit], self._clock.monotonic()
        more = begin + limit < len(chosen)
        onward = cursor_of(place_of(page[-1], sort)) if more else None
        found = [self._view(each, now) for each in page]
        return AssetStates(len(found), found, onward, onward, len(chosen))

    def csv(self, wanted: StateFilter, sort: Sort) -> Iterator[str]:
        """All of them as CSV, as they are now, piece by piece."""
        chosen, now = self._chosen(wanted, sort), self._clock.monotonic()
        yield csv_text([CSV_HEADINGS])
        for start in range(0, len(chosen), CSV_PIECE):
            yield csv_text(self._csv_row(each, now) for each in chosen[start : start + CSV_PIECE])

    def known(self, serial: str) -> Known:
        """What is known of an asset, as last judged."""
        asset = self._latest.register.assets.get(serial)
        domain = asset.domain if asset else None
        news = self._feed.state_of(serial)
        priority, unacknowledged = worst_of(self._alarms.of("asset", serial))
        return Known(
            serial, asset.name if asset else None, asset.category if asset else None,
            domain or self._freshness.domain_of(serial), asset.dma_id if asset else None,
            self._freshness.state_of(serial), self._freshness.received_us(serial),
            news.quality if news else None, priority, unacknowledged,
        )  # fmt: skip

    def _chosen(self, wanted: StateFilter, sort: Sort) -> list[Known]:
        self._freshness.judge(now=self._clock.monotonic(), now_us=self._clock.now_us())
        serials = self._latest.register.assets.keys() | set(self._freshness.serials())
        return in_order(filter(wanted.takes, map(self.known, serials)), sort)

    def _view(self, known: Known, now: float) -> AssetStateView:
        view = self._freshness.view(known.serial, now=now) or AssetView(
            known.serial, known.domain, State.NEVER_SEEN, None, None, None, None, None
        )
        return AssetStateView(
            known.serial, known.domain, view.state, _time(view.since_us), _round(view.age_s),
            _round(view.cadence_s), _round(view.skew_s), _time(view.last_value_us), known.name,
            known.kind, known.dma_id, _time(known.received_us or None), known.quality,
            known.priority, known.unacknowledged,
        )  # fmt: skip

    def _csv_row(self, known: Known, now: float) -> list[Cell]:
        view = self._freshness.view(known.serial, now=now)
        since_us, age_s = (view.since_us, _round(view.age_s)) if view else (None, None)
        return csv_row(known, since_us=since_us, age_s=age_s, zone=self._zone)


async def states(
    states_reader: NamedDependency[StatesReader],
    request: Request[Any, Any, Any],
    wanted: States = None,
    domain: Words = None,
    dma: Words = None,
    kind: Words = None,
    priority: Priorities = None,
    good: Good = None,
    unacknowledged: Waiting = None,
    q: Text = "",
    sort: FromQuery[Sort] = Sort.SERIAL,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[AssetStates]:
    """Assets with state, age, cadence, quality and worst alarm; a page at a time."""
    chosen = _filter(request, wanted, domain, dma, kind, priority, good, unacknowledged, q)
    after = begin_of(cursor, Place) if cursor else None
    if after is not None and after.sort is not sort:
        raise ApiError(422, "bad cursor", f"it is of a list sorted by {after.sort}")
    page = states_reader.read(chosen, sort=sort, limit=limit, after=after)
    return paged(request, page, page.next)


async def csv(
    states_reader: NamedDependency[StatesReader],
    request: Request[Any, Any, Any],
    wanted: States = None,
    domain: Words = None,
    dma: Words = None,
    kind: Words = None,
    priority: Priorities = None,
    good: Good = None,
    unacknowledged: Waiting = None,
    q: Text = "",
    sort: FromQuery[Sort] = Sort.SERIAL,
) -> Stream:
    """The same as CSV, all of it; the time is our receipt of the newest record."""
    chosen = _filter(request, wanted, domain, dma, kind, priority, good, unacknowledged, q)
    return csv_file(states_reader.csv(chosen, sort), "assets.csv")


async def events(
    state_store: NamedDependency[StateStore],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[FeedEvents]:
    """Keys that appeared, vanished or returned, and changes of state, newest first."""
    serials = asset_scope.serials(principal_of(request))
    found = [
        FeedEventView(number, time_text(each.at_us), each.serial, each.event, each.detail)
        for number, each in await state_store.recent_events(
            limit, serials, before=number_in(cursor)
        )
    ]
    onward = cursor_of(found[-1].id) if len(found) == limit else None
    return paged(request, FeedEvents(len(found), found, onward), onward)


def _filter(
    request: Request[Any, Any, Any], states: list[State] | None, domains: list[str] | None,
    dma_ids: list[str] | None, kinds: list[str] | None, priorities: list[int] | None,
    good: bool | None, unacknowledged: bool | None, text: str,
) -> StateFilter:  # fmt: skip
    return StateFilter(
        scope=principal_of(request).domains, domains=domains or (), dma_ids=dma_ids or (),
        kinds=kinds or (), states=states or (), priorities=priorities or (), good=good,
        unacknowledged=unacknowledged, text=text,
    )  # fmt: skip


def _time(us: int | None) -> str | None:
    return None if us is None else time_text(us)


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
