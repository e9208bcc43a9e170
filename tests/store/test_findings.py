"""Findings in the database: one open a cause, closing, reopening, verdicts and their figures."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from samples import NOW, Sql

from ic3.analytics.severity import PRIOR_WEIGHT
from ic3.domain.acts import Actor
from ic3.domain.findings import (
    PRIORS,
    Finding,
    FindingFilter,
    FindingKind,
    FindingState,
    Sighting,
    Verdict,
    wilson,
)
from ic3.errors import ApiError
from ic3.store.findings import FindingStore, Reported, Round, acknowledge, judge, order_work
from ic3.store.pool import Database

ASHA = Actor("asha", "operator", "127.0.0.1")
EVERYTHING = FindingFilter()
SEEN = Sighting(
    kind=FindingKind.SENSOR, cause="frozen:PRESSURE", since=NOW - timedelta(minutes=20),
    severity=4.0, sentence="Pressure has not moved for 20 min", asset_id=1, serial="A_PT_1",
    category="pressure transmitter", tag="PRESSURE", domain="DEL-D01", trust=0.9,
    evidence={"observed": 2.5},
)  # fmt: skip
LEAK = Sighting(
    kind=FindingKind.LEAK, cause="leak", since=NOW - timedelta(days=2), severity=5.0,
    sentence="Night inflow 12 m³/h above its baseline", dma_id="DMA-01", domain="DEL-D01",
)  # fmt: skip


@pytest.fixture
def store(own_database: Database, own_sql: Sql) -> FindingStore:
    own_sql(
        "INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain)"
        " SELECT n, 'A_PT_' || n, 'pressure transmitter', 'DEL-D0' || n"
        " FROM generate_series(1, 3) n"
    )
    return FindingStore(own_database)


async def seen(
    store: FindingStore, *sightings: Sighting, at: datetime = NOW, assets: tuple[int, ...] = (1,),
    kind: FindingKind = FindingKind.SENSOR,
) -> Reported:  # fmt: skip
    return await store.report(Round(kind, at, sightings, assets))


async def only(store: FindingStore) -> Finding:
    [finding] = await store.page(EVERYTHING, limit=10)
    return finding


async def say(store: FindingStore, number: int, verdict: Verdict, at: datetime = NOW) -> Finding:
    async with store.database.connection() as connection:
        return await judge(connection, ASHA, None, number, verdict, "looked", at=at)


async def test_a_repeat_updates_the_finding_and_adds_no_row(store: FindingStore) -> None:
    assert await seen(store, SEEN) == Reported(1, 0, 0)
    worse = msgspec.structs.replace(SEEN, severity=6.0, evidence={"observed": 9.9})
    later = NOW + timedelta(minutes=5)
    assert await seen(store, worse, at=later) == Reported(0, 1, 0)
    milder = msgspec.structs.replace(SEEN, severity=3.0, evidence={"observed": 2.6})
    await seen(store, milder, at=later)
    finding = await only(store)
    assert (finding.severity, finding.peak_severity) == (3.0, 6.0)
    assert (finding.opened_at, finding.last_seen_at) == (NOW, later)
    assert (await store.one(finding.id, None))[1] == {"observed": 9.9}


async def test_the_database_keeps_a_second_open_row_of_a_cause_out(
    store: FindingStore, own_sql: Sql
) -> None:
    await seen(store, SEEN)
    await store.report(Round(FindingKind.LEAK, NOW, [LEAK], (), ("DMA-01",)))
    with pytest.raises(Exception, match="one_open_of_asset"):
        own_sql(_copy("asset_id = 1"))
    with pytest.raises(Exception, match="one_open_of_dma"):
        own_sql(_copy("dma_id = 'DMA-01'"))


def _copy(where: str) -> str:
    columns = (
        "kind, cause, asset_id, dma_id, opened_at, since, last_seen_at, state, severity,"
        " peak_severity, confidence, peak_confidence, sentence"
    )
    return f"INSERT INTO ic3_finding ({columns}) SELECT {columns} FROM ic3_finding WHERE {where}"


async def test_it_closes_once_the_value_was_back_for_the_off_delay(store: FindingStore) -> None:
    await seen(store, SEEN)
    assert (await seen(store, at=NOW + timedelta(minutes=10))).closed == 0
    assert (await seen(store, at=NOW + timedelta(minutes=16))).closed == 1
    finding = await only(store)
    assert (finding.state, finding.closed_at) == (
        FindingState.CLOSED, NOW + timedelta(minutes=16)
    )  # fmt: skip


async def test_what_was_not_judged_does_not_close(store: FindingStore) -> None:
    await seen(store, SEEN)
    assert (await seen(store, at=NOW + timedelta(days=1), assets=(2, 3))).closed == 0
    assert (await only(store)).state is FindingState.OPEN


async def test_a_cause_that_returns_within_the_flap_window_reopens_its_finding(
    store: FindingStore,
) -> None:
    await seen(store, SEEN)
    await seen(store, at=NOW + timedelta(minutes=16))
    await seen(store, SEEN, at=NOW + timedelta(minutes=50))
    finding = await only(store)
    assert (finding.state, finding.flaps, finding.closed_at) == (FindingState.OPEN, 1, None)


async def test_a_cause_that_returns_later_is_a_new_finding(store: FindingStore) -> None:
    await seen(store, SEEN)
    await seen(store, at=NOW + timedelta(minutes=16))
    await seen(store, SEEN, at=NOW + timedelta(minutes=61))
    assert len(await store.page(EVERYTHING, limit=10)) == 2


async def test_a_dismissed_cause_stays_silent_until_it_was_away(store: FindingStore) -> None:
    await seen(store, SEEN)
    await say(store, (await only(store)).id, Verdict.FALSE_ALARM)
    for minutes in range(30, 241, 30):
        assert (await seen(store, SEEN, at=NOW + timedelta(minutes=minutes))).opened == 0
    assert (await only(store)).state is FindingState.DISMISSED
    assert (await seen(store, SEEN, at=NOW + timedelta(minutes=302))).opened == 1


async def test_a_verdict_moves_the_figures_and_the_confidence_of_later_findings(
    store: FindingStore,
) -> None:
    await seen(store, SEEN)
    first = await only(store)
    assert first.confidence == pytest.approx(100 * PRIORS[FindingKind.SENSOR] * 0.9)
    span = {"from_at": NOW - timedelta(days=1), "until_at": NOW + timedelta(days=1)}
    assert (await store.kpi(None, **span)).false_positive_rate.value is None
    await say(store, first.id, Verdict.FALSE_ALARM)
    rate = (await store.kpi(None, **span)).false_positive_rate
    assert (rate.value, rate.count, rate.of) == (1.0, 1, 1)
    assert rate.low == pytest.approx(0.2065, abs=1e-4)
    other = msgspec.structs.replace(SEEN, asset_id=2, domain="DEL-D02")
    await seen(store, other, assets=(2,))
    [second, _] = await store.page(EVERYTHING, limit=10)
    prior = PRIOR_WEIGHT * PRIORS[FindingKind.SENSOR]
    assert second.confidence == pytest.approx(100 * prior / (PRIOR_WEIGHT + 1) * 0.9)
    await say(store, first.id, Verdict.TRUE_ALARM)
    assert (await store.kpi(None, **span)).false_positive_rate.value == 0.0


async def test_verdicts_of_another_kind_do_not_count(store: FindingStore) -> None:
    await store.report(Round(FindingKind.LEAK, NOW, [LEAK], (), ("DMA-01",)))
    await say(store, (await only(store)).id, Verdict.FALSE_ALARM)
    await seen(store, SEEN)
    [newest, _] = await store.page(EVERYTHING, limit=10)
    assert newest.confidence == pytest.approx(100 * PRIORS[FindingKind.SENSOR] * 0.9)


async def test_repair_and_detection_times_are_those_of_true_findings(store: FindingStore) -> None:
    await seen(store, SEEN)
    await say(store, (await only(store)).id, Verdict.TRUE_ALARM)
    await seen(store, at=NOW + timedelta(minutes=16))
    span = {"from_at": NOW - timedelta(days=1), "until_at": NOW + timedelta(days=1)}
    figures = await store.kpi(None, **span)
    assert (figures.mttr.value, figures.mttr.count) == (960.0, 1)
    assert (figures.mean_time_to_detect.value, figures.mean_time_to_detect.count) == (1200.0, 1)


async def test_a_verdict_is_in_the_audit_log_with_before_and_after(
    store: FindingStore, own_sql: Sql
) -> None:
    await seen(store, SEEN)
    number = (await only(store)).id
    await say(store, number, Verdict.TRUE_ALARM)
    await say(store, number, Verdict.FALSE_ALARM)
    rows = own_sql("SELECT who, what, object, before, after FROM audit_log ORDER BY id")
    assert [row[:3] for row in rows] == [("asha", "finding judged", f"finding {number}")] * 2
    assert rows[1][3]["verdict"] == "true_alarm"
    assert rows[1][4] == {"state": "dismissed", "verdict": "false_alarm"}


async def test_a_work_order_keeps_the_evidence_and_hears_of_the_return(
    store: FindingStore, own_sql: Sql
) -> None:
    await seen(store, SEEN)
    async with store.database.connection() as connection:
        finding, order = await order_work(
            connection, ASHA, None, (await only(store)).id, at=NOW
        )  # fmt: skip
    assert (finding.state, finding.work_order_id) == (FindingState.IN_WORK, order.id)
    assert (order.title, order.serial, order.state.value) == (SEEN.sentence, "A_PT_1", "draft")
    [(evidence,)] = own_sql("SELECT evidence FROM ic3_work_order")
    assert evidence["evidence"] == {"observed": 2.5}
    with pytest.raises(ApiError) as refused:
        async with store.database.connection() as connection:
            await order_work(connection, ASHA, None, finding.id, at=NOW)
    assert refused.value.status == 409
    back_at = NOW + timedelta(minutes=16)
    await seen(store, at=back_at)
    assert own_sql("SELECT returned_at FROM ic3_work_order") == [(back_at,)]


async def test_an_acknowledged_finding_says_who_knows(store: FindingStore) -> None:
    await seen(store, SEEN)
    async with store.database.connection() as connection:
        finding = await acknowledge(connection, ASHA, None, (await only(store)).id, at=NOW)
    assert (finding.state, finding.acknowledged_by) == (FindingState.ACKNOWLEDGED, "asha")


async def test_a_finding_of_another_domain_is_none(store: FindingStore) -> None:
    await seen(store, SEEN)
    number = (await only(store)).id
    with pytest.raises(ApiError) as refused:
        await store.one(number, ["DEL-D02"])
    assert refused.value.status == 404
    assert await store.page(FindingFilter(scope=["DEL-D02"]), limit=10) == []


async def test_pages_bring_each_finding_once(store: FindingStore) -> None:
    several: list[Any] = [
        msgspec.structs.replace(SEEN, cause=f"frozen:T{number}") for number in range(5)
    ]
    await seen(store, *several)
    first = await store.page(EVERYTHING, limit=2)
    second = await store.page(EVERYTHING, limit=10, before=first[-1].id)
    found = [each.cause for each in (*first, *second)]
    assert sorted(found) == [each.cause for each in several]


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    share = wilson(2, 20)
    assert (share.low, share.high) == pytest.approx((0.0279, 0.3010), abs=1e-4)
