"""Which assets report, where they stand, and the rows of the register that go with them."""

from dataclasses import dataclass
from random import Random
from typing import Final

from ic3.simulator.network import AREAS, Network, Node, domain_of
from ic3.simulator.tags import KINDS, NEVER, TAGS, Kind, Tag

Row = dict[str, object]

UNMAPPED_TAGS: Final = 89
# The contract's examples: in the register, with all of their tags mapped.
EXAMPLES: Final = frozenset({"Patel Road_Baljeet Nagar_SV_92", "C Block Ranjeet Nagar_LT Panel_19"})
OFFICES: Final = 1
QUALITY_DMAS: Final = {"CL2": range(0, 30, 2), "TURB": range(1, 40, 6)}
RING_METERS: Final = 4
CRITICAL_POINTS: Final = 35


@dataclass(frozen=True, slots=True)
class Place:
    """Where an asset stands and what it looks at.

    Attributes:
        of: Name of the node, link, pump, tank, station or DMA it belongs to.
        dma: Number of its DMA, None for works, stations and mains.
    """

    area: int
    node: Node
    of: str
    dma: int | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset on the feed; `number` counts within its kind, from 0."""

    serial: str
    kind: Kind
    number: int
    place: Place
    missing: bool
    unmapped: frozenset[str]

    @property
    def domain(self) -> str:
        """Its domain."""
        return domain_of(self.place.area)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """What it measures."""
        return self.kind.tag_list


def valve_area(number: int) -> int:
    """The area of the valve with this number, from 1."""
    return (number + 2) % len(AREAS)


def places(network: Network) -> dict[str, list[Place]]:
    """Where the assets of each kind stand, by infix, in the order of their numbers."""
    dmas = network.dmas
    at_dma = {dma.number: dma for dma in dmas}
    pumps = [Place(s.area, pump.start, pump.name) for s in network.stations for pump in s.pumps]
    small = [
        Place(area, at_dma[area].nodes[5], f"sump {area}", area) for area in range(1, len(AREAS), 2)
    ]
    stations = [Place(each.area, each.header, each.name) for each in network.stations]
    transformers = [place for place in stations for _ in range(2)]
    transformers += [*small, *(Place(area, at_dma[area].nodes[6], f"office {area}", area)
                               for area in (0, 20))]  # fmt: skip
    meters = [Place(d.number, d.prv.start, d.inlet.name, d.number) for d in dmas]
    meters += [Place(s.area, s.header, s.outlet.name) for s in network.works]
    meters += [Place(z.station.area, z.ugr_inlet.end, z.ugr_inlet.name) for z in network.zones]
    meters += [Place(z.station.area, z.station.header, z.station.outlet.name)
               for z in network.zones]  # fmt: skip
    meters += [Place(network.zones[at].station.area, pipe.start, pipe.name)
               for at, pipe in enumerate(network.ring[:RING_METERS])]  # fmt: skip
    levels = [
        Place(zone.station.area, tank.node, tank.node.name)
        for zone in network.zones for tank in (zone.ugr, zone.oht) for _ in range(2)
    ]  # fmt: skip
    levels += [
        Place(works.area, clear, clear.name)
        for works, clear in zip(network.works, network.reservoirs, strict=True) for _ in range(2)
    ]  # fmt: skip
    return {
        "SV": _valves(network),
        "LT Panel": _panels(pumps, small, stations),
        "Trans": transformers,
        "Pump": pumps,
        "Small Pump": small,
        "BFM": meters,
        "PT": [
            *(Place(d.number, d.average_point, d.average_point.name, d.number) for d in dmas),
            *(Place(d.number, d.critical_point, d.critical_point.name, d.number)
              for d in dmas[:CRITICAL_POINTS]),
        ],
        "LIT": levels,
        "CL2": _quality(network, stations, QUALITY_DMAS["CL2"]),
        "TURB": _quality(network, stations, QUALITY_DMAS["TURB"]),
    }  # fmt: skip


def panel_loads(network: Network) -> tuple[int, ...]:
    """For each panel the load behind it; see `Machines`."""
    pumps, small, stations = len(network.pumps), len(AREAS) // 2, len(network.stations)
    order = list(range(pumps + small + stations + OFFICES))
    # The contract's panel 19 stands in area 21, whose sump pump it feeds.
    there = pumps + (21 - 1) // 2
    order[18], order[there] = order[there], order[18]
    return tuple(order)


def _panels(pumps: list[Place], small: list[Place], stations: list[Place]) -> list[Place]:
    loads = [*pumps, *small, *stations, small[0]]
    there = len(pumps) + (21 - 1) // 2
    loads[18], loads[there] = loads[there], loads[18]
    return loads


def _valves(network: Network) -> list[Place]:
    """The first valve of an area is its DMA's inlet valve, the others stand on its pipes."""
    at_dma = {dma.number: dma for dma in network.dmas}
    seen: dict[int, int] = {}
    found = []
    for number in range(1, KINDS[0].count + 1):
        area = valve_area(number)
        dma = at_dma[area]
        nth = seen[area] = seen.get(area, -1) + 1
        pipe = dma.inlet if nth == 0 else dma.pipes[(nth * 5) % (len(dma.pipes) - 1)]
        found.append(Place(area, pipe.end, pipe.name, area))
    return found


def _quality(network: Network, stations: list[Place], dmas: range) -> list[Place]:
    works = len(network.works)
    return [
        *(Place(p.area, p.node, f"works {at}") for at, p in enumerate(stations[:works])),
        *(Place(p.area, p.node, f"ugr {at}") for at, p in enumerate(stations[works:])),
        *(
            Place(number, network.dmas[number].critical_point, f"dma {number}", number)
            for number in dmas
        ),
    ]


def equip(network: Network, *, seed: int) -> list[Asset]:
    """The assets on the feed, in the order in which the gateway lists them."""
    random = Random(f"assets:{seed}")
    standing = places(network)
    drawn = [
        (f"{AREAS[place.area]}_{kind.infix}_{at + 1}", kind, at, place)
        for kind in KINDS
        for at, place in enumerate(standing[kind.infix])
    ]
    ordinary = [each for each in drawn if each[0] not in EXAMPLES]
    missing = {
        serial
        for kind in KINDS
        for serial in random.sample([each[0] for each in ordinary if each[1] is kind], kind.missing)
    }
    mappable = [
        (each[0], code)
        for each in ordinary if each[0] not in missing
        for code in each[1].tags.split()
    ]  # fmt: skip
    unmapped: dict[str, set[str]] = {}
    for serial, code in random.sample(mappable, UNMAPPED_TAGS):
        unmapped.setdefault(serial, set()).add(code)
    return [
        Asset(serial, kind, at, place, serial in missing, frozenset(unmapped.get(serial, ())))
        for serial, kind, at, place in drawn
    ]


def register_rows(network: Network, assets: list[Asset]) -> list[Row]:
    """Rows of the asset register: reporting assets that are in it, then those never fed."""
    at_dma = {dma.number: dma for dma in network.dmas}
    rows = [
        _register_row(asset.serial, asset.kind, asset.place, network, live=True)
        for asset in assets
        if not asset.missing
    ]
    for kind in KINDS:
        for number in range(kind.count + 1, kind.count + kind.unfed + 1):
            dma = at_dma[valve_area(number)]
            node = dma.nodes[number % len(dma.nodes)]
            place = Place(dma.number, node, node.name, dma.number)
            serial = f"{dma.name}_{kind.infix}_{number}"
            rows.append(_register_row(serial, kind, place, network, live=False))
    return rows


def _register_row(serial: str, kind: Kind, place: Place, network: Network, *, live: bool) -> Row:
    random = Random(serial)
    return {
        "serialnumber": serial,
        "name": serial.replace("_", " "),
        "category": kind.category,
        "domain": domain_of(place.area),
        "dma_id": None if place.dma is None else network.dmas[place.dma].dma_id,
        # Two assets on one node do not stand in one spot.
        "longitude": round(place.node.longitude + random.uniform(-2e-4, 2e-4), 6),
        "latitude": round(place.node.latitude + random.uniform(-2e-4, 2e-4), 6),
        "criticality": random.choice(("High", "Medium", "Low")),
        "capacity_rating": kind.rating,
        "in_charge_person": None,
        "status": "Active",
        "asset_live_status": "Live" if live else "Not connected",
    }


def dma_rows(network: Network) -> list[Row]:
    """Rows of the district metered areas."""
    return [
        {
            "dma_id": dma.dma_id,
            "name": dma.name,
            "domain": dma.domain,
            "boundary": dma.boundary(),
            "connections": dma.connections,
            "population": dma.population,
            "mains_km": dma.mains_km,
            "supply_hours": round(sum(end - start for start, end in dma.windows) or 24.0, 2),
            "billed_m3_d": round(dma.billed_m3_d, 1),
        }
        for dma in network.dmas
    ]


def node_rows(network: Network) -> list[Row]:
    """What an EPANET file does not say of nodes: their DMA, their customers' number and use."""
    rows: list[Row] = []
    for dma in network.dmas:
        number = len(dma.nodes)
        for at, node in enumerate(dma.nodes):
            # Whole customers, none lost to rounding.
            connections = dma.connections * (at + 1) // number - dma.connections * at // number
            rows.append(
                {
                    "node_id": node.name, "dma_id": dma.dma_id, "connections": connections,
                    "demand_m3_h": round(dma.use_m3_h * connections / dma.connections, 4),
                }
            )  # fmt: skip
    return rows


def link_rows(network: Network, assets: list[Asset]) -> list[Row]:
    """What it does not say of links: their DMA, and the pump or flow meter that stands on them."""
    areas = {pipe.name: dma.dma_id for dma in network.dmas for pipe in (*dma.pipes, dma.inlet)}
    areas |= {dma.prv.name: dma.dma_id for dma in network.dmas}
    standing = {
        asset.place.of: asset.serial
        for asset in assets
        if asset.kind.infix in ("Pump", "BFM") and not asset.missing
    }
    names = [
        *(pipe.name for pipe in network.pipes), *(pump.name for pump in network.pumps),
        *(valve.name for valve in network.valves),
    ]  # fmt: skip
    return [
        {"link_id": name, "dma_id": areas.get(name), "asset_serial": standing.get(name)}
        for name in names
        if name in areas or name in standing
    ]


def valve_rows(network: Network, assets: list[Asset]) -> list[Row]:
    """The sluice valves: each stands at the end of its pipe, and one in sixty is stuck."""
    ends = {pipe.name: pipe.end.name for pipe in network.pipes}
    valves = [asset for asset in assets if asset.kind.infix == "SV"]
    return [
        {
            "valve_id": asset.serial, "link_id": asset.place.of, "node_id": ends[asset.place.of],
            "asset_serial": None if asset.missing else asset.serial,
            "stuck": True if asset.number % 60 == 41 else None,
        }
        for asset in valves
    ]  # fmt: skip


def parameter_rows() -> list[Row]:
    """Rows of the parameter master, one a tag code."""
    return [_parameter_row(tag) for tag in TAGS.values()]


def _parameter_row(tag: Tag) -> Row:
    ranged = tag.kind not in ("text", "date")
    # A gauge may cross 5 % of its range in a second; 1.5 m3/s is more than any main here carries.
    rate_max_per_s = {"gauge": (tag.high - tag.low) / 20, "counter": 1.5}.get(tag.kind)
    return {
        "param_tag_code": tag.code,
        "parameter_name": tag.name,
        "unit": tag.unit,
        "kind": tag.kind,
        "range_low": tag.low if ranged else None,
        "range_high": tag.high if ranged else None,
        "rate_max_per_s": rate_max_per_s,
        "decimals": tag.decimals,
    }


def tagmap_rows(assets: list[Asset]) -> list[Row]:
    """Rows of the tag map: every tag of every registered reporting asset but 89."""
    return [
        {"serialnumber": asset.serial, "tag_code": tag.code, "param_tag_code": tag.code}
        for asset in assets
        if not asset.missing
        for tag in asset.tags
        if tag.code not in asset.unmapped
    ]


def limits_of(asset: Asset, tag: Tag, network: Network) -> tuple[float, float, float, float]:
    """Alarm limits of one instrument: a DMA fed by turns is dry for most of the day."""
    dma = asset.place.dma
    by_turns = dma is not None and network.dmas[dma].windows
    if by_turns and tag.code in ("PRESSURE", "CL2_RES"):
        return (NEVER, NEVER, *tag.limits[2:])
    return tag.limits
