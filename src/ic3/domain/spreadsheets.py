"""CSV that opens in a spreadsheet without running anything."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

Cell = str | float | int | None

# What a spreadsheet takes for a formula or hides before one.
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def csv_text(rows: Iterable[Sequence[Cell]]) -> str:
    """Rows as RFC 4180 text: CRLF, quotes where needed, numbers as numbers, None as nothing.

    A text that a spreadsheet could run gets a leading quote mark.
    """
    out = io.StringIO()
    csv.writer(out).writerows([_cell(each) for each in row] for row in rows)
    return out.getvalue()


def without_guard(text: str) -> str:
    """The text of a cell that `csv_text` wrote: its quote mark is no part of it."""
    return text[1:] if text.startswith("'") and _is_guarded(text[1:]) else text


def _cell(cell: Cell) -> Cell:
    return "'" + cell if isinstance(cell, str) and _is_guarded(cell) else cell


def _is_guarded(text: str) -> bool:
    """Whether it gets a quote mark: also what looks as if it had got one already."""
    return text.lstrip("'").startswith(FORMULA_SIGNS)
