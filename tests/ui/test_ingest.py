"""The ingest page: whether readings arrive, and what became of the keys of a run."""

import re

import pytest
from browsing import Looking
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(90)


def test_a_run_opens_with_its_unmatched_keys_and_tags_and_closes_by_going_back(
    inside: Looking,
) -> None:
    page = inside.at("/ingest")
    runs = page.get_by_role("table", name="Runs")
    runs.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"run=\d+"))
    expect(page.get_by_text("Assets that are not in the register: 16")).to_be_visible()
    expect(page.get_by_text("Tags without a parameter: 89")).to_be_visible()
    assert inside.axe() == []
    page.go_back()
    expect(page.get_by_text("Tags without a parameter")).to_have_count(0)


def test_the_day_is_read_by_keys_too(inside: Looking) -> None:
    page = inside.at("/ingest")
    day = page.get_by_role("slider", name="Span")
    day.focus()
    page.keyboard.press("End")
    expect(day).to_have_attribute("aria-valuetext", re.compile(r"\d+ runs, 0 failed"))
    page.keyboard.press("Home")
    expect(day).to_have_attribute("aria-valuetext", re.compile("no run"))
    assert inside.axe() == []
    assert inside.troubles() == []
