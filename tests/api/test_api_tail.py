"""`ic3 tail` against the real server."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from serving import SECRET, Site, envelope, serving, until

from ic3.cli.client import running_server
from ic3.cli.tail import Line, Reader, Tail, Wish, as_json, as_text, safe
from ic3.domain.envelope import Envelope, parse
from ic3.errors import LoginError, ServerAway
from ic3.settings import Settings

DELHI = ZoneInfo("Asia/Kolkata")
HOSTILE = "x\x1b[31m\r\n\u202eevil\u2028\x00\x07\x9b"


def made(asset: str, **fields: Any) -> Envelope:
    values = fields.pop("values", {"FLOW": 12.5})
    text = json.dumps(
        {"record_id": "r", "asset_id": asset, "domain": "DEL-D07", "quality": "GOOD",
         "alarm": "NORMAL", "occurred_at": "2026-06-15T01:41:59.123456789Z", **fields,
         "values": values}
    )  # fmt: skip
    return parse(asset, text, received_us=1, content_hash=b"")


@asynccontextmanager
async def tailing(
    site: Site, place: Path, wish: Wish | None = None, *, secret: str = SECRET
) -> AsyncIterator[tuple[list[Line], list[str]]]:
    lines, talk = list[Line](), list[str]()
    settings = Settings(data_dir=place, jwt_secret=secret, port=site.port)
    server = running_server(settings, site.clock)
    tail = Tail(server, Reader(wish or Wish()), lines.append, talk.append, life_s=60)
    task = asyncio.create_task(tail.follow())
    await asyncio.wait({task, asyncio.create_task(_clients(site))},
                       return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
    try:
        yield lines, talk
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def _clients(site: Site) -> None:
    await site.settle(1)


async def test_each_change_is_a_line_with_its_differences(site: Site, tmp_path: Path) -> None:
    async with tailing(site, tmp_path) as (lines, talk):
        site.hub.publish([made("PUMP_7", values={"FLOW": 12.5, "MODE": "auto", "ON": True})])
        site.hub.publish(
            [made("PUMP_7", values={"FLOW": 12.75, "MODE": "hand", "ON": True, "NEW": None},
                  quality="BAD", alarm="LOW")]
        )  # fmt: skip
        site.hub.publish([made("PUMP_7", values={"FLOW": 12.75, "MODE": "hand", "ON": True})])
        await until(lambda: len(lines) == 3)
    head = "2026-06-15 07:11:59.123+0530  PUMP_7"
    assert [as_text(each, DELHI) for each in lines] == [
        f"{head}  FLOW 12.5  MODE auto  ON true  quality GOOD  alarm NORMAL",
        f"{head}  FLOW 12.75 (+0.25)  MODE hand (was auto)  NEW null  quality BAD  alarm LOW",
        f"{head}  no value changed  quality GOOD  alarm NORMAL",
    ]
    assert [each.is_abnormal for each in lines] == [False, True, False]
    assert json.loads(as_json(lines[1])) == {
        "occurred_at": "2026-06-15T01:41:59.123456+00:00", "asset_id": "PUMP_7",
        "domain": "DEL-D07", "quality": "BAD", "alarm": "LOW",
        "changed": {
            "FLOW": {"value": 12.75, "before": 12.5, "difference": 0.25},
            "MODE": {"value": "hand", "before": "auto", "difference": None},
            "NEW": {"value": None, "before": None, "difference": None},
        },
    }  # fmt: skip
    assert talk == []


@pytest.mark.parametrize(
    ("wish", "expected"),
    [(Wish(), "AAB"), (Wish(asset="B"), "B"), (Wish(domain="DEL-D08"), "B"),
     (Wish(tag="MODE"), "B"), (Wish(only_alarms=True), "AA"), (Wish(asset="C"), "")],
)  # fmt: skip
async def test_only_what_is_asked_for(
    site: Site, tmp_path: Path, wish: Wish, expected: str
) -> None:
    async with tailing(site, tmp_path, wish) as (lines, _):
        site.hub.publish([made("A", alarm="LOW")])
        site.hub.publish([made("A", alarm="NORMAL")])
        site.hub.publish([made("B", domain="DEL-D08", values={"MODE": "auto"})])
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await until(lambda: len(lines) > len(expected))
    assert "".join(each.asset for each in lines) == expected


async def test_a_district_area_is_looked_up_in_the_register(fresh_dsn: str, tmp_path: Path) -> None:
    import psycopg

    with psycopg.connect(fresh_dsn, autocommit=True) as sql:
        sql.execute(
            "INSERT INTO ic3_asset_master (serialnumber, dma_id) VALUES ('A / 1', 'D-1'),"
            " ('B', 'D-2')"
        )
    async with (
        serving(fresh_dsn) as site,
        tailing(site, tmp_path, Wish(dma="D-1")) as (lines, _),
    ):
        site.hub.publish([made("B"), made("unknown"), made("A / 1")])
        await until(lambda: len(lines) == 1)
        assert lines[0].asset == "A / 1"


async def test_s41_hostile_text_is_escaped(site: Site, tmp_path: Path) -> None:
    values = {"NOTE": HOSTILE.replace("\0", "")}
    async with tailing(site, tmp_path) as (lines, _):
        site.hub.publish([made("A", values=values, quality="\x1b[2J", alarm="a\u202e\r\n")])
        await until(lambda: len(lines) == 1)
    for text in (as_text(lines[0], DELHI), as_json(lines[0]), safe(HOSTILE)):
        assert text.isprintable()
    assert as_json(lines[0]).isascii()
    assert len(safe("x" * 5000)) == 201


async def test_a_lost_connection_is_said_and_made_again(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ic3.cli.tail.FIRST_PAUSE_S", 0.01)
    async with tailing(site, tmp_path) as (lines, talk):
        for client in list(site.hub._clients):
            client.writer.close(1013, "too slow; connect again \x1b[31m")
        await until(lambda: "tail: connected again" in talk)
        await site.settle(1)
        site.hub.publish([envelope("A")])
        await until(lambda: len(lines) == 1)
    assert talk[0].startswith("tail: too slow; connect again \\x1b[31m; trying again in 0.0 s")
    assert "what comes meanwhile is not shown" in talk[0]


async def test_a_server_that_is_away_or_does_not_know_us_ends_it(
    site: Site, tmp_path: Path
) -> None:
    with pytest.raises(LoginError):
        async with tailing(site, tmp_path, secret="y" * 40):
            pass
    site.port = 1
    with pytest.raises(ServerAway):
        async with tailing(site, tmp_path):
            pass


def test_what_is_no_envelope_is_left_out() -> None:
    reader = Reader(Wish())
    for frame in ("", "{", "[]", "{}", '{"occurred_at":"x","asset_id":"a","values":{}}', "null"):
        assert reader.read(frame) is None
    last = '{"occurred_at":"9999-12-31T23:59:59Z","asset_id":"a","values":{}}'
    line = reader.read(last)
    assert line is not None
    assert as_text(line, DELHI).startswith("9999-12-31 23:59:59")


COLOURS = """
import sys
from pathlib import Path
from ic3.cli.tail import Line, _text_putter
from ic3.settings import Settings
from datetime import datetime, UTC
put = _text_putter(Settings(data_dir=Path("/nowhere")), None, plain="plain" in sys.argv)
at = datetime(2026, 6, 15, tzinfo=UTC)
put(Line(at, "good", "", {}, "GOOD", "NORMAL"))
put(Line(at, "bad", "", {}, "BAD", "LOW"))
"""


def on_a_terminal(*arguments: str, **environment: str) -> list[bytes]:
    """What a program writes to a terminal, line by line."""
    ours, theirs = pty.openpty()
    clean = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(
        [sys.executable, "-c", COLOURS, *arguments], stdout=theirs, check=True,
        env={**clean, "TERM": "xterm-256color", **environment},
    )  # fmt: skip
    os.close(theirs)
    written = b""
    with suppress(OSError):
        while part := os.read(ours, 65536):
            written += part
    os.close(ours)
    return written.splitlines()


def test_colour_is_for_the_abnormal_on_a_terminal_only() -> None:
    good, bad = on_a_terminal()
    assert b"\x1b" not in good
    assert b"\x1b[" in bad
    assert b"quality BAD" in bad
    for lines in (on_a_terminal("plain"), on_a_terminal(NO_COLOR="1")):
        assert not any(b"\x1b[31" in line or b"\x1b[1;31" in line for line in lines)
    piped = subprocess.run([sys.executable, "-c", COLOURS], capture_output=True, check=True)
    assert b"\x1b" not in piped.stdout
