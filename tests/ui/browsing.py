"""A person in front of the dashboard, and what the browser notes meanwhile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from driven import PASSWORD, Product, request
from playwright.sync_api import Browser, BrowserContext, Page, Request, ViewportSize, expect

AXE: Final = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
# Costs nothing where the machine is quiet.
PATIENCE_MS: Final = 30_000
expect.set_options(timeout=PATIENCE_MS)
DESK: Final[ViewportSize] = {"width": 1440, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
TAGS: Final = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
WATCH: Final = """
document.addEventListener("securitypolicyviolation", (event) =>
  window.noteViolation(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""
# What reaches beyond the right edge, where the page can be scrolled sideways.
TOO_WIDE: Final = """async () => {
  // A window of another size is laid out in the next frame.
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((each) => !each.closest("header nav, .scroll"))
    .filter((each) => each.getBoundingClientRect().right > width + 1)
    .slice(0, 5)
    .map((each) => `${location.pathname} at ${width}: ${each.outerHTML.slice(0, 120)}`);
}"""


class Looking:
    """One page of one browser profile.

    Attributes:
        page: What playwright drives.
        sockets: Paths of the WebSockets that were opened.
    """

    def __init__(self, context: BrowserContext, host: str) -> None:
        self._host = host
        self._troubles: list[str] = []
        self.sockets: list[str] = []
        context.expose_function("noteViolation", self._noted)
        context.add_init_script(WATCH)
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", self._requested)
        self.page.on("websocket", lambda each: self._connected(each.url))
        self.page.on("pageerror", lambda error: self._troubles.append(f"script: {error}"))

    def log_in(self, path: str = "/", *, name: str = "admin", password: str = PASSWORD) -> Page:
        """Open a path, which asks for the login first."""
        self.page.goto(path)
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.locator(".lamp", has_text="Live").wait_for()
        return self.page

    def at(self, path: str) -> Page:
        """Open another path with the login there is."""
        self.page.goto(path)
        self.page.locator(".lamp", has_text="Live").wait_for()
        return self.page

    def axe(self) -> list[str]:
        """Rules of accessibility that the page breaks as it is, with where."""
        if not self.page.evaluate("'axe' in window"):
            # Read by the debugger's way, which the policy of the page does not bind.
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "tags => axe.run(document, { runOnly: tags })"
            ".then(({ violations }) => violations.flatMap("
            "({ id, nodes }) => nodes.map(node => `${id}: ${node.target}: ${node.html}`)))",
            TAGS,
        )
        return [str(each) for each in found]

    def too_wide(self) -> list[str]:
        """What makes the page wider than the window."""
        return [str(each) for each in self.page.evaluate(TOO_WIDE)]

    def troubles(self) -> list[str]:
        """Errors of scripts, requests to other hosts, other sockets, breaches of the policy."""
        # What a page has told before this answer has arrived with it.
        self.page.evaluate("0")
        return list(self._troubles)

    def _noted(self, words: str) -> None:
        self._troubles.append(words)

    def _connected(self, url: str) -> None:
        parts = urlsplit(url)
        self.sockets.append(parts.path)
        if (parts.netloc, parts.path) != (self._host, "/ws/v1"):
            self._troubles.append(f"another socket: {url}")

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self._host:
            self._troubles.append(f"another host: {request.url}")


def profile(
    browser: Browser, product: Product, *, viewport: ViewportSize = DESK, **device: Any
) -> Iterator[Looking]:
    """A fresh browser profile; afterwards the test fails by what it must not have done."""
    context = browser.new_context(
        viewport=viewport, base_url=product.base, locale="en-IN", timezone_id="America/Lima",
        **device,
    )  # fmt: skip
    looking = Looking(context, host=urlsplit(product.base).netloc)
    yield looking
    troubles = looking.troubles()
    context.close()
    assert troubles == [], troubles


def person(product: Product, name: str, role: str, *domains: str) -> dict[str, str]:
    """Make a user, who then logs in with this."""
    who = {"name": name, "password": f"{PASSWORD} of {name}"}
    # Users are made by who has just given the password.
    admin = {"username": "admin", "password": PASSWORD}
    token = request(product.base, "POST", "/api/auth/login", body=admin)[1]["access_token"]
    wanted = {
        "username": name, "password": who["password"], "role": role, "domains": domains or None,
    }  # fmt: skip
    status, words, _ = request(product.base, "POST", "/api/users", body=wanted, token=token)
    assert status == 201, words
    return who
