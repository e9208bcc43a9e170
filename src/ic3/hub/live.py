"""The hub of the numbered protocol: what the workers know becomes frames, encoded once."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from ic3 import __version__
from ic3.clock import Clock
from ic3.domain.alarm_view import view_of
from ic3.domain.alarms import Alarms, Change
from ic3.domain.board import Board
from ic3.domain.envelope import Envelope, time_text
from ic3.domain.latest import LatestReadings
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.status import AssetState, Feed
from ic3.domain.users import Role, shows_alarm
from ic3.hub.channel import Channel, Content, Made
from ic3.hub.frames import (
    PROTOCOL,
    AlarmFrame,
    AssetFrame,
    Encoded,
    Hello,
    Ping,
    RunFrame,
    StateFrame,
)
from ic3.hub.local import GOING_AWAY, STALLED_LIMIT_S, TRY_AGAIN_LATER
from ic3.hub.places import Places
from ic3.hub.viewer import Viewer
from ic3.observations import ClientClosed, Observe, Resynced

CHANNELS_LIMIT: Final = 64
TICK_S: Final = 0.25
PING_S: Final = 5.0
RENEWED_S: Final = 1.0
EVERYTHING: Final = "all"

Domains = frozenset[str] | None


class Greeting(NamedTuple):
    """What `hello` says of the server."""

    build: str
    poll_s: float
    tz: str
    simulated: bool


class Counted(NamedTuple):
    """What channels that are gone had dropped and sent."""

    dropped: int
    snapshots: int


class Point(NamedTuple):
    """What a client has: all shared frames up to one, of an epoch."""

    have: int
    epoch: int


class LiveHub:
    """Tells every browser what changed; values only to those that watch the asset.

    There is a channel for each scope of domains that somebody has; an index is that of the whole
    list in all of them.

    Args:
        board: The assets and their state bytes.
        alarms: Every open alarm.
        runs: The last runs.
        places: How many clients there may be, shared with `/ws`.
        greeting: What `hello` says.
        clock: Frames are stamped; state frames come at most four times a second.
        observe: Told of what was dropped, resumed and closed.
        domain_of: Serial number to domain, for clients with a scope.
    """

    def __init__(
        self, *, board: Board, alarms: Alarms, runs: RecentRuns, places: Places,
        greeting: Greeting, clock: Clock, observe: Observe,
        domain_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._domain_of = domain_of
        self._board = board
        self._alarms = alarms
        self._runs = runs
        self._places = places
        self._greeting = greeting
        self._clock = clock
        self._observe = observe
        self._channels: dict[Domains, Channel] = {}
        self._gone = Counted(0, 0)
        self._channel_of(None)
        self.resyncs = 0
        self._watchers: dict[str, set[Viewer]] = {}
        now = clock.monotonic()
        self._flushed, self._pinged, self._renewed = now - TICK_S, now, now - RENEWED_S
        board.renew()
        alarms.listen(self._alarm_changed)

    @property
    def clients(self) -> int:
        """Clients at present."""
        return sum(len(each.viewers) for each in self._channels.values())

    @property
    def slow(self) -> int:
        """Clients that do not take what is sent to them."""
        return sum(len(each.waiting) for each in self._channels.values())

    @property
    def dropped(self) -> int:
        """Frames dropped for slow clients."""
        return self._gone.dropped + sum(each.dropped for each in self._channels.values())

    @property
    def snapshots(self) -> int:
        """Snapshots sent."""
        return self._gone.snapshots + sum(each.snapshots for each in self._channels.values())

    def refusal(self, user: str) -> str | None:
        """Why this user cannot have another client now, or None."""
        return self._places.refusal(user)

    def join(self, viewer: Viewer, *, role: Role, point: Point | None = None) -> None:
        """Greet a client; send what it missed since `point`, or a snapshot."""
        channel = self._channel_of(viewer.domains)
        self._renew_if_due()
        resumed = point is not None and channel.knows(point.have, point.epoch)
        greeting = self._greeting
        hello = channel.private(
            Hello, seq=point.have if point and resumed else None, proto=PROTOCOL,
            version=__version__, build=greeting.build, poll_s=greeting.poll_s, tz=greeting.tz,
            plant="simulated" if greeting.simulated else "real", role=role,
            scope=EVERYTHING if viewer.domains is None else ",".join(sorted(viewer.domains)),
            epoch=channel.epoch, alarms_evaluated_at=self._evaluated_at(),
        )  # fmt: skip
        channel.viewers.add(viewer)
        self._places.take(viewer.user)
        channel.tell(viewer, hello)
        if point is None:
            channel.send_snapshot(viewer)
        else:
            self.resync(viewer, point)

    def leave(self, viewer: Viewer) -> None:
        """Forget a client that is gone."""
        channel = self._channels.get(viewer.domains)
        if channel is not None and viewer in channel.viewers:
            channel.viewers.discard(viewer)
            channel.waiting.discard(viewer)
            self._places.give_back(viewer.user)
            self._unwatch(viewer)

    def resync(self, viewer: Viewer, point: Point) -> None:
        """Send the shared frames that a client misses, or a snapshot where they are not kept."""
        channel = self._channel_of(viewer.domains)
        resumed = channel.resume(viewer, point.have, point.epoch)
        self.resyncs += 1
        self._observe(Resynced("resumed" if resumed else "snapshot"))
        if resumed or channel.send_snapshot(viewer):
            self._tell_watched(viewer)

    def watch(self, viewer: Viewer, indexes: Iterable[int]) -> None:
        """Send the values of these assets from now on; unknown ones are left out."""
        self.watch_serials(viewer, self._board.serials_at(indexes))

    def watch_serials(self, viewer: Viewer, serials: Iterable[str]) -> None:
        """The same, by serial number."""
        self._unwatch(viewer)
        viewer.watched = tuple(each for each in serials if self._sees(viewer.domains, each))
        for serial in viewer.watched:
            self._watchers.setdefault(serial, set()).add(viewer)
        self._tell_watched(viewer)

    def swept(self, envelopes: Iterable[Envelope]) -> None:
        """Tell what a sweep brought, once it is durable and the feed has taken it."""
        self.flush()
        if not self._watchers:
            return
        for envelope in envelopes:
            watchers = self._watchers.get(envelope.asset_id)
            news = self._board.newest(envelope.asset_id) if watchers else None
            # A late record moves nothing.
            if watchers and news is not None and news.received_us == envelope.received_us:
                self._tell_values(watchers, envelope.asset_id, news, with_limits=False)

    def flush(self) -> None:
        """Tell the states that have moved, unless that was done a moment ago: then soon."""
        now = self._clock.monotonic()
        if now - self._flushed < TICK_S:
            return
        self._renew_if_due()
        if moved := self._board.moved():
            self._flushed = now
            for domains, channel in self._channels.items():
                seen = [each for each in moved if self._sees_index(domains, each[0])]
                if seen:
                    channel.share(StateFrame, s=seen)

    def run_ended(self, run: Run, phases: Mapping[str, float]) -> None:
        """Tell of a run that has just been added to the last runs."""
        for channel in self._channels.values():
            channel.share(RunFrame, run=run, phases=dict(phases))

    def start_over(self) -> None:
        """Send everybody a snapshot: runs or alarms have changed without a frame that says so."""
        self._board.renew()
        self._board.moved()
        self._renewed = self._clock.monotonic()
        for channel in self._channels.values():
            channel.renew()
            for viewer in channel.viewers:
                if channel.send_snapshot(viewer):
                    self._tell_watched(viewer)

    def snapshot(self, domains: Domains = None) -> Made:
        """What there is to know, as bytes shared by all of a scope."""
        self._renew_if_due()
        return self._channel_of(domains).snapshot()

    def tick(self) -> None:
        """Send what is due; let slow clients catch up, close those that stalled for too long."""
        self.flush()
        now = self._clock.monotonic()
        if now - self._pinged >= PING_S:
            self._pinged = now
            self._ping()
        for channel in self._channels.values():
            for viewer in list(channel.waiting):
                self._catch_up(channel, viewer, now)

    async def run(self) -> None:
        """Tick four times a second until cancelled, then tell every client of the stop."""
        try:
            while True:
                await asyncio.sleep(TICK_S)
                self.tick()
        finally:
            self._places.closing = True
            for channel in self._channels.values():
                for viewer in list(channel.viewers):
                    self.leave(viewer)
                    viewer.writer.close(GOING_AWAY, "the server is stopping")

    def _renew_if_due(self) -> None:
        """Begin a new epoch where the list of assets is another; at most once a second."""
        if self._clock.monotonic() - self._renewed < RENEWED_S:
            return
        # Another register may have moved an asset to another domain.
        moved = len(self._channels) > 1 and not self._board.is_of_this_register
        if self._board.renew() or moved:
            self.start_over()

    def _channel_of(self, domains: Domains) -> Channel:
        """The channel of a scope; beyond a bound those that nobody uses are forgotten."""
        channel = self._channels.get(domains)
        if channel is None:
            if len(self._channels) >= CHANNELS_LIMIT:
                self._forget_unused()
            content = partial(self._content, domains)
            channel = Channel(content, clock=self._clock, observe=self._observe)
            self._channels[domains] = channel
        return channel

    def _forget_unused(self) -> None:
        unused = [key for key, each in self._channels.items() if key and not each.viewers]
        for key in unused:
            gone = self._channels.pop(key)
            self._gone = Counted(
                self._gone.dropped + gone.dropped, self._gone.snapshots + gone.snapshots
            )

    def _sees(self, domains: Domains, serial: str) -> bool:
        return domains is None or self._domain_of(serial) in domains

    def _sees_index(self, domains: Domains, index: int) -> bool:
        return domains is None or any(
            self._sees(domains, serial) for serial in self._board.serials_at([index])
        )

    def _ping(self) -> None:
        last = self._runs.progress().latest
        for channel in self._channels.values():
            channel.share(
                Ping, last_run_at=None if last is None else time_text(_us(last)),
                alarms_evaluated_at=self._evaluated_at(),
            )  # fmt: skip

    def _evaluated_at(self) -> str | None:
        evaluated_us = self._alarms.evaluated_us
        return None if evaluated_us is None else time_text(evaluated_us)

    def _catch_up(self, channel: Channel, viewer: Viewer, now: float) -> None:
        viewer.drain()
        if viewer.behind_since is not None:
            if viewer.has_room:
                channel.send_snapshot(viewer)
                self._tell_watched(viewer)
            elif now - viewer.behind_since > STALLED_LIMIT_S:
                self._observe(ClientClosed("stalled"))
                self.leave(viewer)
                viewer.writer.close(TRY_AGAIN_LATER, "too slow; connect again")
        if not viewer.is_waiting:
            channel.waiting.discard(viewer)

    def _alarm_changed(self, change: Change) -> None:
        if change.alarm.source_kind == "asset":
            self._board.touch(change.alarm.source)
        for domains, channel in self._channels.items():
            if shows_alarm(domains, change.alarm.source_kind, change.alarm.domain):
                channel.share(
                    AlarmFrame, what=change.what, alarm=view_of(change.alarm), who=change.who,
                    note=change.note,
                )  # fmt: skip

    def _content(self, domains: Domains) -> Content:
        alarms = [
            view_of(each) for each in self._alarms.open
            if shows_alarm(domains, each.source_kind, each.domain)
        ]  # fmt: skip
        rows = self._board.rows()
        if domains is not None:
            rows = [each for each in rows if self._sees(domains, each.serial)]
        return Content(rows, alarms, self._runs.progress().runs)

    def _tell_watched(self, viewer: Viewer) -> None:
        for serial in viewer.watched:
            news = self._board.news_of(serial)
            if news is not None:
                self._tell_values([viewer], serial, news, with_limits=True)

    def _tell_values(
        self, viewers: Iterable[Viewer], serial: str, news: AssetState, *, with_limits: bool
    ) -> None:
        index = self._board.index_of(serial)
        if index is None:
            return
        content: dict[str, Any] = {
            "i": index, "received_at": time_text(news.received_us), "quality": news.quality,
            "occurred_at": time_text(news.occurred_us) if news.occurred_us else None,
            "alarm": news.alarm, "values": news.values,
            "limits": self._board.limits_of(serial) if with_limits else UNSET,
        }  # fmt: skip
        made: dict[Domains, Encoded] = {}
        for viewer in viewers:
            # Watched while it was theirs: an asset may have moved to another domain since.
            if not self._sees(viewer.domains, serial):
                continue
            channel = self._channel_of(viewer.domains)
            if viewer.domains not in made:
                made[viewer.domains] = channel.private(AssetFrame, **content)
            channel.tell(viewer, made[viewer.domains])

    def _unwatch(self, viewer: Viewer) -> None:
        for serial in viewer.watched:
            watchers = self._watchers[serial]
            watchers.discard(viewer)
            if not watchers:
                del self._watchers[serial]
        viewer.watched = ()


def unheard(*, feed: Feed, latest: LatestReadings, runs: RecentRuns, clock: Clock) -> LiveHub:
    """A hub that nobody can join, for a single round of the workers."""
    alarms = Alarms()
    return LiveHub(
        board=Board(feed=feed, latest=latest, alarms=alarms), alarms=alarms, runs=runs,
        places=Places(max_clients=0, max_per_user=0),
        greeting=Greeting("", 0, "UTC", simulated=False), clock=clock, observe=lambda _: None,
    )  # fmt: skip


def _us(run: Run) -> int:
    return int(run.run_at.timestamp()) * 1_000_000 + run.run_at.microsecond
