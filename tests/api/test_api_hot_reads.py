"""Progress and live: byte for byte, from memory, and the same by either way."""

from asyncio import open_connection, timeout
from pathlib import Path
from urllib.parse import quote

import pytest
from serving import FRIEND, NOW_US, PANEL, Answer, Site, add, fill, read_answer, run

from ic3.domain.mapping import Reading

GOLDEN = Path(__file__).parent / "golden"
PROGRESS = "/api/monitoring/progress"
LIVE = "/api/monitoring/live?serial_number="
# The framework's way adds these; the dates may differ by a second.
OWN = {"date", "x-request-id", "access-control-expose-headers"}
CORS = {"access-control-allow-headers", "access-control-allow-methods"}


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def shown(answer: Answer) -> tuple[int, bytes, set[tuple[str, str]]]:
    kept = {(name, value) for name, value in answer.headers if name not in OWN | CORS}
    if answer.status == 304:
        kept = {(name, value) for name, value in kept if name != "content-type"}
    return answer.status, answer.body, kept


async def test_progress_without_a_run_is_empty_not_null(site: Site) -> None:
    answer = await site.get(PROGRESS)
    assert (answer.status, answer.body) == (200, golden("progress_empty"))


async def test_progress_is_byte_for_byte_the_contract(site: Site) -> None:
    site.runs.add(run(1))
    site.runs.add(run(2, error_msg='gateway: "timeout" after 10 s – पुनः'))
    answer = await site.get(PROGRESS)
    assert (answer.status, answer.body) == (200, golden("progress"))
    assert answer.header("content-type") == "application/json"


async def test_progress_holds_the_last_twenty_runs_newest_first(site: Site) -> None:
    for number in range(1, 26):
        site.runs.add(run(number))
    answer = (await site.get(PROGRESS)).json()
    assert [each["id"] for each in answer["runs"]] == list(range(25, 5, -1))
    assert answer["latest"]["id"] == 25


async def test_live_is_byte_for_byte_the_contract(site: Site) -> None:
    fill(site.latest, PANEL)
    answer = await site.get(LIVE + "C%20Block%20Ranjeet%20Nagar_LT%20Panel_19")
    assert (answer.status, answer.body) == (200, golden("live"))
    assert answer.header("content-type") == "application/json"


async def test_live_of_an_unknown_serial_number_is_empty(site: Site) -> None:
    answer = await site.get(LIVE + "nobody")
    assert (answer.status, answer.body) == (200, golden("live_empty"))


@pytest.mark.parametrize("query", ["", "?", "?serial_number=", "?serial_number", "?other=1"])
async def test_live_without_the_parameter_says_so_with_400(site: Site, query: str) -> None:
    answer = await site.get("/api/monitoring/live" + query)
    assert answer.status == 400
    assert answer.header("content-type") == "application/problem+json"
    assert answer.json()["error"] == "serial_number required"
    assert answer.json()["status"] == 400


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a+b", "a b"), ("a%20b", "a b"), ("a%2Bb", "a+b"), ("a%2Fb", "a/b"), ("a/b", "a/b"),
        ("100%25", "100%"), ("a%3Db=c", "a=b=c"), ("a%26b", "a&b"), ("a;b", "a;b"), ("%23", "#"),
        (quote("पम्प घर १"), "पम्प घर १"), (quote("पम्प घर").lower(), "पम्प घर"), ("a%00b", "a\0b"),
        ("%22%5C", '"\\'),
    ],
)  # fmt: skip
async def test_a_serial_number_may_hold_any_character(site: Site, written: str, meant: str) -> None:
    fill(site.latest, "first", meant)
    hot = await site.get(LIVE + written)
    slow = await site.get(LIVE + written + "&more=1")
    assert hot.status == 200
    assert (hot.json()["serial_number"], hot.json()["count"]) == (meant, 3)
    assert shown(hot) == shown(slow)


@pytest.mark.parametrize("written", ["%ff%fe", "%", "%zz", "%F0%9F"])
async def test_what_is_no_utf8_is_an_unknown_serial_number(site: Site, written: str) -> None:
    hot, slow = await site.get(LIVE + written), await site.get(LIVE + written + "&more=1")
    assert (hot.status, hot.json()["monitoring"]) == (200, [])
    assert shown(hot) == shown(slow)


async def test_of_a_repeated_parameter_the_last_counts(site: Site) -> None:
    fill(site.latest, "a", "b")
    assert (await site.get(LIVE + "a&serial_number=b")).json()["serial_number"] == "b"


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ('"a", {}', 304), ("W/{}", 304), ("*", 304), ('W/"a" ,W/{}', 304), ('"a"', 200),
        ("{}x", 200), ("", 200),
    ],
)  # fmt: skip
async def test_a_body_that_the_client_has_is_not_sent_again(
    site: Site, known: str, status: int
) -> None:
    etag = (await site.get(PROGRESS)).header("etag")
    headers = [("If-None-Match", known.format(etag))]
    twice = [("If-None-Match", '"z"'), *headers]
    for path in (PROGRESS, PROGRESS + "?more=1"):
        assert (await site.get(path, headers=headers)).status == status
        assert (await site.get(path, headers=twice)).status == status


@pytest.mark.parametrize("path", [PROGRESS, LIVE + quote(PANEL), LIVE + "nobody"])
@pytest.mark.parametrize("origin", [FRIEND, "https://evil.example", None])
async def test_both_ways_give_the_same_answer(site: Site, path: str, origin: str | None) -> None:
    fill(site.latest, PANEL)
    site.runs.add(run(1))
    slow_path = path + ("&" if "?" in path else "?") + "more=1"
    headers = [("Origin", origin)] if origin else []
    hot, slow = await site.get(path, headers=headers), await site.get(slow_path, headers=headers)
    assert shown(hot) == shown(slow)
    same = [*headers, ("If-None-Match", hot.header("etag"))]
    hot, slow = await site.get(path, headers=same), await site.get(slow_path, headers=same)
    assert hot.status == 304
    assert shown(hot) == shown(slow)


@pytest.mark.parametrize("path", [PROGRESS, LIVE + "x"])
async def test_head_is_not_in_the_route_table(site: Site, path: str) -> None:
    answer = await site.ask("HEAD", path, token=site.token())
    assert (answer.status, answer.body) == (405, b"")


async def test_progress_has_a_new_etag_after_a_run_only(site: Site) -> None:
    first = await site.get(PROGRESS)
    assert (await site.get(PROGRESS)).header("etag") == first.header("etag")
    site.runs.add(run(1))
    known = [("If-None-Match", first.header("etag"))]
    second = await site.get(PROGRESS, headers=known)
    assert second.status == 200
    assert second.header("etag") != first.header("etag")
    known = [("If-None-Match", second.header("etag"))]
    unchanged = await site.get(PROGRESS, headers=known)
    assert (unchanged.status, unchanged.body) == (304, b"")
    assert unchanged.header("etag") == second.header("etag")
    assert unchanged.header("cache-control") == "private, no-cache"


async def test_live_has_a_new_etag_after_a_reading_of_that_asset_only(site: Site) -> None:
    fill(site.latest, "a", "b")
    before = await site.get(LIVE + "a"), await site.get(LIVE + "b")
    add(site.latest, Reading(12, "FLOW", 3, 7.5, None, NOW_US + 9))
    after = await site.get(LIVE + "a"), await site.get(LIVE + "b")
    assert after[0].header("etag") != before[0].header("etag")
    assert after[0].json()["monitoring"][0]["value_num"] == 7.5
    assert shown(after[1]) == shown(before[1])


async def test_live_follows_a_register_that_was_changed(site: Site) -> None:
    fill(site.latest, "a")
    before = await site.get(LIVE + "a")
    site.latest.register = type(site.latest.register)(2, site.latest.register.assets, {})
    after = await site.get(LIVE + "a")
    assert (before.json()["count"], after.json()["count"]) == (3, 0)
    assert after.header("etag") != before.header("etag")


async def test_many_requests_on_one_connection_are_answered_in_order(site: Site) -> None:
    fill(site.latest, *(f"asset {n}" for n in range(30)))
    head = f"Host: 127.0.0.1:{site.port}\r\nAuthorization: Bearer {site.token()}\r\n\r\n"
    async with timeout(10):
        reader, writer = await open_connection("127.0.0.1", site.port)
        writer.write("".join(f"GET {LIVE}asset+{n} HTTP/1.1\r\n{head}" for n in range(30)).encode())
        answers = [await read_answer(reader) for _ in range(30)]
        writer.close()
    assert [each.json()["serial_number"] for each in answers] == [f"asset {n}" for n in range(30)]
