"""The Redis REST gateway in front of the plant, with faults on request and counts of its use."""

import asyncio
import json
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from email.utils import formatdate
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import blake2b
from http.client import responses
from socket import SO_LINGER, SOL_SOCKET
from typing import Literal, NamedTuple, cast
from urllib.parse import parse_qsl, unquote

import msgspec
from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpRequestParser

from ic3.simulator import cmms
from ic3.simulator.clock import SECOND_NS, PlantClock
from ic3.simulator.faults import GATEWAY, KINDS, Event, Planned
from ic3.simulator.plant import COARSE_S, Plant
from ic3.simulator.redis_source import RedisSource

PREFIX = "ic3:latest:"
ONE_MIB = 1 << 20
FaultName = Literal[
    "delay", "status", "truncated", "wrong_key", "wrong_shape", "not_json", "wrong_type",
    "null_value", "too_large", "hang", "reset", "unpipelined",
]  # fmt: skip
Target = Literal["key", "list", "mget"]
TARGETS: dict[str, Target] = {
    "/api/redis/key": "key", "/api/redis/keys": "list", "/api/redis/mget": "mget",
}  # fmt: skip
METHODS: dict[Target, str] = {"key": "GET", "list": "GET", "mget": "POST"}
MOST_PATHS = 100
BEHIND_TICKS = 40  # missed for longer, they are run through without readings
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
    if_none_match: bytes = b""
    target: str = ""


class EndFault(msgspec.Struct, forbid_unknown_fields=True):
    """Which fault of the plant is to end."""

    number: int


class Mget(msgspec.Struct):
    """The body of the batch form."""

    keys: list[str]


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


class PlantGateway:
    """What all connections share: the plant at its present tick, the faults and the counts.

    Args:
        plant: Where the envelopes come from; begun.
        interval_s: Seconds from tick to tick; 0 means only `advance` moves the plant.
        bare_list: Answer the list call with a bare list.
        clock: The plant's.
        source: A Redis to answer from instead of memory.
    """

    def __init__(
        self, plant: Plant, *, interval_s: float = 15.0, bare_list: bool = False,
        clock: PlantClock | None = None, source: RedisSource | None = None,
    ) -> None:  # fmt: skip
        self.plant = plant
        self.interval_s = interval_s
        self.faults: list[Fault] = []
        self.sessions: set[Session] = set()
        self.requests: Counter[str] = Counter()
        self.controlled: Counter[str] = Counter()
        self.connections = self.in_flight = self.max_in_flight = 0
        self._clock = clock or PlantClock()
        self._source = source
        self._started_bare = bare_list
        self._index = {PREFIX + serial: at for at, serial in enumerate(plant.serials)}
        self._ready: dict[str, bytes] = {}
        self._interval_ns = int((interval_s or 15) * SECOND_NS)
        # Ticks count on from the clock, so that a restart repeats no record_id.
        self.tick = self._clock.now_ns() // self._interval_ns
        self.at_ns = self.tick * self._interval_ns if interval_s else self._clock.now_ns()
        self.cmms = cmms.Cmms(plant.tables()["register"])
        self._clear_settings()
        self._show()

    def advance(self) -> None:
        """Move the plant by a tick."""
        self.tick += 1
        self.at_ns = self.tick * self._interval_ns if self.interval_s else self._clock.now_ns()
        self._show()

    async def run_ticks(self, kept: Callable[[], None] = lambda: None) -> None:
        """Move the plant with its clock, for ever; at once done where the interval is 0.

        Args:
            kept: Called after each round of ticks, to keep the plant's state.
        """
        while self.interval_s > 0:
            await asyncio.sleep(self._clock.wait_s((self.tick + 1) * self._interval_ns))
            due = self._clock.now_ns() // self._interval_ns
            if due - self.tick > BEHIND_TICKS:
                self.tick = due - 1
                self.plant.run_to(self.tick * self._interval_ns // SECOND_NS, COARSE_S)
            while self.tick < due:
                self.advance()
            kept()

    def _look_ahead(self) -> None:
        """Which of the plant's faults may hit the gateway before the next tick."""
        from_s = self.at_ns / SECOND_NS
        until_s = from_s + 2 * (self.interval_s or 15) + 60
        self._near = [
            event for event in self.plant.faults.events
            if event.where == GATEWAY and event.ends_s > from_s and event.begins_s < until_s
        ]  # fmt: skip

    def _show(self) -> None:
        """Let what happened since the last tick happen, and read the instruments."""
        step_s = max(0, self.at_ns // SECOND_NS - self.plant.at_s)
        if step_s:
            self.plant.move(step_s)
        self.plant.read(at_ns=self.at_ns, tick=self.tick)
        self._look_ahead()
        self._ready.clear()
        if self._source is not None:
            self._source.publish(self.plant.fresh())

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
        weather = self._weather() if target else None
        if weather is not None:
            return weather
        serial = request.route.argument.removeprefix(PREFIX)
        for fault in self.faults:
            if fault.target == target and (target == "list" or fault.key in ("*", serial)):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self.faults.remove(fault)
                return fault
        return None

    def _weather(self) -> Fault | None:
        """What the plant's own faults make of the gateway now."""
        if not self._near:
            return None
        at_s = self._clock.now_ns() / SECOND_NS
        for event in self._near:
            if not event.active(at_s):
                continue
            if event.kind == "gateway_outage":
                return Fault(fault="status", status=503)
            if event.kind == "gateway_slow":
                return Fault(fault="delay", seconds=min(event.magnitude, 60.0))
        return None

    def answer(self, request: Request) -> bytes:
        """The whole answer to a request, as it is without a fault."""
        path, argument = request.route
        target = TARGETS.get(path)
        if target is not None and request.method != METHODS[target]:
            return _message(405, _json({"error": f"only {METHODS[target]}"}))
        match target:
            case "list":
                return self._list(argument)
            case "key":
                return self._key(argument, request.if_none_match)
            case "mget":
                return self._mget(request.body)
            case None:
                return self._control(request)

    def _control(self, request: Request) -> bytes:
        """Paths beside those of the contract: for tests, and for people who start faults."""
        self.controlled[f"{request.method} {request.route.path[:200]}"] += 1
        if len(self.controlled) > MOST_PATHS:
            self.controlled.popitem()
        handler = self._admin().get((request.method, request.route.path))
        if handler is None:
            return _message(404, _json({"error": "no such path"}))
        try:
            return _message(200, msgspec.json.encode(handler(request.body)))
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
        return "{}" if index is None else self.plant.envelope(index)

    def _value(self, key: str) -> tuple[str, str | None] | None:
        """Type and value of a key."""
        if key in self._settings:
            setting = self._settings[key]
            return setting.type, setting.value
        if self._source is not None:
            return self._source.get(key)
        return ("string", self._envelope(key)) if key in self._index else None

    def _key(self, key: str, if_none_match: bytes) -> bytes:
        tail = self._ready.get(key)
        if tail is None:
            found = self._value(key)
            if found is None:
                return _message(404, _json({"error": "no such key"}))
            kind, value = found
            body = _body(key, value, kind)
            tag = blake2b(body, digest_size=8).hexdigest()
            tail = b'ETag: "%b"\r\nContent-Length: %d\r\n\r\n%b' % (tag.encode(), len(body), body)
            if self._source is None:
                self._ready[key] = tail
        if if_none_match and if_none_match == tail[6:24]:
            return _message(304, b"", headers=f"ETag: {if_none_match.decode()}\r\n")
        return _ok_head(int(time.time())) + tail

    def _mget(self, body: bytes) -> bytes:
        try:
            asked = msgspec.json.decode(body, type=Mget).keys
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return _message(400, _json({"error": str(error)}))
        if self._source is not None:
            values = dict(zip(asked, self._source.mget(asked), strict=True))
        else:
            found = {key: self._value(key) for key in asked}
            values = {key: each[1] if each and each[0] == "string" else None
                      for key, each in found.items()}  # fmt: skip
        return _message(200, _json({"values": values}))

    def _list(self, pattern: str) -> bytes:
        prefix = pattern.removesuffix("*")
        if self._source is not None:
            keys = self._source.keys(pattern)
        elif any(sign in prefix for sign in "*?[") or prefix == pattern:
            keys = [key for key in self._index if fnmatchcase(key, pattern)]
        else:
            keys = [key for key in self._index if key.startswith(prefix)]
        keys += self._extra_keys
        return _message(200, _json(keys if self.bare_list else {"keys": keys}))

    def _admin(self) -> dict[tuple[str, str], Callable[[bytes], object]]:
        return {
            ("GET", "/plant/kinds"): lambda _: list(KINDS.values()),
            ("GET", "/plant/faults"): lambda _: self._events(),
            ("POST", "/plant/faults"): self._start_event,
            ("POST", "/plant/faults/end"): self._end_event,
            ("GET", "/plant/truth"): lambda _: self.plant.truth(),
            ("GET", "/admin/faults"): lambda _: msgspec.to_builtins(self.faults),
            ("POST", "/admin/faults"): self._add_fault,
            ("DELETE", "/admin/faults"): lambda _: self.faults.clear(),
            ("GET", "/admin/seen"): lambda _: self._seen(),
            ("DELETE", "/admin/seen"): lambda _: self._forget(),
            ("POST", "/admin/set"): self._set,
            ("DELETE", "/admin/set"): lambda _: self._clear_settings(),
            ("POST", "/admin/tick"): self._tick,
            ("GET", "/admin/cmms"): lambda _: self.cmms.troubled,
            ("POST", "/admin/cmms"): self._trouble_cmms,
        }

    def _events(self) -> object:
        """What goes on and what is planned, and the plant's time."""
        at_s = self._clock.now_ns() / SECOND_NS
        return {"at_s": at_s, "faults": [e for e in self.plant.faults.events if e.ends_s > at_s]}

    def _start_event(self, body: bytes) -> Event:
        planned = msgspec.json.decode(body, type=Planned)
        event = self.plant.faults.start(planned, from_s=self._clock.now_ns() / SECOND_NS)
        self._look_ahead()
        return event

    def _end_event(self, body: bytes) -> Event:
        number = msgspec.json.decode(body, type=EndFault).number
        return self.plant.faults.end(number, at_s=self._clock.now_ns() / SECOND_NS)

    def _add_fault(self, body: bytes) -> object:
        self.faults.append(msgspec.convert(json.loads(body), Fault))
        return msgspec.to_builtins(self.faults)

    def _trouble_cmms(self, body: bytes) -> object:
        self.cmms.trouble(msgspec.json.decode(body, type=cmms.Troubled))
        return self.cmms.troubled

    def _seen(self) -> object:
        return {
            "requests": dict(self.requests),
            "max_in_flight": self.max_in_flight,
            "connections": self.connections,
            "beside": dict(self.controlled),
        }

    def _forget(self) -> None:
        self.requests.clear()
        self.controlled.clear()
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

    def __init__(self, gateway: PlantGateway) -> None:
        self._gateway = gateway
        self._transport: asyncio.Transport | None = None
        self._parser = HttpRequestParser(self)
        self._url = self._sent_body = self._known = b""
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
        self._url = self._sent_body = self._known = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        if name.lower() == b"if-none-match":
            self._known = value

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
        self._pending.append(
            Request(
                method, route, self._sent_body, parser.should_keep_alive(), self._known,
                self._url.decode("latin-1"),
            )
        )  # fmt: skip
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
            if request.route.path.startswith(cmms.PREFIX):
                self._answer_as_cmms(request)
                continue
            fault = self._gateway.take_fault(request)
            if fault is None:
                self._finish(self._gateway.answer(request))
            else:
                self._misbehave(fault, request)
        self._flush()

    def _answer_as_cmms(self, request: Request) -> None:
        wait_s, content = self._gateway.cmms.answer(request.method, request.target)
        if wait_s:
            self._held = True
            asyncio.get_running_loop().call_later(wait_s, self._release, content)
        else:
            self._finish(content)

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

    def _release(self, answer: bytes | None = None) -> None:
        if self._pending:  # not lost meanwhile
            self._held = False
            self._finish(answer or self._gateway.answer(self._pending[0]))
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
