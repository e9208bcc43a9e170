"""Only pages of the origins on the list, to the letter, may call the API."""

import pytest
from serving import FRIEND, Site, serving

PATHS = ["/api/monitoring/progress", "/api/stats", "/api/nope", "/api/monitoring/live"]
STRANGERS = [
    "null", "https://evil.example", FRIEND + ".evil.example", "https://sub.maps.example.org",
    "http://maps.example.org", FRIEND + ":8443", FRIEND + "/", FRIEND.upper(), "*", "",
    "https://evilmaps.example.org", FRIEND + " https://evil.example", FRIEND + "\t,x",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_on_the_list_may_read(site: Site, path: str) -> None:
    answer = await site.get(path, headers=[("Origin", FRIEND)])
    assert answer.header("access-control-allow-origin") == FRIEND
    assert answer.header("vary") == "Origin"
    assert answer.header("access-control-allow-credentials") is None


@pytest.mark.parametrize("path", PATHS)
async def test_s29_no_other_page_may_read(site: Site, path: str) -> None:
    for stranger in STRANGERS:
        answer = await site.get(path, headers=[("Origin", stranger)])
        assert answer.header("access-control-allow-origin") is None, stranger


async def test_s29_without_a_list_no_page_may_read() -> None:
    async with serving(origins=()) as site:
        for path in PATHS:
            for origin in (FRIEND, "*", "null"):
                answer = await site.get(path, headers=[("Origin", origin)])
                assert answer.header("access-control-allow-origin") is None


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_preflight_of_the_list_is_granted(site: Site, method: str) -> None:
    headers = [
        ("Origin", FRIEND), ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "Authorization, content-type,If-None-Match"),
    ]  # fmt: skip
    answer = await site.ask("OPTIONS", "/api/stats", headers=headers)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == FRIEND
    assert method in (answer.header("access-control-allow-methods") or "")
    assert "authorization" in (answer.header("access-control-allow-headers") or "")
    assert answer.header("access-control-allow-credentials") is None


async def test_s29_no_other_preflight_is_granted(site: Site) -> None:
    for stranger in STRANGERS:
        headers = [("Origin", stranger), ("Access-Control-Request-Method", "GET")]
        answer = await site.ask("OPTIONS", "/api/stats", headers=headers)
        assert 400 <= answer.status < 500, stranger
        assert answer.header("access-control-allow-origin") is None, stranger


@pytest.mark.parametrize(
    ("name", "value"),
    [("Access-Control-Request-Method", "TRACE"), ("Access-Control-Request-Headers", "x-own")],
)
async def test_a_preflight_for_more_than_the_list_is_refused(
    site: Site, name: str, value: str
) -> None:
    answer = await site.ask("OPTIONS", "/api/stats", headers=[("Origin", FRIEND), (name, value)])
    assert answer.status == 400
    assert answer.header("access-control-allow-origin") is None
