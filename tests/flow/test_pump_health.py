"""The pump health worker over stored readings: wear, signs, quiet pumps, restarts."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from analysed import STEPS_A_DAY, AnalysedPlant, register_of

from ic3.clock import Clock
from ic3.domain.figures import PUMP_HEALTH, Figures
from ic3.domain.findings import Finding, FindingFilter
from ic3.domain.latest import LatestReadings
from ic3.store.analytics import AnalyticsStore
from ic3.store.findings import FindingStore
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.pool import Database
from ic3.store.pump_health import DEFAULT_CLASS, PumpStore
from ic3.workers.pump_health import POOR_DUTY_ROUNDS, PumpHealth

DAYS = 30
WORN_FROM = 20
MORE_STEPS = 86  # up to 01:40 UTC
TAGS = ("PUMP_STS", "PUMP_FLOW", "SUC_PRES", "DIS_PRES", "PUMP_KW", "PUMP_SPEED", "VIB_DE")
DELHI = ZoneInfo("Asia/Kolkata")
WORN, SOUND, SMALL = 1, 2, 3


def running(seed: int, *, worn_from: int | None) -> dict[str, np.ndarray[Any, Any]]:
    """Five-minute values of a pump that loses 8 % of its head from a day on."""
    random = np.random.default_rng(seed)
    steps = DAYS * STEPS_A_DAY + MORE_STEPS
    day = np.arange(steps) / STEPS_A_DAY
    flow = 90 + 10 * np.sin(2 * np.pi * day) + random.normal(0, 0.4, steps)
    factor = np.where(day < (worn_from or np.inf), 1.0, 0.92)
    head = (60 - 0.0015 * flow**2) * factor * (1 + random.normal(0, 0.003, steps))
    return {
        "PUMP_STS": np.ones(steps), "PUMP_FLOW": flow, "SUC_PRES": np.full(steps, 0.5),
        "DIS_PRES": 0.5 + head / 10.2, "PUMP_SPEED": np.full(steps, 1480.0),
        "PUMP_KW": flow * head / 367 / 0.7 * (1 + random.normal(0, 0.005, steps)),
        "VIB_DE": 1.8 + random.normal(0, 0.05, steps),
    }  # fmt: skip


@pytest.fixture
def plant(fresh_dsn: str, clock: Clock) -> Iterator[AnalysedPlant]:
    plant = AnalysedPlant(fresh_dsn)
    begin = clock.now().replace(hour=18, minute=30) - timedelta(days=DAYS + 1)
    plant.asset(WORN, "A_Pump_1", "pump", *TAGS, rating="45 kW")
    plant.asset(SOUND, "A_Pump_2", "pump", *TAGS, rating="45 kW")
    plant.asset(SMALL, "A_Small Pump_3", "pump", "PUMP_STS", "PUMP_CURR")
    plant.put(WORN, begin, running(1, worn_from=WORN_FROM))
    plant.put(SOUND, begin, running(2, worn_from=None))
    yield plant
    plant.close()


class Bench:
    """The worker and what it is made of."""

    def __init__(self, database: Database, clock: Any) -> None:
        self.findings = FindingStore(database)
        self.store = PumpStore(database)
        self.analytics = AnalyticsStore(database)
        self.latest, self.figures = LatestReadings(), Figures()
        self.clock = clock
        self.worker = PumpHealth(
            values=FiveMinuteStore(database), store=self.store, findings=self.findings,
            analytics=self.analytics, latest=self.latest, figures=self.figures, zone=DELHI,
            clock=clock, observe=lambda _: None,
        )  # fmt: skip
        self._database = database

    async def step(self) -> None:
        self.latest.register = await register_of(self._database)
        await self.worker.step()


async def walk(bench: Bench, rounds: int) -> None:
    for _ in range(rounds):
        await bench.step()
        bench.clock.advance(300)


async def found_of(bench: Bench, serial: str) -> list[Finding]:
    return await bench.findings.page(FindingFilter(serial=serial), limit=10)


async def test_wear_is_found_with_its_begin_and_a_sound_pump_stays_quiet(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    await bench.step()
    found = await bench.findings.page(FindingFilter(), limit=10)
    assert {(each.serial_number, each.cause) for each in found} == {("A_Pump_1", "pump:head")}
    begin = date(2026, 6, 15) - timedelta(days=DAYS - WORN_FROM)
    assert abs((found[0].since.astimezone(DELHI).date() - begin).days) <= 3
    worn = await bench.store.one(None, "A_Pump_1", now=clock.now())
    assert worn.figures.trend.wear[0].loss_percent == pytest.approx(8.0, abs=1.0)
    assert worn.figures.health is not None
    sound = await bench.store.one(None, "A_Pump_2", now=clock.now())
    assert sound.figures.health == pytest.approx(100.0, abs=8.0)
    assert sound.figures.trend.life.median_days is None
    assert "not computed" in sound.figures.trend.life.reason
    days = await bench.store.days(
        WORN, from_day=date(2026, 1, 1), before=date(2027, 1, 1), limit=100
    )
    assert len(days) == DAYS
    assert days[0].head_percent == pytest.approx(-8.0, abs=1.0)
    assert days[0].known_h == pytest.approx(23.92, abs=0.1)
    assert days[0].starts == 0
    [run] = await bench.analytics.runs(worker="pump-health", limit=5)
    assert (run.judged, run.reasons, run.error_msg) == (
        2, {"no readings in the last two hours": 1}, None
    )  # fmt: skip
    [subject] = [each for each in bench.figures.all() if each.name == "A_Pump_1"]
    assert bench.figures.all()[subject][PUMP_HEALTH] < 100


async def test_a_duty_far_from_the_best_point_is_told_once_it_has_lasted_for_hours(
    plant: AnalysedPlant, database: Database, clock: Any
) -> None:
    plant.sql(
        "INSERT INTO ic3_pump_plate (asset_id, version, plate, vibration_class, changed_at,"
        " changed_by)"
        " VALUES (%s, 1, '{\"best_flow_m3_h\": 400}', %s, now(), 'asha')",
        SOUND,
        DEFAULT_CLASS,
    )
    more = {name: values[:84] for name, values in running(2, worn_from=None).items()}
    plant.put(SOUND, clock.now().replace(minute=40), more)
    bench = Bench(database, clock)
    await walk(bench, POOR_DUTY_ROUNDS - 1)
    assert "pump:operating region" not in {each.cause for each in await found_of(bench, "A_Pump_2")}
    await walk(bench, 1)
    [duty] = await found_of(bench, "A_Pump_2")
    assert duty.cause == "pump:operating region"


async def test_a_restart_loses_nothing_and_judges_no_day_twice(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    first = Bench(database, clock)
    await first.step()
    states = await first.analytics.states("pump-health")
    again = Bench(database, clock)
    await again.step()
    assert await again.analytics.states("pump-health") == states
    one, other = [
        (await each.store.one(None, "A_Pump_1", now=clock.now())).figures.trend
        for each in (first, again)
    ]
    assert one == other
    assert len(await again.findings.page(FindingFilter(), limit=10)) == 1


async def test_looking_back_opens_no_finding(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    told: list[int] = []
    tally = await bench.worker.look_back(
        await register_of(database), clock.now() - timedelta(days=DAYS + 1), clock.now(),
        lambda done, _total, _at: told.append(done),
    )  # fmt: skip
    assert tally.opened == 1
    assert await bench.findings.page(FindingFilter(), limit=10) == []
    assert told == list(range(1, len(told) + 1))
