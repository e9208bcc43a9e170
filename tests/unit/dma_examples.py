"""A DMA and its readings, made by formula: what its pages show can be worked out by hand."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from ic3.analytics.dma import DMA, InflowMeter, PressurePoint
from ic3.analytics.inflow import DAY_S, Floats, Readings

# 2026-01-05 00:00 in Delhi, a Monday.
MONDAY_S = 1_767_551_400
FLOW = "Azadpur_BFM_1:FLOW"
PRESSURE = "Azadpur_PT_1:PRESSURE"


def dma(**changed: Any) -> DMA:
    """Azadpur, one meter and one pressure point."""
    usual: dict[str, Any] = {
        "dma_id": "DEL-D03-A2",
        "name": "Azadpur",
        "domain": "DEL-D03",
        "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
        "meters": (InflowMeter(serial="Azadpur_BFM_1", tag="FLOW"),),
        "pressure_points": (PressurePoint(serial="Azadpur_PT_1", tag="PRESSURE", point="average"),),
        "population": 10_000,
    }
    return DMA(**{**usual, **changed})


def hours(*, days: int, step_s: int = 900) -> tuple[np.ndarray[Any, Any], Floats]:
    """Times from Monday on, and the local hour of each."""
    at_s = np.arange(MONDAY_S, MONDAY_S + days * DAY_S, step_s, dtype=np.int64)
    return at_s, (at_s - MONDAY_S) % DAY_S / 3600


def steady(*, days: int = 7, night_m3_h: float = 20.0, day_m3_h: float = 80.0) -> Readings:
    """Little from 02:00 to 04:00, much else; 40 m at night and 25 m else."""
    at_s, hour = hours(days=days)
    night = (hour >= 2) & (hour < 4)
    return Readings(
        at_s,
        {FLOW: np.where(night, night_m3_h, day_m3_h), PRESSURE: np.where(night, 40.0, 25.0)},
    )


def by_turns(*, days: int = 7) -> Readings:
    """Supply 06:15 to 09:00 and 18:00 to 20:45; 3 m3/h pass while the DMA is shut."""
    at_s, hour = hours(days=days)
    on = ((hour >= 6.25) & (hour < 9)) | ((hour >= 18) & (hour < 20.75))
    return Readings(at_s, {FLOW: np.where(on, 200.0, 3.0), PRESSURE: np.where(on, 20.0, 0.5)})
