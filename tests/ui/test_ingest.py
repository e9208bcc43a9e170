"""The ingest page: whether readings arrive, and what became of the keys of a run."""

import re

import pytest
from browsing import Looking
from driven import Product
from playwright.sync_api import expect

pytestmark = pytest.mark.timeout(240)

# Of a sweep in which nothing was new, no tag is told.
NEWEST = "SELECT id, tags_skipped FROM ic3_ingest_run_log WHERE tags_skipped > 0 ORDER BY 1 DESC"

LONG_AGO = """
INSERT INTO ic3_ingest_run_log (run_at, duration_ms, error_msg)
VALUES (now() - interval '9 h', 30000, %s) RETURNING id
"""


def test_a_run_opens_with_its_unmatched_keys_and_tags_and_closes_by_going_back(
    inside: Looking, product: Product
) -> None:
    page = inside.at("/ingest")
    run, skipped = product.sql(NEWEST)[0]
    page.get_by_role("table", name="Runs").locator(f"a[href$='run={run}']").click()
    expect(page).to_have_url(re.compile(rf"run={run}$"))
    expect(page.get_by_text("Assets that are not in the register: 16")).to_be_visible()
    expect(page.get_by_text(f"Tags without a parameter: {skipped}")).to_be_visible()
    assert inside.axe() == []
    page.go_back()
    expect(page.get_by_text("Tags without a parameter")).to_have_count(0)


def test_a_run_that_failed_hours_ago_still_says_why(inside: Looking, product: Product) -> None:
    product.sql(LONG_AGO, "the <b>gateway</b> was away")
    page = inside.at("/ingest")
    expect(page.get_by_text("✕ the <b>gateway</b> was away")).to_be_visible()
    assert inside.axe() == []


def test_the_day_is_read_by_keys_too(inside: Looking) -> None:
    page = inside.at("/ingest")
    day = page.get_by_role("slider", name="Span")
    day.focus()
    page.keyboard.press("End")
    expect(day).to_have_attribute("aria-valuetext", re.compile(r"\d+ runs, \d+ failed"))
    page.keyboard.press("Home")
    expect(day).to_have_attribute("aria-valuetext", re.compile("no run"))
    assert inside.axe() == []
    assert inside.troubles() == []
