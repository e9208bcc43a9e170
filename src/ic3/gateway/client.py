"""The Redis REST gateway's client: the key list, one key, or all keys of a sweep."""

import asyncio
import ipaddress
import random
import socket
import ssl
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from ic3.clock import Clock
from ic3.errors import SettingsError
from ic3.gateway.batches import Batches
from ic3.gateway.breaker import Breaker
from ic3.gateway.connection import (
    REFUSED_TEXT,
    RESTING,
    Blame,
    Connection,
    Fault,
    Receive,
)
from ic3.gateway.errors import (
    AnswerError,
    BadHTTP,
    BadStatus,
    ContentError,
    CutOff,
    Deferred,
    NotJSON,
    NullValue,
    Refused,
    Reset,
    Timeout,
    TLSFailed,
    TooLarge,
    Truncated,
    WrongShape,
    WrongType,
)
from ic3.gateway.pace import RETRIES, Budget, Pace, in_flight_needed
from ic3.observations import CapTooLow, Observe, UpstreamAsked

MOST_CONNECTIONS = 20
NEAR_CONNECTIONS = 2  # pipelined, where CPU is the limit: fewest and fullest reads and writes
FAR_ANSWER_S = 0.005  # slower than this, latency is the limit: all connections
PROBE_DEPTH = 4
PROBE_ANSWERS = 1 + 2 * PROBE_DEPTH
PROBE_ALONE_S = 0.25  # so long the other connections wait for the probe of the first
PIPELINING_AGAIN_S = 600.0
UNLUCKY_CONNECTIONS = 5
LIST_ITEMS = 1_000_000  # bounds the memory of a list of tiny items within its byte limit
CACHED_KEYS = 200_000
CACHED_KEY_BYTES = 1 << 10
# Statuses that speak for the gateway, not for the key.
STRAINED = frozenset({429, 502, 503, 504})
COUNTED_STATUSES = STRAINED | {200, 404, 500}
METADATA_V6 = ipaddress.ip_address("fd00:ec2::254")


@dataclass(frozen=True, slots=True)
class KeyList:
    """The answer to the list call.

    Attributes:
        keys: As sent, duplicates kept.
        rejected: How many items were not text.
        server_date: The answer's Date header, None where absent or unreadable.
    """

    keys: list[str]
    rejected: int
    server_date: datetime | None


class RedisRESTClient:
    """Reads the gateway over a few keep-alive connections, pipelined where it answers rightly.

    One call is under way at a time; a second one waits for the first.

    Args:
        base_url: http or https, with an optional path; no userinfo.
        max_in_flight: Requests written and not yet answered, over all connections.
        timeout_s: Total time of one request, from written to complete, and of a connect.
        body_limit_bytes: Cap of one key's answer.
        list_limit_bytes: Cap of the key list.
        mget_path: Path of the gateway's batch form, behind the base; None: one key a request.
        ca_file: Own certificate authority instead of the system's.
        bearer_token: Sent as Authorization.
        interval_s: Between the starts of two sweeps: how long the breaker may wait with a try.
        clock: Tells when pipelining and a gateway left alone may be tried again.
        observe: Told of the breaker, of requests, and of a cap that is too low.

    Raises:
        SettingsError: An argument is not usable.
    """

    def __init__(
        self,
        base_url: str,
        *,
        max_in_flight: int = 20,
        timeout_s: float = 10.0,
        body_limit_bytes: int = 1 << 20,
        list_limit_bytes: int = 64 << 20,
        mget_path: str | None = None,
        ca_file: Path | None = None,
        bearer_token: str | None = None,
        interval_s: float = 15.0,
        clock: Clock | None = None,
        observe: Observe = lambda _: None,
    ) -> None:
        if max_in_flight < 1 or not timeout_s > 0:
            raise SettingsError("gateway: max_in_flight and timeout_s must be above zero")
        self.max_in_flight = max_in_flight
        self.timeout_s = timeout_s
        self.body_limit_bytes = body_limit_bytes
        self.list_limit_bytes = list_limit_bytes
        self._mget_path = mget_path
        self.most_connections = min(MOST_CONNECTIONS, max_in_flight)
        self._address = address = _Address.of(base_url)
        self._tls = _tls_context(ca_file) if address.https else None
        self.path = address.path
        self.request_end = _request_end(address.host_header, bearer_token)
        self.quoted = _Quoted()
        self._clock = clock or Clock()
        self._observe = observe
        self.breaker = Breaker(
            interval_s=interval_s, monotonic=self._clock.monotonic, observe=observe
        )
        self.pace = Pace(max_in_flight)
        self.codes: Counter[tuple[str, str]] = Counter()  # requests not told yet
        self.failing: frozenset[str] = frozenset()  # the few keys that failed in the last sweep
        self._needed_told = 0
        self._turn = asyncio.Lock()
        self._sweep: _Sweep | None = None
        self._connections: set[Connection] = set()
        self.pipelining = False
        self.pipelined_connections = min(NEAR_CONNECTIONS, max_in_flight)
        self._probe_from = float("-inf")
        self.pipelining_abandoned = 0
        self.pipelining_abandoned_why = ""
        self.requests_sent = 0
        self.connections_opened = 0
        self.retries = 0

    @property
    def in_flight(self) -> int:
        """Requests of the sweep under way, written and not yet answered."""
        return self._sweep.in_flight if self._sweep else 0

    @property
    def connections_open(self) -> int:
        """Connections open now, idle ones included."""
        return len(self._connections)

    async def scan_keys(self, pattern: str) -> list[str]:
        """The keys that match, as sent; items that are not text are left out.

        Raises:
            GatewayError: The list could not be read.
        """
        return (await self.list_keys(pattern)).keys

    async def list_keys(self, pattern: str, *, within_s: float | None = None) -> KeyList:
        """The list call, tried again at most twice within the request's time.

        While the breaker is open it is the probe, and then tried once.

        Args:
            pattern: Of the keys.
            within_s: Total time from now, where that is shorter than a request's.

        Raises:
            NotAsked: The gateway is left alone and no probe is due.
            GatewayError: The list could not be read.
        """
        path = f"{self.path}/api/redis/keys?pattern={quote(pattern, safe='')}"
        request = f"GET {path}".encode() + self.request_end
        try:
            async with asyncio.timeout(within_s):
                await self._turn.acquire()
        except TimeoutError:
            raise Timeout(None, "the call before it took too long") from None
        try:
            self.breaker.enter()
            try:
                body, date = await self.whole_answer(
                    request, operation="list", limit_bytes=self.list_limit_bytes,
                    budget=Budget(1), within_s=within_s,
                )  # fmt: skip
            finally:
                self.breaker.leave()
                self._tell()
        finally:
            self._turn.release()
        keys, rejected = _keys_in(body)
        return KeyList(keys, rejected, date)

    async def get_key(self, key: str) -> str:
        """The text of one key's value.

        Raises:
            GatewayError: It could not be read.
        """
        values: dict[str, str] = {}
        failures = await self.read_all(
            [key], values.__setitem__, deadline_s=(1 + RETRIES) * self.timeout_s
        )
        if key in failures:
            raise failures[key]
        return values[key]

    async def mget_all(self, keys: Sequence[str]) -> dict[str, str]:
        """The values by key; keys that failed are absent."""
        values: dict[str, str] = {}
        rounds = 1 + RETRIES + len(keys) / self.max_in_flight
        await self.read_all(keys, values.__setitem__, deadline_s=rounds * self.timeout_s)
        return values

    async def read_all(
        self, keys: Sequence[str], receive: Receive, *, deadline_s: float
    ) -> dict[str, AnswerError]:
        """Read all keys; each value is handed on as it arrives.

        Args:
            keys: Asked for in this order.
            receive: Called with key and value text; must not raise.
            deadline_s: Total time from now, waiting for an earlier call included.

        Returns:
            What failed, by key; while the breaker is open all are deferred.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError:
            return {key: Deferred(key) for key in keys}
        try:
            if not self.breaker.closed:
                return {key: Deferred(key, self.breaker.deferral) for key in keys}
            begun = loop.time()
            failures = await self._read(list(keys), receive, deadline)
            self._judge(len(keys), failures, took_s=loop.time() - begun)
            return failures
        finally:
            self._sweep = None
            self._turn.release()
            self._tell()

    async def _read(
        self, keys: list[str], receive: Receive, deadline: float
    ) -> dict[str, AnswerError]:
        if self._mget_path is not None:
            return await Batches(self, self._mget_path, receive, deadline).read(keys)
        self._sweep = _Sweep(self, keys, receive, deadline, asyncio.get_running_loop())
        return await self._sweep.run()

    def _judge(self, keys: int, failures: dict[str, AnswerError], *, took_s: float) -> None:
        """What the sweep says of the pace, of single keys, and of the cap."""
        limit, read = self.pace.limit, keys - len(failures)
        unfinished = any(
            isinstance(error, CutOff) or error.reason == Deferred.reason
            for error in failures.values()
        )
        self.pace.end_sweep(
            sent=self.requests_sent, read=read, took_s=took_s, unfinished=unfinished
        )
        failed = [key for key, error in failures.items() if not isinstance(error, Deferred)]
        few = len(failed) <= max(10, keys // 100)
        self.failing = frozenset(failed) if few else frozenset()
        if not unfinished:
            self._needed_told = 0
        elif read and self._mget_path is None:
            needed = in_flight_needed(keys=keys, read=read, limit=limit)
            told = self._needed_told
            if needed > self.max_in_flight and not told / 1.5 <= needed <= told * 1.5:
                self._needed_told = needed
                self._observe(CapTooLow(keys, read, limit, needed))

    def note(self, operation: str, error: AnswerError, *, number: int = 1) -> None:
        """Tell breaker, pace and counters of so many requests that failed on the whole."""
        self.codes[operation, _code_of(error)] += number
        self._note_strain(error)
        if isinstance(error, BadStatus):
            self.note_status(error)
        elif isinstance(error, ContentError):
            self.breaker.answered()
        else:
            self.breaker.failed(number)

    def note_status(self, error: BadStatus) -> None:
        """Tell the breaker of a status other than 200."""
        if error.status not in STRAINED:
            self.breaker.answered()
            return
        self.breaker.refused()
        if error.retry_after is not None:
            self.breaker.hold(self._rest_s(error.retry_after))

    def _note_strain(self, error: AnswerError) -> None:
        if _strains(error):
            self.pace.strain(self.requests_sent)

    def _rest_s(self, retry_after: bytes) -> float:
        """Seconds that a Retry-After asks for; 0 where it is not understood."""
        text = retry_after.strip()
        if text.isdigit():
            return float(text[:9])
        found = _http_date(text)
        return (found - self._clock.now()).total_seconds() if found is not None else 0.0

    def _tell(self) -> None:
        codes, self.codes = self.codes, Counter()
        if codes:
            self._observe(UpstreamAsked(codes, self.pace.limit))

    async def whole_answer(
        self,
        request: bytes,
        *,
        operation: str,
        limit_bytes: int,
        budget: Budget,
        within_s: float | None = None,
    ) -> tuple[bytes, datetime | None]:
        """Send one request and read its answer, tried again at most twice within the time of one.

        Args:
            request: Head and body.
            operation: Under which it is counted.
            limit_bytes: Cap of the answer's body.
            budget: Of second and third tries.
            within_s: Total time from now, where that is shorter than a request's.

        Returns:
            The body of an answer with status 200, and its Date header.

        Raises:
            AnswerError: There was none.
        """
        limit_s = self.timeout_s if within_s is None else min(self.timeout_s, within_s)
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._ask_whole(request, operation, limit_bytes, budget)
        except TimeoutError:
            error = Timeout(None, f"no whole answer in {limit_s:g} s")
            self.note(operation, error)
            raise error from None
        self.codes[operation, "200"] += 1
        self.breaker.answered()
        return answer

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in list(self._connections):
            connection.drop()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round

    def opened(self, connection: Connection) -> None:
        """A connection can be used."""
        self._connections.add(connection)
        self.connections_opened += 1

    def gone(self, connection: Connection) -> None:
        """A connection cannot be used any more."""
        self._connections.discard(connection)

    def idle(self) -> Connection | None:
        """A connection that nobody's requests are on, or None."""
        return next((one for one in self._connections if one.turn is None), None)

    async def connect(self) -> Connection:
        """Open a connection.

        Raises:
            Refused: It could not be opened; TLSFailed where TLS is why.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._dial()
        except ssl.SSLError as error:
            why = getattr(error, "verify_message", "") or error.reason or "handshake failed"
            raise TLSFailed(None, why) from None
        except TimeoutError:
            raise Refused(None, f"connecting took over {self.timeout_s:g} s") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name no resolver takes
            raise Refused(None, getattr(error, "strerror", None) or str(error)) from None

    def may_probe(self) -> bool:
        """Whether it is worth trying if the gateway takes pipelined requests."""
        return (
            not self.pipelining
            and self.pace.limit > 1
            and self._clock.monotonic() >= self._probe_from
        )

    def abandon_pipelining(self, why: str) -> None:
        """The gateway did something odd while pipelined: one request at a time for a while."""
        self.pipelining = False
        now = self._clock.monotonic()
        if now >= self._probe_from:  # other connections may find the same a moment later
            self.pipelining_abandoned += 1
            self.pipelining_abandoned_why = why
            self._probe_from = now + PIPELINING_AGAIN_S

    async def _dial(self) -> Connection:
        host, port = self._address.host, self._address.port
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failure = OSError("the name has no address")
        for *_, place in found:
            if _forbidden(str(place[0])):
                failure = OSError("link-local and metadata addresses are never asked")
                continue
            try:
                # the address judged is the address connected to: no second look-up in between
                _, connection = await loop.create_connection(
                    partial(Connection, self),
                    str(place[0]),
                    port,
                    ssl=self._tls,
                    server_hostname=host if self._tls else None,
                )
            except ssl.SSLError:
                raise
            except OSError as error:
                failure = error
            else:
                return connection
        raise failure

    async def _ask_whole(
        self, request: bytes, operation: str, limit_bytes: int, budget: Budget
    ) -> tuple[bytes, datetime | None]:
        tries = 0
        while True:
            connection = self.idle()
            reused = connection is not None and connection.proven
            try:
                connection = connection or await self.connect()
                return await self._ask_over(connection, request, limit_bytes)
            except AnswerError as error:
                if isinstance(error, Reset) and reused:
                    continue  # a stale connection: its like are used up, none is opened stale
                self.note(operation, error)
                if tries == RETRIES or not _worth_another(error):
                    raise
                if not (self.breaker.closed and budget.take()):
                    raise
            tries += 1
            self.retries += 1
            await _pause()

    async def _ask_over(
        self, connection: Connection, request: bytes, limit_bytes: int
    ) -> tuple[bytes, datetime | None]:
        call = _WholeCall(connection)
        connection.carry(call, body_limit_bytes=limit_bytes, delegate=call)
        try:
            self.requests_sent += 1
            connection.ask([""], request)
            return await call.done
        finally:
            if connection.quiet:
                connection.carry(None)
            else:
                connection.drop()


class _WholeCall:
    """One request that is read whole before it is judged: parser delegate and turn."""

    def __init__(self, connection: Connection) -> None:
        self.done: asyncio.Future[tuple[bytes, datetime | None]] = (
            asyncio.get_running_loop().create_future()
        )
        self._connection = connection
        self._date: datetime | None = None
        self._retry_after: bytes | None = None
        self._encoding = b"identity"
        self.on_body = connection.on_body
        self.on_message_begin = connection.on_message_begin

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"date":
            self._date = _http_date(value)
        elif name == b"content-encoding":
            self._encoding = value.lower()
        elif name == b"retry-after":
            self._retry_after = value

    def on_message_complete(self) -> None:
        connection = self._connection
        if connection.is_interim():
            return
        connection.check_status()
        status = connection.parser.get_status_code()
        if self._encoding != b"identity":
            raise Fault(partial(BadHTTP, why="an encoded body, not asked for"))
        connection.asked.popleft()
        body = bytes(connection.body)
        connection.body.clear()
        if status == 200:
            self._end((body, self._date))
        else:
            rest = self._retry_after if status in RESTING else None
            self._end(BadStatus(None, status, rest))

    def answered(self, connection: Connection) -> None:
        connection.counted = len(connection.asked)

    def failed(self, connection: Connection, error: AnswerError) -> None:
        raise AssertionError("a whole answer is judged by who asked for it")

    def lost(self, connection: Connection, blame: Blame | None) -> None:
        self._end(blame(None) if blame else Reset(None))
        connection.drop()

    def crashed(self, connection: Connection, error: BaseException) -> None:
        self._end(error)
        connection.drop()

    def _end(self, result: tuple[bytes, datetime | None] | BaseException) -> None:
        if self.done.done():
            return
        if isinstance(result, BaseException):
            self.done.set_exception(result)
        else:
            self.done.set_result(result)


class _Sweep:
    """One read_all: which keys are where, over which connections, how deep.

    A key is asked first in list order, pipelined if the gateway can. Whatever has to be asked
    again waits for the end and is asked alone on its connection, so that its answer is beyond
    doubt.
    """

    def __init__(
        self,
        client: RedisRESTClient,
        keys: list[str],
        receive: Receive,
        deadline: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.client = client
        self.keys = keys
        self.at = 0  # keys before this have been asked
        self.again: deque[str] = deque()
        self.attempts: dict[str, int] = {}
        self.tried: dict[str, AnswerError] = {}  # how those to be asked again failed
        self.forgiven: set[str] = set()
        self.budget = Budget(len(keys))
        self.doubts = max(10, len(keys) // 10)  # pipelined answers to be asked for once more
        self.failures: dict[str, AnswerError] = {}
        self.receive = receive
        self.deadline = deadline
        self.loop = loop
        self.begun = loop.time()
        self.in_flight = 0
        self.heard = 0  # answers
        self.heard_before = 0  # of them, by the last tick
        self.heard_at = self.begun
        self.refusals = 0  # answers of this reading that speak against the gateway
        self.other_statuses = 0
        self.conns: set[Connection] = set()
        self.waiting: list[Connection] = []
        self.opening = 0
        self.openers: set[asyncio.Task[None]] = set()
        self.unlucky = 0
        self.last_refusal: AnswerError = Refused(None)
        self.refused = 0  # connections, with none opened in between
        self.probing = client.may_probe() and len(keys) > PROBE_ANSWERS
        self.probe: Connection | None = None
        self.probe_sent = 0
        self.probe_at = 0.0
        self.tick_s = min(0.05, client.timeout_s / 10)
        self.tick_at = 0
        self.depth = 1
        self.width = 1
        self._head = f"GET {client.path}/api/redis/key?k=".encode()
        self._between = client.request_end + self._head
        if not self.probing:
            self._shape()

    async def run(self) -> dict[str, AnswerError]:
        """Read until every key is read, failed or out of time."""
        self.done: asyncio.Future[None] = self.loop.create_future()
        timers = [
            self.loop.call_later(self.tick_s, self._tick),
            self.loop.call_at(self.deadline, self._expire),
        ]
        self.ticker = timers[0]
        try:
            async with asyncio.TaskGroup() as self.group:
                try:
                    self._pump()
                    await self.done
                finally:
                    self.ticker.cancel()
                    timers[1].cancel()
                    for opener in self.openers:
                        opener.cancel()
        finally:
            for connection in list(self.conns):
                self._release(connection)
            client = self.client
            client.codes["key", "200"] += self.heard - self.other_statuses
        self._learn()
        return self.failures

    # what connections tell

    def answered(self, connection: Connection) -> None:
        left = self._hear(connection)
        self.unlucky = 0
        if self.probing:
            self._probed(connection)
        # half empty at least, so that a server which flushes each answer does not make us write
        # each request by itself
        if left <= connection.depth >> 1:
            self._refill(connection)
        if self.waiting and (self.again or self.at < len(self.keys)):
            self._pump()

    def failed(self, connection: Connection, error: AnswerError) -> None:
        assert error.key is not None
        # a null value and a wrong type come with the right key; other answers may be a neighbour's
        unsure = connection.piped and not isinstance(error, NullValue | WrongType)
        if isinstance(error, BadStatus):
            self._note_status(error.key, error)
        if _worth_another(error):
            self._retry(error.key, error)
        elif unsure and self.doubts > 0 and self.client.breaker.closed:
            self.doubts -= 1
            self.again.append(error.key)
        else:
            self.failures[error.key] = error
        if not self.client.breaker.closed:
            self._leave()

    def lost(self, connection: Connection, blame: Blame | None) -> None:
        asked = list(connection.asked)
        self._hear(connection)
        self._forget(connection)
        if asked and blame:
            self._reassign(connection, asked, blame(asked[0]))
        elif connection.piped and (blame or connection.closing):
            self._abandon("a pipelined answer closed or broke the connection")
        if blame is None:
            self.unlucky = 0
        if connection is self.probe:
            self.probe = None
        self._pump()

    def crashed(self, connection: Connection, error: BaseException) -> None:
        self._forget(connection)
        if not self.done.done():
            self.done.set_exception(error)

    def _hear(self, connection: Connection) -> int:
        """Count what was answered on a connection; answers how many requests it still owes."""
        left = len(connection.asked)
        number = connection.counted - left
        connection.counted = left
        self.in_flight -= number
        self.heard += number
        if number > self.refusals:
            self.client.breaker.answered(number - self.refusals)
        self.refusals = 0
        return left

    # which key next

    def _refill(self, connection: Connection) -> None:
        room = min(
            connection.depth - len(connection.asked), self.client.pace.limit - self.in_flight
        )
        at = self.at
        if at < len(self.keys) and len(self.conns) > self.width and not connection.asked:
            self._release(connection)
        elif connection.asked and self._fuller_later(connection, room):
            return
        elif at < len(self.keys) and room > 0:
            batch = self.keys[at : at + room]
            self.at = at + len(batch)
            self._ask(connection, batch)
        elif at >= len(self.keys) and self.again and room > 0 and not connection.asked:
            self._ask(connection, [self.again.popleft()])
        elif not connection.asked:
            self.waiting.append(connection)
            self._end_if_done()

    def _fuller_later(self, connection: Connection, room: int) -> bool:
        """Near, CPU is the limit, not the wait: half a window a write costs half the writes."""
        return self.width <= NEAR_CONNECTIONS and 2 * room < connection.depth

    def _ask(self, connection: Connection, batch: list[str]) -> None:
        client = self.client
        self.in_flight += len(batch)
        client.requests_sent += len(batch)
        quoted = self._between.join(map(client.quoted.__getitem__, batch))
        connection.ask(batch, self._head + quoted + client.request_end)

    def _retry(self, key: str, error: AnswerError) -> None:
        tried = self.attempts.get(key, 0)
        if self.client.breaker.closed and tried < RETRIES and self.budget.take():
            self.attempts[key] = tried + 1
            self.tried[key] = error
            self.client.retries += 1
            self.again.append(key)
        else:
            self.failures[key] = error

    def _reassign(self, connection: Connection, asked: list[str], error: AnswerError) -> None:
        """A connection died with requests under way: who is to blame, who is asked again."""
        head, *behind = asked
        stale = isinstance(error, Reset) and connection.proven
        self._note_loss(connection, head, error, stale=stale)
        if not connection.proven and not isinstance(error, Timeout | TooLarge):
            self.unlucky += 1
            self.last_refusal = error
        if connection.piped and stale and connection.fresh:
            self.again.extend(asked)
        elif connection.piped and (self.probing or not isinstance(error, Timeout | TooLarge)):
            self._abandon(str(error))
            self.again.extend(asked)
        else:
            self.again.extend(behind)
            if stale and head not in self.forgiven:
                self.forgiven.add(head)
                self.again.append(head)
            elif _worth_another(error) or (connection.piped and not isinstance(error, Timeout)):
                self._retry(head, error)
            else:
                self.failures[head] = error

    def _note_status(self, key: str, error: BadStatus) -> None:
        """A status other than 200: does it speak for the gateway, or for this key alone?"""
        client = self.client
        client.codes["key", _code_of(error)] += 1
        self.other_statuses += 1
        if error.status in STRAINED:
            self.refusals += 1
            client.note_status(error)
        self._strain(key, error)

    def _note_loss(
        self, connection: Connection, head: str, error: AnswerError, *, stale: bool
    ) -> None:
        """A connection that died with requests under way tells of the gateway, or of us.

        Of us where it was pipelined or had been idle for long: then the same is asked again first.
        """
        client = self.client
        late = isinstance(error, Timeout)
        if stale or (connection.piped and (self.probing or not late)):
            return
        if isinstance(error, ContentError):
            client.codes["key", "200"] += 1
            return
        in_a_row = self._silent() and self._more_to_come() if late else self._tells()
        in_a_row = in_a_row and head not in client.failing
        client.codes["key", _code_of(error)] += 1
        self._strain(head, error)
        client.breaker.failed(in_a_row=in_a_row)

    def _note_refusal(self, error: Refused) -> None:
        client = self.client
        self.refused += 1
        client.codes["key", _code_of(error)] += 1
        client.pace.strain(client.requests_sent)
        client.breaker.failed(in_a_row=self._tells())

    def _strain(self, key: str, error: AnswerError) -> None:
        """One key that fails sweep after sweep, or a second time in this one, is no strain."""
        client = self.client
        if key in client.failing or key in self.attempts or not _strains(error):
            return
        client.pace.strain(client.requests_sent)
        if not self.probing and self.depth * self.width > client.pace.limit:
            self._shape()

    def _tells(self) -> bool:
        """Whether a failure now tells of the gateway: no connection stands that has answered."""
        return self._more_to_come() and not any(each.proven for each in self.conns)

    def _silent(self) -> bool:
        """Whether no request was answered for as long as one may take."""
        limit_s = self.client.timeout_s - 2 * self.tick_s
        return not self.heard or self.loop.time() - self.heard_at >= limit_s

    def _more_to_come(self) -> bool:
        """Once all keys were asked and some answered, what still fails is single keys."""
        return self.at < len(self.keys) or not self.heard

    def _leave(self) -> None:
        """The breaker has opened: what was read is kept, what is under way may end."""
        reason = self.client.breaker.deferral
        failed = {key: self.tried[key] for key in self.again if key in self.tried}
        self.failures.update(failed)
        left = [key for key in [*self.keys[self.at :], *self.again] if key not in failed]
        # As many as connections were tried for: they failed, the others were never asked for.
        tried = 0 if self.conns else self.refused
        for key in left[:tried]:
            self.failures[key] = type(self.last_refusal)(key, self.last_refusal.why)
        for key in left[tried:]:
            self.failures[key] = Deferred(key, reason)
        self.refused = 0
        self._nothing_left()

    def _end_if_done(self) -> None:
        if not (self.in_flight or self.again or self.at < len(self.keys) or self.done.done()):
            self.done.set_result(None)

    def _end(self, kind: type[AnswerError], why: str) -> None:
        """Whatever was not asked fails as this."""
        for key in [*self.keys[self.at :], *self.again]:
            self.failures[key] = kind(key, why)
        self._nothing_left()

    def _nothing_left(self) -> None:
        self.at = len(self.keys)
        self.again.clear()
        self._end_if_done()

    # connections

    def _pump(self) -> None:
        """Give work to the connections that wait for it; open those that are missing."""
        if not self.client.breaker.closed:
            self._leave()
            return
        waiting, self.waiting = self.waiting, []
        for connection in waiting:
            self._refill(connection)
        fresh = len(self.keys) - self.at
        work = -(-fresh // self.depth) + len(self.again)
        width = self.width if fresh else self._widest()
        missing = min(width - len(self.conns), work) - self.opening
        if self.unlucky >= UNLUCKY_CONNECTIONS:
            if not self.conns:
                self._end(type(self.last_refusal), self.last_refusal.why)
            return
        while missing > 0 and (idle := self.client.idle()):
            missing -= 1
            self._adopt(idle)
        for _ in range(missing):
            self.opening += 1
            opener = self.group.create_task(self._open())
            self.openers.add(opener)
            opener.add_done_callback(self.openers.discard)
        self._end_if_done()

    async def _open(self) -> None:
        connection = None
        client = self.client
        while connection is None and self.unlucky < UNLUCKY_CONNECTIONS and client.breaker.closed:
            try:
                connection = await client.connect()
            except Refused as error:
                self.unlucky += 1
                self.last_refusal = error
                self._note_refusal(error)
                if isinstance(error, TLSFailed):
                    self.unlucky = UNLUCKY_CONNECTIONS  # it would fail again
                if self.unlucky < UNLUCKY_CONNECTIONS:
                    await _pause()
        self.opening -= 1
        if connection is not None and connection.turn is None and connection.open:
            self._adopt(connection)
        else:
            self._pump()

    def _adopt(self, connection: Connection) -> None:
        connection.carry(self, self.receive, body_limit_bytes=self.client.body_limit_bytes)
        connection.depth = self.depth
        self.refused = 0
        self.conns.add(connection)
        if self.probing and self.probe is None:
            self.probe = connection
            self.probe_sent = connection.sent
            self.probe_at = self.loop.time()
        self._refill(connection)

    def _release(self, connection: Connection) -> None:
        if connection.quiet:
            self.conns.discard(connection)
            connection.carry(None)
        else:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self.conns.discard(connection)
        if connection in self.waiting:
            self.waiting.remove(connection)
        self.in_flight -= connection.counted
        connection.counted = 0
        connection.drop()

    # how deep

    def _shape(self) -> None:
        """Spread what may be in flight over connections, as the client has learnt."""
        client = self.client
        self.probing = False
        self.width = self._widest()
        self.depth = 1
        if client.pipelining:
            self.width = min(client.pipelined_connections, self.width)
            self.depth = client.pace.limit // self.width
        for connection in self.conns:
            connection.depth = self.depth

    def _widest(self) -> int:
        return min(self.client.most_connections, self.client.pace.limit)

    def _probed(self, connection: Connection) -> None:
        if connection is not self.probe:
            return
        if connection.sent - len(connection.asked) - self.probe_sent >= PROBE_ANSWERS:
            far = self.loop.time() - self.probe_at > 3 * FAR_ANSWER_S
            self.client.pipelining = True
            self._spread(far=far)
        else:
            connection.depth = min(PROBE_DEPTH, self.client.pace.limit)

    def _spread(self, *, far: bool) -> None:
        client = self.client
        client.pipelined_connections = (
            client.most_connections if far else min(NEAR_CONNECTIONS, client.max_in_flight)
        )
        self._shape()
        self._pump()

    def _abandon(self, why: str) -> None:
        self.client.abandon_pipelining(why)
        self._shape()

    def _learn(self) -> None:
        """Judge by the whole sweep how far away the gateway is, for the next one."""
        client = self.client
        read = len(self.keys) - len(self.failures)
        if client.pipelining and read >= 2 * client.pace.limit:
            answer_s = client.pace.limit * (self.loop.time() - self.begun) / read
            if answer_s < FAR_ANSWER_S / 2:
                client.pipelined_connections = min(NEAR_CONNECTIONS, client.max_in_flight)
            elif answer_s > FAR_ANSWER_S:
                client.pipelined_connections = client.most_connections

    # time

    def _tick(self) -> None:
        now = self.loop.time()
        self.ticker = self.loop.call_later(self.tick_s, self._tick)
        if self.heard != self.heard_before:
            self.heard_before = self.heard
            self.heard_at = now
        for connection in list(self.conns):
            probing = self.probing and connection is self.probe and connection.piped
            # a gateway that drops what is pipelined hangs: found out before the sweep is lost
            limit_s = self.client.timeout_s / (4 if probing else 1)
            if connection.turn is self and connection.oldest_s(now) >= limit_s:
                self.lost(connection, partial(Timeout, why=f"no whole answer in {limit_s:g} s"))
        answered = self.at - self.in_flight
        rate = (answered - self.tick_at) / self.tick_s
        self.tick_at = answered
        if self.probing:
            if now - self.begun > PROBE_ALONE_S:
                self.width = max(1, self._widest() - PROBE_DEPTH + 1)
                self._pump()
        elif (
            self.client.pipelining
            and self.width < self.client.most_connections
            and self.at < len(self.keys)
            and self.in_flight > rate * FAR_ANSWER_S
        ):
            self._spread(far=True)

    def _expire(self) -> None:
        hanging = 0
        silent = self._silent()
        for connection in list(self.conns):
            for number, key in enumerate(connection.asked):
                self.failures[key] = CutOff(key, behind=number > 0)
            if connection.asked:
                hanging += 1
                self.client.codes["key", "timeout"] += len(connection.asked)
                self._forget(connection)
        for key in [*self.keys[self.at :], *self.again]:
            self.failures[key] = Deferred(key)
        self._nothing_left()
        if hanging and silent:
            self.client.breaker.failed(hanging)


class _Quoted(dict[str, bytes]):
    """Percent-encoded keys, made when first asked for."""

    def __missing__(self, key: str) -> bytes:
        quoted = quote(key, safe="").encode()
        if len(self) >= CACHED_KEYS:
            self.clear()
        if len(quoted) <= CACHED_KEY_BYTES:
            self[key] = quoted
        return quoted


@dataclass(frozen=True, slots=True)
class _Address:
    https: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.https else 80) else f"{name}:{self.port}"

    @classmethod
    def of(cls, base_url: str) -> "_Address":
        """Take the address apart; messages never repeat it, it may hold a password.

        Raises:
            SettingsError: It is not an address we ask.
        """
        if not base_url.isprintable() or " " in base_url:
            raise SettingsError("gateway: the address holds blanks or control characters")
        try:
            parts = urlsplit(base_url)
            port = parts.port
            host = parts.hostname or ""
            if not host.isascii():
                host = host.encode("idna").decode()
        except ValueError:
            raise SettingsError("gateway: the address is not a URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise SettingsError("gateway: the address must be http://host or https://host")
        if "@" in parts.netloc:
            raise SettingsError("gateway: no user or password in the address; use a bearer token")
        if parts.query or parts.fragment:
            raise SettingsError("gateway: the address must have neither query nor fragment")
        https = parts.scheme == "https"
        path = quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
        return cls(https, host, port or (443 if https else 80), path)


def _request_end(host: str, bearer_token: str | None) -> bytes:
    lines = [" HTTP/1.1", f"Host: {host}", "Accept-Encoding: identity", "User-Agent: ic3"]
    if bearer_token is not None:
        if not (bearer_token.isascii() and bearer_token.isprintable() and bearer_token.strip()):
            raise SettingsError("gateway: the bearer token must be printable ASCII")
        lines.append(f"Authorization: Bearer {bearer_token}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(f"gateway: the CA file {ca_file} cannot be used: {error}") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _forbidden(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_link_local or found == METADATA_V6


def _worth_another(error: AnswerError) -> bool:
    """Whether a second try may help. Not a timeout: it has had its time."""
    if isinstance(error, BadStatus):
        return error.status == 429 or error.status >= 500
    return isinstance(error, Refused | Reset | Truncated)


def _strains(error: AnswerError) -> bool:
    """Whether it says that the gateway has too much to do, or is in trouble."""
    if isinstance(error, BadStatus):
        return error.status == 429 or error.status >= 500
    return isinstance(error, Refused | Reset | Timeout)


def _code_of(error: AnswerError) -> str:
    """The word it is counted under, one of few."""
    if isinstance(error, BadStatus):
        status = error.status
        return str(status) if status in COUNTED_STATUSES else f"{status // 100}xx"
    return "200" if isinstance(error, ContentError) else error.reason


async def _pause() -> None:
    await asyncio.sleep(random.uniform(0.05, 0.2))  # noqa: S311  jitter, not a secret


def _http_date(value: bytes) -> datetime | None:
    try:
        found = parsedate_to_datetime(value.decode("ascii"))
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _keys_in(body: bytes) -> tuple[list[str], int]:
    if body.count(b",") >= LIST_ITEMS:
        raise TooLarge(None, body, f"over {LIST_ITEMS} items")
    try:
        found = msgspec.json.decode(body)
    except REFUSED_TEXT as error:
        raise NotJSON(None, body, str(error)) from None
    items = found.get("keys") if isinstance(found, dict) else found
    if not isinstance(items, list):
        raise WrongShape(None, body, 'neither {"keys": [...]} nor [...]')
    keys = [item for item in items if isinstance(item, str)]
    return keys, len(items) - len(keys)
