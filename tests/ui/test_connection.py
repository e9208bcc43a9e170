"""What an open page does when the server dies and comes back, and when the login ends."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import profile
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
            expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=40_000)
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
