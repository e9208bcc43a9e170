"""The hydraulics, by EPANET: pressures, flows, leakage and levels, step by step."""

import os
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from epanet_plus import EpanetAPI
from epanet_plus.epanet_toolkit import EpanetConstants as Constants

from ic3.simulator.inp import LEAK_EXPANSION_MM2_M, inp
from ic3.simulator.network import Network, Pipe, Pump
from ic3.simulator.noise import Floats

# Warnings of a solution that was found all the same, such as negative pressure in a dry DMA.
WARNINGS: Final = [1, 2, 3, 4, 5, 6]
FOR_EVER_S: Final = 2_000_000_000
INIT_FLOWS: Final = 10
CURVE_POINTS: Final = 5


class Hydraulics:
    """A network that runs.

    Attributes:
        pressure_m: float64 (nodes,), m of water above ground; tanks: their level.
        head_m: float64 (nodes,).
        delivered_m3_h: float64 (junctions,), to consumers.
        leakage_m3_h: float64 (junctions,), from the pipes around.
        flow_m3_h: float64 (links,), in the direction of the link.
        into_tanks_m3_h: float64 (tanks,).
        out_of_reservoirs_m3_h: float64 (reservoirs,).
        warnings: Steps at which EPANET was not quite content.
    """

    def __init__(self, network: Network) -> None:
        self._api = api = EpanetAPI(use_project=True, ignore_error_codes=WARNINGS)
        api.createproject()
        api.openfrombuffer(inp(network), os.devnull, os.devnull, "")
        api.settimeparam(Constants.EN_DURATION, FOR_EVER_S)
        self._node = {api.getnodeid(i + 1): i for i in range(api.getcount(Constants.EN_NODECOUNT))}
        self._link = {api.getlinkid(i + 1): i for i in range(api.getcount(Constants.EN_LINKCOUNT))}
        self._junctions = len(network.junctions)
        self.tank_nodes = np.array(
            [self._node[tank.node.name] for tank in network.tanks], dtype=np.intp
        )
        self._reservoirs = np.array([self._node[node.name] for node in network.reservoirs])
        self._demands = [0.0] * len(self._node)
        self._set: dict[tuple[int, int], float] = {}
        self._curves: dict[str, float] = {}
        self.warnings = 0
        self._now_s = 0
        api.openH()
        api.initH(INIT_FLOWS)

    def node(self, name: str) -> int:
        """Place of a node in the arrays of nodes."""
        return self._node[name]

    def link(self, name: str) -> int:
        """Place of a link in the arrays of links."""
        return self._link[name]

    @property
    def levels_m(self) -> Floats:
        """float64 (tanks,): the water above each tank's floor."""
        levels: Floats = self.pressure_m[self.tank_nodes]
        return levels

    def restore(self, levels_m: Floats) -> None:
        """Begin anew with these levels; settings have to be made again."""
        for node, level in zip(self.tank_nodes, levels_m, strict=True):
            self._api.setnodevalue(int(node) + 1, Constants.EN_TANKLEVEL, float(level))
        self._api.initH(INIT_FLOWS)
        self._set.clear()
        self._now_s = 0

    def ask(self, request_m3_h: Floats) -> None:
        """Set what consumers ask for: float64 (junctions,)."""
        self._demands[: self._junctions] = request_m3_h.tolist()
        self._api.setnodevalues(Constants.EN_BASEDEMAND, self._demands)

    def set_speed(self, pump: Pump, share: float) -> None:
        """Speed as a share of the nominal one; 0 is off. Its status is never touched."""
        self._link_value(pump.name, Constants.EN_SETTING, share)

    def set_valve(self, name: str, setting: float) -> None:
        """Setting of a PRV in m or of an FCV in m3/h."""
        self._link_value(name, Constants.EN_SETTING, setting)

    def set_open(self, pipe: Pipe, *, is_open: bool) -> None:
        """Open or close a pipe."""
        self._link_value(pipe.name, Constants.EN_STATUS, float(is_open))

    def set_leak(self, pipe: Pipe, area_mm2: float) -> None:
        """Area of the leaks of a whole pipe, background included."""
        per_100_m = area_mm2 / (pipe.length_m / 100)
        expansion = LEAK_EXPANSION_MM2_M if per_100_m else 0.0
        self._link_value(pipe.name, Constants.EN_LEAK_AREA, per_100_m)
        self._link_value(pipe.name, Constants.EN_LEAK_EXPAN, expansion)

    def set_wear(self, pump: Pump, head_share: float) -> None:
        """Multiply the pump's curve; 1 is as new."""
        if self._curves.get(pump.name, 1.0) == head_share:
            return
        self._curves[pump.name] = head_share
        flows, heads = zip(*pump.curve(), strict=True)
        index = self._api.getcurveindex(pump.name)
        worn = [head * head_share for head in heads]
        self._api.setcurve(index, list(flows), worn, CURVE_POINTS)

    def solve(self) -> None:
        """Find pressures and flows of this moment; time stands still.

        Where EPANET finds none from the last flows, it begins anew from the levels.

        Raises:
            RuntimeError: It still finds none.
        """
        try:
            self._api.runH()
        except RuntimeError:
            self.warnings += 1
            settings = dict(self._set)
            self.restore(self.levels_m)
            for (place, kind), value in settings.items():
                self._api.setlinkvalue(place, kind, value)
            self._set = settings
            self._api.runH()
        self._read()

    def pass_time(self, step_s: int) -> None:
        """Let tanks fill and empty for so long, from the solution found."""
        ends = self._now_s + step_s
        while True:
            self._api.settimeparam(Constants.EN_HYDSTEP, ends - self._now_s)
            passed = self._api.nextH()
            self._now_s += passed
            if self._now_s >= ends or not passed:
                break
            # A tank that fills or empties ends a step early.
            self._api.runH()

    def close(self) -> None:
        """Give the engine's memory back."""
        self._api.closeH()
        self._api.close()
        self._api.deleteproject()

    def _link_value(self, name: str, kind: int, value: float) -> None:
        place = self._link[name] + 1
        if self._set.get((place, kind)) != value:
            self._set[place, kind] = value
            self._api.setlinkvalue(place, kind, value)

    def _read(self) -> None:
        api: Any = self._api
        nodes = self._junctions
        self.pressure_m = api.getnodevalues_numpy(Constants.EN_PRESSURE)
        self.head_m = api.getnodevalues_numpy(Constants.EN_HEAD)
        self.delivered_m3_h = api.getnodevalues_numpy(Constants.EN_DEMANDFLOW)[:nodes]
        self.leakage_m3_h = api.getnodevalues_numpy(Constants.EN_LEAKAGEFLOW)[:nodes]
        self.flow_m3_h = api.getlinkvalues_numpy(Constants.EN_FLOW)
        drawn = api.getnodevalues_numpy(Constants.EN_DEMAND)
        self.into_tanks_m3_h = drawn[self.tank_nodes]
        self.out_of_reservoirs_m3_h = -drawn[self._reservoirs]


def background_leaks(network: Network) -> Mapping[str, float]:
    """Pipe name to leak area in mm2 without any fault."""
    return {pipe.name: pipe.leak_area_mm2 * pipe.length_m / 100 for pipe in network.pipes}
