"""What stands around handlers of the route table: keys against repetition, files in and out."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Final, get_type_hints

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.params import HeaderParameter

from ic3.api.callers import actor_of, principal_of
from ic3.clock import Clock
from ic3.domain.access import Event, PendingEvents
from ic3.errors import ApiError, Contended, InputError, OutOfScope, StoreError, TooSlow
from ic3.store.idempotency import Claim, claim_key, free_key, keep_answer
from ic3.store.pool import Database

# Each holds its whole body in memory.
FILES_AT_ONCE: Final = 4
# A telephone that lost its network in the middle of a file says so to nobody.
FILE_LIMIT_S: Final = 120.0
# After any other error the act may have been done.
NOTHING_DONE: Final = (ApiError, HTTPException, InputError, OutOfScope, Contended, TooSlow)

AnyRequest = Request[Any, Any, Any]
Handler = Callable[..., Awaitable[Any]]
Act = Callable[[], Awaitable[Any]]
Key = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$"
    ),
]


class Repeats(Enum):
    """What a POST gets that was sent before with the same `Idempotency-Key`."""

    ANSWERED = auto()
    REFUSED = auto()
    """Its request or its answer holds a secret: neither is kept."""
    NOT_HEEDED = auto()


class Kept(msgspec.Struct):
    """An answer as it is given again."""

    status: int
    headers: dict[str, str]
    body: msgspec.Raw

    def response(self) -> Response[bytes]:
        """It, to be sent."""
        return Response(
            bytes(self.body), status_code=self.status, headers=self.headers,
            media_type="application/json",
        )  # fmt: skip


class Once:
    """Lets a request with a key act once.

    Args:
        database: Where keys and answers are.
        clock: Says how old they are.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def around(self, handler: Handler, *, status: int, is_secret: bool) -> Handler:
        """The handler, which then takes the header `Idempotency-Key`.

        Args:
            handler: Of a route.
            status: Of its good answer.
            is_secret: Whether nothing of request and answer may be kept.
        """

        async def outer(request: AnyRequest, act: Act, idempotency_key: str | None) -> Any:
            if idempotency_key is None:
                return await act()
            body = b"" if is_secret else await request.body()
            claim = Claim(
                principal_of(request).username, idempotency_key,
                await asyncio.to_thread(_hash, request, body), self._clock.now(),
            )  # fmt: skip
            known = await claim_key(self._database, claim)
            if known is not None:
                return _again(known)
            return await self._first(claim, act, status=status, is_secret=is_secret)

        key = Parameter("idempotency_key", Parameter.KEYWORD_ONLY, default=None, annotation=Key)
        return wrapped(handler, outer, key)

    async def _first(self, claim: Claim, act: Act, *, status: int, is_secret: bool) -> Any:
        try:
            done = await act()
        except NOTHING_DONE:
            await self._free(claim)
            raise
        if isinstance(done, Response) and (done.status_code or status) >= 400:
            await self._free(claim)
            return done
        kept = _kept(done, status)
        # It is done, whether or not that can be kept.
        with suppress(StoreError):
            answer = b"" if is_secret else msgspec.json.encode(kept)
            await keep_answer(self._database, claim, answer)
        return kept.response()

    async def _free(self, claim: Claim) -> None:
        with suppress(StoreError):
            await free_key(self._database, claim)


class Exports:
    """Notes for the audit log who takes files of data along.

    Args:
        events: Take it.
    """

    def __init__(self, events: PendingEvents) -> None:
        self._events = events

    def around(self, handler: Handler, name: str) -> Handler:
        """The handler, whose files are noted under the name of its route."""

        async def outer(request: AnyRequest, act: Act) -> Any:
            done = await act()
            if isinstance(done, Response) and "content-disposition" in done.headers:
                asked = request.scope["query_string"].decode("latin-1")
                self._events.add(Event(actor_of(request), "export", name, asked))
            return done

        return wrapped(handler, outer)


class WholeFiles:
    """Reads files before their handlers are called, a few at a time and not for ever."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(FILES_AT_ONCE)

    def around(self, handler: Handler) -> Handler:
        """The handler, whose request has its body then."""

        async def outer(request: AnyRequest, act: Act) -> Any:
            async with self._turns:
                try:
                    async with asyncio.timeout(FILE_LIMIT_S):
                        await request.body()
                except TimeoutError:
                    raise ApiError(
                        408, "too slow",
                        f"a file is to be here within {FILE_LIMIT_S:g} s; send it again",
                    ) from None  # fmt: skip
                return await act()

        return wrapped(handler, outer)


def wrapped(handler: Handler, outer: Handler, *more: Parameter) -> Handler:
    """A handler with another one around it, and the parameters of both.

    Args:
        handler: Of a route.
        outer: Called with the request, what calls the handler, and `more`.
        more: Parameters that only `outer` takes.
    """
    own = dict(signature(handler).parameters)
    hints = get_type_hints(handler, include_extras=True)

    async def both(**given: Any) -> Any:
        request = given["request"]
        if "request" not in own:
            del given["request"]
        extra = {each.name: given.pop(each.name) for each in more}
        return await outer(request, lambda: handler(**given), **extra)

    request = Parameter("request", Parameter.KEYWORD_ONLY, annotation=AnyRequest)
    taken = {"request": request} | own | {each.name: each for each in more}
    update_wrapper(both, handler)
    del both.__wrapped__  # type: ignore[attr-defined]  # the framework would ask it instead
    both.__annotations__ = {
        **{name: each.annotation for name, each in taken.items()}, **hints,
    }  # fmt: skip
    both.__signature__ = Signature(  # type: ignore[attr-defined]
        [each.replace(kind=Parameter.KEYWORD_ONLY) for each in taken.values()],
        return_annotation=hints["return"],
    )
    return both


def _hash(request: AnyRequest, body: bytes) -> str:
    """What two requests with the same key must have in common, the rights of the caller too."""
    principal = principal_of(request)
    form, boundary = request.content_type
    parts = (
        request.method, request.scope["raw_path"].decode("latin-1"),
        request.scope["query_string"].decode("latin-1"), form,
        request.headers.get("x-filename", ""), principal.role.value, principal.scope(),
    )  # fmt: skip
    # A client that sends a form again takes another boundary.
    mark = boundary.get("boundary", "").encode("latin-1", "replace")
    content = body.replace(mark, b"") if mark else body
    return hashlib.blake2b(msgspec.json.encode(parts) + content, digest_size=16).hexdigest()


def _kept(done: Any, status: int) -> Kept:
    if not isinstance(done, Response):
        done = Response(done)
    body = done.content if isinstance(done.content, bytes) else msgspec.json.encode(done.content)
    return Kept(done.status_code or status, dict(done.headers), msgspec.Raw(body))


def _again(known: bytes) -> Response[bytes]:
    if not known:
        raise ApiError(
            409, "already done",
            "it was done with this Idempotency-Key; what it answered is shown once only",
        )  # fmt: skip
    return msgspec.json.decode(known, type=Kept).response()
