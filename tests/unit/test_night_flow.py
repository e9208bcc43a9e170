"""Inflow, windows of supply, night flow and its refusal, the report of a period."""

import math

import numpy as np
import pytest
from dma_examples import FLOW, MONDAY_S, PRESSURE, by_turns, dma, hours, steady

from ic3.analytics.dma import InflowMeter, StorageTank
from ic3.analytics.inflow import (
    HOUR_S,
    Readings,
    hourly_inflow,
    inflow,
    local_moment,
    local_time,
)
from ic3.analytics.night_flow import night_flow, nights
from ic3.analytics.nrw import nrw_report
from ic3.analytics.supply_windows import find_windows, supply
from ic3.errors import InputError


def test_tank_that_fills_takes_from_the_inflow() -> None:
    at_s, _ = hours(days=1)
    area = dma(tanks=(StorageTank(serial="T", tag="LEVEL", area_m2=100.0),))
    rising = 1.0 + (at_s - MONDAY_S) / 3600 * 0.2
    readings = Readings(at_s, {FLOW: np.full(len(at_s), 50.0), "T:LEVEL": rising})
    assert hourly_inflow(area, readings).m3_h[:23] == pytest.approx(np.full(23, 30.0))


def test_tank_with_a_table_counts_by_its_content() -> None:
    at_s, _ = hours(days=1)
    tank = StorageTank(serial="T", tag="LEVEL", level_volume=((0, 0), (1, 10), (2, 110)))
    rising = 0.5 + (at_s - MONDAY_S) / 3600 * 0.5
    readings = Readings(at_s, {FLOW: np.full(len(at_s), 80.0), "T:LEVEL": rising})
    found = hourly_inflow(dma(tanks=(tank,)), readings).m3_h
    assert found[:3] == pytest.approx([75.0, 30.0, 30.0])


def test_meter_that_leads_out_is_taken_off() -> None:
    at_s, _ = hours(days=1)
    area = dma(
        meters=(
            InflowMeter(serial="In", tag="F"),
            InflowMeter(serial="Out", tag="F", sign=-1),
        )
    )
    readings = Readings(at_s, {"In:F": np.full(len(at_s), 90.0), "Out:F": np.full(len(at_s), 25.0)})
    assert hourly_inflow(area, readings).m3_h == pytest.approx(np.full(24, 65.0))


def test_window_half_unmeasured_has_no_inflow() -> None:
    readings = steady(days=1)
    readings.values[FLOW][:3] = np.nan
    found = hourly_inflow(dma(), readings)
    assert math.isnan(found.m3_h[0])
    assert found.measured_share[0] == pytest.approx(0.25)
    assert found.m3_h[1] == pytest.approx(80.0)


def test_window_outside_of_the_readings_is_not_measured() -> None:
    start = np.array([MONDAY_S - HOUR_S])
    found = inflow(dma(), steady(days=1), start, start + HOUR_S)
    assert np.isnan(found.m3_h).all()


def test_uneven_times_are_refused() -> None:
    with pytest.raises(InputError, match="not evenly spaced"):
        Readings(np.array([0, 900, 2700]), {})


def test_local_day_and_hour_follow_summer_time() -> None:
    # 2026-03-29 01:00 UTC: clocks in Athens go from 03:00 to 04:00.
    found = local_time(np.array([1_774_745_999, 1_774_746_000]), "Europe/Athens")
    assert found.hour == pytest.approx([2 + 3599 / 3600, 4.0])
    assert found.weekday.tolist() == [6, 6]
    assert local_moment(int(found.day[0]), 2.0, "Europe/Athens") == 1_774_742_400


def test_windows_have_hysteresis() -> None:
    at_s = np.arange(8, dtype=np.int64) * 900
    signal = np.array([0.0, 8, 6, 5.5, 8, 8, 4, 0])
    found = find_windows(at_s, signal, on=7, off=5, step_s=900, shortest_s=1800)
    assert [(each.start_s, each.end_s) for each in found] == [(900, 5400)]


def test_short_pause_and_short_window_do_not_count() -> None:
    at_s = np.arange(12, dtype=np.int64) * 900
    signal = np.array([8.0, 8, 0, 8, 8, 0, 0, 0, 8, 0, 0, 0])
    found = find_windows(at_s, signal, on=7, off=5, step_s=900, shortest_s=1800)
    assert [(each.start_s, each.end_s) for each in found] == [(0, 4500)]


def test_missing_pressure_ends_no_window() -> None:
    at_s = np.arange(6, dtype=np.int64) * 900
    signal = np.array([8.0, 8, np.nan, np.nan, 8, 0])
    found = find_windows(at_s, signal, on=7, off=5, step_s=900, shortest_s=900)
    assert [(each.start_s, each.end_s) for each in found] == [(0, 4500)]


def test_supply_by_turns_is_described() -> None:
    found = supply(dma(supply="intermittent"), by_turns())
    assert found.usual == "06:15–09:00 and 18:00–20:45"
    assert found.hours_a_day == pytest.approx(5.5)
    assert found.regularity == 1.0
    assert len(found.windows) == 14


def test_without_pressure_supply_is_seen_in_the_inflow() -> None:
    found = supply(dma(supply="intermittent", pressure_points=()), by_turns())
    assert found.source == "inflow"
    assert found.usual == "06:15–09:00 and 18:00–20:45"


def test_night_flow_and_daily_leakage_by_hand() -> None:
    # Night use 6 m3/h: 20 - 6 = 14; 2 h at 40 m and 22 h at 25 m with N1 1 are 15.75 h.
    found = night_flow(dma(), steady())
    assert found.mnf_m3_h is not None
    assert found.leakage_m3_h is not None
    assert found.leakage_m3_d is not None
    assert found.mnf_m3_h.value == pytest.approx(20.0)
    assert found.leakage_m3_h.value == pytest.approx(14.0)
    assert found.night_day_factor_h == pytest.approx(15.75)
    assert found.leakage_m3_d.value == pytest.approx(14 * 15.75)
    assert found.usable == 7
    assert found.refusal == ""
    assert not found.provisional


def test_night_without_pressure_is_refused_in_words() -> None:
    found = night_flow(dma(supply="intermittent"), by_turns())
    assert found.mnf_m3_h is None
    assert found.leakage_m3_d is None
    assert found.refusal == (
        "No night flow: pressure below 7 m from 02:00 to 04:00 on 7 of 7 nights;"
        " supply 06:15–09:00 and 18:00–20:45"
    )


def test_instead_of_a_refused_night_flow_there_are_bounds() -> None:
    found = night_flow(dma(supply="intermittent"), by_turns())
    assert found.upper_bound_m3_h == pytest.approx(200.0)
    assert found.shut_inflow_m3_h == pytest.approx(3.0)


def test_night_soon_after_supply_began_is_refused() -> None:
    at_s, hour = hours(days=3)
    on = (hour >= 1) & (hour < 9)
    readings = Readings(at_s, {FLOW: np.where(on, 100.0, 0.0), PRESSURE: np.where(on, 20.0, 0.0)})
    found = night_flow(dma(supply="intermittent"), readings)
    assert found.refusal.startswith(
        "No night flow: less than 6 h of supply before the window, roof tanks still fill"
        " on 3 of 3 nights"
    )


def test_unmeasured_night_is_left_out_and_the_figure_is_provisional() -> None:
    readings = steady()
    readings.values[FLOW][:24] = np.nan
    found = night_flow(dma(), readings)
    assert found.usable == 6
    assert found.completeness == pytest.approx(6 / 7)
    assert found.provisional
    assert found.nights[0].fault == "not measured"


def test_future_does_not_change_a_night() -> None:
    whole, cut = steady(), steady(days=3)
    assert nights(dma(), whole)[:3] == nights(dma(), cut)


def test_report_of_a_week_by_hand() -> None:
    # Input 7·(2·20 + 22·80) = 12,600 m3; billed 7·1,500; shares of the definition are 0.
    area = dma(billed_m3_d=1500.0, mains_km=10.0, connections=4000)
    found = nrw_report(area, steady())
    assert found.balance is not None
    assert found.balance.system_input.m3 == pytest.approx(12_600)
    assert found.balance.nrw_percent == pytest.approx(100 * 2100 / 12_600)
    assert found.carl_m3_d == pytest.approx(300)
    assert found.litres_connection_d == pytest.approx(75)
    assert found.gap_m3_d == pytest.approx(14 * 15.75 - 300)
    assert found.pressure_m == pytest.approx((2 * 40 + 22 * 25) / 24)
    assert found.index is not None
    assert found.index.ili == pytest.approx(300_000 / ((18 * 10 + 0.8 * 4000) * 26.25))


def test_apparent_losses_are_what_bills_do_not_show() -> None:
    area = dma(billed_m3_d=931.2, unauthorised_share=0.04, under_registration_share=0.03)
    found = nrw_report(area, steady(days=1))
    assert found.balance is not None
    # 1000 used, 4 % unlawfully; of the 960 left meters show 97 %.
    assert found.balance.apparent_losses.m3 == pytest.approx(1000 - 931.2)


def test_report_by_turns_scales_by_hours_under_pressure() -> None:
    area = dma(supply="intermittent", billed_m3_d=1000.0, mains_km=10.0, connections=4000)
    found = nrw_report(area, by_turns())
    real = 5.5 * 200 + 18.5 * 3 - 1000
    assert found.carl_m3_d == pytest.approx(real)
    assert found.litres_connection_pressurised_d == pytest.approx(real / 4 * 24 / 5.5)
    assert found.index is not None
    assert found.index.uarl_m3_d == pytest.approx(3.38 * 20 * 5.5 / 24)
    assert found.night.refusal


def test_report_says_what_it_lacks() -> None:
    found = nrw_report(dma(pressure_points=()), steady())
    assert found.balance is None
    assert found.balance_reason == "no balance: the billed volume is not in the DMA's definition"
    assert found.index is None
    assert found.index_reason == (
        "no ILI without real losses and a pressure and the length of mains and connections"
    )
