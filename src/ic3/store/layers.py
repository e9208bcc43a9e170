"""The map's layers: the network of the database joined with what is live, encoded once."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ic3.clock import Clock
from ic3.domain.etags import Encoded
from ic3.domain.geo import Box, Position, distance_m, distance_to_line_m
from ic3.domain.isolation import ValveGraph
from ic3.domain.layers import Feature, Layer, Layers, Missing
from ic3.domain.mapping import Register
from ic3.domain.network import Link, Network
from ic3.domain.users import Principal
from ic3.store.network import NetworkStore
from ic3.turns import in_turns

KEPT: Final = 32
MISSING_SHOWN: Final = 1000
NEAR_M: Final = 500.0
# An asset further from every node is of none.
OF_NODE_M: Final = 250.0
CELL_DEGREES: Final = 0.005

_encode = msgspec.json.Encoder().encode


class _Kept(NamedTuple):
    """What a document was made of."""

    features: list[Feature]
    missing: list[Missing]
    document: Encoded


class MapReader:
    """Answers what lies where, for one who asks.

    Args:
        store: The network.
        layers: Makes the features.
        clock: Says which states are old.
    """

    def __init__(self, store: NetworkStore, layers: Layers, *, clock: Clock) -> None:
        self._store = store
        self._layers = layers
        self._clock = clock
        self._kept: OrderedDict[tuple[str, Box | None, frozenset[str] | None], _Kept] = (
            OrderedDict()
        )
        self._graph: tuple[Network, ValveGraph] | None = None
        self._homes: tuple[Network, Register, dict[str, str]] | None = None

    async def network(self) -> Network:
        """The network as it is."""
        return await self._store.current()

    async def layer(self, name: str, who: Principal, box: Box | None = None) -> Layer:
        """What somebody may see of a layer, by name; of assets only those in a box."""
        network = await self._store.current()
        building = self._layers.build(
            name, network, now=self._clock.monotonic(), now_us=self._clock.now_us(), box=box
        )
        whole = await in_turns(building)
        if who.domains is None:
            return whole
        return Layer(
            [each for each in whole.features if who.sees(each.domain)],
            [each for each in whole.missing if who.sees(each.domain)],
        )

    async def document(self, name: str, who: Principal, box: Box | None) -> Encoded:
        """A layer as one FeatureCollection; the same object as long as nothing in it changes."""
        layer = await self.layer(name, who, box)
        features = layer.features
        if box is not None:
            features = [each for each in features if each.meets(box)]
        key = (name, box, who.domains)
        kept = self._kept.get(key)
        if kept is None or kept.features != features or kept.missing != layer.missing:
            kept = _Kept(features, layer.missing, Encoded(_collection(features, layer.missing)))
            self._kept[key] = kept
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept.document

    async def graph(self) -> tuple[Network, ValveGraph]:
        """The network and its valves, made ready once for each version."""
        network = await self._store.current()
        if self._graph is None or self._graph[0] is not network:
            self._graph = (network, await asyncio.to_thread(ValveGraph, network))
        return self._graph

    async def homes(self, network: Network, register: Register) -> dict[str, str]:
        """The node that each asset of the register stands at, by serial number."""
        known = self._homes
        if known is None or known[0] is not network or known[1] is not register:
            made = await asyncio.to_thread(nearest_nodes, network, register)
            known = self._homes = (network, register, made)
        return known[2]


def nearest_link(network: Network, position: Position, who: Principal) -> Link | None:
    """The link that lies nearest to a position; None where none is within 500 m."""
    near_degrees = 0.01
    best: tuple[float, Link] | None = None
    for link in network.links.values():
        line = network.line_of(link)
        if line is None or not who.sees(network.domain_of(link.dma_id)):
            continue
        if not _is_near(line, position, near_degrees):
            continue
        away_m = distance_to_line_m(position, line)
        if away_m <= NEAR_M and (best is None or away_m < best[0]):
            best = (away_m, link)
    return best and best[1]


def _is_near(line: Sequence[Position], position: Position, degrees: float) -> bool:
    """A quick look, before metres are reckoned."""
    x, y = position
    return (
        min(each[1] for each in line) - degrees <= y <= max(each[1] for each in line) + degrees
        and min(each[0] for each in line) - degrees <= x <= max(each[0] for each in line) + degrees
    )


def _collection(features: Sequence[Feature], missing: Sequence[Missing]) -> bytes:
    shown: list[dict[str, Any]] = [
        {"id": each.id, "reason": each.reason} for each in missing[:MISSING_SHOWN]
    ]
    tail = _encode({"count": len(missing), "items": shown})
    return b"".join(
        (
            b'{"type":"FeatureCollection","count":', str(len(features)).encode(), b',"features":[',
            b",".join([each.body for each in features]), b'],"not_on_map":', tail, b"}",
        )
    )  # fmt: skip


def nearest_nodes(network: Network, register: Register) -> dict[str, str]:
    """The node within 250 m that each asset stands at, by serial number."""
    cells: dict[tuple[int, int], list[tuple[Position, str]]] = {}
    for node in network.nodes.values():
        if node.position is not None:
            cells.setdefault(_cell(node.position), []).append((node.position, node.node_id))
    found = {}
    for asset in register.assets.values():
        if asset.longitude is None or asset.latitude is None:
            continue
        place = (asset.longitude, asset.latitude)
        if not (abs(place[0]) <= 180 and abs(place[1]) <= 90):
            continue
        x, y = _cell(place)
        near = [
            (distance_m(place, at), name)
            for column in (x - 1, x, x + 1) for row in (y - 1, y, y + 1)
            for at, name in cells.get((column, row), ())
        ]  # fmt: skip
        away_m, name = min(near, default=(OF_NODE_M, ""))
        if away_m < OF_NODE_M:
            found[asset.serial] = name
    return found


def _cell(position: Position) -> tuple[int, int]:
    return int(position[0] // CELL_DEGREES), int(position[1] // CELL_DEGREES)
