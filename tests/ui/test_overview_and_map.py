"""The overview and the map, whose equal in words is its table."""

import re

import pytest
from browsing import Looking
from driven import Product, request
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)

PUMP = "Shadipur_Pump_21"
HOSTILE = '<img src=x onerror="window.hit=1">/50 % ?#\u202epmup'
NIGHT = '{"theme":"night","language":"hi"}'


def test_tiles_lead_to_the_list_of_what_they_count(inside: Looking) -> None:
    page = inside.at("/")
    tile = page.get_by_role("link", name=re.compile("assets in alarm"))
    expect(tile).to_contain_text(" s ago")
    tile.click()
    expect(page).to_have_url(re.compile(r"/map\?table=1&state=alarm$"))
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_the_selection_is_the_address(inside: Looking) -> None:
    page = inside.at(f"/?sel={PUMP}")
    panel = page.get_by_role("region", name=PUMP)
    expect(panel.get_by_role("button", name="Bearing temperature")).to_be_visible()
    expect(panel).to_contain_text("quality GOOD")
    expect(panel.get_by_role("heading", name="Open work orders")).to_be_visible()


def test_keys_read_the_runs(inside: Looking) -> None:
    page = inside.at("/")
    runs = page.get_by_role("slider", name="Run")
    runs.press("Home")
    expect(runs).to_have_attribute("aria-valuenow", "1")
    expect(runs).to_have_attribute("aria-valuetext", re.compile(r"IST: .* of 557 keys"))


def test_the_table_holds_as_many_assets_as_the_map(inside: Looking) -> None:
    page = inside.at("/map?kind=transformer")
    drawn = page.get_by_role("img", name=re.compile("100 assets shown"))
    expect(drawn).to_be_visible()
    page.get_by_role("button", name="Table", exact=True).click()
    expect(page.get_by_text("1–50 of 100")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(51)


def test_the_key_changes_between_map_and_table(inside: Looking) -> None:
    page = inside.at("/map")
    page.keyboard.press("Shift+T")
    expect(page.get_by_role("table", name="Table")).to_be_visible()
    page.keyboard.press("Shift+T")
    expect(page.get_by_role("img", name=re.compile("Network map"))).to_be_visible()


def test_keys_move_the_map_and_the_address_with_it(inside: Looking) -> None:
    page = inside.at("/map")
    drawn = page.get_by_role("img", name=re.compile("Network map"))
    drawn.press("+")
    drawn.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"view=77\.\d+%2C28\.\d+%2C\d+"))
    drawn.press("0")
    expect(page).to_have_url(re.compile(r"/map$"))


def test_what_has_no_place_is_listed_with_the_reason(inside: Looking, product: Product) -> None:
    asset = {"serialnumber": HOSTILE, "category": "pump", "longitude": 12.5, "latitude": 41.9}
    request(product.base, "POST", "/api/assets", body=asset, token=product.token)
    page = inside.at("/map")
    page.get_by_role("button", name="Not on the map").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("row", name=HOSTILE)).to_contain_text("outside")
    assert page.evaluate("window.hit") is None


def test_the_map_is_drawn_by_flow_as_it_was(inside: Looking) -> None:
    page = inside.at("/map?by=flow&at=2001-01-01T00:00:00Z")
    expect(page.get_by_text("No asset has such a value.")).to_be_visible()
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.get_by_role("list", name="Legend")).to_contain_text("m³/h")


@pytest.mark.parametrize("path", ["/map?by=flow", "/map?table=1", f"/map?sel={PUMP}"])
def test_the_map_is_accessible_by_day(inside: Looking, path: str) -> None:
    page = inside.at(path)
    expect(page.get_by_role("button", name=re.compile("Not on the map"))).to_be_visible()
    assert inside.axe() == []


@pytest.mark.parametrize("path", [f"/?sel={PUMP}", f"/map?sel={PUMP}", "/map?table=1"])
def test_overview_and_map_are_accessible_by_night_in_hindi_on_a_phone(
    looking: Looking, path: str
) -> None:
    page = looking.log_in("/settings")
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("kept => localStorage.setItem('ic3.settings', kept)", NIGHT)
    page.goto(path)
    expect(page.get_by_role("button", name=re.compile("मानचित्र पर नहीं"))).to_be_visible()
    assert looking.axe() == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
