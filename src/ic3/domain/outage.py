"""What shutting a pipe off means: who is without water, in numbers, for one who may see so much."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from ic3.domain.geo import Position
from ic3.domain.isolation import Isolation, ShutOff, ValveGraph
from ic3.domain.mapping import Register
from ic3.domain.network import Network, Node, NodeKind
from ic3.domain.users import Principal


class ValveView(msgspec.Struct):
    """A valve; `is_link` says whether it is a link of the hydraulic model."""

    valve: str
    link: str
    node: str
    asset_serial: str | None
    is_link: bool
    position: Position | None


class AreaView(msgspec.Struct):
    """What an area loses; `nodes` of `of_nodes` junctions."""

    dma_id: str
    name: str | None
    nodes: int
    of_nodes: int
    demand_m3_h: float
    connections: int | None


class AlternativeView(msgspec.Struct):
    """Where a valve does not shut: what to shut instead, and who is cut off besides."""

    valve: str
    instead: list[str]
    more_nodes: int
    more_demand_m3_h: float


class CutOff(msgspec.Struct):
    """Who is without water.

    Attributes:
        nodes: In the segment and beyond it.
        beyond: Those outside of the segment.
        connections: Null where nobody counted them.
        connections_estimated: Whether they are the areas' counts, shared out by demand.
    """

    nodes: list[str]
    beyond: list[str]
    demand_m3_h: float
    connections: int | None
    connections_estimated: bool
    dmas: list[AreaView]
    assets: list[str]


class Trace(msgspec.Struct):
    """What it takes to shut a pipe off.

    Attributes:
        complete: Whether every valve to be shut is in the caller's scope; ask before any work.
        shut: Valves to be shut.
        already_shut: Valves around it that are shut.
        stuck: Valves known to be stuck, which the trace went past.
        pipes: What is emptied.
        on_tanks: Nodes that have water for as long as a tank lasts.
        openable: Closed links that would bring water to who is cut off beyond.
    """

    pipe: str
    complete: bool
    shut: list[ValveView]
    already_shut: list[ValveView]
    stuck: list[ValveView]
    pipes: list[str]
    pipes_m: float
    cut_off: CutOff
    on_tanks: list[str]
    openable: list[str]
    alternatives: list[AlternativeView]


class Outage:
    """The view of one isolation.

    Args:
        network: In which it is.
        graph: Whose it is.
        found: The isolation.
        who: For whom.
    """

    def __init__(
        self, network: Network, graph: ValveGraph, found: Isolation, who: Principal
    ) -> None:
        self._network = network
        self._valves = graph.valves
        self._found = found
        self._who = who

    def trace(self, homes: Mapping[str, str], register: Register) -> Trace:
        """What is shown.

        Args:
            homes: Serial number of an asset to the node it stands at.
            register: Which says whose the assets are.
        """
        found, segment = self._found, self._found.segment
        pipes = [name for name in sorted(segment.links) if self._sees_link(name)]
        shut = [self._valves[name] for name in segment.shut]
        seen = self._views(shut, register)
        return Trace(
            pipe=found.link, complete=len(seen) == len(shut),
            shut=self._views((each for each in shut if not each.closed), register),
            already_shut=self._views((each for each in shut if each.closed), register),
            stuck=self._views((self._valves[name] for name in segment.passed), register),
            pipes=pipes,
            pipes_m=round(sum(self._network.links[name].length_m or 0.0 for name in pipes), 1),
            cut_off=self._cut_off(self._assets(homes, register)),
            on_tanks=self._seen_nodes(found.by_tank_only),
            openable=[name for name in found.openable if self._sees_link(name)],
            alternatives=self._alternatives(),
        )  # fmt: skip

    def _cut_off(self, assets: list[str]) -> CutOff:
        names = self._seen_nodes(self._found.cut_off)
        nodes = [self._network.nodes[name] for name in names]
        dmas = self._areas(nodes)
        known = [each.connections for each in nodes if each.connections is not None]
        estimates = [each.connections for each in dmas if each.connections is not None]
        estimated = not known and bool(estimates)
        counted = estimates if estimated else known
        return CutOff(
            names, self._seen_nodes(self._found.beyond), _demand(nodes),
            sum(counted) if counted else None, estimated, dmas, assets,
        )  # fmt: skip

    def _areas(self, cut: Collection[Node]) -> list[AreaView]:
        lost = _by_area(cut)
        whole = _by_area(
            each for each in self._network.nodes.values()
            if each.dma_id in lost and each.kind is NodeKind.JUNCTION
        )  # fmt: skip
        return [self._area(dma_id, lost[dma_id], whole.get(dma_id, [])) for dma_id in sorted(lost)]

    def _area(self, dma_id: str, lost: Collection[Node], whole: Collection[Node]) -> AreaView:
        area = self._network.areas.get(dma_id)
        counted = [each.connections for each in lost if each.connections is not None]
        connections = sum(counted) if counted else None
        if connections is None and area is not None and area.connections is not None:
            connections = round(area.connections * _share(lost, whole))
        name = None if area is None else area.name
        return AreaView(dma_id, name, len(lost), len(whole), _demand(lost), connections)

    def _assets(self, homes: Mapping[str, str], register: Register) -> list[str]:
        """Assets on what is emptied, or at a node without water."""
        segment, cut = self._found.segment, self._found.cut_off
        on_links = {self._network.links[name].asset_serial for name in segment.links}
        found = {serial for serial, node in homes.items() if node in cut} | on_links
        return sorted(
            serial for serial in found
            if serial is not None and self._sees_asset(serial, register)
        )  # fmt: skip

    def _alternatives(self) -> list[AlternativeView]:
        found = []
        for each in self._found.alternatives:
            instead = [name for name in each.instead if self._sees_link(self._valves[name].link)]
            if self._sees_link(self._valves[each.valve].link):
                more = self._seen_nodes(each.nodes)
                demand = _demand([self._network.nodes[name] for name in more])
                found.append(AlternativeView(each.valve, instead, len(more), demand))
        return found

    def _views(self, valves: Iterable[ShutOff], register: Register) -> list[ValveView]:
        found = []
        for valve in valves:
            if self._sees_link(valve.link):
                serial = valve.asset_serial
                if serial is not None and not self._sees_asset(serial, register):
                    serial = None
                found.append(
                    ValveView(
                        valve.name, valve.link, valve.node, serial, valve.model,
                        self._position(valve),
                    )
                )  # fmt: skip
        return found

    def _position(self, valve: ShutOff) -> Position | None:
        known = self._network.valves.get(valve.name)
        if known is not None:
            return self._network.position_of(known)
        return self._network.nodes[valve.node].position

    def _seen_nodes(self, names: Collection[str]) -> list[str]:
        nodes = self._network.nodes
        return [
            name for name in sorted(names)
            if self._who.sees(self._network.domain_of(nodes[name].dma_id))
        ]  # fmt: skip

    def _sees_link(self, name: str) -> bool:
        return self._who.sees(self._network.domain_of(self._network.links[name].dma_id))

    def _sees_asset(self, serial: str, register: Register) -> bool:
        asset = register.assets.get(serial)
        return self._who.sees(asset.domain if asset else None)


def _by_area(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for each in nodes:
        if each.dma_id is not None:
            found.setdefault(each.dma_id, []).append(each)
    return found


def _demand(nodes: Collection[Node]) -> float:
    return round(sum(each.demand_m3_h or 0.0 for each in nodes), 3)


def _share(some: Collection[Node], of: Collection[Node]) -> float:
    """What part of an area some of its nodes are: by demand, by number where there is none."""
    whole = sum(each.demand_m3_h or 0.0 for each in of)
    if whole > 0:
        return min(1.0, sum(each.demand_m3_h or 0.0 for each in some) / whole)
    return min(1.0, len(some) / len(of)) if of else 0.0
