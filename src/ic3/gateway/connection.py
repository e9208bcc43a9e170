"""One keep-alive connection to the gateway: requests out, answers matched to keys in order."""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

import msgspec
from httptools import (
    HttpParserCallbackError,
    HttpParserError,
    HttpParserUpgrade,
    HttpResponseParser,
)

from ic3.gateway.errors import (
    AnswerError,
    BadHTTP,
    BadStatus,
    NotJSON,
    NullValue,
    Reset,
    TooLarge,
    Truncated,
    WrongKey,
    WrongShape,
    WrongType,
)

HEAD_LIMIT_BYTES = 64 << 10
SWITCHING_PROTOCOLS = 101
_RETRY_AFTER = re.compile(rb"\r\nretry-after:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
# msgspec refuses most bad text itself; bad UTF-8 and deep nesting come up as Python's own errors.
REFUSED_TEXT = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

RESTING = (429, 503)  # statuses whose Retry-After is obeyed

Receive = Callable[[str, str], None]
Blame = Callable[[str | None], AnswerError]


class Answer(msgspec.Struct, gc=False):
    """The outer layer of a key's answer; unknown members are ignored, the last duplicate wins."""

    key: str
    type: str
    value: str | None


_decode = msgspec.json.Decoder(Answer).decode


class Fault(Exception):  # noqa: N818  never leaves this package
    """Raised in a parser callback: nothing that follows on this connection can be trusted."""

    def __init__(self, blame: Blame) -> None:
        super().__init__()
        self.blame = blame


class Turn(Protocol):
    """Whoever's requests a connection carries at the moment."""

    def answered(self, connection: "Connection") -> None:
        """Answers came: `asked` is shorter than `counted`."""

    def failed(self, connection: "Connection", error: AnswerError) -> None:
        """One key's answer is no good; the connection lives on."""

    def lost(self, connection: "Connection", blame: Blame | None) -> None:
        """The connection is of no more use; `blame` is for `asked[0]`, None after a polite end."""

    def crashed(self, connection: "Connection", error: BaseException) -> None:
        """`receive` raised: a fault of our own."""


class Owner(Protocol):
    """Keeps the set of open connections."""

    def opened(self, connection: "Connection") -> None:
        """It can be used."""

    def gone(self, connection: "Connection") -> None:
        """It cannot be used any more."""


class Connection(asyncio.Protocol):
    """Parses answers as they come, hands values on at once and keeps no future per key.

    It is its own parser delegate while keys are read. The fewest callbacks are defined: each costs
    a Python call per answer.
    """

    __slots__ = (
        "_before",
        "_begun",
        "_complete",
        "_data",
        "_feed",
        "_marks",
        "_owner",
        "_pending_bytes",
        "_receive",
        "_transport",
        "asked",
        "body",
        "body_limit_bytes",
        "closing",
        "counted",
        "depth",
        "fresh",
        "on_body",
        "parser",
        "piped",
        "proven",
        "sent",
        "turn",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self.asked: deque[str] = deque()  # written and not yet answered, in order
        self.counted = 0  # how many of them the turn still counts as in flight
        self.sent = 0
        self.depth = 1
        self.piped = False  # more than one request was under way since it was last idle
        self.proven = False  # it has answered at some time
        self.fresh = True  # it has not answered in this turn
        self.body = bytearray()
        self.on_body = self.body.extend
        self._begun = False
        self._pending_bytes = 0
        self.closing = False  # the last answer said so
        self._marks: deque[tuple[int, float]] = deque()
        self.carry(None)

    def carry(
        self,
        turn: Turn | None,
        receive: Receive = lambda key, value: None,
        *,
        body_limit_bytes: int = 0,
        delegate: object = None,
    ) -> None:
        """Take up a turn's requests, or none; the list call brings a parser delegate of its own."""
        self.turn = turn
        self._receive = receive
        self.body_limit_bytes = body_limit_bytes
        self.counted = 0
        self.fresh = True
        self.piped = False
        self._before = self._data = b""
        self.parser = HttpResponseParser(delegate or self)
        self._feed = self.parser.feed_data
        self._complete = cast("Connection", delegate or self).on_message_complete

    @property
    def open(self) -> bool:
        """It has not been closed, by whichever side."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Nothing asked and nothing half read: another turn may have it."""
        return not (self.asked or self._begun or self.closing)

    def ask(self, keys: list[str], request: bytes) -> None:
        """Write the requests of some keys, joined, in one go."""
        assert self._transport is not None
        self.asked.extend(keys)
        self.counted += len(keys)
        self.sent += len(keys)
        self.piped = len(self.asked) > 1
        self._transport.write(request)

    def drop(self) -> None:
        """Abort; whoever had it has taken what was asked."""
        self.turn = None
        self.asked.clear()
        self._owner.gone(self)
        if self._transport is not None:
            self._transport.abort()

    def oldest_s(self, now: float) -> float:
        """Seconds since the oldest request was written, at most one call's interval too few.

        Called by one timer for all connections; a mark says that the first n requests were
        written by then, so that no request needs a time of its own.
        """
        marks = self._marks
        answered = self.sent - len(self.asked)
        while marks and marks[0][0] <= answered:
            marks.popleft()
        if not self.asked:
            return 0.0
        marks.append((self.sent, now))
        return now - marks[0][1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        turn = self.turn
        if turn is None:
            self.drop()
            return
        self._data = data
        try:
            self._feed(data)
        except HttpParserCallbackError as error:
            self._stopped(turn, error.__context__)
            return
        except (HttpParserError, HttpParserUpgrade) as error:
            turn.lost(self, partial(BadHTTP, why=str(error)))
            return
        asked = self.asked
        if self.closing:
            turn.lost(self, partial(Reset, why="Connection: close") if asked else None)
        elif self._begun and not asked:
            turn.lost(self, partial(BadHTTP, why="more than was asked for"))
        elif len(asked) < self.counted:
            self._pending_bytes = 0
            self._before = data
            self.fresh = False
            self.proven = True
            turn.answered(self)
        else:
            self._unfinished(turn, len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._owner.gone(self)
        turn = self.turn
        if turn is None:
            return
        why = "closed" if exc is None else str(exc)
        blame: Blame = partial(Truncated if self._begun else Reset, why=why)
        if self._ended_by_close():
            try:
                self._complete()
            except Fault as fault:
                blame = fault.blame
            except Exception as error:  # noqa: BLE001  as in data_received: receive() is not ours
                turn.crashed(self, error)
                return
        turn.lost(self, blame if self.asked else None)

    def on_message_begin(self) -> None:
        """See httptools."""
        self._begun = True

    def on_message_complete(self) -> None:
        """See httptools."""
        self._begun = False
        asked = self.asked
        body = self.body
        try:
            answer = _decode(body)
        except REFUSED_TEXT:
            answer = None
        if (
            answer is not None
            and asked
            and answer.key == asked[0]
            and answer.type == "string"
            and answer.value is not None
            and len(body) <= self.body_limit_bytes
            and self.parser.get_status_code() == 200
            and self.parser.should_keep_alive()
        ):
            asked.popleft()
            body.clear()
            self._receive(answer.key, answer.value)
        else:
            self._settle(answer)

    def _settle(self, answer: Answer | None) -> None:
        """Judge an answer that is not simply right."""
        if self.is_interim():
            return
        self.check_status()
        assert self.turn is not None
        key, body = self.asked[0], self.body
        status = self.parser.get_status_code()
        error = (
            BadStatus(key, status, self._retry_after(status))
            if status != 200
            else content_error(key, body, answer)
        )
        if isinstance(error, WrongKey):
            raise Fault(partial(WrongKey, body=bytes(body), why=error.why))
        self.asked.popleft()
        body.clear()
        if error is not None:
            self.turn.failed(self, error)
        elif answer is not None and answer.value is not None:
            self._receive(key, answer.value)

    def is_interim(self) -> bool:
        """Whether the answer just read only announces the real one, as 100 Continue does."""
        status = self.parser.get_status_code()
        if not self.asked or status >= 200 or status == SWITCHING_PROTOCOLS:
            return False
        self._begun = False
        return True

    def _retry_after(self, status: int) -> bytes | None:
        """The header of an answer that asks for rest.

        Looked for in what has just come: a callback a header would cost each good answer more
        than all else that is done for it here.
        """
        if status not in RESTING:
            return None
        found = _RETRY_AFTER.findall(self._before + self._data)
        return found[-1] if found else None

    def check_status(self) -> None:
        """What makes any answer end the connection: unasked, switching, over the cap, closing.

        Raises:
            Fault: It cannot be trusted or must not be read on.
        """
        status = self.parser.get_status_code()
        if not self.asked:
            raise Fault(partial(BadHTTP, why="an answer to no request"))
        if status < 200:
            raise Fault(partial(BadHTTP, why=f"status {status}"))
        if len(self.body) > self.body_limit_bytes:
            raise Fault(self._too_large())
        self._begun = False
        self.closing = not self.parser.should_keep_alive()

    def _stopped(self, turn: Turn, error: BaseException | None) -> None:
        if isinstance(error, Fault):
            turn.lost(self, error.blame)
        else:
            turn.crashed(
                self, error or RuntimeError("gateway: the parser stopped without a reason")
            )

    def _unfinished(self, turn: Turn, received: int) -> None:
        """No answer was completed: count what is pending, so that memory stays flat."""
        self._pending_bytes += received
        if len(self._before) < HEAD_LIMIT_BYTES:
            self._before += self._data
        limit = self.body_limit_bytes
        if not self.body and self._pending_bytes > HEAD_LIMIT_BYTES:
            turn.lost(self, partial(BadHTTP, why=f"a head over {HEAD_LIMIT_BYTES} bytes"))
        elif len(self.body) > limit or self._pending_bytes > 8 * limit + HEAD_LIMIT_BYTES:
            # eight times: small chunks carry more framing than body
            turn.lost(self, self._too_large())

    def _too_large(self) -> Blame:
        why = f"over {self.body_limit_bytes} bytes"
        return partial(TooLarge, body=self.body, why=why)

    def _ended_by_close(self) -> bool:
        """Whether the close was the end of the answer (HTTP/1.0 without a length).

        The parser does not say whether a length was announced, but a JSON object or array cut
        short is never JSON, so nothing truncated passes.
        """
        if not (self._begun and self.body and self.asked) or self.parser.should_keep_alive():
            return False
        if self.parser.get_status_code() != 200:
            return True
        try:
            msgspec.json.decode(self.body, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
        except REFUSED_TEXT:
            return False
        return True


def content_error(  # noqa: PLR0911  one line per kind
    key: str, body: bytearray, answer: Answer | None
) -> AnswerError | None:
    """Why the content of an answer with status 200 is no value of `key`; None where it is."""
    if answer is None:
        try:
            found = msgspec.json.decode(body)
        except REFUSED_TEXT as error:
            return NotJSON(key, body, str(error))
        if not isinstance(found, dict):
            return WrongShape(key, body, "not an object")
    else:
        found = {"key": answer.key, "type": answer.type, "value": answer.value}
    if not isinstance(found.get("key"), str) or not isinstance(found.get("type"), str):
        return WrongShape(key, body, "key or type is missing or not text")
    if found["key"] != key:
        return WrongKey(key, body, repr(found["key"][:200]))
    if found["type"] != "string":
        return WrongType(key, body, repr(found["type"][:40]))
    if "value" not in found:
        return WrongShape(key, body, "value is missing")
    if found["value"] is None:
        return NullValue(key, body)
    return None if isinstance(found["value"], str) else WrongShape(key, body, "value is not text")
