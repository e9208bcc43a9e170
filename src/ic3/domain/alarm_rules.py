"""Rules of alarms: what a rule says, whether it can be used, and which holds for which tag."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

import msgspec

from ic3.domain.alarms import Priority
from ic3.domain.mapping import RegisteredAsset

RuleKind = Literal[
    "high_high", "high", "low", "low_low", "rate", "state", "stale", "quality"
]  # fmt: skip

RULE_KINDS: Final[tuple[RuleKind, ...]] = get_args(RuleKind)
LIMIT_KINDS: Final = frozenset({"high_high", "high", "low", "low_low"})
VALUE_KINDS: Final = LIMIT_KINDS | {"rate", "state"}
MAX_NAME: Final = 100
MAX_TEXT: Final = 500
MAX_ROUTES: Final = 10
MAX_STATES: Final = 50
LONGEST_DELAY_S: Final = 86_400.0
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_RULE_KINDS: Final = frozenset(RULE_KINDS)
_SELECTORS: Final = ("parameter", "category", "domain", "dma_id", "serial")
# An asset beats its DMA, a DMA all that is wider; an asset kind says more than a domain.
_WEIGHTS: Final[Mapping[str, int]] = {"serial": 32, "dma_id": 16, "category": 5, "domain": 4}
ANY_DMA: Final = "*"
_ANY_DMA_WEIGHT: Final = 2


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """When an asset calls. An absent selector matches every asset.

    Of the rules of one kind that match a tag the most specific holds: asset, then DMA, then kind
    and domain, kind, domain, all; of equal ones the newest.

    Attributes:
        kind: `high_high` to `low_low` compare with `limit`; `rate` is the change between two
            records, up or down; `state` is a value out of `states`; `stale` and `quality` are of a
            tag where `parameter` is given, of the whole asset otherwise.
        parameter: `param_tag_code`; required where a value is judged.
        category: Kind of asset.
        dma_id: `*` is any: assets that stand in a DMA, not at works, stations and mains.
        limit: In the parameter's unit; of `rate` in units a minute, above zero.
        states: Numbers or words; a word is compared without case.
        deadband: How far the value must come back, in the unit of `limit`.
        on_delay_s: How long the condition must hold before the alarm is raised.
        off_delay_s: How long it must be over before the alarm returns.
        notify: Names of the routes that are told; empty where the routes themselves choose.
        text: For people, put before what was measured.
    """

    rule_id: int
    name: str
    kind: RuleKind
    enabled: bool = True
    parameter: str | None = None
    category: str | None = None
    domain: str | None = None
    dma_id: str | None = None
    serial: str | None = None
    limit: float | None = None
    states: tuple[float | str, ...] = ()
    priority: Priority = Priority.MEDIUM
    deadband: float = 0.0
    on_delay_s: float = 0.0
    off_delay_s: float = 0.0
    notify: tuple[str, ...] = ()
    text: str = ""

    @property
    def specificity(self) -> int:
        """The greater the more specific."""
        weight = sum(each for name, each in _WEIGHTS.items() if getattr(self, name) is not None)
        if self.dma_id == ANY_DMA:
            weight -= _WEIGHTS["dma_id"] - _ANY_DMA_WEIGHT
        return weight

    def condition(self, tag: str | None) -> str:
        """Name of the alarm's condition, `PRESSURE.high`; without a tag `stale` or `quality`."""
        return self.kind if tag is None else f"{tag}.{self.kind}"

    def covers(self, asset: RegisteredAsset) -> bool:
        """Whether it is meant for an asset."""
        return (
            self.serial in {None, asset.serial}
            and (
                self.dma_id in {None, asset.dma_id}
                or (self.dma_id == ANY_DMA and asset.dma_id is not None)
            )
            and self.category in {None, asset.category}
            and self.domain in {None, asset.domain}
        )


class RuleTable:
    """The rules in force, in memory; whoever changes them gives the whole table anew.

    Attributes:
        version: Grows with each change.
        rules: Free of problems.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.version = 1
        self.rules = tuple(rules)

    def replace(self, rules: Iterable[Rule]) -> None:
        """Take other rules; those that cannot be used are left out."""
        self.rules = tuple(rule for rule in rules if not check_rule(rule))
        self.version += 1


def check_rule(rule: Rule) -> list[str]:
    """What keeps a rule from being used, in plain words; empty where nothing does."""
    return [
        *_check_words(rule),
        *_check_limit(rule),
        *_check_states(rule),
        *_check_numbers(rule),
    ]


def check_rules(rules: Iterable[Rule]) -> list[str]:
    """The problems of a whole table, each with the rule's name; names must differ."""
    problems, seen = [], set[str]()
    for rule in rules:
        problems += [f"{rule.name}: {problem}" for problem in check_rule(rule)]
        if rule.name in seen:
            problems.append(f"{rule.name}: another rule has this name")
        seen.add(rule.name)
    return problems


def _check_words(rule: Rule) -> list[str]:
    problems = []
    if rule.kind not in _RULE_KINDS:
        problems.append(f"kind must be one of {', '.join(RULE_KINDS)}")
    if not rule.name.strip() or len(rule.name) > MAX_NAME:
        problems.append(f"name must have 1 to {MAX_NAME} characters")
    if len(rule.text) > MAX_TEXT:
        problems.append(f"text is longer than {MAX_TEXT} characters")
    if len(rule.notify) > MAX_ROUTES:
        problems.append(f"notify names more than {MAX_ROUTES} routes")
    for selector in _SELECTORS:
        if getattr(rule, selector) == "":
            problems.append(f"{selector} is empty; leave it out to match all")
    if any(not route.strip() or len(route) > MAX_NAME for route in rule.notify):
        problems.append(f"notify: a route's name must have 1 to {MAX_NAME} characters")
    words = (rule.name, rule.text, *rule.notify, *(getattr(rule, s) or "" for s in _SELECTORS))
    if any(_CONTROL_CHARACTER.search(word) for word in words):
        problems.append("a text holds a control character")
    if rule.kind in VALUE_KINDS and rule.parameter is None:
        problems.append(f"a {rule.kind} rule needs a parameter")
    return problems


def _check_limit(rule: Rule) -> list[str]:
    if rule.kind not in LIMIT_KINDS and rule.kind != "rate":
        return [] if rule.limit is None else [f"a {rule.kind} rule has no limit"]
    if rule.limit is None:
        return [f"a {rule.kind} rule needs a limit"]
    if not math.isfinite(rule.limit):
        return ["limit must be a finite number"]
    if rule.kind == "rate" and rule.limit <= 0:
        return ["the limit of a rate must be above 0; it holds for rise and fall"]
    return []


def _check_states(rule: Rule) -> list[str]:
    if rule.kind != "state":
        return [f"a {rule.kind} rule has no states"] if rule.states else []
    if not 1 <= len(rule.states) <= MAX_STATES:
        return [f"a state rule needs 1 to {MAX_STATES} states"]
    problems = []
    for state in rule.states:
        if isinstance(state, str):
            if not state.strip() or len(state) > MAX_NAME or _CONTROL_CHARACTER.search(state):
                problems.append(f"a state must have 1 to {MAX_NAME} characters on one line")
        elif not math.isfinite(state):
            problems.append("a state must be a finite number")
    return problems


def _check_numbers(rule: Rule) -> list[str]:
    problems = []
    if not (math.isfinite(rule.deadband) and rule.deadband >= 0):
        problems.append("deadband must be 0 or more")
    elif rule.deadband and rule.kind not in LIMIT_KINDS and rule.kind != "rate":
        problems.append(f"a {rule.kind} rule has no deadband")
    elif rule.kind == "rate" and rule.limit is not None and rule.deadband >= rule.limit > 0:
        problems.append("the deadband of a rate must be below its limit, or it never returns")
    for name in ("on_delay_s", "off_delay_s"):
        if not 0 <= getattr(rule, name) <= LONGEST_DELAY_S:  # NaN fails too
            problems.append(f"{name} must be between 0 and {LONGEST_DELAY_S:,.0f} seconds")
    if rule.priority not in set(Priority):
        problems.append("priority must be 1, 2, 3 or 4")
    return problems
