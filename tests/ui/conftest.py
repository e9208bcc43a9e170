"""The real server with the simulated plant, and Debian's Chromium that drives the dashboard."""

import shutil
from collections.abc import Iterator

import pytest
from browsing import Looking, profile
from driven import Product, place
from playwright.sync_api import Browser, sync_playwright

from ic3.dashboard import read_build

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser a run."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    if not read_build().files:
        pytest.skip("the dashboard is not built: make ui")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def product(browser: Browser) -> Iterator[Product]:
    """One server a run, with the simulated plant; who breaks it makes one of their own."""
    del browser
    with place() as found, Product(found, "demo", MONITORING_POLL_INTERVAL="2") as product:
        product.start()
        product.line("done in")
        yield product.until_ready()


@pytest.fixture
def looking(browser: Browser, product: Product) -> Iterator[Looking]:
    """A fresh browser profile in front of the login; what it must not do fails the test."""
    yield from profile(browser, product)


@pytest.fixture(scope="module")
def inside(browser: Browser, product: Product) -> Iterator[Looking]:
    """One login for all tests of a module that change no setting."""
    for looking in profile(browser, product):
        looking.log_in()
        yield looking
