"""One command, from nothing to live readings."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from driven import DONE, STAMP, STARTED, TALK, Product, cmms_path, live_path, request, until

EXAMPLES = {
    "Patel Road_Baljeet Nagar_SV_92": [
        "HEALTH_SCORE", "LAST_INSP_DT", "MAINT_FLAG", "VLV_MAN_STS", "WO_STS",
    ],
    "C Block Ranjeet Nagar_LT Panel_19": [
        "CURR_B", "CURR_R", "CURR_Y", "HEALTH_SCORE", "KW", "VOLT_B", "VOLT_R", "VOLT_Y",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def product(module_place: Path) -> Iterator[Product]:
    with Product(module_place, "demo", MONITORING_POLL_INTERVAL="1") as product:
        product.start()
        # The first one, where the machine is not so busy that it ends by its deadline.
        product.line("inserted=2734")
        yield product.until_ready()


def _runs(product: Product) -> list[tuple[str, ...]]:
    return [match.groups() for line in product.lines if (match := DONE.fullmatch(line))]


def test_the_two_lines_of_the_contract_are_said_to_the_letter(product: Product) -> None:
    started = [line for line in product.lines if STARTED.fullmatch(line)]
    assert started == ["[MonitoringWorker] started — polling every 1s"]
    done = next(line for line in product.lines if "inserted=2734" in line)
    assert DONE.fullmatch(done)
    assert done.endswith("keys=557 matched=541 unmatched=16 inserted=2734 skipped=89")


def test_after_the_first_run_every_table_adds_up(product: Product) -> None:
    first = product.one("SELECT min(id) FROM ic3_sweep WHERE accepted = 557")
    (sweep,) = product.sql(
        "SELECT keys_scanned, matched, unmatched, unchanged, accepted, stored, duplicate, deferred,"
        " failed, quarantined, tags_rejected, list_rejected, list_duplicates, simulated, error"
        " FROM ic3_sweep WHERE id = %s", first,
    )  # fmt: skip
    assert sweep == (557, 541, 16, 0, 557, 557, 0, 0, {}, {}, {}, {}, 0, True, None)
    run = product.sql(
        "SELECT keys_scanned, matched, unmatched, rows_inserted, tags_skipped, error_msg"
        " FROM ic3_ingest_run_log WHERE sweep_id = %s", first,
    )  # fmt: skip
    assert run == [(557, 541, 16, 2734, 89, None)]
    assert product.one("SELECT count(*) FROM telemetry WHERE sweep_id = %s", first) == 557
    assert product.one("SELECT count(*) FROM assets") == 557
    assert product.one("SELECT count(*) FROM asset_latest") == 557
    assert product.one("SELECT count(*) FROM ic3_asset_master") == 2957
    assert product.one("SELECT count(*) FROM ic3_asset_latest_reading") == 2734
    assert product.one("SELECT count(*) FROM dead_letter") == 0
    assert product.broken() == {}


def test_no_row_of_telemetry_lies_in_a_default_partition(product: Product) -> None:
    assert product.one("SELECT count(*) FROM telemetry_default") == 0
    assert product.one("SELECT count(*) FROM ic3_asset_monitoring_data_default") == 0


def test_later_sweeps_move_every_value(product: Product) -> None:
    # Not always the second one: the plant's tick may fall into the first sweep.
    until(
        lambda: ("557", "541", "16", "2734", "89") in [run[1:] for run in _runs(product)[1:]],
        what="a second full run",
    )
    before = product.get(live_path("Patel Road_Baljeet Nagar_SV_92"))["monitoring"]
    until(
        lambda: product.get(live_path("Patel Road_Baljeet Nagar_SV_92"))["monitoring"][0][
            "recorded_at"
        ] > before[0]["recorded_at"], what="newer values",
    )  # fmt: skip


@pytest.mark.parametrize("serial", EXAMPLES)
def test_the_example_assets_live_through_the_api(product: Product, serial: str) -> None:
    live = product.get(live_path(serial))
    assert live["serial_number"] == serial
    assert [row["tag_code"] for row in live["monitoring"]] == EXAMPLES[serial]
    assert live["count"] == len(EXAMPLES[serial])
    asset = product.get(cmms_path(serial))
    assert asset["data"]["serialnumber"] == serial
    assert [row["tag_code"] for row in asset["monitoring"]] == EXAMPLES[serial]


def test_progress_and_the_run_log_say_the_same(product: Product) -> None:
    progress = product.get("/api/monitoring/progress")
    assert progress["latest"] == progress["runs"][0]
    assert {row["keys_scanned"] for row in progress["runs"]} == {557}
    assert not any("error_msg" in row for row in progress["runs"])
    logged = dict(product.sql("SELECT id, rows_inserted FROM ic3_ingest_run_log"))
    assert all(logged[row["id"]] == row["rows_inserted"] for row in progress["runs"])


def test_an_asset_with_a_slash_is_found_whole(product: Product) -> None:
    serial = product.one(
        "SELECT min(serialnumber) FROM ic3_asset_master WHERE position('/' IN serialnumber) > 0"
    )
    assert product.get(cmms_path(serial))["data"]["serialnumber"] == serial


def test_no_route_but_the_open_ones_answers_without_a_login(product: Product) -> None:
    for path in ("/api/monitoring/progress", "/api/stats", "/api/telemetry", cmms_path("x")):
        status, words, headers = request(product.base, "GET", path)
        assert (status, headers["content-type"]) == (401, "application/problem+json"), path
        assert words["error"]


def test_s04_the_password_is_not_in_the_log_and_every_line_has_its_form(product: Product) -> None:
    talk = ("", "  IC³ is running:", "  first login:", "  stop with Ctrl-C")
    for line in product.lines:
        assert "flow-password" not in line
        assert (
            STAMP.match(line) or STARTED.fullmatch(line) or DONE.fullmatch(line)
            or TALK.match(line) or line == "" or line.startswith(talk[1:])
        ), line  # fmt: skip
