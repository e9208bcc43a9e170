"""The state of every asset, and what happened on the feed."""

from bisect import bisect_right
from typing import Annotated, Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from ic3.api.callers import principal_of
from ic3.api.lists import Cursor, number_in, paged, word_in
from ic3.clock import Clock
from ic3.domain.cursors import cursor_of
from ic3.domain.envelope import time_text
from ic3.domain.freshness import AssetView, State
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed
from ic3.store.states import StateStore


class AssetStateView(msgspec.Struct):
    """One asset: whether it speaks, and how.

    Attributes:
        since: Since when it is in this state.
        age_s: Seconds since a new record was received.
        cadence_s: Usual seconds between new records; null while not learned.
        skew_s: Seconds from the source's time to our receipt, smoothed.
        last_value_at: The source's time of the newest record.
    """

    serial: str
    domain: str | None
    state: str
    since: str | None
    age_s: float | None
    cadence_s: float | None
    skew_s: float | None
    last_value_at: str | None


class AssetStates(msgspec.Struct):
    """A page of assets by serial number; ask on with `cursor=next`. `cursor` is the same."""

    count: int
    states: list[AssetStateView]
    next: str | None
    cursor: str | None


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
    """Answers from memory, the register's silent assets included."""

    def __init__(self, *, feed: Feed, latest: LatestReadings, clock: Clock) -> None:
        self._freshness = feed.freshness
        self._latest = latest
        self._clock = clock
        self._sorted: tuple[list[str], Register, list[str]] = ([], Register(), [])

    def read(
        self, *, state: State | None, domain: str | None, limit: int, after: str,
        domains: frozenset[str] | None = None,
    ) -> AssetStates:  # fmt: skip
        """A page of the assets after a serial number; only of the domains, None is all."""
        now = self._clock.monotonic()
        self._freshness.judge(now=now, now_us=self._clock.now_us())
        serials = self._serials()
        found: list[AssetStateView] = []
        for index in range(bisect_right(serials, after), len(serials)):
            view = self._view(serials[index], now)
            if state not in {None, view.state} or domain not in {None, view.domain}:
                continue
            if domains is not None and view.domain not in domains:
                continue
            if len(found) == limit:
                onward = cursor_of(found[-1].serial)
                return AssetStates(limit, found, onward, onward)
            found.append(view)
        return AssetStates(len(found), found, None, None)

    def _serials(self) -> list[str]:
        """Feed and register together, sorted again only where one of them has changed."""
        feed, register, merged = self._sorted
        if feed is not self._freshness.serials() or register is not self._latest.register:
            feed, register = self._freshness.serials(), self._latest.register
            merged = sorted(register.assets.keys() | set(feed))
            self._sorted = (feed, register, merged)
        return merged

    def _view(self, serial: str, now: float) -> AssetStateView:
        asset = self._latest.register.assets.get(serial)
        of_register = asset.domain if asset else None
        view = self._freshness.view(serial, now=now) or AssetView(
            serial, of_register, State.NEVER_SEEN, None, None, None, None, None
        )
        return AssetStateView(
            serial, of_register or view.domain, view.state, _time(view.since_us),
            _round(view.age_s), _round(view.cadence_s), _round(view.skew_s),
            _time(view.last_value_us),
        )  # fmt: skip


async def states(
    states_reader: NamedDependency[StatesReader],
    request: Request[Any, Any, Any],
    wanted: Annotated[State | None, QueryParameter(name="state")] = None,
    domain: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[AssetStates]:
    """Assets by serial number with their state, age, cadence and skew; a page at a time."""
    domains = principal_of(request).domains
    page = states_reader.read(
        state=wanted, domain=domain, limit=limit, after=word_in(cursor), domains=domains
    )
    return paged(request, page, page.next)


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


def _time(us: int | None) -> str | None:
    return None if us is None else time_text(us)


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
