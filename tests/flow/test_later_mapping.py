"""The running product: lists that count its run, a mapping made later, its history, a kill."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driven import Product, ic3_here, request, until

OPEN_TAGS = "SELECT serial, tag_code FROM ic3_inbox WHERE kind = 'tag' AND state = 'open'"
DONE = "SELECT count(*) FROM ic3_replay WHERE state = 'done' AND rows_done > 0"


@pytest.fixture(scope="module")
def product(module_place: Path) -> Iterator[Product]:
    with Product(module_place, "demo") as product:
        product.start()
        product.line("done in")
        yield product.until_ready()


def command(product: Product, *arguments: str) -> Any:
    done = ic3_here(product.place, *arguments)
    assert done.returncode == 0, done.stderr
    return done


def test_the_two_lists_count_what_the_first_run_says(product: Product) -> None:
    def counts() -> tuple[int, int]:
        found = product.get("/api/inbox?limit=1")["counts"]
        return found["asset"]["open"], found["tag"]["open"]

    until(lambda: counts() == (16, 89), what="all 557 keys read")


def test_history_of_a_mapping_made_later_equals_that_of_one_made_at_first(
    product: Product,
) -> None:
    serial, tag = product.sql(f"{OPEN_TAGS} ORDER BY serial, tag_code LIMIT 1")[0]
    dry = command(product, "tags", "map", serial, tag, tag, "--dry-run")
    assert "nothing was written" in dry.stderr
    command(product, "tags", "map", serial, tag, tag)
    until(lambda: product.one(DONE) == 1, what="the end of the job")
    assert product.broken() == {}
    live = product.get(f"/api/monitoring/live?serial_number={serial.replace(' ', '%20')}")
    assert tag in {each["tag_code"] for each in live["monitoring"]}
    listed = json.loads(command(product, "tags", "unmapped", "--json").stdout)["lines"]
    assert (serial, tag) not in {(each["serial"], each["tag_code"]) for each in listed}
    act = product.get("/api/audit?limit=2")["acts"][-1]
    assert (act["what"], act["whence"], act["role"]) == ("tag mapped", "cli", "account")


def test_a_product_killed_after_a_mapping_fills_the_past_when_it_is_back(
    product: Product,
) -> None:
    serial, tag = product.sql(f"{OPEN_TAGS} ORDER BY serial DESC LIMIT 1")[0]
    param_id = product.one(
        "SELECT param_id FROM ic3_parameter_master WHERE param_tag_code = %s", tag
    )
    body = {"serial": serial, "tag_code": tag, "param_id": param_id}
    status, answer, _ = request(
        product.base, "POST", "/api/inbox/map", body=body, token=product.token
    )
    assert (status, answer["added"]) == (200, 1)
    product.kill()
    product.start().until_ready()
    until(lambda: product.one(DONE) == 2, what="the end of the job")
    assert product.broken() == {}
    jobs = json.loads(command(product, "replay", "list", "--json").stdout)["replays"]
    assert [each["state"] for each in jobs] == ["done", "done"]
