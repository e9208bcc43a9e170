"""What can go undocumented is tested here."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import psycopg
import pytest
import typer
from typer.testing import CliRunner

import ic3
from ic3.api import ROUTES
from ic3.cli import (
    alarms,
    analytics,
    app,
    assets,
    backup,
    evaluate,
    export,
    incident,
    network,
    orders,
    plant,
    read,
    run,
    setup,
    status,
    tags,
    tail,
)
from ic3.domain.envelope import Reject
from ic3.domain.quality import Reason
from ic3.gateway import errors
from ic3.observations import Observation
from ic3.settings import options

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.as_posix()
)
ADRS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
# Importing them makes their commands.
COMMAND_MODULES = (
    run, status, read, setup, plant, tags, export, assets, alarms, tail, network, orders, backup,
    evaluate,
    incident, analytics,
)  # fmt: skip

# `ic3` and the words behind it; not where it is the name of a user.
COMMAND = re.compile(r"(?<!-u)(?:^|[/ ])ic3((?: [a-z][a-z-]*)+)", re.MULTILINE)

COLUMNS = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""
WITHOUT_COMMENT = """
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
    AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
ORDER BY c.relname, a.attnum
"""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def reference(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def vars_of(thing: object) -> set[str]:
    """What a class itself defines; nothing of any other thing."""
    return set(vars(thing)) if isinstance(thing, type) else set()


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as the usual Markdown renderers make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def commands_in(text: str) -> Iterator[list[str]]:
    """Commands of `ic3` in code, as the words that name them."""
    for code in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text, re.DOTALL):
        for words in COMMAND.findall("\n".join(code)):
            yield known_words(words.split())


def known_words(words: list[str]) -> list[str]:
    """Of the words of a line, those that name a command; the rest are its arguments."""
    command = typer.main.get_command(app)
    for index, word in enumerate(words):
        below = getattr(command, "commands", {})
        if not below:
            return words[:index]
        assert word in below, f"ic3 {' '.join(words)} is no command"
        command = below[word]
    return words


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_every_setting_is_documented() -> None:
    page = reference("settings.md")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert [row["name"] for row in options() if f"| `{row['name']}` |" not in page] == []
    assert [row["name"] for row in options() if f"\n# {row['name']}=" not in example] == []


def test_example_settings_are_commented_out() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert [line for line in example.splitlines() if line and not line.startswith("#")] == []
    assert "\n# REDIS_API_BASE=http://3.108.55.133:8181\n" in example


def test_every_route_is_documented() -> None:
    page = reference("routes.md")
    paths = [(each.method, re.sub(r":\w+\}", "}", each.path)) for each in ROUTES]
    assert [path for path in paths if f"| {path[0]} | `{path[1]}` |" not in page] == []


def test_every_observation_is_documented() -> None:
    page = reference("observations.md")
    names = [each.__name__ for each in get_args(Observation)]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_reject_reason_is_documented() -> None:
    page = reference("rejects.md")
    assert [each for each in Reject if f"| `{each.value}` |" not in page] == []
    kinds = [vars(each)["reason"] for each in vars(errors).values() if "reason" in vars_of(each)]
    assert [reason for reason in kinds if f"| `{reason}` |" not in page] == []


def test_every_reason_of_quality_is_explained() -> None:
    page = (ROOT / "docs" / "howto" / "read-quality-and-freshness.md").read_text(encoding="utf-8")
    assert [each for each in Reason if f"| `{each.value}` |" not in page] == []


def test_every_table_and_column_is_documented(dsn: str) -> None:
    page = reference("tables.md")
    with psycopg.connect(dsn) as connection:
        columns = connection.execute(COLUMNS).fetchall()
        assert connection.execute(WITHOUT_COMMENT).fetchall() == []
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    missing = [
        (table, column)
        for table, column in columns
        if f"| `{column}` |" not in sections.get(table, "")
    ]
    assert columns
    assert missing == []


def test_no_cell_of_a_meaning_is_empty() -> None:
    rows = re.findall(r"^\| `.*\|$", reference("tables.md"), re.MULTILINE)
    assert [row for row in rows if row.endswith("|  |")] == []


def test_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## \[([^\]]+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert found is not None
    assert found[1] == ic3.__version__


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    broken = []
    for link in links:
        target, _, anchor = link.partition("#")
        if target.startswith("https://"):
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists() or (anchor and anchor not in anchors(place)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_commands_exist(path: Path) -> None:
    runner = CliRunner()
    named = {tuple(words) for words in commands_in(path.read_text(encoding="utf-8"))}
    failed = [
        words for words in named if runner.invoke(app, [*words, "--help"]).exit_code != 0
    ]  # fmt: skip
    assert failed == []


def test_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = getattr(typer.main.get_command(app), "commands", {})
    assert names
    assert [name for name in names if f"`ic3 {name}" not in readme] == []


def test_readme_names_the_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\nmake test\n" in readme


def test_makefile_has_the_recipes_of_the_pages() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= recipes


@pytest.mark.parametrize("path", ADRS, ids=name_of)
def test_decision_has_its_four_parts_on_sixty_lines(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Status", "Context", "Decision", "Cost"]
    assert text.startswith(f"# {path.name[:4]}. ")
    assert len(text.splitlines()) <= 60


def test_architecture_fits_a_hundred_lines() -> None:
    assert len((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines()) <= 100


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_registry_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8").lower()
    registries = ("pypi.org", "pythonhosted.org", "npmjs", "docker.io", "ghcr.io", "proxy.golang")
    assert [each for each in registries if each in text] == []
