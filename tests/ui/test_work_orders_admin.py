"""Work orders and administration in a browser."""

import re

import pytest
from browsing import Looking
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(90)


def test_the_system_page_tells_of_database_partitions_and_checks(inside: Looking) -> None:
    page = inside.at("/admin/system")
    partitions = page.get_by_role("table", name="Partitions")
    expect(partitions.get_by_role("row").filter(has_text="telemetry")).to_have_count(1)
    checks = page.get_by_role("table", name="Checks of the doctor")
    expect(checks.get_by_role("row").filter(has_text="roles")).to_contain_text("✓ passed")
    expect(page.get_by_text("Simulated: every reading is made up")).to_be_visible()
    assert inside.axe() == []


def test_a_tag_is_mapped_for_all_of_a_kind_and_taken_back(inside: Looking) -> None:
    page = inside.at("/admin/tags?tab=tags")
    tags = page.get_by_role("table", name="Skipped tags")
    tags.get_by_role("button", name="Map to…").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="all of kind").check()
    dialog.get_by_role("combobox").first.select_option(index=1)
    expect(dialog).to_contain_text(re.compile(r"Maps the tag on [\d,]+ assets"))
    assert inside.axe() == []
    dialog.get_by_label("Stored readings").select_option("none")
    dialog.get_by_role("button", name="Map it").click()
    expect(dialog).to_contain_text(re.compile(r"Mapped on [\d,]+ assets"))
    dialog.get_by_role("button", name="Undo").click()
    expect(dialog).to_contain_text("The mapping is taken back")
