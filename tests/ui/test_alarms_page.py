"""The page of alarms: what calls, what people do about it, and rows that stay where they are."""

import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from browsing import Looking, profile
from driven import PASSWORD, Product, request, until
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.timeout(240)

VALVE = "Patel Road_Baljeet Nagar_SV_92"
WORDS = "Valve <b>test</b>"


def rule(product: Product, name: str, parameter: str, **more: object) -> int:
    """Make a rule that always holds of one valve."""
    wanted = {
        "name": name, "kind": "high", "parameter": parameter, "serial": VALVE, "limit": -1000.0,
        "priority": 1, "text": name, "on_delay_s": 0, **more,
    }  # fmt: skip
    return int(product.send("POST", "/api/alarm-rules", wanted)["id"])


def open_alarms(product: Product, words: str) -> list[int]:
    found = product.get(f"/api/alarms?q={quote(words)}")["alarms"]
    return [each["id"] for each in found if each["state"] != "returned"]


@pytest.fixture(scope="module")
def alarm(product: Product) -> Iterator[int]:
    """A critical alarm of a valve that stays."""
    number = rule(product, WORDS, "WO_STS")
    yield until(lambda: open_alarms(product, WORDS), what="the alarm")[0]
    product.send("DELETE", f"/api/alarm-rules/{number}")


@pytest.fixture
def alarms(inside: Looking, alarm: int) -> Page:
    """The active alarms of the valve, with one that waits."""
    del alarm
    page = inside.at(f"/alarms?source={quote(VALVE)}&pri=1")
    expect(page.get_by_role("link", name=WORDS)).to_be_visible()
    return page


def test_an_alarm_says_what_where_and_how_it_is_now(alarms: Page) -> None:
    row = alarms.get_by_role("row").filter(has_text=WORDS)
    expect(row).to_contain_text("Critical")
    expect(row).to_contain_text("unacknowledged")
    expect(row.get_by_role("link", name=VALVE)).to_be_visible()
    expect(row).to_contain_text(re.compile(r"\d → \d"))
    expect(alarms.get_by_text(re.compile(r"Last evaluated \d+ s ago"))).to_be_visible()
    assert alarms.locator("main b").count() == 0


def test_no_alarm_that_fits_is_said_with_when_that_was_known(inside: Looking) -> None:
    page = inside.at("/alarms?q=nothing-is-called-so")
    words = re.compile(r"^No active alarm fits these filters. Last evaluated \d+ s ago.$")
    expect(page.get_by_role("cell", name=words)).to_be_visible()


def test_a_new_alarm_waits_until_it_is_asked_for(alarms: Page, product: Product) -> None:
    rows = alarms.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(1)
    number = rule(product, "second", "VLV_MAN_STS")
    waiting = alarms.get_by_role("button", name="1 new alarms wait: show them")
    expect(waiting).to_have_text("1 new ▲", timeout=60_000)
    expect(rows).to_have_count(1)
    waiting.click()
    expect(rows).to_have_count(2)
    expect(waiting).to_have_count(0)
    product.send("DELETE", f"/api/alarm-rules/{number}")


def test_keys_acknowledge_comment_and_shelve_and_the_focus_stays(
    alarms: Page, product: Product, alarm: int
) -> None:
    link = alarms.get_by_role("link", name=WORDS)
    link.focus()
    alarms.keyboard.press("x")
    row = alarms.get_by_role("row").filter(has_text=WORDS)
    expect(row).to_contain_text("acknowledged · admin")
    expect(link).to_be_focused()
    alarms.keyboard.press("c")
    alarms.get_by_role("dialog").get_by_label("Comment").fill("seen on site")
    alarms.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(alarms.get_by_role("dialog")).to_have_count(0)
    link.press("Enter")
    expect(alarms.get_by_text("seen on site")).to_be_visible()
    alarms.keyboard.press("s")
    expect(alarms.get_by_label("Reason")).to_be_focused()
    alarms.keyboard.type("crew on site")
    alarms.keyboard.press("Enter")
    expect(row).to_contain_text("shelved")
    assert product.get(f"/api/alarms/{alarm}")["alarm"]["held"] == "shelved"
    alarms.get_by_role("link", name=re.compile("^Shelved")).click()
    expect(alarms.get_by_role("row").filter(has_text="crew on site").first).to_be_visible()
    alarms.get_by_role("button", name="Let it call again").first.click()
    expect(alarms.get_by_role("row").filter(has_text="crew on site")).to_have_count(0)
    expect(alarms.get_by_text("Nothing is held back.")).to_be_visible()
    events = product.get(f"/api/alarms/{alarm}")["events"]
    assert [each["what"] for each in events][-4:] == ["ack", "comment", "shelve", "unshelve"]


def test_a_work_order_is_made_of_an_alarm(alarms: Page, product: Product, alarm: int) -> None:
    alarms.get_by_role("link", name=WORDS).focus()
    alarms.keyboard.press("w")
    expect(alarms.get_by_label("What is to be done")).to_have_value(re.compile("Valve"))
    alarms.get_by_role("button", name="Make the work order").click()
    link = alarms.get_by_role("link", name=re.compile("Open work order"))
    link.click()
    expect(alarms).to_have_url(re.compile(r"/work-orders/\d+$"))
    orders = product.get(f"/api/work-orders?serial_number={quote(VALVE)}")["orders"]
    assert [each["alarm_id"] for each in orders] == [alarm]


@pytest.mark.parametrize("query", ["", "?tab=shelved", "?tab=history", "?tab=kpi"])
def test_every_view_is_accessible(inside: Looking, alarm: int, query: str) -> None:
    page = inside.at(f"/alarms{query or f'?id={alarm}'}")
    expect(page.get_by_role("heading", level=2).first).to_be_visible()
    assert inside.axe() == []


def test_the_dialogs_are_accessible(inside: Looking, alarms: Page) -> None:
    alarms.get_by_role("link", name=WORDS).focus()
    alarms.keyboard.press("s")
    expect(alarms.get_by_role("dialog")).to_be_visible()
    assert inside.axe() == []


def test_a_viewer_has_no_button_that_acts(browser: Browser, product: Product, alarm: int) -> None:
    del alarm
    who = {"username": "watcher", "password": f"{PASSWORD} of a watcher", "role": "viewer"}
    # Users are made by who has just given the password.
    admin = {"username": "admin", "password": PASSWORD}
    token = request(product.base, "POST", "/api/auth/login", body=admin)[1]["access_token"]
    assert request(product.base, "POST", "/api/users", body=who, token=token)[0] == 201
    for looking in profile(browser, product):
        page = looking.log_in(
            f"/alarms?source={quote(VALVE)}", name="watcher", password=who["password"]
        )
        expect(page.get_by_role("link", name=WORDS)).to_be_visible()
        expect(page.get_by_role("button", name=re.compile("Acknowledge"))).to_have_count(0)
        page.get_by_role("link", name=WORDS).click()
        expect(page.get_by_role("heading", name=re.compile(r"^Alarm \d+"))).to_be_visible()
        expect(page.get_by_role("button", name="Shelve")).to_have_count(0)
