"""The circuit breaker: a gateway in trouble is left alone and tried now and then."""

import random
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from ic3.gateway.errors import NotAsked
from ic3.observations import BreakerClosed, BreakerOpened, Observe

FAILURES_IN_A_ROW: Final = 5
WINDOW: Final = 100
TRY_S: Final = 5.0
LONGEST_WAIT_S: Final = 600.0
_WINDOW_BITS: Final = (1 << WINDOW) - 1
# Of the interval: what a sweep leaves over, so that the next one may already be the probe.
_REST_SHARE: Final = 0.2


class BreakerState(StrEnum):
    """Asked as usual, not asked, or asked once to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after 5 failures in a row, or when more than half of the last 100 requests failed.

    It opens as well when the gateway asks to be left alone (`Retry-After`). While it is open only
    one call is let through at a time, the probe; an answer to it closes the breaker. Probes come
    after 5 s at first and then ever more rarely, up to one an interval, and never so late that
    the next sweep could not be one.

    Args:
        interval_s: Between the starts of two sweeps.
        monotonic: Tells the time, seconds.
        observe: Told when it opens and closes.
        chance: Between 0 and 1, for jitter.
    """

    def __init__(
        self,
        *,
        interval_s: float,
        monotonic: Callable[[], float],
        observe: Observe = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._interval_s = interval_s
        self._monotonic = monotonic
        self._observe = observe
        self._chance = chance
        self._state = BreakerState.CLOSED
        self._row = 0
        self._window = 0  # a bit a request, the newest lowest; 1 is a failed one
        self._opened_at = 0.0
        self._next_try_at = 0.0
        self._probed_at = 0.0
        self._probes = 0
        self.why = ""
        self.deferral = "breaker"

    @property
    def state(self) -> BreakerState:
        """Closed, open or half open."""
        return self._state

    @property
    def closed(self) -> bool:
        """Whether the gateway may be asked."""
        return self._state is BreakerState.CLOSED

    @property
    def next_try_s(self) -> float | None:
        """Seconds until it may be tried again, not below 0; None while the breaker is closed."""
        if self._state is BreakerState.CLOSED:
            return None
        return max(0.0, self._next_try_at - self._monotonic())

    def enter(self) -> None:
        """Before the list call, which is the probe while the breaker is open.

        Raises:
            NotAsked: It is open and no probe is due.
        """
        if self._state is BreakerState.CLOSED:
            return
        now = self._monotonic()
        if self._state is BreakerState.HALF_OPEN or now < self._next_try_at:
            wait_s = max(1, round(self._next_try_at - now))
            raise NotAsked(f"gateway: not asked, {self.why}; next try in {wait_s} s")
        self._state = BreakerState.HALF_OPEN
        self._probed_at = now
        self._probes += 1

    def leave(self) -> None:
        """After the list call; a probe that brought nothing at all counts as failed."""
        if self._state is BreakerState.HALF_OPEN:
            self._again_later()

    def answered(self, number: int = 1) -> None:
        """So many requests were answered, whatever their content."""
        self._row = 0
        self._window = (self._window << number) & _WINDOW_BITS
        if self._state is BreakerState.HALF_OPEN:
            self._close()

    def refused(self) -> None:
        """A request was answered with a status that speaks for the gateway: 429, 502, 503, 504."""
        self._bad(1)

    def failed(self, number: int = 1, *, in_a_row: bool = True) -> None:
        """So many requests ended in a connection failure or timeout.

        Args:
            number: Of requests.
            in_a_row: Whether they speak for the gateway and not for one key or connection.
        """
        if in_a_row:
            self._row += number
        self._bad(number)

    def hold(self, seconds: float) -> None:
        """The gateway asked for so much rest; at most ten minutes are granted."""
        seconds = min(seconds, LONGEST_WAIT_S)
        if seconds <= 0:
            return
        self.deferral = "retry_after"
        self._open(f"it asked for {seconds:g} s of rest")
        self._next_try_at = max(self._next_try_at, self._monotonic() + seconds)

    def _bad(self, number: int) -> None:
        self._window = ((self._window << number) | ((1 << number) - 1)) & _WINDOW_BITS
        if self._state is BreakerState.HALF_OPEN:
            self._again_later()
        elif self._state is BreakerState.CLOSED:
            share = self._window.bit_count()
            if self._row >= FAILURES_IN_A_ROW:
                self._trip(f"it failed {self._row} times in a row")
            elif 2 * share > WINDOW:
                self._trip(f"{share} of the last {WINDOW} requests failed")

    def _trip(self, why: str) -> None:
        self.deferral = "breaker"
        self._open(why)
        self._next_try_at = self._opened_at + self._jittered(
            min(TRY_S, _REST_SHARE * self._interval_s)
        )

    def _open(self, why: str) -> None:
        self.why = why
        if self._state is BreakerState.CLOSED:
            self._opened_at = self._monotonic()
            self._next_try_at = 0.0
            self._probes = 0
            self._observe(BreakerOpened(why))
        self._state = BreakerState.OPEN

    def _again_later(self) -> None:
        self._state = BreakerState.OPEN
        wait_s = min(TRY_S * 2 ** min(self._probes - 1, 10), self._interval_s)
        # From its start: one that ends by its deadline must not cost the next sweep its try.
        self._next_try_at = self._probed_at + self._jittered(wait_s)

    def _jittered(self, wait_s: float) -> float:
        return wait_s * (0.5 + 0.4 * self._chance())

    def _close(self) -> None:
        self._state = BreakerState.CLOSED
        self._row = self._window = 0
        self._observe(BreakerClosed(self._monotonic() - self._opened_at))
