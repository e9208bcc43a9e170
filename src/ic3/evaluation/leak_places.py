"""Leaks of which the place is known, on a district of streets, to score localisation.

The plant's own districts have two pressure points and twenty nodes each: too few to tell places
apart. This one has as many points and candidates as a well-instrumented utility's district.
"""

import math
from typing import Final

import numpy as np

from ic3.analytics.district_model import Pipe as ModelPipe
from ic3.analytics.district_model import leak_signatures
from ic3.analytics.inflow import Floats
from ic3.analytics.localisation import SignatureLibrary, locate, signature_library
from ic3.simulator.hydraulics import Hydraulics
from ic3.simulator.network import MATERIALS, THIS_YEAR, Network, Node, Pipe

SIDE: Final = 28
STREET_M: Final = 90.0
POINTS: Final = 33
LEAKS: Final = 33
NIGHTS: Final = 7
NIGHT_USE_M3_H: Final = 0.08  # a node
LEAK_M3_H: Final = 8.0
DEMAND_NOISE: Final = 0.20
ROUGHNESS_ERROR: Final = 0.10
READING_M: Final = 0.01
NEAR_M: Final = 300.0
MATERIAL: Final = "CI"


class District:
    """A grid of streets fed at two corners, as it is or as its model believes it to be.

    Args:
        seed: Draws streets, heights and use; the same seed draws the same district.
        roughness_error: Standard deviation of the pipes' roughness, as a share; 0 is the model.
    """

    def __init__(self, seed: int, *, roughness_error: float) -> None:
        draw = np.random.default_rng(seed)
        self.network = _streets(draw, roughness_error)
        self.use_m3_h = NIGHT_USE_M3_H * draw.gamma(2.0, 0.5, len(self.network.junctions))
        self._water = Hydraulics(self.network)
        self._index = {node.name: at for at, node in enumerate(self.network.junctions)}
        self.points = _spread(self.network.junctions)

    def pressures(self, leaks_m3_h: dict[str, float], use_m3_h: Floats) -> Floats:
        """Steady pressures at the points, m: float64 (points,)."""
        demand = use_m3_h.copy()
        for node, flow in leaks_m3_h.items():
            demand[self._index[node]] += flow
        self._water.ask(demand)
        self._water.solve()
        found: Floats = self._water.pressure_m[self.points]
        return found

    def close(self) -> None:
        """Give the engine's memory back."""
        self._water.close()


def model_library(seed: int) -> SignatureLibrary:
    """Signatures of every node, by the model of the district: without errors of roughness."""
    model = District(seed, roughness_error=0.0)
    library = signature_library(
        [node.name for node in model.network.junctions],
        lambda node: model.pressures({node: LEAK_M3_H} if node else {}, model.use_m3_h),
    )
    model.close()
    return library


def slopes_library(seed: int) -> SignatureLibrary:
    """The same by the slopes of one state of the network, as the live engine does it."""
    model = District(seed, roughness_error=0.0)
    nodes = [node.name for node in model.network.junctions]
    pipes = [
        ModelPipe(
            each.start.name, each.end.name, each.length_m, each.diameter_mm,
            each.roughness,
        )
        for each in model.network.pipes
    ]  # fmt: skip
    library = leak_signatures(
        pipes, dict(zip(nodes, model.use_m3_h.tolist(), strict=True)),
        {each.name for each in model.network.reservoirs}, [nodes[at] for at in model.points],
    )  # fmt: skip
    model.close()
    return library


def distances_m(seed: int, library: SignatureLibrary, *, at_once: int = 1) -> list[float]:
    """How far from the true place the best candidate lies, one a leak.

    Args:
        seed: Draws district, leaks and noise.
        library: Of the district of this seed.
        at_once: Leaks of which the others run from before, unknown to the model.
    """
    truth = District(seed, roughness_error=ROUGHNESS_ERROR)
    draw = np.random.default_rng(seed + 1)
    places = {node.name: node for node in truth.network.junctions}
    far = []
    for _ in range(LEAKS):
        names = draw.choice(list(places), at_once, replace=False).tolist()
        others = dict.fromkeys(names[1:], LEAK_M3_H)
        before = _nights(truth, draw, others)
        after = _nights(truth, draw, {**others, names[0]: LEAK_M3_H})
        true = places[names[0]]
        best = places[locate(library, before, after)[0].node]
        far.append(math.hypot(best.x_m - true.x_m, best.y_m - true.y_m))
    truth.close()
    return far


def blind_share(seed: int) -> float:
    """Share of the places within 300 m of the middle: the best answer without a look."""
    draw = np.random.default_rng(seed)
    middle = SIDE * STREET_M / 2
    nodes = _streets(draw, 0.0).junctions
    near = [math.hypot(node.x_m - middle, node.y_m - middle) <= NEAR_M for node in nodes]
    return sum(near) / len(near)


def _nights(district: District, draw: np.random.Generator, leaks: dict[str, float]) -> Floats:
    """Pressures of nights with their own demand, as read: float64 (nights, points)."""
    nights = []
    for _ in range(NIGHTS):
        noise = 1 + DEMAND_NOISE * draw.standard_normal(len(district.use_m3_h))
        nights.append(district.pressures(leaks, district.use_m3_h * np.maximum(noise, 0.0)))
    return np.round(np.array(nights) / READING_M) * READING_M


def _streets(draw: np.random.Generator, roughness_error: float) -> Network:
    """Mains along every seventh street; a third of the small loops left out."""
    network = Network()
    for number in range(SIDE * SIDE):
        row, column = divmod(number, SIDE)
        x, y = (float(step * STREET_M + draw.uniform(-15, 15)) for step in (column, row))
        network.junctions.append(Node(f"J{number}", x, y, 10 + 4 * math.sin(x / 700)))
    errors = np.random.default_rng(draw.integers(1 << 30)).standard_normal(4 * SIDE * SIDE)
    for number in range(SIDE * SIDE):
        row, column = divmod(number, SIDE)
        for step, inside, line in ((1, column < SIDE - 1, row), (SIDE, row < SIDE - 1, column)):
            main = line % 7 == 3
            if not inside or not (main or step == SIDE or draw.random() < 0.67):
                continue
            start, end = network.junctions[number], network.junctions[number + step]
            share = 1 + roughness_error * errors[len(network.pipes)]
            network.pipes.append(
                Pipe(
                    f"P{len(network.pipes)}", start, end,
                    round(math.hypot(end.x_m - start.x_m, end.y_m - start.y_m), 1),
                    150.0 if main else 80.0, MATERIAL, _laid(110 * share),
                )
            )  # fmt: skip
    for name, corner in (("R1", 3 * SIDE + 3), ("R2", (SIDE - 5) * SIDE + SIDE - 5)):
        node = network.junctions[corner]
        inlet = Node(name, node.x_m - 10, node.y_m, 50.0)
        network.reservoirs.append(inlet)
        network.pipes.append(Pipe(f"{name}M", inlet, node, 50.0, 250.0, MATERIAL, _laid(110)))
    return network


def _laid(roughness: float) -> int:
    """The year in which a pipe was laid that has this roughness now."""
    new, a_year, _ = MATERIALS[MATERIAL]
    return round(THIS_YEAR - (new - roughness) / a_year)


def _spread(nodes: list[Node]) -> list[int]:
    """Places of the pressure points: each as far as can be from those before it."""
    places = np.array([(node.x_m, node.y_m) for node in nodes])
    chosen = [len(nodes) // 2 + SIDE // 2]
    nearest = np.full(len(nodes), np.inf)
    while len(chosen) < POINTS:
        nearest = np.minimum(nearest, np.linalg.norm(places - places[chosen[-1]], axis=1))
        chosen.append(int(nearest.argmax()))
    return chosen
