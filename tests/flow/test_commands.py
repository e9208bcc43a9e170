"""The command line: data on stdout, talk on stderr, exit codes, nothing written by mistake."""

import json
import re
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from driven import Product, children, free_port, ic3, ic3_here, live_path, request, until

from ic3 import __version__
from ic3.store.migrate import migrations

APPLY = [f"apply {each.version:04d}_{each.name}\n" for each in migrations()]
RUN_KEYS = [
    "id", "run_at", "keys_scanned", "matched", "unmatched", "rows_inserted", "tags_skipped",
    "duration_ms",
]  # fmt: skip
STATUS_KEYS = [
    "server", "ready", "reasons", "plant", "last_run", "address", "gateway", "runs", "assets",
    "alarms", "system",
]  # fmt: skip
POLL_KEYS = [
    "keys_scanned", "matched", "unmatched", "unchanged", "accepted", "deferred", "rows",
    "tags_skipped", "failed", "quarantined", "tags_rejected", "list_rejected", "error",
]  # fmt: skip
TABLES = (
    "telemetry", "asset_latest", "assets", "ic3_sweep", "dead_letter", "ic3_asset_monitoring_data",
    "ic3_asset_monitoring_latest", "ic3_ingest_run_log", "ic3_asset_master", "ic3_user",
    "ic3_parameter_master", "ic3_asset_tag_map", "schema_migrations",
)  # fmt: skip

# A day of readings, a good run, and failed ones after it.
YESTERDAY = """
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, recorded_at)
SELECT n, 'T', 1, n, now() - interval '1 day' FROM generate_series(1, 50000) n;
INSERT INTO ic3_asset_master (serialnumber) VALUES ('A');
INSERT INTO ic3_ingest_run_log (run_at, keys_scanned, matched, unmatched, tags_skipped, error_msg)
VALUES (now() - interval '1 minute', 557, 541, 16, 89, NULL), (now(), 0, 0, 0, 0, 'gateway: away')
"""
PRESENT = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = x'69633370'::int"


class Site:
    """A database filled by one `poll --once` of the simulated plant."""

    def __init__(self, place: Path, dsn: str) -> None:
        self.place = place
        self.dsn = dsn
        self.port = str(free_port())

    def run(self, *arguments: str, stdin: str = "", code: int = 0, **settings: str) -> Any:
        ended = ic3_here(
            self.place, *arguments, stdin=stdin, DATABASE_URL=self.dsn, IC3_PORT=self.port,
            **{"MONITORING_POLL_INTERVAL": "5", **settings},
        )  # fmt: skip
        assert "Traceback" not in ended.stderr, ended.stderr
        assert ended.returncode == code, (ended.stdout, ended.stderr)
        return ended

    def json(self, *arguments: str, code: int = 0, **settings: str) -> Any:
        ended = self.run(*arguments, "--json", code=code, **settings)
        return json.loads(ended.stdout)

    def counts(self) -> dict[str, int]:
        with psycopg.connect(self.dsn) as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchall()[0][0]
                for table in TABLES
            }

    def file(self, name: str, text: str) -> str:
        (self.place / name).write_text(text, encoding="utf-8")
        return str(self.place / name)


@pytest.fixture(scope="module")
def site(module_place: Path, dsn: str) -> Site:
    site = Site(module_place, dsn)
    ended = site.run("poll", "--once")
    assert ended.stdout == "wrote 2,734 rows, 16 unmatched of 557 keys, 89 tags unmapped\n"
    return site


def test_version_and_help_answer_at_once(own_place: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        version, text = pool.map(lambda word: ic3(own_place, word), ("--version", "--help"))
    assert (version.returncode, version.stdout, version.stderr) == (0, f"ic3 {__version__}\n", "")
    assert text.returncode == 0
    commands = (
        "demo",
        "serve",
        "migrate",
        "status",
        "doctor",
        "poll",
        "runs",
        "user",
        "import",
        "config",
    )
    for command in commands:
        assert f"  {command} " in text.stdout, command


def test_an_unknown_command_is_a_usage_error(own_place: Path) -> None:
    ended = ic3(own_place, "swim")
    assert (ended.returncode, ended.stdout) == (2, "")


def test_poll_once_wrote_one_run(site: Site) -> None:
    counts = site.counts()
    assert counts["ic3_ingest_run_log"] >= 1
    document = site.json("runs", "-n", "1000")
    first = document["runs"][-1]
    assert [first[key] for key in RUN_KEYS[2:7]] == [557, 541, 16, 2734, 89]


def test_poll_test_says_what_it_would_write_and_writes_nothing(site: Site) -> None:
    before = site.counts()
    ended = site.run("poll", "--test")
    assert ended.stdout.startswith("would write 2,734 rows, 16 unmatched")
    assert site.counts() == before
    document = site.json("poll", "--test")
    assert list(document) == POLL_KEYS
    assert (document["rows"], document["tags_skipped"], document["error"]) == (2734, 89, None)
    assert site.counts() == before


def test_poll_of_a_gateway_that_is_down_says_so_with_its_own_code(site: Site) -> None:
    ended = site.run("poll", "--test", code=5, REDIS_API_BASE="http://127.0.0.1:9")
    assert "gateway:" in ended.stderr.splitlines()[-1]


def test_poll_without_a_word_on_writing_is_refused_or_harmless(site: Site) -> None:
    before = site.counts()
    ended = ic3_here(site.place, "poll", DATABASE_URL=site.dsn, MONITORING_POLL_INTERVAL="5")
    assert "Traceback" not in ended.stderr
    assert site.counts() == before


def test_runs_have_stable_keys(site: Site) -> None:
    document = site.json("runs")
    assert list(document) == ["runs"]
    assert list(document["runs"][0]) == RUN_KEYS
    table = site.run("runs")
    assert "unmatched" in table.stdout.splitlines()[0]


def test_a_row_of_a_piped_table_is_one_line(site: Site) -> None:
    lines = site.run("doctor").stdout.splitlines()
    assert len(lines) == 1 + len(site.json("doctor")["checks"])
    assert max(map(len, lines)) < 1000
    assert any("ic3 import register FILE.csv" in line for line in lines)


def test_config_shows_every_setting_and_its_source(site: Site) -> None:
    document = site.json("config", "show")
    assert all(list(row) == ["name", "value", "source"] for row in document)
    found = {row["name"]: row for row in document}
    assert found["DATABASE_URL"]["value"] == "present"
    assert found["MONITORING_POLL_INTERVAL"] == {
        "name": "MONITORING_POLL_INTERVAL", "value": "5.0", "source": "environment",
    }  # fmt: skip
    assert found["REDIS_API_BASE"]["source"] == "default"


def test_doctor_has_stable_keys_and_a_fix_for_every_problem(site: Site) -> None:
    document = site.json("doctor")
    assert list(document) == ["checks"]
    for check in document["checks"]:
        assert list(check) == ["name", "state", "detail", "fix"]
        assert check["state"] in {"pass", "warn", "fail"}
        assert check["state"] == "pass" or check["fix"] or check["name"] == "settings", check
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert states["database"] == "pass"
    site.run("doctor", "--strict", code=3)


def _checks(site: Site, dsn: str) -> dict[str, list[str]]:
    ended = ic3_here(site.place, "doctor", "--json", DATABASE_URL=dsn)
    return {
        check["name"]: [check["state"], check["detail"]]
        for check in json.loads(ended.stdout)["checks"]
    }


def test_doctor_fails_a_database_that_is_to_be_migrated(site: Site, empty_dsn: str) -> None:
    assert _checks(site, empty_dsn)["database"][0] == "fail"


def test_doctor_judges_register_and_growth_by_what_is_stored(site: Site, fresh_dsn: str) -> None:
    found = _checks(site, fresh_dsn)
    assert found["register"] == ["warn", "the register is empty: no reading belongs to an asset"]
    assert found["growth"] == ["pass", "known after the first whole day"]
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(YESTERDAY)
    found = _checks(site, fresh_dsn)
    assert found["register"] == ["warn", "16 of 557 keys are not in the register"]
    assert found["tag map"] == ["warn", "89 tags have no parameter"]
    assert re.match(r"0\.0\d GB a day, 1 of 30 days are stored; the disk", found["growth"][1])


def test_f28_doctor_tells_of_too_few_files_for_the_live_clients(
    site: Site, fresh_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (500, 500))
    assert _checks(site, fresh_dsn)["files"] == [
        "warn", "500 may be open, 1000 live clients are allowed"
    ]  # fmt: skip
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1200, 1200))
    assert _checks(site, fresh_dsn)["files"] == ["pass", "1200 may be open"]


def test_doctor_tells_of_an_address_that_is_none(site: Site) -> None:
    ended = site.run("doctor", "--json", code=1, REDIS_API_BASE="http://[::1")
    last = json.loads(ended.stdout)["checks"][-1]
    assert (last["name"], last["state"]) == ("gateway", "fail")
    assert "the address is not a URL" in last["detail"]


def test_status_of_a_server_that_does_not_run_is_5(site: Site) -> None:
    document = site.json("status", code=5)
    assert (document["server"], document["ready"]) == ("not running", False)
    assert "start ic3 serve" in document["reasons"][0]
    assert "a terminal" in site.run("status", "--watch", code=1).stderr


def test_status_and_login_of_a_server_that_runs(site: Site, own_place: Path) -> None:
    password = "a-password-for-asha"
    added = site.run(
        "user", "add", "asha", "--role", "operator", "--password-stdin", stdin=password
    )
    assert password not in added.stdout + added.stderr
    again = site.run("user", "add", "asha", "--password-stdin", stdin=password, code=1)
    assert "exists already" in again.stderr
    site.run("user", "add", "short", "--password-stdin", stdin="short", code=1)
    made = site.run("user", "add", "binod")
    settings = {"DATABASE_URL": site.dsn, "IC3_PORT": site.port}
    with Product(own_place, **settings) as product:
        product.start().until_ready()
        data = str(own_place / "data")
        document = site.json("status", IC3_DATA_DIR=data)
        assert list(document) == STATUS_KEYS
        assert document["ready"] is True
        assert document["plant"] == "simulated"
        shown = site.run("status", IC3_DATA_DIR=data).stdout
        for part in ("readiness", "SIMULATED PLANT", "gateway", "keys=557", "runs", "live clients",
                     "never seen", "WARN", "■"):  # fmt: skip
            assert part in shown
        assert document["assets"]["fresh"] == 557
        assert document["gateway"]["breaker"] == "closed"
        assert document["system"]["hub"]["slow"] == 0
        assert list(document["last_run"]) == RUN_KEYS
        for name, word in (("asha", password), ("binod", made.stdout.strip())):
            credentials = {"username": name, "password": word}
            status, words, _ = request(product.base, "POST", "/api/auth/login", body=credentials)
            assert status == 200, words
            answer = request(product.base, "GET", "/api/stats", token=words["access_token"])
            assert answer[0] == 200


def test_poll_once_beside_a_server_is_refused_and_poll_test_reads_its_plant(
    own_place: Path, fresh_dsn: str
) -> None:
    with Product(own_place, DATABASE_URL=fresh_dsn, MONITORING_POLL_INTERVAL="5") as product:
        product.start().until_ready()
        until(lambda: product.one(PRESENT), what="the server's mark")
        plants = len(children(product.pid))
        refused = ic3_here(own_place, "poll", "--once", DATABASE_URL=fresh_dsn)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "a server runs on this database" in refused.stderr
        tried = ic3_here(own_place, "poll", "--test", DATABASE_URL=fresh_dsn)
        assert tried.stdout.startswith("would write 2,734 rows")
        assert len(children(product.pid)) == plants
        assert product.after_next_sweep()["error"] is None


def test_runs_that_another_process_logged_are_shown(own_place: Path, fresh_dsn: str) -> None:
    with Product(own_place, DATABASE_URL=fresh_dsn) as product:
        product.start().until_ready()
        other = product.one(
            "INSERT INTO ic3_ingest_run_log (run_at, keys_scanned) VALUES (now(), 4711)"
            " RETURNING id"
        )
        product.after_next_sweep()
        runs = until(lambda: _after(product, other), what="a run of its own after it")
        assert [run["keys_scanned"] for run in runs if run["id"] == other] == [4711]


def _after(product: Product, number: int) -> Any:
    document = product.get("/api/monitoring/progress")
    return document["runs"] if document["latest"]["id"] > number else None


def test_export_streams_the_readings_of_an_asset_as_csv(site: Site) -> None:
    period = ("--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z", "--csv")
    with psycopg.connect(site.dsn) as connection:
        row = connection.execute(
            "SELECT serialnumber, count(*) FROM ic3_asset_monitoring_data"
            " JOIN ic3_asset_master USING (asset_id) GROUP BY 1 ORDER BY 1 LIMIT 1"
        ).fetchone()
    assert row is not None
    exported = site.run("export", "telemetry", "--asset", row[0], *period).stdout
    heading, *lines = exported.splitlines()
    assert heading == (
        "serial_number,tag_code,parameter_name,unit,recorded_at,value_num,value_text,quality"
    )
    assert len(lines) == row[1]
    unknown = site.run("export", "telemetry", "--asset", "nobody", *period, code=1)
    assert unknown.stderr == ("ic3: export: 'nobody' is not in the register; check the spelling\n")
    wrong = site.run("export", "telemetry", "--asset", row[0], "--from", "now", "--to", "", code=1)
    assert wrong.stderr == (
        "ic3: from: must be a time with its zone, such as 2026-06-15T00:00:00+05:30\n"
    )


def test_a_file_with_problems_is_told_line_by_line_and_changes_nothing(site: Site) -> None:
    before = site.counts()
    path = site.file(
        "bad.csv",
        "serialnumber,name,longitude,ticketcount\nNew_SV_1,ok,77.1,1\n,no serial,77,1\n"
        "New_SV_2,far,999,1\nNew_SV_1,twice,77,1\nNew_SV_3,x,77,many\n",
    )
    ended = site.run("import", "register", path, code=1)
    problems = ended.stdout.splitlines()
    assert len(problems) == 4
    assert all(f"{line}" in problem for line, problem in zip((3, 4, 5, 6), problems, strict=True))
    assert "nothing was written" in ended.stderr
    assert site.counts() == before


def test_a_missing_or_empty_or_foreign_file_is_told(site: Site) -> None:
    before = site.counts()
    for path in (
        str(site.place / "none.csv"), site.file("empty.csv", ""), site.file("x.csv", "a,b\n1,2\n"),
    ):  # fmt: skip
        ended = site.run("import", "register", path, code=1)
        assert len((ended.stdout + ended.stderr).strip().splitlines()) in (1, 2, 3, 4)
    (site.place / "latin.csv").write_bytes(b"serialnumber\n\xff\xfe\n")
    site.run("import", "register", str(site.place / "latin.csv"), code=1)
    assert site.counts() == before


def test_good_files_make_the_next_run_match(site: Site, own_place: Path) -> None:
    with psycopg.connect(site.dsn, autocommit=True) as connection:
        serial = connection.execute(
            "SELECT min(asset_id) FROM assets WHERE asset_id LIKE '%_SV_%' AND NOT EXISTS"
            " (SELECT FROM ic3_asset_master m WHERE m.serialnumber = assets.asset_id)"
        ).fetchall()[0][0]
    register = site.file("register.csv", f"serialnumber,name\n{serial},A new one\n")
    site.run("import", "register", register, "--dry-run")
    with_map = site.file(
        "tagmap.csv",
        "serialnumber,tag_code,param_tag_code\n"
        + "".join(f"{serial},{tag},{tag}\n" for tag in ("HEALTH_SCORE", "MAINT_FLAG")),
    )
    refused = site.run("import", "tagmap", with_map, code=1)
    assert "line" in refused.stdout
    settings = {"DATABASE_URL": site.dsn}
    with Product(own_place, **settings) as product:
        product.start().until_ready()
        assert product.after_next_sweep()["unmatched"] == 16
        site.run("import", "register", register)
        site.run("import", "tagmap", with_map)
        until(lambda: product.after_next_sweep()["unmatched"] == 15, what="one more match")
        rows = until(lambda: product.get(live_path(serial))["monitoring"], what="its readings")
        assert [row["tag_code"] for row in rows] == ["HEALTH_SCORE", "MAINT_FLAG"]
        # Its past too, from first sight.
        until(lambda: product.broken() == {}, what="rows of all telemetry")
        acts = [each["what"] for each in product.get("/api/audit?limit=5")["acts"]]
        assert {"register imported", "tagmap imported", "replay asked for"} <= set(acts)


def test_migrate_tells_its_plan_and_then_does_it(own_place: Path, empty_dsn: str) -> None:
    settings = {"DATABASE_URL": empty_dsn}
    plan = ic3_here(own_place, "migrate", "--dry-run", **settings)
    assert (plan.returncode, plan.stdout) == (0, "".join(f"would {step}" for step in APPLY))
    with psycopg.connect(empty_dsn) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert found.fetchone() == (0,)
    early = ic3_here(own_place, "poll", "--test", **settings)
    assert early.returncode == 1
    assert early.stderr.splitlines()[-1].endswith("run ic3 migrate")
    done = ic3_here(own_place, "migrate", **settings)
    assert (done.returncode, done.stdout) == (0, "".join(APPLY))
    again = ic3_here(own_place, "migrate", **settings)
    assert (again.returncode, again.stdout) == (0, "")
    assert "up to date" in again.stderr
