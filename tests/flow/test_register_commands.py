"""`ic3 import --dry-run` shows the difference, and `ic3 export register` what it takes again."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from driven import ic3_here

FILL = """
INSERT INTO ic3_asset_master (serialnumber, name, site, entered)
    VALUES ('A_Pump_1', 'Ours', 'North', '{"name": {"by": "asha"}}'), ('=B_SV_2', 'V', NULL, '{}');
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code) VALUES ('Flow', 'FLOW')
"""


class Site:
    """A database with two assets, of which one has a name that a person entered."""

    def __init__(self, place: Path, dsn: str) -> None:
        self.place, self.dsn = place, dsn
        self.sql(FILL)

    def run(self, *arguments: str, code: int = 0) -> Any:
        done = ic3_here(self.place, *arguments, DATABASE_URL=self.dsn)
        assert "Traceback" not in done.stderr
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def file(self, text: str) -> str:
        path = self.place / "file.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def site(own_place: Path, fresh_dsn: str) -> Site:
    return Site(own_place, fresh_dsn)


def test_a_dry_run_shows_each_field_before_and_after_and_writes_nothing(site: Site) -> None:
    path = site.file("serialnumber,name,site\nA_Pump_1,Theirs,West\nNew_SV_3,N,\n'=B_SV_2,V,\n")
    dry = site.run("import", "register", path, "--dry-run")
    lines = [line.split() for line in dry.stdout.splitlines()]
    assert ["A_Pump_1", "changed", "site", "North", "West"] in lines
    assert ["A_Pump_1", "conflict,", "stays", "name", "Ours", "Theirs"] in lines
    assert ["New_SV_3", "added"] in lines
    assert "1 rows would be added, 1 would be updated, 1 are the same" in dry.stderr
    assert "1 fields differ from what a person entered" in dry.stderr
    assert site.sql("SELECT count(*) FROM ic3_asset_master") == [(2,)]
    done = site.run("import", "register", path)
    assert "1 rows added, 1 updated, 1 are the same" in done.stderr
    assert site.sql("SELECT name, site FROM ic3_asset_master WHERE serialnumber = 'A_Pump_1'") == [
        ("Ours", "West")
    ]
    assert site.sql("SELECT field, kept, offered FROM ic3_register_conflict") == [
        ("name", "Ours", "Theirs")
    ]


def test_what_is_exported_can_be_imported_and_changes_nothing(site: Site) -> None:
    for table, rows in (("register", 2), ("parameters", 1), ("tagmap", 0), ("dmas", 0)):
        text = site.run("export", "register", table).stdout
        assert len(text.splitlines()) == 1 + rows, table
        again = site.run("import", table, site.file(text))
        assert f"0 rows added, 0 updated, {rows} are the same" in again.stderr
    assert "'=B_SV_2" in site.run("export", "register").stdout
