"""A sensor that leaves its past alone has drifted; what its relatives do too is the process."""

from typing import Any, Final

import numpy as np

from ic3.analytics.sensor_drift import Drift, Relatives, drifts

CHANNELS: Final = 12
SPAN: Final = np.full(CHANNELS, 10.0)


def relatives(**changed: Any) -> Relatives:
    apart = np.arange(CHANNELS)
    given = {"kind": np.zeros(CHANNELS, dtype=int), "asset": apart, "place": apart,
             "siblings": apart, **changed}  # fmt: skip
    return Relatives(**given)


def days(seed: int = 1) -> np.ndarray[Any, Any]:
    """Twenty days of channels near 3, with a scatter of 0.02."""
    return 3 + np.random.default_rng(seed).normal(0, 0.02, (CHANNELS, 20))


def drifted(*channels: int, by: float = 0.5) -> np.ndarray[Any, Any]:
    """Channels that grow by so much over three days, five days ago."""
    table = days()
    table[list(channels), -5:] += by * np.array([0.3, 0.7, 1, 1, 1])
    return table


def found(given: list[Drift]) -> list[int]:
    return [each.channel for each in given]


def test_a_sensor_that_grew_by_a_twentieth_of_its_range_is_told_with_both_levels() -> None:
    [drift] = drifts(drifted(4), SPAN, relatives())
    assert drift.channel == 4
    assert abs(drift.reference - 3.0) < 0.05
    assert abs(drift.recent - 3.5) < 0.05


def test_a_sensor_that_fell_is_told_as_well() -> None:
    assert found(drifts(drifted(4, by=-0.5), SPAN, relatives())) == [4]


def test_quiet_sensors_and_small_changes_are_not_told() -> None:
    assert drifts(days(), SPAN, relatives()) == []
    assert drifts(drifted(4, by=0.2), SPAN, relatives()) == []


def test_what_moves_all_of_a_kind_is_no_drift() -> None:
    assert drifts(drifted(*range(CHANNELS)), SPAN, relatives()) == []


def test_two_gauges_of_one_asset_that_move_are_its_process() -> None:
    asset = np.array([0, 0, 1, 1, *range(2, 10)])
    assert drifts(drifted(2, 3), SPAN, relatives(asset=asset)) == []


def test_two_of_a_kind_that_move_in_one_district_are_its_process() -> None:
    place = np.array([0, 0, 1, 1, *range(2, 10)])
    assert drifts(drifted(2, 3), SPAN, relatives(place=place)) == []


def test_a_phase_that_leaves_the_other_two_is_told_though_the_load_changes() -> None:
    apart = np.arange(CHANNELS)
    phases = np.array([0, 0, 0, *range(1, 10)])
    table = days()
    table[:3] += np.random.default_rng(2).uniform(0, 3, 20)
    table[1, -4:] += 0.5
    alone = relatives(kind=apart, asset=phases)
    assert drifts(table, SPAN, alone) == []
    assert found(drifts(table, SPAN, relatives(kind=apart, asset=phases, siblings=phases))) == [1]


def test_a_sensor_that_always_scatters_is_measured_by_its_scatter() -> None:
    table = drifted(4)
    table[4] += np.random.default_rng(3).normal(0, 0.5, 20)
    assert drifts(table, SPAN, relatives()) == []


def test_without_a_range_or_without_days_nothing_is_told() -> None:
    assert drifts(drifted(4), np.full(CHANNELS, np.inf), relatives()) == []
    table = drifted(4)
    table[4, :10] = np.nan
    assert drifts(table, SPAN, relatives()) == []
    assert drifts(drifted(4)[:, -5:], SPAN, relatives()) == []
