"""The log of the analytics, the state of their models, and trust in sensors."""

from datetime import timedelta

from samples import NOW, Sql

from ic3.domain.analytics_runs import AnalyticsWorker, NewRun, Origin, SensorTrust
from ic3.store.analytics import AnalyticsStore, ModelState, TrustPlace
from ic3.store.pool import Database

RUN = NewRun(
    worker=AnalyticsWorker.NRW, run_at=NOW, origin=Origin.LIVE, from_at=NOW - timedelta(hours=1),
    until_at=NOW, judged=40, not_computed=2, reasons={"no inflow meter": 2}, duration_ms=12,
)  # fmt: skip


def trusted(tag: str, trust: float) -> SensorTrust:
    return SensorTrust(
        asset_id=1, tag_code=tag, computed_at=NOW, trust=trust, completeness=1, timeliness=1,
        validity=1, liveness=1, consistency=1,
    )  # fmt: skip


async def test_rounds_are_listed_newest_first(own_database: Database) -> None:
    store = AnalyticsStore(own_database)
    numbers = [await store.log(RUN) for _ in range(3)]
    found = await store.runs(worker="nrw", limit=2)
    assert [each.id for each in found] == numbers[:0:-1]
    assert found[0].reasons == {"no inflow meter": 2}
    assert await store.runs(worker="anomaly", limit=2) == []
    assert [each.id for each in await store.runs(worker=None, limit=9, before=found[-1].id)] == [
        numbers[0]
    ]


async def test_a_model_state_is_replaced_and_forgotten(own_database: Database) -> None:
    store = AnalyticsStore(own_database)
    old = ModelState("pump", "1", NOW, NOW, b"old")
    await store.keep_states("anomaly", [old, old._replace(subject="valve")])
    new = old._replace(state=b"new")
    await store.keep_states("anomaly", [new])
    await store.forget_states("anomaly", ["pump"])
    assert await store.states("anomaly") == [new]


async def test_the_least_trusted_sensor_comes_first(own_database: Database, own_sql: Sql) -> None:
    own_sql(
        "INSERT INTO ic3_asset_master (asset_id, serialnumber, domain) VALUES (1, 'A', 'DEL-D01')"
    )
    store = AnalyticsStore(own_database)
    await store.keep_trust([trusted("A", 90), trusted("B", 40), trusted("C", 70)])
    later = NOW + timedelta(minutes=1)
    found = await store.trust(None, now=later, below=80, serial=None, limit=1, after=None)
    assert [(each.tag_code, each.age_s) for each in found] == [("B", 60.0)]
    place = TrustPlace(40, 1, "B")
    rest = await store.trust(None, now=later, below=80, serial="A", limit=9, after=place)
    assert [each.tag_code for each in rest] == ["C"]
    scope = ["DEL-D02"]
    assert await store.trust(scope, now=NOW, below=None, serial=None, limit=9, after=None) == []
