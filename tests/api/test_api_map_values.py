"""What a map is drawn by, newest and past, each for who may see it."""

from collections.abc import AsyncIterator

import pytest
from serving import NOW, NOW_US, Site, add, envelope, serving

from ic3.domain.map_values import edges_of
from ic3.domain.mapping import Parameter, Reading, Register, RegisteredAsset
from ic3.domain.sweeps import Sweep
from ic3.domain.users import Role
from ic3.store.register import RegisterStore
from ic3.turns import at_once

FLOW = Parameter(1, "Flow", "FLOW_RATE", "m3/h")
PUMP_FLOW = Parameter(2, "Pump flow", "PUMP_FLOW", "m3/h")
BUCKET = """
INSERT INTO ic3_rollup_5m (bucket_at, asset_id, tag_code, param_id, row_count, good_count,
    used_count, last_value, resets)
VALUES (%s, %s, %s, %s, 1, 1, %s, %s, 0)
"""


@pytest.fixture
async def plant(fresh_dsn: str) -> AsyncIterator[Site]:
    async with serving(fresh_dsn) as site:
        assets = [
            RegisteredAsset(1, "meter", {}, "DEL-D01"), RegisteredAsset(2, "pump", {}, "DEL-D02"),
            RegisteredAsset(3, "broken", {}, "DEL-D01"), RegisteredAsset(4, "mute", {}, "DEL-D01"),
        ]  # fmt: skip
        site.latest.register = Register(
            1, {each.serial: each for each in assets}, {1: FLOW, 2: PUMP_FLOW}
        )
        # What is read from the database is looked at there too: whose domain it is.
        await RegisterStore(site.database).import_rows(
            {"register": [{"serialnumber": each.serial, "domain": each.domain} for each in assets]}
        )
        add(site.latest, Reading(1, "Q", 1, 12.5, None, NOW_US))
        add(
            site.latest,
            Reading(2, "PUMP_FLOW", 2, 300.0, None, NOW_US),
            Reading(2, "FLOW_RATE", 1, 280.0, None, NOW_US),
        )
        add(site.latest, Reading(3, "FLOW_RATE", 1, 9e9, None, NOW_US, 2, "range"))
        sweep = Sweep(begun_at=NOW, started=site.clock.monotonic(), simulated=False, ended_at=NOW)
        sweep.envelopes = [envelope("meter")]
        at_once(site.feed.taking(sweep))
        async with site.database.connection() as connection:
            for row in (
                (NOW.replace(minute=40, second=0, microsecond=0), 1, "Q", 1, 1, 11.0),
                (NOW.replace(minute=40, second=0, microsecond=0), 2, "FLOW_RATE", 1, 1, 270.0),
                (NOW.replace(minute=40, second=0, microsecond=0), 3, "FLOW_RATE", 1, 0, None),
                (NOW.replace(minute=35, second=0, microsecond=0), 1, "Q", 1, 1, 10.0),
            ):
                await connection.execute(BUCKET, row)
        yield site


async def test_every_asset_shows_its_newest_value_and_no_bad_one(plant: Site) -> None:
    answer = await plant.get("/api/gis/values?by=flow")
    assert answer.json() == {
        "by": "flow", "unit": "m3/h", "at": None, "edges": [12.5, 280.0],
        "values": {"meter": 12.5, "pump": 280.0},
    }  # fmt: skip


async def test_the_past_is_the_last_value_of_its_five_minutes(plant: Site) -> None:
    answer = await plant.get("/api/gis/values?by=flow&at=2026-06-15T07:11:00%2B05:30")
    assert answer.json()["at"] == "2026-06-15T01:40:00.000000Z"
    assert answer.json()["values"] == {"meter": 11.0, "pump": 270.0}


async def test_ages_are_of_what_has_been_heard(plant: Site) -> None:
    answer = await plant.get("/api/gis/values?by=age")
    assert list(answer.json()["values"]) == ["meter"]
    assert answer.json()["edges"] == [30.0, 120.0, 900.0, 3600.0]


@pytest.mark.parametrize("past", ["", "&at=2026-06-15T01:41:00Z"])
async def test_another_domains_assets_are_not_shown(plant: Site, past: str) -> None:
    token = plant.token(Role.VIEWER, domains=frozenset({"DEL-D01"}))
    answer = await plant.ask("GET", f"/api/gis/values?by=flow{past}", token=token)
    assert list(answer.json()["values"]) == ["meter"]


async def test_a_figure_that_nobody_measures_is_of_no_asset(plant: Site) -> None:
    answer = await plant.get("/api/gis/values?by=pressure")
    assert answer.json() == {
        "by": "pressure", "unit": None, "at": None, "edges": [], "values": {}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422), ("by=colour", 422), ("by=flow&at=yesterday", 422),
        ("by=flow&at=2026-06-15T01:41:00", 422), ("by=age&at=2026-06-15T01:41:00Z", 422),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(plant: Site, query: str, status: int) -> None:
    answer = await plant.get(f"/api/gis/values?{query}")
    assert answer.status == status
    assert answer.header("content-type") == "application/problem+json"


def test_classes_hold_as_many_assets_as_each_other() -> None:
    assert edges_of(range(1, 11)) == [3.0, 5.0, 7.0, 9.0]


def test_equal_values_are_one_class() -> None:
    assert edges_of([4.56789] * 20) == [4.57]
