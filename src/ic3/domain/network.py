"""The pipe network as people draw it: nodes, links, valves, areas; what an import changes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Annotated, Any, Final, TypeVar

import msgspec

from ic3.domain.geo import Box, Polygon, Position, box_of, fault_of, is_within
from ic3.errors import InputError

ELEMENTS_LIMIT: Final = 500_000
PROBLEMS_SHOWN: Final = 50
NAMES_SHOWN: Final = 100
NAME_LIMIT: Final = 200


class NodeKind(StrEnum):
    """What stands where pipes meet."""

    JUNCTION = "junction"
    RESERVOIR = "reservoir"
    TANK = "tank"


class LinkKind(StrEnum):
    """What leads from one node to another."""

    PIPE = "pipe"
    VALVE = "valve"
    PUMP = "pump"


class LinkStatus(StrEnum):
    """Whether water may pass; `cv` is a pipe with a check valve."""

    OPEN = "open"
    CLOSED = "closed"
    CV = "cv"


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A junction, a reservoir or a tank.

    Attributes:
        elevation_m: Ground of a junction, floor of a tank, water of a reservoir.
        demand_m3_h: Mean consumption; None where it is not known.
        connections: Customers; None where they are not known.
        details: What only EPANET needs, by its name and in the units of its file.
    """

    node_id: str
    kind: NodeKind = NodeKind.JUNCTION
    longitude: float | None = None
    latitude: float | None = None
    elevation_m: float | None = None
    demand_m3_h: float | None = None
    connections: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] | None = None
    dma_id: str | None = None
    details: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def position(self) -> Position | None:
        """Where it stands; None where that cannot be drawn."""
        if fault_of(self.longitude, self.latitude, None) is not None:
            return None
        assert self.longitude is not None
        assert self.latitude is not None
        return self.longitude, self.latitude


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pipe, a valve of the hydraulic model, or a pump.

    Attributes:
        roughness: By the head-loss formula of the file, Hazen-Williams C as a rule.
        valve_type: PRV, PSV, PBV, FCV, TCV, GPV or PCV; None for pipes and pumps.
        vertices: Bends between the ends, longitude and latitude.
        asset_serial: Serial number of the register's asset that stands on it.
        stuck: Of a valve: whether it is known to be stuck; None where nobody looked.
        details: As of a node.
    """

    link_id: str
    kind: LinkKind = LinkKind.PIPE
    from_node: str
    to_node: str
    length_m: float | None = None
    diameter_mm: float | None = None
    roughness: float | None = None
    status: LinkStatus = LinkStatus.OPEN
    valve_type: str | None = None
    vertices: tuple[Position, ...] = ()
    dma_id: str | None = None
    asset_serial: str | None = None
    stuck: bool | None = None
    details: dict[str, str] = msgspec.field(default_factory=dict)


class Valve(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A valve for shutting off: it stands on a link, next to one of the link's nodes.

    Attributes:
        asset_serial: Serial number in the register, where it is there.
        stuck: Whether it is known to be stuck; None where nobody looked.
    """

    valve_id: str
    link_id: str
    node_id: str
    asset_serial: str | None = None
    stuck: bool | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """A district metered area."""

    dma_id: str
    name: str | None
    domain: str | None
    polygons: tuple[Polygon, ...]
    connections: int | None = None
    population: int | None = None
    mains_km: float | None = None
    supply_hours: float | None = None
    billed_m3_d: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a network came from, and what of its file no table holds.

    Attributes:
        units: EPANET's word for the units of flow of that file.
        sections: Names of sections of that file to their lines.
    """

    name: str = ""
    form: str = ""
    units: str = "CMH"
    sections: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Network:
    """All of it, as of `version`."""

    version: int = 0
    nodes: dict[str, Node] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    valves: dict[str, Valve] = field(default_factory=dict)
    areas: dict[str, Area] = field(default_factory=dict)
    source: Source = field(default_factory=Source)

    def domain_of(self, dma_id: str | None) -> str | None:
        """The domain of what lies in an area; None outside of all."""
        area = self.areas.get(dma_id or "")
        return None if area is None else area.domain

    def line_of(self, link: Link) -> tuple[Position, ...] | None:
        """Where a link lies, end to end; None where an end cannot be drawn."""
        start, end = self.nodes[link.from_node].position, self.nodes[link.to_node].position
        if start is None or end is None:
            return None
        return (start, *link.vertices, end)

    def position_of(self, valve: Valve) -> Position | None:
        """Where a valve stands: a little way along its link."""
        link = self.links[valve.link_id]
        line = self.line_of(link)
        if line is None:
            return None
        (x1, y1), (x2, y2) = line[:2] if valve.node_id == link.from_node else line[:-3:-1]
        return round(x1 + 0.1 * (x2 - x1), 7), round(y1 + 0.1 * (y2 - y1), 7)


class Difference(msgspec.Struct):
    """What an import changes of one kind; at most a hundred names of each."""

    added: int
    changed: int
    removed: int
    unchanged: int
    added_names: list[str]
    changed_names: list[str]
    removed_names: list[str]


Element = TypeVar("Element", Node, Link, Valve)
Standing = TypeVar("Standing", Link, Valve)


def difference(before: Mapping[str, Element], after: Mapping[str, Element]) -> Difference:
    """What leads from one network to another."""
    added = [name for name in after if name not in before]
    removed = [name for name in before if name not in after]
    changed = [name for name, each in after.items() if name in before and before[name] != each]
    return Difference(
        len(added), len(changed), len(removed), len(after) - len(added) - len(changed),
        added[:NAMES_SHOWN], changed[:NAMES_SHOWN], removed[:NAMES_SHOWN],
    )  # fmt: skip


def completed(new: Network, old: Network) -> Network:
    """A network of a file that knows only hydraulics, with the rest as it was or can be told.

    Kept are connections, assets, what is stuck, areas, and the valves whose pipe is still there.
    The area of what is new is told by the areas' boundaries: a main that crosses an area without
    feeding it stays of none. Where nothing had an area yet, all is told.
    """
    nodes = {name: _completed_node(each, old.nodes.get(name)) for name, each in new.nodes.items()}
    links = {name: _completed_link(each, old.links.get(name)) for name, each in new.links.items()}
    found = Network(new.version, nodes, links, {}, old.areas, new.source)
    placed = any(each.dma_id for each in old.nodes.values())
    _place(found, old if placed else Network())
    found.valves = dict(new.valves) or {
        name: each for name, each in old.valves.items() if _stands(each, links)
    }
    return found


def described(network: Network, tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> Network:
    """A network with what stands in rows beside its file.

    Args:
        network: Of the file.
        tables: `nodes` and `links` with columns to be set, `valves` with all of theirs.
    """
    nodes, links = dict(network.nodes), dict(network.links)
    for row in tables["nodes"]:
        nodes[row["node_id"]] = msgspec.structs.replace(nodes[row["node_id"]], **row)
    for row in tables["links"]:
        links[row["link_id"]] = msgspec.structs.replace(links[row["link_id"]], **row)
    valves = {row["valve_id"]: Valve(**row) for row in tables["valves"]}
    return Network(network.version, nodes, links, valves, network.areas, network.source)


def without_assets(network: Network, known: Collection[str]) -> Network:
    """A network that names no assets but these."""
    links = {name: _unnamed(each, known) for name, each in network.links.items()}
    valves = {name: _unnamed(each, known) for name, each in network.valves.items()}
    return Network(network.version, network.nodes, links, valves, network.areas, network.source)


def check(network: Network) -> list[str]:
    """What is wrong with a network, a line each; nothing where it may be stored."""
    problems: list[str] = []
    if len(network.nodes) + len(network.links) + len(network.valves) > ELEMENTS_LIMIT:
        problems.append(f"more than {ELEMENTS_LIMIT:,} nodes, links and valves")
    for node in network.nodes.values():
        problems += _faults(f"node {node.node_id}", node.node_id, (
            node.longitude, node.latitude, node.elevation_m, node.demand_m3_h,
        ))  # fmt: skip
    for link in network.links.values():
        problems += _faults_of_link(link, network)
    elements: list[Node | Link] = [*network.nodes.values(), *network.links.values()]
    for element in elements:
        if any(_is_torn(text) for pair in element.details.items() for text in pair):
            problems.append(f"{_named(element)}: a detail holds a line break")
    for section, lines in network.source.sections.items():
        if any(_is_torn(text) for text in (section, *lines)):
            problems.append(f"section {section[:40]!r}: a line holds a line break")
    for valve in network.valves.values():
        problems += _faults(f"shut-off valve {valve.valve_id}", valve.valve_id, ())
        if not _stands(valve, network.links):
            problems.append(
                f"shut-off valve {valve.valve_id}: link {valve.link_id} with an end at"
                f" {valve.node_id} is not there"
            )
    return problems


def refuse(problems: Sequence[str]) -> None:
    """Refuse a file for its problems, if it has any.

    Raises:
        InputError: It has.
    """
    if problems:
        more = len(problems) - PROBLEMS_SHOWN
        words = "; ".join(problems[:PROBLEMS_SHOWN]) + (f"; and {more:,} more" if more > 0 else "")
        raise InputError(f"network: {len(problems):,} problems; nothing was written: {words}")


def warnings_of(network: Network) -> list[str]:
    """What a person should know of a network that may be stored."""
    unplaced = sum(each.position is None for each in network.nodes.values())
    found = []
    if unplaced:
        found.append(
            f"{unplaced:,} nodes have no longitude and latitude; they and their links are not drawn"
        )
    box = box_of(each.position for each in network.nodes.values() if each.position is not None)
    if box is not None:
        # A plan in metres or a flattened drawing may pass for degrees: a person sees it.
        found.append(
            f"drawn between {box.west:.4f} and {box.east:.4f} degrees east, {box.south:.4f} and"
            f" {box.north:.4f} north"
        )
    if not any(each.kind is not NodeKind.JUNCTION for each in network.nodes.values()):
        found.append("there is no reservoir and no tank: a trace finds everybody without water")
    return found


def extent(network: Network) -> Box | None:
    """The smallest box around all areas and nodes; None where there are none."""
    corners = [
        position for area in network.areas.values() for polygon in area.polygons
        for position in polygon[0]
    ]  # fmt: skip
    corners += [each.position for each in network.nodes.values() if each.position is not None]
    return box_of(corners)


def _unnamed(element: Standing, known: Collection[str]) -> Standing:
    if element.asset_serial is None or element.asset_serial in known:
        return element
    return msgspec.structs.replace(element, asset_serial=None)


def _completed_node(new: Node, old: Node | None) -> Node:
    if old is None:
        return new
    return msgspec.structs.replace(
        new, dma_id=new.dma_id or old.dma_id,
        connections=old.connections if new.connections is None else new.connections,
    )  # fmt: skip


def _completed_link(new: Link, old: Link | None) -> Link:
    if old is None:
        return new
    return msgspec.structs.replace(
        new, dma_id=new.dma_id or old.dma_id, asset_serial=new.asset_serial or old.asset_serial,
        stuck=old.stuck if new.stuck is None else new.stuck,
    )  # fmt: skip


def _place(network: Network, known: Network) -> None:
    """Tell the area of nodes by the boundaries, and that of links by their ends; not of known."""
    for name, node in network.nodes.items():
        if node.dma_id is None and node.position is not None and name not in known.nodes:
            dma_id = _area_at(node.position, network.areas.values())
            if dma_id is not None:
                network.nodes[name] = msgspec.structs.replace(node, dma_id=dma_id)
    for name, link in network.links.items():
        if name in known.links:
            continue
        start, end = network.nodes.get(link.from_node), network.nodes.get(link.to_node)
        if link.dma_id is None and start and end and start.dma_id and start.dma_id == end.dma_id:
            network.links[name] = msgspec.structs.replace(link, dma_id=start.dma_id)


def _area_at(position: Position, areas: Iterable[Area]) -> str | None:
    for area in areas:
        if any(is_within(position, polygon) for polygon in area.polygons):
            return area.dma_id
    return None


def _stands(valve: Valve, links: Mapping[str, Link]) -> bool:
    link = links.get(valve.link_id)
    return link is not None and valve.node_id in {link.from_node, link.to_node}


def _faults(what: str, name: str, figures: Iterable[float | None]) -> list[str]:
    found = []
    if not name or len(name) > NAME_LIMIT or "\0" in name:
        found.append(f"{what[:100]}: a name has 1 to {NAME_LIMIT} characters, and no NUL")
    if any(each is not None and not isfinite(each) for each in figures):
        found.append(f"{what[:100]}: a figure is not finite")
    return found


def _is_torn(text: str) -> bool:
    """Whether a text would be more than one line of a file."""
    return len(text.splitlines()) > 1


def _named(element: Node | Link) -> str:
    name = element.node_id if isinstance(element, Node) else element.link_id
    return f"{element.kind} {name}"[:100]


def _faults_of_link(link: Link, network: Network) -> list[str]:
    what = f"{link.kind} {link.link_id}"
    found = _faults(what, link.link_id, (link.length_m, link.diameter_mm, link.roughness))
    found += [
        f"{what}: its node {name} is not there"
        for name in (link.from_node, link.to_node) if name not in network.nodes
    ]  # fmt: skip
    if link.from_node == link.to_node:
        found.append(f"{what}: it begins and ends at {link.from_node}")
    if link.kind is LinkKind.PIPE and any(
        figure is not None and figure <= 0 for figure in (link.length_m, link.diameter_mm)
    ):
        found.append(f"{what}: length and diameter are above zero")
    if any(fault_of(*each, None) not in {None, "zero"} for each in link.vertices):
        found.append(f"{what}: a vertex is not longitude and latitude")
    return found


def text_of(value: Any) -> str:
    """A figure as files have it: twelve digits, which a change of units and back does not move."""
    return f"{value:.12g}"
