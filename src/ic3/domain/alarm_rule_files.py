"""Rules as a CSV file: read line by line, compared with those that are stored, written."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ic3.domain.alarm_rules import Rule, check_rule
from ic3.domain.alarms import Priority
from ic3.domain.imports import COLUMNS, FileImport, read_csv
from ic3.domain.spreadsheets import FORMULA_SIGNS, Cell, csv_text

MAX_RULES: Final = 5000
_DEFAULTS: Final[Mapping[str, object]] = {
    "enabled": True, "priority": int(Priority.MEDIUM), "deadband": 0.0, "on_delay_s": 0.0,
    "off_delay_s": 0.0, "text": "",
}  # fmt: skip
_TEXTS: Final = (
    "name", "kind", "parameter", "category", "domain", "dma_id", "serial", "states", "notify",
    "text",
)  # fmt: skip
_read_list = msgspec.json.Decoder(list[float | str]).decode
_write_list = msgspec.json.Encoder().encode


@dataclass(slots=True)
class RuleFile:
    """The rules of a file and its problems, one line each; with a problem none is used."""

    rules: list[Rule] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class ChangedRule(msgspec.Struct, frozen=True):
    """A rule of the file that differs: the fields that do."""

    name: str
    before: dict[str, Any]
    after: dict[str, Any]


class RuleDiff(msgspec.Struct, frozen=True):
    """What a file does to the stored rules; those it does not name stay as they are.

    Attributes:
        same: How many are in both and equal.
        untouched: How many are stored and not in the file.
    """

    added: list[str]
    changed: list[ChangedRule]
    same: int
    untouched: int


def read_rules(data: bytes) -> RuleFile:
    """Read and check a file: UTF-8 CSV with a header, columns in any order, one rule a line.

    `states` and `notify` are separated by semicolons, or a JSON list. A quote mark before a
    formula sign, which a spreadsheet needs, is taken away.
    """
    parsed = read_csv("rules", data)
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    for line, row in zip(parsed.lines, parsed.rows, strict=True):
        rule = _rule(parsed, line, row)
        if rule is None:
            continue
        if rule.name in seen:
            parsed.note(line, f"{rule.name!r} stands already in line {seen[rule.name]}")
        seen[rule.name] = line
        rules.append(rule)
    if len(rules) > MAX_RULES:
        parsed.note(1, f"more than {MAX_RULES:,} rules")
    return RuleFile(rules, parsed.problems)


def rules_csv(rules: Iterable[Rule]) -> str:
    """Rules as a file that `read_rules` takes again."""
    columns = COLUMNS["rules"]
    return csv_text([list(columns), *([_cell(rule, name) for name in columns] for rule in rules)])


def compare(stored: Iterable[Rule], wanted: Sequence[Rule]) -> RuleDiff:
    """What becomes of the stored rules where those wanted are put beside them, by name."""
    before = {rule.name: rule for rule in stored}
    added, changed, same = [], [], 0
    for rule in wanted:
        known = before.get(rule.name)
        if known is None:
            added.append(rule.name)
        elif differing := differences(known, rule):
            changed.append(ChangedRule(rule.name, *differing))
        else:
            same += 1
    untouched = len(before.keys() - {rule.name for rule in wanted})
    return RuleDiff(added, changed, same, untouched)


def differences(before: Rule, after: Rule) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The fields of two rules that differ, number apart; None where none does."""
    old, new = (msgspec.to_builtins(each) for each in (before, after))
    names = [name for name in old if name != "rule_id" and old[name] != new[name]]
    if not names:
        return None
    return {name: old[name] for name in names}, {name: new[name] for name in names}


def _rule(parsed: FileImport, line: int, row: Mapping[str, object]) -> Rule | None:
    given = {name: value for name, value in row.items() if value is not None}
    for name in _TEXTS:
        value = given.get(name)
        if isinstance(value, str) and value[:1] == "'" and value[1:].startswith(FORMULA_SIGNS):
            given[name] = value[1:]
    try:
        states = _states(str(given.pop("states", "")))
        notify = [str(each) for each in _list(str(given.pop("notify", "")))]
        fields = {**_DEFAULTS, **given, "states": states, "notify": notify, "rule_id": 0}
        rule = msgspec.convert(fields, Rule)
    except (msgspec.MsgspecError, ValueError) as error:
        parsed.note(line, str(error).replace("Object contains ", "").rstrip("`").replace("`", ""))
        return None
    problems = check_rule(rule)
    for problem in problems:
        parsed.note(line, problem)
    return None if problems else rule


def _list(cell: str) -> list[float | str]:
    """A cell of several words."""
    if cell.startswith("["):
        try:
            return _read_list(cell)
        except msgspec.MsgspecError:
            raise ValueError("a list in [ ] is not JSON of numbers and words") from None
    return [each.strip() for each in cell.split(";") if each.strip()]


def _states(cell: str) -> list[float | str]:
    found = _list(cell)
    return found if cell.startswith("[") else [_number_or_word(str(each)) for each in found]


def _number_or_word(word: str) -> float | str:
    try:
        number = float(word) if word.isascii() and "_" not in word else math.nan
    except ValueError:
        return word
    return number if math.isfinite(number) else word


def _cell(rule: Rule, name: str) -> Cell:
    value = getattr(rule, name)
    if name in {"states", "notify"}:
        return _words(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return int(value) if isinstance(value, Priority) else value


def _words(values: Sequence[float | str]) -> str:
    """Words by semicolons where they are read back so, otherwise JSON."""
    plain = ";".join(each if isinstance(each, str) else f"{each!r}" for each in values)
    try:
        again = _states(plain)
    except ValueError:
        again = []
    return plain if again == list(values) else _write_list(list(values)).decode()
