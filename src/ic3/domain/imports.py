"""CSV files for register, parameters, tag map, areas and rules, checked line by line."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ic3.domain.spreadsheets import Cell, without_guard
from ic3.domain.ucum import unit_code

Check = Callable[[str], object]

MAX_CELL: Final = 1000
MAX_PROBLEMS: Final = 200
MAX_EXTERNAL_IDS: Final = 20
# The rule for tag names on the feed: what may come from there must be mappable.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# A cell holds many: the signs between them are none of theirs.
EXTERNAL_SYSTEM: Final = r"^[A-Za-z0-9_.-]{1,50}$"
EXTERNAL_NUMBER: Final = (
    r"^[^\x00-\x20;\x7f-\x9f]([^\x00-\x1f;\x7f-\x9f]{0,198}[^\x00-\x20;\x7f-\x9f])?$"
)


def text(cell: str) -> str:
    """Text of one line."""
    if _CONTROL_CHARACTER.search(cell):
        raise ValueError("holds a control character")
    if len(cell) > MAX_CELL:
        raise ValueError(f"is longer than {MAX_CELL} characters")
    return cell


def number(cell: str) -> float:
    """A finite number."""
    try:
        value = float(_as_people_write(cell))
    except ValueError:
        raise ValueError(f"is not a number: {cell[:40]!r}") from None
    if not math.isfinite(value):
        raise ValueError("is not finite")
    return value


def whole(cell: str) -> int:
    """A whole number that PostgreSQL's int holds."""
    try:
        value = int(_as_people_write(cell))
    except ValueError:
        raise ValueError(f"is not a whole number: {cell[:40]!r}") from None
    if not -(2**31) <= value < 2**31:
        raise ValueError("is out of range")
    return value


def _as_people_write(cell: str) -> str:
    """Refuse what only Python reads as a number: 1_000, or digits of other scripts."""
    if "_" in cell or not cell.isascii():
        raise ValueError(cell)
    return cell


def within(low: float, high: float) -> Check:
    """A number within limits."""

    def check(cell: str) -> float:
        value = number(cell)
        if not low <= value <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return value

    return check


def decimals(cell: str) -> int:
    """Digits after the point."""
    value = whole(cell)
    if not 0 <= value <= 12:
        raise ValueError("must be between 0 and 12")
    return value


def kind(cell: str) -> str:
    """How a parameter behaves."""
    if cell not in {"gauge", "counter", "state", "text", "date"}:
        raise ValueError("must be gauge, counter, state, text or date")
    return cell


def external_ids(cell: str) -> list[dict[str, str]]:
    """Numbers in other systems, as `gis=4711; scada=P-7`."""
    found: dict[str, dict[str, str]] = {}
    for pair in filter(None, map(str.strip, cell.split(";"))):
        system, _, number_there = (each.strip() for each in pair.partition("="))
        if not re.match(EXTERNAL_SYSTEM, system) or not re.match(EXTERNAL_NUMBER, number_there):
            raise ValueError(f"must be system=number, with ; between: {pair[:40]!r}")
        if system in found:
            raise ValueError(f"names {system} twice")
        found[system] = {"system": system, "id": number_there}
    if len(found) > MAX_EXTERNAL_IDS:
        raise ValueError(f"names more than {MAX_EXTERNAL_IDS} systems")
    return list(found.values())


def boundary(cell: str) -> dict[str, Any]:
    """A polygon of GeoJSON."""
    try:
        found = json.loads(cell, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("is not GeoJSON") from None
    if (
        not isinstance(found, dict)
        or found.get("type") not in {"Polygon", "MultiPolygon"}
        or not isinstance(found.get("coordinates"), list)
        or "\0" in json.dumps(found, ensure_ascii=False)
    ):
        raise ValueError("must be a GeoJSON Polygon or MultiPolygon")
    return found


def _no_number(word: str) -> float:
    raise ValueError(word)


def not_below_zero(cell: str) -> float:
    """A finite number from 0 on."""
    return _from_zero(number(cell))


def count(cell: str) -> int:
    """A whole number from 0 on."""
    _from_zero(value := whole(cell))
    return value


def _from_zero(value: float) -> float:
    if value < 0:
        raise ValueError("must not be below zero")
    return value


def priority(cell: str) -> int:
    """How soon somebody must act."""
    if cell not in {"1", "2", "3", "4"}:
        raise ValueError("must be 1 (critical), 2, 3 or 4 (low)")
    return int(cell)


def switch(cell: str) -> bool:
    """Yes or no."""
    word = cell.lower()
    if word not in {"true", "yes", "1", "false", "no", "0"}:
        raise ValueError("must be yes or no")
    return word in {"true", "yes", "1"}


# Column to check; the first `required` columns must not be empty, the key makes a line unique.
COLUMNS: Final[Mapping[str, Mapping[str, Check]]] = {
    "register": {
        "serialnumber": text, "name": text, "category": text, "domain": text, "dma_id": text,
        "longitude": within(-180, 180), "latitude": within(-90, 90), "criticality": text,
        "capacity_rating": text, "in_charge_person": text, "status": text,
        "asset_live_status": text, "cmms_asset_id": text, "traceability_id": text,
        "barcode": text, "ticketcount": whole, "schedulecount": whole, "site": text,
        "external_ids": external_ids,
    },
    "parameters": {
        "param_tag_code": text, "parameter_name": text, "unit": text, "kind": kind,
        "range_low": number, "range_high": number, "rate_max_per_s": number,
        "decimals": decimals, "name_hi": text, "ucum_code": unit_code,
    },
    "tagmap": {"serialnumber": text, "tag_code": text, "param_tag_code": text},
    "dmas": {
        "dma_id": text, "name": text, "domain": text, "boundary": boundary, "connections": count,
        "population": count, "mains_km": not_below_zero, "supply_hours": within(0, 24),
        "billed_m3_d": not_below_zero,
    },
    "rules": {
        "name": text, "kind": text, "enabled": switch, "parameter": text, "category": text,
        "domain": text, "dma_id": text, "serial": text, "limit": number, "states": text,
        "priority": priority, "deadband": number, "on_delay_s": number, "off_delay_s": number,
        "notify": text, "text": text,
    },
}  # fmt: skip
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "register": ("serialnumber",),
    "parameters": ("param_tag_code", "parameter_name"),
    "tagmap": ("serialnumber", "tag_code", "param_tag_code"),
    "dmas": ("dma_id",),
    "rules": ("name", "kind"),
}
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "register": ("serialnumber",),
    "parameters": ("param_tag_code",),
    "tagmap": ("serialnumber", "tag_code"),
    "dmas": ("dma_id",),
    "rules": ("name",),
}


@dataclass(slots=True)
class FileImport:
    """A file's good rows and its problems, one line each."""

    table: str
    rows: list[dict[str, object]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def serials(self) -> list[str]:
        """Serial numbers a tag map refers to."""
        return self._column("serialnumber") if self.table == "tagmap" else []

    def codes(self) -> list[str]:
        """Parameter codes a tag map refers to."""
        return self._column("param_tag_code") if self.table == "tagmap" else []

    def check_references(self, serials: set[str], codes: set[str]) -> None:
        """Note rows that refer to what is not known."""
        for line, row in zip(self.lines, self.rows, strict=True):
            if row.get("serialnumber") in serials:
                self.note(line, f"serialnumber {row['serialnumber']!r} is not in the register")
            if row.get("param_tag_code") in codes:
                self.note(line, f"param_tag_code {row['param_tag_code']!r} is not a parameter")

    def check_scope(self, domains: Collection[str] | None, foreign: set[str]) -> None:
        """Note rows outside the domains of who imports.

        Args:
            domains: Those domains; None is all.
            foreign: Keys of the file that stand in the table under another domain.
        """
        if domains is None or "domain" not in COLUMNS[self.table]:
            return
        key = KEYS[self.table][0]
        for line, row in zip(self.lines, self.rows, strict=True):
            if row[key] in foreign:
                self.note(line, f"{key} {row[key]!r} is not in your domains")
            elif row["domain"] is not None and row["domain"] not in domains:
                self.note(line, f"domain {row['domain']!r} is none of yours")

    def check_areas(self, unknown: Collection[str]) -> None:
        """Note rows of a register whose district area is none that who imports may see."""
        for line, row in zip(self.lines, self.rows, strict=True):
            if row["dma_id"] in unknown:
                self.note(line, f"dma_id {row['dma_id']!r} is not in your domains")

    def areas(self) -> list[str]:
        """District areas that a register refers to."""
        return sorted({str(row["dma_id"]) for row in self.rows if row["dma_id"] is not None})

    def check_new(self, domains: Collection[str] | None, known: set[str]) -> None:
        """Note new rows that would be nobody's: who has not all domains names one.

        Args:
            domains: Those of who imports; None is all.
            known: Keys of the file that the table has.
        """
        if domains is None or "domain" not in COLUMNS[self.table]:
            return
        key = KEYS[self.table][0]
        for line, row in zip(self.lines, self.rows, strict=True):
            if row["domain"] is None and row[key] not in known:
                self.note(line, "domain is empty; a new row needs one of yours")

    def keys(self) -> list[str]:
        """What the rows of a table with domains are known by."""
        return self._column(KEYS[self.table][0])

    def note(self, line: int, words: str) -> None:
        """Add a problem, up to a bound."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(f"line {line}: {words}")
        elif len(self.problems) == MAX_PROBLEMS:
            self.problems.append("more problems follow; mend these first")

    def _column(self, name: str) -> list[str]:
        return sorted({str(row[name]) for row in self.rows})


def read_csv(table: str, data: bytes) -> FileImport:
    """Read and check a file.

    Args:
        table: `register`, `parameters`, `tagmap`, `dmas` or `rules`.
        data: UTF-8 CSV with a header line; columns in any order, missing ones count as empty.
    """
    found = FileImport(table)
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found.note(1, f"the file is not UTF-8 (byte {error.start}); save it as UTF-8")
        return found
    reader = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    try:
        if not _header_is_good(found, reader.fieldnames):
            return found
        _read_rows(found, reader)
    except csv.Error as error:
        found.note(reader.reader.line_num, f"is not CSV: {error}")
    return found


def _header_is_good(found: FileImport, header: object) -> bool:
    columns = COLUMNS[found.table]
    names = list(header) if isinstance(header, list) else []
    for name in names:
        if name not in columns:
            found.note(1, f"unknown column {str(name)[:40]!r}; known are {', '.join(columns)}")
    for name in REQUIRED[found.table]:
        if name not in names:
            found.note(1, f"column {name} is missing")
    if len(set(names)) != len(names):
        found.note(1, "a column stands twice")
    return not found.problems


def _read_rows(found: FileImport, reader: "csv.DictReader[str]") -> None:
    columns = COLUMNS[found.table]
    seen: dict[tuple[object, ...], int] = {}
    for cells in reader:
        line = reader.line_num
        if None in cells or None in cells.values():
            found.note(line, f"has not the {len(reader.fieldnames or [])} cells of the header")
            continue
        row = _row(found, line, columns, cells)
        if row is None:
            continue
        key = tuple(row[name] for name in KEYS[found.table])
        if key in seen:
            found.note(line, f"{key[-1]!r} stands already in line {seen[key]}")
            continue
        seen[key] = line
        found.rows.append(row)
        found.lines.append(line)


def _row(
    found: FileImport, line: int, columns: Mapping[str, Check], cells: Mapping[str, str]
) -> dict[str, object] | None:
    row: dict[str, object] = dict.fromkeys(columns)
    good = True
    for name, cell in cells.items():
        stripped = without_guard(cell.strip())
        if not stripped:
            continue
        try:
            row[name] = columns[name](stripped)
        except ValueError as error:
            found.note(line, f"{name} {error}")
            good = False
    for name in REQUIRED[found.table]:
        if row[name] is None:
            found.note(line, f"{name} is empty")
            good = False
    if good and not _in_order(row.get("range_low"), row.get("range_high")):
        found.note(line, "range_low is above range_high")
        good = False
    return row if good else None


def _in_order(low: object, high: object) -> bool:
    return not (isinstance(low, float) and isinstance(high, float)) or low <= high


def cells(table: str, row: Mapping[str, object]) -> Sequence[Cell]:
    """A row as the cells of a file that `read_csv` takes."""
    return [_cell(row[name]) for name in COLUMNS[table]]


def _cell(value: object) -> Cell:
    if isinstance(value, list):
        return "; ".join(f"{each['system']}={each['id']}" for each in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value if isinstance(value, str | float | int) else None
