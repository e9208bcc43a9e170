"""`ic3 tags`, `ic3 replay` and `ic3 quarantine`: what they print and what they refuse."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from driven import ic3_here

PUMPS = ("A_Pump_1", "=B_Pump_2")
FILL = """
INSERT INTO ic3_asset_master (serialnumber, category) VALUES ('A_Pump_1', 'pump'),
    ('=B_Pump_2', 'pump');
INSERT INTO ic3_parameter_master (parameter_name, param_tag_code) VALUES ('Flow', 'FLOW');
INSERT INTO ic3_inbox (kind, serial, tag_code, first_seen_at, last_seen_at, times_seen, samples)
    VALUES ('tag', 'A_Pump_1', 'Q', now(), now(), 3, '[1]'),
    ('tag', '=B_Pump_2', 'Q', now(), now(), 3, '[1]'),
    ('asset', 'New_SV_3', '', now(), now(), 1, '[]');
INSERT INTO dead_letter (scope, reason, key, raw, raw_length, raw_sha256, first_seen_at,
    last_seen_at, times_seen)
    VALUES ('inner', 'bad_json', 'ic3:latest:A_Pump_1', '\\x7b1b5b', 3, 'x', now(), now(), 7);
"""


class Site:
    """A database with two lines of tags, one of an asset and one item of quarantine."""

    def __init__(self, place: Path, dsn: str) -> None:
        self.place, self.dsn = place, dsn
        self.sql(FILL)

    def run(self, *arguments: str, code: int = 0) -> Any:
        done = ic3_here(self.place, *arguments, DATABASE_URL=self.dsn)
        assert "Traceback" not in done.stderr
        assert done.returncode == code, (done.stdout, done.stderr)
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def site(own_place: Path, fresh_dsn: str) -> Site:
    return Site(own_place, fresh_dsn)


def test_s26_lines_are_listed_as_table_json_and_csv_without_formulas(site: Site) -> None:
    assert "A_Pump_1" in site.run("tags", "unmapped").stdout
    listed = site.json("tags", "unmapped")["lines"]
    assert sorted(each["serial"] for each in listed) == sorted(PUMPS)
    rows = list(csv.reader(io.StringIO(site.run("tags", "unmapped", "--csv").stdout)))
    assert sorted(row[0] for row in rows) == ["'=B_Pump_2", "A_Pump_1", "serial"]
    assert [each["serial"] for each in site.json("tags", "assets")["lines"]] == ["New_SV_3"]


def test_mapping_is_tried_done_and_undone(site: Site) -> None:
    dry = site.run("tags", "map-kind", "pump", "Q", "FLOW", "--dry-run")
    assert "2 assets would be mapped" in dry.stderr
    assert site.sql("SELECT count(*) FROM ic3_asset_tag_map") == [(0,)]
    site.run("tags", "map", "A_Pump_1", "Q", "FLOW", "--since", "2026-06-01")
    site.run("tags", "map-kind", "pump", "Q", "FLOW", "--no-replay")
    assert site.sql("SELECT count(*) FROM ic3_asset_tag_map") == [(2,)]
    (job,) = site.json("replay", "list")["replays"]
    assert job["scope"]["from_at"] == "2026-06-01T00:00:00Z"
    assert "waiting" in site.run("replay", "list").stdout
    site.run("replay", "cancel", str(job["id"]))
    assert "no job" in site.run("replay", "cancel", str(job["id"]), code=1).stderr
    site.run("tags", "unmap", "A_Pump_1", "Q")
    assert "has no mapping" in site.run("tags", "unmap", "A_Pump_1", "Q", code=1).stderr
    who = site.sql("SELECT DISTINCT whence, role FROM audit_log")
    assert who == [("cli", "account")]


def test_what_is_wrong_is_one_line(site: Site) -> None:
    for words, arguments in {
        "no parameter has the code 'NO'": ("tags", "map", "A_Pump_1", "Q", "NO"),
        "'nobody' is not in the register": ("tags", "map", "nobody", "Q", "FLOW"),
        "no asset of the register is of category": ("tags", "map-kind", "ship", "Q", "FLOW"),
        "say why with --because": ("tags", "ignore", "A_Pump_1", "Q"),
        "write YYYY-MM-DD": ("tags", "map", "A_Pump_1", "Q", "FLOW", "--since", "today"),
        "an argument holds a NUL": ("tags", "unmap", "a\0b", "Q"),
        "'nobody' is not in": ("replay", "start", "--because", "x", "--serial", "nobody"),
        "there is no item 99": ("quarantine", "show", "99"),
        "name items, or a reason": ("quarantine", "replay"),
    }.items():
        ended = site.run(*arguments, code=1)
        assert words in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1


def test_a_line_is_ignored_with_a_reason_and_heeded_again(site: Site) -> None:
    site.run("tags", "ignore", "New_SV_3", "--because", "a toy")
    assert site.json("tags", "assets")["lines"] == []
    site.run("tags", "ignore", "New_SV_3", "--undo")
    assert len(site.json("tags", "assets")["lines"]) == 1


def test_quarantine_is_listed_shown_and_replayed(site: Site) -> None:
    assert "the value is not JSON" in site.run("quarantine", "list").stdout
    (item,) = site.json("quarantine", "list")["items"]
    number = str(item["id"])
    assert "{\\x1b[" in site.run("quarantine", "show", number).stdout
    assert site.json("quarantine", "show", number)["raw_base64"] == "extb"
    refused = site.json("quarantine", "replay", number, code=1)
    assert refused["items"][0]["reason"] == "bad_json"
    site.sql(
        'UPDATE dead_letter SET raw = convert_to(\'{"record_id":"r","asset_id":"A_Pump_1",'
        '"occurred_at":"2026-06-15T01:41:43Z","values":{}}\', \'UTF8\')'
    )
    site.sql("UPDATE dead_letter SET raw_length = length(raw)")
    done = site.run("quarantine", "replay", "--reason", "bad_json")
    assert "1 stored" in done.stderr
    assert site.sql("SELECT origin FROM telemetry") == [("replay",)]
    assert "waits" in site.run("replay", "start", "--because", "x").stderr
