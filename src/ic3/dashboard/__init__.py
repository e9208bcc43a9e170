"""The first page of the control room: static files, shipped with the package."""

import hashlib
from importlib import resources
from typing import Final

PAGES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}


def static_files() -> dict[str, tuple[bytes, str]]:
    """URL path to content and content type."""
    folder = resources.files("ic3.dashboard") / "static"
    return {
        path: ((folder / name).read_bytes(), content_type)
        for path, (name, content_type) in PAGES.items()
    }


def build() -> str:
    """Which build of the page is served: another one where any of its files is another."""
    digest = hashlib.sha256()
    for content, _ in static_files().values():
        digest.update(content)
    return digest.hexdigest()[:12]
