"""The newest envelopes and the counts of the top bar."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from ic3 import __version__
from ic3.api.callers import principal_of
from ic3.clock import Clock
from ic3.domain.envelope import Envelope, Value, key_of_serial, time_text
from ic3.domain.freshness import State
from ic3.domain.latest import LatestReadings
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed, FeedCounts
from ic3.errors import ApiError
from ic3.gateway.breaker import Breaker, BreakerState
from ic3.hub.live import LiveHub
from ic3.hub.local import LocalHub
from ic3.spool import Spool
from ic3.store.pool import Database
from ic3.store.states import StateStore
from ic3.store.telemetry import moment


class EnvelopeView(msgspec.Struct):
    """One envelope as the API shows it."""

    record_id: str
    system_id: str | None
    asset_id: str
    domain: str | None
    protocol: str | None
    occurred_at: str
    received_at: str
    values: dict[str, Value]
    quality: str | None
    alarm: str | None


class NewestEnvelopes(msgspec.Struct):
    """The envelopes received last, newest first."""

    count: int
    telemetry: list[EnvelopeView]


class NewestEnvelope(msgspec.Struct):
    """The newest envelope of an asset, and its key in the gateway.

    Attributes:
        listed_at: When the gateway last listed the key; null where this process never saw it.
        envelope: As it was taken, without the tags that were not; null where none ever arrived.
    """

    serial: str
    key: str
    state: State
    listed_at: str | None
    envelope: EnvelopeView | None


class DatabaseState(msgspec.Struct):
    """Whether PostgreSQL answers."""

    state: str
    since: datetime | None


class SpoolState(msgspec.Struct):
    """What is accepted and not yet stored."""

    sweeps: int
    envelopes: int
    bytes: int
    oldest_at: datetime | None


class LiveState(msgspec.Struct):
    """The clients of `/ws/v1` and `/api/stream`.

    Attributes:
        slow: Those that do not take what is sent.
        frames_dropped: For slow ones, since the start; as `snapshots` and `resyncs`.
    """

    clients: int
    slow: int
    frames_dropped: int
    snapshots: int
    resyncs: int


class Stats(msgspec.Struct):
    """Counts for the top bar.

    Attributes:
        breaker: Whether the gateway is asked.
        next_try_at: When it may be asked again, where it is left alone.
        stale: All that are not fresh; `states` tells them apart.
        states: State to number of assets; `never_seen` are in the register only.
        clock: Why this machine's clock is suspected; null where it is not.
        clock_offset_s: Our clock less the gateway's, to a second.
    """

    version: str
    started_at: datetime
    plant: str
    gateway: str
    breaker: BreakerState
    next_try_at: datetime | None
    database: DatabaseState
    spool: SpoolState
    assets: int
    fresh: int
    stale: int
    in_alarm: int
    ws_clients: int
    live: LiveState
    last_run: Run | None
    last_good_at: datetime | None
    error: str | None
    states: dict[str, int]
    clock: str | None
    clock_offset_s: float | None


class StatsReader:
    """Counts what is in memory; the assets are counted at most once a second."""

    def __init__(
        self, *, feed: Feed, latest: LatestReadings, runs: RecentRuns, hub: LocalHub,
        live: LiveHub, database: Database, spool: Spool, breaker: Breaker, clock: Clock,
        gateway: str, simulated: bool,
    ) -> None:  # fmt: skip
        self._feed = feed
        self._latest = latest
        self._runs = runs
        self._hub = hub
        self._live = live
        self._database = database
        self._spool = spool
        self._clock = clock
        self._gateway = gateway
        self._simulated = simulated
        self._breaker = breaker
        self._started_at = clock.now()
        self._counted = float("-inf")
        self._counts = feed.counts(now=clock.monotonic(), now_us=clock.now_us())
        self._states: dict[str, int] = {}

    def read(self, sees: Callable[[str], bool] | None = None) -> Stats:
        """The counts now; those of assets only of what somebody sees, None is all."""
        now = self._clock.monotonic()
        if now - self._counted >= 1:
            self._counts = self._feed.counts(now=now, now_us=self._clock.now_us())
            self._states = self._by_state(self._counts, None)
            self._counted = now
        away_since = self._database.away_since
        counts, states = self._counts, self._states
        if sees is not None:
            counts = self._feed.counts_of(sees)
            states = self._by_state(counts, sees)
        own_clock = self._feed.freshness.own_clock
        return Stats(
            version=__version__,
            started_at=self._started_at,
            plant="simulated" if self._simulated else "real",
            gateway=self._gateway,
            breaker=self._breaker.state,
            next_try_at=self._next_try_at(),
            database=DatabaseState("away" if away_since else "ok", away_since),
            spool=self._spool_state(),
            assets=counts.assets,
            fresh=counts.fresh,
            stale=counts.stale,
            in_alarm=counts.in_alarm,
            ws_clients=self._hub.clients,
            live=self._live_state(),
            last_run=self._runs.progress().latest,
            last_good_at=self._feed.last_good_at,
            error=self._feed.last_error,
            states=states,
            clock=own_clock.words if own_clock else None,
            clock_offset_s=self._feed.freshness.clock_offset_s,
        )

    def _live_state(self) -> LiveState:
        live = self._live
        return LiveState(live.clients, live.slow, live.dropped, live.snapshots, live.resyncs)

    def _spool_state(self) -> SpoolState:
        level = self._spool.level
        oldest_at = None if level.oldest_us is None else moment(level.oldest_us)
        return SpoolState(level.sweeps, level.envelopes, level.bytes, oldest_at)

    def _next_try_at(self) -> datetime | None:
        wait_s = self._breaker.next_try_s
        return None if wait_s is None else self._clock.now() + timedelta(seconds=wait_s)

    def _by_state(self, counts: FeedCounts, sees: Callable[[str], bool] | None) -> dict[str, int]:
        """Every state, those of no asset too."""
        counted = {state.value: counts.states.get(state, 0) for state in State}
        feed = self._feed.freshness
        counted[State.NEVER_SEEN] = sum(
            serial not in feed and (sees is None or sees(serial))
            for serial in self._latest.register.assets
        )
        return counted


async def newest(
    feed: NamedDependency[Feed],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> NewestEnvelopes:
    """The newest envelopes by the time they were received, at most 500."""
    sees = partial(asset_scope.sees, principal_of(request))
    found = [_view(each) for each in feed.newest(limit, sees)]
    return NewestEnvelopes(len(found), found)


async def newest_of(
    serial_number: FromPath[str],
    feed: NamedDependency[Feed],
    latest: NamedDependency[LatestReadings],
    asset_scope: NamedDependency[AssetScope],
    state_store: NamedDependency[StateStore],
    request: Request[Any, Any, Any],
) -> NewestEnvelope:
    """The newest envelope of an asset, and when the gateway last listed its key."""
    serial, freshness = unquote(serial_number, errors="replace"), feed.freshness
    is_known = serial in latest.register.assets or serial in freshness
    if not is_known or not asset_scope.sees(principal_of(request), serial):
        raise ApiError(404, "asset not found", "neither the register nor the feed has it")
    envelope = await state_store.newest_envelope(serial)
    listed_us = freshness.listed_us(serial)
    return NewestEnvelope(
        serial, key_of_serial(serial), freshness.state_of(serial),
        None if listed_us is None else time_text(listed_us),
        None if envelope is None else _view(envelope),
    )  # fmt: skip


async def stats(
    stats_reader: NamedDependency[StatsReader],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
) -> Stats:
    """Assets, fresh, stale, in alarm, the last run, and whether the database answers."""
    principal = principal_of(request)
    return stats_reader.read(
        None if principal.domains is None else partial(asset_scope.sees, principal)
    )


def _view(envelope: Envelope) -> EnvelopeView:
    return EnvelopeView(
        envelope.record_id, envelope.system_id, envelope.asset_id, envelope.domain,
        envelope.protocol, time_text(envelope.occurred_us), time_text(envelope.received_us),
        envelope.values, envelope.quality, envelope.alarm,
    )  # fmt: skip
