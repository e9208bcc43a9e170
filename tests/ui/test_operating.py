"""What an operator does by keys alone, what nobody may miss, and what a role may not do."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from browsing import Looking, person, profile
from driven import Product, request, until
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

pytestmark = pytest.mark.timeout(240)

PANEL = "C Block Ranjeet Nagar_LT Panel_19"
CALLS = "Panel <b>calls</b>"
FOREIGN = "Narela Sector A-6_BFM_1"
FORBIDDEN = "Your role may not open this page"
LOST = "Not while the connection to the server is lost."
ADMIN_PAGES = ["tags", "assets", "parameters", "system", "users", "audit"]


@pytest.fixture(scope="module")
def alarm(product: Product) -> Iterator[int]:
    """A critical alarm of a panel, which stays."""
    rule = {
        "name": CALLS, "kind": "high", "parameter": "CURR_R", "serial": PANEL, "limit": -1000.0,
        "priority": 1, "text": CALLS, "on_delay_s": 0,
    }  # fmt: skip
    number = product.send("POST", "/api/alarm-rules", rule)["id"]
    query = f"/api/alarms?source={quote(PANEL)}&priority=1"
    yield until(lambda: product.get(query)["alarms"], what="the alarm")[0]["id"]
    product.send("DELETE", f"/api/alarm-rules/{number}")


def go(page: Page, path: str) -> Page:
    """Open an address with the login there is."""
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    return page


def test_an_asset_is_found_its_alarm_acknowledged_and_work_ordered_by_keys_alone(
    inside: Looking, product: Product, alarm: int
) -> None:
    page = inside.at("/settings")
    page.keyboard.press("/")
    page.keyboard.type(PANEL)
    options = page.get_by_role("dialog").get_by_role("option")
    expect(options.first).to_contain_text(PANEL)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(PANEL)
    page.keyboard.press("/")
    page.keyboard.type(CALLS)
    expect(options.first).to_contain_text(CALLS)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/alarms\?id={alarm}$"))
    expect(page.get_by_role("heading", name=f"Alarm {alarm}")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name=CALLS))
    expect(row).to_contain_text("unacknowledged")
    page.keyboard.press("x")
    expect(row).to_contain_text(re.compile("acknowledged ?· admin"))
    page.keyboard.press("w")
    title = page.get_by_label("What is to be done")
    expect(title).to_have_value(re.compile("Panel"))
    title.focus()
    page.keyboard.press("Enter")
    opened = page.get_by_role("link", name=re.compile("Open work order"))
    expect(opened).to_be_visible()
    opened.press("Enter")
    expect(page).to_have_url(re.compile(r"/work-orders/\d+$"))
    expect(page.get_by_role("main")).to_contain_text(PANEL)
    assert product.get(f"/api/alarms/{alarm}")["alarm"]["acknowledged_by"] == "admin"
    orders = product.get(f"/api/work-orders?serial_number={quote(PANEL)}")["orders"]
    assert [each["alarm_id"] for each in orders] == [alarm]


@pytest.fixture
def silent(product: Product) -> Iterator[str]:
    """The panel, which sends nothing."""
    plant = (product.place / "data" / "plant.address").read_text(encoding="ascii").strip()
    gap = {"kind": "gap", "where": PANEL, "minutes": 60}
    status, event, _ = request(plant, "POST", "/plant/faults", body=gap)
    assert status == 200, event
    yield PANEL
    request(plant, "POST", "/plant/faults/end", body={"number": event["number"]})


def test_a_stale_asset_keeps_its_alarm_everywhere(inside: Looking, alarm: int, silent: str) -> None:
    page = inside.at(f"/assets?q={quote(silent)}")
    row = page.get_by_role("row").filter(has_text=PANEL)
    expect(row).to_contain_text("STALE", timeout=60_000)
    expect(row).to_contain_text("Critical")
    inside.at(f"/assets/{quote(PANEL)}")
    expect(page.get_by_text("STALE").first).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text(CALLS)
    inside.at(f"/alarms?id={alarm}&source={quote(PANEL)}")
    expect(page.get_by_role("row").filter(has_text=CALLS)).to_contain_text("Critical")


def test_alarms_not_judged_for_long_are_unknown_not_none(looking: Looking) -> None:
    def aged(frame: str | bytes) -> str | bytes:
        message = json.loads(frame)
        if message["op"] == "ping":
            message["alarms_evaluated_at"] = "2026-01-01T00:00:00Z"
        return json.dumps(message)

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda frame: socket.send(aged(frame)))

    looking.page.route_web_socket(re.compile("/ws/v1"), between)
    page = looking.log_in("/alarms?q=nothing-is-called-so")
    words = re.compile("Unknown: alarms were last evaluated .* ago")
    expect(page.get_by_role("cell", name=words)).to_be_visible()
    expect(page.get_by_text("No active alarm")).to_have_count(0)


def test_a_clock_of_the_pc_that_is_wrong_by_a_day_harms_no_age(
    looking: Looking, product: Product
) -> None:
    ahead = product.one("SELECT now() + interval '26 hours'")
    looking.page.clock.install(time=ahead)
    page = looking.log_in("/ingest")
    shown = page.get_by_role("button", name="Server time").inner_text()
    assert product.one("SELECT to_char(now() AT TIME ZONE 'Asia/Kolkata', 'HH24:')") in shown
    expect(page.get_by_text(re.compile(r"^\d+ s ago$")).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ (h|d)( \d+ min)? ago"))).to_have_count(0)


def test_a_link_cut_without_a_close_is_noticed_and_nothing_acts_meanwhile(
    looking: Looking, alarm: int
) -> None:
    cut = False

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda frame: None if cut else socket.send(frame))

    page = looking.page
    page.clock.install()
    page.route_web_socket(re.compile("/ws/v1"), between)
    looking.log_in(f"/alarms?id={alarm}&source={quote(PANEL)}")
    row = page.get_by_role("row").filter(has_text=CALLS)
    expect(row).to_contain_text("Critical")
    cut = True
    page.route("**/api/**", lambda route: route.abort())
    page.clock.fast_forward(13_000)
    expect(page.get_by_role("alert").first).to_contain_text("Connection to the server lost")
    page.clock.fast_forward(10_000)
    expect(page.locator("main section").filter(has=row)).to_contain_text("STALE")
    expect(row).to_contain_text("Critical")
    acts = page.get_by_role("main").get_by_role("button", name=re.compile("Shelve|Comment"))
    expect(acts.first).to_be_disabled()
    expect(page.get_by_text(LOST).first).to_be_attached()


def test_a_viewer_sees_no_button_that_acts_and_no_administration(
    browser: Browser, product: Product, alarm: int
) -> None:
    who = person(product, "viewing", "viewer")
    acts = re.compile(r"^(Acknowledge|Shelve|Comment|New work order|New order|Start|Assign)\b")
    for looking in profile(browser, product):
        page = looking.log_in(f"/alarms?id={alarm}", **who)
        expect(page.get_by_role("heading", name=f"Alarm {alarm}")).to_be_visible()
        expect(page.get_by_role("main").get_by_role("button", name=acts)).to_have_count(0)
        for path in ["/", f"/assets/{quote(PANEL)}", "/work-orders", "/dma", "/pumps"]:
            go(page, path)
            expect(page.get_by_role("main").get_by_role("button", name=acts)).to_have_count(0)
        expect(page.get_by_role("navigation").get_by_role("link", name="Admin")).to_have_count(0)
        for name in ADMIN_PAGES:
            go(page, f"/admin/{name}")
            expect(page.get_by_role("heading", level=1)).to_have_text(FORBIDDEN)


def test_an_engineer_is_not_let_at_people_nor_at_the_audit(
    browser: Browser, product: Product
) -> None:
    who = person(product, "engineering", "engineer")
    for looking in profile(browser, product):
        page = looking.log_in("/admin/tags", **who)
        navigation = page.get_by_role("navigation")
        expect(navigation.get_by_role("link", name="Parameters")).to_be_visible()
        expect(navigation.get_by_role("link", name="Users")).to_have_count(0)
        for name in ["users", "audit"]:
            go(page, f"/admin/{name}")
            expect(page.get_by_role("heading", level=1)).to_have_text(FORBIDDEN)


def test_a_person_of_one_domain_sees_and_finds_nothing_of_another(
    browser: Browser, product: Product
) -> None:
    who = person(product, "limited", "operator", "DEL-D08")
    for looking in profile(browser, product):
        page = looking.log_in("/assets?sort=serial", **who)
        rows = page.get_by_role("table").locator("tbody tr")
        expect(rows.first).to_contain_text("DEL-D08")
        expect(rows.filter(has_not_text="DEL-D08")).to_have_count(0)
        page.keyboard.press("/")
        page.keyboard.type(FOREIGN)
        expect(page.get_by_role("dialog")).to_contain_text("Nothing")
        go(page, f"/assets/{quote(FOREIGN)}")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such asset")
