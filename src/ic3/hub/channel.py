"""The numbered frames of one scope, kept for a while, and a snapshot for who missed some."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from ic3.clock import Clock
from ic3.domain.alarm_view import AlarmView
from ic3.domain.board import AssetRow
from ic3.domain.runs import Run
from ic3.hub.frames import Encoded, Frame, Ping, Snapshot, encode
from ic3.hub.viewer import Viewer
from ic3.observations import FramesDropped, Observe, SnapshotSent

KEPT_S: Final = 300.0
KEPT_BYTES: Final = 16 << 20
FRAME_LIMIT_BYTES: Final = 2 << 20
RESUMED_LIMIT_BYTES: Final = 1 << 20
SNAPSHOT_LIFE_S: Final = 1.0
SNAPSHOT_PATH: Final = "/api/ui/snapshot"


class Content(NamedTuple):
    """What a snapshot holds."""

    assets: list[AssetRow]
    alarms: list[AlarmView]
    runs: list[Run]


class Made:
    """A snapshot as bytes, shared by all of a scope.

    Attributes:
        made: Monotonic seconds.
        body: The whole of it, however large; `packed` is it with gzip, once somebody made it.
        frame: For a client; says where the body is where that is too large.
    """

    def __init__(self, frame: Encoded, body: bytes, made: float) -> None:
        self.frame = frame
        self.body = body
        self.made = made
        self.packed: bytes | None = None

    @property
    def etag(self) -> bytes:
        """Of the body."""
        return b'"%d-%d"' % (self.frame.epoch, self.frame.seq)


class Kept(NamedTuple):
    """A shared frame and when it was shared, monotonic seconds."""

    at: float
    frame: Encoded


class Channel:
    """One scope.

    Args:
        content: What a snapshot holds now; every shared frame before has been told of.
        clock: Frames are stamped, and kept for five minutes.
        observe: Told of dropped frames and of snapshots.
    """

    def __init__(self, content: Callable[[], Content], *, clock: Clock, observe: Observe) -> None:
        self._content = content
        self._clock = clock
        self._observe = observe
        self.epoch = clock.now_us() // 1000
        self.seq = 0
        self._told_seq = 0
        self._kept: deque[Kept] = deque()
        self._kept_bytes = 0
        self._made: Made | None = None
        self.viewers: set[Viewer] = set()
        self.waiting: set[Viewer] = set()
        self.dropped = self.snapshots = 0

    def renew(self) -> None:
        """Begin a new epoch: indexes mean other assets now, and nothing kept is of use."""
        self.epoch = max(self.epoch + 1, self._clock.now_us() // 1000)
        self._kept.clear()
        self._kept_bytes = 0
        self._made = None

    def share(self, kind: type[Frame], **content: Any) -> None:
        """Number a frame, encode it once, send it to everybody."""
        self.seq += 1
        if kind is not Ping:
            self._told_seq = self.seq
        frame = self.private(kind, **content)
        now = self._clock.monotonic()
        self._keep(Kept(now, frame))
        for viewer in self.viewers:
            self._put(viewer, frame, now)

    def private(self, kind: type[Frame], *, seq: int | None = None, **content: Any) -> Encoded:
        """A frame that is not numbered: true for `seq`, by default the newest."""
        seq = self.seq if seq is None else seq
        return Encoded(kind(seq=seq, t=self._clock.now_us() // 1000, **content), self.epoch)

    def tell(self, viewer: Viewer, frame: Encoded) -> None:
        """Send a frame to one client."""
        self._put(viewer, frame, self._clock.monotonic())

    def knows(self, have: int, epoch: int) -> bool:
        """Whether a client that has this many frames can go on without a snapshot."""
        return epoch == self.epoch and self._covers(have)

    def after(self, have: int) -> list[Encoded]:
        """The shared frames after one that is kept, or is the newest."""
        missing = self.seq - have
        return [kept.frame for kept in list(self._kept)[len(self._kept) - missing :]]

    def resume(self, viewer: Viewer, have: int, epoch: int) -> bool:
        """Send what a client missed; False where it needs a snapshot instead."""
        if not self.knows(have, epoch) or not viewer.has_room:
            return False
        missing = self.after(have)
        if sum(len(each.payload) for each in missing) > RESUMED_LIMIT_BYTES:
            return False
        viewer.start_over(missing)
        self.waiting.discard(viewer)
        return True

    def send_snapshot(self, viewer: Viewer) -> bool:
        """Send a snapshot; False where the client must first take what was written before."""
        if not viewer.has_room:
            viewer.forget()
            viewer.behind_since = viewer.behind_since or self._clock.monotonic()
            self.waiting.add(viewer)
            return False
        viewer.start_over(self.snapshot_frames())
        self.waiting.discard(viewer)
        self.snapshots += 1
        self._observe(SnapshotSent())
        return True

    def snapshot_frames(self) -> list[Encoded]:
        """A snapshot, and what was shared since it was made."""
        frame = self.snapshot().frame
        return [frame, *self.after(frame.seq)]

    def snapshot(self) -> Made:
        """A snapshot that is still true, or true with the frames that are kept since."""
        made = self._made
        if made is None or not self._is_usable(made):
            made = self._made = self._make()
        return made

    def _is_usable(self, made: Made) -> bool:
        young = self._clock.monotonic() - made.made < SNAPSHOT_LIFE_S
        return self._covers(made.frame.seq) and (young or made.frame.seq >= self._told_seq)

    def _make(self) -> Made:
        assets, alarms, runs = self._content()
        t = self._clock.now_us() // 1000
        whole = Snapshot(
            seq=self.seq, t=t, epoch=self.epoch, assets=assets, alarms=alarms, runs=runs
        )
        body = encode(whole)
        if len(body) > FRAME_LIMIT_BYTES:
            whole = msgspec.structs.replace(whole, assets=msgspec.UNSET, url=SNAPSHOT_PATH)
        return Made(Encoded(whole, self.epoch), body, self._clock.monotonic())

    def _covers(self, have: int) -> bool:
        return self.seq - len(self._kept) <= have <= self.seq

    def _keep(self, kept: Kept) -> None:
        self._kept.append(kept)
        self._kept_bytes += len(kept.frame.payload)
        while self._kept and (self._kept_bytes > KEPT_BYTES or kept.at - self._kept[0].at > KEPT_S):
            self._kept_bytes -= len(self._kept.popleft().frame.payload)

    def _put(self, viewer: Viewer, frame: Encoded, now: float) -> None:
        dropped = viewer.put(frame, now)
        if dropped:
            self.dropped += dropped
            self._observe(FramesDropped("overflow", dropped))
        if viewer.is_waiting:
            self.waiting.add(viewer)
