"""What an open page does when the server dies and comes back, and when the login ends."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import Looking, person, profile
from driven import PASSWORD, Product, free_port, place
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def own_place() -> Iterator[Path]:
    with place() as found:
        yield found


def test_a_killed_server_is_said_at_once_and_comes_back_without_a_reload(
    browser: Browser, own_place: Path
) -> None:
    with Product(
        own_place, "demo", MONITORING_POLL_INTERVAL="2", IC3_PORT=str(free_port())
    ) as product:
        product.start().line("done in")
        for looking in profile(browser, product):
            page = looking.log_in("/settings")
            page.get_by_label("New password").fill("typed before")
            product.kill()
            expect(page.get_by_role("alert")).to_contain_text("Connection to the server lost")
            expect(page.get_by_text("Connection lost", exact=True)).to_be_visible()
            product.start().line("done in")
            expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=90_000)
            expect(page.get_by_label("New password")).to_have_value("typed before")
        assert product.stop(signal.SIGTERM) == 0


def test_an_ended_login_asks_for_the_password_over_the_page(
    browser: Browser, product: Product
) -> None:
    for looking in profile(browser, product):
        page = looking.log_in("/settings")
        page.get_by_label("New password").fill("typed before")
        product.send("DELETE", "/api/users/admin/logins")
        product.log_in_again()
        dialog = page.get_by_role("dialog", name="Your login has ended")
        expect(dialog).to_be_visible(timeout=30_000)
        dialog.get_by_label("Password").fill(PASSWORD)
        dialog.get_by_role("button", name="Log in").click()
        expect(dialog).to_be_hidden()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_label("New password")).to_have_value("typed before")


def test_a_page_opened_while_the_server_is_away_goes_on_with_its_login(looking: Looking) -> None:
    page = looking.log_in("/settings")
    page.route("**/api/auth/refresh", lambda route: route.fulfill(status=503))
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("The server does not answer")
    assert looking.axe() == []
    page.unroute("**/api/auth/refresh")
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")


def test_who_is_no_user_any_more_is_told_so_over_the_page(
    browser: Browser, product: Product, looking: Looking
) -> None:
    who = person(product, "leaving", "operator")
    users = looking.log_in("/admin/users")
    for left in profile(browser, product):
        page = left.log_in("/alarms", **who)
        users.get_by_role("button", name="Edit leaving").click()
        users.get_by_label("Disabled: cannot log in").check()
        users.get_by_role("button", name="Save", exact=True).click()
        dialog = page.get_by_role("dialog", name="Your login has ended")
        expect(dialog).to_be_visible()
        dialog.get_by_label("Password").fill(who["password"])
        dialog.get_by_role("button", name="Log in").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Wrong user name or password")
        assert left.axe() == []
