"""`/api/stream`: the frames of `/ws/v1` as server-sent events, for programs and for curl."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from ic3.api.live.admission import Admission
from ic3.api.live.wire import LINGER_S, STREAM_EXTENSION
from ic3.clock import Clock
from ic3.domain.users import Principal
from ic3.errors import ApiError
from ic3.hub.frames import WATCHED_LIMIT
from ic3.hub.live import LiveHub, Point
from ic3.hub.viewer import Viewer, as_event
from ic3.observations import ClientClosed, Observe

HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventWriter:
    """The server's end of a stream; what it yields is taken as fast as the client takes it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._arrived = asyncio.Event()
        self._ended = False

    def write(self, frames: bytes) -> None:
        """Put whole events on the wire, without waiting."""
        self._pending.append(frames)
        self._pending_bytes += len(frames)
        self._arrived.set()

    def buffered(self) -> int:
        """Bytes written that the client has not taken."""
        return self._pending_bytes + self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """End with a comment; a client that does not take it within a second is cut off."""
        self.write(f": {code} {reason}\n\n".encode())
        self._ended = True
        asyncio.get_running_loop().call_later(LINGER_S, self._cut_off)

    async def chunks(self, remaining_s: float) -> AsyncIterator[bytes]:
        """What was written, until it is closed.

        Raises:
            TimeoutError: The time is over.
        """
        ends = asyncio.get_running_loop().time() + remaining_s
        while not self._ended or self._pending:
            async with asyncio.timeout_at(ends):
                await self._arrived.wait()
            self._arrived.clear()
            chunk = b"".join(self._pending)
            self._pending.clear()
            yield chunk
            self._pending_bytes -= len(chunk)

    def _cut_off(self) -> None:
        if self._pending_bytes or self._transport.get_write_buffer_size():
            self._transport.abort()


class Streams:
    """Opens streams of the hub's frames.

    Args:
        hub: Whose frames they are.
        clock: Tokens end.
        observe: Told of streams that end with their login.
        admission: Ends streams of who is no longer admitted.
    """

    def __init__(
        self, *, hub: LiveHub, clock: Clock, observe: Observe, admission: Admission
    ) -> None:
        self._admission = admission
        self._hub = hub
        self._clock = clock
        self._observe = observe

    def open(
        self, writer: EventWriter, principal: Principal, *, point: Point | None, serials: list[str]
    ) -> AsyncIterator[bytes]:
        """Events from now on.

        Raises:
            ApiError: There is no place.
        """
        refusal = self._hub.refusal(principal.username)
        if refusal is not None:
            raise ApiError(503, refusal, "try again later", headers={"Retry-After": "5"})
        return self._events(writer, principal, point, serials)

    async def _events(
        self, writer: EventWriter, principal: Principal, point: Point | None, serials: list[str]
    ) -> AsyncIterator[bytes]:
        viewer = Viewer(writer, principal.username, as_event, principal.domains)
        remaining_s = principal.expires_s - self._clock.now_us() / 1_000_000
        self._hub.join(viewer, role=principal.role, point=point)
        self._hub.watch_serials(viewer, serials)
        try:
            with self._admission.held(principal, writer):
                async for chunk in writer.chunks(max(0.0, remaining_s)):
                    yield chunk
        except TimeoutError:
            self._observe(ClientClosed("the login has ended"))
            yield b": the login has ended\n\n"
        finally:
            self._hub.leave(viewer)


async def stream(
    request: Request[Any, Any, Any], streams: NamedDependency[Streams],
    assets: FromQuery[str] = "",
) -> Stream:  # fmt: skip
    """What `/ws/v1` sends, as server-sent events; `assets` are serial numbers to watch."""
    serials = list(dict.fromkeys(each for each in assets.split(",") if each))
    if len(serials) > WATCHED_LIMIT:
        raise ApiError(400, "too many assets", f"at most {WATCHED_LIMIT} can be watched")
    extensions: dict[str, Any] = request.scope["extensions"] or {}
    writer = EventWriter(extensions[STREAM_EXTENSION])
    events = streams.open(
        writer, request.scope["state"]["principal"],
        point=_point(request.headers.get("last-event-id", "")), serials=serials,
    )  # fmt: skip
    return Stream(events, media_type="text/event-stream", headers=HEADERS)


def _point(last_event_id: str) -> Point | None:
    epoch, _, seq = last_event_id.partition("-")
    try:
        return Point(int(seq), int(epoch))
    except ValueError:
        return None
