"""Fewer points with the same outline."""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

POINTS_A_SLOT: Final = 4


@dataclass(slots=True)
class _Slot(Generic[T]):
    """Of a slot of time: its first, last, lowest and highest point, each with its place."""

    first: tuple[int, T]
    last: tuple[int, T]
    low: tuple[float, int, T] | None = None
    high: tuple[float, int, T] | None = None

    def points(self) -> list[T]:
        """The points kept, in order, each once."""
        chosen = dict([self.first, self.last])
        for extreme in (self.low, self.high):
            if extreme is not None:
                chosen[extreme[1]] = extreme[2]
        return [chosen[place] for place in sorted(chosen)]


class Outline(Generic[T]):
    """Takes points in the order of time and keeps at most `limit` of them.

    Where there are more, the time is cut into slots as wide as each other, and of each slot the
    first, the last, the lowest and the highest point are kept. A line drawn at one slot a pixel
    looks the same as one of all points; no peak is lost. The memory is bounded by `limit`.

    Args:
        limit: At least 4.
        from_us: Begin of the time, microseconds since 1970.
        to_us: Its end, itself outside.

    Source:
        M4: U. Jugel, Z. Jerzak, G. Hackenbroich, V. Markl, "M4: A Visualization-Oriented Time
        Series Data Aggregation", VLDB 2014.
    """

    def __init__(self, limit: int, *, from_us: int, to_us: int) -> None:
        self._limit = limit
        self._slot_us = -(-(to_us - from_us) // (limit // POINTS_A_SLOT))
        self._from_us = from_us
        self._all: list[T] | None = []
        self._slots: dict[int, _Slot[T]] = {}
        self.count = 0

    @property
    def thinned(self) -> bool:
        """Whether points were left out."""
        return self._all is None

    def add(self, at_us: int, number: float | None, point: T) -> None:
        """Take a point; one without a number is kept only where it is the first or the last."""
        place = self.count
        self.count += 1
        if self._all is not None:
            self._all.append(point)
            if self.count > self._limit:
                self._all = None
        index = (at_us - self._from_us) // self._slot_us
        slot = self._slots.get(index)
        if slot is None:
            slot = self._slots[index] = _Slot((place, point), (place, point))
        slot.last = (place, point)
        if number is None:
            return
        if slot.low is None or number < slot.low[0]:
            slot.low = (number, place, point)
        if slot.high is None or number > slot.high[0]:
            slot.high = (number, place, point)

    def points(self) -> list[T]:
        """The points kept, in the order of time."""
        if self._all is not None:
            return self._all
        return [point for index in sorted(self._slots) for point in self._slots[index].points()]
