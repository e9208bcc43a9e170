"""The life of every worker: start, step, fail, stop."""

import asyncio
import random
from typing import Final, Protocol

from ic3.clock import Clock
from ic3.errors import IC3Error
from ic3.observations import Observe, TicksSkipped, WorkerFailed

BACK_OFF_LIMIT_S: Final = 30.0


class Worker(Protocol):
    """One round at a time, for ever.

    `every_s` is the time between the starts of two rounds; None where a round waits for its work
    itself.
    """

    name: str
    every_s: float | None

    async def step(self) -> None:
        """One round; an error ends the round, not the worker."""


async def run_worker(
    worker: Worker, *, clock: Clock, observe: Observe, back_off_limit_s: float = BACK_OFF_LIMIT_S
) -> None:
    """Run rounds until cancelled: on the monotonic clock, never two at once.

    A round that overruns skips the ticks it missed, and says so. After a failure a worker without
    an interval backs off, with jitter.

    Args:
        worker: Whose rounds.
        clock: Says when they are due.
        observe: Told of failures.
        back_off_limit_s: Longest pause after a failure.
    """
    due = clock.monotonic()
    failures = 0
    while True:
        try:
            await worker.step()
            failures = 0
        except IC3Error as error:
            failures += 1
            observe(WorkerFailed(worker.name, str(error), unforeseen=False))
        except Exception as error:  # noqa: BLE001  a fault in one round must not end the worker
            failures += 1
            words = f"{type(error).__name__}: {error} ({_where(error)})"
            observe(WorkerFailed(worker.name, words, unforeseen=True))
        if worker.every_s is not None:
            due = await _next_tick(worker, worker.every_s, due, clock, observe)
        elif failures:
            # A day of failures is more than a float holds as a power of two.
            limit = min(back_off_limit_s, 0.5 * 2 ** min(failures, 10))
            await asyncio.sleep(random.uniform(limit / 2, limit))  # noqa: S311  jitter


async def _next_tick(
    worker: Worker, every_s: float, due: float, clock: Clock, observe: Observe
) -> float:
    due += every_s
    late = clock.monotonic() - due
    if late > 0:
        missed = int(late // every_s) + 1
        due += missed * every_s
        observe(TicksSkipped(worker.name, missed))
    await asyncio.sleep(max(0.0, due - clock.monotonic()))
    return due


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "nowhere"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
