"""What is kept of a pump from day to day: its healthy days, its reference, its wear."""

from datetime import datetime
from typing import Final

import msgspec
import numpy as np

from ic3.analytics.pump_curves import (
    COLUMNS,
    HEALTHY_DAYS,
    PumpReference,
    healthy_points,
    learned_reference,
)
from ic3.analytics.pump_health import ATTENTION_SCORE, PumpAssessment, assess
from ic3.analytics.pump_limits import PumpLimits
from ic3.analytics.pump_samples import PumpNameplate, PumpSamples
from ic3.analytics.pump_wear import FLOORS_PERCENT, WearState, watch

VERSION: Final = "1"
# A reference of fewer days moves too much for its index to be watched.
LEAST_REFERENCE_DAYS: Final = 3


class PumpMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bounded; the same after any restart.

    Attributes:
        last_day: Newest day that was taken, days since 1970 in the plant's zone.
        days: What `healthy_points` gave, a day each, float64 row by row; at most 30.
        reference: Made of them; it is fixed once they are 30.
        wear: By index, head and efficiency.
        overhauled_at: The overhaul since which it is kept; None where none is on record.
        run_h: Since then.
    """

    last_day: int | None = None
    days: tuple[bytes, ...] = ()
    reference: PumpReference | None = None
    wear: dict[str, WearState] = {}
    overhauled_at: datetime | None = None
    run_h: float = 0.0

    @property
    def run_h_since_overhaul(self) -> float | None:
        """Hours run since the last recorded overhaul; None where none is on record."""
        return None if self.overhauled_at is None else self.run_h


def since_overhaul(memory: PumpMemory, overhauled_at: datetime | None) -> PumpMemory:
    """The memory to go on with: a new one where an overhaul was recorded since."""
    if memory.overhauled_at == overhauled_at:
        return memory
    return PumpMemory(overhauled_at=overhauled_at)


def take_day(
    memory: PumpMemory, day: int, samples: PumpSamples, plate: PumpNameplate, limits: PumpLimits
) -> tuple[PumpMemory, PumpAssessment]:
    """Judge a whole day by what was known before it, then learn from it.

    Args:
        memory: After the day before.
        day: Days since 1970; one that is not later than the last is judged and not learned from.
        samples: Of the day.
        plate: What the maker says.
        limits: Of its class.
    """
    found = assess(
        samples, memory.reference, limits, plate=plate,
        run_h_since_overhaul=memory.run_h_since_overhaul,
    )  # fmt: skip
    if memory.last_day is not None and day <= memory.last_day:
        return memory, found
    days = memory.days
    if len(days) < HEALTHY_DAYS and _is_healthy(found):
        points = healthy_points(samples, plate)
        days = (*days, points.tobytes()) if len(points) else days
    reference = memory.reference
    if len(days) > len(memory.days):
        kept = [np.frombuffer(each).reshape(-1, COLUMNS) for each in days]
        reference = learned_reference(kept, plate)
    return msgspec.structs.replace(
        memory, last_day=day, days=days, reference=reference, wear=_watched(memory, day, found),
        run_h=memory.run_h + found.run_h,
    ), found  # fmt: skip


def encode(memory: PumpMemory) -> bytes:
    """A memory as bytes; the same bytes for the same memory."""
    return msgspec.msgpack.encode(memory)


def decode(content: bytes) -> PumpMemory:
    """The memory of such bytes.

    Raises:
        msgspec.MsgspecError: They are none.
    """
    return msgspec.msgpack.decode(content, type=PumpMemory)


def _watched(memory: PumpMemory, day: int, found: PumpAssessment) -> dict[str, WearState]:
    if memory.reference is None or memory.reference.days < LEAST_REFERENCE_DAYS:
        return memory.wear
    return {
        name: watch(
            memory.wear.get(name, WearState()), day=day, index_percent=found.value(name),
            floor_percent=floor,
        )
        for name, floor in FLOORS_PERCENT.items()
    }  # fmt: skip


def _is_healthy(found: PumpAssessment) -> bool:
    scores = [sub.score for sub in found.sub_scores if sub.score is not None]
    return bool(scores) and not found.signs and min(scores) >= ATTENTION_SCORE
