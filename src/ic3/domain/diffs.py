"""What a file or the CMMS would change in a table, and what a person entered otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

from ic3.domain.imports import KEYS

Row = Mapping[str, Any]
Key = tuple[str, ...]
Pair = tuple[Any, Any]

SHOWN: Final = 1000


class Outcome(StrEnum):
    """What becomes of a row."""

    ADDED = "added"
    CHANGED = "changed"
    SAME = "same"


class Change(msgspec.Struct, frozen=True):
    """What becomes of one row.

    Attributes:
        fields: Field to what it is and what it becomes; of a new row only what it becomes.
        conflicts: Field to what a person entered, which stays, and what was offered.
    """

    key: Key
    outcome: Outcome
    fields: dict[str, Pair]
    conflicts: dict[str, Pair] = {}


@dataclass(frozen=True, slots=True)
class Current:
    """A row as the table has it.

    Attributes:
        entered: Fields that a person entered.
    """

    fields: Row
    entered: frozenset[str] = frozenset()


@dataclass(slots=True)
class Difference:
    """What becomes of all rows.

    Attributes:
        changes: Rows that are added or changed, the first 1,000, and all that are in conflict.
        rows: What is to be written.
        agreed: Keys and fields in which what a person entered is now offered.
    """

    table: str
    added: int = 0
    changed: int = 0
    same: int = 0
    conflicts: int = 0
    changes: list[Change] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    agreed: list[tuple[Key, str]] = field(default_factory=list)

    def contended(self) -> Iterable[tuple[Key, str, Pair]]:
        """Each field in conflict: key, name, what is kept and what is offered."""
        for change in self.changes:
            for name, pair in change.conflicts.items():
                yield change.key, name, pair


def compare(
    table: str, current: Mapping[Key, Current], offered: Sequence[Row],
    *, before: Difference | None = None,
) -> Difference:  # fmt: skip
    """Compare offered rows with those of the table; an empty cell offers nothing.

    Args:
        table: `register`, `parameters`, `tagmap` or `dmas`.
        current: Rows of the table by their key.
        offered: Checked rows.
        before: What other rows of the same file change; these are added to it.
    """
    found = before or Difference(table)
    names = KEYS[table]
    for row in offered:
        key = tuple(str(row[name]) for name in names)
        given = {name: value for name, value in row.items() if value is not None}
        kept = current.get(key)
        if kept is None:
            found.added += 1
            found.rows.append(row)
            if len(found.changes) < SHOWN:
                shown = {name: (None, value) for name, value in given.items() if name not in names}
                found.changes.append(Change(key, Outcome.ADDED, shown))
        else:
            _compare_row(found, key, kept, row, given)
    return found


def _compare_row(
    found: Difference, key: Key, kept: Current, row: Row, given: Mapping[str, Any]
) -> None:
    fields: dict[str, Pair] = {}
    conflicts: dict[str, Pair] = {}
    for name, value in given.items():
        before = kept.fields.get(name)
        if name in KEYS[found.table]:
            continue
        if is_same(before, value):
            if name in kept.entered:
                found.agreed.append((key, name))
        elif name in kept.entered:
            conflicts[name] = (before, value)
        else:
            fields[name] = (before, value)
    outcome = Outcome.CHANGED if fields else Outcome.SAME
    found.changed += bool(fields)
    found.same += not fields
    found.conflicts += len(conflicts)
    if conflicts or (fields and len(found.changes) < SHOWN):
        found.changes.append(Change(key, outcome, fields, conflicts))
    if fields:
        # A column that may not be empty gets what it has; the rest of the conflict is left out.
        stays = {name: kept.fields.get(name) for name in conflicts}
        found.rows.append({**row, **stays})


def is_same(before: object, after: object) -> bool:
    """Whether two values of a field are one: an adopted column may have another type than ours."""
    if before == after:
        return True
    if before is None or after is None or isinstance(before, dict | list):
        return False
    return str(before) == str(after)
