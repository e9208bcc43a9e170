"""How many requests may be in flight: the cap, and fewer where the gateway strains."""

from math import ceil
from typing import Final

FLOOR: Final = 4
SLOW: Final = 2.0  # times the usual time of an answer
_USUAL_SHARE: Final = 0.2
_READ_TO_JUDGE: Final = 20
_SHORTEST_S: Final = 1e-6


RETRIES: Final = 2


class Budget:
    """How many requests of a sweep may be asked again: a tenth of them, and two in any case."""

    def __init__(self, requests: int) -> None:
        self.left = max(RETRIES, requests // 10)

    def take(self) -> bool:
        """One more, if there is one."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True


class Pace:
    """The bound in flight between a floor of 4 and the cap.

    Halved when the gateway strains, at most once for what was in flight together; after each sweep
    without strain a twentieth of the cap more, which is one more at the usual cap of 20.

    Args:
        cap: The most that may ever be in flight.
    """

    def __init__(self, cap: int) -> None:
        self.cap = cap
        self.limit = cap
        self._floor = min(FLOOR, cap)
        self._more = max(1, cap // 20)
        self._usual_s: float | None = None
        self._cut_from = 0
        self._strained = False

    def strain(self, sent: int) -> None:
        """The gateway timed out, refused, or answered 429 or 5xx.

        Args:
            sent: Requests sent so far, ever.
        """
        self._strained = True
        if sent >= self._cut_from:
            # What is in flight now was asked under the old limit and says nothing of the new one.
            self._cut_from = sent + self.limit
            self.limit = max(self._floor, self.limit // 2)

    def end_sweep(self, *, sent: int, read: int, took_s: float, unfinished: bool) -> None:
        """Judge a whole sweep.

        Args:
            sent: Requests sent so far, ever.
            read: Keys read in it.
            took_s: Its seconds.
            unfinished: Whether its deadline came before its end.
        """
        answer_s = self.limit * max(took_s, _SHORTEST_S) / max(1, read)
        usual_s = answer_s if self._usual_s is None else self._usual_s
        if unfinished and (not read or answer_s > SLOW * usual_s):
            self.strain(sent)
        if not self._strained:
            self.limit = min(self.cap, self.limit + self._more)
        self._strained = False
        if read >= _READ_TO_JUDGE:
            # What lasts becomes usual: a gateway that stays slow is not starved for ever. By
            # ratio, so that one sweep of a gateway a hundred times slower does not settle it.
            self._usual_s = usual_s * (answer_s / usual_s) ** _USUAL_SHARE


def in_flight_needed(*, keys: int, read: int, limit: int, share: float = 1.0) -> int:
    """How many in flight would read all keys in time, rounded up to two digits.

    Args:
        keys: To be read.
        read: How many were, above 0.
        limit: With so many in flight.
        share: Of the time there is for all, spent on those.
    """
    needed = ceil(limit * keys / read * share)
    step = int(10 ** max(0, len(str(needed)) - 2))
    return -(-needed // step) * step
