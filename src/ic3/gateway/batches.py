"""Many keys a request, where the gateway's owner offers it and a setting names its path."""

import asyncio
from collections import deque
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

from ic3.gateway.breaker import Breaker
from ic3.gateway.connection import REFUSED_TEXT, Receive
from ic3.gateway.errors import (
    AnswerError,
    CutOff,
    Deferred,
    NotJSON,
    NullValue,
    TooLarge,
    WrongShape,
)
from ic3.gateway.pace import Budget, Pace

BATCH_KEYS: Final = 200
MOST_BATCHES: Final = 4  # at once: each is as much work for the gateway as many single requests
BATCH_LIMIT_BYTES: Final = 16 << 20


class Asker(Protocol):
    """What a batch needs of the client."""

    path: str
    request_end: bytes
    body_limit_bytes: int
    breaker: Breaker
    pace: Pace

    async def whole_answer(
        self, request: bytes, *, operation: str, limit_bytes: int, budget: Budget
    ) -> tuple[bytes, datetime | None]:
        """The body of an answer with status 200."""

    def note(self, operation: str, error: AnswerError, *, number: int = 1) -> None:
        """Tell breaker, pace and counters of so many failed requests."""


class Batches:
    """One reading of all keys, batch by batch.

    Args:
        client: Asks.
        mget_path: Of the batch form, behind the client's base.
        receive: Called with key and value text; must not raise.
        deadline: Of it all, on the loop's clock.
    """

    def __init__(self, client: Asker, mget_path: str, receive: Receive, deadline: float) -> None:
        self._client = client
        self._head = f"POST {client.path}{mget_path}".encode() + client.request_end[:-2]
        self._receive = receive
        self._deadline = deadline
        self._failures: dict[str, AnswerError] = {}
        self._answered = False

    async def read(self, keys: list[str]) -> dict[str, AnswerError]:
        """Read all keys; answers what failed, by key."""
        waiting = deque(keys[at : at + BATCH_KEYS] for at in range(0, len(keys), BATCH_KEYS))
        under_way: set[str] = set()
        budget = Budget(len(waiting))
        breaker = self._client.breaker

        async def work() -> None:
            while waiting and breaker.closed:
                batch = waiting.popleft()
                under_way.update(batch)
                await self._read_batch(batch, budget)
                under_way.difference_update(batch)

        try:
            async with asyncio.timeout_at(self._deadline), asyncio.TaskGroup() as group:
                for _ in range(min(MOST_BATCHES, self._client.pace.limit, len(waiting))):
                    group.create_task(work())
        except TimeoutError:
            self._failures.update((key, CutOff(key)) for key in under_way)
            if not self._answered:
                self._client.note("mget", CutOff(None), number=-(-len(under_way) // BATCH_KEYS))
        reason = "deadline" if breaker.closed else breaker.deferral
        for batch in waiting:
            self._failures.update((key, Deferred(key, reason)) for key in batch)
        return self._failures

    async def _read_batch(self, batch: list[str], budget: Budget) -> None:
        body = msgspec.json.encode({"keys": batch})
        head = self._head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(
            body
        )
        try:
            answer, _ = await self._client.whole_answer(
                head + body, operation="mget", limit_bytes=BATCH_LIMIT_BYTES, budget=budget
            )
        except AnswerError as error:
            # Every key of it shares the fate of its batch, under the same reason.
            self._failures.update(dict.fromkeys(batch, error))
            return
        self._answered = True
        values = self._values_in(answer, batch)
        if values is None:
            return
        for key in batch:
            wrong = self._judge(key, values)
            if wrong is not None:
                self._failures[key] = wrong

    def _judge(self, key: str, values: dict[str, Any]) -> AnswerError | None:
        if key not in values:
            return WrongShape(key, b"", "the batch's answer leaves it out")
        value = values[key]
        if value is None:
            return NullValue(key, b"null")
        if not isinstance(value, str):
            return WrongShape(key, msgspec.json.encode(value), "value is not text")
        if len(value) > self._client.body_limit_bytes:
            return TooLarge(key, value.encode("utf-8", "surrogatepass"))
        self._receive(key, value)
        return None

    def _values_in(self, answer: bytes, batch: list[str]) -> dict[str, Any] | None:
        """The values of an answer; None where it has none, and then all of its keys have failed."""
        try:
            document = msgspec.json.decode(answer)
        except REFUSED_TEXT as error:
            why = str(error)
            self._failures.update((key, NotJSON(key, answer, why)) for key in batch)
            return None
        values = document.get("values") if isinstance(document, dict) else None
        if not isinstance(values, dict):
            self._failures.update(
                (key, WrongShape(key, answer, 'not {"values": {...}}')) for key in batch
            )
            return None
        return values
