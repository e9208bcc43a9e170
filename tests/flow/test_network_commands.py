"""`ic3 network`: what it prints and what it refuses."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from driven import ic3_here

SMALL = Path(__file__).parents[1] / "unit" / "networks.py"
VALVE = """
INSERT INTO ic3_network_valve VALUES ('SV1', 'P2', 'J1', 'sluice 1'), ('SV2', 'P3', 'J2', NULL),
    ('SV3', 'P5', 'J2', NULL)
"""


def small_inp() -> str:
    spec = importlib.util.spec_from_file_location("networks", SMALL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.INP
    assert isinstance(text, str)
    return text


class Site:
    """A database with an empty network, and a file beside it."""

    def __init__(self, place: Path, dsn: str) -> None:
        self.place, self.dsn = place, dsn
        self.file = place / "plan.inp"
        self.file.write_text(small_inp())

    def run(self, *arguments: str, code: int = 0) -> Any:
        done = ic3_here(self.place, "network", *arguments, DATABASE_URL=self.dsn)
        assert "Traceback" not in done.stderr
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def site(own_place: Path, fresh_dsn: str) -> Site:
    return Site(own_place, fresh_dsn)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(site: Site) -> None:
    done = site.run("import", str(site.file), "--dry-run")
    assert ["nodes", "8", "0", "0", "0"] in [line.split() for line in done.stdout.splitlines()]
    assert "nothing was written" in done.stderr
    assert site.sql("SELECT count(*) FROM ic3_network_node") == [(0,)]
    assert site.sql("SELECT count(*) FROM audit_log") == [(0,)]


def test_in_and_out_and_in_again_changes_nothing(site: Site) -> None:
    told = json.loads(site.run("import", str(site.file), "--json").stdout)
    assert (told["nodes"]["added"], told["links"]["added"]) == (8, 8)
    assert site.sql("SELECT what, role, object FROM audit_log") == [
        ("network imported", "account", "plan.inp")
    ]
    for name in ("out.inp", "out.geojson"):
        out = str(site.place / name)
        site.run("export", out)
        told = json.loads(site.run("import", out, "--dry-run", "--json").stdout)
        assert [told["links"][each] for each in ("added", "changed", "removed")] == [0, 0, 0]
    assert json.loads(site.run("export").stdout)["type"] == "FeatureCollection"


def test_a_trace_is_told_in_words_and_in_json(site: Site) -> None:
    site.run("import", str(site.file))
    site.sql(VALVE)
    told = site.run("trace", "P2")
    assert "shut  SV1    P2       J1       sluice 1" in told.stdout
    assert "without water: 4 nodes" in told.stderr
    assert "where SV3 does not shut: PRV1; 0 nodes more" in told.stderr
    found = json.loads(site.run("trace", "P2", "--json").stdout)
    assert [each["valve"] for each in found["shut"]] == ["SV1", "SV2", "SV3"]
    assert "no pipe 'P99'" in site.run("trace", "P99", code=1).stderr


def test_a_bad_file_is_one_line(site: Site) -> None:
    site.file.write_text("[PIPES]\nP1 A B 1 1 1\n[JUNCTIONS]\nA 1\n")
    assert "its node B is not there" in site.run("import", str(site.file), code=1).stderr
    assert "say --format" in site.run("import", str(site.place / "x.txt"), code=1).stderr
    assert "cannot be read" in site.run("import", str(site.place / "x.inp"), code=1).stderr
