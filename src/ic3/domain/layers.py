"""What the map shows: layers of features, each encoded once and again only when it has changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from ic3.domain.alarms import Alarm, Alarms, worst_of
from ic3.domain.envelope import time_text
from ic3.domain.freshness import Freshness, State
from ic3.domain.geo import (
    AROUND_DEGREES,
    Box,
    Polygon,
    Position,
    fault_of,
    middle,
    polygon_geometry,
)
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register, RegisteredAsset, TagsOfAsset
from ic3.domain.network import Area, Link, Network, Node, Valve, extent
from ic3.domain.quality import Quality
from ic3.turns import Turns

AT_A_TIME: Final = 500
JUDGED_S: Final = 1.0
_QUALITY_WORDS: Final = {each.value: each.name for each in Quality}
_NO_TAGS: Final[TagsOfAsset] = {}
_NOT_SILENT: Final = frozenset({State.FRESH, State.NEVER_SEEN})
_encode = msgspec.json.Encoder().encode
# The readings of an envelope are of one time.
_moment = lru_cache(maxsize=4096)(time_text)

Properties = dict[str, Any]
T = TypeVar("T")


class Feature:
    """One feature, encoded; the same object as long as nothing of it changes.

    Attributes:
        fid: Its name in its layer.
        domain: Who may see it.
        body: GeoJSON.
        line: Its place where that is a point or a line; otherwise its polygons are.
        at_us: When it is from; None where it is of no time.
    """

    __slots__ = ("_chosen_by", "at_us", "body", "domain", "fid", "key", "line", "polygons")

    def __init__(
        self, key: object, fid: str, domain: str | None, properties: Properties, *,
        line: tuple[Position, ...] = (), polygons: tuple[Polygon, ...] = (),
        chosen_by: Sequence[str] = (), at_us: int | None = None,
    ) -> None:  # fmt: skip
        self.key = key
        self.fid = fid
        self.domain = domain
        self.line = line
        self.polygons = polygons
        self._chosen_by = {name: properties[name] for name in chosen_by}
        self.at_us = at_us
        self.body = _encode(
            {
                "type": "Feature", "id": fid, "geometry": _geometry(line, polygons),
                "properties": properties,
            }
        )  # fmt: skip

    def has(self, name: str, value: str) -> bool:
        """Whether a property it can be chosen by has this value, as a query spells it."""
        return _word(self._chosen_by.get(name)) == value

    def meets(self, box: Box) -> bool:
        """Whether any of it lies in a box."""
        if self.polygons:
            return any(box.meets_polygon(each) for each in self.polygons)
        return box.meets_line(self.line)


class Missing(msgspec.Struct, frozen=True):
    """What cannot be drawn, and why."""

    id: str
    reason: str
    domain: str | None = None


@dataclass(slots=True)
class Layer:
    """Features by name, and what should be among them but has no place."""

    features: list[Feature] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of layer: its words, and what features can be chosen by."""

    title: str
    words: str
    chosen_by: tuple[str, ...]
    time: str | None = None


KINDS: Final[Mapping[str, Kind]] = {
    "assets": Kind(
        "Assets", "Assets of the register that stand on the map, with state and newest readings.",
        ("serial_number", "kind", "domain", "dma_id", "state", "quality"), "last_value_at",
    ),
    "pipes": Kind(
        "Pipes", "Pipes, valves of the hydraulic model and pumps, with the readings of the asset"
        " that stands on them.",
        ("link_id", "kind", "status", "valve_type", "dma_id", "domain", "asset_serial"),
    ),
    "valves": Kind(
        "Shut-off valves", "Valves for shutting off, each on a link next to a node.",
        ("valve_id", "link_id", "node_id", "dma_id", "domain", "asset_serial", "stuck"),
    ),
    "nodes": Kind(
        "Nodes", "Junctions, reservoirs and tanks of the pipe network.",
        ("node_id", "kind", "dma_id", "domain"),
    ),
    "dmas": Kind(
        "District metered areas", "Areas with what is wrong in them.", ("dma_id", "name", "domain"),
    ),
    "alarms": Kind(
        "Alarms", "Open alarms where their asset or area is.",
        ("source_kind", "source", "condition", "priority", "state", "domain", "dma_id", "held"),
        "raised_at",
    ),
}  # fmt: skip


class _Live(NamedTuple):
    """How an asset stands; equal where a reader sees no difference."""

    tags: TagsOfAsset
    state: State
    since_us: int | None
    last_value_us: int | None
    worst: int
    unacknowledged: bool


class Layers:
    """Makes layers of what is known.

    Args:
        latest: Register and newest readings.
        freshness: States.
        alarms: What is open.
        area: Where the plant is; None tells it by areas and network.
    """

    def __init__(
        self, *, latest: LatestReadings, freshness: Freshness, alarms: Alarms, area: Box | None
    ) -> None:
        self._latest = latest
        self._freshness = freshness
        self._alarms = alarms
        self._area = area
        self._around: tuple[int, Box | None] = (-1, None)
        self._known: dict[str, dict[str, Feature]] = {name: {} for name in KINDS}
        self._places: tuple[Register, Box | None, list[_Placed | Missing]] | None = None
        self._made: dict[str, tuple[_Stamp, Layer]] = {}
        self._judged = float("-inf")

    def build(
        self, name: str, network: Network, *, now: float, now_us: int, box: Box | None = None
    ) -> Turns[Layer]:
        """Make a layer, where anything has changed.

        Args:
            name: Of `KINDS`.
            network: What the pipes are.
            now: Monotonic seconds.
            now_us: The wall clock.
            box: Assets outside it may be left out; what has no place is in none, but listed.
        """
        # The layers of a page are asked for together.
        if now - self._judged >= JUDGED_S:
            self._freshness.judge(now=now, now_us=now_us)
            self._judged = now
            yield
        stamp = self._stamp(network)
        made = self._made.get(name)
        if made is not None and made[0] == stamp:
            return made[1]
        layer, seen = Layer(), dict[str, Feature]()
        # An area counts all its assets.
        at_a_time = 1 if name == "dmas" else AT_A_TIME
        for number, found in enumerate(self._making(name, network, now, box)):
            if isinstance(found, Missing):
                layer.missing.append(found)
            elif found is not None:
                seen[found.fid] = found
            if number % at_a_time == at_a_time - 1:
                yield
        layer.features = [seen[fid] for fid in sorted(seen)]
        if name == "assets" and box is not None:
            self._known[name].update(seen)
            return layer
        self._known[name] = seen
        # As it was at the beginning: what has moved meanwhile is looked at again.
        self._made[name] = (stamp, layer)
        return layer

    def _stamp(self, network: Network) -> "_Stamp":
        """What every layer depends on."""
        return (
            _Same(network), _Same(self._latest.register), self._latest.revision,
            self._freshness.revision, self._alarms.revision,
        )  # fmt: skip

    def _making(
        self, name: str, network: Network, now: float, box: Box | None
    ) -> Iterable[Feature | Missing | None]:
        match name:
            case "assets":
                return self._assets(network, now, box)
            case "pipes":
                return (self._link(each, network, now) for each in network.links.values())
            case "valves":
                return (self._valve(each, network) for each in network.valves.values())
            case "nodes":
                return (self._node(each, network) for each in network.nodes.values())
            case "dmas":
                return self._areas(network)
            case _:
                area = self._service_area(network)
                return (self._alarm(each, network, area) for each in self._alarms.open)

    def _service_area(self, network: Network) -> Box | None:
        if self._area is not None:
            return self._area
        version, around = self._around
        if version != network.version:
            found = extent(network)
            around = None if found is None else found.grown(AROUND_DEGREES)
            self._around = (network.version, around)
        return around

    def _kept(self, name: str, fid: str, key: object, make: Callable[[], Feature]) -> Feature:
        """The feature made before where its key is still the same."""
        known = self._known[name].get(fid)
        return known if known is not None and known.key == key else make()

    def _live(self, serial: str, now: float) -> _Live:
        view = self._freshness.view(serial, now=now)
        state, since_us, last_value_us = State.NEVER_SEEN, None, None
        if view is not None:
            state, since_us, last_value_us = view.state, view.since_us, view.last_value_us
        tags = self._latest.state_of(serial) or _NO_TAGS
        worst, unacknowledged = worst_of(self._alarms.of("asset", serial))
        return _Live(tags, state, since_us, last_value_us, worst, unacknowledged)

    def _shown(self, live: _Live) -> Properties:
        return {
            "state": live.state, "since": _time(live.since_us),
            "last_value_at": _time(live.last_value_us), "quality": _worst_quality(live.tags),
            "worst_alarm": live.worst or None, "unacknowledged": live.unacknowledged,
            "readings": self._readings(live.tags),
        }  # fmt: skip

    def _readings(self, tags: TagsOfAsset) -> Properties:
        parameters = self._latest.register.parameters
        found: Properties = {}
        for tag in sorted(tags):
            newest = tags[tag]
            parameter = parameters.get(newest.param_id)
            if parameter is not None:
                value = newest.value_text if newest.value_num is None else newest.value_num
                found[tag] = {
                    "value": value, "unit": parameter.unit,
                    "quality": _QUALITY_WORDS[newest.quality], "at": _moment(newest.recorded_us),
                }  # fmt: skip
        return found

    def _assets(
        self, network: Network, now: float, box: Box | None
    ) -> Iterable[Feature | Missing | None]:
        known = self._known["assets"]
        for placed in self._placed(network):
            if isinstance(placed, Missing):
                yield placed
                continue
            same, place = placed
            if box is not None and not box.meets_line((place,)):
                yield None
                continue
            key = (same, self._live(same.of.serial, now))
            before = known.get(same.of.serial)
            if before is None or before.key != key:
                before = self._asset(key, place)
            yield before

    def _placed(self, network: Network) -> "list[_Placed | Missing]":
        """Every asset with its place, looked at again only where register or area change."""
        register, area = self._latest.register, self._service_area(network)
        if self._places is None or self._places[0] is not register or self._places[1] != area:
            found = [_placed(asset, area) for asset in register.assets.values()]
            self._places = (register, area, found)
        return self._places[2]

    def _asset(self, key: "tuple[_Same[RegisteredAsset], _Live]", place: Position) -> Feature:
        asset, live = key[0].of, key[1]
        properties = {
            "serial_number": asset.serial, "name": asset.name, "kind": asset.category,
            "domain": asset.domain, "dma_id": asset.dma_id, **self._shown(live),
        }  # fmt: skip
        return Feature(
            key, asset.serial, asset.domain, properties, line=(place,),
            chosen_by=KINDS["assets"].chosen_by, at_us=live.last_value_us,
        )  # fmt: skip

    def _link(self, link: Link, network: Network, now: float) -> Feature | Missing:
        domain = network.domain_of(link.dma_id)
        line = network.line_of(link)
        if line is None:
            return Missing(link.link_id, "no coordinates", domain)
        serial = self._of_domain(link.asset_serial, domain)
        live = None if serial is None else self._live(serial, now)

        def make() -> Feature:
            properties = msgspec.to_builtins(link)
            del properties["vertices"], properties["details"]
            properties.update(domain=domain, asset_serial=serial)
            if live is not None:
                properties.update(self._shown(live))
            return Feature(
                key, link.link_id, domain, properties, line=line,
                chosen_by=KINDS["pipes"].chosen_by,
            )  # fmt: skip

        key = (_Same(link), domain, serial, live)
        return self._kept("pipes", link.link_id, key, make)

    def _of_domain(self, serial: str | None, domain: str | None) -> str | None:
        """An asset that whoever sees this domain may see; others stay unnamed."""
        asset = None if serial is None else self._latest.register.assets.get(serial)
        if domain is None or (asset is not None and asset.domain == domain):
            return serial
        return None

    def _valve(self, valve: Valve, network: Network) -> Feature | Missing:
        dma_id = network.links[valve.link_id].dma_id
        domain = network.domain_of(dma_id)
        place = network.position_of(valve)
        if place is None:
            return Missing(valve.valve_id, "no coordinates", domain)
        serial = self._of_domain(valve.asset_serial, domain)

        def make() -> Feature:
            properties = {
                **msgspec.to_builtins(valve), "asset_serial": serial, "dma_id": dma_id,
                "domain": domain,
            }  # fmt: skip
            return Feature(
                key, valve.valve_id, domain, properties, line=(place,),
                chosen_by=KINDS["valves"].chosen_by,
            )  # fmt: skip

        key = (_Same(valve), place, domain, serial)
        return self._kept("valves", valve.valve_id, key, make)

    def _node(self, node: Node, network: Network) -> Feature | Missing:
        domain = network.domain_of(node.dma_id)
        place = node.position
        if place is None:
            return Missing(node.node_id, "no coordinates", domain)

        def make() -> Feature:
            properties = msgspec.to_builtins(node)
            del properties["longitude"], properties["latitude"], properties["details"]
            properties["domain"] = domain
            return Feature(
                key, node.node_id, domain, properties, line=(place,),
                chosen_by=KINDS["nodes"].chosen_by,
            )  # fmt: skip

        return self._kept("nodes", node.node_id, key := (_Same(node), domain), make)

    def _areas(self, network: Network) -> Iterable[Feature | Missing]:
        members: dict[str, list[RegisteredAsset]] = {}
        for asset in self._latest.register.assets.values():
            if asset.dma_id in network.areas:
                members.setdefault(asset.dma_id or "", []).append(asset)
        for area in network.areas.values():
            yield self._dma(area, members.get(area.dma_id, []))

    def _dma(self, area: Area, assets: Sequence[RegisteredAsset]) -> Feature | Missing:
        if not area.polygons:
            return Missing(area.dma_id, "no boundary", area.domain)
        counts = self._counts(area, assets)

        def make() -> Feature:
            properties = {
                "dma_id": area.dma_id, "name": area.name, "domain": area.domain,
                "connections": area.connections, "population": area.population,
                "mains_km": area.mains_km, "supply_hours": area.supply_hours,
                "billed_m3_d": area.billed_m3_d, **counts,
            }  # fmt: skip
            return Feature(
                key, area.dma_id, area.domain, properties, polygons=area.polygons,
                chosen_by=KINDS["dmas"].chosen_by,
            )  # fmt: skip

        key = (_Same(area), *counts.values())
        return self._kept("dmas", area.dma_id, key, make)

    def _counts(self, area: Area, assets: Sequence[RegisteredAsset]) -> Properties:
        alarms = list(self._alarms.of("dma", area.dma_id))
        in_alarm = stale = 0
        for asset in assets:
            its = self._alarms.of("asset", asset.serial)
            in_alarm += worst_of(its)[0] > 0
            alarms += its
            stale += self._freshness.state_of(asset.serial) not in _NOT_SILENT
        worst, unacknowledged = worst_of(alarms)
        return {
            "assets": len(assets), "not_fresh": stale, "in_alarm": in_alarm,
            "worst_alarm": worst or None, "unacknowledged": unacknowledged,
        }  # fmt: skip

    def _alarm(self, alarm: Alarm, network: Network, area: Box | None) -> Feature | Missing:
        domain, place, fault = self._place_of(alarm, network, area)
        fid = str(alarm.id)
        if place is None:
            return Missing(fid, fault or "no coordinates", domain)

        def make() -> Feature:
            return Feature(
                key, fid, domain, _alarm_properties(alarm, domain), line=(place,),
                chosen_by=KINDS["alarms"].chosen_by, at_us=alarm.raised_us,
            )  # fmt: skip

        key = (_Same(alarm), domain, place)
        return self._kept("alarms", fid, key, make)

    def _place_of(
        self, alarm: Alarm, network: Network, area: Box | None
    ) -> tuple[str | None, Position | None, str | None]:
        """Domain and place of an alarm's source, or why it has none."""
        asset = self._latest.register.assets.get(alarm.source)
        if alarm.source_kind == "asset" and asset is not None:
            domain = alarm.domain or asset.domain
            fault = fault_of(asset.longitude, asset.latitude, area)
            if fault is not None or asset.longitude is None or asset.latitude is None:
                return domain, None, fault
            return domain, (asset.longitude, asset.latitude), None
        of = network.areas.get(alarm.source) if alarm.source_kind == "dma" else None
        if of is not None and of.polygons:
            return alarm.domain or of.domain, middle(of.polygons), None
        return alarm.domain, None, f"{alarm.source_kind} without a place"


class _Same(Generic[T]):
    """Equal only while it is the very same object, which it keeps alive."""

    __slots__ = ("of",)

    def __init__(self, of: T) -> None:
        self.of = of

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.of is other.of

    __hash__ = None  # type: ignore[assignment]  # compared, never looked up


_Placed = tuple[_Same[RegisteredAsset], Position]
_Stamp = tuple[_Same[Network], _Same[Register], int, int, int]


def _placed(asset: RegisteredAsset, area: Box | None) -> _Placed | Missing:
    fault = fault_of(asset.longitude, asset.latitude, area)
    if fault is not None:
        return Missing(asset.serial, fault, asset.domain)
    assert asset.longitude is not None
    assert asset.latitude is not None
    return _Same(asset), (asset.longitude, asset.latitude)


def _alarm_properties(alarm: Alarm, domain: str | None) -> Properties:
    return {
        "alarm_id": alarm.id, "source_kind": alarm.source_kind, "source": alarm.source,
        "condition": alarm.condition, "priority": int(alarm.priority), "state": alarm.state,
        "active": alarm.active, "text": alarm.text, "domain": domain, "dma_id": alarm.dma_id,
        "tag": alarm.tag, "value": alarm.value, "limit": alarm.limit, "unit": alarm.unit,
        "raised_at": _time(alarm.raised_us), "held": alarm.held, "flaps": alarm.flaps,
    }  # fmt: skip


def _geometry(line: tuple[Position, ...], polygons: tuple[Polygon, ...]) -> object:
    if polygons:
        return polygon_geometry(polygons)
    if len(line) == 1:
        return {"type": "Point", "coordinates": line[0]}
    return {"type": "LineString", "coordinates": line}


def _worst_quality(tags: TagsOfAsset) -> str | None:
    return _QUALITY_WORDS[max(each.quality for each in tags.values())] if tags else None


def _word(value: object) -> str:
    """A property as a query spells it; empty where there is none."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(us: int | None) -> str | None:
    return None if us is None else _moment(us)
