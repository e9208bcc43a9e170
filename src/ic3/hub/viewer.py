"""One client of the numbered protocol: its bounded queue, and what becomes of a slow one."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ic3.hub.frames import Encoded
from ic3.hub.local import FrameWriter

WRITTEN_LIMIT_BYTES: Final = 256 << 10
QUEUED_LIMIT: Final = 64
QUEUED_LIMIT_BYTES: Final = 1 << 20

Form = Callable[[Encoded], bytes]


def as_message(frame: Encoded) -> bytes:
    """A frame for a WebSocket."""
    return frame.wire


def as_event(frame: Encoded) -> bytes:
    """A frame for a stream of server-sent events."""
    return frame.event


class Viewer:
    """One client. What it does not take is queued; beyond the bound a snapshot will replace it.

    Args:
        writer: The server's end of its wire.
        user: Who it is.
        domains: Whose assets and alarms it sees; None is all.
        form: How frames are written to it.

    Attributes:
        watched: Serial numbers whose values it gets.
        behind_since: When its queue last overflowed; None once its snapshot is on the way.
    """

    def __init__(
        self, writer: FrameWriter, user: str, form: Form = as_message,
        domains: frozenset[str] | None = None,
    ) -> None:  # fmt: skip
        self.writer = writer
        self.user = user
        self.domains = domains
        self._form = form
        self.watched: Sequence[str] = ()
        self.behind_since: float | None = None
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether it takes what is written."""
        return self.writer.buffered() <= WRITTEN_LIMIT_BYTES

    @property
    def is_waiting(self) -> bool:
        """Whether something is kept for it."""
        return bool(self._queue) or self.behind_since is not None

    def put(self, frame: Encoded, now: float) -> int:
        """Send a frame or queue it; how many were dropped because there were too many."""
        if self.behind_since is not None:
            return 0
        data = self._form(frame)
        self.drain()
        if not self._queue and self.has_room:
            self.writer.write(data)
            return 0
        self._queue.append(data)
        self._queued_bytes += len(data)
        if len(self._queue) <= QUEUED_LIMIT and self._queued_bytes <= QUEUED_LIMIT_BYTES:
            return 0
        dropped = len(self._queue)
        self.forget()
        self.behind_since = now
        return dropped

    def forget(self) -> None:
        """Drop what is queued: what is sent next says it all."""
        self._queue.clear()
        self._queued_bytes = 0

    def drain(self) -> None:
        """Write what is queued as far as it is taken."""
        while self._queue and self.has_room:
            data = self._queue.popleft()
            self._queued_bytes -= len(data)
            self.writer.write(data)

    def start_over(self, frames: Sequence[Encoded]) -> None:
        """Write a snapshot, or what was missed, whatever its size; it has taken all before."""
        self.forget()
        self.behind_since = None
        # A snapshot is written as it is: joined, each client would have a copy of its own.
        if frames:
            self.writer.write(self._form(frames[0]))
        if len(frames) > 1:
            self.writer.write(b"".join(map(self._form, frames[1:])))
