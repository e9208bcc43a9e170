"""The dashboard as it was built from `ui/`: its files in memory, and how they are answered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

HASHED: Final = "/_ui/"
# What other handlers answer; a page is never answered there.
NOT_PAGES: Final = frozenset({"api", "ws", "_ui", "metrics", "livez", "readyz"})
FOR_GOOD: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
# The better one first.
PACKINGS: Final = (("br", "br"), ("gzip", "gz"))
NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>IC³: the dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>This copy of IC³ was installed from its sources, and they hold no built pages.
<p>Run <code>make ui</code> in the directory of the sources, then start the server again.
<p>The API works: <a href="/api/openapi.json">/api/openapi.json</a>.
</html>
"""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is answered.

    Attributes:
        packed: Content coding to the same body packed.
    """

    body: bytes
    content_type: str
    cache: str = ASK_AGAIN
    packed: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """All files; `index` is also what the address of every page answers."""

    index: StaticFile
    files: Mapping[str, StaticFile] = field(default_factory=dict)

    @property
    def build(self) -> str:
        """Another one where any file is another: the index names them by their hashes."""
        return hashlib.sha256(self.index.body).hexdigest()[:12]

    def answers(self, path: str, accept: str) -> StaticFile | None:
        """The file at a path; the index where a browser opens a page; None where others answer."""
        if path in {"/", "/index.html"}:
            return self.index
        if path in self.files:
            return self.files[path]
        wants_page = "text/html" in accept and path.split("/")[1] not in NOT_PAGES
        return self.index if wants_page else None


def packing_for(file: StaticFile, accept_encoding: str) -> str | None:
    """The best coding that a client takes and the file has; None is the plain body."""
    taken = {each.strip().partition(";")[0] for each in accept_encoding.lower().split(",")}
    return next((name for name, _ in PACKINGS if name in taken and name in file.packed), None)


def read_build(folder: Traversable | None = None) -> Dashboard:
    """The files of a build; without one a page that says how to make it.

    Args:
        folder: Where the build is; that of the package where it is not named.
    """
    folder = folder or resources.files("ic3.dashboard") / "static"
    index = folder / "index.html"
    if not index.is_file():
        return Dashboard(StaticFile(NOT_BUILT.encode(), TYPES["html"]))
    files = {f"/{each.name}": _file(each, ASK_AGAIN) for each in _served(folder)}
    built = folder / HASHED.strip("/")
    packed = {each.name: each.read_bytes() for each in built.iterdir()}
    for each in _served(built):
        codings = {
            coding: packed[f"{each.name}.{ending}"]
            for coding, ending in PACKINGS
            if f"{each.name}.{ending}" in packed
        }
        files[HASHED + each.name] = _file(each, FOR_GOOD, codings)
    return Dashboard(files.pop("/index.html"), files)


def _served(folder: Traversable) -> list[Traversable]:
    return [each for each in folder.iterdir() if each.is_file() and _ending(each) in TYPES]


def _file(file: Traversable, cache: str, packed: Mapping[str, bytes] | None = None) -> StaticFile:
    return StaticFile(file.read_bytes(), TYPES[_ending(file)], cache, packed or {})


def _ending(file: Traversable) -> str:
    return file.name.rpartition(".")[2]
