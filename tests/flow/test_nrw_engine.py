"""The NRW engine over stored readings: leak, burst, dry night, restart, quiet district."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from analysed import STEPS_A_DAY, AnalysedPlant, register_of

from ic3.clock import Clock
from ic3.domain.figures import BURST, LEAK, Figures
from ic3.domain.findings import FindingFilter, FindingKind
from ic3.domain.latest import LatestReadings
from ic3.store.analytics import AnalyticsStore
from ic3.store.dma import DmaStore
from ic3.store.findings import FindingStore
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.network import NetworkStore
from ic3.store.nrw import NrwStore
from ic3.store.pool import Database
from ic3.workers.nrw import Nrw

DELHI = ZoneInfo("Asia/Kolkata")
DAYS = 30
MORE_STEPS = 86  # up to 01:40 UTC
LEAKING, BURSTING, QUIET, DRY = 1, 2, 3, 4
AREAS = """
INSERT INTO ic3_dma (dma_id, name, domain, connections, population, mains_km, supply_hours,
    billed_m3_d)
SELECT 'DMA-' || n, 'Area ' || n, 'DEL-D01', 4000, 20000, 50, CASE n WHEN 4 THEN 4 ELSE 24 END, 1800
FROM generate_series(1, 4) n
"""


def inflow(seed: int, *, leak_from: float = np.inf, leak: float = 0.0) -> np.ndarray[Any, Any]:
    """Five-minute inflow in m3/h with a day's pattern, and a leak from a day on."""
    random = np.random.default_rng(seed)
    steps = DAYS * STEPS_A_DAY + MORE_STEPS
    day = np.arange(steps) / STEPS_A_DAY
    use = 100 + 30 * np.sin(2 * np.pi * (day - 0.25)) + random.normal(0, 1.5, steps)
    return np.where(day >= leak_from, use + leak, use)


@pytest.fixture
def plant(fresh_dsn: str, clock: Clock) -> Iterator[AnalysedPlant]:
    plant = AnalysedPlant(fresh_dsn)
    plant.sql(AREAS)
    begin = clock.now().replace(hour=18, minute=30) - timedelta(days=DAYS + 1)
    flows = {
        LEAKING: inflow(1, leak_from=24.0, leak=15.0), BURSTING: inflow(2, leak_from=29.9, leak=60),
        QUIET: inflow(3), DRY: inflow(4),
    }  # fmt: skip
    for number, flow in flows.items():
        dma_id = f"DMA-{number}"
        plant.asset(number, f"A_BFM_{number}", "bulk flow meter", "FLOW_RATE", dma_id=dma_id)
        plant.asset(number + 10, f"A_PT_{number}", "pressure transmitter", "PRESSURE",
                    dma_id=dma_id)  # fmt: skip
        plant.put(number, begin, {"FLOW_RATE": flow})
        hour = np.arange(len(flow)) % STEPS_A_DAY / 12
        # Supplied from six to ten, not at night.
        wet = np.where((hour >= 6) & (hour < 10), 2.0, 0.0) if number == DRY else 2.5
        plant.put(number + 10, begin, {"PRESSURE": np.broadcast_to(wet, flow.shape)})
    yield plant
    plant.close()


class Bench:
    """The worker and what it is made of."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.findings, self.store = FindingStore(database), NrwStore(database)
        self.analytics, self.figures = AnalyticsStore(database), Figures()
        self.latest, self._database, self.clock = LatestReadings(), database, clock
        self.worker = Nrw(
            values=FiveMinuteStore(database), definitions=DmaStore(database), store=self.store,
            networks=NetworkStore(database), water_value_per_m3=20.0,
            findings=self.findings, analytics=self.analytics, latest=self.latest,
            figures=self.figures, zone=DELHI, clock=clock, observe=lambda _: None,
        )  # fmt: skip

    async def step(self) -> None:
        self.latest.register = await register_of(self._database)
        await self.worker.step()


async def test_a_leak_and_a_burst_are_found_and_a_quiet_district_stays_quiet(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    await bench.step()
    found = await bench.findings.page(FindingFilter(), limit=10)
    assert {each.dma_id for each in found} == {"DMA-1", "DMA-2"}
    leak = next(each for each in found if each.kind is FindingKind.LEAK)
    assert leak.dma_id == "DMA-1"
    assert abs((leak.since - (clock.now() - timedelta(days=6.3))).days) <= 2
    assert "likely a leak" in leak.sentence
    burst = next(each for each in found if each.dma_id == "DMA-2")
    assert burst.kind is FindingKind.BURST
    _, evidence = await bench.findings.one(burst.id, None)
    assert evidence["area"]["reason"].startswith("no pipes of this district")
    figures = {each.name: values for each, values in bench.figures.all().items()}
    assert figures["DMA-2"][BURST] >= 0.9
    assert figures["DMA-1"][LEAK] >= 0.9
    assert figures["DMA-3"][LEAK] < 0.5
    districts = {
        each.figures.dma_id: each.figures
        for each in await bench.store.page(None, now=clock.now(), limit=10)
    }
    assert districts["DMA-1"].leak.loss_m3_h == pytest.approx(15, abs=4)
    assert districts["DMA-2"].leak.area is not None
    assert districts["DMA-3"].leak.area is None
    assert districts["DMA-1"].leak.loss_value_a_day == pytest.approx(15 * 24 * 20, rel=0.3)
    assert districts["DMA-3"].nrw_percent.value == pytest.approx(25, abs=2)


async def test_a_night_without_pressure_is_refused_with_its_reason(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    await bench.step()
    [dry] = await bench.store.page(None, now=clock.now(), limit=1, dma_id="DMA-4")
    assert dry.figures.night_flow.value is None
    assert "pressure below 7 m from 02:00 to 04:00" in dry.figures.night_flow.reason
    assert dry.figures.supply_hours_a_day == pytest.approx(4.0, abs=0.2)
    assert dry.figures.leak.leak_probability is None
    assert dry.figures.leak.burst_reason.startswith("supply by turns")


async def test_a_restart_goes_on_where_it_was_and_days_are_kept_once(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    first = Bench(database, clock)
    await first.step()
    states = await first.analytics.states("nrw")
    again = Bench(database, clock)
    await again.step()
    assert await again.analytics.states("nrw") == states
    told = {each.name: values for each, values in again.figures.all().items()}
    assert told["DMA-1"][LEAK] >= 0.9
    await again.step()
    assert len(await again.analytics.runs(worker="nrw", limit=9)) == 2
    days = await again.store.days(
        None, "DMA-3", from_day=date(2026, 1, 1), before=date(2027, 1, 1), limit=100
    )
    assert len(days) == DAYS


async def test_looking_back_opens_no_finding(
    plant: AnalysedPlant, database: Database, clock: Clock
) -> None:
    bench = Bench(database, clock)
    begin = clock.now() - timedelta(days=DAYS)
    tally = await bench.worker.look_back(
        await register_of(database), begin, clock.now(), lambda *_: None
    )
    # The leak shows in the night and in the hours.
    assert (tally.judged, tally.opened) == (4, 3)
    assert await bench.findings.page(FindingFilter(), limit=10) == []
