"""Which valves shut a pipe off, and who is then without water.

The network is a graph of nodes and links; a shut-off valve stands on a link next to one of its
nodes and cuts the link from that node. What is still joined when every valve is shut is a
segment: to repair a pipe, its segment is emptied. A valve that is stuck shuts nothing, so the
segments on both of its sides are emptied together.

Source:
    Walski, T. M. (1993), Water distribution valve topology for reliability analysis; the valve
    layer is that of WNTR (`wntr.metrics.topographic.valve_segments`), compared in
    docs/results/isolation.md.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ic3.domain.network import Link, LinkKind, LinkStatus, Network, NodeKind

# Water does not pass them from the end to the start.
ONE_WAY_VALVES: Final = {"PRV", "PSV", "FCV"}
ALTERNATIVES_LIMIT: Final = 50
# Each alternative walks the whole network: in a large one only the first few are tried.
WALKED_LIMIT: Final = 500_000
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class ShutOff:
    """A valve of the graph.

    Attributes:
        stuck: Whether it is known not to shut; one that is stuck shut is not.
        model: Whether it is a link of the hydraulic model, which can be shut like any valve.
        closed: Whether it is shut already.
    """

    name: str
    link: str
    node: str
    stuck: bool = False
    model: bool = False
    closed: bool = False
    asset_serial: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """What is emptied together.

    Attributes:
        shut: Valves to be shut, by name, in the order of their names.
        passed: Stuck valves that had to be left open.
    """

    nodes: frozenset[str]
    links: frozenset[str]
    shut: tuple[str, ...]
    passed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """What to do where a valve does not shut.

    Attributes:
        instead: Valves to be shut instead of it; empty where nothing else shuts it off.
        nodes: Nodes without water besides.
    """

    valve: str
    instead: tuple[str, ...]
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Isolation:
    """What it takes to shut a link off.

    Attributes:
        alternatives: For each valve to be shut, or for as many as there is time.
        beyond: Nodes outside of the segment that water no longer reaches.
        by_tank_only: Nodes that still have water, but only as long as a tank lasts.
        openable: Closed links between who is without water beyond and who has some.
    """

    link: str
    segment: Segment
    beyond: frozenset[str]
    by_tank_only: frozenset[str]
    openable: tuple[str, ...]
    alternatives: tuple[Alternative, ...] = field(default=())

    @property
    def cut_off(self) -> frozenset[str]:
        """Every node without water."""
        return self.segment.nodes | self.beyond


class ValveGraph:
    """A network with its valves, ready to be asked.

    Args:
        network: Whose nodes and links all name each other.
    """

    def __init__(self, network: Network) -> None:
        self._links = network.links
        self._at_node: dict[str, list[str]] = {name: [] for name in network.nodes}
        for link in network.links.values():
            self._at_node[link.from_node].append(link.link_id)
            self._at_node[link.to_node].append(link.link_id)
        self.valves = {each.name: each for each in shut_offs(network)}
        self._cuts: dict[tuple[str, str], list[str]] = {}
        for valve in self.valves.values():
            self._cuts.setdefault((valve.link, valve.node), []).append(valve.name)
        self._reservoirs = self._of_kind(network, NodeKind.RESERVOIR)
        self._tanks = self._of_kind(network, NodeKind.TANK)
        self._leads = {name: self._ways_from(name) for name in network.nodes}
        self._usual = self._reached(self._reservoirs | self._tanks)

    def isolate(self, link: str) -> Isolation:
        """What it takes to shut a link off, and what else may be done.

        Args:
            link: Its name; a valve of the model is then taken to be broken itself.
        """
        own = {each.name for each in self.valves.values() if each.model and each.link == link}
        stuck = {each.name for each in self.valves.values() if each.stuck} | own
        segment = self.segment(link, stuck)
        segment = replace(segment, passed=tuple(each for each in segment.passed if each not in own))
        beyond, by_tank = self._without(segment)
        cut = segment.nodes | beyond
        alternatives = []
        open_ones = [each for each in segment.shut if not self.valves[each].closed]
        most = min(ALTERNATIVES_LIMIT, max(1, WALKED_LIMIT // len(self._at_node)))
        for valve in open_ones[:most]:
            wider = self.segment(link, stuck | {valve})
            more_beyond, _ = self._without(wider)
            instead = tuple(each for each in wider.shut if each not in segment.shut)
            alternatives.append(Alternative(valve, instead, (wider.nodes | more_beyond) - cut))
        return Isolation(
            link, segment, beyond, by_tank, self._openable(segment, beyond), tuple(alternatives)
        )

    def segment(self, link: str, stuck: Collection[str] = ()) -> Segment:
        """What is emptied together with a link.

        Args:
            link: Its name.
            stuck: Names of valves that shut nothing.
        """
        nodes, links = set[str](), {link}
        met, passed = set[str](), set[str]()
        waiting = [link]
        while waiting:
            each = waiting.pop()
            ends = self._links[each]
            for node in (ends.from_node, ends.to_node):
                if self._is_cut(each, node, stuck, met, passed) or node in nodes:
                    continue
                nodes.add(node)
                for other in self._at_node[node]:
                    if other in links or self._is_cut(other, node, stuck, met, passed):
                        continue
                    links.add(other)
                    waiting.append(other)
        return Segment(
            frozenset(nodes), frozenset(links), tuple(sorted(
                name for name in met if self._divides(self.valves[name], nodes, links)
            )), tuple(sorted(passed)),
        )  # fmt: skip

    def _divides(self, valve: ShutOff, nodes: Collection[str], links: Collection[str]) -> bool:
        """Whether one of its sides is emptied and the other is not."""
        return (valve.node in nodes) != (valve.link in links)

    def _is_cut(
        self, link: str, node: str, stuck: Collection[str], met: set[str], passed: set[str]
    ) -> bool:
        names = self._cuts.get((link, node))
        if not names:
            return False
        usable = [name for name in names if name not in stuck]
        if not usable:
            passed.update(names)
            return False
        # One is enough; the first by name, so that the same question has the same answer.
        met.add(min(usable))
        return True

    def _without(self, segment: Segment) -> tuple[frozenset[str], frozenset[str]]:
        """Nodes that lose their water beyond a segment, and those that only a tank still feeds."""
        gone = segment.nodes
        reached = self._reached((self._reservoirs | self._tanks) - gone, segment)
        from_works = self._reached(self._reservoirs - gone, segment)
        usually = self._usual - gone
        on_tanks = (usually & reached) - from_works - self._tanks
        return frozenset(usually - reached), frozenset(on_tanks)

    def _reached(self, sources: Iterable[str], without: Segment | None = None) -> set[str]:
        """Where water comes from sources, when a segment is empty.

        Its valves need no look: each has a side in the segment, and there no water passes.
        """
        dry_nodes, dry_links = (without.nodes, without.links) if without else (_NONE, _NONE)
        reached = set(sources)
        waiting = list(reached)
        while waiting:
            for name, other in self._leads[waiting.pop()]:
                if other not in reached and other not in dry_nodes and name not in dry_links:
                    reached.add(other)
                    waiting.append(other)
        return reached

    def _openable(self, segment: Segment, beyond: Collection[str]) -> tuple[str, ...]:
        dry = segment.nodes | frozenset(beyond)
        found = []
        for node in beyond:
            for name in self._at_node[node]:
                link = self._links[name]
                other = link.to_node if link.from_node == node else link.from_node
                if link.status is LinkStatus.CLOSED and other not in dry and other in self._usual:
                    found.append(name)
        return tuple(sorted(set(found)))

    def _ways_from(self, node: str) -> list[tuple[str, str]]:
        """Links by which water may leave a node, and where they lead."""
        found = []
        for name in self._at_node[node]:
            link = self._links[name]
            if _lets_pass(link, node):
                found.append((name, link.to_node if link.from_node == node else link.from_node))
        return found

    @staticmethod
    def _of_kind(network: Network, kind: NodeKind) -> frozenset[str]:
        return frozenset(name for name, node in network.nodes.items() if node.kind is kind)


def shut_offs(network: Network) -> list[ShutOff]:
    """Every valve of a network, by name.

    A valve of the hydraulic model cuts its link from the node where it begins. A closed pipe on
    which no valve is known has one that is shut, where it ends.
    """
    found: dict[str, ShutOff] = {}
    for valve in network.valves.values():
        closed = network.links[valve.link_id].status is LinkStatus.CLOSED
        found[valve.valve_id] = ShutOff(
            valve.valve_id, valve.link_id, valve.node_id, stuck=valve.stuck is True and not closed,
            closed=closed, asset_serial=valve.asset_serial,
        )  # fmt: skip
    known = {each.link for each in found.values()}
    for link in network.links.values():
        closed = link.status is LinkStatus.CLOSED
        if link.kind is LinkKind.VALVE:
            made = ShutOff(
                _free(link.link_id, found), link.link_id, link.from_node,
                stuck=link.stuck is True and not closed, model=True, closed=closed,
                asset_serial=link.asset_serial,
            )  # fmt: skip
        elif link.kind is LinkKind.PIPE and closed and link.link_id not in known:
            made = ShutOff(_free(link.link_id, found), link.link_id, link.to_node, closed=True)
        else:
            continue
        found[made.name] = made
    return [found[name] for name in sorted(found)]


def _free(name: str, taken: Mapping[str, object]) -> str:
    """A name that no sluice valve has."""
    return name if name not in taken else _free(f"{name} (link)", taken)


def _lets_pass(link: Link, from_node: str) -> bool:
    """Whether water may leave a node by a link."""
    if link.status is LinkStatus.CLOSED:
        return False
    one_way = (
        link.kind is LinkKind.PUMP
        or link.status is LinkStatus.CV
        or link.valve_type in ONE_WAY_VALVES
    )
    return not one_way or link.from_node == from_node
