"""District flows as files, see docs/howto/district-data.md: `dma.json` and tables beside it."""

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from ic3.analytics.dma import DMA, current, read_definitions, refuse_wrong
from ic3.analytics.inflow import DAY_S, Floats, Readings
from ic3.errors import InputError
from ic3.evaluation.district_years import FOR_EVER_S, DistrictYear, Kind, Leak

DEFINITIONS: Final = "dma.json"
SERIES: Final = "series.csv"
LEAKS: Final = "leaks.csv"
HOLIDAYS: Final = "holidays.csv"
KINDS: Final[dict[str, Kind]] = {"abrupt": "abrupt", "incipient": "incipient"}

Moment = Callable[[str], int]


def folders(folder: Path) -> list[Path]:
    """Folders with the three files, at any depth."""
    return sorted(
        each.parent for each in folder.rglob(DEFINITIONS)
        if (each.parent / SERIES).is_file() and (each.parent / LEAKS).is_file()
    )  # fmt: skip


def read(folder: Path) -> DistrictYear:
    """One set of district flows.

    Raises:
        InputError: A file is not of the format; says which and where.
    """
    definitions = read_definitions((folder / DEFINITIONS).read_bytes())
    if not definitions:
        raise InputError(f"{folder / DEFINITIONS}: defines no DMA")
    readings, moment = _series(folder / SERIES, definitions)
    dmas = current(definitions, datetime.fromtimestamp(readings.end_s, tz=UTC))
    refuse_wrong(dmas, readings.values.keys())
    leaks = _leaks(folder / LEAKS, {dma.dma_id for dma in dmas}, moment)
    return DistrictYear(
        folder.name, tuple(dmas), readings, tuple(leaks), _holidays(folder / HOLIDAYS)
    )


def _series(path: Path, definitions: Sequence[DMA]) -> tuple[Readings, Moment]:
    """The columns that the definitions name, on an even time axis; what is not there is missing."""
    names = {name for dma in definitions for name in dma.keys}
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=_separator(file.readline()))
        file.seek(0)
        header = [each.strip() for each in next(lines)]
        moment = _moment_of(header[0], definitions[0].zone, path)
        columns = {
            name: at for at, column in enumerate(header) for name in names
            if at and column in {name, name.partition(":")[0]}
        }  # fmt: skip
        rows = [
            (moment(line[0]), [_number(line[at], path) for at in columns.values()])
            for line in lines if line
        ]  # fmt: skip
    if len(rows) < 2:
        raise InputError(f"{path}: has fewer than two rows")
    at_s = np.array([row[0] for row in rows], dtype=np.int64)
    values = np.array([row[1] for row in rows]).T
    even, series = _even(at_s, values.reshape(len(columns), len(rows)), path)
    return Readings(even, dict(zip(columns, series, strict=True))), moment


def _separator(header: str) -> str:
    return ";" if ";" in header else ","


def _even(
    at_s: np.ndarray[tuple[int], np.dtype[np.int64]], values: Floats, path: Path
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], list[Floats]]:
    steps = np.diff(at_s)
    if (steps <= 0).any():
        raise InputError(f"{path}: the times do not rise in row {int((steps <= 0).argmax()) + 3}")
    lengths, counts = np.unique(steps, return_counts=True)
    step = int(lengths[counts.argmax()])
    place = (at_s - at_s[0] + step // 2) // step
    even = at_s[0] + step * np.arange(int(place[-1]) + 1, dtype=np.int64)
    series = np.full((len(values), len(even)), np.nan)
    series[:, place] = values
    return even, list(series)


def _moment_of(column: str, zone: str, path: Path) -> Moment:
    """How times are written, by the name of the first column."""
    if column not in {"time_utc", "time_local"}:
        raise InputError(f"{path}: the first column is {column!r}, not time_utc or time_local")
    place = UTC if column == "time_utc" else ZoneInfo(zone)

    def moment(text: str) -> int:
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError:
            raise InputError(f"{path.parent}: {text[:40]!r} is no time") from None
        return int((at if at.tzinfo else at.replace(tzinfo=place)).timestamp())

    return moment


def _number(text: str, path: Path) -> float:
    text = text.strip()
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path}: {text[:40]!r} is no number") from None


def _leaks(path: Path, dma_ids: set[str], moment: Moment) -> Iterator[Leak]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        separator = _separator(file.readline())
        file.seek(0)
        for number, row in enumerate(csv.DictReader(file, delimiter=separator), 2):
            try:
                yield _leak(row, moment, path)
            except KeyError as error:
                raise InputError(f"{path}: row {number}: {error} is missing or unknown") from None
            if row["dma_id"] not in dma_ids:
                raise InputError(f"{path}: row {number}: no DMA {row['dma_id']!r} is defined")


def _leak(row: dict[str, str], moment: Moment, path: Path) -> Leak:
    kind = KINDS[row["kind"].strip()]
    start_s = moment(row["start"])
    return Leak(
        dma_id=row["dma_id"], start_s=start_s, kind=kind,
        peak_s=moment(row["peak"]) if row.get("peak") and kind == "incipient" else start_s,
        end_s=moment(row["end"]) if row.get("end") else FOR_EVER_S,
        size_m3_h=_number(row["size_m3_h"], path), node=row.get("node") or "",
    )  # fmt: skip


def _holidays(path: Path) -> frozenset[int]:
    """Local days since 1970, one ISO date a line; none where there is no such file."""
    if not path.is_file():
        return frozenset()
    dates = path.read_text(encoding="utf-8").split()
    try:
        return frozenset(
            int(datetime.fromisoformat(each).replace(tzinfo=UTC).timestamp()) // DAY_S
            for each in dates if each != "date"
        )  # fmt: skip
    except ValueError:
        raise InputError(f"{path}: holds something that is no date") from None
