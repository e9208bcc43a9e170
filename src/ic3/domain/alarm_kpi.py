"""Figures of alarm management, each computable again from the stored history.

Source: EEMUA 191 and ISA-18.2 name the figures and their targets; the definitions are below.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from ic3.domain.alarms import Priority

SLOT_S: Final = 600
FLOOD_OVER: Final = 10
CHATTER_CALLS: Final = 3
CHATTER_S: Final = 60
STANDING_S: Final = 86_400
WORST: Final = 10
DEFINITIONS: Final[Mapping[str, str]] = {
    "calls": "times an alarm called in the span: events `new` that nothing held back",
    "per_10_min": f"calls by slots of {SLOT_S} s from the begin; a slot of more than {FLOOD_OVER}"
    " is a flood",
    "per_operator_hour": "calls, divided by hours and operators",
    "priorities": "calls by priority",
    "standing": f"alarms open at the end of the span that had been active without a break for"
    f" {STANDING_S // 3600} h; the share is that of all open then, the stale share",
    "chattering": f"conditions that called {CHATTER_CALLS} times within {CHATTER_S} s",
    "worst": f"the {WORST} conditions that called most",
    "acknowledgement": "of alarms raised in the span that called: seconds to the first"
    " acknowledgement; never, if there is none so far",
}


class Rate(msgspec.Struct, frozen=True):
    """Calls per ten minutes."""

    mean: float
    max: int
    slots: int
    flood_slots: int
    flood_share: float


class PriorityShare(msgspec.Struct, frozen=True):
    """Calls of one priority; the share is null where there is no call."""

    priority: int
    calls: int
    share: float | None


class Standing(msgspec.Struct, frozen=True):
    """Alarms that are active for too long to help anybody."""

    count: int
    open: int
    share: float | None


class ConditionCalls(msgspec.Struct, frozen=True):
    """How often a condition called."""

    source_kind: str
    source: str
    condition: str
    calls: int


class Chattering(msgspec.Struct, frozen=True):
    """Conditions that call again and again; the worst of them."""

    count: int
    worst: list[ConditionCalls]


class Acknowledgement(msgspec.Struct, frozen=True):
    """How soon people know; seconds, null where nobody acknowledged."""

    alarms: int
    acknowledged: int
    never: int
    median_s: float | None
    p90_s: float | None


class AlarmKpi(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a span; `definitions` says how each is computed."""

    from_: str = msgspec.field(name="from")
    until: str
    operators: int
    calls: int
    per_10_min: Rate
    per_operator_hour: float
    priorities: list[PriorityShare]
    standing: Standing
    chattering: Chattering
    worst: list[ConditionCalls]
    acknowledgement: Acknowledgement
    definitions: dict[str, str]


@dataclass(frozen=True, slots=True)
class SlotCalls:
    """Calls of a priority in a slot; slots count from the begin of the span."""

    slot: int
    priority: int
    calls: int


@dataclass(frozen=True, slots=True)
class CountedCondition:
    """A condition that is among the worst, or among the worst of those that chatter."""

    calls: ConditionCalls
    place: int
    chatters: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What the database counts."""

    slots: Sequence[SlotCalls]
    conditions: Sequence[CountedCondition]
    chattering: int
    standing: int
    open: int
    acknowledgement: Acknowledgement


def figures(counted: Counted, *, from_at: datetime, until_at: datetime, operators: int) -> AlarmKpi:
    """The figures of what was counted.

    Args:
        counted: Of the same span.
        from_at: Begin, inside.
        until_at: End, outside; after the begin.
        operators: How many share the calls.
    """
    seconds = (until_at - from_at).total_seconds()
    calls = sum(each.calls for each in counted.slots)
    worst = sorted(counted.conditions, key=lambda each: each.place)
    return AlarmKpi(
        from_=_shown(from_at), until=_shown(until_at), operators=operators, calls=calls,
        per_10_min=_rate(counted.slots, calls, seconds),
        per_operator_hour=calls / (seconds / 3600) / operators,
        priorities=_priorities(counted.slots, calls),
        standing=Standing(
            counted.standing, counted.open, _share(counted.standing, counted.open)
        ),
        chattering=Chattering(
            counted.chattering, [each.calls for each in worst if each.chatters][:WORST]
        ),
        worst=[each.calls for each in worst if each.place <= WORST],
        acknowledgement=counted.acknowledgement, definitions=dict(DEFINITIONS),
    )  # fmt: skip


def _shown(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _rate(slots: Iterable[SlotCalls], calls: int, seconds: float) -> Rate:
    by_slot: dict[int, int] = {}
    for each in slots:
        by_slot[each.slot] = by_slot.get(each.slot, 0) + each.calls
    number = int(-(-seconds // SLOT_S))
    floods = sum(count > FLOOD_OVER for count in by_slot.values())
    return Rate(
        calls / (seconds / SLOT_S), max(by_slot.values(), default=0), number, floods,
        floods / number,
    )  # fmt: skip


def _priorities(slots: Iterable[SlotCalls], calls: int) -> list[PriorityShare]:
    counts = dict.fromkeys((int(each) for each in Priority), 0)
    for each in slots:
        counts[each.priority] += each.calls
    return [PriorityShare(number, n, _share(n, calls)) for number, n in counts.items()]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
