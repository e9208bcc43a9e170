"""Water quality along the way: chlorine that decays, turbidity that jumps when supply begins."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from ic3.simulator import noise
from ic3.simulator.demand import supplied
from ic3.simulator.hydraulics import Hydraulics
from ic3.simulator.network import Network
from ic3.simulator.noise import Floats

DECAY_A_S: Final = 0.35 / 86_400  # bulk and wall together, at 20 degC
DOSE_MG_L: Final = 1.25
FILTERED_NTU: Final = 0.35
JUMP_NTU: Final = 0.9
JUMP_TAU_S: Final = 1500.0


class Quality:
    """Chlorine at works, UGRs and DMAs; turbidity there too.

    Tanks are completely mixed, dC/dt = Q/V * (C_in - C) - k*C; mains are plug flow,
    C = C_0 * exp(-k*t).

    Attributes:
        signals: `works_cl2`, `ugr_cl2`, `dma_cl2`, `works_ntu`, `ugr_ntu`, `dma_ntu`, `water_c`.
    """

    def __init__(self, network: Network, water: Hydraulics, *, seed: int) -> None:
        self._network = network
        self._fills = np.array([water.link(zone.ugr_inlet.name) for zone in network.zones])
        self._ugrs = np.array([water.node(zone.ugr.node.name) for zone in network.zones])
        self._inlets = np.array([water.link(dma.inlet.name) for dma in network.dmas])
        works = noise.keys(seed, [f"dose:{each.name}" for each in network.works])
        self._dose, self._filter = noise.Wander(works, 14_400), noise.Wander(works, 7200)
        zones = noise.keys(seed, [f"zone:{number}" for number in range(len(network.zones))])
        self._zone = noise.Wander(zones, 7200)
        streets = noise.keys(seed, [f"clear:{dma.name}" for dma in network.dmas])
        self._street = noise.Wander(streets, 7200)
        self._zone_of = np.zeros(len(network.dmas), dtype=int)
        for at, zone in enumerate(network.zones):
            self._zone_of[list(zone.dmas)] = at
        volumes = [
            sum(math.pi / 4 * (p.diameter_mm / 1000) ** 2 * p.length_m for p in dma.pipes)
            for dma in network.dmas
        ]
        self._pipe_m3 = np.array(volumes) + 250.0  # the zone's main as well
        self._ugr_area = np.array([zone.ugr.area_m2 for zone in network.zones])
        self.ugr_mg_l = np.full(len(network.zones), 1.0)
        self.jump_ntu = np.zeros(len(network.dmas))
        self._on = [True] * len(network.dmas)
        self.signals: Mapping[str, Floats] = {}

    def restore(self, state: Mapping[str, Floats]) -> None:
        """Take the contents of an earlier plant."""
        self.ugr_mg_l, self.jump_ntu = state["ugr_mg_l"], state["jump_ntu"]

    def state(self) -> dict[str, Floats]:
        """What `restore` takes."""
        return {"ugr_mg_l": self.ugr_mg_l, "jump_ntu": self.jump_ntu}

    def advance(self, water: Hydraulics, *, at_s: int, step_s: float, air_c: float) -> None:
        """Follow the hydraulics of a step that ends now."""
        dosed = DOSE_MG_L + 0.06 * self._dose.at(at_s)
        flow, level = water.flow_m3_h[self._fills], water.pressure_m[self._ugrs]
        turnover = np.maximum(flow, 0.0) / 3600 / np.maximum(level * self._ugr_area, 50.0)
        arriving = dosed.mean() * math.exp(-DECAY_A_S * 7200)
        goal = turnover * arriving / (turnover + DECAY_A_S)
        self.ugr_mg_l = goal + (self.ugr_mg_l - goal) * np.exp(-(turnover + DECAY_A_S) * step_s)
        inflow = water.flow_m3_h[self._inlets]
        hours = self._pipe_m3 / np.maximum(inflow, 4.0)
        fast = DECAY_A_S * 1.07 ** (air_c - 25.0)
        there = self.ugr_mg_l[self._zone_of] * np.exp(-fast * 3600 * (hours + 4.0))
        self.jump_ntu = self.jump_ntu * math.exp(-step_s / JUMP_TAU_S)
        for at, dma in enumerate(self._network.dmas):
            on = supplied(dma.windows, at_s)
            if on and not self._on[at]:
                self.jump_ntu[at] += JUMP_NTU
            self._on[at] = on
        clear = FILTERED_NTU + 0.05 * self._filter.at(at_s)
        settled = FILTERED_NTU + 0.08 + 0.06 * self._zone.at(at_s)
        streets = FILTERED_NTU + 0.15 + 0.08 * self._street.at(at_s) + self.jump_ntu
        self.signals = {
            "works_cl2": dosed, "ugr_cl2": self.ugr_mg_l, "dma_cl2": there,
            "works_ntu": np.maximum(clear, 0.05), "ugr_ntu": np.maximum(settled, 0.05),
            "dma_ntu": np.maximum(streets, 0.05),
            "water_c": np.array([14.0 + 0.45 * air_c]),
        }  # fmt: skip
