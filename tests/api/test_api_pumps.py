"""The health of pumps over HTTP: fleet, one, history, plates, scope."""

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from serving import NOW, Answer, Site, serving

from ic3.analytics.pump_health import assess
from ic3.analytics.pump_limits import PumpLimits
from ic3.analytics.pump_samples import PumpNameplate, PumpSamples
from ic3.domain.pumps import Life, PumpDay, PumpTrend
from ic3.domain.users import Role
from ic3.store.pump_health import PumpRow, PumpStore

FLEET = "/api/ai/pump-health"
SCOPES = {"ravi": frozenset({"DEL-D01"})}
ASSETS = """
INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain)
VALUES (1, 'A_Pump_1', 'pump', 'DEL-D01'), (2, 'Z/Pump 2', 'pump', 'DEL-D09')
"""
TREND = PumpTrend(
    day=None, wear=[],
    life=Life(
        low_days=None, median_days=None, high_days=None, reason="not computed: too little",
        by="head", limit_percent=-10.0, coverage=0.0, weeks=0,
    ),
)  # fmt: skip
DAY = PumpDay(
    day=date(2026, 6, 14), health=80.0, coverage=0.85, head_percent=-1.0, efficiency_percent=None,
    vibration_mm_s=1.8, sec_kwh_m3=0.2, run_h=20.0, known_h=24.0, starts=2, worst="=none",
    provisional=True, computed_at=NOW,
)  # fmt: skip


def assessed() -> Any:
    """What the worker stores of a pump that ran for two hours."""
    samples = PumpSamples(
        at_s=np.arange(0.0, 7200.0, 300.0), running=np.ones(24), vibration_de_mm_s=np.full(24, 3.0)
    )
    return assess(samples, None, PumpLimits(), plate=PumpNameplate())


@pytest.fixture
async def fleet(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with a pump in each of two domains; ravi sees one of them."""
    of = assessed()
    async with serving(fresh_dsn, scopes=SCOPES) as site:
        async with site.database.connection() as connection:
            await connection.execute(ASSETS)
        store = PumpStore(site.database)
        await store.keep(
            [
                PumpRow(
                    number, NOW, NOW - timedelta(hours=2), NOW, of.health, of.coverage, of.worst,
                    msgspec.to_builtins(of), TREND,
                )
                for number in (1, 2)
            ]
        )  # fmt: skip
        yesterday = msgspec.structs.replace(DAY, day=date(2026, 6, 13))
        await store.keep_days([(1, DAY), (1, yesterday)])
        yield site


async def ask(
    site: Site, method: str, path: str, body: object = None, *, role: Role = Role.VIEWER,
    who: str = "asha", etag: str | None = None,
) -> Answer:  # fmt: skip
    headers = [("Content-Type", "application/json")]
    headers += [] if etag is None else [("If-Match", etag)]
    content = b"" if body is None else json.dumps(body).encode()
    return await site.ask(
        method, path, token=site.token(role, who), body=content, headers=headers
    )  # fmt: skip


async def test_the_fleet_is_walked_page_by_page(fleet: Site) -> None:
    first = (await ask(fleet, "GET", f"{FLEET}?limit=1")).json()
    assert [each["serial_number"] for each in first["pumps"]] == ["A_Pump_1"]
    second = (await ask(fleet, "GET", f"{FLEET}?limit=1&cursor={first['next']}")).json()
    assert [each["serial_number"] for each in second["pumps"]] == ["Z/Pump 2"]


async def test_the_least_healthy_pump_comes_first_and_those_without_health_last(
    fleet: Site,
) -> None:
    async with fleet.database.connection() as connection:
        await connection.execute("UPDATE ic3_pump_health SET health = NULL WHERE asset_id = 1")
    first = (await ask(fleet, "GET", f"{FLEET}?limit=1")).json()
    [pump] = first["pumps"]
    assert (pump["serial_number"], pump["vibration_mm_s"]) == ("Z/Pump 2", 3.0)
    second = (await ask(fleet, "GET", f"{FLEET}?limit=1&cursor={first['next']}")).json()
    assert [each["health"] for each in second["pumps"]] == [None]


async def test_one_pump_shows_every_sub_score_with_its_limit_or_reason(fleet: Site) -> None:
    found = (await ask(fleet, "GET", f"{FLEET}/A_Pump_1")).json()
    assert len(found["assessment"]["sub_scores"]) == 12
    vibration = next(
        each for each in found["assessment"]["sub_scores"] if each["name"] == "vibration"
    )
    assert (vibration["value"], vibration["limit"]["verify"]) == (3.0, True)
    assert found["figures"]["health"] is not None
    assert found["figures"]["age_s"] == 0.0
    assert found["plate"]["version"] == 0
    serial = await ask(fleet, "GET", f"{FLEET}/Z%2FPump%202")
    assert serial.json()["figures"]["serial_number"] == "Z/Pump 2"


async def test_history_is_read_day_by_day_and_as_csv(fleet: Site) -> None:
    first = (await ask(fleet, "GET", f"{FLEET}/A_Pump_1/history?limit=1")).json()
    assert [each["day"] for each in first["days"]] == ["2026-06-14"]
    path = f"{FLEET}/A_Pump_1/history?limit=1&cursor={first['next']}"
    assert (await ask(fleet, "GET", path)).json()["days"][0]["day"] == "2026-06-13"
    lines = (await ask(fleet, "GET", f"{FLEET}/A_Pump_1/history.csv")).body.decode().splitlines()
    assert len(lines) == 3
    assert ",'=none," in lines[1]
    assert "GET /api/ai/pump-health/{serial_number:str}/history.csv" in {
        each.object for each in fleet.events.waiting if each.what == "export"
    }


async def test_an_engineer_enters_a_plate_once_and_changes_it_as_seen(fleet: Site) -> None:
    path, body = f"{FLEET}/A_Pump_1/plate", {"plate": {"nominal_rpm": 1480, "rated_kw": 45}}
    engineer = {"role": Role.ENGINEER}
    assert (await ask(fleet, "PUT", path, body, role=Role.OPERATOR)).status == 403
    made = await ask(fleet, "PUT", path, body, **engineer)
    assert (made.status, made.header("etag"), made.json()["changed_by"]) == (200, '"1"', "asha")
    assert (await ask(fleet, "PUT", path, body, **engineer)).status == 428
    assert (await ask(fleet, "PUT", path, body, **engineer, etag='"7"')).status == 412
    assert (await ask(fleet, "PUT", path, body, **engineer, etag='"1"')).status == 200
    wrong = {"plate": {"insulation_class": "Z"}}
    refused = await ask(fleet, "PUT", path, wrong, **engineer, etag='"2"')
    assert (refused.status, "insulation class" in refused.json()["detail"]) == (422, True)


async def test_s19_a_pump_of_another_domain_is_as_none(fleet: Site) -> None:
    for serial in ("Z%2FPump%202", "nobody"):
        for path in (f"{FLEET}/{serial}", f"{FLEET}/{serial}/history"):
            answer = await ask(fleet, "GET", path, who="ravi")
            assert (answer.status, answer.json()["error"]) == (404, "pump not found")
    assert len((await ask(fleet, "GET", FLEET, who="ravi")).json()["pumps"]) == 1
    put = await ask(
        fleet, "PUT", f"{FLEET}/Z%2FPump%202/plate", {"plate": {}}, role=Role.ENGINEER, who="ravi"
    )
    assert put.status == 404
