"""A wire on loopback that delays, drips, cuts, corrupts, falls silent or resets, as it is told."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Self

# SO_LINGER for no time at all: closing sends RST instead of FIN.
RESET = struct.pack("ii", 1, 0)


class End(Enum):
    """What becomes of a connection at the byte where it is cut."""

    CLOSE = auto()
    RESET = auto()
    HALF_CLOSE = auto()  # no more in this direction, the other one goes on
    BLACK_HOLE = auto()  # nothing is passed on in either direction and nothing is closed


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the bytes of one direction.

    Attributes:
        delay_s: Each portion waits so long.
        drip_s: Single bytes, so far apart.
        cut_at: So many bytes pass; then `end` happens.
        after: The portion with these bytes still passes; then `end` happens to both directions.
        corrupt_at: All bits of this byte are turned over.
    """

    delay_s: float = 0.0
    drip_s: float | None = None
    cut_at: int | None = None
    after: bytes | None = None
    end: End = End.CLOSE
    corrupt_at: int | None = None


CLEAR = Fault()


@dataclass(slots=True)
class _Lane:
    """One direction of one connection.

    Attributes:
        passed: Bytes since the fault was set.
        doomed: It has been struck; it stays so whatever is set afterwards.
    """

    fault: Fault
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    passed: int = 0
    doomed: bool = False

    def doom(self, end: End) -> None:
        """Let nothing more pass."""
        self.fault, self.doomed = Fault(cut_at=0, end=end), True


class FaultProxy:
    """Stands before a server; `up` is what goes to it, `down` what comes from it.

    Args:
        target: The path of a Unix socket, or host and port.
    """

    def __init__(self, target: Path | tuple[str, int]) -> None:
        self._target = target
        self._up = self._down = CLEAR
        self._pairs: list[tuple[_Lane, _Lane]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.refusing = False
        self.connections = 0
        self.struck = asyncio.Event()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut_all()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def set(self, *, up: Fault = CLEAR, down: Fault = CLEAR) -> None:
        """From now on, on every connection that has not been struck; bytes count from here."""
        self._up, self._down = up, down
        self.struck.clear()
        for pair in self._pairs:
            for lane, fault in zip(pair, (up, down), strict=True):
                if not lane.doomed:
                    lane.fault, lane.passed = fault, 0

    def cut_all(self, end: End = End.RESET) -> None:
        """End every connection that is open."""
        for pair in list(self._pairs):
            self._end(pair, pair[0], end)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._join(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pair: tuple[_Lane, _Lane] | None = None
        try:
            if self.refusing:
                _reset(writer)
                return
            far_reader, far_writer = await (
                asyncio.open_unix_connection(self._target)
                if isinstance(self._target, Path) else asyncio.open_connection(*self._target)
            )  # fmt: skip
            pair = _Lane(self._up, reader, far_writer), _Lane(self._down, far_reader, writer)
            self._pairs.append(pair)
            await asyncio.gather(self._pass(pair, pair[0]), self._pass(pair, pair[1]))
        except OSError:
            pass
        finally:
            if pair is not None:
                self._pairs.remove(pair)
                for lane in pair:
                    lane.writer.close()
            writer.close()

    async def _pass(self, pair: tuple[_Lane, _Lane], lane: _Lane) -> None:
        with suppress(OSError):
            while portion := await lane.reader.read(65536):
                await self._send(pair, lane, portion)
            _half_close(lane.writer)

    async def _send(self, pair: tuple[_Lane, _Lane], lane: _Lane, portion: bytes) -> None:
        """Pass a portion on as the fault of its lane has it."""
        await asyncio.sleep(lane.fault.delay_s)
        # Read after the wait: it may have been set meanwhile.
        fault, begin = lane.fault, lane.passed
        lane.passed += len(portion)
        if fault.corrupt_at is not None and 0 <= fault.corrupt_at - begin < len(portion):
            at = fault.corrupt_at - begin
            portion = portion[:at] + bytes([portion[at] ^ 0xFF]) + portion[at + 1 :]
        last = False
        if fault.cut_at is not None and lane.passed >= fault.cut_at:
            portion, last = portion[: max(0, fault.cut_at - begin)], True
        if fault.after is not None and fault.after in portion:
            last = True
            other = pair[1] if lane is pair[0] else pair[0]
            other.doom(fault.end)
        if fault.drip_s is None:
            lane.writer.write(portion)
            await lane.writer.drain()
        else:
            for byte in portion:
                lane.writer.write(bytes([byte]))
                await asyncio.sleep(fault.drip_s)
        if last:
            self.struck.set()
            if fault.after is None:
                self._end(pair, lane, fault.end)
            await asyncio.Event().wait()

    def _end(self, pair: tuple[_Lane, _Lane], lane: _Lane, end: End) -> None:
        match end:
            case End.CLOSE:
                for each in pair:
                    each.writer.close()
            case End.RESET:
                for each in pair:
                    _reset(each.writer)
            case End.HALF_CLOSE:
                _half_close(lane.writer)
            case End.BLACK_HOLE:
                for each in pair:
                    each.doom(end)


def _half_close(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    if writer.is_closing():
        return  # the number of a socket that is closed may be another's by now
    wire = writer.get_extra_info("socket")
    if wire.family != socket.AF_UNIX:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
