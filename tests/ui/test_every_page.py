"""What holds of every page: accessible by day and night, in Hindi, on a phone; never too wide."""

from urllib.parse import quote

import pytest
from browsing import DESK, PHONE, Looking
from driven import Product
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.timeout(240)

PAGES = [
    "/",
    "/map",
    "/map?table=1",
    "/assets",
    "/assets/{pump}",
    "/alarms",
    "/ingest",
    "/dma",
    "/dma/DEL-D08",
    "/pumps",
    "/pumps/{pump}",
    "/work-orders",
    "/work-orders?view=board",
    "/work-orders?tab=plans",
    "/work-orders?tab=figures",
    "/work-orders/{order}",
    "/admin/tags",
    "/admin/assets",
    "/admin/parameters",
    "/admin/sla",
    "/admin/users",
    "/admin/system",
    "/admin/audit",
    "/reference?op=post-api-work-orders",
    "/settings",
]


@pytest.fixture(scope="module")
def there(product: Product) -> dict[str, str]:
    """A pump and a work order, for the addresses that name one."""
    pump = product.get("/api/assets/states?kind=pump&state=fresh&limit=1")["states"][0]["serial"]
    wanted = {"serial_number": pump, "title": "Look at the seal", "priority": 2}
    order = product.send("POST", "/api/work-orders", wanted)
    return {"pump": quote(pump, safe=""), "order": str(order["id"])}


def settled(page: Page) -> None:
    """Its heading stands and no panel of it waits for its first answer."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".skeleton")).to_have_count(0)


def longer(path: str) -> str:
    """The address with every text made longer."""
    return f"{path}{'&' if '?' in path else '?'}pseudo=1"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_by_day_and_night_in_hindi_and_on_a_phone(
    inside: Looking, there: dict[str, str], path: str
) -> None:
    page = inside.page
    page.evaluate("localStorage.removeItem('ic3.settings')")
    page.set_viewport_size(DESK)
    inside.at(path.format(**there))
    settled(page)
    found = {"day": inside.axe(), "wide": inside.too_wide()}
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "night")
    found["night"] = inside.axe()
    page.get_by_role("button", name="हिन्दी").click()
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    found["Hindi"] = inside.axe()
    page.set_viewport_size(PHONE)
    found["phone"] = inside.axe()
    found["phone, wide"] = inside.too_wide()
    assert [f"{where}: {each}" for where in found for each in found[where]] == []
    assert inside.troubles() == []


def test_texts_longer_by_two_fifths_fit_every_page(inside: Looking, there: dict[str, str]) -> None:
    page = inside.page
    page.evaluate("localStorage.removeItem('ic3.settings')")
    found = []
    for path in PAGES:
        page.set_viewport_size(DESK)
        page.goto(longer(path.format(**there)))
        settled(page)
        expect(page.get_by_role("banner")).to_contain_text("~~~")
        found += inside.too_wide()
        page.set_viewport_size(PHONE)
        found += inside.too_wide()
    assert found == []
