"""Odd requests: each gets a short problem, none gets a 500, and no answer tells of the inside."""

import asyncio
import gzip
import json
import socket
from collections.abc import Sequence

import pytest
from patience import PATIENCE_S
from serving import FRIEND, PAGE, Answer, Site, read_answer, serving

from ic3.api import ROUTES
from ic3.api.live import is_here
from ic3.api.server import EVERYBODY, Route, listen
from ic3.errors import ApiError, DatabaseAway, SchemaError, StartError, StoreError
from ic3.observations import RequestFailed

SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
MEMBERS = {"type", "title", "status", "error", "detail", "request_id"}


def assert_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.header("content-type") == "application/problem+json"
    document = answer.json()
    assert {"type", "title", "status", "error", "request_id"} <= set(document) <= MEMBERS
    assert document["status"] == status
    assert document["error"]
    assert len(document["error"]) < 80
    assert document["request_id"] == answer.header("x-request-id")


@pytest.mark.parametrize(
    "path",
    ["/nope", "/api", "/api/", "/api/nope", "/api/cmms/asset", "/api/cmms/", "/api/%00",
     "/%00", "/%ff", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/.git/config", "/ws",
     "/api/cmms/assets/a/b", "/page.js%00", "/API/STATS", "/" + "a" * 5000, "/api/stats%20"],
)  # fmt: skip
async def test_an_unknown_path_is_404(site: Site, path: str) -> None:
    assert_problem(await site.get(path), 404)
    assert_problem(await site.ask("GET", path), 404)


async def test_a_wrong_method_is_405(site: Site) -> None:
    for path in {each.path for each in ROUTES}:
        right = {each.method for each in ROUTES if each.path == path}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - right:
            answer = await site.ask(method, path.replace("{serial_number:str}", "x"))
            assert_problem(answer, 405)
            assert right <= set((answer.header("allow") or "").split(", ")), path


@pytest.mark.parametrize("target", ["*", "a:1", "http://elsewhere/api/stats", "//etc//passwd"])
async def test_an_odd_target_is_never_an_error_of_ours(site: Site, target: str) -> None:
    for method in ("OPTIONS", "CONNECT", "TRACE", "GET"):
        assert 400 <= (await site.ask(method, target)).status < 500


@pytest.mark.parametrize(
    "head",
    ["GET / HTTP/9.9", "get / HTTP/1.1", "GET /\x00 HTTP/1.1", "GET /पम्प HTTP/1.1", "x",
     "GET /api/monitoring/live?serial_number=पम्प HTTP/1.1"],
)  # fmt: skip
async def test_what_is_no_http_is_400(site: Site, head: str) -> None:
    answer = await site.exchange(f"{head}\r\nHost: x\r\n\r\n".encode())
    assert answer.status == 400
    assert not site.told


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 422), ("limit=-1", 422), ("limit=501", 422), ("limit=x", 422), ("limit=1.5", 422),
     ("limit=NaN", 422), ("limit=%00", 422), ("limit=" + "9" * 5000, 422), ("limit=1", 200),
     ("limit=500", 200), ("limit=", 422), ("limit=0&limit=7", 200), ("other=%00", 200),
     ("limit=7&limit=0", 422)],
)  # fmt: skip
async def test_a_limit_is_a_whole_number_up_to_500(site: Site, query: str, status: int) -> None:
    answer = await site.get(f"/api/telemetry?{query}")
    if status == 200:
        assert answer.status == 200
    else:
        assert_problem(answer, status)


async def kinds(site: Site) -> Sequence[tuple[str, Answer]]:
    """One answer of every kind."""
    viewer = site.token()
    hot = "/api/monitoring/progress"
    etag = (await site.get(hot)).header("etag")
    known, origin = [("If-None-Match", etag or "")], [("Origin", FRIEND)]
    asking = [*origin, ("Access-Control-Request-Method", "GET")]
    upgrade = [
        ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]  # fmt: skip
    ask = site.ask
    return [
        ("hot", await site.get(hot)),
        ("hot from elsewhere", await site.get(hot, headers=origin)),
        ("hot, unchanged", await site.get(hot, headers=known)),
        ("framework", await site.get("/api/stats")),
        ("framework, unchanged", await site.get(hot + "?x=1", headers=known)),
        ("400", await site.get("/api/monitoring/live")),
        ("401", await ask("GET", "/api/stats")),
        ("403", await site.get("/schema")),
        ("404", await site.get("/nope")),
        ("405", await site.get("/api/auth/login")),
        ("422", await site.get("/api/telemetry?limit=0")),
        ("500", await site.get("/api/broken")),
        ("503", await site.get("/api/cmms/assets/x")),
        ("page", await ask("GET", "/")),
        ("page, head", await ask("HEAD", "/")),
        ("metrics", await ask("GET", "/metrics")),
        ("health", await ask("GET", "/livez")),
        ("not ready", await ask("GET", "/readyz")),
        ("preflight", await ask("OPTIONS", "/api/stats", headers=asking)),
        ("login", await site.login("x", "y")),
        ("ticket", await ask("POST", "/api/ws-ticket", token=viewer)),
        ("socket refused", await ask("GET", "/ws", headers=upgrade)),
        ("socket nowhere", await ask("GET", "/nope", headers=upgrade)),
    ]


async def broken() -> None:
    raise ZeroDivisionError("division of /etc/ic3/key by zero")


async def test_s28_every_kind_of_answer_carries_the_security_headers() -> None:
    async with serving(routes=(*ROUTES, Route("GET", "/api/broken", broken, EVERYBODY))) as site:
        for kind, answer in await kinds(site):
            for name, value in SECURITY.items():
                assert answer.header(name) == value, f"{kind}: {name}"
            policy = answer.header("content-security-policy") or ""
            assert "frame-ancestors 'none'" in policy, kind
            assert "default-src 'self'" in policy, kind
            assert "unsafe" not in policy, kind
            assert answer.header("server") is None, kind
            etag = answer.header("etag")
            kept = {"page": "no-cache", "page, head": "no-cache"}.get(kind, "no-store")
            expected = "private, no-cache" if etag else kept
            assert answer.header("cache-control") == expected, kind
            if answer.status >= 400 and kind != "not ready":
                assert answer.header("content-type") == "application/problem+json", kind
                assert answer.json()["error"], kind


async def test_the_page_is_served_to_everybody(site: Site) -> None:
    answer = await site.ask("GET", "/")
    assert (answer.status, answer.body) == (200, PAGE)
    head = await site.ask("HEAD", "/")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(PAGE)))


async def test_the_address_of_a_page_answers_the_dashboard_to_a_browser_only(site: Site) -> None:
    browser = [("Accept", "text/html,*/*;q=0.8")]
    answer = await site.ask("GET", "/assets/A%2FB", headers=browser)
    assert (answer.status, answer.body) == (200, PAGE)
    assert_problem(await site.ask("GET", "/assets/A%2FB"), 404)
    assert_problem(await site.ask("GET", "/_ui/gone.js", headers=browser), 404)
    assert_problem(await site.ask("GET", "/api/gone", headers=browser), 404)


FAILURES = [
    StoreError("database: refused with 42601: syntax error at SELECT secret FROM ic3_user"),
    SchemaError("database: its schema is not there; run ic3 migrate"),
    ZeroDivisionError("/opt/ic3/src/ic3/x.py: SELECT secret"),
    KeyError("SELECT secret"),
    ExceptionGroup("two", [ValueError("SELECT secret"), OSError(2, "No such file", "/etc/x")]),
    MemoryError(),
]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_s38_an_unforeseen_error_is_500_with_an_id_and_nothing_of_the_inside(
    error: Exception,
) -> None:
    async def fails() -> None:
        raise error

    async with serving(routes=(*ROUTES, Route("GET", "/api/fails", fails, EVERYBODY))) as site:
        answer = await site.ask("GET", "/api/fails")
        assert_problem(answer, 500)
        assert answer.json()["error"] == "internal error"
        for word in (b"SELECT", b"secret", b"/work", b"ic3_user", b"Traceback", b".py", b"Store"):
            assert word not in answer.body
        (told,) = site.told
        assert isinstance(told, RequestFailed)
        assert told.request_id == answer.header("x-request-id")
        assert type(error).__name__ in told.error


async def test_what_we_raise_ourselves_keeps_its_status_and_headers() -> None:
    async def teapot() -> None:
        raise ApiError(418, "short and stout", "pour", headers={"Retry-After": "7"})

    async def away() -> None:
        raise DatabaseAway("database: connection to /var/run/.s.PGSQL.5432 failed: SELECT")

    routes = (
        Route("GET", "/api/teapot", teapot, EVERYBODY), Route("GET", "/api/away", away, EVERYBODY),
        *ROUTES,
    )  # fmt: skip
    async with serving(routes=routes) as site:
        answer = await site.ask("GET", "/api/teapot")
        assert_problem(answer, 418)
        assert answer.json()["error"] == "short and stout"
        assert answer.header("retry-after") == "7"
        answer = await site.ask("GET", "/api/away")
        assert_problem(answer, 503)
        assert answer.header("retry-after") == "5"
        assert b"PGSQL" not in answer.body
        assert not site.told


async def test_errors_tell_no_version(site: Site) -> None:
    for answer in (
        await site.get("/nope"), await site.ask("GET", "/api/stats"),
        await site.exchange(b"nonsense\r\n\r\n"),
    ):  # fmt: skip
        everything = repr(answer).lower()
        for word in ("litestar", "uvicorn", "python", "httptools", "0.1.0"):
            assert word not in everything


async def test_a_refused_body_leaves_the_connection_usable(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    for _ in range(3):
        size = (1 << 20) + 1
        head = f"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode() + b" " * size)
        async with asyncio.timeout(PATIENCE_S):
            assert (await read_answer(reader)).status == 413
    writer.close()


async def test_half_a_request_delays_nobody(site: Site) -> None:
    halves = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(50)]
    for _, writer in halves:
        writer.write(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(10):
        assert (await site.ask("GET", "/livez")).status == 200
    for _, writer in halves:
        writer.close()


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("10.0.0.1", False), ("::1:2", False), ("::1234", False), ("1270.0.0.1", False),
     ("::ffff:10.0.0.1", False), ("0.0.0.0", False), ("", False)],
)  # fmt: skip
def test_loopback_is_this_machine_only(host: str, local: bool) -> None:
    assert is_here((host, 1)) is local
    assert is_here(None) is False


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartError, match="Address already in use"):
            listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(StartError, match="cannot listen"):
        listen("192.0.2.1", 0)


async def test_an_answer_is_json_whatever_the_caller_accepts(site: Site) -> None:
    for accepted in ("text/html", "application/xml", "*/*", "", "application/x-msgpack"):
        answer = await site.get("/api/stats", headers=[("Accept", accepted)])
        assert answer.header("content-type") == "application/json"
        json.loads(answer.body)


async def test_too_many_requests_are_429_with_the_time_to_wait() -> None:
    async with serving(rate_per_minute=3) as site:
        answers = [await site.get("/api/stats") for _ in range(4)]
        assert [each.status for each in answers] == [200, 200, 200, 429]
        assert answers[0].header("ratelimit-policy") == '"caller";q=3;w=60'
        assert [each.header("ratelimit") for each in answers[:3]] == [
            '"caller";r=2;t=1', '"caller";r=1;t=1', '"caller";r=0;t=1'
        ]  # fmt: skip
        assert answers[3].header("retry-after") == "21"
        assert (await site.get("/api/monitoring/progress")).status == 200
        site.clock.advance(21)
        assert (await site.get("/api/stats")).status == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "x", "gzip, gzip"])
async def test_s25_a_compressed_body_is_refused(site: Site, coding: str) -> None:
    bomb = gzip.compress(b" " * 10_000_000, mtime=0)
    answer = await site.ask(
        "POST", "/api/auth/login", body=bomb,
        headers=[("Content-Type", "application/json"), ("Content-Encoding", coding)],
    )  # fmt: skip
    assert (answer.status, answer.json()["error"]) == (415, "compressed body")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "DEBUG"])
async def test_s39_other_methods_are_refused(site: Site, method: str) -> None:
    assert (await site.ask(method, "/api/stats", token=site.token())).status in {400, 405}
