"""The wall display, and what comes out of the printer."""

from collections.abc import Iterator

import pytest
from browsing import DESK, Looking
from driven import Product, until
from playwright.sync_api import ViewportSize, expect

pytestmark = pytest.mark.timeout(240)

PUMP = "Shadipur_Pump_21"
A4: ViewportSize = {"width": 703, "height": 1032}  # within its margins
# Whether something is drawn that is neither black, white nor nearly grey.
COLOURED = """() => [...document.querySelectorAll("main canvas")].some((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) {
    const [low, high] = [Math.min(data[at], data[at + 1], data[at + 2]),
      Math.max(data[at], data[at + 1], data[at + 2])];
    if (data[at + 3] > 128 && high - low > 60) return true;
  }
  return false;
})"""
PAGES = [
    f"/?sel={PUMP}", f"/map?sel={PUMP}", "/map?table=1", "/assets?kind=pump", f"/assets/{PUMP}",
    "/alarms", "/alarms?tab=kpi", "/ingest", "/dma", "/pumps", "/work-orders", "/admin/users",
    "/admin/system", "/admin/audit",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def alarm(product: Product) -> Iterator[None]:
    """A critical alarm, which a screen shows in colour."""
    rule = {
        "name": "on paper", "kind": "high", "parameter": "BRG_TEMP", "serial": PUMP,
        "limit": -1000.0, "priority": 1, "text": "on paper", "on_delay_s": 0,
    }  # fmt: skip
    number = product.send("POST", "/api/alarm-rules", rule)["id"]
    until(lambda: product.get("/api/alarms?q=on%20paper")["alarms"], what="the alarm")
    yield
    product.send("DELETE", f"/api/alarm-rules/{number}")


@pytest.mark.parametrize("size", [(1920, 1080), (3840, 2160)])
def test_the_wall_display_shows_all_at_once_and_leads_back(
    looking: Looking, size: tuple[int, int]
) -> None:
    page = looking.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    looking.log_in("/?kiosk=1")
    expect(page.get_by_role("navigation")).to_have_count(0)
    expect(page.get_by_role("img", name="Network map")).to_be_visible()
    expect(page.get_by_role("heading", name="Alarms", exact=True)).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("slider", name="Run")).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert looking.axe() == []
    page.get_by_role("button", name="Leave the wall display").click()
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()


def test_a_screen_shows_an_alarm_in_colour(inside: Looking) -> None:
    page = inside.at("/map")
    expect(page.get_by_role("img", name="Network map")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(COLOURED)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_printed_whole_black_on_white_with_who_and_when(
    inside: Looking, path: str
) -> None:
    page = inside.page
    page.emulate_media(media="screen")
    page.set_viewport_size(DESK)
    page.evaluate("kept => localStorage.setItem('ic3.settings', kept)", '{"theme":"night"}')
    inside.at(path)
    page.wait_for_load_state("networkidle")
    page.set_viewport_size(A4)
    page.emulate_media(media="print")
    expect(page.get_by_text("SIMULATED PLANT")).to_be_visible()
    expect(page.get_by_text("by admin from http")).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages")).to_be_hidden()
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator("h1")).to_have_css("color", "rgb(0, 0, 0)")
    assert inside.too_wide() == []
    assert page.evaluate(COLOURED) is False
