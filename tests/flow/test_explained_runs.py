"""A run explained: which keys met with what, and equations that hold."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driven import Gateway, Product, ic3_here, request, until

from ic3.simulator.plant import Plant

SERIAL = "Patel Road_Baljeet Nagar_SV_92"
RUN_OF = "SELECT id FROM ic3_ingest_run_log WHERE sweep_id = %s"


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def product(module_place: Path, dsn: str, gateway: Gateway) -> Iterator[Product]:
    settings = {"DATABASE_URL": dsn, "REDIS_API_BASE": gateway.base}
    with Product(module_place, **settings) as product:
        product.start().until_ready()
        product.fill_register()
        yield product


def explained(product: Product, sweep_id: int) -> Any:
    return product.get(f"/api/monitoring/runs/{product.one(RUN_OF, sweep_id)}")


def holding(run: Any) -> list[str]:
    for each in run["equations"]:
        assert each["holds"] == (each["left"] == each["right"])
    return [each["name"] for each in run["equations"] if each["holds"]]


def test_a_run_says_which_keys_and_tags_nobody_knows(product: Product, gateway: Gateway) -> None:
    def full() -> int | None:
        gateway.tick()
        sweep = product.after_next_sweep()
        return sweep["id"] if sweep["accepted"] == 557 else None

    run = explained(product, until(full, what="a sweep that brings every key") or 0)
    assert holding(run) == ["E1", "E2", "E3", "E4", "E5", "E6"]
    counters = run["counters"]
    assert (counters["keys_scanned"], counters["matched"], counters["unmatched"]) == (557, 541, 16)
    assert (counters["tags"], counters["rows_inserted"], counters["tags_skipped"]) == (
        2823, 2734, 89,
    )  # fmt: skip
    registered = {str(row["serialnumber"]) for row in Plant(1).tables()["register"]}
    assert len(set(run["keys"]["unmatched"])) == 16
    assert not registered & set(run["keys"]["unmatched"])
    assert len(set(run["keys"]["unmapped"])) == 89
    assert all(len(key.split("\n")) == 2 for key in run["keys"]["unmapped"])


def test_a_run_names_the_keys_that_failed_and_were_put_aside(
    product: Product, gateway: Gateway
) -> None:
    gateway.fault("status", key=SERIAL, status=500)
    gateway.tick()
    sweep = product.after_next_sweep(whole=True)
    gateway.heal()
    run = explained(product, sweep["id"])
    assert holding(run) == ["E1", "E2", "E3", "E4", "E5", "E6"]
    ((reason, number),) = run["reasons"]["failed"].items()
    assert number == 1
    assert run["keys"][f"failed:{reason}"] == [SERIAL]


def test_the_last_hours_name_errors_of_the_gateway_and_the_keys_they_met(
    product: Product, gateway: Gateway
) -> None:
    gateway.fault("status", key=SERIAL, status=500)
    gateway.tick()
    product.after_next_sweep(whole=True)
    gateway.heal()
    activity = product.get("/api/monitoring/activity?hours=1")
    assert activity["bucket_s"] == 12.5
    assert sum(each["runs"] for each in activity["buckets"]) >= 1
    assert {each["keys_scanned"] / each["runs"] for each in activity["buckets"]} == {557}
    number = activity["failed"]["http_500"]
    (failing,) = [each for each in activity["failing_keys"] if each["serial"] == SERIAL]
    assert failing["runs"] >= number
    assert "http_500" in failing["reasons"]
    assert activity["phase_ms"].keys() == {"list", "read", "spool", "map_and_write"}


def test_the_command_says_what_the_route_says(product: Product) -> None:
    sweep = product.after_next_sweep()
    run = explained(product, sweep["id"])
    done = ic3_here(product.place, "runs", "show", str(run["id"]), "--json", **product.settings)
    assert (done.returncode, json.loads(done.stdout)) == (0, run)
    table = ic3_here(product.place, "runs", "show", str(run["id"]), **product.settings).stdout
    assert "keys_scanned = read_ok + failed + deferred" in table
    assert "IS NOT" not in table


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**62 + 1)])
def test_what_is_no_number_of_a_run_is_refused(product: Product, number: str) -> None:
    status, words, _ = request(
        product.base, "GET", f"/api/monitoring/runs/{number}", token=product.token
    )
    assert status in {404, 422}, words


def test_a_run_that_is_not_there_is_said_so(product: Product) -> None:
    status, words, _ = request(
        product.base, "GET", "/api/monitoring/runs/999999", token=product.token
    )
    assert (status, words["error"]) == (404, "no such run")
    done = ic3_here(product.place, "runs", "show", "999999", **product.settings)
    assert done.returncode == 1
    assert "there is no run 999999" in done.stderr


def test_a_run_is_for_those_who_are_logged_in(product: Product) -> None:
    assert request(product.base, "GET", "/api/monitoring/runs/1")[0] == 401
