"""Eight pictures of the dashboard against those that are kept, with plant and clock standing still.

The server is the real one; of the socket's frames those that move are replaced. The pictures show
fonts, colours, signs and layout of whole pages: look at each before new ones are committed.
"""

import io
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from browsing import DESK, PHONE, profile
from driven import Product, place
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, WebSocketRoute
from ui_browser import Figures

KEPT: Final = Path(__file__).resolve().parents[1] / "docs" / "results" / "ui-pictures"
AT_MS: Final = 1_781_487_703_000
AT: Final = "2026-06-15T01:41:43Z"
# A pixel is another where a channel is off by more; the files have no more colours than 255.
STEP: Final = 40
SHARE: Final = 0.005
COLOURS: Final = 255
# One of each sign: priorities waiting and acknowledged, fresh and stale; lives; quality.
STATES: Final = [0, 64, 8, 16, 24, 32, 40, 129, 130, 131, 132, 1, 2, 3, 4, 137, 138, 139, 140]
ASSETS: Final = [
    [number, f"Asset_{number}", "pump", None, 77.0 + number % 5 * 0.05, 28.52 + number // 5 * 0.05,
     state]
    for number, state in enumerate(STATES)
]  # fmt: skip
ALARM: Final[dict[str, Any]] = {
    "source_kind": "dma", "source": "DEL-D01-A1", "condition": "high", "active": True,
    "domain": "DEL-D01", "dma_id": "DEL-D01-A1", "tag": None, "value": 4.5, "limit": 4.0,
    "unit": "mm/s", "rule_id": 1, "raised_at": "2026-06-15T01:30:00Z", "returned_at": None,
    "acknowledged_at": None, "acknowledged_by": None, "cleared_at": None, "flaps": 0,
    "comments": 0, "held": None, "hold_id": None, "evidence": {}, "version": 1,
}  # fmt: skip
ALARMS: Final = [
    {**ALARM, "id": number, "priority": number, "state": "unacknowledged",
     "text": f"Vibration high: 4.5 mm/s, limit {number} mm/s"}
    for number in (1, 2, 3, 4)
]  # fmt: skip
RUNS: Final = [
    {"id": 20 - number, "run_at": f"2026-06-15T01:{41 - number}:40Z", "keys_scanned": 557,
     "matched": 541, "unmatched": 16, "rows_inserted": 2700 - number % 3 * 300, "tags_skipped": 89,
     "duration_ms": 300 + number % 4 * 100}
    for number in range(20)
]  # fmt: skip
NOW: Final = {"t": AT_MS, "alarms_evaluated_at": AT, "last_run_at": AT}
STILL: Final[dict[str, dict[str, Any]]] = {
    "hello": NOW, "ping": NOW,
    "snapshot": {"t": AT_MS, "assets": ASSETS, "alarms": ALARMS, "runs": RUNS},
}  # fmt: skip
VIEWS: Final[list[tuple[str, str, ViewportSize, dict[str, Any]]]] = [
    ("overview-day", "/", DESK, {}),
    ("overview-night", "/", DESK, {"theme": "night"}),
    ("overview-phone-hindi", "/", PHONE, {"language": "hi"}),
    ("map", "/map", DESK, {}),
    ("map-table-large", "/map?table=1", DESK, {"scale": 125}),
    ("settings-night-hindi", "/settings", DESK, {"theme": "night", "language": "hi"}),
]


def pictures(figures: Figures, browser: Browser, *, anew: bool) -> None:
    """Take all pictures; compare them with those kept, or keep them."""
    off = {}
    with place() as where, Product(where, "demo", MONITORING_POLL_INTERVAL="2") as product:
        product.start().line("done in")
        product.until_ready()
        for name, seen in _all(browser, product):
            off[name] = _kept(name, seen) if anew else _difference(name, seen)
    if anew:
        return
    worst = max(off, key=lambda name: off[name])
    figures.add(
        f"{len(off)} pictures with a clock and a plant that stand still", "difference ≤ 0.5 %",
        f"largest {off[worst]:.2%} ({worst})", off[worst] <= SHARE,
    )  # fmt: skip


def _all(browser: Browser, product: Product) -> list[tuple[str, Image.Image]]:
    taken = []
    for looking in profile(browser, product):
        page = looking.page
        page.clock.set_fixed_time(AT)
        page.route_web_socket("**/ws/v1**", _between)
        page.goto("/login")
        page.get_by_label("Password").wait_for()
        taken.append(("login", _picture(page)))
        looking.log_in("/settings")
        for name, path, size, settings in VIEWS:
            page.set_viewport_size(size)
            page.evaluate(
                "kept => localStorage.setItem('ic3.settings', kept)", json.dumps(settings)
            )
            page.goto(path)
            page.locator(".lamp").wait_for()
            taken.append((name, _picture(page)))
        page.set_viewport_size(DESK)
        page.evaluate("localStorage.removeItem('ic3.settings')")
        page.goto("/settings")
        page.locator(".lamp").wait_for()
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        taken.append(("keys", _picture(page)))
    return taken


def _between(socket: WebSocketRoute) -> None:
    """Pass on what the server says, of the plant that stands still."""

    def pass_on(frame: str | bytes) -> None:
        message: dict[str, Any] = json.loads(frame)
        if message["op"] in STILL:
            socket.send(json.dumps(message | STILL[message["op"]]))

    socket.connect_to_server().on_message(pass_on)


def _picture(page: Page) -> Image.Image:
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => 0)")
    page.wait_for_timeout(1000)
    shot = page.screenshot(animations="disabled", caret="hide")
    return Image.open(io.BytesIO(shot)).convert("RGB")


def _kept(name: str, seen: Image.Image) -> float:
    KEPT.mkdir(exist_ok=True)
    few = seen.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(KEPT / f"{name}.png", optimize=True)
    return 0.0


def _difference(name: str, seen: Image.Image) -> float:
    """Share of the pixels that are another; all where the size is another."""
    kept = Image.open(KEPT / f"{name}.png").convert("RGB")
    if seen.size != kept.size:
        return 1.0
    both = [np.asarray(each, dtype=np.int16) for each in (seen, kept)]
    return float((np.abs(both[0] - both[1]).max(axis=2) > STEP).mean())
