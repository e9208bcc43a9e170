"""What engineers and administrators do: files, decisions, keys, acts that need the password."""

import re
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from browsing import Looking
from driven import PASSWORD, Product, request
from playwright.sync_api import FilePayload, Locator, Page, Response, expect

pytestmark = pytest.mark.timeout(240)

SUCH = "Azadpur_SV_"
ENTERED, EDITED, OFFERED = f"{SUCH}43", f"{SUCH}83", f"{SUCH}123"
LONG_AGO = """
UPDATE ic3_login SET confirmed_at = now() - interval '1 hour' WHERE username = 'admin'
RETURNING login_id
"""


def put(page: Page, text: str) -> None:
    """Choose a CSV file of this text and look what it would do."""
    file: FilePayload = {
        "name": "register.csv", "mimeType": "text/csv", "buffer": text.encode()
    }  # fmt: skip
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Look what it would do").click()


def row(page: Page, table: str, words: str) -> Locator:
    return page.get_by_role("table", name=table).get_by_role("row").filter(has_text=words)


def test_a_password_given_long_ago_is_asked_for_again_and_the_act_done_once(
    looking: Looking, product: Product
) -> None:
    page = looking.log_in("/admin/users")
    product.sql(LONG_AGO)
    looking.at("/admin/users")
    answers: list[tuple[str, int]] = []

    def note(answer: Response) -> None:
        if answer.request.method == "POST" and "refresh" not in answer.url:
            answers.append((urlsplit(answer.url).path, answer.status))

    page.on("response", note)
    page.get_by_role("button", name="New user").click()
    page.get_by_label("User name").fill("asked.again")
    page.get_by_label("First password").fill(f"{PASSWORD} of another")
    page.get_by_role("button", name="Add the user").click()
    again = page.get_by_role("dialog", name="Give your password again")
    again.get_by_label("Your password").fill("not this one")
    again.get_by_role("button", name="Confirm").click()
    expect(again.get_by_role("alert")).to_contain_text("Wrong password")
    assert looking.axe() == []
    again.get_by_label("Your password").fill(PASSWORD)
    again.get_by_role("button", name="Confirm").click()
    expect(row(page, "Users", "asked.again")).to_contain_text("Operator")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert answers == [
        ("/api/users", 403), ("/api/auth/confirm", 401), ("/api/auth/confirm", 200),
        ("/api/users", 201),
    ]  # fmt: skip


def test_a_key_is_shown_once_works_and_is_ended_at_once(inside: Looking, product: Product) -> None:
    page = inside.at("/admin/users?tab=keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("bridge-1")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog).to_contain_text("shown now and never again")
    key = dialog.locator("code").inner_text()
    assert inside.axe() == []
    page.keyboard.press("Escape")
    expect(dialog.locator("code")).to_have_text(key)
    dialog.get_by_role("button", name="Close").click()
    made = row(page, "Keys of programs", "bridge-1")
    expect(made).to_contain_text("Viewer")
    assert key not in page.content()
    assert request(product.base, "GET", "/api/stats", token=key)[0] == 200
    page.on("dialog", lambda asked: asked.accept())
    made.get_by_role("button", name="End it").click()
    expect(made).to_contain_text("✕ Ended")
    assert request(product.base, "GET", "/api/stats", token=key)[0] == 401


def test_a_file_is_looked_at_before_it_is_imported(inside: Looking, product: Product) -> None:
    page = inside.at("/admin/assets?tab=imports")
    put(page, "serialnumber,longitude\nNEW/1 %,77.1\nNEW/2,east\n")
    expect(page.get_by_text("line 3: longitude is not a number: 'east'")).to_be_visible()
    importing = page.get_by_role("button", name="Import it")
    expect(importing).to_be_disabled()
    put(page, f"serialnumber,name\nNEW/1 %,<i>New</i>\n{OFFERED},Offered\n")
    expect(page.get_by_text("nothing is written yet")).to_be_visible()
    expect(page.get_by_text("2 rows: 1 new, 1 changed, 0 the same")).to_be_visible()
    changed = page.get_by_role("row").filter(has_text=OFFERED)
    expect(changed).to_contain_text("name: Azadpur SV 123 → Offered")
    assert inside.axe() == []
    assert request(product.base, "GET", "/api/assets/NEW%2F1%20%25", token=product.token)[0] == 404
    importing.click()
    expect(page.get_by_text("It is done.")).to_be_visible()
    expect(importing).to_be_disabled()
    assert product.get("/api/assets/NEW%2F1%20%25")["name"] == "<i>New</i>"
    inside.at(f"/admin/assets?q={quote('<i>New</i>')}")
    expect(row(page, "Register", "NEW/1 %")).to_contain_text("<i>New</i>")


def test_what_a_person_entered_and_a_file_says_otherwise_is_decided(inside: Looking) -> None:
    page = inside.at(f"/admin/assets?q={ENTERED}&sel={ENTERED}")
    page.get_by_label("Site", exact=True).fill("Gate 4")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    inside.at("/admin/assets?tab=imports")
    put(page, f"serialnumber,site\n{ENTERED},Gate 5\n")
    expect(page.get_by_text("site stays Gate 4, offered is Gate 5")).to_be_visible()
    page.get_by_role("button", name="Import it").click()
    expect(page.get_by_text("It is done.")).to_be_visible()
    page.get_by_role("link", name="Conflicts").click()
    conflict = row(page, "Conflicts", ENTERED)
    expect(conflict).to_contain_text("Gate 4")
    expect(conflict).to_contain_text("Gate 5")
    assert inside.axe() == []
    conflict.get_by_role("button", name="Take what is offered").click()
    expect(conflict).to_have_count(0)
    page.get_by_role("combobox", name="Conflicts").select_option("taken")
    expect(conflict).to_contain_text("admin")
    inside.at(f"/admin/assets?q={ENTERED}&sel={ENTERED}")
    expect(page.get_by_label("Site", exact=True)).to_have_value("Gate 5")


def test_two_who_change_one_asset_are_told_and_the_later_reads_it_again(inside: Looking) -> None:
    page = inside.at(f"/admin/assets?sel={EDITED}")
    other = page.context.new_page()
    other.goto(f"/admin/assets?sel={EDITED}")
    other.get_by_label("In charge").fill("R. Devi")
    other.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(other.get_by_role("dialog")).to_have_count(0)
    other.close()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("In charge").fill("S. Khan")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Somebody changed it meanwhile")
    expect(dialog.get_by_label("In charge")).to_have_value("S. Khan")
    assert inside.axe() == []
    dialog.get_by_role("button", name="Read it again").click()
    expect(dialog.get_by_label("In charge")).to_have_value("R. Devi")
    dialog.get_by_label("In charge").fill("S. Khan")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)


def test_two_who_change_one_user_are_told_and_the_later_begins_again(
    inside: Looking, product: Product
) -> None:
    who = {"username": "of.two", "password": f"{PASSWORD} of two", "role": "viewer"}
    admin = {"username": "admin", "password": PASSWORD}
    token = request(product.base, "POST", "/api/auth/login", body=admin)[1]["access_token"]
    assert request(product.base, "POST", "/api/users", body=who, token=token)[0] == 201
    page = inside.at("/admin/users")
    other = page.context.new_page()
    for each, name in [(page, "Later"), (other, "Sooner")]:
        each.goto("/admin/users")
        each.get_by_role("button", name="Edit of.two").click()
        each.get_by_label("Full name").fill(name)
    save: dict[str, Any] = {"name": "Save", "exact": True}
    other.get_by_role("button", **save).click()
    expect(row(other, "Users", "of.two")).to_contain_text("Sooner")
    other.close()
    page.get_by_role("button", **save).click()
    expect(page.get_by_role("dialog")).to_contain_text("Somebody changed it meanwhile")
    expect(page.get_by_label("Full name")).to_have_value("Later")
    page.get_by_role("button", name="Read it again").click()
    expect(page.get_by_label("Full name")).to_have_value("Sooner")
    page.get_by_label("Full name").fill("Later")
    page.get_by_role("button", **save).click()
    expect(row(page, "Users", "of.two")).to_contain_text("Later")


def test_a_key_that_is_ignored_can_be_heeded_again(inside: Looking) -> None:
    page = inside.at("/admin/tags")
    keys = page.get_by_role("table", name="Unmatched keys")
    name = keys.locator("tbody tr").first.locator("td, th").first.inner_text()
    page.get_by_role("button", name=f"Ignore {name}").click()
    page.get_by_label("Why").fill("not of this plant")
    page.get_by_role("dialog").get_by_role("button", name="Ignore").click()
    expect(row(page, "Unmatched keys", name)).to_have_count(0)
    page.get_by_role("link", name="Mapped and ignored").click()
    page.get_by_label("Show").select_option("asset-ignored")
    ignored = row(page, "Mapped and ignored", name)
    expect(ignored).to_contain_text("not of this plant")
    assert inside.axe() == []
    ignored.get_by_role("button", name=re.compile("Heed again")).click()
    expect(ignored).to_have_count(0)
    inside.at("/admin/tags")
    expect(row(page, "Unmatched keys", name)).to_be_visible()
