"""How the utility runs its pumps and valves: what a SCADA system would do by itself."""

from typing import Final

from ic3.simulator.demand import LOCAL_OFFSET_S, supplied
from ic3.simulator.network import Network, Station, Zone

# Booster pumps in duty by local hour; the speed does the rest.
DUTY_BY_HOUR: Final = (1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 2, 2, 1)
OHT_TARGET_M: Final = 3.6
SPEED_A_METRE: Final = 0.07
SLOWEST, FASTEST = 0.80, 1.02
RESERVE_BELOW_M: Final = 1.2
RESERVE_UNTIL_M: Final = 2.4
UGR_FULL_M: Final = 4.2
FILL_A_METRE: Final = 0.9
WORKS_UP, WORKS_DOWN = 1.08, 0.98
DAY_S: Final = 86_400


class Controls:
    """Decides speeds, settings and turns from levels and the clock.

    Attributes:
        works_on: Pumps in duty at each works.
        reserve_on: Whether each zone's reserve pump helps, below a low OHT.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.works_on = [4] * len(network.works)
        self.reserve_on = [False] * len(network.zones)

    def fill_m3_h(self, zone: Zone, level_m: float) -> float:
        """Setting of a UGR's inlet: the fuller the slower, shut at the top."""
        share = min(1.7, max(0.0, FILL_A_METRE * (UGR_FULL_M - level_m)))
        return round(max(0.5, zone.ugr_inlet.setting * share), 1)

    def works_speeds(
        self, wanted_m3_h: float, at_s: int, able: list[list[bool]]
    ) -> list[list[float]]:
        """Speeds of the works' pumps: as many as the UGRs' inlets ask for."""
        share_m3_h = wanted_m3_h / len(self._network.works)
        speeds = []
        for number, station in enumerate(self._network.works):
            nominal = station.pumps[0].flow_m3_h
            on = self.works_on[number]
            while on < len(station.pumps) and share_m3_h > WORKS_UP * on * nominal:
                on += 1
            while on > 1 and share_m3_h < WORKS_DOWN * (on - 1) * nominal:
                on -= 1
            self.works_on[number] = on
            speeds.append(_duty(station, at_s, on, 1.0, able[number]))
        return speeds

    def zone_speeds(self, number: int, oht_m: float, at_s: int, able: list[bool]) -> list[float]:
        """Speeds of a zone's pumps: duty by the hour, speed by the level of the OHT."""
        zone = self._network.zones[number]
        if oht_m < RESERVE_BELOW_M:
            self.reserve_on[number] = True
        elif oht_m > RESERVE_UNTIL_M:
            self.reserve_on[number] = False
        hour = (at_s + LOCAL_OFFSET_S) % DAY_S // 3600
        on = min(len(zone.station.pumps), DUTY_BY_HOUR[hour] + self.reserve_on[number])
        speed = min(FASTEST, max(SLOWEST, 0.93 + SPEED_A_METRE * (OHT_TARGET_M - oht_m)))
        return _duty(zone.station, at_s, on, round(speed, 4), able)

    def turns(self, at_s: int) -> list[bool]:
        """Whether each DMA's inlet is open by its turn of supply."""
        return [supplied(dma.windows, at_s) for dma in self._network.dmas]


def _duty(station: Station, at_s: int, on: int, speed: float, able: list[bool]) -> list[float]:
    """Speeds with `on` pumps in duty; who leads changes every day at local noon."""
    count = len(station.pumps)
    first = (at_s + LOCAL_OFFSET_S - DAY_S // 2) // DAY_S % count
    order = [at for at in ((first + n) % count for n in range(count)) if able[at]]
    running = set(order[:on])
    return [speed if at in running else 0.0 for at in range(count)]
