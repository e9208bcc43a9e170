"""Faults seeded in the simulated plant are found; what has none stays quiet."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
import pytest
from analysed import COPY_VALUES, register_of

from ic3.domain.envelope import parse
from ic3.domain.figures import Figures
from ic3.domain.findings import FindingFilter, FindingKind
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Reading, Register
from ic3.simulator.faults import Planned
from ic3.simulator.plant import Plant
from ic3.store.analytics import AnalyticsStore
from ic3.store.findings import FindingStore
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.workers.anomaly import Anomaly

LEARNED: Final = 5 * 288
LIVE: Final = 72
FAULTS_AT: Final = LEARNED + 12
DELHI: Final = ZoneInfo("Asia/Kolkata")
WATCHED: Final = (
    "Azadpur_BFM_6", "Azadpur_PT_6", "Dev Nagar_PT_10", "Shadipur_Pump_21", "Munirka_Pump_30",
    "Moti Nagar_BFM_17", "Moti Nagar_PT_17", "Hauz Khas_PT_31", "Lajpat Nagar_BFM_33",
    "Lajpat Nagar_PT_33",
)  # fmt: skip
FAULTS: Final = (
    Planned(kind="burst", where="Azadpur", minutes=600, magnitude=120),
    Planned(kind="freeze", where="Dev Nagar_PT_10:PRESSURE", minutes=600),
    Planned(kind="imbalance", where="Shadipur_Pump_21", minutes=600, magnitude=6),
)


@pytest.fixture
async def register(database: Database) -> Register:
    await RegisterStore(database).import_rows(Plant(1).tables())
    return await register_of(database)


def played(register: Register, begin: datetime) -> Iterator[tuple[int, list[Reading]]]:
    """What the watched assets bring every five minutes, marked as the program marks it."""
    plant, latest = Plant(1), LatestReadings()
    latest.register = register
    places = [plant.serials.index(serial) for serial in WATCHED]
    plant.begin(int(begin.timestamp()))
    for step in range(LEARNED + LIVE):
        if step == FAULTS_AT:
            for fault in FAULTS:
                plant.faults.start(fault, from_s=plant.at_s)
        plant.move(300)
        plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
        now_us = plant.at_s * 1_000_000
        records = [
            parse(plant.serials[at], plant.envelope(at), received_us=now_us, content_hash=b"h")
            for at in places
        ]
        movement = Movement(latest, records, now_us=now_us)
        readings = [each for batch in movement.batches() for each in batch]
        latest.apply(movement.moved, movement.repeated)
        yield step, readings
    plant.close()


def fill(dsn: str, register: Register, begin: datetime) -> None:
    """One reading in each five minutes."""
    with (
        psycopg.connect(dsn, autocommit=True) as connection,
        connection.cursor() as cursor,
        cursor.copy(COPY_VALUES) as copy,
    ):
        for step, readings in played(register, begin):
            at = begin + step * timedelta(minutes=5)
            for each in readings:
                value = each.value_num if each.quality < 2 else None
                used = int(value is not None)
                copy.write_row(
                    (at, each.register_id, each.tag_code, each.param_id, 1, int(each.quality == 0),
                     used, value, value, value, value, at, value, at, 0)
                )  # fmt: skip


async def test_seeded_faults_are_found_and_nothing_else(
    fresh_dsn: str, database: Database, clock: Any, register: Register
) -> None:
    live_from = clock.now().replace(minute=40, second=0)
    begin = live_from - timedelta(minutes=5 * LEARNED)
    fill(fresh_dsn, register, begin)
    findings, latest = FindingStore(database), LatestReadings()
    latest.register = register
    worker = Anomaly(
        values=FiveMinuteStore(database), findings=findings, analytics=AnalyticsStore(database),
        latest=latest, figures=Figures(), zone=DELHI, clock=clock, observe=lambda _: None,
    )  # fmt: skip
    for _ in range(12):
        await worker.step()
        clock.advance(300)
    assert await findings.page(FindingFilter(), limit=10) == []
    for _ in range(LIVE - 13):
        await worker.step()
        clock.advance(300)
    found = await findings.page(FindingFilter(), limit=20)
    of = {(each.serial_number, each.kind) for each in found}
    assert ("Dev Nagar_PT_10", FindingKind.SENSOR) in of
    assert ("Shadipur_Pump_21", FindingKind.PROCESS) in of or (
        "Shadipur_Pump_21", FindingKind.SENSOR
    ) in of  # fmt: skip
    assert {serial for serial, _ in of} & {"Azadpur_BFM_6", "Azadpur_PT_6"}
    faulty = {"Dev Nagar_PT_10", "Shadipur_Pump_21", "Azadpur_BFM_6", "Azadpur_PT_6"}
    assert {serial for serial, _ in of} <= faulty
    began = datetime.fromtimestamp(begin.timestamp() + 300 * FAULTS_AT, UTC)
    assert all(each.opened_at >= began for each in found)
