"""Work orders in the field: on a phone, with a photo, and with somebody else at the same order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import PHONE, Looking, person, profile
from driven import Product
from playwright.sync_api import Browser, FilePayload, Page, expect

pytestmark = pytest.mark.timeout(240)

PUMP = "Azadpur_Small Pump_3"
THUMB_PX = 48


@pytest.fixture
def order(product: Product) -> int:
    """An order that is assigned to nobody."""
    wanted = {"serial_number": PUMP, "title": "Change the seal", "priority": 2}
    return int(product.send("POST", "/api/work-orders", wanted)["id"])


@pytest.fixture(scope="module")
def phone(browser: Browser, product: Product) -> Iterator[Looking]:
    """A phone in an operator's hand."""
    who = person(product, "in.the.field", "operator")
    for looking in profile(browser, product, viewport=PHONE, has_touch=True, is_mobile=True):
        looking.log_in("/work-orders", **who)
        yield looking


def edit(page: Page, title: str) -> None:
    """Open the fields of an order and write another title."""
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_label("What is to be done").fill(title)


def test_a_photo_is_handed_in_shown_and_saved_on_a_phone(
    phone: Looking, order: int, tmp_path: Path
) -> None:
    page = phone.at(f"/work-orders/{order}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Change the seal")
    photo = page.screenshot()
    name = "पंप 1.png"
    taken: FilePayload = {"name": name, "mimeType": "image/png", "buffer": photo}
    page.get_by_label("Take a photo").set_input_files(taken)
    handed = page.get_by_role("listitem").filter(has_text=name)
    expect(handed).to_contain_text("in.the.field")
    handed.get_by_role("button", name="Show").tap()
    expect(page.get_by_role("img", name=name)).to_be_visible()
    with page.expect_download() as download:
        handed.get_by_role("button", name="Save").tap()
    download.value.save_as(tmp_path / "photo.png")
    assert (tmp_path / "photo.png").read_bytes() == photo
    expect(handed.get_by_role("button", name="Delete")).to_have_count(0)
    assert phone.too_wide() == []
    assert phone.axe() == []


def test_what_a_thumb_presses_is_large_and_a_note_is_written(phone: Looking, order: int) -> None:
    page = phone.at(f"/work-orders/{order}")
    page.get_by_label("Write a note").fill("seal <i>and</i> bearing")
    send = page.get_by_role("button", name="Add the note")
    box = send.bounding_box()
    assert box is not None
    assert box["height"] >= 40
    send.tap()
    expect(page.get_by_text("seal <i>and</i> bearing")).to_be_visible()
    way = page.get_by_role("link", name="Way there").bounding_box()
    assert way is not None
    assert way["height"] >= THUMB_PX


def test_two_at_one_order_are_told_and_neither_loses_what_was_typed(
    inside: Looking, order: int
) -> None:
    page = inside.at(f"/work-orders/{order}")
    edit(page, "Change the seal and the bearing")
    other = page.context.new_page()
    other.goto(f"/work-orders/{order}")
    edit(other, "Change the seal at once")
    other.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Change the seal at once")
    other.close()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("Somebody changed it meanwhile")
    expect(page.get_by_label("What is to be done")).to_have_value("Change the seal and the bearing")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text("Change the seal and the bearing")
    expect(page.get_by_text("changed: title")).to_have_count(2)


def test_a_step_that_another_took_before_is_refused_and_the_order_read_again(
    inside: Looking, order: int
) -> None:
    page = inside.at(f"/work-orders/{order}")
    cancel = page.get_by_role("button", name="Cancel the order")
    cancel.click()
    other = page.context.new_page()
    other.goto(f"/work-orders/{order}")
    other.get_by_role("button", name="Assign").click()
    other.get_by_label("Team (free text)").fill("Crew 7")
    other.get_by_role("button", name="Confirm").click()
    expect(other.get_by_role("button", name="Begin work")).to_be_visible()
    other.close()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").fill("made twice")
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Not done")
    expect(page.locator("header .state")).to_have_text("Assigned")
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.locator("header .state")).to_have_text("Cancelled")
