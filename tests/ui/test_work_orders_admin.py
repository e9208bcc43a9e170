"""Work orders and administration in a browser."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from browsing import Looking
from driven import Product, until
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)


WORDS = "Sluice <b>test</b>"
VALVE = "Azadpur_SV_3"


@pytest.fixture(scope="module")
def alarm(product: Product) -> Iterator[int]:
    """An alarm of a valve that stays."""
    wanted = {
        "name": WORDS, "kind": "high", "parameter": "WO_STS", "serial": VALVE, "limit": -1000.0,
        "priority": 2, "text": WORDS, "on_delay_s": 0,
    }  # fmt: skip
    number = product.send("POST", "/api/alarm-rules", wanted)["id"]
    asked = f"/api/alarms?q={quote(WORDS)}"
    yield until(lambda: product.get(asked)["alarms"], what="the alarm")[0]["id"]
    product.send("DELETE", f"/api/alarm-rules/{number}")


def test_the_system_page_tells_of_database_partitions_and_checks(inside: Looking) -> None:
    page = inside.at("/admin/system")
    partitions = page.get_by_role("table", name="Partitions")
    expect(partitions.get_by_role("row").filter(has_text="telemetry")).to_have_count(1)
    checks = page.get_by_role("table", name="Checks of the doctor")
    expect(checks.get_by_role("row").filter(has_text="roles")).to_contain_text("✓ passed")
    expect(page.get_by_text("Simulated: every reading is made up")).to_be_visible()
    assert inside.axe() == []


def test_an_order_is_made_from_the_link_of_an_alarm_and_begun(inside: Looking, alarm: int) -> None:
    page = inside.at(f"/work-orders?new=1&alarm={alarm}")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(VALVE)
    assert inside.axe() == []
    dialog.get_by_role("button", name="Make the work order").click()
    dialog.get_by_role("link", name="Open work order").click()
    expect(page).to_have_url(re.compile(r"/work-orders/\d+$"))
    expect(page.get_by_role("main")).to_contain_text(VALVE)
    page.get_by_role("button", name="Assign").click()
    page.get_by_role("dialog").get_by_label("Team (free text)").fill("Crew <b>7</b>")
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Begin work").click()
    expect(page.get_by_role("button", name="Work is done")).to_be_visible()
    expect(page.get_by_text("Crew <b>7</b>").first).to_be_visible()
    assert inside.axe() == []


def test_a_tag_is_mapped_for_all_of_a_kind_and_taken_back(
    inside: Looking, product: Product
) -> None:
    before = product.one("SELECT count(*) FROM ic3_asset_tag_map")
    page = inside.at("/admin/tags?tab=tags")
    tags = page.get_by_role("table", name="Unmapped tags")
    tags.get_by_role("button", name="Map to…").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="all of kind").check()
    expect(dialog.get_by_role("combobox", name="Parameter")).to_have_value(re.compile(r"^\d+$"))
    expect(dialog).to_contain_text(re.compile(r"Maps the tag on [\d,]+ assets"))
    assert inside.axe() == []
    dialog.get_by_label("Stored readings").select_option("none")
    dialog.get_by_role("button", name="Map it").click()
    expect(dialog).to_contain_text(re.compile(r"Mapped on [\d,]+ assets"))
    dialog.get_by_role("button", name="Undo").click()
    expect(dialog).to_contain_text("The mapping is taken back")
    assert product.one("SELECT count(*) FROM ic3_asset_tag_map") == before


def test_a_plan_is_made_by_the_hours_an_asset_ran_and_ended(inside: Looking) -> None:
    page = inside.at("/work-orders?tab=plans")
    page.get_by_role("button", name="New plan").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What is to be done").fill(WORDS)
    dialog.get_by_label("Asset (serial number)").fill(VALVE)
    dialog.get_by_label("By the hours it ran").check()
    dialog.get_by_label("Every").fill("500")
    dialog.get_by_label("Tag of running").select_option("WO_STS")
    assert inside.axe() == []
    dialog.get_by_role("button", name="Make the plan").click()
    row = page.get_by_role("table", name="Maintenance plans").get_by_role("row", name=WORDS)
    expect(row).to_contain_text("every 500 h run, by WO_STS")
    row.get_by_role("button", name="Change").click()
    dialog.get_by_label("It makes orders").uncheck()
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Ended ones too").click()
    expect(row).to_contain_text("it makes none")


def test_the_times_of_a_priority_are_changed(inside: Looking, product: Product) -> None:
    page = inside.at("/admin/sla")
    low = page.locator("form", has_text="4 Low")
    low.get_by_label("Done within, minutes").fill("20000")
    low.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main")).to_contain_text("Saved for priority 4.")
    times = product.get("/api/work-orders/sla")["sla"]
    assert [each["done_minutes"] for each in times if each["priority"] == 4] == [20000]
