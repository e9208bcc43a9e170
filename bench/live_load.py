"""So many clients of `/ws/v1` in one process: raw sockets, and what each frame's arrival was.

Prints one JSON line once all are connected, and one at the end of its input.
"""

import argparse
import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

HEAD = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Authorization: Bearer {token}\r\n\r\n"
)


def connect(port: int, path: str, token: str) -> tuple[socket.socket, bytes]:
    """A socket after its upgrade, and what came behind it."""
    wire = socket.create_connection(("127.0.0.1", port))
    wire.sendall(HEAD.format(path=path, token=token).encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += wire.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert b" 101 " in head, head
    wire.setblocking(False)
    return wire, rest


@dataclass(slots=True)
class Reader:
    """One client: cuts its bytes into frames, answers pings."""

    wire: socket.socket
    rest: bytes
    last: bool = False
    frames: list[bytes] = field(default_factory=list)

    def read(self) -> list[bytes]:
        """Text frames that are whole now."""
        try:
            data = self.wire.recv(1 << 20)
        except BlockingIOError:
            return []
        if not data:
            raise ConnectionError("closed by the server")
        data, self.rest = self.rest + data, b""
        found, at = [], 0
        while (cut := frame_end(data, at)) is not None:
            begin, end = cut
            if data[at] == 0x89:
                payload = data[begin:end]
                self.wire.send(b"\x8a" + bytes([0x80 | len(payload)]) + bytes(4) + payload)
            elif data[at] == 0x81:
                found.append(data[begin:end])
            at = end
        self.rest = data[at:]
        return found


def frame_end(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the payload of a frame begins and ends; None where it is not whole."""
    if len(data) < at + 2:
        return None
    size, begin = data[at + 1], at + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, begin = int.from_bytes(data[begin : begin + width], "big"), begin + width
    return (begin, begin + size) if len(data) >= begin + size else None


class Load:
    """All clients and one of `/ws`, which shows when a sweep was accepted."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.poll = select.epoll()
        self.readers: dict[int, Reader] = {}
        self.stalled: list[socket.socket] = []
        self.accepted = 0.0
        self.first_envelope = -1
        self.delays: dict[str, list[float]] = {"state": [], "run": []}
        self.spread: list[float] = []
        self.frames = self.closed = 0
        stalled = int(options.clients * options.stalled)
        for number in range(options.clients):
            wire, rest = connect(options.port, "/ws/v1", options.token)
            if number < stalled:
                self.stalled.append(wire)
            else:
                self.add(Reader(wire, rest))
            if number % 50 == 0:
                self.step(0)
        wire, rest = connect(options.port, "/ws", options.token)
        self.first_envelope = wire.fileno()
        self.add(Reader(wire, rest))

    def add(self, reader: Reader) -> None:
        self.readers[reader.wire.fileno()] = reader
        self.poll.register(reader.wire, select.EPOLLIN)

    def step(self, timeout_s: float) -> None:
        for descriptor, _ in self.poll.poll(timeout_s):
            reader = self.readers[descriptor]
            try:
                frames = reader.read()
            except OSError:
                self.poll.unregister(descriptor)
                self.closed += 1
                continue
            if descriptor == self.first_envelope:
                # A sweep comes in one piece; the next is at least a second away.
                if frames and time.monotonic() - self.accepted > 1:
                    self.accepted = time.monotonic()
                continue
            now = time.monotonic()
            self.frames += len(frames)
            for frame in frames:
                operation = frame[7 : frame.index(b'"', 7)].decode()
                if operation in self.delays and self.accepted:
                    self.delays[operation].append(1000 * (now - self.accepted))

    def forget(self) -> None:
        """Measure from now on."""
        self.delays = {name: [] for name in self.delays}
        self.accepted = 0.0
        self.frames = 0

    def figures(self) -> dict[str, Any]:
        return {
            "frames": self.frames, "closed": self.closed,
            **{f"{name}_ms": shares(found) for name, found in self.delays.items()},
        }  # fmt: skip


def shares(found: list[float]) -> dict[str, float]:
    """Median, 99th of a hundred, and the greatest."""
    if not found:
        return {"number": 0}
    found.sort()
    return {
        "number": len(found), "p50": round(found[len(found) // 2], 1),
        "p99": round(found[len(found) * 99 // 100], 1), "max": round(found[-1], 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--stalled", type=float, default=0.0)
    parser.add_argument("--warm", type=float, default=3.0)
    load = Load(parser.parse_args())
    warm_until = time.monotonic() + parser.parse_args().warm
    while time.monotonic() < warm_until:
        load.step(0.05)
    load.forget()
    sys.stdout.write(json.dumps({"connected": len(load.readers) - 1}) + "\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        load.step(0.05)
    sys.stdout.write(json.dumps(load.figures()) + "\n")


if __name__ == "__main__":
    main()
