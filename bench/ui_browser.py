"""What is measured in the browser for `make bench-ui`, and where it is noted."""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from browsing import Looking
from driven import Product, request
from playwright.sync_api import Browser, Page, ViewportSize

PROBE = (Path(__file__).parent / "ui_probe.js").read_text(encoding="utf-8")
SIZE: ViewportSize = {"width": 1280, "height": 800}
POLL_S, BIG_POLL_S = 5, 20
PAGES = [
    "/", "/map", "/assets", "/alarms", "/ingest", "/dma", "/pumps", "/work-orders", "/admin/tags",
    "/admin/assets", "/admin/parameters", "/admin/sla", "/admin/users", "/admin/system",
    "/admin/audit", "/reference", "/settings",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """One goal: `met` is None where there is none or nothing was measured."""

    what: str
    goal: str
    measured: str
    met: bool | None


class Figures:
    """All lines, as they come."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, what: str, goal: str, measured: str, met: bool | None) -> None:
        print(f"ui: {what}: {measured} ({goal})", file=sys.stderr, flush=True)
        self.lines.append(Line(what, goal, measured, met))


def share(found: list[float], part: float) -> float:
    """The value that this part of all does not exceed."""
    ordered = sorted(found)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def spread(found: list[float]) -> str:
    return f"p50 {share(found, 0.5):.0f}, p95 {share(found, 0.95):.0f} ms, n {len(found)}"


@contextmanager
def looking(browser: Browser, product: Product, path: str = "/") -> Iterator[Looking]:
    """A login with the probe in every page of it."""
    context = browser.new_context(viewport=SIZE, base_url=product.base)
    context.add_init_script(PROBE)
    found = Looking(context, host=urlsplit(product.base).netloc)
    found.page.set_default_timeout(60_000)
    found.log_in(path)
    yield found
    context.close()


def until_true(page: Page, expression: str, argument: object = None) -> None:
    """Ask by the debugger's way: the policy of the page forbids what would wait within it."""
    ends = time.monotonic() + 60
    while not page.evaluate(expression, argument):
        assert time.monotonic() < ends, expression
        page.wait_for_timeout(20)


def drawn(page: Page, path: str = "/") -> tuple[float, float]:
    """First contentful paint and the snapshot on the screen, ms after the start of a load."""
    page.goto(path)
    until_true(page, "window.probe.drawn > 0")
    first = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return first, page.evaluate("window.probe.drawn")


def loads(figures: Figures, page: Page, *, assets: str, tries: int, goal_ms: int) -> None:
    found = [drawn(page) for _ in range(tries)]
    first, whole = [each[0] for each in found], [each[1] for each in found]
    figures.add(f"first contentful paint, {assets} assets", "≤ 500 ms p95", spread(first),
                share(first, 0.95) <= 500)  # fmt: skip
    figures.add(f"snapshot drawn, {assets} assets", f"≤ {goal_ms:,} ms p95", spread(whole),
                share(whole, 0.95) <= goal_ms)  # fmt: skip


def frames(page: Page) -> list[dict[str, Any]]:
    """Shared frames that were painted since the load."""
    ops = {"state", "run", "alarm", "ping"}
    return [each for each in page.evaluate("window.probe.frames") if each["op"] in ops]


def ticks(
    figures: Figures, page: Page, *, assets: str, wait_s: float, goals_ms: tuple[int, int]
) -> None:
    """What arrives while nobody touches anything."""
    drawn(page)
    page.wait_for_timeout(3_000)
    page.evaluate("probe.long.length = probe.frames.length = 0")
    page.wait_for_timeout(1000 * wait_s)
    found = [each["painted"] - each["sent"] for each in frames(page)]
    to_pixel, task = goals_ms
    figures.add(f"server send → pixel, {assets} assets", f"≤ {to_pixel} ms p95", spread(found),
                share(found, 0.95) <= to_pixel)  # fmt: skip
    long = [duration for _, duration in page.evaluate("probe.long")]
    words = f"{len(long)} over 50 ms in {wait_s:.0f} s" + (
        f", longest {max(long):.0f} ms" if long else ""
    )
    figures.add(f"long tasks while it ticks, {assets} assets", f"none > {task} ms", words,
                max(long, default=0) <= task)  # fmt: skip


def changes(figures: Figures, page: Page, product: Product, tries: int) -> None:
    """The gateway shows a fault of the plant, the byte of the asset is painted."""
    plant = (product.place / "data" / "plant.address").read_text(encoding="ascii").strip()
    rows = product.get("/api/ui/snapshot")["assets"]
    named = [(row[0], row[1]) for row in rows if "_PT_" in row[1] and row[6] == 0][:tries]
    found = []
    for number, (index, serial) in enumerate(named):
        page.wait_for_timeout(1000 + 700 * (number % POLL_S))
        page.evaluate("probe.frames.length = 0")
        # The gateway shows what has begun from the plant's next tick on.
        shown = 1000 * POLL_S * math.ceil(time.time() / POLL_S)
        fault = {"kind": "bad_quality", "where": serial, "minutes": 1}
        assert request(plant, "POST", "/plant/faults", body=fault)[0] == 200
        until_true(
            page, "index => probe.frames.some(({ text }) => text.includes(`[${index},`))", index
        )
        at = page.evaluate(
            "index => probe.frames.find(({ text }) => text.includes(`[${index},`)).painted", index
        )
        found.append(at - shown)
    limit = 1000 * (POLL_S + 1)
    figures.add("gateway change → pixel", f"≤ poll ({POLL_S} s) + 1 s p95", spread(found),
                share(found, 0.95) <= limit)  # fmt: skip


def pan(figures: Figures, page: Page) -> None:
    """The whole network dragged about."""
    page.goto("/map")
    page.wait_for_timeout(4_000)
    box = page.locator("canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate("probe.ticks.length = 0")
    for step in range(120):
        page.mouse.move(x + step % 60, y + step % 40)
    found = page.evaluate("probe.ticks")
    page.mouse.up()
    figures.add("map pan, 100,260 assets, time from frame to frame", "p95 ≤ 33 ms", spread(found),
                share(found, 0.95) <= 33)  # fmt: skip


def seconds(wait: Callable[[], object]) -> float:
    begun = time.monotonic()
    wait()
    return time.monotonic() - begun


def lost(figures: Figures, page: Page, product: Product) -> None:
    """The server stops answering without a close, then is killed and started again."""
    banner = page.get_by_role("alert").filter(has_text="Connection to the server lost")
    live = page.get_by_text("Live", exact=True)
    drawn(page)
    live.wait_for()
    os.kill(product.pid, signal.SIGSTOP)
    silent = seconds(banner.wait_for)
    os.kill(product.pid, signal.SIGCONT)
    live.wait_for()
    figures.add("link silent without a close → banner", "≤ 12 s", f"{silent:.1f} s", silent <= 12.5)
    begun = time.monotonic()
    product.kill()
    killed = seconds(banner.wait_for)
    page.locator(".tiles .old").first.wait_for()
    stale = time.monotonic() - begun
    product.start().line(r"\bserving  address=", 60)
    back = seconds(live.wait_for)
    figures.add("server killed → banner", "≤ 6 s", f"{killed:.1f} s", killed <= 6)
    figures.add("server killed → all stale", f"≤ poll ({POLL_S} s) + 5 s", f"{stale:.1f} s",
                stale <= POLL_S + 5)  # fmt: skip
    figures.add("started again → live, without a reload", "≤ 5 s", f"{back:.1f} s", back <= 5)


def soak(figures: Figures, page: Page, minutes: float) -> None:
    """The overview stays open."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def heap() -> float:
        session.send("HeapProfiler.collectGarbage")
        found = session.send("Performance.getMetrics")["metrics"]
        return float({each["name"]: each["value"] for each in found}["JSHeapUsedSize"]) / 2**20

    drawn(page)
    page.wait_for_timeout(30_000)
    before = heap()
    page.evaluate("probe.ticks.length = probe.frames.length = 0")
    for _ in range(max(1, int(minutes))):
        page.wait_for_timeout(60_000)
        # The probe's own notes are no growth of the page.
        page.evaluate("probe.ticks.length = probe.frames.length = 0")
    after = heap()
    grown = 100 * (after / before - 1)
    is_live = page.get_by_text("Live", exact=True).is_visible()
    span = "8 h" if minutes >= 480 else f"{minutes:g} min, shortened from 8 h"
    figures.add(f"heap growth over {span}",
                "≤ 10 %, page still live", f"{before:.1f} → {after:.1f} MiB, {grown:+.1f} %",
                grown <= 10 and is_live)  # fmt: skip


def visits(figures: Figures, seen: Looking) -> None:
    for path in PAGES:
        seen.page.goto(path)
        seen.page.wait_for_load_state("networkidle")
    troubles = seen.troubles()
    what = f"requests to other hosts, breaches of the policy, errors of scripts, {len(PAGES)} pages"
    figures.add(what, "0", str(len(troubles)), not troubles)  # fmt: skip
