"""The list of assets, and one asset: what they show, filter and say where nothing is known."""

import csv
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import Looking
from driven import PASSWORD, Product, request
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)

VALVE = "Patel Road_Baljeet Nagar_SV_92"
SILENT = "Azadpur_BFM_123"
HOSTILE = "पम्प/घर % # ? <img src=x onerror=alert(1)> \u202eabc"


def test_the_list_is_filtered_sorted_and_paged_by_its_address(inside: Looking) -> None:
    page = inside.at("/assets")
    page.get_by_label("Kind").select_option("pump")
    expect(page).to_have_url(re.compile(r"\?kind=pump$"))
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows.first).to_contain_text("pump")
    page.get_by_role("button", name="Asset", exact=True).click()
    expect(page).to_have_url(re.compile("sort=-serial"))
    expect(rows.first).to_contain_text("West Patel")
    first = rows.first.get_by_role("link").inner_text()
    page.get_by_role("button", name="Next page").click()
    expect(page).to_have_url(re.compile("cursor="))
    expect(rows.first.get_by_role("link")).not_to_have_text(first)
    page.go_back()
    expect(rows.first.get_by_role("link")).to_have_text(first)


def test_keys_go_through_the_rows_and_open_one(inside: Looking) -> None:
    page = inside.at("/assets?kind=pump&sort=serial")
    links = page.get_by_role("table").locator("tbody tr").get_by_role("link")
    expect(links.first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(links.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/assets/[^?]+$"))


def test_the_file_of_the_list_has_its_filters(inside: Looking, tmp_path: Path) -> None:
    page = inside.at("/assets?state=never_seen&kind=pump")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    download.value.save_as(tmp_path / "assets.csv")
    with (tmp_path / "assets.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(each["state"], each["kind"]) for each in rows} == {("never_seen", "pump")}


def test_an_asset_shows_its_values_and_the_trend_of_the_one_that_is_pressed(
    inside: Looking,
) -> None:
    page = inside.at(f"/assets/{quote(VALVE)}")
    expect(page.get_by_role("heading", level=1)).to_have_text(VALVE)
    expect(page.get_by_text(re.compile("Last data .* IST"))).to_be_visible()
    card = page.get_by_role("button", name=re.compile("^Work order status"))
    card.click()
    expect(page).to_have_url(re.compile("tag=WO_STS"))
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name=re.compile("Trend of Work order status"))).to_be_visible()


@pytest.mark.parametrize(
    ("tab", "shown"),
    [
        ("alarms", "Alarms"),
        ("orders", "Work orders"),
        ("health", "Health"),
        ("register", "Tags and what they measure"),
        ("raw", "Raw envelope"),
    ],
)
def test_every_view_of_an_asset_is_accessible(inside: Looking, tab: str, shown: str) -> None:
    page = inside.at(f"/assets/{quote(VALVE)}?tab={tab}")
    expect(page.get_by_role("heading", name=shown, level=2)).to_be_visible()
    assert inside.axe() == []


def test_an_asset_that_never_spoke_says_so_with_its_key(inside: Looking) -> None:
    page = inside.at(f"/assets/{SILENT}")
    expect(page.get_by_text("No reading has ever arrived for this asset.")).to_be_visible()
    key = f"Its key ic3:latest:{SILENT} has never been listed."
    expect(page.get_by_text(key)).to_be_visible()


def test_an_unknown_asset_is_said(inside: Looking) -> None:
    page = inside.at("/assets/nobody%2Fat%20all")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such asset")
    expect(page.get_by_text("nobody/at all")).to_be_visible()


def test_a_hostile_serial_number_is_text_and_round_trips(inside: Looking, product: Product) -> None:
    made = {"serialnumber": HOSTILE, "name": "N" * 300}
    assert request(product.base, "POST", "/api/assets", body=made, token=product.token)[0] == 201
    page = inside.at(f"/assets/{quote(HOSTILE, safe='')}?tab=register")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.get_by_text("N" * 300).first).to_be_visible()
    page.get_by_role("button", name="Pin", exact=True).click()
    page.goto("/assets")
    page.get_by_role("navigation", name="Pinned").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.get_by_role("button", name="Unpin").click()
    assert page.locator("img").count() == 0


def test_a_pinned_asset_stands_above_the_list(looking: Looking) -> None:
    page = looking.log_in(f"/assets/{quote(VALVE)}")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.goto("/assets")
    pinned = page.get_by_role("navigation", name="Pinned")
    expect(pinned.get_by_role("link", name=VALVE)).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/assets", f"/assets/{quote(VALVE)}", "/alarms", "/alarms?tab=kpi"]
)
def test_a_page_fits_a_phone_by_night_in_hindi(looking: Looking, path: str) -> None:
    page = looking.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/login")
    kept = '{"theme":"night","language":"hi"}'
    page.evaluate("kept => localStorage.setItem('ic3.settings', kept)", kept)
    page.goto(path)
    page.get_by_label("पासवर्ड").fill(PASSWORD)
    page.get_by_label("उपयोगकर्ता नाम").fill("admin")
    page.get_by_role("button", name="लॉग इन करें").click()
    expect(page.locator("main section").first).to_be_visible()
    assert looking.axe() == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390
