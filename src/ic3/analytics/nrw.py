"""Non-revenue water of a DMA over a period: balance, night flow, leakage index, side by side."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ic3.analytics.dma import DMA
from ic3.analytics.inflow import DAY_S, HOUR_S, Inflow, Readings, hourly_inflow
from ic3.analytics.night_flow import NightFlow, meter_band_m3_h, night_flow
from ic3.analytics.supply_windows import Supply, supply
from ic3.analytics.water_balance import (
    COMPLETE_SHARE,
    LeakageIndex,
    Volume,
    WaterBalance,
    leakage_index,
    water_balance,
)

# Ours: what is only assumed of consumers may be half of it or half as much again.
ASSUMED_BAND_PERCENT: Final = 50.0


@dataclass(frozen=True, slots=True)
class NRWReport:
    """All figures of a DMA and a period; what cannot be computed is None, with its reason.

    Attributes:
        start_s: Seconds since 1970 UTC; `end_s` likewise; whole hours.
        input_m3: Inflow less storage change over the period, as the mean of what was measured.
        completeness: Measured share of the input, 0-1; `provisional` below 95 %.
        balance: The IWA balance; None with `balance_reason`.
        litres_connection_d: Real losses, litres a connection and day.
        litres_connection_pressurised_d: The same for a day under pressure: ·24/T.
        pressure_m: Mean over the hours under pressure.
        carl_m3_d: Real losses a day, from `carl_basis`.
        gap_m3_d: Bottom-up less top-down real losses, where there are both.
        index: ILI with its warnings; None with `index_reason`.
    """

    start_s: int
    end_s: int
    input_m3: Volume | None
    completeness: float
    provisional: bool
    balance: WaterBalance | None
    balance_reason: str
    litres_connection_d: float | None
    litres_connection_pressurised_d: float | None
    supply: Supply
    pressure_m: float | None
    night: NightFlow
    carl_m3_d: float | None
    carl_basis: Literal["top-down", "bottom-up", "none"]
    gap_m3_d: float | None
    index: LeakageIndex | None
    index_reason: str


def nrw_report(dma: DMA, readings: Readings) -> NRWReport:
    """Compute all figures of a period.

    Args:
        dma: Its definition.
        readings: Of its meters, tanks and pressure points, over the period.
    """
    supplied = supply(dma, readings)
    night = night_flow(dma, readings, supplied)
    hours = hourly_inflow(dma, readings)
    days = len(hours.m3_h) * HOUR_S / DAY_S
    share = float(hours.measured_share.mean()) if len(hours.m3_h) else 0.0
    taken = _input(dma, readings, hours)
    balance, reason = _balance(dma, taken, days)
    top_down = None if balance is None else balance.real_losses.m3 / days
    bottom_up = None if night.leakage_m3_d is None else night.leakage_m3_d.value
    carl = bottom_up if top_down is None else top_down
    pressure = _pressure(dma, readings, supplied)
    index, index_reason = _index(dma, carl, pressure, supplied.hours_a_day, share)
    litres = carl * 1000 / dma.connections if carl is not None and dma.connections else None
    wet = supplied.hours_a_day
    return NRWReport(
        start_s=int(hours.start_s[0]) if days else int(readings.at_s[0]),
        end_s=int(hours.end_s[-1]) if days else readings.end_s,
        input_m3=taken, completeness=share, provisional=share < COMPLETE_SHARE,
        balance=balance, balance_reason=reason, litres_connection_d=litres,
        litres_connection_pressurised_d=litres * 24 / wet if litres is not None and wet else None,
        supply=supplied, pressure_m=pressure, night=night, carl_m3_d=carl,
        carl_basis=_basis(top_down, bottom_up),
        gap_m3_d=None if top_down is None or bottom_up is None else bottom_up - top_down,
        index=index, index_reason=index_reason,
    )  # fmt: skip


def _basis(
    top_down: float | None, bottom_up: float | None
) -> Literal["top-down", "bottom-up", "none"]:
    if top_down is not None:
        return "top-down"
    return "none" if bottom_up is None else "bottom-up"


def _input(dma: DMA, readings: Readings, hours: Inflow) -> Volume | None:
    """Input of the period; hours that were not measured count as the mean of the others."""
    if not np.isfinite(hours.m3_h).any():
        return None
    volume = float(np.nanmean(hours.m3_h)) * len(hours.m3_h)
    return Volume(volume, meter_band_m3_h(dma, readings) * len(hours.m3_h))


def _balance(dma: DMA, taken: Volume | None, days: float) -> tuple[WaterBalance | None, str]:
    if taken is None:
        return None, "no balance: the inflow was not measured"
    if dma.billed_m3_d is None:
        return None, "no balance: the billed volume is not in the DMA's definition"
    if not taken.m3 > 0:
        return None, f"no balance: the inflow comes out at {taken.m3:.0f} m3"
    billed = Volume.of(dma.billed_m3_d * days, dma.billed_accuracy_percent)
    return water_balance(
        system_input=taken, billed=billed,
        unbilled=Volume.of(dma.unbilled_share * taken.m3, ASSUMED_BAND_PERCENT),
        apparent=apparent_losses(dma, billed.m3),
    ), ""  # fmt: skip


def apparent_losses(dma: DMA, billed_m3: float) -> Volume:
    """What consumers take and no bill shows: under-registration and unauthorised use.

    Args:
        dma: Its shares: what meters do not show of lawful use, what is taken unlawfully of all use.
        billed_m3: What the bills show.
    """
    lawful = billed_m3 / max(1 - dma.under_registration_share, 1e-9)
    all_use = lawful / max(1 - dma.unauthorised_share, 1e-9)
    unseen = Volume.of(lawful - billed_m3, ASSUMED_BAND_PERCENT)
    return unseen + Volume.of(all_use - lawful, ASSUMED_BAND_PERCENT)


def _pressure(dma: DMA, readings: Readings, supplied: Supply) -> float | None:
    point = dma.average_point
    if point is None:
        return None
    series = readings.series(point.key)
    good = series[supplied.holds(readings.at_s) & np.isfinite(series)]
    return float(good.mean()) if len(good) else None


def _index(
    dma: DMA, carl: float | None, pressure_m: float | None, wet_h: float, share: float
) -> tuple[LeakageIndex | None, str]:
    missing = [
        words for holds, words in (
            (carl is None, "real losses"), (pressure_m is None, "a pressure"),
            (not dma.mains_km, "the length of mains"), (not dma.connections, "connections"),
            (not wet_h > 0, "hours under pressure"),
        ) if holds
    ]  # fmt: skip
    if missing or carl is None or pressure_m is None:
        return None, f"no ILI without {' and '.join(missing)}"
    index = leakage_index(
        dma, carl_m3_d=carl, pressure_m=pressure_m, hours_under_pressure=min(wet_h, 24.0),
        measured_share=share,
    )  # fmt: skip
    return index, "" if index.ili is not None and math.isfinite(index.ili) else "no ILI"
