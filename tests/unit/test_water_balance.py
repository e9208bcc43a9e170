"""The IWA balance and the leakage formulas, against figures worked by hand."""

import math

import numpy as np
import pytest
from dma_examples import dma

from ic3.analytics.water_balance import (
    Volume,
    ili_band,
    leak_flow_m3_h,
    leakage_index,
    leakage_ratio,
    night_day_factor_h,
    uarl_l_d,
    water_balance,
)
from ic3.errors import InputError


def test_balance_of_the_golden_example() -> None:
    found = water_balance(
        system_input=Volume.of(10_000, 2), billed=Volume.of(6_800, 3),
        unbilled=Volume(0), apparent=Volume(0),
    )  # fmt: skip
    assert found.nrw.m3 == pytest.approx(3200)
    assert round(found.nrw.band_m3) == 286
    assert round(found.nrw_percent, 1) == 32.0
    assert round(found.nrw_band_percent, 1) == 2.5


def test_balance_closes() -> None:
    found = water_balance(
        system_input=Volume.of(10_123.4, 2), billed=Volume.of(6_543.21, 3),
        unbilled=Volume.of(98.7, 50), apparent=Volume.of(321.09, 50),
    )  # fmt: skip
    parts = (
        found.billed_authorised.m3 + found.unbilled_authorised.m3
        + found.apparent_losses.m3 + found.real_losses.m3
    )  # fmt: skip
    assert parts == pytest.approx(found.system_input.m3, abs=1e-9)


def test_residual_entries_inherit_the_bands() -> None:
    found = water_balance(
        system_input=Volume(1000, 30), billed=Volume(600, 40),
        unbilled=Volume(10, 12), apparent=Volume(50, 5),
    )  # fmt: skip
    assert found.nrw.band_m3 == pytest.approx(50)
    assert found.water_losses.band_m3 == pytest.approx(math.hypot(50, 12))
    assert found.real_losses.band_m3 == pytest.approx(math.hypot(50, 12, 5))


def test_no_balance_without_input() -> None:
    with pytest.raises(InputError, match="above zero"):
        water_balance(
            system_input=Volume(0), billed=Volume(1), unbilled=Volume(0), apparent=Volume(0)
        )


def test_night_day_factor_of_the_golden_example() -> None:
    pressure = np.array([40.0] * 8 + [25.0] * 16)
    assert night_day_factor_h(pressure, night_pressure_m=40, n1=1) == pytest.approx(18.0)


def test_night_day_factor_counts_missing_hours_as_the_mean_of_the_rest() -> None:
    pressure = np.array([40.0, np.nan, 20.0, np.nan])
    assert night_day_factor_h(pressure, night_pressure_m=40, n1=1) == pytest.approx(18.0)


def test_leakage_follows_the_exponent() -> None:
    ratio = leakage_ratio(np.array([10.0, 40.0, np.nan]), reference_m=20, n1=1.5)
    assert ratio[:2] == pytest.approx([0.5**1.5, 2**1.5])
    assert np.isnan(ratio[2])


def test_leakage_has_no_reference_at_zero_pressure() -> None:
    with pytest.raises(InputError, match="above zero"):
        leakage_ratio(np.array([1.0]), reference_m=0, n1=1)


def test_one_leak_by_hand() -> None:
    # 0.6 * sqrt(2*9.81*25) m/s * (100 + 2*25) mm2
    by_hand = 0.6 * math.sqrt(2 * 9.81 * 25) * 150e-6 * 3600
    assert leak_flow_m3_h(area_mm2=100, expansion_mm2_m=2, pressure_m=25) == pytest.approx(by_hand)


def test_uarl_of_the_golden_example() -> None:
    found = uarl_l_d(mains_km=100, connections=6000, private_pipe_km=30, pressure_m=40)
    assert found == pytest.approx(294_000)


def test_ili_of_the_golden_example() -> None:
    area = dma(mains_km=100, connections=6000, private_pipe_km=30)
    found = leakage_index(area, carl_m3_d=2850, pressure_m=40)
    assert found.uarl_m3_d == pytest.approx(294)
    assert round(found.ili or 0, 2) == 9.69
    assert found.band == "C"
    assert found.warnings == ()


def test_ili_is_scaled_by_hours_under_pressure() -> None:
    area = dma(mains_km=100, connections=6000, private_pipe_km=30)
    found = leakage_index(area, carl_m3_d=2850, pressure_m=40, hours_under_pressure=6)
    assert found.ili == pytest.approx(4 * 2850 / 294)
    assert found.band == "D"


def test_ili_warns_where_the_formula_was_never_tested() -> None:
    area = dma(mains_km=100, connections=1000)
    found = leakage_index(area, carl_m3_d=100, pressure_m=20, measured_share=0.9)
    assert found.warnings == (
        "1,000 connections, fewer than 3,000",
        "10 connections a km of mains, fewer than 20",
        "mean pressure 20 m, below 25 m",
        "only 90 % of the input was measured",
    )


@pytest.mark.parametrize(
    ("ili", "band"), [(3.9, "A"), (4.0, "B"), (8.0, "C"), (16.0, "C"), (16.1, "D")]
)
def test_bands_for_developing_countries(ili: float, band: str) -> None:
    assert ili_band(ili) == band
