import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from looking import step, sweep

from ic3.simulator.assets import EXAMPLES
from ic3.simulator.plant import Plant
from ic3.simulator.tags import TAGS

AT_S = 1_781_487_000 // 300 * 300
VALVE = "Patel Road_Baljeet Nagar_SV_92"
PANEL = "C Block Ranjeet Nagar_LT Panel_19"
SEEDS = pytest.mark.parametrize("seed", [1, 7])


@SEEDS
def test_totals_are_those_of_the_contract(seed: int) -> None:
    plant = Plant(seed)
    tables = plant.tables()
    sizes = {each.serial: len(each.tags) for each in plant.assets}
    registered = {str(row["serialnumber"]) for row in tables["register"]}
    matched = registered & sizes.keys()
    assert len(plant.serials) == len(sizes) == 557
    assert sum(sizes.values()) == 2918
    assert len(registered) == len(tables["register"]) == 2957
    assert len(matched) == 541
    assert sum(sizes[serial] for serial in matched) == 2823
    assert len(tables["tagmap"]) == 2734 == 2823 - 89


@SEEDS
def test_tag_map_names_only_tags_on_the_feed_and_known_parameters(seed: int) -> None:
    plant = Plant(seed)
    tables = plant.tables()
    fed = {
        (each.serial, tag.code) for each in plant.assets if not each.missing for tag in each.tags
    }
    mapped = {(row["serialnumber"], row["tag_code"]) for row in tables["tagmap"]}
    codes = {row["param_tag_code"] for row in tables["parameters"]}
    assert mapped < fed
    assert len(mapped) == len(tables["tagmap"])
    assert {row["param_tag_code"] for row in tables["tagmap"]} <= codes
    assert {code for _, code in fed} == codes == set(TAGS)


@SEEDS
def test_missing_assets_are_eleven_valves_and_five_panels(seed: int) -> None:
    missing = Counter(each.kind.category for each in Plant(seed).assets if each.missing)
    assert missing == {"sluice valve": 11, "LT panel": 5}


@SEEDS
def test_examples_of_the_contract_are_registered_with_all_their_tags(seed: int) -> None:
    tables = Plant(seed).tables()
    rows = {row["serialnumber"]: row for row in tables["register"]}
    mapped = Counter(row["serialnumber"] for row in tables["tagmap"])
    assert set(EXAMPLES) == {VALVE, PANEL}
    assert rows[VALVE]["domain"] == "DEL-D08"
    assert rows[PANEL]["category"] == "LT panel"
    assert (mapped[VALVE], mapped[PANEL]) == (5, 8)


def test_domains_are_the_twenty_of_delhi_with_two_areas_each(settled: Plant) -> None:
    tables = settled.tables()
    domains = {f"DEL-D{number:02d}" for number in range(1, 21)}
    assert {each.domain for each in settled.assets} == domains
    assert {row["domain"] for row in tables["register"]} == domains
    assert Counter(row["domain"] for row in tables["dmas"]) == dict.fromkeys(domains, 2)


def test_register_stands_in_delhi_and_names_districts_that_exist(settled: Plant) -> None:
    tables = settled.tables()
    known = {row["dma_id"] for row in tables["dmas"]}
    for row in tables["register"]:
        assert 76.8 < float(str(row["longitude"])) < 77.6
        assert 28.3 < float(str(row["latitude"])) < 28.95
        assert row["dma_id"] is None or row["dma_id"] in known


def test_districts_have_mains_people_and_billed_volume(settled: Plant) -> None:
    for row, dma in zip(settled.tables()["dmas"], settled.network.dmas, strict=True):
        assert row["population"] == dma.connections * 5
        assert 4 < float(str(row["mains_km"])) < 15
        assert 0.8 < float(str(row["billed_m3_d"])) / (dma.use_m3_h * 24) < 1
        assert dma.average_point in dma.nodes


def test_pipes_have_length_material_and_age(settled: Plant) -> None:
    for pipe in settled.network.pipes:
        assert pipe.length_m >= 20
        assert 1968 <= pipe.laid <= 2022
        assert 75 <= pipe.roughness <= 150
    old = [p for p in settled.network.pipes if p.material == "CI" and p.dma >= 0]
    new = [p for p in settled.network.pipes if p.material == "HDPE" and p.dma >= 0]
    mean_old = np.mean([p.leak_area_mm2 for p in old])
    assert mean_old > 3 * np.mean([p.leak_area_mm2 for p in new])


def test_same_seed_and_steps_give_the_same_envelopes_to_the_byte() -> None:
    def run() -> list[str]:
        plant = Plant(3)
        plant.begin(AT_S)
        sent = []
        for _ in range(5):
            plant.move(15)
            plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
            sent += [plant.envelope(at) for at in range(557)]
        plant.close()
        return sent

    assert run() == run()


def test_readings_do_not_depend_on_who_looks_how_often(plant: Plant) -> None:
    step(plant)
    first = plant.envelope(100)
    plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
    assert plant.envelope(100) == first == plant.envelope(100)


def test_another_seed_gives_another_plant(settled: Plant) -> None:
    other = Plant(2)
    other.begin(AT_S)
    other.read(at_ns=AT_S * 10**9, tick=AT_S // 15)
    ours, theirs = sweep(settled), sweep(other)
    other.close()
    assert not {e["record_id"] for e in ours.values()} & {e["record_id"] for e in theirs.values()}
    pressures = [serial for serial in ours if "_PT_" in serial]
    assert all(ours[s]["values"] != theirs[s]["values"] for s in pressures)


def test_envelope_has_the_fields_of_the_contract(settled: Plant) -> None:
    envelope = sweep(settled)[VALVE]
    assert envelope | {"record_id": "", "values": {}, "occurred_at": ""} == {
        "record_id": "",
        "system_id": "Patel_Road_Baljeet_Nagar_SV_92",
        "asset_id": VALVE,
        "domain": "DEL-D08",
        "protocol": "rest",
        "occurred_at": "",
        "values": {},
        "quality": "GOOD",
        "alarm": "NORMAL",
    }
    assert list(envelope["values"]) == [
        "HEALTH_SCORE", "LAST_INSP_DT", "MAINT_FLAG", "VLV_MAN_STS", "WO_STS",
    ]  # fmt: skip
    assert len(envelope["occurred_at"]) == len("2026-06-15T01:41:43.267609313Z")


def test_record_ids_are_new_every_tick(plant: Plant) -> None:
    ids = [envelope["record_id"] for _ in range(3) for envelope in step(plant).values()]
    assert len(set(ids)) == 3 * 557


def test_values_stay_within_their_instruments_range_for_a_day(plant: Plant) -> None:
    outside = [
        (serial, code, value)
        for _ in range(48)
        for serial, envelope in step(plant, 1800).items()
        for code, value in envelope["values"].items()
        if isinstance(value, int | float) and not TAGS[code].low <= value <= TAGS[code].high
    ]
    assert outside == []


def test_gauges_move_no_faster_than_their_parameter_says(plant: Plant) -> None:
    limits = {
        str(row["param_tag_code"]): row["rate_max_per_s"] for row in plant.tables()["parameters"]
    }
    for before, after in pairwise(step(plant) for _ in range(20)):
        for serial, envelope in after.items():
            for code, value in envelope["values"].items():
                limit = limits[code]
                if isinstance(limit, float) and "Pump" not in serial and "Panel" not in serial:
                    assert abs(value - before[serial]["values"][code]) <= 15 * limit


def test_totalisers_count_what_the_flow_says(plant: Plant) -> None:
    meters = [serial for serial in plant.serials if "_BFM_" in serial]
    before = now = step(plant)
    flows = []
    for _ in range(40):
        now = step(plant)
        flows.append({s: now[s]["values"]["FLOW_RATE"] for s in meters})
    for serial in meters:
        counted = now[serial]["values"]["TOTALISER"] - before[serial]["values"]["TOTALISER"]
        expected = sum(abs(each[serial]) for each in flows) * 15 / 3600
        assert counted == pytest.approx(expected, rel=0.08, abs=0.5)


def test_healthy_plant_is_quiet_for_a_day(plant: Plant) -> None:
    alarms: Counter[str] = Counter()
    quality: Counter[str] = Counter()
    total = 0
    for _ in range(96):
        for serial, envelope in step(plant, 900).items():
            total += 1
            quality[envelope["quality"]] += 1
            if envelope["alarm"] != "NORMAL":
                alarms[f"{serial} {envelope['alarm']}"] += 1
    assert sum(alarms.values()) < 0.001 * total, alarms.most_common(5)
    assert quality["GOOD"] > 0.999 * total


def test_day_closes_its_mass_balance(plant: Plant) -> None:
    """Inflow = taken + leaked + what the tanks gained, by their levels and not by their flows."""
    network = plant.network
    area = np.array([tank.area_m2 for tank in network.tanks])
    before = np.array(plant.state()["levels_m"])
    plant.run_to(AT_S + 86_400)
    gained = float((area * (np.array(plant.state()["levels_m"]) - before)).sum())
    balance = plant.balance
    assert balance.inflow > 50_000
    assert balance.leaked > 0.1 * balance.inflow
    error = abs(balance.inflow - balance.delivered - balance.leaked - gained)
    assert error < 1e-4 * balance.inflow
    assert balance.error < 1e-5


def test_district_fed_by_turns_is_dry_between_them(plant: Plant) -> None:
    dma = next(each for each in plant.network.dmas if each.windows)
    point = next(each for each in plant.assets
                 if each.kind.infix == "PT" and each.place.dma == dma.number)  # fmt: skip
    wet, dry = [], []
    for _ in range(48):
        pressure = step(plant, 1800)[point.serial]["values"]
        hour = (plant.at_s + 19_800) % 86_400 / 3600
        inside = any(start + 0.2 < hour < end - 0.2 for start, end in dma.windows)
        outside = not any(start - 0.2 < hour < end + 0.2 for start, end in dma.windows)
        if inside:
            wet.append(pressure["PRESSURE"])
        elif outside:
            dry.append(pressure["PRESSURE"])
    assert min(wet) > 0.4
    assert max(dry) < 0.15


def test_demand_has_two_peaks_and_a_quiet_night(plant: Plant) -> None:
    fed = {d.number for d in plant.network.dmas if not d.windows}
    meters = [each.serial for each in plant.assets
              if each.kind.infix == "BFM" and each.place.dma in fed]  # fmt: skip
    by_hour: dict[int, float] = {}
    for _ in range(24):
        now = step(plant, 3600)
        hour = int((plant.at_s + 19_800) % 86_400 // 3600)
        by_hour[hour] = sum(now[s]["values"]["FLOW_RATE"] for s in meters)
    night = min(by_hour[hour] for hour in (1, 2, 3))
    assert max(by_hour[hour] for hour in (6, 7, 8)) > 2.2 * night
    assert max(by_hour[hour] for hour in (17, 18, 19)) > 1.8 * night
    assert night > 0.15 * max(by_hour.values())


def test_pumps_work_near_their_best_point_and_their_power_is_plausible(settled: Plant) -> None:
    found = sweep(settled)
    running = [
        found[each.serial]["values"] for each in settled.assets
        if each.kind.infix == "Pump" and found[each.serial]["values"]["PUMP_STS"]
    ]  # fmt: skip
    assert len(running) > 10
    for values in running:
        head_m = (values["DIS_PRES"] - values["SUC_PRES"]) * 10.197
        efficiency = values["PUMP_FLOW"] * head_m / 367.2 / values["PUMP_KW"]
        assert 0.5 < efficiency < 0.8
        assert 0.8 < values["PUMP_KW"] * 1000 / (
            1.732 * values["PUMP_VOLT"] * values["PUMP_CURR"]
        ) < 0.92  # fmt: skip
        assert 0.8 < values["VIB_DE"] < 4.2


def test_replicas_have_names_and_record_ids_of_their_own() -> None:
    plant = Plant(replicate=3)
    plant.begin(AT_S, warm_up=())
    plant.read(at_ns=AT_S * 10**9, tick=1)
    envelopes = [json.loads(plant.envelope(at)) for at in range(len(plant.serials))]
    tables = plant.tables()
    plant.close()
    assert len(set(plant.serials)) == 3 * 557
    assert [e["asset_id"] for e in envelopes] == plant.serials
    assert all(e["system_id"] == e["asset_id"].replace(" ", "_") for e in envelopes)
    assert len({e["record_id"] for e in envelopes}) == 3 * 557
    assert len(tables["tagmap"]) == 3 * 2734
    assert len(tables["register"]) == 2957 + 2 * 541
