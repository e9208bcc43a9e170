"""The default rules on the simulated plant: quiet without faults, few and right alarms with."""

import pytest
from alarming import Control

from ic3.domain.alarm_defaults import DEFAULT_RULES
from ic3.domain.alarm_rules import check_rules
from ic3.domain.alarms import Alarm, What
from ic3.domain.envelope import parse
from ic3.domain.latest import Movement
from ic3.domain.mapping import Parameter, Register, RegisteredAsset
from ic3.simulator.faults import Planned
from ic3.simulator.plant import Plant
from ic3.turns import at_once

AT_S = 1_781_487_000 // 300 * 300


def register_of(plant: Plant) -> Register:
    """What the register holds once the plant's tables are imported."""
    tables = plant.tables()
    parameters = {
        str(row["param_tag_code"]): Parameter(
            number, str(row["parameter_name"]), str(row["param_tag_code"]),
            row["unit"], kind=row["kind"],  # type: ignore[arg-type]
            range_low=_limit(row["range_low"], -1), range_high=_limit(row["range_high"], 1),
        )
        for number, row in enumerate(tables["parameters"], 1)
    }  # fmt: skip
    mapped: dict[str, dict[str, Parameter]] = {}
    for row in tables["tagmap"]:
        tags = mapped.setdefault(str(row["serialnumber"]), {})
        tags[str(row["tag_code"])] = parameters[str(row["param_tag_code"])]
    assets = {
        str(row["serialnumber"]): RegisteredAsset(
            number, str(row["serialnumber"]), mapped.get(str(row["serialnumber"]), {}),
            domain=row["domain"], category=row["category"], dma_id=row["dma_id"],  # type: ignore[arg-type]
        )
        for number, row in enumerate(tables["register"], 1)
    }  # fmt: skip
    return Register(1, assets, {each.param_id: each for each in parameters.values()})


def _limit(cell: object, side: int) -> float:
    return float(cell) if isinstance(cell, int | float) else side * float("inf")


class Night:
    """A plant, watched as the program does it, on the plant's own clock."""

    def __init__(self, plant: Plant, *, interval_s: float = 15.0, maps: bool = True) -> None:
        self.plant = plant
        self.maps = maps
        self.interval_s = interval_s
        self.control = Control(*DEFAULT_RULES, known=register_of(plant), interval_s=interval_s)
        self.control.clock.wall_us = plant.at_s * 1_000_000

    def play(self, kind: str, where: str, **more: float) -> None:
        """Begin a fault now."""
        self.plant.faults.start(Planned(kind=kind, where=where, **more), from_s=self.plant.at_s)

    def watch(self, minutes: float) -> None:
        """Let sweep after sweep be judged, and every delay end that can."""
        for _ in range(round(minutes * 60 / self.interval_s)):
            plant, control = self.plant, self.control
            plant.move(int(self.interval_s))
            plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
            control.clock.wait(self.interval_s - 1)
            at_once(control.worker.judging(swept=False))
            control.clock.wait(1)
            records = [
                parse(serial, text, received_us=control.clock.wall_us, content_hash=b"h")
                for serial, text in plant.fresh()
            ]
            if self.maps:
                mapped = Movement(control.latest, records, now_us=control.clock.wall_us)
                for _ in mapped.batches():
                    pass
                control.latest.apply(mapped.moved, mapped.repeated)
            control.sweep(*records)

    @property
    def raised(self) -> list[Alarm]:
        """Every alarm that was raised, again ones included, in order."""
        return [each.alarm for each in self.control.heard if each.what is What.NEW]

    @property
    def names(self) -> set[tuple[str, str]]:
        """Source and condition of all that was raised."""
        return {(each.source, each.condition) for each in self.raised}


@pytest.fixture
def night(plant: Plant) -> Night:
    return Night(plant)


def test_default_rules_can_be_used() -> None:
    assert check_rules(DEFAULT_RULES) == []
    assert [each.rule_id for each in DEFAULT_RULES] == list(range(1, len(DEFAULT_RULES) + 1))


def test_day_without_faults_is_quiet(plant: Plant) -> None:
    night = Night(plant, interval_s=600.0, maps=False)  # what repeats is counted in records
    night.watch(24 * 60)
    assert [(each.source, each.text) for each in night.raised] == []


def test_twenty_minutes_at_the_pace_of_the_feed_are_quiet(plant: Plant) -> None:
    plant.run_to(AT_S + int(1.5 * 3600))
    night = Night(plant)
    night.watch(20)
    assert [(each.source, each.text) for each in night.raised] == []


def test_burst_is_few_alarms_of_its_dma_worst_first(night: Night) -> None:
    night.watch(1)
    night.play("burst", "Azadpur", magnitude=120, minutes=5)
    night.watch(3)
    (alarm,) = night.control.alarms.open
    assert (alarm.source, alarm.condition) == ("Azadpur_BFM_6", "FLOW_RATE.rate")
    assert (alarm.dma_id, alarm.priority) == ("DEL-D03-A2", 2)
    night.watch(12)
    assert len(night.raised) <= 5


def test_unbalanced_pump_is_one_alarm_that_does_not_flicker(night: Night) -> None:
    night.play("imbalance", "Shadipur_Pump_21", magnitude=5, minutes=40)
    night.watch(25)
    assert len(night.raised) <= 2
    assert night.names <= {
        ("Shadipur_Pump_21", "VIB_DE.high"), ("Shadipur_Pump_21", "VIB_NDE.high")
    }  # fmt: skip
    assert night.control.alarms.open[0].condition == "VIB_DE.high"


def test_power_failure_is_told_by_the_plants_own_words(night: Night) -> None:
    night.play("power_failure", "Defence Colony BPS", minutes=4)
    night.watch(2)
    assert ("Defence Colony_Trans_17", "source.low_low") in night.names
    assert {each.source.partition("_")[0] for each in night.raised} == {"Defence Colony"}
    assert len(night.raised) <= 11
    night.watch(5)
    assert [each.active for each in night.control.alarms.open].count(True) == 0


def test_wrong_clock_is_told_and_ends(night: Night) -> None:
    night.watch(1)
    night.play("wrong_clock", "Janakpuri_CL2_21", minutes=4)
    night.watch(3)
    assert night.names == {("Janakpuri_CL2_21", "clock")}
    night.watch(3)
    assert [each.active for each in night.control.alarms.open] == [False]


def test_shut_inlet_of_a_dma_that_is_always_fed_is_told(night: Night) -> None:
    night.play("valve_closed", "Azadpur_SV_3", minutes=10)
    night.watch(3)
    assert ("Azadpur_PT_6", "source.low_low") in night.names
    assert len(night.raised) <= 5


def test_silent_and_bad_instruments_are_told(night: Night) -> None:
    night.watch(2)
    night.play("gap", "Dev Nagar_PT_10", minutes=10)
    night.play("bad_quality", "Azadpur_PT_6", minutes=10)
    night.watch(6)
    assert night.names == {("Dev Nagar_PT_10", "stale"), ("Azadpur_PT_6", "quality")}


def test_frozen_instrument_is_told_and_ends(night: Night) -> None:
    night.watch(8)
    night.play("freeze", "Dev Nagar_PT_10:PRESSURE", minutes=10)
    night.watch(10)
    assert night.names == {("Dev Nagar_PT_10", "quality")}
    assert night.raised[0].text == "Pressure repeats 2.496 bar for longer than usual"
    night.watch(7)
    assert [each.active for each in night.control.alarms.open] == [False]


def test_outage_of_the_gateway_is_one_alarm(night: Night) -> None:
    night.watch(2)
    for _ in range(40):
        night.control.clock.wait(15)
        night.control.sweep(error="gateway: 503")
    assert night.names == {("gateway", "unreachable")}
    night.watch(1)
    assert [each.active for each in night.control.alarms.open] == [False]
