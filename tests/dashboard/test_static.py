"""How the built dashboard is served, and what may not stand in it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ic3.dashboard import FOR_GOOD, Dashboard, packing_for, read_build

PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"
SOURCES = Path(__file__).parents[2] / "ui" / "src"


class Tags(HTMLParser):
    """Every tag with its attributes, and the text inside script and style."""

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small build."""
    (tmp_path / "_ui").mkdir()
    (tmp_path / ".vite").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>built</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "_ui" / "index-1a.js").write_text("plain")
    (tmp_path / "_ui" / "index-1a.js.gz").write_bytes(b"by gzip")
    (tmp_path / "_ui" / "index-1a.js.br").write_bytes(b"by brotli")
    (tmp_path / "_ui" / "font-2b.woff2").write_bytes(b"font")
    return tmp_path


@pytest.fixture
def small(folder: Path) -> Dashboard:
    return read_build(folder)


@pytest.fixture(scope="module")
def built() -> Dashboard:
    """The dashboard as it was built from these sources."""
    found = read_build()
    if not found.files:
        pytest.skip("the dashboard is not built: make ui")
    return found


def test_hashed_files_are_kept_for_good_and_the_index_is_asked_for_again(small: Dashboard) -> None:
    assert small.index.cache == "no-cache"
    assert {path: file.cache for path, file in small.files.items()} == {
        "/icon.svg": "no-cache", "/_ui/index-1a.js": FOR_GOOD, "/_ui/font-2b.woff2": FOR_GOOD,
    }  # fmt: skip


def test_types_are_true(small: Dashboard) -> None:
    assert small.index.content_type == "text/html; charset=utf-8"
    assert {path: file.content_type for path, file in small.files.items()} == {
        "/icon.svg": "image/svg+xml", "/_ui/index-1a.js": "text/javascript; charset=utf-8",
        "/_ui/font-2b.woff2": "font/woff2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("GZIP;q=1.0", "gzip"), ("", None),
     ("identity", None), ("zstd", None)],
)  # fmt: skip
def test_a_packed_body_goes_to_who_takes_it(
    small: Dashboard, accepted: str, coding: str | None
) -> None:
    assert packing_for(small.files["/_ui/index-1a.js"], accepted) == coding


def test_a_font_is_not_packed_again(small: Dashboard) -> None:
    assert packing_for(small.files["/_ui/font-2b.woff2"], "gzip, br") is None


@pytest.mark.parametrize(
    "path", ["/", "/alarms", "/assets/A%2FB", "/assets/नल 1", "/work-orders/7", "/wsx", "/apiary"]
)
def test_the_address_of_a_page_answers_the_index(small: Dashboard, path: str) -> None:
    assert small.answers(path, PAGE) is small.index


@pytest.mark.parametrize(
    "path",
    ["/_ui/gone-3c.js", "/_ui/", "/_ui", "/api", "/api/nope", "/ws", "/ws/v1", "/metrics",
     "/livez", "/readyz"],
)  # fmt: skip
def test_what_others_answer_is_never_the_index(small: Dashboard, path: str) -> None:
    assert small.answers(path, PAGE) is None


@pytest.mark.parametrize("path", ["/alarms", "/nope", "/.vite/manifest.json"])
def test_a_program_is_not_given_a_page(small: Dashboard, path: str) -> None:
    assert small.answers(path, "*/*") is None


def test_another_build_has_another_name(folder: Path) -> None:
    before = read_build(folder).build
    (folder / "index.html").write_text("<!doctype html><title>another</title>")
    assert read_build(folder).build != before


def test_without_a_build_a_plain_page_says_how_to_make_it(tmp_path: Path) -> None:
    missing = read_build(tmp_path)
    assert b"make ui" in missing.index.body
    assert missing.answers("/alarms", PAGE) is missing.index
    assert missing.answers("/_ui/index.js", PAGE) is None


def test_s27_the_index_holds_no_inline_script_style_or_handler(built: Dashboard) -> None:
    page = Tags(built.index.body.decode())
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert page.code == []
    assert "style" not in {tag for tag, _ in page.tags}
    assert [name for name in attributes if name.startswith("on") or name == "style"] == []


def test_the_index_names_only_files_that_are_served(built: Dashboard) -> None:
    named = re.findall(r'(?:src|href)="([^"]+)"', built.index.body.decode())
    assert set(named) <= set(built.files)
    assert len(named) >= 3


def test_scripts_and_styles_are_packed(built: Dashboard) -> None:
    unpacked = [
        path
        for path, file in built.files.items()
        if path.endswith((".js", ".css")) and set(file.packed) != {"br", "gzip"}
    ]
    assert unpacked == []


def test_styles_load_only_fonts_of_ours(built: Dashboard) -> None:
    styles = "".join(
        file.body.decode() for path, file in built.files.items() if path.endswith(".css")
    )
    loaded = set(re.findall(r"url\(([^)]+)\)", styles))
    assert loaded <= set(built.files)
    assert len(loaded) == 2
    assert "@import" not in styles


def test_s27_text_never_becomes_markup() -> None:
    forbidden = re.compile(
        r"\{@html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
        r"""|\sstyle=["']"""
    )
    found = [
        path.name
        for path in sorted([*SOURCES.rglob("*.svelte"), *SOURCES.rglob("*.ts")])
        if path.name != "api.d.ts" and forbidden.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_dashboard_never_opens_the_socket_of_the_contract() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in SOURCES.rglob("*.ts")
        if path.name != "api.d.ts"
    )
    assert set(re.findall(r"[`\"}](/ws\b[/\w]*)", sources)) == {"/ws/v1"}
