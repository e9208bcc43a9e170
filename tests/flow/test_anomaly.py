"""The anomaly worker over stored readings: deviations, frozen and silent sensors, quiet plant."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from analysed import STEPS_A_DAY, AnalysedPlant, register_of

from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.figures import SEVERITY, Figures
from ic3.domain.findings import Finding, FindingFilter, FindingKind, Verdict
from ic3.domain.latest import LatestReadings
from ic3.store.analytics import AnalyticsStore
from ic3.store.findings import FindingStore, judge
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.pool import Database
from ic3.workers.anomaly import Anomaly

DELHI: Final = ZoneInfo("Asia/Kolkata")
TAGS: Final = ("PUMP_FLOW", "DIS_PRES", "PUMP_KW", "TEMP", "LAST_INSP_DT")
PUMPS: Final = (1, 2, 3, 4)
DAYS: Final = 3
# Of the hours that are judged live, after the days that are learned from.
LIVE_STEPS: Final = 24
FROM: Final = 6
# Sixteen days of hours of a tag at all stations; one of them is higher since three days.
HOURS: Final = """
INSERT INTO ic3_rollup_1h (bucket_at, asset_id, tag_code, param_id, row_count, good_count,
    used_count, value_sum, resets)
SELECT hour_at, asset_id, 'DIS_PRES', param_id, 20, 20, 20,
    20 * CASE WHEN asset_id = 3 AND hour_at >= now_at - interval '4 days' THEN 6 ELSE 5 END, 0
FROM (SELECT %s::timestamptz AS now_at) given,
    generate_series(date_trunc('hour', now_at) - interval '16 days', now_at, interval '1 hour')
        AS hours (hour_at),
    generate_series(1, 4) AS assets (asset_id), ic3_parameter_master
WHERE param_tag_code = 'DIS_PRES'
"""


def running(seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Five-minute values of a station whose tags hang together."""
    random = np.random.default_rng(seed)
    steps = DAYS * STEPS_A_DAY + LIVE_STEPS
    load = np.sin(2 * np.pi * np.arange(steps) / STEPS_A_DAY)
    flow = 100 + 20 * load + random.normal(0, 1.0, steps)
    return {
        "PUMP_FLOW": flow, "DIS_PRES": 6 - 0.01 * flow + random.normal(0, 0.02, steps),
        "PUMP_KW": 20 + 0.2 * flow + random.normal(0, 0.4, steps),
        "TEMP": 40 + 5 * load + random.normal(0, 0.3, steps),
        "LAST_INSP_DT": random.uniform(0, 100, steps),
    }  # fmt: skip


class Bench:
    """The worker, and a clock that walks through the hours that are judged live."""

    def __init__(self, database: Database, clock: Any) -> None:
        self.findings, self.analytics = FindingStore(database), AnalyticsStore(database)
        self.latest, self.figures = LatestReadings(), Figures()
        self._database, self.clock = database, clock
        self.worker = Anomaly(
            values=FiveMinuteStore(database), findings=self.findings, analytics=self.analytics,
            latest=self.latest, figures=self.figures, zone=DELHI, clock=clock,
            observe=lambda _: None,
        )  # fmt: skip

    async def walk(self, steps: int) -> None:
        for _ in range(steps):
            self.latest.register = await register_of(self._database)
            await self.worker.step()
            self.clock.advance(300)

    async def found(self) -> list[Finding]:
        return await self.findings.page(FindingFilter(), limit=20)


@pytest.fixture
def plant(fresh_dsn: str, clock: Any) -> Iterator[AnalysedPlant]:
    """Four stations; the clock stands where the days that are learned from have ended."""
    plant = AnalysedPlant(fresh_dsn)
    begin = clock.now().replace(minute=40) - timedelta(days=DAYS)
    for number in PUMPS:
        plant.asset(number, f"A_Station_{number}", "station", *TAGS)
        plant.put(number, begin, running(number))
    yield plant
    plant.close()


def change(plant: AnalysedPlant, number: int, tag: str, sql: str, clock: Clock) -> None:
    """Alter what a tag shows from half an hour after now on."""
    begin = clock.now() + timedelta(minutes=5 * FROM)
    plant.sql(
        f"UPDATE ic3_rollup_5m SET {sql} WHERE asset_id = %s AND tag_code = %s AND bucket_at >= %s",
        number, tag, begin,
    )  # fmt: skip


async def test_a_fault_free_stretch_opens_no_finding(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    await bench.walk(LIVE_STEPS)
    assert await bench.found() == []
    [run, *_] = await bench.analytics.runs(worker="anomaly", limit=1)
    assert (run.judged, run.reasons) == (4, {})
    trust = await bench.analytics.all_trust()
    assert min(trust.values()) > 90
    assert {tag for _, tag in trust} == set(TAGS) - {"LAST_INSP_DT"}


async def test_the_past_of_an_asset_is_looked_at_once_it_has_readings_for_half_a_day(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    steps = {5: 6, STEPS_A_DAY // 2 + 3: 7}
    for number, register_id in steps.items():
        plant.asset(register_id, f"A_Station_{register_id}", "station", *TAGS)
        begin = clock.now().replace(minute=40) - timedelta(minutes=5 * number)
        plant.put(register_id, begin, {tag: values[:number] for tag, values in running(1).items()})
    bench = Bench(database, clock)
    await bench.walk(2)
    [run, *_] = await bench.analytics.runs(worker="anomaly", limit=1)
    assert run.judged == 4
    assert run.reasons == {"no readings, or no model yet": 1, "less than a day of readings": 1}


async def test_flow_that_leaves_its_relatives_is_found_with_what_was_expected(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    change(plant, 2, "PUMP_FLOW", "value_sum = value_sum * 0.6", clock)
    change(plant, 2, "PUMP_KW", "value_sum = value_sum * 1.3", clock)
    await bench.walk(LIVE_STEPS)
    [finding] = await bench.found()
    assert (finding.serial_number, finding.kind) == ("A_Station_2", FindingKind.PROCESS)
    assert finding.tag in {"PUMP_FLOW", "PUMP_KW"}
    begin = clock.now() - timedelta(minutes=5 * (LIVE_STEPS - FROM))
    assert abs((finding.since - begin).total_seconds()) <= 1200
    assert (finding.opened_at - begin).total_seconds() <= 1800
    _, evidence = await bench.findings.one(finding.id, None)
    flow = next(each for each in evidence["tags"] if each["tag"] == "PUMP_FLOW")
    assert flow["outside"]
    assert flow["expected"] > flow["observed"]
    assert len(evidence["trend"]["values"]) > 10
    [(_, values)] = [each for each in bench.figures.all().items() if each[0].name == "A_Station_2"]
    assert values[SEVERITY] == pytest.approx(finding.severity)


async def test_a_sensor_that_is_not_good_and_one_that_is_silent_are_findings_of_sensors(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    change(plant, 1, "DIS_PRES", "good_count = 0", clock)
    begin = clock.now() + timedelta(minutes=5 * FROM)
    plant.sql(
        "DELETE FROM ic3_rollup_5m WHERE asset_id = 3 AND tag_code = 'TEMP' AND bucket_at >= %s",
        begin,
    )
    await bench.walk(LIVE_STEPS)
    found = {(each.serial_number, each.cause): each for each in await bench.found()}
    assert set(found) == {("A_Station_1", "not_good:DIS_PRES"), ("A_Station_3", "gap:TEMP")}
    assert {each.kind for each in found.values()} == {FindingKind.SENSOR}
    trust = await bench.analytics.all_trust()
    assert trust[1, "DIS_PRES"] < trust[1, "TEMP"]


async def test_an_asset_that_falls_silent_is_one_finding_and_not_one_a_tag(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    begin = clock.now() + timedelta(minutes=5 * FROM)
    plant.sql("DELETE FROM ic3_rollup_5m WHERE asset_id = 3 AND bucket_at >= %s", begin)
    await bench.walk(LIVE_STEPS)
    [finding] = await bench.found()
    assert (finding.serial_number, finding.cause, finding.tag) == ("A_Station_3", "gap", None)
    assert finding.sentence.startswith("A_Station_3: brings no values since ")
    _, evidence = await bench.findings.one(finding.id, None)
    assert set(evidence["tag_codes"]) == set(TAGS) - {"LAST_INSP_DT"}


async def test_tags_that_fall_silent_two_by_two_are_one_finding_of_their_asset(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    for tags, step in ((["PUMP_FLOW", "TEMP"], FROM), (["DIS_PRES", "PUMP_KW"], FROM + 2)):
        plant.sql(
            "DELETE FROM ic3_rollup_5m WHERE asset_id = 3 AND tag_code = ANY(%s)"
            " AND bucket_at >= %s", tags, clock.now() + timedelta(minutes=5 * step),
        )  # fmt: skip
    first = clock.now() + timedelta(minutes=5 * FROM)
    await bench.walk(LIVE_STEPS)
    [finding] = [each for each in await bench.found() if each.cause.startswith("gap")]
    assert (finding.cause, finding.tag) == ("gap", None)
    assert abs((finding.since - first).total_seconds()) <= 300
    _, evidence = await bench.findings.one(finding.id, None)
    assert set(evidence["tag_codes"]) == {"PUMP_FLOW", "TEMP", "DIS_PRES", "PUMP_KW"}


async def test_a_feed_that_is_silent_is_nobodys_fault(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    plant.sql("DELETE FROM ic3_rollup_5m WHERE bucket_at >= %s", clock.now())
    await bench.walk(LIVE_STEPS)
    assert await bench.found() == []
    [run] = await bench.analytics.runs(worker="anomaly", limit=1)
    assert run.judged == 0


async def test_a_restart_goes_on_with_the_models_it_had(
    plant: AnalysedPlant, database: Database, clock: Any
) -> None:
    first = Bench(database, clock)
    await first.walk(8)
    states = await first.analytics.states("anomaly")
    assert states
    again = Bench(database, clock)
    await again.walk(1)
    fitted = again.worker._watched
    assert fitted is not None
    assert fitted.groups["station"].fleet.fitted.all()
    assert fitted.groups["station"].fitted_rows.tolist() == [DAYS * STEPS_A_DAY] * 4


async def test_a_false_alarm_is_learned_and_the_audit_log_says_so(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    change(plant, 2, "PUMP_FLOW", "value_sum = value_sum * 0.6", clock)
    change(plant, 2, "PUMP_KW", "value_sum = value_sum * 1.3", clock)
    await bench.walk(LIVE_STEPS - 4)
    [finding] = await bench.found()
    async with database.connection() as connection:
        actor = Actor("asha", "operator", "127.0.0.1")
        await judge(connection, actor, None, finding.id, Verdict.FALSE_ALARM, None, at=clock.now())
    await bench.walk(2)
    rows = plant.sql("SELECT who, what, object FROM audit_log ORDER BY id")
    assert rows[-1] == ("analytics", "model learned", "asset A_Station_2")


async def test_looking_back_opens_no_finding(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    change(plant, 2, "PUMP_FLOW", "value_sum = value_sum * 0.6", clock)
    change(plant, 2, "PUMP_KW", "value_sum = value_sum * 1.3", clock)
    begin = clock.now().replace(minute=40)
    tally = await bench.worker.look_back(
        await register_of(database), begin, begin + timedelta(hours=2), lambda *_: None
    )
    assert (tally.judged, tally.opened) == (4, 1)
    assert await bench.found() == []


async def test_readings_that_jump_and_come_back_are_a_finding_of_their_sensor(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    plant.sql("UPDATE ic3_parameter_master SET range_low = 0, range_high = 10"
              " WHERE param_tag_code = 'DIS_PRES'")  # fmt: skip
    plant.sql("UPDATE ic3_registry_version SET version = version + 1")
    change(plant, 2, "DIS_PRES", "value_max = value_max + 4", clock)
    await bench.walk(LIVE_STEPS)
    [finding] = await bench.found()
    assert (finding.serial_number, finding.cause) == ("A_Station_2", "spikes:DIS_PRES")
    assert "jump and come back" in finding.sentence


async def test_a_sensor_that_left_the_weeks_before_is_a_finding_of_its_sensor(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    plant.sql("UPDATE ic3_parameter_master SET range_low = 0, range_high = 10"
              " WHERE param_tag_code = 'DIS_PRES'")  # fmt: skip
    plant.sql("UPDATE ic3_registry_version SET version = version + 1")
    plant.sql(HOURS, clock.now())
    await bench.walk(2)
    [finding] = await bench.found()
    assert (finding.serial_number, finding.cause) == ("A_Station_3", "drift:DIS_PRES")
    assert "6 bar in the mean of the last days, 5 in the weeks before" in finding.sentence
