"""What is around every page: login, navigation, keys, languages, themes, the connection."""

import re

import pytest
from browsing import Looking
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.timeout(240)


def test_a_deep_link_survives_the_login(looking: Looking) -> None:
    page = looking.log_in("/alarms?pri=1&pri=2")
    expect(page).to_have_url(re.compile(r"/alarms\?pri=1&pri=2$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Alarms")


def test_a_wrong_password_is_said_and_keeps_the_name(looking: Looking) -> None:
    page = looking.page
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong user name or password")
    expect(page.get_by_label("User name")).to_have_value("admin")


def test_s45_a_reload_keeps_the_login_and_no_script_can_read_it(looking: Looking) -> None:
    page = looking.log_in("/settings")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    assert page.evaluate("document.cookie") == ""
    kept = page.evaluate("JSON.stringify({ ...localStorage, ...sessionStorage })")
    assert not re.search(r"eyJ|token", kept)


def test_a_page_says_so_while_the_login_is_checked(looking: Looking) -> None:
    page = looking.log_in("/settings")
    held: list[Route] = []
    page.route("**/api/auth/refresh", lambda route: held.append(route))
    with page.expect_request("**/api/auth/refresh"):
        page.goto("/settings")
    expect(page.get_by_text("Checking the login")).to_be_visible()
    held[0].continue_()
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    expect(page.get_by_text("Checking the login")).to_have_count(0)


def test_logging_out_ends_the_login(looking: Looking) -> None:
    page = looking.log_in()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/settings")
    expect(page.get_by_label("Password")).to_be_visible()


def test_only_the_numbered_socket_is_opened(inside: Looking) -> None:
    assert set(inside.sockets) == {"/ws/v1"}


def test_a_simulated_plant_says_so(inside: Looking) -> None:
    expect(inside.page.get_by_text("SIMULATED PLANT")).to_be_visible()


def test_times_are_those_of_the_plant_with_their_zone(looking: Looking) -> None:
    page = looking.log_in("/settings")
    expect(page.get_by_role("button", name="Server time")).to_contain_text(" IST")
    page.get_by_role("button", name="Server time").click()
    expect(page.get_by_role("button", name="Server time")).to_contain_text(" UTC")


def test_keys_find_an_asset_and_go_to_pages(inside: Looking) -> None:
    page = inside.at("/settings")
    page.keyboard.press("/")
    page.keyboard.type("Patel Road_Baljeet Nagar_SV_92")
    options = page.get_by_role("dialog").get_by_role("option")
    expect(options.first).to_contain_text("Patel Road_Baljeet Nagar_SV_92")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/assets/Patel%20Road_Baljeet%20Nagar_SV_92$"))
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page).to_have_url(re.compile("/alarms$"))
    page.go_back()
    expect(page).to_have_url(re.compile("/assets/Patel%20Road_Baljeet%20Nagar_SV_92$"))


def test_letters_typed_in_a_field_are_no_keys(inside: Looking) -> None:
    page = inside.at("/settings")
    page.get_by_label("Password now").focus()
    page.keyboard.type("t?g")
    expect(page.locator("html")).to_have_attribute("data-theme", "day")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_single_letters_can_be_switched_off(looking: Looking) -> None:
    page = looking.log_in("/settings")
    page.get_by_label("Single letters are keys").uncheck()
    page.keyboard.press("Tab")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "day")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_dialog_gives_the_focus_back(inside: Looking) -> None:
    page = inside.at("/settings")
    find = page.get_by_role("button", name="Find", exact=True)
    find.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Serial number, page or alarm")).to_be_focused()
    page.keyboard.press("Escape")
    expect(find).to_be_focused()


def test_the_keys_are_listed(inside: Looking) -> None:
    page = inside.at("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to Work orders")


def test_hindi_changes_the_words_and_the_language_of_the_page(looking: Looking) -> None:
    page = looking.log_in("/settings")
    page.get_by_role("button", name="हिन्दी").click()
    expect(page.locator("html")).to_have_attribute("lang", "hi")
    expect(page.get_by_role("heading", level=1)).to_have_text("सेटिंग्स")


def test_an_address_that_is_none_is_said(inside: Looking) -> None:
    page = inside.at("/nowhere/at/all")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")


def test_kiosk_shows_no_navigation(inside: Looking) -> None:
    page = inside.at("/?kiosk=1")
    expect(page.get_by_role("navigation")).to_have_count(0)


def test_the_login_is_accessible_by_night_in_hindi_on_a_phone(looking: Looking) -> None:
    page = looking.page
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/login")
    kept = '{"theme":"night","language":"hi"}'
    page.evaluate("kept => localStorage.setItem('ic3.settings', kept)", kept)
    page.goto("/login")
    expect(page.get_by_label("पासवर्ड")).to_be_visible()
    assert looking.axe() == []
    assert looking.too_wide() == []
