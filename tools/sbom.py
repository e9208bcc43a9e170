"""Write what a release is made of: a bill of materials and the list of licences.

The bill is CycloneDX 1.6 (ECMA-424): every package of requirements.lock that this platform takes;
required, optional (an extra) or excluded (a tool of the makers, not installed with the product).
Licences are as the packages themselves say. The same environment gives the same files.
"""

import json
import re
import sys
import uuid
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = "ic3"
SBOM: Final = "ic3.cdx.json"
LICENCES: Final = "licences.csv"
EXTRAS: Final = ("sim", "eval")
NAME_OF_LICENCE_CHARS: Final = 60
_LOCKED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+))?", re.MULTILINE)


def main(place: Path) -> None:
    """Write both files into a directory."""
    place.mkdir(parents=True, exist_ok=True)
    found = components((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    bill = json.dumps(bill_of(found), indent=2, ensure_ascii=False)
    (place / SBOM).write_text(bill + "\n", encoding="utf-8")
    rows = ["name,version,scope,licence", *(_row(each) for each in found)]
    (place / LICENCES).write_text("\n".join(rows) + "\n", encoding="utf-8")


def bill_of(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The document; its number follows from what it lists."""
    version = metadata.version(PROJECT)
    product = {
        "type": "application", "bom-ref": PROJECT, "name": PROJECT, "version": version,
        "licenses": licences_of(PROJECT), "purl": f"pkg:generic/{PROJECT}@{version}",
    }  # fmt: skip
    listed = json.dumps([version, found])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, listed)}",
        "version": 1,
        "metadata": {"component": product},
        "components": found,
        "dependencies": [_depends(PROJECT, found), *(_depends(c["name"], found) for c in found)],
    }


def components(lock: str) -> list[dict[str, Any]]:
    """The packages of a lock file that this platform takes, by name."""
    needed, optional = closure([PROJECT]), closure([PROJECT], EXTRAS)
    found = []
    for written, version, marker in _LOCKED.findall(lock):
        if marker and not Marker(marker).evaluate():
            continue
        name = canonicalize_name(written)
        scope = "required" if name in needed else "optional" if name in optional else "excluded"
        purl = f"pkg:pypi/{name}@{version}"
        component: dict[str, Any] = {
            "type": "library", "bom-ref": purl, "name": name, "version": version, "scope": scope,
            "purl": purl,
        }  # fmt: skip
        if licences := licences_of(name):
            component["licenses"] = licences
        found.append(component)
    return found


def closure(names: Iterable[str], extras: tuple[str, ...] = ()) -> set[str]:
    """These installed packages and all that they need, with the extras of the first."""
    found: set[str] = set()
    waiting = [(name, extras) for name in names]
    while waiting:
        name, wanted = waiting.pop()
        found.add(name)
        for requirement in needs(name, wanted):
            other = canonicalize_name(requirement.name)
            if other not in found or requirement.extras:
                found.add(other)
                waiting.append((other, tuple(sorted(requirement.extras))))
    return found


def needs(name: str, extras: tuple[str, ...] = ()) -> list[Requirement]:
    """What an installed package needs on this platform; nothing where it is not installed."""
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return []
    requirements = [Requirement(text) for text in texts]
    return [
        each
        for each in requirements
        if each.marker is None
        or any(each.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def licences_of(name: str) -> list[dict[str, Any]]:
    """What an installed package says of its licence, in the form of CycloneDX."""
    try:
        described = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return []
    if "License-Expression" in described:
        return [{"expression": described["License-Expression"]}]
    classified = [
        each.rpartition(" :: ")[2]
        for each in described.get_all("Classifier") or []
        if each.startswith("License :: OSI Approved :: ")
    ]
    # Some put the whole text there, its name first.
    (words, *_) = described.get_all("License") or [""]
    name_of_it = words.strip().partition("\n")[0]
    if not classified and 0 < len(name_of_it) <= NAME_OF_LICENCE_CHARS:
        classified = [name_of_it]
    return [{"license": {"name": each}} for each in classified]


def _depends(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    refs = {each["name"]: each["bom-ref"] for each in found}
    wanted = {canonicalize_name(each.name) for each in needs(name)}
    return {
        "ref": refs.get(name, name),
        "dependsOn": sorted(refs[each] for each in wanted if each in refs),
    }


def _row(component: dict[str, Any]) -> str:
    licences = " AND ".join(
        each.get("expression") or each["license"]["name"] for each in component.get("licenses", ())
    )
    quoted = '"' + licences.replace('"', '""') + '"'
    return f"{component['name']},{component['version']},{component['scope']},{quoted}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
