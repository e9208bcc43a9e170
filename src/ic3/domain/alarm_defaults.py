"""The rules that an empty rule table is filled with."""

from collections.abc import Iterator
from typing import Final, cast

from msgspec.structs import replace

from ic3.domain.alarm_rules import ANY_DMA, Rule, RuleKind
from ic3.domain.alarms import Priority
from ic3.domain.figures import BURST, LEAK, PUMP_HEALTH, SEVERITY

# Deadband as a share of the limit, where the instrument's noise does not ask for more.
_PRIORITIES: Final[dict[RuleKind, Priority]] = {
    "high_high": Priority.HIGH, "low_low": Priority.HIGH, "high": Priority.MEDIUM,
    "low": Priority.MEDIUM,
}  # fmt: skip
_ON_S: Final = 60.0
_SLOW_S: Final = 300.0
_OFF_S: Final = 300.0

# Parameter, low-low, low, high, high-high, deadband, seconds before it is raised. Low pressure and
# low chlorine are left to the plant's own words: a DMA fed by turns is dry for most of the day, and
# the register does not say which. So are voltages: one failure would be an alarm a phase.
_LIMITS: Final[
    tuple[tuple[str, float | None, float | None, float | None, float | None, float, float], ...]
] = (
    ("PRESSURE", None, None, 4.6, 5.5, 0.2, _ON_S),
    ("LEVEL", 0.5, 0.9, None, None, 0.1, _ON_S),
    ("VIB_DE", None, None, 4.0, 6.3, 0.4, _ON_S),
    ("VIB_NDE", None, None, 4.0, 6.3, 0.4, _ON_S),
    ("BRG_TEMP", None, None, 80.0, 95.0, 3.0, _ON_S),
    ("MTR_WDG_TEMP", None, None, 130.0, 145.0, 5.0, _ON_S),
    ("LOAD_PCT", None, None, 100.0, 120.0, 5.0, _SLOW_S),
    ("OIL_TEMP", None, None, 90.0, 100.0, 3.0, _ON_S),
    ("WDG_TEMP", None, None, 105.0, 118.0, 5.0, _ON_S),
    ("OIL_LVL", 45.0, 55.0, None, None, 2.0, _SLOW_S),
    ("CL2_RES", None, None, 2.0, 3.0, 0.1, _SLOW_S),
    ("TURBIDITY", None, None, 2.0, 5.0, 0.2, _SLOW_S),
    ("BATT_V", 3.0, 3.2, None, None, 0.05, _SLOW_S),
)
_KINDS: Final[tuple[RuleKind, ...]] = ("low_low", "low", "high", "high_high")


def _limit_rules() -> Iterator[Rule]:
    for parameter, *limits, deadband, on_s in _LIMITS:
        for kind, limit in zip(_KINDS, limits, strict=True):
            if limit is not None:
                yield Rule(
                    rule_id=0, name=f"{parameter} {kind.replace('_', '-')}", kind=kind,
                    parameter=parameter, limit=limit, deadband=deadband, on_delay_s=on_s,
                    off_delay_s=_OFF_S, priority=_PRIORITIES[kind],
                )  # fmt: skip


def _other_rules() -> Iterator[Rule]:
    # A burst, or a valve that is shut in one turn; what starts and stops is no rate. With 15 s
    # between two records the noise of a large meter is a tenth of it, with 5 s a third.
    yield Rule(
        rule_id=0, name="FLOW_RATE sudden change", kind="rate", parameter="FLOW_RATE",
        category="bulk flow meter", dma_id=ANY_DMA, limit=150.0, deadband=50.0,
        off_delay_s=600.0, priority=Priority.HIGH, text="Sudden change of a DMA's inflow",
    )  # fmt: skip
    yield Rule(rule_id=0, name="silent assets", kind="stale", priority=Priority.LOW)
    # A number may repeat by chance for a while.
    yield Rule(
        rule_id=0, name="bad quality", kind="quality", on_delay_s=_SLOW_S, off_delay_s=_OFF_S,
        priority=Priority.LOW,
    )  # fmt: skip
    yield from _analytics_rules()


def _analytics_rules() -> Iterator[Rule]:
    """Of what the analytics found only what is severe or nearly sure calls somebody."""
    for name, kind, parameter, limit, deadband, priority in (
        ("severe finding", "high", SEVERITY, 7.0, 1.0, Priority.MEDIUM),
        ("likely burst", "high", BURST, 0.9, 0.2, Priority.HIGH),
        ("likely leak", "high", LEAK, 0.95, 0.1, Priority.MEDIUM),
        ("poor pump health", "low", PUMP_HEALTH, 30.0, 5.0, Priority.LOW),
    ):  # fmt: skip
        yield Rule(
            rule_id=0, name=name, kind=cast("RuleKind", kind), parameter=parameter, limit=limit,
            deadband=deadband, priority=priority, on_delay_s=_SLOW_S, off_delay_s=_OFF_S,
        )  # fmt: skip


DEFAULT_RULES: Final[tuple[Rule, ...]] = tuple(
    replace(rule, rule_id=number)
    for number, rule in enumerate([*_limit_rules(), *_other_rules()], 1)
)
"""Each has a name that stays; a table gives them numbers of its own."""
