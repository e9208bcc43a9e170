"""The queues between the workers: in order, bounded, each sweep once."""

import asyncio

from builders import envelope, sweep

from ic3.domain.sweeps import Sweep
from ic3.observations import Observation, RunRowsDropped
from ic3.workers.monitoring import WAITING_LIMIT, WITH_ENVELOPES_LIMIT, EndedSweeps
from ic3.workers.save import IN_MEMORY, UnsavedSweeps


def outcome(stored: bool | None) -> asyncio.Future[bool]:
    """Stored, not stored, or not known yet."""
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    if stored is not None:
        future.set_result(stored)
    return future


def accepted(number: int) -> Sweep:
    """A sweep that the spool has under this number."""
    made = sweep(envelope(f"asset {number}"))
    made.spool_id = number
    return made


async def drained(ended: EndedSweeps) -> list[Sweep]:
    found = []
    while len(ended):
        found.append((await ended.first()).sweep)
        ended.done()
    return found


async def test_failed_tries_of_a_sweep_are_one_entry() -> None:
    ended = EndedSweeps(lambda _: None)
    first, second = sweep(), sweep()
    ended.put(first, outcome(None))
    for stored in (False, False, True):
        ended.put(second, outcome(stored))
    assert await drained(ended) == [first, second]


async def test_a_failed_try_that_may_be_in_work_stays() -> None:
    ended = EndedSweeps(lambda _: None)
    tried = sweep()
    ended.put(tried, outcome(False))
    ended.put(tried, outcome(True))
    assert len(ended) == 2
    assert not (await ended.first()).stored.result()


async def test_a_try_that_is_not_over_or_cancelled_is_not_taken_for_a_failed_one() -> None:
    ended = EndedSweeps(lambda _: None)
    sweeps = [sweep() for _ in range(4)]
    cancelled = outcome(None)
    cancelled.cancel()
    for each, stored in zip(sweeps, (outcome(True), outcome(None), cancelled, outcome(True)),
                            strict=True):  # fmt: skip
        ended.put(each, stored)
    assert await drained(ended) == sweeps


async def test_only_the_first_ended_sweeps_keep_their_envelopes_and_too_many_are_given_up() -> None:
    told: list[Observation] = []
    ended = EndedSweeps(told.append)
    sweeps = [sweep(envelope()) for _ in range(WAITING_LIMIT + 1)]
    for each in sweeps:
        ended.put(each, outcome(True))
    assert told == [RunRowsDropped(1)]
    assert ended.overflowed
    in_memory = 0
    while len(ended):
        in_memory += (await ended.first()).envelopes is not None
        ended.done()
    assert in_memory == WITH_ENVELOPES_LIMIT - 1  # of two, the second was given up


async def test_in_an_outage_only_the_numbers_of_accepted_sweeps_are_kept() -> None:
    unsaved = UnsavedSweeps()
    sweeps = [accepted(7), sweep(envelope()), accepted(9)]
    for each in sweeps:
        unsaved.put(each, outcome(True))
    unsaved.release()
    kept = []
    while len(unsaved):
        oldest = await unsaved.first()
        kept.append((oldest.spool_id, oldest.sweep))
        unsaved.done()
    # What the spool has not taken is nowhere else; the third came when there was no room.
    assert kept == [(7, None), (None, sweeps[1]), (9, None)]
    assert len(sweeps) > IN_MEMORY
