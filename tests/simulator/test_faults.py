"""Each fault shows in the values it should, and in the ground truth."""

import pytest
from looking import step, sweep, value

from ic3.simulator import scenarios
from ic3.simulator.faults import KINDS, Event, FaultError, Planned
from ic3.simulator.plant import Plant

DMA = "Azadpur"
METER, POINT = "Azadpur_BFM_6", "Azadpur_PT_6"


def begin(plant: Plant, kind: str, where: str, **more: float) -> Event:
    return plant.faults.start(Planned(kind=kind, where=where, **more), from_s=plant.at_s)


def pair(kind: str, where: str, seconds: int = 900, **more: float) -> tuple[Plant, Plant]:
    """The same plant after so long, without and with a fault."""
    plants = []
    for faulty in (False, True):
        plant = Plant()
        plant.begin(1_781_487_000 // 300 * 300)
        if faulty:
            begin(plant, kind, where, **more)
        plant.run_to(plant.at_s + seconds)
        step(plant)
        plants.append(plant)
    return plants[0], plants[1]


def test_burst_raises_the_inflow_and_lowers_the_pressure_there_and_nowhere_else() -> None:
    sound, burst = pair("burst", DMA, magnitude=120)
    assert value(burst, METER, "FLOW_RATE") > value(sound, METER, "FLOW_RATE") + 60
    assert value(burst, POINT, "PRESSURE") < value(sound, POINT, "PRESSURE") - 0.05
    other = "Karol Bagh_BFM_9"
    assert value(burst, other, "FLOW_RATE") == pytest.approx(
        value(sound, other, "FLOW_RATE"), rel=0.02
    )
    number = next(dma.number for dma in burst.network.dmas if dma.name == DMA)
    extra = burst.dma_leakage_m3_h()[number] - sound.dma_leakage_m3_h()[number]
    assert 60 < extra < 125


def test_leak_follows_the_pressure_with_an_exponent_of_favad(plant: Plant) -> None:
    event = begin(plant, "burst", DMA, magnitude=60)
    plant.move(15)
    dma = next(dma for dma in plant.network.dmas if dma.name == DMA)
    pipe = plant.leaking_pipe(event)
    assert pipe in dma.pipes
    flow = plant.dma_leakage_m3_h()[dma.number]
    background = 60 * 0.2
    assert flow == pytest.approx(60 + background, rel=0.35)


def test_leak_grows(plant: Plant) -> None:
    event = begin(plant, "leak", DMA, magnitude=40, minutes=100)
    levels = [event.level(plant.at_s + 60 * minute) for minute in (0, 40, 80, 99)]
    assert levels == pytest.approx([0, 20, 40, 40])


def test_worn_pump_shows_in_head_and_efficiency() -> None:
    sound = Plant()
    sound.begin(1_781_487_000 // 300 * 300)
    found = step(sound)
    serial = next(s for s, e in found.items() if "_Pump_" in s and e["values"].get("PUMP_STS")
                  and "PUMP_KW" in e["values"] and "Munirka" in s)  # fmt: skip
    sound.close()
    sound, worn = pair("worn_pump", serial, seconds=1200, magnitude=15, minutes=30)
    assert value(sound, serial, "PUMP_STS") == value(worn, serial, "PUMP_STS") == 1

    def head(plant: Plant) -> float:
        return float(value(plant, serial, "DIS_PRES") - value(plant, serial, "SUC_PRES"))

    def specific(plant: Plant) -> float:
        return float(value(plant, serial, "PUMP_KW") / max(value(plant, serial, "PUMP_FLOW"), 1))

    assert value(worn, serial, "PUMP_FLOW") < 0.9 * value(sound, serial, "PUMP_FLOW")
    assert specific(worn) / head(worn) > 1.05 * specific(sound) / head(sound)


@pytest.mark.parametrize(
    ("kind", "tag", "more"), [("imbalance", "VIB_DE", 2.0), ("rough_bearing", "BRG_TEMP", 8.0)]
)
def test_machine_fault_shows_on_its_machine(kind: str, tag: str, more: float) -> None:
    sound = Plant()
    sound.begin(1_781_487_000 // 300 * 300)
    found = step(sound)
    serial = next(s for s, e in found.items() if e["values"].get("PUMP_STS") and tag in e["values"])
    sound.close()
    sound, faulty = pair(kind, serial, seconds=3600, minutes=70)
    assert value(faulty, serial, tag) > value(sound, serial, tag) + more


def test_power_failure_stops_the_station_and_its_panels() -> None:
    sound, dark = pair("power_failure", "Shadipur BPS", seconds=300)
    pumps = [f"Shadipur_Pump_{number}" for number in range(21, 25)]
    assert any(value(sound, each, "PUMP_STS") for each in pumps)
    assert not any(value(dark, each, "PUMP_STS") for each in pumps)
    panel = next(
        s.serial for s in dark.assets if s.kind.infix == "LT Panel" and s.place.of == "Z3P1"
    )
    assert value(dark, panel, "VOLT_R") == 0
    assert "LOW_LOW" in dark.envelope(dark.serials.index(panel))
    assert value(dark, "Shadipur_BFM_52", "FLOW_RATE") < 5


def test_valve_closed_leaves_its_district_dry() -> None:
    sound, shut = pair("valve_closed", "Azadpur_SV_3", seconds=300)
    assert value(sound, METER, "FLOW_RATE") > 20
    assert value(shut, METER, "FLOW_RATE") < 1
    assert value(shut, POINT, "PRESSURE") < 0.3
    assert value(shut, "Azadpur_SV_3", "VLV_MAN_STS") < 1


def test_valve_closed_inside_a_district_is_felt_by_few(plant: Plant) -> None:
    begin(plant, "valve_closed", "Azadpur_SV_43")
    step(plant)
    assert value(plant, "Azadpur_SV_43", "VLV_MAN_STS") < 1
    assert value(plant, METER, "FLOW_RATE") > 20


def test_inlet_stuck_open_feeds_its_district_out_of_turn(plant: Plant) -> None:
    dma = next(each for each in plant.network.dmas if each.windows)
    inlet = next(each.serial for each in plant.assets
                 if each.kind.infix == "SV" and each.place.of == dma.inlet.name)  # fmt: skip
    meter = next(each.serial for each in plant.assets
                 if each.kind.infix == "BFM" and each.place.of == dma.inlet.name)  # fmt: skip
    while plant.controls.turns(plant.at_s)[dma.number]:
        step(plant, 900)
    step(plant)
    assert value(plant, meter, "FLOW_RATE") < 1
    begin(plant, "valve_stuck_open", inlet)
    step(plant)
    assert value(plant, meter, "FLOW_RATE") > 5


def test_bias_and_drift_shift_the_reading_by_a_share_of_the_range(plant: Plant) -> None:
    tag = f"{POINT}:PRESSURE"
    step(plant)
    before = value(plant, POINT, "PRESSURE")
    begin(plant, "bias", tag, magnitude=10)
    plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
    assert value(plant, POINT, "PRESSURE") == pytest.approx(before + 1.0, abs=0.002)
    begin(plant, "drift", tag, magnitude=10, minutes=100)
    later_s = plant.at_s + 3000
    plant.read(at_ns=later_s * 10**9, tick=later_s // 15)
    assert value(plant, POINT, "PRESSURE") == pytest.approx(before + 1.5, abs=0.05)


def test_frozen_instrument_repeats_itself(plant: Plant) -> None:
    begin(plant, "freeze", f"{POINT}:PRESSURE")
    readings = {step(plant)[POINT]["values"]["PRESSURE"] for _ in range(6)}
    assert len(readings) == 1


def test_spikes_are_few_and_large(plant: Plant) -> None:
    begin(plant, "spike", f"{POINT}:PRESSURE", magnitude=20)
    readings = [step(plant)[POINT]["values"]["PRESSURE"] for _ in range(80)]
    usual = sorted(readings)[40]
    spikes = [each for each in readings if abs(each - usual) > 1.5]
    assert 4 <= len(spikes) <= 32


def test_silent_asset_sends_nothing_new_and_comes_back(plant: Plant) -> None:
    before = step(plant)[POINT]
    event = begin(plant, "gap", POINT)
    assert step(plant)[POINT] == before == step(plant)[POINT]
    assert POINT not in dict(plant.fresh())
    plant.faults.end(event.number, at_s=plant.at_s)
    assert step(plant)[POINT]["record_id"] != before["record_id"]
    assert POINT in dict(plant.fresh())


def test_gap_of_a_tag_is_null(plant: Plant) -> None:
    begin(plant, "gap", f"{METER}:TOTALISER")
    values = step(plant)[METER]["values"]
    assert values["TOTALISER"] is None
    assert values["PIPE_STS"] == "FULL"


def test_text_value_is_a_word_where_a_number_belongs(plant: Plant) -> None:
    begin(plant, "text_value", f"{POINT}:PRESSURE")
    values = step(plant)[POINT]["values"]
    assert values["PRESSURE"] == "ERR"
    assert isinstance(values["BATT_V"], float)


def test_wrong_clock_is_ahead(plant: Plant) -> None:
    right = step(plant)[POINT]["occurred_at"]
    begin(plant, "wrong_clock", POINT, magnitude=3600)
    plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
    wrong = sweep(plant)[POINT]["occurred_at"]
    assert wrong[11:13] != right[11:13]
    assert wrong[14:] == right[14:]


def test_bad_quality_is_said(plant: Plant) -> None:
    begin(plant, "bad_quality", POINT)
    assert step(plant)[POINT]["quality"] == "BAD"


def test_prv_drift_raises_the_pressure_behind_it() -> None:
    sound, drifted = pair("prv_drift", DMA, seconds=900, magnitude=6, minutes=20)
    assert value(drifted, POINT, "PRESSURE") > value(sound, POINT, "PRESSURE") + 0.2


def test_truth_holds_events_and_what_an_ideal_instrument_would_show(plant: Plant) -> None:
    event = begin(plant, "bias", f"{POINT}:PRESSURE", magnitude=10)
    step(plant)
    truth = plant.truth()
    assert truth["events"] == [event]
    true = truth["true"]
    assert isinstance(true, dict)
    assert value(plant, POINT, "PRESSURE") == pytest.approx(true[f"{POINT}:PRESSURE"] + 1, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "where", "says"),
    [
        ("leek", DMA, "no fault 'leek'; for example leak"),
        ("leak", "Azadpurr", "no dma 'Azadpurr'; for example Azadpur"),
        ("freeze", f"{POINT}:PRES", "has no tag 'PRES'; it has PRESSURE, BATT_V"),
        ("freeze", "Nobody", "no instrument 'Nobody'"),
        ("valve_stuck_open", "Azadpur_SV_3", "no inlet valve 'Azadpur_SV_3'"),
        ("power_failure", "gateway", "no station 'gateway'"),
    ],
)
def test_fault_that_cannot_be_says_what_can(
    settled: Plant, kind: str, where: str, says: str
) -> None:
    with pytest.raises(FaultError, match=says):
        settled.faults.start(Planned(kind=kind, where=where), from_s=0)


def test_fault_that_never_was_cannot_be_ended(settled: Plant) -> None:
    with pytest.raises(FaultError, match="no fault 7 goes on"):
        settled.faults.end(7, at_s=0)


def test_every_line_of_the_timetables_can_be_played() -> None:
    plant = Plant()
    scenarios.plan(plant.faults, "demo", from_s=1000)
    first = [event for event in plant.faults.events if event.begins_s < 1000 + 300]
    assert {event.kind for event in first} >= {"burst", "freeze"}
    assert plant.faults.active(1000 + 150)
    scenarios.plan(plant.faults, "history", from_s=1e9)
    assert {event.kind for event in plant.faults.events} <= KINDS.keys()
    history = [event for event in plant.faults.events if event.by == "scenario"]
    assert all(event.ends_s < 1e9 - 86_400 for event in history)
