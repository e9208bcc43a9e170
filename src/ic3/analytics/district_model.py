"""A district's pipes in a steady state, and what a leak at each node does to its pressures.

Source:
    Todini, E. and Pilati, S. (1988), A gradient algorithm for the analysis of pipe networks;
    losses by Hazen and Williams.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.inflow import HOUR_S, Floats
from ic3.analytics.localisation import SignatureLibrary
from ic3.errors import InputError

POWER: Final = 1.852
# Dense matrices: seconds for so many.
MOST_NODES: Final = 1000
MOST_STEPS: Final = 100
CLOSE: Final = 1e-6
LEAST_GRADIENT: Final = 1e-2  # s/m2; a pipe at rest
UNIT_LEAK_M3_H: Final = 1.0


@dataclass(frozen=True, slots=True)
class Pipe:
    """Open, between two nodes; length in m, diameter in mm, roughness by Hazen and Williams."""

    start: str
    end: str
    length_m: float
    diameter_mm: float
    roughness: float

    @property
    def resistance(self) -> float:
        """Loss in m at 1 m3/s."""
        bore_m = self.diameter_mm / 1000
        return float(10.667 * self.length_m / (self.roughness**POWER * bore_m**4.871))


def leak_signatures(
    pipes: Sequence[Pipe], demand_m3_h: Mapping[str, float], held: Collection[str],
    points: Sequence[str],
) -> SignatureLibrary:  # fmt: skip
    """Change of pressure at the points by a leak of 1 m3/h at each node, by the slopes at night.

    Args:
        pipes: Of the district.
        demand_m3_h: At night, by node.
        held: Nodes whose pressure does not change with the district's flow: where water comes in.
        points: Nodes at which pressure is read.

    Raises:
        InputError: Nothing is held, a node is cut off, or there are too many.
    """
    nodes = sorted({name for pipe in pipes for name in (pipe.start, pipe.end)} - set(held))
    if not held or not nodes:
        raise InputError("network model: no node where water comes in, or no pipe behind it")
    if len(nodes) > MOST_NODES:
        raise InputError(f"network model: {len(nodes)} nodes; at most {MOST_NODES} are solved")
    place = {name: at for at, name in enumerate(nodes)}
    missing = [name for name in points if name not in place]
    if missing:
        raise InputError(f"network model: no pipe leads to {missing[0]}, or its pressure is held")
    joined = np.zeros((len(pipes), len(nodes)))
    for row, pipe in enumerate(pipes):
        for name, sign in ((pipe.start, 1.0), (pipe.end, -1.0)):
            if name in place:
                joined[row, place[name]] += sign
    resistance = np.array([pipe.resistance for pipe in pipes])
    demand = np.array([demand_m3_h.get(name, 0.0) for name in nodes]) / HOUR_S
    try:
        inverse = np.linalg.inv(_slopes(joined, resistance, demand))
    except np.linalg.LinAlgError:
        raise InputError(
            "network model: some nodes are cut off from where water comes in"
        ) from None
    change = -inverse[:, [place[name] for name in points]] * UNIT_LEAK_M3_H / HOUR_S
    return SignatureLibrary(tuple(nodes), change)


def _slopes(joined: Floats, resistance: Floats, demand: Floats) -> Floats:
    """How the balance of each node changes with the heads, in the steady state."""
    flow = np.full(len(resistance), max(float(demand.sum()), CLOSE) / 2)
    for _ in range(MOST_STEPS):
        gradient = np.maximum(POWER * resistance * np.abs(flow) ** (POWER - 1), LEAST_GRADIENT)
        loss = resistance * flow * np.abs(flow) ** (POWER - 1)
        matrix: Floats = (joined / gradient[:, None]).T @ joined
        head = np.linalg.solve(matrix, -demand - joined.T @ (flow - loss / gradient))
        before, flow = flow, flow - (loss - joined @ head) / gradient
        if np.abs(flow - before).sum() <= CLOSE * max(float(np.abs(flow).sum()), CLOSE):
            return matrix
    raise InputError("network model: the flows of its pipes do not settle")
