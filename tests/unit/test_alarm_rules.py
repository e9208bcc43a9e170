"""What a rule may say, and which of several holds."""

from typing import Any

import msgspec
import pytest

from ic3.domain.alarm_rules import Rule, check_rule, check_rules
from ic3.domain.alarms import Priority

LOW = Rule(rule_id=1, name="low pressure", kind="low", parameter="PRESSURE", limit=0.35)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"parameter": None}, "needs a parameter"),
        ({"limit": None}, "needs a limit"),
        ({"limit": float("nan")}, "finite"),
        ({"kind": "sideways"}, "kind must be one of"),
        ({"kind": "rate", "limit": -1.0}, "above 0"),
        ({"kind": "rate", "limit": 1.0, "deadband": 1.0}, "never returns"),
        ({"kind": "stale"}, "a stale rule has no limit"),
        ({"kind": "state", "limit": None}, "needs 1 to 50 states"),
        ({"kind": "state", "limit": None, "states": ("",)}, "a state must have"),
        ({"kind": "state", "limit": None, "states": (float("inf"),)}, "finite"),
        ({"states": (1.0,)}, "a low rule has no states"),
        ({"kind": "quality", "limit": None, "deadband": 1.0}, "no deadband"),
        ({"deadband": -1.0}, "deadband must be"),
        ({"on_delay_s": float("nan")}, "on_delay_s must be"),
        ({"off_delay_s": 1e9}, "off_delay_s must be"),
        ({"priority": 5}, "priority must be"),
        ({"name": " "}, "name must have"),
        ({"text": "a\nb"}, "control character"),
        ({"text": "a" * 501}, "text is longer"),
        ({"serial": ""}, "serial is empty"),
        ({"notify": ("",)}, "a route's name"),
        ({"notify": ("a",) * 11}, "more than 10 routes"),
    ],
)
def test_unusable_rule_says_why(changes: dict[str, Any], word: str) -> None:
    problems = check_rule(msgspec.structs.replace(LOW, **changes))
    assert any(word in problem for problem in problems), problems


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kind": "rate", "limit": 2.0, "deadband": 0.5},
        {"kind": "state", "limit": None, "states": (0, "PART")},
        {"kind": "stale", "limit": None, "parameter": None, "on_delay_s": 600.0},
        {"kind": "quality", "limit": None},
        {"serial": "Azadpur_PT_1", "notify": ("control room",)},
    ],
)
def test_usable_rule_has_no_problem(changes: dict[str, Any]) -> None:
    assert check_rule(msgspec.structs.replace(LOW, **changes)) == []


def test_name_is_there_once() -> None:
    assert check_rules([LOW, LOW]) == ["low pressure: another rule has this name"]


def test_rule_travels_as_json() -> None:
    rule = msgspec.structs.replace(LOW, states=(1, "PART"), priority=Priority.HIGH)
    assert msgspec.json.decode(msgspec.json.encode(rule), type=Rule) == rule


def test_specific_beats_general() -> None:
    order: list[dict[str, str]] = [
        {"serial": "S"},
        {"dma_id": "D", "category": "pump", "domain": "DEL-D01"},
        {"dma_id": "D"},
        {"category": "pump", "domain": "DEL-D01"},
        {"category": "pump"},
        {"domain": "DEL-D01"},
        {"dma_id": "*"},
        {},
    ]
    grades = [msgspec.structs.replace(LOW, **selectors).specificity for selectors in order]
    assert grades == sorted(grades, reverse=True)
    assert len(set(grades)) == len(grades)
