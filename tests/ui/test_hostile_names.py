"""Names nobody chose to be kind: script, right-to-left marks, 300 letters, signs of addresses."""

from collections.abc import Iterator
from itertools import count
from urllib.parse import quote

import pytest
from browsing import DESK, PHONE, Looking
from driven import PASSWORD, Product, request, until
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(300)

SCRIPT = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>'
SERIAL = f"पम्प/घर % # ? & + .. {SCRIPT} \u202egnp.pmup"
LONG = "मापकयंत्रW" * 30
CALLS = f"\u202e{SCRIPT} calls"
PANEL = "Civil Lines_LT Panel_1"
ADDRESS = quote(SERIAL, safe="")


@pytest.fixture(scope="module")
def order(product: Product) -> Iterator[int]:
    """An order about an asset with such names; a parameter, a user and an alarm have them too."""
    asset = {
        "serialnumber": SERIAL, "name": LONG, "category": f"{SCRIPT} kind", "site": LONG,
        "longitude": 77.1, "latitude": 28.6,
    }  # fmt: skip
    product.send("POST", "/api/assets", asset)
    parameter = {"param_tag_code": SERIAL, "parameter_name": LONG[:200], "unit": "<b>m³</b>"}
    product.send("POST", "/api/parameters", parameter)
    admin = {"username": "admin", "password": PASSWORD}
    token = request(product.base, "POST", "/api/auth/login", body=admin)[1]["access_token"]
    user = {
        "username": "hostile", "full_name": f"{SCRIPT} \u202e{LONG}"[:200], "role": "viewer",
        "password": f"{PASSWORD} of another",
    }  # fmt: skip
    assert request(product.base, "POST", "/api/users", body=user, token=token)[0] == 201
    wanted = {
        "serial_number": SERIAL, "title": f"{SCRIPT} {LONG}"[:200], "description": LONG + CALLS,
        "priority": 3, "team": f"{SCRIPT}{LONG}"[:100],
    }  # fmt: skip
    made = product.send("POST", "/api/work-orders", wanted)["id"]
    rule = {
        "name": CALLS, "kind": "high", "parameter": "CURR_R", "serial": PANEL, "limit": -1000.0,
        "priority": 3, "text": CALLS, "on_delay_s": 0,
    }  # fmt: skip
    number = product.send("POST", "/api/alarm-rules", rule)["id"]
    until(lambda: product.get(f"/api/alarms?q={quote(CALLS)}")["alarms"], what="the alarm")
    yield made
    product.send("DELETE", f"/api/alarm-rules/{number}")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/?sel={ADDRESS}", SERIAL),
        (f"/map?table=1&sel={ADDRESS}", SERIAL),
        (f"/assets?q={ADDRESS}", SERIAL),
        (f"/assets/{ADDRESS}", SERIAL),
        (f"/assets/{ADDRESS}?tab=alarms", SERIAL),
        (f"/assets/{ADDRESS}?tab=orders", SERIAL),
        (f"/assets/{ADDRESS}?tab=health", SERIAL),
        (f"/assets/{ADDRESS}?tab=register", LONG),
        (f"/assets/{ADDRESS}?tab=raw", SERIAL),
        (f"/alarms?source={quote(PANEL)}", CALLS),
        (f"/alarms?q={ADDRESS}", "No active alarm"),
        ("/work-orders?q=घर", SERIAL),
        ("/work-orders?view=board", SCRIPT),
        ("/work-orders/{order}", SERIAL),
        (f"/pumps/{ADDRESS}", SERIAL),
        (f"/dma/{ADDRESS}", SERIAL),
        (f"/admin/assets?q={ADDRESS}&sel={ADDRESS}", SERIAL),
        (f"/admin/parameters?q={ADDRESS}", SERIAL),
        ("/admin/users", SCRIPT),
        ("/admin/audit", SCRIPT),
        (f"/{ADDRESS}", "There is no such page"),
    ],
    ids=map(str, count()),
)
def test_a_hostile_name_is_text_that_fits(
    inside: Looking, order: int, path: str, shown: str
) -> None:
    page = inside.page
    page.set_viewport_size(DESK)
    inside.at(path.format(order=order))
    expect(page.locator("main")).to_contain_text(shown)
    page.wait_for_load_state("networkidle")
    wide = inside.too_wide()
    page.set_viewport_size(PHONE)
    assert wide + inside.too_wide() == []
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("window.hit") is None
    assert inside.troubles() == []
