"""The pipes of a Delhi-like utility, drawn from a seed: works, ring main, zones, DMAs.

Two treatment works lift clear water into a ring main. Seven zones each take from the ring into an
underground reservoir (UGR), boost into an overhead tank (OHT) and feed five or six DMAs through a
pressure-reducing valve (PRV) each. Coordinates are metres east and north of a point in Delhi.
"""

import math
from dataclasses import dataclass, field
from random import Random
from typing import Final

# Two areas a domain, in the order of the domains. One has the characters that URLs trip over.
AREAS: Final = (
    "Narela Sector A-6", "Bawana Road", "Rohini Sector 8/9", "Pitampura AU+BU Block", "Model Town",
    "Azadpur", "Civil Lines", "Timarpur", "Karol Bagh", "Dev Nagar", "Chandni Chowk", "Daryaganj",
    "Paharganj", "Jhandewalan", "Patel Road_Baljeet Nagar", "Shadipur", "Moti Nagar",
    "Kirti Nagar", "Rajouri Garden", "Tilak Nagar", "West Patel Nagar", "C Block Ranjeet Nagar",
    "Janakpuri", "Uttam Nagar", "Dwarka Sector 10", "Palam Colony", "Vasant Kunj", "Munirka",
    "R K Puram", "Sarojini Nagar", "Hauz Khas", "Green Park", "Lajpat Nagar", "Defence Colony",
    "Greater Kailash", "Kalkaji", "Okhla Phase II", "Sarita Vihar", "Mayur Vihar", "Laxmi Nagar",
)  # fmt: skip
ORIGIN_LATITUDE: Final = 28.62
ORIGIN_LONGITUDE: Final = 77.17
METRES_A_DEGREE: Final = 111_320.0
CELL_M: Final = 6_600.0
GRID_COLUMNS: Final = 4
GRID_ROWS: Final = 5
ZONE_SIZES: Final = (6, 6, 6, 6, 6, 5, 5)
WORKS_PUMPS: Final = 6
ZONE_PUMPS: Final = 4
UGR_HEIGHT_M: Final = 4.5
OHT_HEIGHT_M: Final = 5.0
PEOPLE_A_CONNECTION: Final = 5.0
LITRES_A_PERSON_DAY: Final = 135.0  # CPHEEO norm for cities with sewerage
UNAUTHORISED_SHARE: Final = 0.04
UNDER_REGISTRATION_SHARE: Final = 0.03
THIS_YEAR: Final = 2026
# Material: Hazen-Williams C when new, loss of C a year, background leak mm2 per 100 m and year.
MATERIALS: Final = {
    "DI": (140.0, 0.35, 0.070),
    "CI": (130.0, 0.70, 0.150),
    "AC": (140.0, 0.30, 0.170),
    "PVC": (150.0, 0.10, 0.100),
    "HDPE": (150.0, 0.10, 0.060),
    "MS": (140.0, 0.40, 0.020),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A junction, a tank or a reservoir.

    Attributes:
        dma: Index of its DMA, -1 outside of all.
        elevation_m: Ground of a junction, floor of a tank, water of a reservoir; above sea level.
    """

    name: str
    x_m: float
    y_m: float
    elevation_m: float
    dma: int = -1

    @property
    def longitude(self) -> float:
        """Degrees east."""
        scale = METRES_A_DEGREE * math.cos(math.radians(ORIGIN_LATITUDE))
        return round(ORIGIN_LONGITUDE + self.x_m / scale, 6)

    @property
    def latitude(self) -> float:
        """Degrees north."""
        return round(ORIGIN_LATITUDE + self.y_m / METRES_A_DEGREE, 6)


@dataclass(frozen=True, slots=True)
class Tank:
    """A UGR or OHT: the node is its floor."""

    node: Node
    diameter_m: float
    height_m: float
    initial_m: float

    @property
    def area_m2(self) -> float:
        """Water surface."""
        return math.pi / 4 * self.diameter_m**2


@dataclass(frozen=True, slots=True)
class Pipe:
    """A pipe; `laid` is a year."""

    name: str
    start: Node
    end: Node
    length_m: float
    diameter_mm: float
    material: str
    laid: int
    dma: int = -1

    @property
    def roughness(self) -> float:
        """Hazen-Williams C at this pipe's age."""
        new, a_year, _ = MATERIALS[self.material]
        return round(max(75.0, new - a_year * (THIS_YEAR - self.laid)), 1)

    @property
    def leak_area_mm2(self) -> float:
        """Background leakage: area per 100 m; only in DMAs, trunk mains are welded and watched."""
        if self.dma < 0:
            return 0.0
        return round(MATERIALS[self.material][2] * (THIS_YEAR - self.laid), 4)


@dataclass(frozen=True, slots=True)
class Pump:
    """One pump of a station; `flow_m3_h` and `head_m` are its best-efficiency point."""

    name: str
    start: Node
    end: Node
    flow_m3_h: float
    head_m: float
    efficiency: float
    rated_kw: float

    def curve(self) -> list[tuple[float, float]]:
        """Five points of head in m over flow in m3/h; falls by a quarter up to the best point."""
        shares = (0.0, 0.5, 1.0, 1.35, 1.7)
        return [
            (round(self.flow_m3_h * q, 2), round(self.head_m * (1.25 - 0.25 * q * q), 3))
            for q in shares
        ]


@dataclass(frozen=True, slots=True)
class Valve:
    """A PRV (setting in m) or a flow control valve (FCV, setting in m3/h)."""

    name: str
    kind: str
    start: Node
    end: Node
    diameter_mm: float
    setting: float


@dataclass(frozen=True, slots=True)
class Station:
    """A pump station; `area` is the index of the area it stands in."""

    name: str
    area: int
    works: bool
    pumps: tuple[Pump, ...]
    suction: Node
    header: Node
    outlet: Pipe


@dataclass(frozen=True, slots=True)
class Zone:
    """What one UGR and its booster station feed."""

    station: Station
    ugr: Tank
    oht: Tank
    ugr_inlet: Valve
    dmas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DMA:
    """A district metered area; its number is that of its area.

    Attributes:
        windows: Local hours of supply; empty where it is continuous.
        inlet: The pipe with the inlet valve, in front of the PRV.
        average_point: Where pressure is about the DMA's mean.
        critical_point: Where it is lowest.
    """

    number: int
    dma_id: str
    name: str
    domain: str
    connections: int
    commercial_share: float
    windows: tuple[tuple[float, float], ...]
    inlet: Pipe
    prv: Valve
    nodes: tuple[Node, ...]
    pipes: tuple[Pipe, ...]
    average_point: Node
    critical_point: Node

    @property
    def population(self) -> int:
        """People."""
        return round(self.connections * PEOPLE_A_CONNECTION)

    @property
    def use_m3_h(self) -> float:
        """Mean consumption."""
        return self.population * LITRES_A_PERSON_DAY / 1000 / 24 / (1 - self.commercial_share)

    @property
    def billed_m3_d(self) -> float:
        """Mean billed consumption: what meters of lawful customers show."""
        lawful = self.use_m3_h * 24 * (1 - UNAUTHORISED_SHARE)
        return lawful * (1 - UNDER_REGISTRATION_SHARE)

    @property
    def mains_km(self) -> float:
        """Length of its mains."""
        return round(sum(pipe.length_m for pipe in self.pipes) / 1000, 3)

    def boundary(self) -> dict[str, object]:
        """GeoJSON polygon around its nodes."""
        margin_m = 150.0
        west = min(node.x_m for node in self.nodes) - margin_m
        east = max(node.x_m for node in self.nodes) + margin_m
        south = min(node.y_m for node in self.nodes) - margin_m
        north = max(node.y_m for node in self.nodes) + margin_m
        corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
        ring = [Node("", x, y, 0.0) for x, y in corners]
        return {
            "type": "Polygon",
            "coordinates": [[[each.longitude, each.latitude] for each in ring]],
        }


@dataclass(slots=True)
class Network:
    """All of it; the order of each list is the order of the simulation's arrays."""

    junctions: list[Node] = field(default_factory=list)
    reservoirs: list[Node] = field(default_factory=list)
    tanks: list[Tank] = field(default_factory=list)
    pipes: list[Pipe] = field(default_factory=list)
    pumps: list[Pump] = field(default_factory=list)
    valves: list[Valve] = field(default_factory=list)
    works: list[Station] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    dmas: list[DMA] = field(default_factory=list)
    ring: list[Pipe] = field(default_factory=list)

    @property
    def stations(self) -> list[Station]:
        """Works first, then the zones' booster stations."""
        return [*self.works, *(zone.station for zone in self.zones)]


def domain_of(area: int) -> str:
    """The domain an area belongs to."""
    return f"DEL-D{area // 2 + 1:02d}"


def generate(seed: int) -> Network:
    """Draw a network; the same seed draws the same one."""
    return _Draft(Random(f"network:{seed}")).draw()


class _Draft:
    """A network being drawn."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._network = Network()
        self._centres = [self._centre(area) for area in range(len(AREAS))]

    def draw(self) -> Network:
        groups = self._zones_of_areas()
        ring = [self._draw_ring_node(number, areas) for number, areas in enumerate(groups)]
        self._draw_works(ring)
        for number, areas in enumerate(groups):
            self._draw_zone(number, areas, ring[number])
        self._network.dmas.sort(key=lambda dma: dma.number)
        return self._network

    def _centre(self, area: int) -> tuple[float, float]:
        row, column = divmod(area // 2, 5)
        side = -0.24 if area % 2 == 0 else 0.24
        jitter = [self._random.uniform(-0.08, 0.08) for _ in range(2)]
        return (column - 2 + side + jitter[0]) * CELL_M, (1.5 - row + jitter[1]) * CELL_M

    @staticmethod
    def _zones_of_areas() -> list[list[int]]:
        """Neighbouring areas, row by row of domains, to and fro."""
        order = []
        for row in range(4):
            domains = range(row * 5, row * 5 + 5)
            for domain in domains if row % 2 == 0 else reversed(domains):
                order += [2 * domain, 2 * domain + 1]
        groups, at = [], 0
        for size in ZONE_SIZES:
            groups.append(order[at : at + size])
            at += size
        return groups

    @staticmethod
    def _ground(x_m: float, y_m: float) -> float:
        """Height above sea level: plain in the north-east, a low ridge towards the south-west."""
        ridge = 9.0 * math.exp(-(((x_m + 4000) / 7000) ** 2 + ((y_m + 6000) / 6000) ** 2))
        return round(211.0 + 2.0 * math.sin(x_m / 5200) + 1.5 * math.cos(y_m / 4100) + ridge, 2)

    def _node(self, name: str, x_m: float, y_m: float, dma: int = -1) -> Node:
        node = Node(name, round(x_m, 1), round(y_m, 1), self._ground(x_m, y_m), dma)
        self._network.junctions.append(node)
        return node

    def _pipe(
        self, name: str, start: Node, end: Node, diameter_mm: float, *, length_m: float = 0.0,
        dma: int = -1,
    ) -> Pipe:  # fmt: skip
        random = self._random
        straight = math.hypot(end.x_m - start.x_m, end.y_m - start.y_m)
        length = length_m or max(20.0, straight * random.uniform(1.05, 1.25))
        if dma < 0:
            material, laid = ("MS" if diameter_mm >= 600 else "DI"), random.randint(1985, 2015)
        else:
            material = random.choice(("DI", "CI", "CI", "AC", "PVC", "HDPE"))
            laid = random.randint(1968, 1995) if material in ("CI", "AC") else (
                random.randint(1995, 2022)
            )  # fmt: skip
        pipe = Pipe(name, start, end, round(length, 1), diameter_mm, material, laid, dma)
        self._network.pipes.append(pipe)
        return pipe

    def _draw_ring_node(self, number: int, areas: list[int]) -> Node:
        xs, ys = zip(*(self._centres[area] for area in areas), strict=True)
        return self._node(f"R{number + 1}", sum(xs) / len(xs), sum(ys) / len(ys) + 900)

    def _draw_works(self, ring: list[Node]) -> None:
        loop = [ring[0], ring[1], ring[3], ring[5], ring[6], ring[4], ring[2]]
        for number, (start, end) in enumerate(zip(loop, loop[1:] + loop[:1], strict=True), 1):
            self._network.ring.append(self._pipe(f"RM{number}", start, end, 1000))
        sites = (("Wazirabad", 6, ring[1], 1800.0), ("Haiderpur", 3, ring[0], 1500.0))
        for number, (name, area, joins, offset_m) in enumerate(sites, 1):
            x, y = joins.x_m + offset_m, joins.y_m + offset_m
            clear = Node(f"CWR{number}", x, y, self._ground(x, y) + 4.0)
            self._network.reservoirs.append(clear)
            station = self._draw_station(
                f"{name} WTP", area, x, y, number=WORKS_PUMPS, flow_m3_h=480.0, head_m=34.0,
                works=True, joins=joins, diameter_mm=900, code=f"W{number}",
            )  # fmt: skip
            self._pipe(f"W{number}S", clear, station.suction, 1000, length_m=30)
            self._network.works.append(station)

    def _draw_station(
        self, name: str, area: int, x_m: float, y_m: float, *, number: int, flow_m3_h: float,
        head_m: float, works: bool, joins: Node, diameter_mm: float, code: str,
    ) -> Station:  # fmt: skip
        suction = self._node(f"{code}IN", x_m + 20, y_m)
        header = self._node(f"{code}OUT", x_m + 60, y_m)
        pumps = []
        for at in range(1, number + 1):
            efficiency = round(self._random.uniform(0.74, 0.80), 3)
            power_kw = flow_m3_h * head_m / 367.2 / efficiency
            rated_kw = next(kw for kw in (22, 37, 45, 55, 75, 90, 110, 132) if kw > 1.15 * power_kw)
            pumps.append(
                Pump(f"{code}P{at}", suction, header, flow_m3_h, head_m, efficiency, rated_kw)
            )
        self._network.pumps += pumps
        outlet = self._pipe(f"{code}M", header, joins, diameter_mm)
        return Station(name, area, works, tuple(pumps), suction, header, outlet)

    def _draw_zone(self, number: int, areas: list[int], ring: Node) -> None:
        code = f"Z{number + 1}"
        dmas = [self._draft_dma(area) for area in areas]
        # The station stands in the middle of its zone; the contract's panel in one of them.
        home = 21 if 21 in areas else areas[len(areas) // 2]
        x, y = ring.x_m + 150, ring.y_m - 150
        # A fifth is lost on the way to the taps; a pump more than the mean needs is kept ready.
        mean_m3_h = 1.45 * sum(draft.use_m3_h for draft in dmas)
        floor = self._ground(x, y)
        highest = max(self._ground(*self._centres[area]) for area in areas)
        zone_node = self._node(f"{code}N", x + 400, y - 200)
        oht = self._tank(
            f"{code}OHT", x + 450, y - 260, highest + 32.0, mean_m3_h * 3.0, OHT_HEIGHT_M
        )
        head_m = round(oht.node.elevation_m + 3.0 - (floor + 2.5) + 4.0, 1)
        station = self._draw_station(
            f"{AREAS[home]} BPS", home, x, y, number=ZONE_PUMPS,
            flow_m3_h=round(mean_m3_h / 2.0, -1), head_m=head_m, works=False, joins=zone_node,
            diameter_mm=600, code=code,
        )  # fmt: skip
        self._pipe(f"{code}T", zone_node, oht.node, 500, length_m=80)
        ugr = self._tank(f"{code}UGR", x, y, floor - 1.0, mean_m3_h * 8.0, UGR_HEIGHT_M)
        self._pipe(f"{code}S", ugr.node, station.suction, 700, length_m=40)
        before = self._node(f"{code}FA", x - 60, y + 40)
        after = self._node(f"{code}FB", x - 40, y + 20)
        self._pipe(f"{code}F", ring, before, 600)
        inlet = Valve(f"{code}FCV", "FCV", before, after, 500, mean_m3_h)
        self._network.valves.append(inlet)
        # A control valve may not touch a tank.
        self._pipe(f"{code}U", after, ugr.node, 600, length_m=25)
        feed = zone_node
        for at, (area, draft) in enumerate(zip(areas, dmas, strict=True)):
            feed = self._draw_dma(code, at, area, draft, feed if at % 3 else zone_node)
        self._network.zones.append(Zone(station, ugr, oht, inlet, tuple(areas)))

    def _tank(
        self, name: str, x_m: float, y_m: float, floor_m: float, volume_m3: float, height_m: float
    ) -> Tank:
        diameter = round(math.sqrt(volume_m3 / height_m * 4 / math.pi), 2)
        node = Node(name, round(x_m, 1), round(y_m, 1), round(floor_m, 2))
        tank = Tank(node, diameter, height_m, round(0.7 * height_m, 2))
        self._network.tanks.append(tank)
        return tank

    def _draft_dma(self, area: int) -> "_DMADraft":
        random = self._random
        connections = random.randint(900, 3200)
        commercial = round(random.uniform(0.05, 0.30), 3)
        windows: tuple[tuple[float, float], ...] = ()
        if area % 3 == 1:
            # Turns: not all of them are fed at once.
            first = (5.0, 8.5, 12.0)[area // 3 % 3] + random.uniform(0.0, 0.5)
            second = (16.0, 18.5, 21.0)[area // 3 % 3] + random.uniform(0.0, 0.3)
            windows = (
                (round(first, 2), round(first + random.uniform(2.8, 3.3), 2)),
                (round(second, 2), round(second + random.uniform(2.0, 2.4), 2)),
            )
        return _DMADraft(connections, commercial, windows)

    def _draw_dma(self, zone: str, at: int, area: int, draft: "_DMADraft", feed: Node) -> Node:
        """Draw one DMA and the main that leads to it; answers where the next main may begin."""
        x, y = self._centres[area]
        code = f"D{area + 1:02d}"
        offtake = self._node(f"{code}O", x - 900, y + 700)
        self._pipe(f"{zone}M{at + 1}", feed, offtake, 600 if at % 3 == 0 else 500)
        before = self._node(f"{code}A", x - 800, y + 650)
        after = self._node(f"{code}B", x - 780, y + 640)
        # Where all is taken in a few hours the pipes are wider.
        wide = 1.5 if draft.windows else 1.0
        inlet = self._pipe(f"{code}I", offtake, before, 300 * wide, length_m=40)
        nodes, pipes = self._draw_grid(code, area, x, y, wide)
        setting = round(26.0 + max(n.elevation_m for n in nodes) - after.elevation_m, 1)
        prv = Valve(f"{code}PRV", "PRV", before, after, 300 * wide, setting)
        self._network.valves.append(prv)
        pipes.append(self._pipe(f"{code}E", after, nodes[0], 300 * wide, dma=area))
        by_height = sorted(nodes, key=lambda node: node.elevation_m)
        far = max(nodes[-GRID_COLUMNS:], key=lambda node: node.elevation_m)
        self._network.dmas.append(
            DMA(
                area, f"{domain_of(area)}-A{area % 2 + 1}", AREAS[area], domain_of(area),
                draft.connections, draft.commercial_share, draft.windows, inlet, prv,
                tuple(nodes), tuple(pipes), by_height[len(by_height) // 2], far,
            )
        )  # fmt: skip
        return offtake

    def _draw_grid(
        self, code: str, area: int, x_m: float, y_m: float, wide: float
    ) -> tuple[list[Node], list[Pipe]]:
        """Streets: rows and columns, a third of the loops left out, every node reached."""
        random = self._random
        step_x, step_y = random.uniform(230, 330), random.uniform(210, 290)
        nodes = [
            self._node(
                f"{code}J{row * GRID_COLUMNS + column + 1:02d}",
                x_m + (column - 1.5) * step_x + random.uniform(-40, 40),
                y_m + (2 - row) * step_y + random.uniform(-40, 40),
                area,
            )
            for row in range(GRID_ROWS)
            for column in range(GRID_COLUMNS)
        ]
        pipes = []
        for at in range(len(nodes)):
            row, column = divmod(at, GRID_COLUMNS)
            if column + 1 < GRID_COLUMNS and (row == 0 or random.random() < 0.65):
                pipes.append((at, at + 1, 250 if row == 0 else 150))
            if row + 1 < GRID_ROWS:
                pipes.append((at, at + GRID_COLUMNS, 200 if column == 0 else 150))
        return nodes, [
            self._pipe(f"{code}P{number:02d}", nodes[start], nodes[end], diameter * wide, dma=area)
            for number, (start, end, diameter) in enumerate(pipes, 1)
        ]


@dataclass(frozen=True, slots=True)
class _DMADraft:
    connections: int
    commercial_share: float
    windows: tuple[tuple[float, float], ...]

    @property
    def use_m3_h(self) -> float:
        people = self.connections * PEOPLE_A_CONNECTION
        return people * LITRES_A_PERSON_DAY / 1000 / 24 / (1 - self.commercial_share)
