"""The simulated plant from the command line: its faults, its history, and what stays hidden."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from driven import Product, history_path, ic3, ic3_here, live_path, request, until

METER, POINT = "Azadpur_BFM_6", "Azadpur_PT_6"


@pytest.fixture(scope="module")
def product(module_place: Path) -> Iterator[Product]:
    with Product(module_place, "demo", MONITORING_POLL_INTERVAL="1") as product:
        product.start().until_ready()
        product.line("done in")
        yield product


def plant_of(product: Product) -> str:
    return (product.place / "data" / "plant.address").read_text().strip()


def test_newcomer_starts_and_ends_a_fault_from_the_help_alone(product: Product) -> None:
    place = product.place
    assert "ic3 plant faults start leak" in ic3(place, "plant", "faults", "--help").stdout
    kinds = ic3_here(place, "plant", "faults", "kinds")
    assert "valve_stuck_open" in kinds.stdout
    before = {
        row["tag_code"]: row["value_num"] for row in product.get(live_path(METER))["monitoring"]
    }
    begun = ic3_here(place, "plant", "faults", "start", "burst", "Azadpur", "--magnitude", "150")
    assert begun.returncode == 0
    number = begun.stdout.strip()
    assert f"ic3 plant faults end {number}" in begun.stderr

    def flow() -> float:
        rows = product.get(live_path(METER))["monitoring"]
        return float(next(row["value_num"] for row in rows if row["tag_code"] == "FLOW_RATE"))

    until(lambda: flow() > before["FLOW_RATE"] + 60, what="more inflow")
    listed = json.loads(ic3_here(place, "plant", "faults", "list", "--json").stdout)
    assert int(number) in [each["number"] for each in listed["faults"]]
    ended = ic3_here(place, "plant", "faults", "end", number)
    assert (ended.returncode, "has ended" in ended.stderr) == (0, True)
    until(lambda: flow() < before["FLOW_RATE"] + 40, what="as before")


def test_demo_lets_something_happen_within_five_minutes(product: Product) -> None:
    listed = json.loads(ic3_here(product.place, "plant", "faults", "list", "--json").stdout)
    soon = [e for e in listed["faults"] if e["begins_s"] < listed["at_s"] + 300]
    assert {"burst", "freeze"} <= {event["kind"] for event in soon}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "leek", "Azadpur"), "ic3: plant: no fault 'leek'; for example leak"),
        (("start", "leak", "Azadpurr"), "ic3: plant: no dma 'Azadpurr'; for example Azadpur"),
        (("end", "99999"), "ic3: plant: no fault 99999 goes on or is planned; list them first"),
    ],
)
def test_mistake_is_one_line_that_says_what_would_do(
    product: Product, arguments: tuple[str, ...], says: str
) -> None:
    outcome = ic3_here(product.place, "plant", "faults", *arguments)
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(says)
    assert outcome.stderr.count("\n") == 1


def test_faults_without_a_plant_say_how_to_start_one(own_place: Path) -> None:
    outcome = ic3_here(own_place, "plant", "faults", "list")
    assert outcome.returncode == 5
    assert "start it with ic3 demo" in outcome.stderr


def test_real_gateway_has_no_faults_and_no_history(own_place: Path) -> None:
    base = {"REDIS_API_BASE": "http://127.0.0.1:9"}
    for arguments in (("faults", "list"), ("backfill", "--days", "1")):
        outcome = ic3_here(own_place, "plant", *arguments, **base)
        assert outcome.returncode == 1
        assert "REDIS_API_BASE names a real gateway" in outcome.stderr


def test_product_never_asks_for_the_truth(product: Product) -> None:
    """Only the two paths of the contract are asked, whatever the product does."""
    base = plant_of(product)
    request(base, "DELETE", "/admin/seen")
    for path in ("/api/stats", "/api/telemetry", "/api/monitoring/progress", "/readyz", "/metrics"):
        product.get(path) if path != "/metrics" else request(product.base, "GET", path)
    ic3_here(product.place, "status")
    ic3_here(product.place, "doctor")
    product.after_next_sweep()
    seen = request(base, "GET", "/admin/seen")[1]
    assert set(seen["requests"]) == {"GET /api/redis/key", "GET /api/redis/keys"}
    assert set(seen["beside"]) <= {"GET /admin/seen", "DELETE /admin/seen"}


def test_history_fills_the_past_and_is_told_to_nobody(own_place: Path) -> None:
    with Product(own_place, MONITORING_POLL_INTERVAL="1") as product:
        product.start().until_ready()
        product.line("done in")
        newest = product.get("/api/telemetry?limit=1")["telemetry"][0]["received_at"]
        runs = product.one("SELECT max(id) FROM ic3_ingest_run_log")
        outcome = ic3(own_place, "plant", "backfill", "--days", "0.01", "--json")
        assert outcome.returncode == 0, outcome.stderr
        told = json.loads(outcome.stdout)
        assert told["steps"] > 50
        assert told["stored"] == 557 * told["steps"]
        assert told["rows"] == 2734 * told["steps"]
        assert product.sql(
            "SELECT origin, count(*) FROM telemetry WHERE origin <> 'live' GROUP BY 1"
        ) == [("backfill", told["stored"])]
        first_live = product.one("SELECT min(occurred_at) FROM telemetry WHERE origin = 'live'")
        last_filled = product.one("SELECT max(occurred_at) FROM telemetry WHERE origin <> 'live'")
        assert 0 < (first_live - last_filled).total_seconds() < 20
        # Neither runs nor live news came of it, and latest is still the live one.
        logged = product.one(
            "SELECT count(*) FROM ic3_ingest_run_log r JOIN ic3_sweep s ON s.id = r.sweep_id"
            " WHERE s.origin <> 'live' AND r.id > %s", runs,
        )  # fmt: skip
        assert logged == 0
        shown = product.get("/api/telemetry?limit=500")["telemetry"]
        assert min(each["occurred_at"] for each in shown) > first_live.isoformat()[:19]
        assert shown[0]["received_at"] >= newest
        assert product.one(
            "SELECT count(*) FROM asset_latest WHERE occurred_at < %s", first_live
        ) == 0  # fmt: skip
        assert product.broken() == {}
        again = json.loads(ic3(own_place, "plant", "backfill", "--days", "0.01", "--json").stdout)
        assert (again["stored"], again["rows"]) == (0, 0)
        assert again["duplicate"] == told["stored"]


def assert_past_is_served(product: Product) -> None:
    """What was filled in is rolled up, and the same by every way."""
    ended = "SELECT count(*) FROM ic3_rollup_dirty WHERE bucket_at < now() - interval '11 minutes'"
    until(lambda: product.one(ended) == 0, what="the roll-up")
    begin, end = product.sql(
        "SELECT to_char(h - interval '2 hours', t), to_char(h + interval '1 hour', t)"
        " FROM date_trunc('hour', now()) h, (VALUES ('YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) AS x (t)"
    )[0]
    period = {"from": begin, "to": end, "tag_code": "TOTALISER"}
    asked = {**period, "bucket": "5m", "agg": "count,increase", "max_points": "1000"}
    (minutes,) = product.get(history_path(METER, **asked))["series"]
    (hours,) = product.get(history_path(METER, **{**asked, "bucket": "1h"}))["series"]
    raw = ic3_here(
        product.place, "export", "telemetry", "--asset", METER, "--from", begin, "--to", end,
        "--tag", "TOTALISER", "--csv",
    )  # fmt: skip
    heading, *lines = raw.stdout.splitlines()
    assert heading.startswith("serial_number,tag_code,parameter_name,unit,recorded_at,value_num")
    assert (minutes["unit"], lines[0].split(",")[3]) == ("m3", "m3")
    # The feed goes on between the questions.
    counted = [sum(point["count"] for point in each["points"]) for each in (minutes, hours)]
    assert len(lines) - 30 < counted[0] <= counted[1] <= len(lines)
    assert len(minutes["points"]) >= 3
    assert all(point["increase"] >= 0 for point in minutes["points"])
    assert product.broken() == {}


def test_history_before_the_first_start_is_where_the_plant_goes_on(own_place: Path) -> None:
    outcome = ic3(own_place, "plant", "backfill", "--days", "0.01", "--scenario", "none", "--json")
    assert outcome.returncode == 0, outcome.stderr
    with Product(own_place, MONITORING_POLL_INTERVAL="1") as product:
        product.start()
        until(lambda: product.get(live_path(METER))["count"] == 5, what="history served")
        product.until_ready()
        totals = product.sql(
            "SELECT (values ->> 'TOTALISER')::float8 FROM telemetry WHERE asset_id = %s"
            " ORDER BY occurred_at", METER,
        )  # fmt: skip
        steps = [after[0] - before[0] for before, after in pairwise(totals)]
        assert min(steps) >= -0.02
        assert max(steps) < 60
        assert_past_is_served(product)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--days", "31"), "31 days are more than IC3_RAW_DAYS=30 keeps"),
        (("--scenario", "nowhere.json"), "nowhere.json is no file; or say history or none"),
    ],
)
def test_history_that_cannot_be_written_is_refused(
    own_place: Path, arguments: tuple[str, ...], says: str
) -> None:
    outcome = ic3_here(own_place, "plant", "backfill", *arguments)
    assert outcome.returncode == 1
    assert says in outcome.stderr


def test_scenario_of_a_file_that_is_wrong_says_where(own_place: Path) -> None:
    file = own_place / "faults.json"
    file.write_text('[{"kind":"leak","where":"Nowhere"}]')
    outcome = ic3(own_place, "plant", "backfill", "--days", "0.02", "--scenario", str(file))
    assert outcome.returncode != 0
    assert "fault 1: no dma 'Nowhere'" in outcome.stderr
    assert "Traceback" not in outcome.stderr
