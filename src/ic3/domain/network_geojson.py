"""The pipe network as GeoJSON: every column of its tables, each element a feature.

A node and a shut-off valve are points, a link is a line; `element` says which of them a feature
is. The geometry of a link gives its bends, that of a valve nothing: it stands where its link is.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec

from ic3.domain.network import (
    PROBLEMS_SHOWN,
    Area,
    Link,
    Network,
    Node,
    Source,
    Valve,
    check,
    refuse,
)
from ic3.errors import InputError

WGS_84: Final = {"CRS84", "4326"}
_encode = msgspec.json.Encoder().encode


class _Geometry(msgspec.Struct):
    type: str
    coordinates: Any


class _Feature(msgspec.Struct):
    type: Literal["Feature"]
    properties: dict[str, Any]
    geometry: _Geometry | None = None
    id: str | int | None = None


class _Epanet(msgspec.Struct, forbid_unknown_fields=True):
    units: Literal[
        "CFS", "GPM", "MGD", "IMGD", "AFD", "LPS", "LPM", "MLD", "CMH", "CMD", "CMS"
    ] = "CMH"  # fmt: skip
    sections: dict[str, list[str]] = msgspec.field(default_factory=dict)


class _Document(msgspec.Struct):
    type: Literal["FeatureCollection"]
    features: list[_Feature]
    crs: Any = None
    epanet: _Epanet = msgspec.field(default_factory=_Epanet)


def read_geojson(content: bytes, name: str = "network.geojson") -> Network:
    """The network of a document, checked.

    Raises:
        InputError: It is none; says what is wrong with which feature.
    """
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"network: not a GeoJSON FeatureCollection: {error}") from None
    if b"\\u0000" in content or b"\0" in content:
        raise InputError("network: a text holds a NUL, which no table takes")
    if document.crs is not None and not _is_wgs_84(document.crs):
        raise InputError("network: its crs is not WGS 84; convert it to longitude and latitude")
    source = Source(name, "geojson", document.epanet.units, document.epanet.sections)
    network = Network(source=source)
    problems: list[str] = []
    for number, feature in enumerate(document.features):
        try:
            _add(network, feature)
        except (msgspec.MsgspecError, ValueError) as error:
            problems.append(f"feature {number}: {error}")
            if len(problems) > PROBLEMS_SHOWN:
                break
    refuse(problems or check(network))
    return network


def write_geojson(network: Network, areas: Iterable[Area] | None = None) -> bytes:
    """A document of the network.

    Args:
        network: All of it.
        areas: Only what lies in these; without the lines of an EPANET file, which are of all.
    """
    within = None if areas is None else {each.dma_id for each in areas}
    shown = set[str]()
    features = list[dict[str, Any]]()
    for node in network.nodes.values():
        if within is None or node.dma_id in within:
            shown.add(node.node_id)
            features.append(_feature("node", node.node_id, node, _point(node.position)))
    for link in network.links.values():
        # Half a link would name a node that is not there.
        if {link.from_node, link.to_node} <= shown and (within is None or link.dma_id in within):
            shown.add(f"link {link.link_id}")
            line = network.line_of(link)
            geometry = None if line is None else {"type": "LineString", "coordinates": line}
            features.append(_feature("link", link.link_id, link, geometry))
    for valve in network.valves.values():
        if f"link {valve.link_id}" in shown:
            position = _point(network.position_of(valve))
            features.append(_feature("valve", valve.valve_id, valve, position))
    document: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if within is None:
        document["epanet"] = {
            "units": network.source.units, "sections": network.source.sections,
        }  # fmt: skip
    return _encode(document)


def _add(network: Network, feature: _Feature) -> None:
    """Take a feature.

    Raises:
        ValueError: It is none of a network, or is there already.
        msgspec.MsgspecError: A property is wrong.
    """
    properties = dict(feature.properties)
    element = properties.pop("element", None)
    if feature.id is not None and isinstance(element, str):
        properties.setdefault(f"{element}_id", str(feature.id))
    match element:
        case "node":
            if feature.geometry is not None:
                properties["longitude"], properties["latitude"] = _point_of(feature.geometry)
            node = msgspec.convert(properties, Node)
            _put(network.nodes, node.node_id, node)
        case "link":
            properties.setdefault("vertices", _bends_of(feature.geometry))
            link = msgspec.convert(properties, Link)
            _put(network.links, link.link_id, link)
        case "valve":
            valve = msgspec.convert(properties, Valve)
            _put(network.valves, valve.valve_id, valve)
        case _:
            raise ValueError("its property element is not node, link or valve")


def _put(elements: dict[str, Any], name: str, element: object) -> None:
    if name in elements:
        raise ValueError(f"{name[:60]} is there twice")
    elements[name] = element


def _point_of(geometry: _Geometry) -> tuple[Any, Any]:
    if geometry.type != "Point" or not isinstance(geometry.coordinates, list):
        raise ValueError("the geometry of a node is a Point")
    if len(geometry.coordinates) < 2:
        raise ValueError("a Point has longitude and latitude")
    return geometry.coordinates[0], geometry.coordinates[1]


def _bends_of(geometry: _Geometry | None) -> list[Any]:
    if geometry is None:
        return []
    places = geometry.coordinates
    if geometry.type != "LineString" or not isinstance(places, list) or len(places) < 2:
        raise ValueError("the geometry of a link is a LineString")
    if not all(isinstance(each, list) and len(each) >= 2 for each in places):
        raise ValueError("a position has longitude and latitude")
    return [each[:2] for each in places[1:-1]]


def _feature(
    element: str, name: str, record: Node | Link | Valve, geometry: object
) -> dict[str, Any]:
    properties = msgspec.to_builtins(record)
    # They are the geometry.
    for name_of_place in ("vertices",) if geometry else ():
        properties.pop(name_of_place, None)
    if element == "node" and geometry:
        del properties["longitude"], properties["latitude"]
    return {
        "type": "Feature", "id": name, "geometry": geometry,
        "properties": {"element": element, **properties},
    }  # fmt: skip


def _point(position: tuple[float, float] | None) -> dict[str, object] | None:
    return None if position is None else {"type": "Point", "coordinates": position}


def _is_wgs_84(crs: Any) -> bool:
    """Whether a crs member, as older programs write it, names the one system there is."""
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return isinstance(name, str) and name.rpartition(":")[2] in WGS_84
