"""Non-revenue water over HTTP: figures, history, definitions, scope."""

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from serving import NOW, Answer, Site, serving

from ic3.analytics.dma import DMA
from ic3.analytics.inflow import Readings
from ic3.analytics.nrw import nrw_report
from ic3.domain.nrw import Leak
from ic3.domain.users import Role
from ic3.store.dma import DmaStore
from ic3.store.nrw import NrwRow, NrwStore

LIST, DEFINITIONS = "/api/ai/nrw", "/api/ai/dma-definitions"
SCOPES = {"ravi": frozenset({"DEL-D01"})}
FILL = """
INSERT INTO ic3_dma (dma_id, name, domain, connections, population, mains_km, supply_hours,
    billed_m3_d)
VALUES ('DMA-1', 'North', 'DEL-D01', 4000, 20000, 50, 24, 1800),
    ('DMA-2', 'South', 'DEL-D09', 100, 500, 3, 4, 90);
INSERT INTO ic3_parameter_master (param_id, parameter_name, param_tag_code, unit, kind)
VALUES (901, 'Flow', 'FLOW_RATE', 'm3/h', 'gauge'), (902, 'Pressure', 'PRESSURE', 'bar', 'gauge');
INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain, dma_id)
VALUES (1, 'N_BFM_1', 'bulk flow meter', 'DEL-D01', 'DMA-1'),
    (2, 'N_PT_41', 'pressure transmitter', 'DEL-D01', 'DMA-1'),
    (3, 'N_PT_1', 'pressure transmitter', 'DEL-D01', 'DMA-1'),
    (4, 'S_BFM_2', 'bulk flow meter', 'DEL-D09', 'DMA-2');
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
VALUES (1, 'FLOW_RATE', 901), (2, 'PRESSURE', 902), (3, 'PRESSURE', 902), (4, 'FLOW_RATE', 901);
"""

NO_BALANCE = """
UPDATE ic3_nrw SET report = report || '{"balance": null, "balance_reason": "no bills"}'
WHERE dma_id = 'DMA-2'
"""


@pytest.fixture
async def districts(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with two districts defined from the register, and figures of both."""
    async with serving(fresh_dsn, scopes=SCOPES) as site:
        async with site.database.connection() as connection:
            for statement in FILL.split(";\n"):
                await connection.execute(statement.encode())
        definitions = DmaStore(site.database)
        assert await definitions.define_from_register("Asia/Kolkata", NOW) == 2
        rows = [figures(each.dma) for each in await definitions.definitions(None)]
        store = NrwStore(site.database)
        await store.keep(rows)
        await store.keep_days([(date(2026, 6, 14), each) for each in rows])
        yield site


def figures(dma: DMA) -> NrwRow:
    """The report of a week with 100 m3/h at 25 m."""
    at_s = int(NOW.timestamp()) // 300 * 300 + np.arange(-2016, 0) * 300
    names = sorted(dma.keys)
    series = {name: np.full(2016, 25.0 if "PRESSURE" in name else 100.0) for name in names}
    report = nrw_report(dma, Readings(at_s, series))
    return NrwRow(
        dma.dma_id, dma.domain, NOW, NOW - timedelta(days=7), NOW, 1, report,
        Leak(leak_probability=0.2, burst_probability=None, burst_reason="learning"),
    )  # fmt: skip


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


async def definition(site: Site, dma_id: str = "DMA-1") -> Any:
    return (await ask(site, "GET", f"{DEFINITIONS}/{dma_id}")).json()["definition"]["dma"]


async def test_a_district_shows_its_balance_with_band_and_reasons(districts: Site) -> None:
    [south, north] = (await ask(districts, "GET", LIST)).json()["districts"]
    assert north["nrw_percent"] == {
        "value": pytest.approx(25.0), "band": pytest.approx(2.704, abs=1e-3), "unit": "%",
        "reason": "",
    }  # fmt: skip
    assert (north["name"], north["age_s"], north["provisional"]) == ("North", 0.0, False)
    assert north["leak"]["burst_reason"] == "learning"
    assert north["night_flow"]["value"] == pytest.approx(100.0)
    assert north["billed"]["value"] == pytest.approx(167 / 24 * 1800)
    assert (north["lost"]["value"], north["lost"]["unit"]) == (pytest.approx(600, rel=0.01), "m3/d")
    assert north["pressure"]["value"] == pytest.approx(25.0)
    assert north["nights"] == {
        "days": ["2026-06-14"], "m3_h": [pytest.approx(100.0)], "low_m3_h": None, "high_m3_h": None
    }  # fmt: skip
    assert south["ili"]["reason"] or south["ili_warnings"]


async def test_a_district_whole_its_days_and_csv(districts: Site) -> None:
    whole = (await ask(districts, "GET", f"{LIST}/DMA-1")).json()
    assert whole["report"]["balance"]["nrw"]["m3"] == pytest.approx(167 * 25.0)  # whole hours
    history = (await ask(districts, "GET", f"{LIST}/DMA-1/history")).json()
    assert [each["day"] for each in history["days"]] == ["2026-06-14"]
    lines = (await ask(districts, "GET", f"{LIST}.csv")).body.decode().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["dma_id", "DMA-2", "DMA-1"]
    days = (await ask(districts, "GET", f"{LIST}/DMA-1/history.csv")).body.decode().splitlines()
    assert days[1].startswith("2026-06-14,DMA-1,North,")
    assert [(each.what, each.object) for each in districts.events.waiting] == [
        ("export", f"GET {LIST}.csv"), ("export", f"GET {LIST}/{{dma_id:str}}/history.csv")
    ]  # fmt: skip


async def test_districts_of_which_the_loss_is_not_known_come_last(districts: Site) -> None:
    async with districts.database.connection() as connection:
        await connection.execute(NO_BALANCE)
    first = (await ask(districts, "GET", f"{LIST}?limit=1")).json()
    second = (await ask(districts, "GET", f"{LIST}?limit=1&cursor={first['next']}")).json()
    third = (await ask(districts, "GET", f"{LIST}?limit=1&cursor={second['next']}")).json()
    assert [each["districts"][0]["dma_id"] for each in (first, second)] == ["DMA-1", "DMA-2"]
    assert second["districts"][0]["lost"] == {
        "value": None, "band": None, "unit": "m3/d", "reason": "no bills",
    }  # fmt: skip
    assert (third["districts"], third["next"]) == ([], None)


async def test_districts_and_their_days_come_page_by_page(districts: Site) -> None:
    first = (await ask(districts, "GET", f"{LIST}?limit=1")).json()
    second = (await ask(districts, "GET", f"{LIST}?limit=1&cursor={first['next']}")).json()
    both = [each["dma_id"] for each in first["districts"] + second["districts"]]
    assert both == ["DMA-2", "DMA-1"]
    days = f"{LIST}/DMA-1/history?limit=1"
    newest = (await ask(districts, "GET", days)).json()
    older = (await ask(districts, "GET", f"{days}&cursor={newest['next']}")).json()
    assert (len(newest["days"]), older["days"]) == (1, [])


async def test_the_register_gives_a_first_definition(districts: Site) -> None:
    dma = await definition(districts)
    assert [each["serial"] for each in dma["meters"]] == ["N_BFM_1"]
    assert [(each["serial"], each["point"]) for each in dma["pressure_points"]] == [
        ("N_PT_1", "average"), ("N_PT_41", "critical"),
    ]  # fmt: skip
    assert (dma["supply"], dma["billed_m3_d"]) == ("continuous", 1800.0)
    assert (await definition(districts, "DMA-2"))["supply"] == "intermittent"


async def test_a_definition_is_changed_as_it_was_seen_and_versions_stay(districts: Site) -> None:
    dma = await definition(districts)
    changed = {**dma, "private_pipe_km": 12.5, "valid_from": "2026-06-01T00:00:00+05:30"}
    path, engineer = f"{DEFINITIONS}/DMA-1", {"role": Role.ENGINEER}
    assert (await ask(districts, "PUT", path, changed)).status == 403
    assert (await ask(districts, "PUT", path, changed, **engineer)).status == 428
    made = await ask(districts, "PUT", path, changed, **engineer, etag='"1"')
    assert (made.status, made.header("etag")) == (200, '"2"')
    assert (await ask(districts, "PUT", path, changed, **engineer, etag='"1"')).status == 412
    found = (await ask(districts, "GET", path)).json()
    assert [each["version"] for each in found["versions"]] == [1, 2]
    assert found["versions"][0]["changed_by"] == "register"


async def test_a_wrong_definition_is_refused_with_all_that_is_wrong(districts: Site) -> None:
    dma = await definition(districts)
    meters = [{**dma["meters"][0], "serial": serial} for serial in ("S_BFM_2", "nobody")]
    answer = await ask(
        districts, "PUT", f"{DEFINITIONS}/DMA-1", {**dma, "meters": meters}, role=Role.ENGINEER,
        etag='"1"',
    )  # fmt: skip
    assert answer.status == 422
    assert "no tag nobody:FLOW_RATE" in answer.json()["detail"]
    other = {**dma, "meters": meters[:1]}
    answer = await ask(
        districts, "PUT", f"{DEFINITIONS}/DMA-1", other, role=Role.ENGINEER, etag='"1"'
    )
    assert "has the same sign in DMA-2, DMA-1" in answer.json()["detail"]


async def test_s19_a_district_of_another_domain_is_as_none(districts: Site) -> None:
    for dma_id in ("DMA-2", "nobody"):
        for path in (f"{LIST}/{dma_id}", f"{LIST}/{dma_id}/history", f"{DEFINITIONS}/{dma_id}"):
            answer = await ask(districts, "GET", path, who="ravi")
            assert (answer.status, answer.json()["error"]) == (404, "district not found")
    body = msgspec.to_builtins(await definition(districts, "DMA-2"))
    put = await ask(
        districts, "PUT", f"{DEFINITIONS}/DMA-2", body, role=Role.ENGINEER, who="ravi", etag='"1"'
    )
    assert put.status == 404
    mine = (await ask(districts, "GET", DEFINITIONS, who="ravi")).json()["definitions"]
    assert [each["dma"]["dma_id"] for each in mine] == ["DMA-1"]
