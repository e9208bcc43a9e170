"""A small stand-in for the Redis REST gateway, with faults on request and counts of its use."""

import asyncio
import json
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from email.utils import formatdate
from fnmatch import fnmatchcase
from functools import lru_cache
from http.client import responses
from socket import SO_LINGER, SOL_SOCKET
from typing import Literal, NamedTuple, cast
from urllib.parse import parse_qsl, unquote

import msgspec
from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from ic3.simulator.plant import DemoPlant

PREFIX = "ic3:latest:"
ONE_MIB = 1 << 20
FaultName = Literal[
    "delay", "status", "truncated", "wrong_key", "wrong_shape", "not_json", "wrong_type",
    "null_value", "too_large", "hang", "reset", "unpipelined",
]  # fmt: skip
Target = Literal["key", "list"]
TARGETS: dict[str, Target] = {"/api/redis/key": "key", "/api/redis/keys": "list"}
OF_A_KEY = ("wrong_key", "wrong_type", "null_value")


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A fault to play; without `count` it stays until it is cleared.

    `silent` is for `unpipelined`: close without having announced it in a header.
    """

    fault: FaultName
    key: str = "*"
    target: Target = "key"
    count: int | None = None
    seconds: float = 1.0
    status: int = 500
    size_bytes: int = ONE_MIB + 1
    silent: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        if self.target == "list" and self.fault in OF_A_KEY:
            raise ValueError(f"{self.fault} is a fault of a key, not of the list")
        if self.count is not None and self.count < 1:
            raise ValueError("count is at least 1")


class Setting(msgspec.Struct, forbid_unknown_fields=True):
    """What a key answers instead of its envelope, what the list has besides, and its shape."""

    key: str | None = None
    value: str | None = None
    type: str = "string"
    keys: list[str] = []
    bare_list: bool | None = None


class Route(NamedTuple):
    """The decoded target of a request: its path, and the key or the pattern asked for."""

    path: str
    argument: str


class Request(NamedTuple):
    """A request as parsed."""

    method: str
    route: Route
    body: bytes
    keep_alive: bool


@lru_cache(maxsize=1 << 18)
def _route(url: bytes) -> Route:
    path, _, query = url.decode("utf-8", "replace").partition("?")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    name, default = ("pattern", "*") if TARGETS.get(path) == "list" else ("k", "")
    return Route(unquote(path), asked.get(name, default))


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _message(
    status: int, body: bytes, *, headers: str = "", media_type: str = "application/json"
) -> bytes:
    return (
        f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n{headers}"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class DemoGateway:
    """What all connections share: the plant at its present tick, the faults and the counts.

    Args:
        plant: Where the envelopes come from.
        interval_s: Seconds from tick to tick; 0 means only `advance` moves the plant.
        bare_list: Answer the list call with a bare list.
    """

    def __init__(
        self, plant: DemoPlant, *, interval_s: float = 15.0, bare_list: bool = False
    ) -> None:
        self.plant = plant
        self.interval_s = interval_s
        self.faults: list[Fault] = []
        self.sessions: set[Session] = set()
        self.requests: Counter[str] = Counter()
        self.connections = self.in_flight = self.max_in_flight = 0
        self._started_bare = bare_list
        self._index = {PREFIX + serial: at for at, serial in enumerate(plant.serials)}
        self._ready: dict[str, bytes] = {}
        self.at_ns = time.time_ns()
        # Ticks count on from the clock, so that a restart repeats no record_id.
        self.tick = int(self.at_ns / 1e9 / (interval_s or 15))
        self._clear_settings()

    def advance(self) -> None:
        """Move the plant by a tick."""
        self.tick += 1
        self.at_ns = time.time_ns()
        self._ready.clear()

    async def run_ticks(self) -> None:
        """Move the plant every `interval_s`, for ever; at once done where that is 0."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self.interval_s > 0:
            due = max(due + self.interval_s, loop.time())
            await asyncio.sleep(due - loop.time())
            self.advance()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Open the port; `port` 0 takes a free one. `close` ends it and its connections."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Session(self), host, port)

    def close(self, server: asyncio.Server) -> None:
        """Close the port and every connection."""
        server.close()
        for session in list(self.sessions):
            session.abort()

    def take_fault(self, request: Request) -> Fault | None:
        """The first fault that applies to a request; counts it down."""
        target = TARGETS.get(request.route.path)
        serial = request.route.argument.removeprefix(PREFIX)
        for fault in self.faults:
            if fault.target == target and (target == "list" or fault.key in ("*", serial)):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self.faults.remove(fault)
                return fault
        return None

    def answer(self, request: Request) -> bytes:
        """The whole answer to a request, as it is without a fault."""
        method, (path, argument), body, _ = request
        if path in TARGETS:
            if method != "GET":
                return _message(405, _json({"error": "only GET"}))
            return self._list(argument) if TARGETS[path] == "list" else self._key(argument)
        handler = self._admin().get((method, path))
        if handler is None:
            return _message(404, _json({"error": "no such path"}))
        try:
            return _message(200, _json(handler(body)))
        except (ValueError, msgspec.MsgspecError) as error:
            return _message(400, _json({"error": str(error)}))

    def faulty_answer(self, fault: Fault, request: Request) -> bytes:
        """The whole answer to a request under a fault that changes no more than the answer."""
        key, listed = request.route.argument, fault.target == "list"
        match fault.fault:
            case "status":
                headers = "Location: /elsewhere\r\n" if 300 <= fault.status < 400 else ""
                body = b"" if fault.status in (204, 304) else _json({"error": "as asked for"})
                return _message(fault.status, body, headers=headers)
            case "not_json":
                page = b"<!doctype html><title>Gateway</title><p>Please log in."
                return _message(200, page, media_type="text/html")
            case "wrong_shape":
                body = _json({"keys": "none"} if listed else ["not", "an", "object"])
            case "too_large":
                long = "x" * fault.size_bytes
                body = _json({"keys": [long]}) if listed else _body(key, long)
            case "wrong_key":
                body = _body(PREFIX + "Somewhere else_SV_0", self._envelope(key))
            case "wrong_type":
                body = _body(key, self._envelope(key), "list")
            case "null_value":
                body = _body(key, None)
            case _:
                return self.answer(request)
        return _message(200, body)

    def _envelope(self, key: str) -> str:
        index = self._index.get(key)
        return "{}" if index is None else self.plant.envelope(index, self.tick, self.at_ns).decode()

    def _key(self, key: str) -> bytes:
        tail = self._ready.get(key)
        if tail is None:
            if key in self._settings:
                setting = self._settings[key]
                body = _body(key, setting.value, setting.type)
            elif key in self._index:
                body = _body(key, self._envelope(key))
            else:
                return _message(404, _json({"error": "no such key"}))
            tail = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            self._ready[key] = tail
        return _ok_head(int(time.time())) + tail

    def _list(self, pattern: str) -> bytes:
        prefix = pattern.removesuffix("*")
        if any(sign in prefix for sign in "*?[") or prefix == pattern:
            keys = [key for key in self._index if fnmatchcase(key, pattern)]
        else:
            keys = [key for key in self._index if key.startswith(prefix)]
        keys += self._extra_keys
        return _message(200, _json(keys if self.bare_list else {"keys": keys}))

    def _admin(self) -> dict[tuple[str, str], Callable[[bytes], object]]:
        return {
            ("GET", "/admin/faults"): lambda _: msgspec.to_builtins(self.faults),
            ("POST", "/admin/faults"): self._add_fault,
            ("DELETE", "/admin/faults"): lambda _: self.faults.clear(),
            ("GET", "/admin/seen"): lambda _: self._seen(),
            ("DELETE", "/admin/seen"): lambda _: self._forget(),
            ("POST", "/admin/set"): self._set,
            ("DELETE", "/admin/set"): lambda _: self._clear_settings(),
            ("POST", "/admin/tick"): self._tick,
        }

    def _add_fault(self, body: bytes) -> object:
        self.faults.append(msgspec.convert(json.loads(body), Fault))
        return msgspec.to_builtins(self.faults)

    def _seen(self) -> object:
        return {
            "requests": dict(self.requests),
            "max_in_flight": self.max_in_flight,
            "connections": self.connections,
        }

    def _forget(self) -> None:
        self.requests.clear()
        self.connections, self.max_in_flight = 0, self.in_flight

    def _set(self, body: bytes) -> None:
        # json, not msgspec, reads it: a lone surrogate is among what tests want answered.
        setting = msgspec.convert(json.loads(body), Setting)
        if setting.key is not None:
            self._settings[PREFIX + setting.key] = setting
        self._extra_keys += setting.keys
        if setting.bare_list is not None:
            self.bare_list = setting.bare_list
        self._ready.clear()

    def _clear_settings(self) -> None:
        self._settings: dict[str, Setting] = {}
        self._extra_keys: list[str] = []
        self.bare_list = self._started_bare
        self._ready.clear()

    def _tick(self, _: bytes) -> object:
        self.advance()
        return {"tick": self.tick, "at_ns": self.at_ns}


def _body(key: str, value: str | None, kind: str = "string") -> bytes:
    return _json({"key": key, "type": kind, "value": value})


@lru_cache(maxsize=2)
def _ok_head(second: int) -> bytes:
    date = formatdate(second, usegmt=True)
    return f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n".encode()


class Session(asyncio.Protocol):
    """One connection: requests in, answers out in the same order, one write per chunk read."""

    def __init__(self, gateway: DemoGateway) -> None:
        self._gateway = gateway
        self._transport: asyncio.Transport | None = None
        self._parser = HttpRequestParser(self)
        self._url = self._sent_body = b""
        self._pending: deque[Request] = deque()
        self._out: list[bytes] = []
        self._held = False  # nothing more is answered: a fault has the next word
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._gateway.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._held = True
        self._gateway.sessions.discard(self)
        self._gateway.in_flight -= sum(r.route.path in TARGETS for r in self._pending)
        self._pending.clear()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserCallbackError, HttpParserUpgrade) as error:
            self._answer_pending()
            if not self._held:
                self._out.append(_message(400, _json({"error": str(error)})))
                self._end()
            return
        self._answer_pending()

    def on_message_begin(self) -> None:
        """See httptools."""
        self._url = self._sent_body = b""

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._sent_body += body

    def on_message_complete(self) -> None:
        """See httptools."""
        parser, gateway = self._parser, self._gateway
        method, route = parser.get_method().decode(), _route(self._url)
        self._pending.append(Request(method, route, self._sent_body, parser.should_keep_alive()))
        if route.path not in TARGETS:
            return
        gateway.connections += not self._counted
        self._counted = True
        gateway.requests[f"{method} {route.path}"] += 1
        gateway.in_flight += 1
        gateway.max_in_flight = max(gateway.max_in_flight, gateway.in_flight)

    def abort(self) -> None:
        """Cut the connection with a reset."""
        if self._transport is None or self._transport.is_closing():
            return
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _answer_pending(self) -> None:
        while self._pending and not self._held:
            request = self._pending[0]
            fault = self._gateway.take_fault(request) if self._gateway.faults else None
            if fault is None:
                self._finish(self._gateway.answer(request))
            else:
                self._misbehave(fault, request)
        self._flush()

    def _misbehave(self, fault: Fault, request: Request) -> None:
        loop = asyncio.get_running_loop()
        match fault.fault:
            case "hang":
                self._held = True
            case "delay":
                self._held = True
                loop.call_later(fault.seconds, self._release)
            case "reset":
                self._held = True
                # uvloop writes at the end of a turn of the loop: earlier answers go first.
                loop.call_later(0.001, self.abort)
            case "truncated":
                whole = self._gateway.answer(request)
                body_bytes = len(whole) - whole.index(b"\r\n\r\n") - 4
                self._finish(whole[: len(whole) - body_bytes // 2])
                self._end()
            case "unpipelined":
                whole = self._gateway.answer(request)
                if not fault.silent:
                    whole = whole.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                self._finish(whole)
                self._end()
            case _:
                self._finish(self._gateway.faulty_answer(fault, request))

    def _release(self) -> None:
        if self._pending:  # not lost meanwhile
            self._held = False
            self._finish(self._gateway.answer(self._pending[0]))
            self._answer_pending()

    def _finish(self, answer: bytes) -> None:
        request = self._pending.popleft()
        self._gateway.in_flight -= request.route.path in TARGETS
        self._out.append(answer)
        if not request.keep_alive:
            self._end()

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def _end(self) -> None:
        self._held = True
        self._flush()
        if self._transport is not None:
            self._transport.close()
