import json
from collections import Counter
from itertools import pairwise

import pytest

from ic3.simulator.plant import TAGS, DemoPlant

AT_NS = 1_781_487_703_267_609_313
TICK_NS = 15_000_000_000
VALVE = "Patel Road_Baljeet Nagar_SV_92"
PANEL = "C Block Ranjeet Nagar_LT Panel_19"
SEEDS = pytest.mark.parametrize("seed", [1, 7])


def sweep(plant: DemoPlant, tick: int = 100) -> list[dict[str, object]]:
    at_ns = AT_NS + tick * TICK_NS
    return [json.loads(plant.envelope(i, tick, at_ns)) for i in range(len(plant.serials))]


def values(plant: DemoPlant, index: int, tick: int) -> dict[str, object]:
    found: dict[str, object] = json.loads(plant.envelope(index, tick, AT_NS + tick * TICK_NS))[
        "values"
    ]
    return found


@SEEDS
def test_totals_are_those_of_the_demo(seed: int) -> None:
    plant = DemoPlant(seed)
    sizes = {e["asset_id"]: len(e["values"]) for e in sweep(plant)}  # type: ignore[arg-type]
    registered = {row["serialnumber"] for row in plant.register()}
    matched = registered & sizes.keys()
    assert len(plant.serials) == len(sizes) == 557
    assert sum(sizes.values()) == 2918
    assert len(registered) == len(plant.register()) == 2957
    assert len(matched) == 541
    assert len(sizes.keys() - registered) == 16
    assert sum(sizes[serial] for serial in matched) == 2823
    assert len(plant.tagmap()) == 2734 == 2823 - 89


@SEEDS
def test_tag_map_names_only_tags_on_the_feed_and_known_parameters(seed: int) -> None:
    plant = DemoPlant(seed)
    fed = {(a.serial, tag.code) for a in plant.assets if not a.missing for tag in a.tags}
    mapped = {(row["serialnumber"], row["tag_code"]) for row in plant.tagmap()}
    codes = {row["param_tag_code"] for row in plant.parameters()}
    assert mapped < fed
    assert len(mapped) == len(plant.tagmap())
    assert {row["param_tag_code"] for row in plant.tagmap()} <= codes
    assert len(codes) == len(plant.parameters()) == len(TAGS)
    assert {code for _, code in fed} == codes


@SEEDS
def test_missing_assets_are_eleven_valves_and_five_panels(seed: int) -> None:
    missing = Counter(a.kind.category for a in DemoPlant(seed).assets if a.missing)
    assert missing == {"sluice valve": 11, "LT panel": 5}


@SEEDS
def test_examples_of_the_contract_are_registered_with_all_their_tags(seed: int) -> None:
    plant = DemoPlant(seed)
    rows = {row["serialnumber"]: row for row in plant.register()}
    mapped = Counter(row["serialnumber"] for row in plant.tagmap())
    assert rows[VALVE]["domain"] == "DEL-D08"
    assert rows[PANEL]["category"] == "LT panel"
    assert (mapped[VALVE], mapped[PANEL]) == (5, 8)
    assert {
        "serialnumber": PANEL,
        "tag_code": "HEALTH_SCORE",
        "param_tag_code": "HEALTH_SCORE",
    } in (plant.tagmap())


def test_domains_are_the_twenty_of_delhi() -> None:
    plant = DemoPlant()
    domains = {f"DEL-D{n:02d}" for n in range(1, 21)}
    assert {a.domain for a in plant.assets} == domains
    assert {row["domain"] for row in plant.register()} == domains


def test_same_seed_gives_the_same_envelopes_to_the_byte() -> None:
    one, other = DemoPlant(3), DemoPlant(3)
    assert one.register() == other.register()
    assert one.tagmap() == other.tagmap()
    assert [one.envelope(i, 5, AT_NS) for i in range(557)] == [
        other.envelope(i, 5, AT_NS) for i in range(557)
    ]


def test_another_seed_gives_other_values_and_record_ids() -> None:
    one, other = sweep(DemoPlant(1)), sweep(DemoPlant(2))
    assert not {e["record_id"] for e in one} & {e["record_id"] for e in other}
    assert [e["values"] for e in one] != [e["values"] for e in other]


def test_envelope_has_the_fields_of_the_contract() -> None:
    plant = DemoPlant()
    envelope = json.loads(plant.envelope(plant.serials.index(VALVE), 0, AT_NS))
    assert envelope | {"record_id": "", "values": {}} == {
        "record_id": "",
        "system_id": "Patel_Road_Baljeet_Nagar_SV_92",
        "asset_id": VALVE,
        "domain": "DEL-D08",
        "protocol": "rest",
        "occurred_at": "2026-06-15T01:41:43.267609313Z",
        "values": {},
        "quality": "GOOD",
        "alarm": "NORMAL",
    }
    assert list(envelope["values"]) == [
        "HEALTH_SCORE", "LAST_INSP_DT", "MAINT_FLAG", "VLV_MAN_STS", "WO_STS",
    ]  # fmt: skip


def test_record_ids_are_new_every_tick() -> None:
    plant = DemoPlant()
    ids = [e["record_id"] for tick in range(3) for e in sweep(plant, tick)]
    assert len(set(ids)) == 3 * 557


def test_every_measured_value_moves_each_tick() -> None:
    plant = DemoPlant()
    moving = {tag.code for tag in TAGS.values() if tag.kind not in ("state", "text")}
    stuck = [
        (index, tick, code)
        for index in range(557)
        for tick in range(20)
        for code in moving & values(plant, index, tick).keys()
        if values(plant, index, tick)[code] == values(plant, index, tick + 1)[code]
    ]
    assert stuck == []


def test_values_stay_within_their_parameters_range_for_a_day() -> None:
    plant = DemoPlant()
    outside = [
        (code, value)
        for tick in range(0, 5760, 288)
        for index in range(557)
        for code, value in values(plant, index, tick).items()
        if isinstance(value, int | float) and not TAGS[code].low <= value <= TAGS[code].high
    ]
    assert outside == []


def test_gauges_move_no_faster_than_their_parameter_says() -> None:
    plant = DemoPlant()
    limits = {row["param_tag_code"]: row["rate_max_per_s"] for row in plant.parameters()}
    index = plant.serials.index(PANEL)
    for before, after in pairwise(values(plant, index, tick) for tick in range(100)):
        for code, value in after.items():
            assert abs(value - before[code]) <= 15 * limits[code]  # type: ignore[operator]


def test_totaliser_only_counts_up() -> None:
    plant = DemoPlant()
    meter = next(i for i, a in enumerate(plant.assets) if a.kind.infix == "BFM")
    totals = [values(plant, meter, tick)["TOTALISER"] for tick in range(50)]
    assert totals == sorted(totals)  # type: ignore[type-var]


def test_few_envelopes_are_uncertain_or_in_alarm() -> None:
    envelopes = [e for tick in range(0, 400, 40) for e in sweep(DemoPlant(), tick)]
    quality = Counter(e["quality"] for e in envelopes)
    alarm = Counter(e["alarm"] for e in envelopes)
    assert quality.keys() == {"GOOD", "UNCERTAIN"}
    assert alarm.keys() == {"NORMAL", "HIGH", "LOW"}
    assert min(quality["GOOD"], alarm["NORMAL"]) > 0.98 * len(envelopes)


def test_replicas_have_names_and_values_of_their_own() -> None:
    plant = DemoPlant(replicate=3)
    envelopes = sweep(plant)
    assert len(set(plant.serials)) == 3 * 557
    assert [e["asset_id"] for e in envelopes] == plant.serials
    assert len({e["record_id"] for e in envelopes}) == 3 * 557
    assert len(plant.tagmap()) == 3 * 2734
    assert len(plant.register()) == 2957 + 2 * 541
    assert plant.serials[:557] == DemoPlant().serials
