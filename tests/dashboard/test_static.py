"""The first page: what is served, and what its content security policy demands of it."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from ic3.dashboard import static_files

SVG_NAMESPACE = "http://www.w3.org/2000/svg"


class Tags(HTMLParser):
    """Every start tag with its attributes, and the text inside script and style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.code: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is not None and data.strip():
            self.code.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.tags if attribute in attrs]


def text(path: str) -> str:
    return static_files()[path][0].decode()


@pytest.fixture(scope="module")
def page() -> Tags:
    return Tags(text("/"))


def test_page_script_and_style_are_served_with_their_types() -> None:
    types = {path: content_type for path, (_, content_type) in static_files().items()}
    assert types == {
        "/": "text/html; charset=utf-8",
        "/page.js": "text/javascript; charset=utf-8",
        "/page.css": "text/css; charset=utf-8",
    }
    assert all(content for content, _ in static_files().values())


def test_page_names_its_language_and_title() -> None:
    html = text("/")
    assert '<html lang="en">' in html
    assert "<title>IC³</title>" in html


def test_s27_page_holds_no_inline_script_style_or_handler(page: Tags) -> None:
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert page.code == []
    assert "style" not in {tag for tag, _ in page.tags}
    assert [name for name in attributes if name.startswith("on") or name == "style"] == []
    assert "javascript:" not in text("/")


def test_s27_script_leaves_markup_and_style_attributes_alone() -> None:
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    assert re.findall(forbidden, text("/page.js")) == []
    assert re.findall(r"\bstyle:|\.style\b|cssText", text("/page.js")) == []


def test_page_fetches_only_what_is_served(page: Tags) -> None:
    fetched = [
        attrs.get("src") or attrs.get("href")
        for tag, attrs in page.tags
        if tag in {"script", "link", "img"}
    ]
    assert set(fetched) == {"data:,", "/page.css", "/page.js"}


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css"])
def test_no_other_host_is_named(path: str) -> None:
    found = re.findall(r"(?:https?:|wss?:|[\"'(])//[^\s\"')]*", text(path))
    assert [each for each in found if each != SVG_NAMESPACE] == []


def test_stylesheet_loads_nothing() -> None:
    assert re.findall(r"url\(|@import", text("/page.css")) == []


def test_every_id_the_script_uses_is_on_the_page(page: Tags) -> None:
    script = text("/page.js")
    used = set(re.findall(r'byId\("([^"]+)"\)', script))
    panels = set(re.findall(r"^  (\w+): \{ loadedAt", script, re.MULTILINE))
    built = set(re.findall(r"byId\(`\$\{name\}-(\w+)`\)", script))
    (listed,) = re.findall(r"for \(const id of \[([^\]]+)\]\)", script)
    used |= panels | {f"{panel}-{end}" for panel in panels for end in built}
    used |= set(re.findall(r'"([^"]+)"', listed))
    assert {"login", "system-asof", "live-error", "runs-table"} <= used
    assert used - set(page.values("id")) == set()


def test_ids_are_unique(page: Tags) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))


def test_every_field_has_a_label_and_every_label_a_field(page: Tags) -> None:
    fields = {attrs.get("id") for tag, attrs in page.tags if tag == "input"}
    assert fields == set(page.values("for"))


def test_script_is_strict() -> None:
    assert text("/page.js").startswith('"use strict";\n')


def test_script_parses() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    run = subprocess.run(
        [node, "--check", "-"], input=text("/page.js"), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
