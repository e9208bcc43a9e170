"""What an alarm of a rule says to people, in one line."""

from collections.abc import Mapping
from typing import Final

from ic3.domain.alarm_rules import Rule, RuleKind
from ic3.domain.mapping import Parameter

GONE: Final = 2
_SIDES: Final[Mapping[RuleKind, str]] = {
    "high_high": "far above", "high": "above", "low": "below", "low_low": "far below",
}  # fmt: skip


def number_words(value: float) -> str:
    """A number with as many digits as help."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def words_of(
    rule: Rule, parameter: Parameter | None, value: float | None, *, speaks: int, spoiled: bool,
    frozen: bool,
) -> str:  # fmt: skip
    """The line of an alarm: the rule's own text before what was measured.

    Args:
        rule: Which holds.
        parameter: Of the tag; None where the whole asset is meant.
        value: In the parameter's unit, of a rate in units a minute; None where there is none.
        speaks: What is known of the asset's speech.
        spoiled: Whether the source says BAD of its newest record.
        frozen: Whether the tag repeats its number.
    """
    said = _measured(rule, parameter, value, speaks, spoiled=spoiled, frozen=frozen)
    return f"{rule.text}: {said}" if rule.text else said


def _measured(
    rule: Rule, parameter: Parameter | None, value: float | None, speaks: int, *, spoiled: bool,
    frozen: bool,
) -> str:  # fmt: skip
    name = parameter.name if parameter else ""
    unit = f" {parameter.unit}" if parameter and parameter.unit else ""
    amount = "unknown" if value is None else f"{number_words(value)}{unit}"
    match rule.kind:
        case "rate":
            return f"{name} changes by {amount} a minute, more than {_limit(rule)}"
        case "state":
            return f"{name} is {_state(rule, value)}"
        case "stale":
            return _stale(name, speaks)
        case "quality":
            return _quality(name, amount, value, spoiled=spoiled, frozen=frozen)
        case side:
            return f"{name} {amount}, {_SIDES[side]} {_limit(rule)}"


def _limit(rule: Rule) -> str:
    return "unknown" if rule.limit is None else number_words(rule.limit)


def _state(rule: Rule, value: float | None) -> str:
    if value is not None:
        return number_words(value)
    return " or ".join(state for state in rule.states if isinstance(state, str))


def _stale(name: str, speaks: int) -> str:
    if name:
        return f"{name} brings no new value, though its asset does"
    if speaks == GONE:
        return "Vanished: no longer in the gateway's list"
    return "Silent: no new reading"


def _quality(name: str, amount: str, value: float | None, *, spoiled: bool, frozen: bool) -> str:
    if spoiled:
        return f"{name}: the source says BAD" if name else "The source says BAD"
    if not name:
        return "A value cannot be trusted"
    if frozen:
        return f"{name} repeats {amount} for longer than usual"
    return f"{name} is no number" if value is None else f"{name} {amount} is outside its range"
