"""The network as an EPANET input file: what the engine opens, and what others may open too."""

from collections.abc import Iterable
from typing import Final

from ic3.simulator.network import Network

MINIMUM_PRESSURE_M: Final = 0.0
REQUIRED_PRESSURE_M: Final = 12.0
LEAK_EXPANSION_MM2_M: Final = (
    0.02  # area gained per m of head and 100 m of pipe: N1 between .5 and 1.5
)

OPTIONS: Final = f"""
[OPTIONS]
UNITS CMH
HEADLOSS H-W
DEMAND MODEL PDA
MINIMUM PRESSURE {MINIMUM_PRESSURE_M}
REQUIRED PRESSURE {REQUIRED_PRESSURE_M}
PRESSURE EXPONENT 0.5
ACCURACY 0.000001
TRIALS 200
UNBALANCED CONTINUE 20
[TIMES]
DURATION 24:00
HYDRAULIC TIMESTEP 0:05
[REPORT]
STATUS NO
SUMMARY NO
MESSAGES NO
"""


def inp(network: Network) -> str:
    """The text of the file, in metric units; consumption is set while it runs."""
    tanks = [each.node for each in network.tanks]
    sections = (
        ("TITLE", ["A Delhi-like utility, drawn from a seed"]),
        ("JUNCTIONS", [f"{n.name} {n.elevation_m} 0" for n in network.junctions]),
        ("RESERVOIRS", [f"{n.name} {n.elevation_m}" for n in network.reservoirs]),
        ("TANKS", [
            f"{t.node.name} {t.node.elevation_m} {t.initial_m} 0 {t.height_m} {t.diameter_m} 0"
            for t in network.tanks
        ]),
        ("PIPES", [
            f"{p.name} {p.start.name} {p.end.name} {p.length_m} {p.diameter_mm} {p.roughness} 0"
            for p in network.pipes
        ]),
        ("PUMPS", [f"{p.name} {p.start.name} {p.end.name} HEAD {p.name}" for p in network.pumps]),
        ("VALVES", [
            f"{v.name} {v.start.name} {v.end.name} {v.diameter_mm} {v.kind} {v.setting} 0"
            for v in network.valves
        ]),
        ("CURVES", [
            f"{p.name} {flow} {head}" for p in network.pumps for flow, head in p.curve()
        ]),
        ("LEAKAGE", [
            f"{p.name} {p.leak_area_mm2} {LEAK_EXPANSION_MM2_M}"
            for p in network.pipes if p.leak_area_mm2
        ]),
        ("COORDINATES", [
            f"{n.name} {n.longitude} {n.latitude}"
            for n in (*network.junctions, *network.reservoirs, *tanks)
        ]),
    )  # fmt: skip
    return "\n".join(_section(name, lines) for name, lines in sections) + OPTIONS + "[END]\n"


def _section(name: str, lines: Iterable[str]) -> str:
    return "\n".join([f"[{name}]", *lines, ""])
