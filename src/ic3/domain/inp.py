"""EPANET input files: what the tables hold is read, all else is kept line by line and given back.

The reader is our own: EPANET itself hands out neither bends nor the lines as they were written,
and not every installation has it. Lengths, diameters, elevations and demands become metres,
millimetres, metres and m3/h; other figures stay in the units of the file.

Source:
    EPANET 2.3 user manual, appendix C: sections, units, which section overrides which.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from ic3.domain.geo import Position, fault_of
from ic3.domain.network import (
    Link,
    LinkKind,
    LinkStatus,
    Network,
    Node,
    NodeKind,
    Source,
    check,
    refuse,
    text_of,
)
from ic3.errors import InputError

# m3/h of one unit of flow; those of the United States bring feet and inches.
FLOW_UNITS: Final = {
    "CFS": 101.940647424, "GPM": 0.227124707, "MGD": 157.725491, "IMGD": 189.42041,
    "AFD": 51.399078, "LPS": 3.6, "LPM": 0.06, "MLD": 1000 / 24, "CMH": 1.0, "CMD": 1 / 24,
    "CMS": 3600.0,
}  # fmt: skip
US_UNITS: Final = {"CFS", "GPM", "MGD", "IMGD", "AFD"}
FOOT_M: Final = 0.3048
INCH_MM: Final = 25.4
ID_LIMIT: Final = 31
TAKEN: Final = (
    "JUNCTIONS", "RESERVOIRS", "TANKS", "PIPES", "PUMPS", "VALVES", "COORDINATES",
)  # fmt: skip
TANK_FIELDS: Final = ("initial", "minimum", "maximum", "diameter", "minimum_volume", "curve",
                      "overflow")  # fmt: skip
STATES: Final = {"OPEN": LinkStatus.OPEN, "CLOSED": LinkStatus.CLOSED, "CV": LinkStatus.CV}

Row = tuple[int, list[str]]


class _Units:
    """Factors from the file's units to ours."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.flow = FLOW_UNITS[word]
        self.length = FOOT_M if word in US_UNITS else 1.0
        self.diameter = INCH_MM if word in US_UNITS else 1.0


def read_inp(content: bytes, name: str = "network.inp") -> Network:
    """The network of a file, checked.

    Raises:
        InputError: It is none; says what is wrong in which line.
    """
    return _Reader(_text(content), name).read()


def write_inp(network: Network) -> str:
    """A file of the network.

    Raises:
        InputError: A name cannot stand in one.
    """
    return _Writer(network).write()


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


class _Reader:
    """One file."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._lines = _sections(text)
        self._problems: list[str] = []
        self._units = self._read_units()
        self._nodes: dict[str, Node] = {}
        self._links: dict[str, Link] = {}
        self._places: dict[str, Position] = {}
        self._bends: dict[str, list[Position]] = {}

    def read(self) -> Network:
        if not any(self._lines.get(each) for each in ("JUNCTIONS", "RESERVOIRS", "TANKS")):
            raise InputError("network: the file has no node in [JUNCTIONS]; is it an INP?")
        self._places_and_bends()
        self._take("JUNCTIONS", 2, self._junction)
        self._demands()
        self._take("RESERVOIRS", 2, self._reservoir)
        self._take("TANKS", 6, self._tank)
        self._take("PIPES", 6, self._pipe)
        self._take("PUMPS", 4, self._pump)
        self._take("VALVES", 6, self._valve)
        self._statuses()
        kept = {
            section: [line for _, line in lines]
            for section, lines in self._lines.items() if section not in TAKEN
        }  # fmt: skip
        source = Source(self._name, "inp", self._units.word, kept)
        network = Network(nodes=self._nodes, links=self._links, source=source)
        refuse(self._problems + check(network))
        return network

    def _rows(self, section: str) -> Iterator[Row]:
        for number, line in self._lines.get(section, ()):
            words = line.partition(";")[0].split()
            if words:
                yield number, words

    def _read_units(self) -> _Units:
        word = "GPM"
        for number, words in self._rows("OPTIONS"):
            if words[0].upper() in {"UNITS", "FLOW"} and len(words) > 1:
                word = words[-1].upper()
                if word not in FLOW_UNITS:
                    self._problems.append(f"line {number}: UNITS {word[:20]} is not known")
                    word = "GPM"
        return _Units(word)

    def _take(self, section: str, least: int, take: Callable[[list[str]], None]) -> None:
        for number, words in self._rows(section):
            try:
                if len(words) < least:
                    raise ValueError(f"has {len(words)} of at least {least} fields")
                take(words)
            except ValueError as error:
                self._problems.append(f"line {number}: [{section}] {words[0][:40]} {error}")

    def _places_and_bends(self) -> None:
        """Positions; where one cannot be degrees, none are: the file is drawn in other units."""
        found: list[tuple[str, Position]] = []
        self._take("COORDINATES", 3, lambda words: found.append(_place(words)))
        bends: list[tuple[str, Position]] = []
        self._take("VERTICES", 3, lambda words: bends.append(_place(words)))
        self._in_degrees = all(fault_of(*at, None) in {None, "zero"} for _, at in found + bends)
        self._places = dict(found)
        if self._in_degrees:
            self._lines.pop("VERTICES", None)
            for link, at in bends:
                self._bends.setdefault(link, []).append(at)

    def _add_node(self, node: Node) -> None:
        if node.node_id in self._nodes:
            raise ValueError("stands there twice")
        self._nodes[node.node_id] = node

    def _where(self, name: str, details: dict[str, str]) -> tuple[float | None, float | None]:
        at = self._places.get(name)
        if at is None:
            return None, None
        if self._in_degrees:
            return at
        details["x"], details["y"] = text_of(at[0]), text_of(at[1])
        return None, None

    def _junction(self, words: list[str]) -> None:
        details = {"pattern": words[3]} if len(words) > 3 else {}
        longitude, latitude = self._where(words[0], details)
        demand = _number(words[2]) if len(words) > 2 else 0.0
        self._add_node(
            Node(
                node_id=words[0], longitude=longitude, latitude=latitude,
                elevation_m=_number(words[1]) * self._units.length,
                demand_m3_h=demand * self._units.flow, details=details,
            )
        )  # fmt: skip

    def _demands(self) -> None:
        """Demands by category override those of the junctions."""
        found: dict[str, list[tuple[str, str]]] = {}
        self._take("DEMANDS", 2, lambda words: found.setdefault(words[0], []).append(
            (words[1], words[2] if len(words) > 2 else "")
        ))  # fmt: skip
        for name, parts in found.items():
            node = self._nodes.get(name)
            if node is None:
                self._problems.append(f"[DEMANDS] junction {name[:40]} is not there")
                continue
            details = {each: text for each, text in node.details.items() if each != "pattern"}
            details["demands"] = "|".join(" ".join(part).strip() for part in parts)
            try:
                total = sum(_number(figure) for figure, _ in parts) * self._units.flow
            except ValueError as error:
                self._problems.append(f"[DEMANDS] {name[:40]} {error}")
                continue
            self._nodes[name] = replace(node, demand_m3_h=total, details=details)
        self._lines.pop("DEMANDS", None)

    def _reservoir(self, words: list[str]) -> None:
        details = {"pattern": words[2]} if len(words) > 2 else {}
        longitude, latitude = self._where(words[0], details)
        self._add_node(
            Node(
                node_id=words[0], kind=NodeKind.RESERVOIR, longitude=longitude, latitude=latitude,
                elevation_m=_number(words[1]) * self._units.length, details=details,
            )
        )  # fmt: skip

    def _tank(self, words: list[str]) -> None:
        for figure in words[2:6]:
            _number(figure)
        details = dict(zip(TANK_FIELDS, words[2:], strict=False))
        longitude, latitude = self._where(words[0], details)
        self._add_node(
            Node(
                node_id=words[0], kind=NodeKind.TANK, longitude=longitude, latitude=latitude,
                elevation_m=_number(words[1]) * self._units.length, details=details,
            )
        )  # fmt: skip

    def _add_link(self, link: Link) -> None:
        if link.link_id in self._links:
            raise ValueError("stands there twice")
        self._links[link.link_id] = link

    def _pipe(self, words: list[str]) -> None:
        details, status = {}, LinkStatus.OPEN
        for word in words[6:8]:
            if word.upper() in STATES:
                status = STATES[word.upper()]
            else:
                _number(word)
                details["minor_loss"] = word
        self._add_link(
            Link(
                link_id=words[0], from_node=words[1], to_node=words[2],
                length_m=_number(words[3]) * self._units.length,
                diameter_mm=_number(words[4]) * self._units.diameter,
                roughness=_number(words[5]), status=status, details=details,
                vertices=tuple(self._bends.get(words[0], ())),
            )
        )  # fmt: skip

    def _pump(self, words: list[str]) -> None:
        self._add_link(
            Link(
                link_id=words[0], kind=LinkKind.PUMP, from_node=words[1], to_node=words[2],
                details={"curve": " ".join(words[3:])},
                vertices=tuple(self._bends.get(words[0], ())),
            )
        )  # fmt: skip

    def _valve(self, words: list[str]) -> None:
        details = {"setting": words[5]}
        if len(words) > 6:
            details["minor_loss"] = " ".join(words[6:])
        self._add_link(
            Link(
                link_id=words[0], kind=LinkKind.VALVE, from_node=words[1], to_node=words[2],
                diameter_mm=_number(words[3]) * self._units.diameter, valve_type=words[4].upper(),
                details=details, vertices=tuple(self._bends.get(words[0], ())),
            )
        )  # fmt: skip

    def _statuses(self) -> None:
        """Open and closed go to their links; settings and speeds stay lines."""
        kept = []
        for number, line in self._lines.get("STATUS", ()):
            words = line.partition(";")[0].split()
            link = self._links.get(words[0]) if len(words) == 2 else None
            status = STATES.get(words[1].upper()) if link else None
            if link is None or status in {None, LinkStatus.CV}:
                kept.append((number, line))
                continue
            details = link.details
            if link.kind is LinkKind.VALVE and status is LinkStatus.OPEN:
                # Open for good, instead of at its setting.
                details = {**details, "fixed": "OPEN"}
            self._links[link.link_id] = replace(link, status=status, details=details)
        if kept:
            self._lines["STATUS"] = kept
        else:
            self._lines.pop("STATUS", None)


class _Writer:
    """One network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._units = _Units(network.source.units)
        names = [*network.nodes, *network.links]
        bad = [name for name in names if not _may_stand(name)]
        if bad:
            raise InputError(
                f"network: {len(bad):,} names cannot stand in an INP file, which takes"
                f" {ID_LIMIT} characters without blanks, quotes and semicolons: {bad[0][:60]!r};"
                " export GeoJSON, or rename them"
            )

    def write(self) -> str:
        nodes, links = self._network.nodes.values(), self._network.links.values()
        kept = {name: list(lines) for name, lines in self._network.source.sections.items()}
        title, options = kept.pop("TITLE", []), kept.pop("OPTIONS", [])
        if not options:
            options = [f"UNITS {self._units.word}", "HEADLOSS H-W"]
        sections: list[tuple[str, Sequence[str]]] = [
            ("TITLE", title),
            ("JUNCTIONS", [self._junction(e) for e in nodes if e.kind is NodeKind.JUNCTION]),
            ("RESERVOIRS", [self._reservoir(e) for e in nodes if e.kind is NodeKind.RESERVOIR]),
            ("TANKS", [self._tank(each) for each in nodes if each.kind is NodeKind.TANK]),
            ("PIPES", [self._pipe(each) for each in links if each.kind is LinkKind.PIPE]),
            ("PUMPS", [self._pump(each) for each in links if each.kind is LinkKind.PUMP]),
            ("VALVES", [self._valve(each) for each in links if each.kind is LinkKind.VALVE]),
            ("DEMANDS", [line for each in nodes for line in _demand_lines(each)]),
            ("STATUS", [*(line for each in links for line in _status_lines(each)),
                        *kept.pop("STATUS", [])]),
            *kept.items(),
            ("OPTIONS", options),
            ("COORDINATES", [line for each in nodes for line in _coordinate_lines(each)]),
        ]  # fmt: skip
        if "VERTICES" not in kept:
            bends = [f"{each.link_id} {text_of(x)} {text_of(y)}"
                     for each in links for x, y in each.vertices]  # fmt: skip
            sections.append(("VERTICES", bends))
        body = "".join(
            "\n".join([f"[{name}]", *lines, "", ""]) for name, lines in sections if lines
        )
        return body + "[END]\n"

    def _junction(self, node: Node) -> str:
        demand = (node.demand_m3_h or 0.0) / self._units.flow
        pattern = node.details.get("pattern", "")
        height = self._height(node)
        return f"{node.node_id} {height} {text_of(demand)} {pattern}".rstrip()

    def _reservoir(self, node: Node) -> str:
        return f"{node.node_id} {self._height(node)} {node.details.get('pattern', '')}".rstrip()

    def _tank(self, node: Node) -> str:
        # What a hand-made GeoJSON leaves out: a tank of 5 m, half full.
        usual = {"initial": "2.5", "minimum": "0", "maximum": "5", "diameter": "20",
                 "minimum_volume": "0"}  # fmt: skip
        figures = {**usual, **node.details}
        rest = [figures[each] for each in TANK_FIELDS if each in figures]
        return f"{node.node_id} {self._height(node)} {' '.join(rest)}"

    def _height(self, node: Node) -> str:
        return text_of((node.elevation_m or 0.0) / self._units.length)

    def _pipe(self, link: Link) -> str:
        length = (link.length_m or 1.0) / self._units.length
        words = [
            _ends(link), text_of(length), self._diameter(link), text_of(link.roughness or 100.0)
        ]  # fmt: skip
        if "minor_loss" in link.details:
            words.append(link.details["minor_loss"])
        return " ".join([*words, link.status.upper()])

    @staticmethod
    def _pump(link: Link) -> str:
        return f"{_ends(link)} {link.details.get('curve', 'POWER 1')}"

    def _valve(self, link: Link) -> str:
        words = [
            _ends(link), self._diameter(link), link.valve_type or "TCV",
            link.details.get("setting", "0"),
        ]  # fmt: skip
        if "minor_loss" in link.details:
            words.append(link.details["minor_loss"])
        return " ".join(words)

    def _diameter(self, link: Link) -> str:
        return text_of((link.diameter_mm or 100.0) / self._units.diameter)


def _sections(text: str) -> dict[str, list[tuple[int, str]]]:
    """Section to its lines with their numbers; what stands before the first or after [END] is not.

    EPANET knows a section by its first letters.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    lines: list[tuple[int, str]] | None = None
    for number, raw in enumerate(text.replace("\0", "").splitlines(), 1):
        line = raw.strip()
        if line.startswith("["):
            name = _section_name(line.strip("[] ").upper())
            if name == "END":
                break
            lines = found.setdefault(name, [])
        elif line and lines is not None:
            lines.append((number, line))
    return found


def _section_name(word: str) -> str:
    for name in (*TAKEN, "DEMANDS", "STATUS", "VERTICES", "OPTIONS", "TITLE", "END"):
        if word[:4] == name[:4]:
            return name
    return word


def _place(words: list[str]) -> tuple[str, Position]:
    return words[0], (_number(words[1]), _number(words[2]))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"has {text[:20]!r} where a number belongs") from None


def _may_stand(name: str) -> bool:
    return len(name.encode()) <= ID_LIMIT and name.isprintable() and not set(name) & set(' ";[')


def _ends(link: Link) -> str:
    return f"{link.link_id} {link.from_node} {link.to_node}"


def _demand_lines(node: Node) -> list[str]:
    parts = node.details.get("demands", "")
    return [f"{node.node_id} {part}" for part in parts.split("|") if part]


def _status_lines(link: Link) -> list[str]:
    if link.kind is LinkKind.PIPE:
        return []
    if link.status is LinkStatus.CLOSED:
        return [f"{link.link_id} CLOSED"]
    return [f"{link.link_id} OPEN"] if "fixed" in link.details else []


def _coordinate_lines(node: Node) -> list[str]:
    if node.longitude is not None and node.latitude is not None:
        return [f"{node.node_id} {text_of(node.longitude)} {text_of(node.latitude)}"]
    return (
        [f"{node.node_id} {node.details['x']} {node.details['y']}"] if "x" in node.details else []
    )
