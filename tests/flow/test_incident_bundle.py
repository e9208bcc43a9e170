"""What a notice of an incident needs, by one command: S37."""

import hashlib
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest
from driven import ic3_here

# Inside the span, and just outside it on both sides.
FILL = """
INSERT INTO ic3_ingest_run_log (run_at, keys_scanned, matched, unmatched, tags_skipped) VALUES
    ('2026-06-15T00:00:00Z', 1, 1, 0, 0), ('2026-06-15T05:59:59Z', 2, 2, 0, 0),
    ('2026-06-14T23:59:59Z', 3, 3, 0, 0), ('2026-06-15T06:00:00Z', 4, 4, 0, 0);
INSERT INTO ic3_user (username, password_hash, role) VALUES ('asha', 'planted-hash', 'viewer');
INSERT INTO ic3_login (login_id, username, began_at, used_at, confirmed_at, expires_at, whence,
    client) VALUES ('l1', 'asha', '2026-06-14T20:00Z', '2026-06-15T01:00Z', '2026-06-14T20:00Z',
        '2026-06-16T00:00Z', '198.51.100.7', 'browser'),
    ('l2', 'asha', '2026-06-10T20:00Z', '2026-06-10T20:00Z', '2026-06-10T20:00Z',
        '2026-06-11T00:00Z', '198.51.100.8', 'browser');
"""
SPAN = ("--from", "2026-06-15T05:30:00+05:30", "--until", "2026-06-15T06:00:00Z")
SECRETS = {"IC3_JWT_SECRET": "planted-" + "s" * 40, "IC3_ADMIN_PASSWORD": "planted-password-1"}


def taken(place: Path, dsn: str, *arguments: str, code: int = 0) -> Any:
    ended = ic3_here(place, "incident-bundle", *arguments, DATABASE_URL=dsn, **SECRETS)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended


def rows(bundle: zipfile.ZipFile, part: str) -> list[Any]:
    return [json.loads(line) for line in bundle.read(f"{part}.jsonl").splitlines()]


def test_s37_one_command_makes_the_bundle_of_a_span(own_place: Path, fresh_dsn: str) -> None:
    with psycopg.connect(fresh_dsn) as connection:
        connection.execute(FILL)
    journal, out = own_place / "journal.log", own_place / "incident.zip"
    journal.write_text("one line\n", encoding="utf-8")
    done = taken(own_place, fresh_dsn, *SPAN, "--out", str(out), "--log", str(journal))
    assert done.stdout == hashlib.sha256(out.read_bytes()).hexdigest() + "\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        names = [each["name"] for each in manifest["files"]]
        assert sorted([*names, "manifest.json"]) == sorted(bundle.namelist())
        whole = {name: bundle.read(name) for name in bundle.namelist()}
        assert [row["keys_scanned"] for row in rows(bundle, "runs")] == [1, 2]
        assert [row["whence"] for row in rows(bundle, "logins")] == ["198.51.100.7"]
        assert [row["username"] for row in rows(bundle, "users")] == ["asha"]
        (chain,) = rows(bundle, "audit_chain")
        assert chain["broken"] is None
        assert "PostgreSQL" in rows(bundle, "versions")[0]["server"]
        checks = {each["name"]: each["state"] for each in json.loads(whole["doctor.json"])}
        assert checks["database"] == "pass"
        assert "psycopg" in json.loads(whole["programs.json"])["packages"]
    assert {each["name"]: each["sha256"] for each in manifest["files"]} == {
        name: hashlib.sha256(whole[name]).hexdigest() for name in names
    }
    assert (manifest["from"], manifest["until"], manifest["lacking"]) == (
        "2026-06-15T00:00:00+00:00", "2026-06-15T06:00:00+00:00", [],
    )  # fmt: skip
    assert [name for name in names if name.endswith("_journal.log")] != []
    assert [name for name, text in whole.items() if b"planted" in text] == []
    settings = {each["name"]: each["value"] for each in json.loads(whole["settings.json"])}
    assert (settings["IC3_JWT_SECRET"], settings["DATABASE_URL"]) == ("present", "present")


def test_s37_the_bundle_itself_stands_in_the_audit_log(own_place: Path, fresh_dsn: str) -> None:
    taken(own_place, fresh_dsn, *SPAN, "--out", str(own_place / "incident.zip"))
    with psycopg.connect(fresh_dsn) as connection:
        acts = connection.execute("SELECT what, role, after->>'until_at' FROM audit_log").fetchall()
    assert acts == [("export audit log", "account", "2026-06-15T06:00:00Z")]


def test_s37_without_a_database_the_bundle_holds_the_rest_and_says_what_is_lacking(
    own_place: Path,
) -> None:
    out = own_place / "incident.zip"
    away = "postgresql://ic3:planted@127.0.0.1:9/ic3"
    done = taken(own_place, away, *SPAN, "--out", str(out))
    assert "lacking: database:" in done.stderr
    with zipfile.ZipFile(out) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert len(manifest["lacking"]) == 1
        assert {"settings.json", "doctor.json"} <= set(bundle.namelist())
        assert [name for name in bundle.namelist() if b"planted" in bundle.read(name)] == []


@pytest.mark.parametrize(
    ("begin", "until"),
    [("yesterday", "2026-06-15T06:00:00Z"), ("2026-06-15T06:00:00Z", "2026-06-15T06:00:00Z"),
     ("2026-06-15T00:00:00", "2026-06-15T06:00:00Z")],
)  # fmt: skip
def test_s37_a_span_that_is_none_is_refused_and_leaves_nothing(
    own_place: Path, begin: str, until: str
) -> None:
    out = own_place / "incident.zip"
    spoken = taken(
        own_place, "postgresql://x@127.0.0.1:9/x", "--from", begin, "--until", until, "--out",
        str(out), code=1,
    )  # fmt: skip
    assert spoken.stderr.startswith("ic3: ")
    assert list(own_place.glob("incident*")) == []


def test_s37_a_bundle_is_never_written_over(own_place: Path, fresh_dsn: str) -> None:
    out = own_place / "incident.zip"
    out.write_bytes(b"kept")
    taken(own_place, fresh_dsn, *SPAN, "--out", str(out), code=1)
    assert out.read_bytes() == b"kept"
