"""Quality and states of assets through the whole program: F1, F24."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from driven import Gateway, Product, until

SERIAL = "Patel Road_Baljeet Nagar_SV_92"
REGISTER = """
WITH asset AS (
    INSERT INTO ic3_asset_master (serialnumber, domain) VALUES (%s, 'DEL-D08') RETURNING asset_id),
parameter AS (
    INSERT INTO ic3_parameter_master (parameter_name, param_tag_code, kind, range_low, range_high)
    VALUES ('Health score', 'HEALTH_SCORE', 'gauge', 0, 100) RETURNING param_id)
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
SELECT asset_id, 'HEALTH_SCORE', param_id FROM asset, parameter RETURNING 1
"""


@pytest.fixture(scope="module")
def plant() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def product(module_place: Path, dsn: str, plant: Gateway) -> Iterator[Product]:
    settings = {"DATABASE_URL": dsn, "REDIS_API_BASE": plant.base}
    with Product(module_place, **settings) as product:
        product.sql(REGISTER, SERIAL)
        yield product.start().until_ready()


def send(plant: Gateway, number: float, *, year: int | None = None, quality: str = "GOOD") -> None:
    at = datetime.now(UTC)
    stamp = (at if year is None else at.replace(year=year, day=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    value = {
        "record_id": str(uuid4()), "system_id": "S", "asset_id": SERIAL, "domain": "DEL-D08",
        "protocol": "rest", "occurred_at": stamp, "values": {"HEALTH_SCORE": number},
        "quality": quality, "alarm": "NORMAL",
    }  # fmt: skip
    plant.set(key=SERIAL, value=json.dumps(value))


def live(product: Product) -> tuple[float, str, str | None] | None:
    rows = product.get(f"/api/monitoring/live?serial_number={quote(SERIAL)}")["monitoring"]
    found = [(row["value_num"], row["quality"], row["quality_reason"]) for row in rows]
    return found[0] if found else None


def states(product: Product, query: str) -> dict[str, dict[str, Any]]:
    page = product.get(f"/api/assets/states?limit=1000&{query}")
    return {each["serial"]: each for each in page["states"]}


def events(product: Product) -> list[tuple[str | None, str]]:
    found = product.get("/api/feed/events?limit=1000")["events"]
    return [(each["serial"], each["event"]) for each in found]


def test_a_value_is_shown_with_its_quality(product: Product, plant: Gateway) -> None:
    for sent, shown in (
        ((94.8, "GOOD"), (94.8, "GOOD", None)),
        ((250.0, "GOOD"), (250.0, "BAD", "out_of_range")),
        ((50.0, "UNCERTAIN"), (50.0, "UNCERTAIN", "source_not_good")),
    ):
        send(plant, sent[0], quality=sent[1])
        until(lambda shown=shown: live(product) == shown, what=str(shown))  # type: ignore[misc]
    kept = (
        "SELECT value_num, quality, quality_reason FROM ic3_asset_monitoring_data"
        " ORDER BY recorded_at DESC LIMIT 3"
    )
    wanted = [(50.0, 1, "source_not_good"), (250.0, 2, "out_of_range"), (94.8, 0, None)]
    until(lambda: product.sql(kept) == wanted, what="the rows of what was shown")
    assert product.broken() == {}


def test_f24_a_clock_in_2099_is_told_and_freezes_nothing(product: Product, plant: Gateway) -> None:
    send(plant, 60.0)
    until(lambda: live(product) == (60.0, "GOOD", None), what="the value before")
    send(plant, 61.0, year=2099)
    until(lambda: SERIAL in states(product, "state=clock_wrong"), what="the wrong clock")
    assert live(product) == (60.0, "GOOD", None)
    told = "SELECT max((times ->> 'future')::int) FROM ic3_sweep"
    until(lambda: product.one(told) == 1, what="its count")
    send(plant, 62.0)
    until(lambda: live(product) == (62.0, "GOOD", None), what="the value after")
    assert states(product, "state=fresh")[SERIAL]["domain"] == "DEL-D08"


def test_a_key_that_comes_and_goes_is_told(product: Product, plant: Gateway) -> None:
    plant.set(keys=["ic3:latest:guest"])
    until(lambda: ("guest", "appeared") in events(product), what="its coming")
    plant.heal()
    until(lambda: ("guest", "vanished") in events(product), what="its going")
    assert set(states(product, "state=vanished")) == {"guest"}
    plant.set(keys=["ic3:latest:guest"])
    until(lambda: ("guest", "returned") in events(product), what="its return")
    plant.heal()


def test_f1_a_lost_gateway_is_one_event_and_every_asset_unreachable(
    product: Product, plant: Gateway
) -> None:
    before = len(events(product))
    plant.fault("status", target="list", status=500)
    until(lambda: len(states(product, "state=unreachable")) >= 557, what="unreachable assets")
    until(lambda: (None, "gateway_lost") in events(product), what="the event")
    assert len(events(product)) <= before + 5
    assert live(product) is not None
    plant.heal()
    until(lambda: (None, "gateway_back") in events(product), what="its return")
    until(lambda: not states(product, "state=unreachable"), what="assets that are reached")
    assert product.get("/api/stats")["states"]["unreachable"] == 0
    assert product.metric('ic3_assets{state="unreachable"}') == 0
