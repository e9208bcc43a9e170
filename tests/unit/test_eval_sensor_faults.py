"""Sensor faults are scored by what was found of them, and the plant is read as the program does."""

import numpy as np
import pytest

from ic3.analytics.asset_watch import Watched
from ic3.evaluation.sensor_faults import Outcome, Seeded, scores, waits
from ic3.evaluation.watched_plant import Feed, register_of
from ic3.simulator.faults import Planned
from ic3.simulator.plant import Plant

QUICK = Outcome(
    faults=[
        Seeded("freeze", "A", "P", 0.0, 12.0), Seeded("freeze", "B", "P", 0.0),
        Seeded("spike", "C", "P", 0.0, 15.0), Seeded("gap", "D", "", 0.0, 30.0),
    ],
    false=["E gap:P"], channels=40, days=2.5,
)  # fmt: skip
SLOW = Outcome(
    faults=[Seeded("drift", "F", "P", 0.0, 4320.0)], false=[], channels=40, days=7.5
)  # fmt: skip
PRESSURE = "Dev Nagar_PT_10"


def test_each_kind_has_its_share_and_false_findings_their_rate() -> None:
    found = {each.figure: each for each in scores([QUICK, SLOW])}
    assert found["freezes found"].value == 0.5
    assert found["freezes found"].met is False
    assert "missed: B P" in found["freezes found"].note
    assert found["gaps found"].value == 1.0
    assert found["drifts of 5 % of range within 7 d found"].met
    assert found["false findings in 100 sensor-days"].value == pytest.approx(0.25)


def test_the_figure_shows_minutes_and_days() -> None:
    shown = {each.title: (each.unit, list(each.after), each.total) for each in waits([QUICK, SLOW])}
    assert shown["freezes"] == ("min", [12.0], 2)
    assert shown["drifts of 5 % of range within 7 d"] == ("d", [3.0], 1)


@pytest.mark.timeout(120)
def test_readings_of_the_plant_are_marked_and_gathered_as_in_the_database() -> None:
    pytest.importorskip("epanet_plus")
    plant = Plant(1)
    register = register_of(plant, [PRESSURE])
    plant.begin(1_781_461_800)
    feed = Feed(plant, register, Watched(register))
    place = feed.watched.channels.index((register.assets[PRESSURE].register_id, "PRESSURE"))
    feed.five_minutes(15)
    plant.faults.start(
        Planned(kind="spike", where=f"{PRESSURE}:PRESSURE", minutes=60, magnitude=20),
        from_s=plant.at_s,
    )
    feed.five_minutes(15)
    plant.faults.start(Planned(kind="gap", where=f"{PRESSURE}:PRESSURE"), from_s=plant.at_s)
    feed.five_minutes(15)
    read = feed.read()
    assert read.rows[place].tolist() == [20, 20, 20]
    assert read.good[place, 0] == 20
    assert read.good[place, 2] == 0
    assert read.beyond[place, 0] < 0.1
    assert read.beyond[place, 1] > 2.0
    assert np.isfinite(read.values[place]).tolist() == [True, True, False]
    assert feed.reason_of(PRESSURE, "PRESSURE") == "no_value"
    plant.close()
