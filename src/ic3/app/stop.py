"""The stop: what asks for it, the time it has, and what is still stored."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from ic3.domain.alarm_journal import AlarmJournal
from ic3.hub.notices import Notices
from ic3.observations import Observe, Stopping
from ic3.workers.monitoring import EndedSweeps
from ic3.workers.save import UnsavedSweeps

DRAIN_LIMIT_S: Final = 1.5
# Without any progress for so long the database hangs, and the rest of the stop needs the time.
DRAIN_PAUSE_S: Final = 0.8
STOP_LIMIT_S: Final = 3.8  # of five: the interpreter ends after it, late on a busy machine


class StopTime:
    """What is left of the one deadline that the whole stop has; it begins when first asked."""

    def __init__(self) -> None:
        self._ends: float | None = None

    def begin(self) -> None:
        """From here on it counts, unless it does already."""
        self.left_s()

    def left_s(self) -> float:
        """Seconds left; 0 where there are none."""
        now = asyncio.get_running_loop().time()
        if self._ends is None:
            self._ends = now + STOP_LIMIT_S
        return max(0.0, self._ends - now)


class Signals:
    """SIGTERM and SIGINT set the event; a second one ends the process at once.

    Before `started` nobody waits for the event: the start itself is given up.
    """

    def __init__(self, stop: asyncio.Event, tell: Observe) -> None:
        self._stop = stop
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        self._given_up: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._heard, number)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)
        if self._given_up is None:
            return False
        self._given_up.uncancel()
        return kind is asyncio.CancelledError

    def started(self) -> None:
        """From here on the event is heeded."""
        self._starting = None

    def _heard(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        self._tell(Stopping(signal.Signals(number).name))
        self._stop.set()
        if self._starting is not None:
            self._given_up = self._starting
            self._given_up.cancel()


async def drain(
    workers: Mapping[str, asyncio.Task[None]], unsaved: UnsavedSweeps, ended: EndedSweeps,
    journal: AlarmJournal, notices: Notices,
) -> None:  # fmt: skip
    """No new sweep; what is accepted may still be stored, for a moment."""
    workers["poll"].cancel()
    await asyncio.wait({workers["poll"]}, timeout=1)
    await until_drained(lambda: len(unsaved) + len(ended) + len(journal) + len(notices))


async def until_drained(waiting: Callable[[], int]) -> None:
    """Wait until nothing waits any more, unless that takes too long or nothing moves.

    Args:
        waiting: How much there is that workers are still to store.
    """
    loop = asyncio.get_running_loop()
    begun = moved = loop.time()
    least = waiting()
    while least and loop.time() < min(begun + DRAIN_LIMIT_S, moved + DRAIN_PAUSE_S):
        await asyncio.sleep(0.01)
        if (now := waiting()) < least:
            least, moved = now, loop.time()
