"""Where in a district a leak may be: its pressures before and since, by the pipe network."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from ic3.analytics.district_model import Pipe, leak_signatures
from ic3.analytics.dma import DMA
from ic3.analytics.inflow import DAY_S, Floats, Readings
from ic3.analytics.localisation import FEWEST_POINTS, locate
from ic3.domain.geo import Position, distance_m
from ic3.domain.network import Link, LinkKind, LinkStatus, Network, NodeKind
from ic3.domain.nrw import LeakArea, LeakPlace
from ic3.errors import InputError

# A pressure point stands for the nearest node within so far.
NEAREST_M: Final = 150.0
DAYS_BEFORE: Final = 7
SHOWN: Final = 10
# Of the mean consumption; ours.
NIGHT_SHARE: Final = 0.4
# Below it a roughness is none of Hazen and Williams, but of another formula.
LEAST_ROUGHNESS: Final = 20.0


def leak_area(
    network: Network, dma: DMA, readings: Readings, positions: Mapping[str, Position],
    *, since_s: float, until_s: float,
) -> LeakArea:  # fmt: skip
    """The nodes whose leak would change the pressures as they changed, or why there are none.

    The last day at most since the leak began is compared with the same hours of the seven days
    before it. That the demand was alike and that no sensor has a bias is taken for granted.

    Args:
        network: With the district's pipes.
        dma: The district.
        readings: Of its pressure points, m, from a week before the leak on.
        positions: Serial number to longitude and latitude of pressure points.
        since_s: Estimated begin of the leak, seconds since 1970 UTC.
        until_s: Now.
    """
    pipes = {
        name: each for name, each in network.links.items()
        if each.dma_id == dma.dma_id and _is_open_pipe(each)
    }  # fmt: skip
    if not pipes:
        return _nowhere("no pipes of this district in the network; import them first")
    inside = {name for each in pipes.values() for name in (each.from_node, each.to_node)}
    nodes = _nodes_of(network, dma, readings, positions, inside)
    if len(nodes) < FEWEST_POINTS:
        return _nowhere(
            f"{len(nodes)} pressure points with readings and a node of the network;"
            f" {FEWEST_POINTS} are needed"
        )
    before = [
        _mean(readings, list(nodes), since_s, until_s, days) for days in range(1, 30)
        if until_s - days * DAY_S <= since_s
    ][:DAYS_BEFORE]  # fmt: skip
    after = _mean(readings, list(nodes), since_s, until_s, 0)
    try:
        library = leak_signatures(
            [_pipe(each) for each in pipes.values()],
            {name: NIGHT_SHARE * (network.nodes[name].demand_m3_h or 0.0) for name in inside},
            _held(network, set(pipes), inside), list(nodes.values()),
        )  # fmt: skip
        found = locate(library, np.array(before), after[None, :])
    except InputError as error:
        return _nowhere(str(error))
    if not found:
        return _nowhere("pressures have not fallen as by a leak at any node")
    best = network.nodes[found[0].node].position
    return LeakArea(
        reason="", points=sorted(nodes),
        places=[
            _place(network, each.node, each.match, best) for each in found[:SHOWN]
        ],
    )  # fmt: skip


def _nowhere(reason: str) -> LeakArea:
    return LeakArea(reason=reason, points=[], places=[])


def _is_open_pipe(link: Link) -> bool:
    return (
        link.kind is LinkKind.PIPE and link.status is not LinkStatus.CLOSED
        and bool(link.length_m and link.diameter_mm)
        and (link.roughness or 0.0) >= LEAST_ROUGHNESS
    )  # fmt: skip


def _pipe(link: Link) -> Pipe:
    return Pipe(
        link.from_node, link.to_node, link.length_m or 0.0, link.diameter_mm or 0.0,
        link.roughness or 0.0,
    )  # fmt: skip


def _held(network: Network, pipes: set[str], inside: set[str]) -> set[str]:
    """Where water comes in: nodes that an open link joins with the outside, and tanks."""
    held = {name for name in inside if network.nodes[name].kind is not NodeKind.JUNCTION}
    for name, link in network.links.items():
        if name not in pipes and link.status is not LinkStatus.CLOSED:
            ends = {link.from_node, link.to_node}
            held |= ends & inside if ends - inside else set()
    return held


def _nodes_of(
    network: Network, dma: DMA, readings: Readings, positions: Mapping[str, Position],
    inside: set[str],
) -> dict[str, str]:  # fmt: skip
    """Series of each pressure point to its node, as the definition says or the nearest."""
    found: dict[str, str] = {}
    for point in dma.pressure_points:
        if point.key not in readings.values:
            continue
        node = point.node
        if node is None and point.serial in positions:
            node = _nearest(network, positions[point.serial], inside)
        if node is not None and node in inside and node not in found.values():
            found[point.key] = node
    return found


def _nearest(network: Network, position: Position, inside: set[str]) -> str | None:
    far = [
        (distance_m(position, place), name)
        for name in sorted(inside) if (place := network.nodes[name].position) is not None
    ]  # fmt: skip
    least = min(far, default=None)
    return None if least is None or least[0] > NEAREST_M else least[1]


def _mean(
    readings: Readings, keys: list[str], since_s: float, until_s: float, days_before: int
) -> Floats:
    """Mean pressures since the leak, a day at most, or as many days before at the same hours."""
    begin_s = max(since_s, until_s - DAY_S) - days_before * DAY_S
    end_s = until_s - days_before * DAY_S
    first, last = np.searchsorted(readings.at_s, (begin_s, end_s))
    means = np.full(len(keys), np.nan)
    for at, key in enumerate(keys):
        part = readings.values[key][first:last]
        known = part[np.isfinite(part)]
        if known.size:
            means[at] = known.mean()
    return means


def _place(network: Network, name: str, match: float, best: Position | None) -> LeakPlace:
    position = network.nodes[name].position
    far_m = None if position is None or best is None else round(distance_m(position, best))
    longitude, latitude = position or (None, None)
    return LeakPlace(
        node=name, match=round(match, 4), from_best_m=far_m, longitude=longitude, latitude=latitude
    )
