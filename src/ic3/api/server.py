"""The HTTP server: routes to handlers, errors to problem+json, hot reads past the framework."""

import contextlib
import inspect
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec
import uvicorn
from litestar import Litestar, Request, Response, route
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ic3 import __version__
from ic3.api.callers import actor_of
from ic3.api.once import Exports, Once, Repeats, WholeFiles
from ic3.clock import Clock
from ic3.dashboard import Dashboard, StaticFile, packing_for
from ic3.domain.access import Event, PendingEvents
from ic3.domain.addresses import is_loopback
from ic3.domain.etags import client_has
from ic3.domain.rates import Rates
from ic3.domain.users import Principal, Role
from ic3.errors import (
    ApiError,
    Contended,
    DatabaseAway,
    InputError,
    OutOfScope,
    StartError,
    TooSlow,
)
from ic3.observations import Observe, RequestFailed
from ic3.store.scope import enter_as

BODY_LIMIT_BYTES: Final = 1 << 20
FILE_LIMIT_BYTES: Final = 25 << 20
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        b" object-src 'none'; base-uri 'none'; frame-ancestors 'none'; connect-src 'self'",
    ),
)
FORWARDING_HEADERS: Final = {b"forwarded", b"x-forwarded-for", b"x-real-ip"}
EVERYBODY: Final = None
# What the decoder raises beside its own errors; the framework knows only those.
UNREADABLE: Final = (RecursionError, UnicodeDecodeError)

Encoded = tuple[bytes, bytes]


class HotRead(NamedTuple):
    """A read answered from memory before the framework is asked.

    Attributes:
        read: Parameter value (or None where it takes none) to body and ETag.
        parameter: Name of its one query parameter.
        scoped: Whether one with a scope is to be asked for more than the role.
    """

    read: Callable[..., Encoded]
    parameter: str | None = None
    scoped: bool = False


class Route(NamedTuple):
    """One line of the route table.

    Attributes:
        role: Least role that may call it; None lets everybody.
        local: Whether direct callers on loopback may call it without a login.
        status: Status of a good answer.
        again: Whether the password must have been given within the last five minutes.
        media: Content type of a good answer where it is not JSON.
        body_limit_bytes: Longest body it takes.
        takes: Content types of a body that is a file.
        repeats: What a POST gets that was sent before.
        exports: Whether files that it answers are acts for the audit log.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    role: Role | None
    local: bool = False
    status: int = 200
    again: bool = False
    media: str | None = None
    body_limit_bytes: int = BODY_LIMIT_BYTES
    takes: tuple[str, ...] = ()
    repeats: Repeats = Repeats.ANSWERED
    exports: bool = False


Verify = Callable[[bytes], Principal | None]
Admit = Callable[[Scope], Principal]


def build(
    routes: Sequence[Route],
    *,
    dependencies: Mapping[str, object],
    hot: Mapping[str, HotRead],
    sockets: Mapping[str, ASGIApp],
    dashboard: Dashboard,
    verify: Verify,
    origins: Sequence[str],
    observe: Observe,
    clock: Clock,
    events: PendingEvents,
    once: Once,
    rates: Rates | None = None,
    admissions: Mapping[str, Admit] | None = None,
) -> ASGIApp:
    """The whole application.

    Args:
        routes: The route table.
        dependencies: Name of a handler's argument to the part it gets.
        hot: Path of a GET route to its answer from memory; role and login are the table's.
        sockets: Path to WebSocket application; they admit by themselves.
        dashboard: The pages; everybody may fetch them.
        verify: Token to its holder, or None.
        origins: Origins whose pages may call the API.
        observe: Told of failures.
        clock: Says how long ago a password was given.
        events: Takes refusals for the audit log.
        once: Heeds `Idempotency-Key`.
        rates: How often one caller may ask; hot reads and files do not count.
        admissions: Path to how its caller is admitted, where a token in a header is not all.
    """
    turns, exports, refused = WholeFiles(), Exports(events), _refusals(events, clock)
    parts = {
        name: Provide(_giver(part), sync_to_thread=False) for name, part in dependencies.items()
    }
    framework = Litestar(
        route_handlers=[_handler(each, once, turns, exports, parts) for each in routes],
        guards=[Gate(clock, rates)],
        cors_config=CORSConfig(
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "authorization",
                "content-type",
                "idempotency-key",
                "if-match",
                "if-none-match",
                "x-filename",
            ],
            expose_headers=[
                "etag",
                "link",
                "location",
                "ratelimit",
                "ratelimit-policy",
                "retry-after",
                "x-request-id",
            ],
        )
        if origins
        else None,
        exception_handlers={
            HTTPException: _on_http_error,
            ApiError: refused,
            Contended: _on_our_error,
            DatabaseAway: _on_our_error,
            InputError: _on_our_error,
            OutOfScope: refused,
            TooSlow: _on_our_error,
            Exception: _unforeseen(observe),
        },
        request_max_body_size=BODY_LIMIT_BYTES,
        openapi_config=OpenAPIConfig(
            title="IC³",
            version=__version__,
            use_handler_docstrings=True,
            security=[{"bearer": []}],
            components=Components(
                security_schemes={
                    "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
                }
            ),
        ),
        logging_config=None,
        debug=False,
    )
    return Front(
        framework, hot={path: (read, _role_of(routes, path)) for path, read in hot.items()},
        sockets=sockets, dashboard=dashboard, verify=verify, origins=frozenset(origins),
        admissions=admissions or {},
    )  # fmt: skip


class Front:
    """The thin layer before the framework: identity, headers, files, sockets and hot reads."""

    def __init__(
        self,
        framework: Litestar,
        *,
        hot: Mapping[str, tuple[HotRead, Role]],
        sockets: Mapping[str, ASGIApp],
        dashboard: Dashboard,
        verify: Verify,
        origins: frozenset[str],
        admissions: Mapping[str, Admit],
    ) -> None:
        self.framework = framework
        self._hot = hot
        self._sockets = sockets
        self._dashboard = dashboard
        self._verify = verify
        self._origins = {each.encode() for each in origins}
        self._admissions = admissions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        kind: str = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "websocket":
            try:
                await self._sockets.get(scope["path"], _no_socket)(scope, receive, send)
            except ApiError as refused:
                await _refuse_socket(send, refused)
        else:
            await self.framework(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]  # type: ignore[typeddict-item]  # http
        hot = self._hot.get(path)
        principal, origin, if_none_match = self._identity(scope["headers"])
        if hot is not None and method == "GET" and principal is not None:
            read, role = hot
            value = _only_value(scope["query_string"], read.parameter)
            plain = principal.domains is None or not read.scoped
            if value is not None and plain and principal.role.covers(role):
                body, etag = read.read(value) if read.parameter else read.read()
                known = if_none_match is not None and client_has(if_none_match, etag)
                await _answer_hot(send, body, etag, self._cors(origin), unchanged=known)
                return
        if method in {"GET", "HEAD"}:
            accept, encodings = _accepted(scope["headers"])
            if (file := self._dashboard.answers(path, accept)) is not None:
                await _answer_file(send, file, encodings, with_body=method == "GET")
                return
        # Routes match the undecoded path: %2F is part of a serial number, not a separator.
        scope["path"] = scope["raw_path"].decode("latin-1")
        request_id, refused = secrets.token_hex(8), None
        if (admit := self._admissions.get(_as_routed(path))) is not None:
            try:
                principal = admit(scope)
            except ApiError as error:
                principal, refused = None, error
        scope.setdefault("state", {}).update(
            principal=principal, request_id=request_id, refused=refused
        )
        # Also where nobody asks: a pipelined request begins in the context of the one before.
        enter_as(frozenset() if principal is None else principal.domains)
        await self.framework(scope, receive, _with_headers(send, scope["state"]))

    def _identity(self, headers: Any) -> tuple[Principal | None, bytes | None, bytes | None]:
        principal, origin, if_none_match = None, None, None
        for name, value in headers:
            if name == b"authorization":
                if value[:7].lower() == b"bearer ":
                    principal = self._verify(bytes(value[7:]))
            elif name == b"origin":
                origin = value
            elif name == b"if-none-match":
                if_none_match = value if if_none_match is None else if_none_match + b"," + value
        return principal, origin, if_none_match

    def _cors(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        if origin is None or origin not in self._origins:
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", b"etag"),
            (b"vary", b"Origin"),
        ]


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: `app` decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def server(application: ASGIApp, *, http: type[Any], websocket: type[Any]) -> Server:
    """A server for the application; it listens on the sockets it is given."""
    return Server(
        uvicorn.Config(
            application,
            loop="uvloop",
            http=http,
            ws=websocket,
            ws_max_size=4096,
            ws_ping_interval=10,
            ws_ping_timeout=10,
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            # Below it uvicorn writes the query of a WebSocket, which may hold a secret.
            log_level="warning",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            backlog=2048,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Bind the port at once, so that a taken one is said before anything else is started.

    Raises:
        StartError: The port is taken or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(2048)
    except (OSError, OverflowError) as error:
        bound.close()
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StartError(
            f"server: cannot listen on {host} port {port}: {why}; set IC3_HOST or IC3_PORT,"
            " or stop the program that uses it"
        ) from None
    bound.setblocking(False)
    return bound


def problem(status: int, error: str, detail: str = "", request_id: str = "") -> dict[str, Any]:
    """An RFC 9457 body with the extra member `error`."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "error": error,
    }
    if detail:
        document["detail"] = detail
    if request_id:
        document["request_id"] = request_id
    return document


class Problem(msgspec.Struct, omit_defaults=True):
    """What every refusal answers (RFC 9457), with the short text in `error` too."""

    type: str
    title: str
    status: int
    error: str
    detail: str = ""
    request_id: str = ""


_PROBLEMS: Final = {
    status: ResponseSpec(
        Problem, generate_examples=False, description=HTTPStatus(status).phrase,
        media_type="application/problem+json",
    )
    for status in (400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 428, 429, 500, 503)
}  # fmt: skip


def _handler(
    line: Route, once: Once, files: WholeFiles, exports: Exports, parts: Mapping[str, Provide]
) -> BaseRouteHandler:
    handler = line.handler
    if line.exports:
        handler = exports.around(handler, f"{line.method} {line.path}")
    if line.method == "POST" and line.repeats is not Repeats.NOT_HEEDED:
        is_secret = line.repeats is Repeats.REFUSED
        handler = once.around(handler, status=line.status, is_secret=is_secret)
    if line.takes:
        handler = files.around(handler)
    taken = inspect.signature(handler).parameters
    decorate = route(
        line.path,
        http_method=[line.method],  # type: ignore[list-item]  # the table holds plain words
        status_code=line.status,
        # Its own only: given to all, every handler is checked against every part at the start.
        dependencies={name: parts[name] for name in taken if name in parts},
        request_max_body_size=line.body_limit_bytes,
        opt={
            "role": line.role,
            "local": line.local,
            "again": line.again,
            "takes": line.takes,
        },
        name=f"{line.method} {line.path}",
        security=[{}] if line.role is EVERYBODY else None,
        # Where it is named it wins over that of a stream, which may be another by its parameters.
        media_type=line.media,
        responses=_PROBLEMS,
    )
    return decorate(handler)


def _giver(part: object) -> Callable[[], object]:
    return lambda: part


def _role_of(routes: Sequence[Route], path: str) -> Role:
    (role,) = (each.role for each in routes if each.path == path and each.method == "GET")
    assert role is not None
    return role


class Gate:
    """Deny by default: only what the route table names is open, to whom it names."""

    def __init__(self, clock: Clock, rates: Rates | None) -> None:
        self._clock = clock
        self._rates = rates

    def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Let a request pass.

        Raises:
            ApiError: 401, 403, 415 or 429.
        """
        if "role" not in handler.opt:
            raise ApiError(403, "forbidden", "this path is not in the route table")
        if connection.headers.get("content-encoding", "identity").lower() != "identity":
            raise ApiError(415, "compressed body", "send it without Content-Encoding")
        self._count(connection)
        needed = handler.opt["role"]
        if needed is EVERYBODY or (handler.opt["local"] and _is_direct_and_local(connection)):
            return
        principal = connection.scope["state"].get("principal")
        if principal is None and (refused := connection.scope["state"].get("refused")) is not None:
            raise refused
        if principal is None:
            raise ApiError(
                401,
                "login required",
                "send Authorization: Bearer with a token from /api/auth/login",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if not principal.role.covers(needed):
            raise ApiError(403, "forbidden", f"the role {needed} is needed")
        if handler.opt["again"] and not principal.confirmed(self._clock.now_us() / 1e6):
            raise ApiError(
                403, "password needed again",
                "send it to POST /api/auth/confirm and use the token that comes back",
            )  # fmt: skip

    def _count(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        if self._rates is None:
            return
        state, client = connection.scope["state"], connection.scope.get("client")
        principal = state.get("principal")
        caller = principal.username if principal else f"address {client[0] if client else ''}"
        allowance = self._rates.take(caller, self._clock.monotonic())
        state["rate"] = (
            (b"ratelimit-policy", b'"caller";q=%d;w=60' % self._rates.per_minute),
            (b"ratelimit", b'"caller";r=%d;t=%d' % (max(0, allowance.left), allowance.wait_s + 1)),
        )
        if allowance.left < 0:
            raise ApiError(
                429, "too many requests", f"{self._rates.per_minute} a minute are allowed",
                headers={"Retry-After": str(int(allowance.wait_s) + 1)},
            )  # fmt: skip


def _is_direct_and_local(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    client = connection.scope.get("client")
    forwarded = any(name in FORWARDING_HEADERS for name, _ in connection.scope["headers"])
    return client is not None and is_loopback(client[0]) and not forwarded


def _on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    status = error.status_code
    detail = error.detail
    if isinstance(error, ValidationException):
        status = 422
        extra = error.extra if isinstance(error.extra, list) else []
        faults = (f"{each.get('key', '')}: {each.get('message', '')}" for each in extra)
        detail = "; ".join(faults) or detail
    if status >= 500:
        detail = ""
    short = HTTPStatus(status).phrase.lower()
    return _problem_response(request, problem(status, short, detail), error.headers)


def _on_our_error(
    request: Request[Any, Any, Any],
    error: ApiError | Contended | DatabaseAway | InputError | OutOfScope | TooSlow,
) -> Response[Any]:
    if isinstance(error, ApiError):
        document = problem(error.status, error.error, error.detail)
        return _problem_response(request, document, error.headers)
    if isinstance(error, InputError):
        return _problem_response(request, problem(422, "cannot be done", str(error)), None)
    if isinstance(error, OutOfScope):
        return _problem_response(request, problem(403, "forbidden", "not in your scope"), None)
    if isinstance(error, DatabaseAway):
        document = problem(503, "database away", "the database cannot be reached; try again soon")
    else:
        document = problem(503, "busy", "another change is being written; try again")
    return _problem_response(request, document, {"Retry-After": "5"})


def _refusals(
    events: PendingEvents, clock: Clock
) -> Callable[[Request[Any, Any, Any], ApiError | OutOfScope], Response[Any]]:
    """Answers an error; one of somebody who may not is also for the audit log."""

    def handle(request: Request[Any, Any, Any], error: ApiError | OutOfScope) -> Response[Any]:
        answer = _on_our_error(request, error)
        if answer.status_code == HTTPStatus.FORBIDDEN and request.scope["state"].get("principal"):
            why = error.detail if isinstance(error, ApiError) else "not in your scope"
            name = str(getattr(request.scope.get("route_handler"), "name", ""))
            events.tally(Event(actor_of(request), "refused", name, why), clock.monotonic())
        return answer

    return handle


def _unforeseen(observe: Observe) -> Callable[[Request[Any, Any, Any], Exception], Response[Any]]:
    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        if isinstance(error, UNREADABLE) and request.method in {"POST", "PUT", "PATCH"}:
            document = problem(400, "bad request", "the body is not UTF-8 or nested too deeply")
            return _problem_response(request, document, None)
        request_id = request.scope["state"].get("request_id", "")
        words = f"{type(error).__name__}: {error}"
        observe(RequestFailed(request_id, request.scope["path"], words))
        document = problem(500, "internal error", "please report the request_id", request_id)
        return _problem_response(request, document, None)

    return handle


def _problem_response(
    request: Request[Any, Any, Any], document: dict[str, Any], headers: Mapping[str, str] | None
) -> Response[Any]:
    document.setdefault("request_id", request.scope["state"].get("request_id", ""))
    return Response(
        msgspec.json.encode(document),
        status_code=document["status"],
        media_type="application/problem+json",
        headers=dict(headers or {}),
    )


def _only_value(query: bytes, parameter: str | None) -> str | None:
    """The one parameter of a hot read; None sends the request to the framework."""
    if parameter is None:
        return "" if not query else None
    name, _, rest = query.partition(b"=")
    if name != parameter.encode() or b"&" in rest:
        return None
    pairs = parse_qsl(query.decode("latin-1"))
    return pairs[0][1] if len(pairs) == 1 else None


def _as_routed(path: str) -> str:
    """The framework takes a path with more slashes, between or behind, for the same."""
    return "/" + "/".join(part for part in path.split("/") if part)


async def _answer_hot(
    send: Send, body: bytes, etag: bytes, cors: list[tuple[bytes, bytes]], *, unchanged: bool
) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"etag", etag),
        (b"cache-control", b"private, no-cache"),
        *SECURITY_HEADERS,
        *cors,
    ]
    if unchanged:
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _no_socket(_scope: Scope, receive: Receive, _send: Send) -> None:
    await receive()
    raise ApiError(404, "not found", "WebSockets are at /ws and /ws/v1")


async def _refuse_socket(send: Send, refused: ApiError) -> None:
    """Answer instead of the upgrade."""
    document = problem(refused.status, refused.error, refused.detail)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"cache-control", b"no-store"),
        *SECURITY_HEADERS,
        *((name.lower().encode(), value.encode()) for name, value in refused.headers.items()),
    ]
    status, body = refused.status, msgspec.json.encode(document)
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})


def _accepted(headers: Any) -> tuple[str, str]:
    """What a request says in `accept` and `accept-encoding`."""
    found = {name: value.decode("latin-1") for name, value in headers if name[:6] == b"accept"}
    return found.get(b"accept", ""), found.get(b"accept-encoding", "")


async def _answer_file(
    send: Send, file: StaticFile, accept_encoding: str, *, with_body: bool
) -> None:
    packing = packing_for(file, accept_encoding)
    body = file.body if packing is None else file.packed[packing]
    headers = [
        (b"content-type", file.content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", file.cache.encode()),
        *([(b"content-encoding", packing.encode())] if packing else []),
        *([(b"vary", b"Accept-Encoding")] if file.packed else []),
        *SECURITY_HEADERS,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    content = body if with_body else b""
    await send({"type": "http.response.body", "body": content, "more_body": False})


def _with_headers(send: Send, state: Any) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            if not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = [
                *headers, *SECURITY_HEADERS, *state.get("rate", ()),
                (b"x-request-id", state["request_id"].encode()),
            ]  # fmt: skip
        await send(message)

    return sending
