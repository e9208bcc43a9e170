"""Definitions of DMAs: read, versions, what a check refuses."""

from datetime import UTC, datetime

import msgspec
import pytest
from dma_examples import dma

from ic3.analytics.dma import (
    DMA,
    InflowMeter,
    NightUser,
    StorageTank,
    check,
    current,
    read_definitions,
    refuse_wrong,
)
from ic3.errors import InputError


def meter(serial: str, sign: int = 1) -> InflowMeter:
    return InflowMeter(serial=serial, tag="FLOW", sign=1 if sign > 0 else -1)


def neighbour(*meters: InflowMeter) -> DMA:
    return dma(dma_id="DEL-D03-A1", meters=meters, pressure_points=())


def test_definition_survives_being_written_and_read() -> None:
    area = dma(tanks=(StorageTank(serial="T", tag="LEVEL", area_m2=200.0),))
    assert read_definitions(msgspec.json.encode([area])) == [area]


def test_unknown_field_is_refused_by_name() -> None:
    text = msgspec.json.encode([dma()]).replace(b'"population"', b'"populace"')
    with pytest.raises(InputError, match="populace"):
        read_definitions(text)


def test_sound_definition_has_no_problem() -> None:
    assert check([dma()], {"Azadpur_BFM_1:FLOW", "Azadpur_PT_1:PRESSURE"}) == []


def test_tag_that_is_not_on_the_feed_is_named() -> None:
    assert check([dma()], {"Azadpur_BFM_1:FLOW"}) == [
        "DEL-D03-A2: no tag Azadpur_PT_1:PRESSURE on the feed"
    ]


def test_boundary_meter_leads_out_of_the_neighbour() -> None:
    inside = dma(meters=(meter("A"), meter("B", -1)), pressure_points=())
    assert check([inside, neighbour(meter("B"))]) == []


def test_boundary_meter_with_one_sign_in_both_is_refused() -> None:
    inside = dma(meters=(meter("A"), meter("B")), pressure_points=())
    assert check([inside, neighbour(meter("B"))]) == [
        "meter B:FLOW has the same sign in DEL-D03-A2, DEL-D03-A1"
    ]


def test_meter_in_three_dmas_is_refused() -> None:
    third = dma(dma_id="DEL-D04-A1", meters=(meter("A"),), pressure_points=())
    found = check([dma(meters=(meter("A"),), pressure_points=()), neighbour(meter("A")), third])
    assert found == ["meter A:FLOW bounds more than two DMAs: DEL-D03-A2, DEL-D03-A1, DEL-D04-A1"]


def test_meter_twice_in_one_dma_is_refused() -> None:
    assert "DEL-D03-A2: A:FLOW stands in it twice" in check(
        [dma(meters=(meter("A"), meter("A")), pressure_points=())]
    )


def test_dma_that_nothing_leads_into_is_refused() -> None:
    assert check([dma(meters=(meter("A", -1),))]) == ["DEL-D03-A2: no meter leads into it"]


@pytest.mark.parametrize(
    ("tank", "words"),
    [
        (StorageTank(serial="T", tag="L"), "needs either area_m2 or level_volume"),
        (
            StorageTank(serial="T", tag="L", area_m2=1.0, level_volume=((0, 0), (1, 1))),
            "needs either area_m2 or level_volume",
        ),
        (StorageTank(serial="T", tag="L", level_volume=((0, 0),)), "has a table of one line"),
        (
            StorageTank(serial="T", tag="L", level_volume=((0, 0), (1, 5), (2, 5))),
            "has a table that does not rise",
        ),
    ],
)
def test_tank_of_unknown_content_is_refused(tank: StorageTank, words: str) -> None:
    assert check([dma(tanks=(tank,))]) == [f"DEL-D03-A2: tank T:L {words}"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    area = dma(zone="Delhi", night_from_h=4.0, night_to_h=2.0)
    with pytest.raises(InputError, match=r"no time zone 'Delhi'.*ends before it begins"):
        refuse_wrong([area])


def test_newest_version_that_is_valid_holds() -> None:
    old, new = dma(), dma(valid_from=datetime(2026, 6, 1, tzinfo=UTC), population=12_000)
    assert current([new, old], datetime(2026, 5, 31, tzinfo=UTC)) == [old]
    assert current([old, new], datetime(2026, 6, 1, tzinfo=UTC)) == [new]
    assert current([new], datetime(2026, 5, 31, tzinfo=UTC)) == []


def test_night_use_is_that_of_people_and_of_large_users() -> None:
    area = dma(population=10_000, night_users=(NightUser(name="Hospital", flow_m3_h=2.5),))
    assert area.night_use_m3_h == pytest.approx(10_000 * 0.06 * 10 / 1000 + 2.5)
