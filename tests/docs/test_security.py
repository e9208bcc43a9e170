"""What of the security checklist is a matter of files: S23, S40, S42."""

import ast
import json
import re
import shutil
import subprocess
import sys
import uuid
from importlib import metadata
from pathlib import Path

import pytest

from ic3 import __version__

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "ic3").rglob("*.py"))
UNIT = ROOT / "deploy" / "ic3.service"
CLOSED = {
    "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
    "PrivateDevices": "yes", "CapabilityBoundingSet": "", "StateDirectoryMode": "0700",
    "User": "ic3",
}  # fmt: skip


def built_statements(source: str) -> list[int]:
    """Lines where text that is put together is given to a database as a statement."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr not in {"execute", "executemany", "copy"} or not node.args:
            continue
        statement = node.args[0]
        glued = isinstance(statement, ast.JoinedStr | ast.BinOp)
        # `SQL("…").format(Identifier(…))` is psycopg's own way, which quotes.
        formatted = (
            isinstance(statement, ast.Call)
            and isinstance(statement.func, ast.Attribute)
            and statement.func.attr in {"format", "join"}
            and not (
                isinstance(statement.func.value, ast.Call)
                and isinstance(statement.func.value.func, ast.Name)
                and statement.func.value.func.id == "SQL"
            )
        )
        if glued or formatted:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_s23_no_statement_is_put_together_from_text(path: Path) -> None:
    assert built_statements(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    ['c.execute(f"SELECT {x}")', 'c.execute("SELECT " + x)', 'c.execute("a %s" % x)',
     'c.execute("SELECT {}".format(x))', 'c.copy(", ".join(x))'],
)  # fmt: skip
def test_s23_the_look_for_such_statements_finds_them(line: str) -> None:
    assert built_statements(line) == [1]


def test_s23_what_quotes_is_allowed() -> None:
    assert built_statements('c.execute(SQL("SELECT {}").format(Identifier(x)))') == []


def test_s40_every_package_of_the_lock_file_has_its_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.split(r"\n(?=\S)", text.replace("\\\n", ""))
    named = [each for each in packages if re.match(r"[\w.-]+==", each)]
    assert len(named) > 30
    assert [each.split()[0] for each in named if "--hash=sha256:" not in each] == []
    assert "://" not in text


def test_s40_the_bill_of_materials_lists_every_package_that_is_installed_with_its_licence(
    tmp_path: Path,
) -> None:
    made = [sys.executable, str(ROOT / "tools" / "sbom.py"), str(tmp_path)]
    subprocess.run(made, check=True)
    bill = json.loads((tmp_path / "ic3.cdx.json").read_text(encoding="utf-8"))
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert uuid.UUID(bill["serialNumber"].removeprefix("urn:uuid:")).version == 5
    product, listed = bill["metadata"]["component"], bill["components"]
    assert (product["name"], product["version"]) == ("ic3", __version__)
    assert product["licenses"] == [{"expression": "Apache-2.0"}]
    versions = {each["name"]: each["version"] for each in listed}
    assert versions["psycopg"] == metadata.version("psycopg")
    assert [each["name"] for each in listed if not each.get("licenses")] == []
    refs = {"ic3", *(each["bom-ref"] for each in listed)}
    assert {each["ref"] for each in bill["dependencies"]} == refs
    assert {other for each in bill["dependencies"] for other in each["dependsOn"]} <= refs
    scopes = {each["name"]: each["scope"] for each in listed}
    assert (scopes["argon2-cffi"], scopes["ruff"]) == ("required", "excluded")
    assert scopes["argon2-cffi-bindings"] == "required"
    assert scopes["epanet-plus"] == "optional"
    rows = (tmp_path / "licences.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + len(listed)


def test_s40_the_same_environment_gives_the_same_bill(tmp_path: Path) -> None:
    made = [sys.executable, str(ROOT / "tools" / "sbom.py")]
    for name in ("one", "two"):
        subprocess.run([*made, str(tmp_path / name)], check=True)
    one, two = (tmp_path / name / "ic3.cdx.json" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_s42_the_service_unit_takes_all_rights_away_that_are_not_needed() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    pairs = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    assert {name: pairs.get(name) for name in CLOSED} == CLOSED


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_s42_systemd_finds_the_unit_safe() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
