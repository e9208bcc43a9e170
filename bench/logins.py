"""`make bench-logins`: what logins cost others.

The whole program with the simulated plant on loopback. Four connections ask for the progress of the
feed, which stands in memory, and for a page of assets, which PostgreSQL answers, each 25 times a
second; their answers are timed while nobody logs in and while one, two and four people log in again
and again, in turns, so that all meet the same weather.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvloop
from live import PASSWORD, call, product

RESULTS: Final = Path(__file__).resolve().parent.parent / "docs" / "results"
PATHS: Final = ("/api/monitoring/progress", "/api/assets?limit=50")
CONNECTIONS: Final = 4
PAUSE_S: Final = 0.04
AT_ONCE: Final = (0, 1, 2, 4)
TURN_S: Final = 1.5
BOUND: Final = 2.0
USER: Final = {"username": "admin", "password": PASSWORD}


@dataclass(slots=True)
class Times:
    """Of one load: how long the requests of others took, and the logins, in ms."""

    others: dict[str, list[float]] = field(default_factory=dict)
    logins: list[float] = field(default_factory=list)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> float:
    """One request and its answer, in ms."""
    began = time.perf_counter()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    assert head.startswith("http/1.1 200"), head
    await reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
    return (time.perf_counter() - began) * 1000


async def repeat(
    port: int, request: bytes, times: list[float], ends: float, pause: Callable[[], Awaitable[None]]
) -> None:
    """One connection that asks again and again until the turn ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < ends:
        times.append(await exchange(reader, writer, request))
        await pause()
    writer.close()


def get(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def login() -> bytes:
    body = json.dumps(USER)
    return (
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def turn(port: int, token: str, at_once: int, times: Times) -> None:
    """So many log in while others ask."""
    ends = time.perf_counter() + TURN_S
    async with asyncio.TaskGroup() as group:
        for path in PATHS:
            found = times.others.setdefault(path, [])
            for _ in range(CONNECTIONS // len(PATHS)):
                asking = repeat(port, get(path, token), found, ends, lambda: asyncio.sleep(PAUSE_S))
                group.create_task(asking)
        for _ in range(at_once):
            again = repeat(port, login(), times.logins, ends, lambda: asyncio.sleep(0))
            group.create_task(again)


async def measure(port: int, token: str, rounds: int) -> dict[int, Times]:
    found = {at_once: Times() for at_once in AT_ONCE}
    await turn(port, token, 1, Times())  # what is made at the first request is made
    for _ in range(rounds):
        for at_once, times in found.items():
            await turn(port, token, at_once, times)
    return found


def p(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def figures(found: dict[int, Times]) -> dict[str, Any]:
    quiet = found[0].others
    rows = []
    for at_once, times in found.items():
        row: dict[str, Any] = {"at_once": at_once, "logins": len(times.logins)}
        if times.logins:
            row["login_ms"] = {"p50": p(times.logins, 50), "p99": p(times.logins, 99)}
        row["others"] = {
            path: {
                "requests": len(each), "p50_ms": p(each, 50), "p99_ms": p(each, 99),
                "ratio_p99": p(each, 99) / p(quiet[path], 99),
            }
            for path, each in times.others.items()
        }  # fmt: skip
        rows.append(row)
    return {"rows": rows}


def page_of(found: dict[str, Any]) -> str:
    lines = [
        "# Logins beside other requests", "",
        f"Of {found['at']}, {found['machine']}, load average {found['load_5min']:.1f} during the"
        f" run: above the number of cores the tails are those of waiting for a core, and the ratio"
        f" decides nothing. Milliseconds; {found['rounds']} turns of"
        f" {TURN_S:g} s for each number of logins at once. Written by `make bench-logins`.", "",
        f"Bound: the p99 of others at most {BOUND:g} times that without logins.", "",
        "| at once | logins | login p50 | login p99 | request | p50 | p99 | ratio of p99 |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in found["rows"]:
        mine = row.get("login_ms", {})
        spoken = [f"{mine[each]:.0f}" if mine else "" for each in ("p50", "p99")]
        lines += [
            f"| {row['at_once']} | {row['logins']} | {spoken[0]} | {spoken[1]} | `{path}` |"
            f" {each['p50_ms']:.1f} | {each['p99_ms']:.1f} | {each['ratio_p99']:.2f} |"
            for path, each in row["others"].items()
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    with product(16, 60.0) as (_, port, _):
        token = call(f"http://127.0.0.1:{port}/api/auth/login", USER)["access_token"]
        found = figures(uvloop.run(measure(port, token, arguments.rounds)))
    found |= {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "rounds": arguments.rounds,
        "machine": f"{os.cpu_count()} shared cores, {platform.machine()}",
        "load_5min": os.getloadavg()[1],
    }  # fmt: skip
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "logins.json").write_text(json.dumps(found, indent=1) + "\n")
    (arguments.results / "logins.md").write_text(page_of(found))
    print(page_of(found))
    return int(
        any(each["ratio_p99"] > BOUND for row in found["rows"] for each in row["others"].values())
    )


if __name__ == "__main__":
    raise SystemExit(main())
