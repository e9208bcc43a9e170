"""What people take: by hour, weekday and season; roof tanks where supply is by turns."""

from typing import Final

import numpy as np

from ic3.simulator import noise
from ic3.simulator.network import Network
from ic3.simulator.noise import Floats

LOCAL_OFFSET_S: Final = 19_800  # Asia/Kolkata, which has no summer time
DAY_S: Final = 86_400
# Hourly multipliers from local midnight, mean 1; shape of metered Indian districts: two peaks.
DOMESTIC: Final = np.array([
    0.30, 0.25, 0.24, 0.28, 0.60, 1.30, 1.95, 2.05, 1.75, 1.30, 1.05, 0.95,
    0.95, 0.90, 0.82, 0.88, 1.05, 1.40, 1.65, 1.50, 1.15, 0.80, 0.52, 0.36,
])  # fmt: skip
COMMERCIAL: Final = np.array([
    0.25, 0.25, 0.25, 0.25, 0.30, 0.40, 0.60, 0.90, 1.40, 1.85, 1.95, 1.90,
    1.80, 1.75, 1.80, 1.75, 1.60, 1.45, 1.20, 0.90, 0.60, 0.40, 0.25, 0.20,
])  # fmt: skip
WEEKEND: Final = (1.06, 0.70)  # domestic, commercial
SEASON_SHARE: Final = 0.12
HOTTEST_DAY: Final = 155  # of the year: early June
ROOF_TANK_DAYS: Final = 0.8
REFILL_TIMES_USE: Final = 6.5
REFILL_S: Final = 1800.0


class Consumption:
    """Requested and drawn water of every junction.

    Attributes:
        roof_m3: Content of each junction's roof tanks; stays 0 where supply is continuous.
        unmet_m3: What people wanted and no tank held, since the start.
    """

    def __init__(self, network: Network, *, seed: int) -> None:
        count = len(network.junctions)
        self._domestic, self._commercial = np.zeros(count), np.zeros(count)
        self.intermittent = np.zeros(count, dtype=bool)
        index = {node.name: at for at, node in enumerate(network.junctions)}
        for dma in network.dmas:
            at = [index[node.name] for node in dma.nodes]
            weights = 0.4 + noise.uniform(noise.keys(seed, [node.name for node in dma.nodes]), 0)
            share = dma.use_m3_h * weights / weights.sum()
            self._commercial[at] = share * dma.commercial_share
            self._domestic[at] = share * (1 - dma.commercial_share)
            self.intermittent[at] = bool(dma.windows)
        self._use = self._domestic + self._commercial
        self._capacity_m3 = np.where(self.intermittent, self._use * 24 * ROOF_TANK_DAYS, 0.0)
        streams = noise.keys(seed, [f"use:{node.name}" for node in network.junctions])
        self._by_hour, self._by_minute = noise.Wander(streams, 3600), noise.Wander(~streams, 300)
        self._city = noise.Wander(noise.keys(seed, ["use:city"]), 10_800)
        self.roof_m3 = 0.6 * self._capacity_m3
        self.wanted_m3_h = np.zeros(count)
        self.unmet_m3 = 0.0

    def request_m3_h(self, at_s: int) -> Floats:
        """What each junction asks of the network now: float64 (junctions,)."""
        self.wanted_m3_h = wanted = self._wanted(at_s)
        room = self._capacity_m3 - self.roof_m3
        refill = np.minimum(REFILL_TIMES_USE * self._use, room * (3600 / REFILL_S))
        return np.where(self.intermittent, refill, wanted)

    def settle(self, delivered_m3_h: Floats, step_s: float) -> None:
        """Fill and draw the roof tanks over a step in which the network delivered this."""
        hours = step_s / 3600
        content = self.roof_m3 + (delivered_m3_h - self.wanted_m3_h) * hours
        content = np.where(self.intermittent, content, 0.0)
        self.unmet_m3 -= float(np.minimum(content, 0.0).sum())
        self.roof_m3 = np.maximum(content, 0.0)

    def _wanted(self, at_s: int) -> Floats:
        local_s = at_s + LOCAL_OFFSET_S
        day, second = divmod(local_s, DAY_S)
        weekend = (day + 3) % 7 >= 5  # day 0, 1970-01-01, was a Thursday
        domestic = _at_hour(DOMESTIC, second) * (WEEKEND[0] if weekend else 1.0)
        commercial = _at_hour(COMMERCIAL, second) * (WEEKEND[1] if weekend else 1.0)
        season = 1 + SEASON_SHARE * np.cos(2 * np.pi * (day % 365.2425 - HOTTEST_DAY) / 365.2425)
        city = 1 + 0.02 * float(self._city.at(at_s)[0])
        local = 1 + 0.10 * self._by_hour.at(at_s) + 0.06 * self._by_minute.at(at_s)
        wanted: Floats = (
            (domestic * self._domestic + commercial * self._commercial)
            * (season * city * np.maximum(local, 0.2))
        )  # fmt: skip
        return wanted


def _at_hour(pattern: Floats, second: float) -> float:
    """The pattern between the middles of its hours."""
    place = second / 3600 - 0.5
    hour = int(np.floor(place))
    share = place - hour
    return float(pattern[hour % 24] * (1 - share) + pattern[(hour + 1) % 24] * share)


def supplied(windows: tuple[tuple[float, float], ...], at_s: int) -> bool:
    """Whether a DMA's turn of supply is on; always where it has no windows."""
    hour = (at_s + LOCAL_OFFSET_S) % DAY_S / 3600
    return not windows or any(
        start <= hour < end or start <= hour + 24 < end for start, end in windows
    )
