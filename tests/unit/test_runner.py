"""The life of a worker after failures."""

import asyncio

import pytest
from patience import PATIENCE_S

from ic3.clock import Clock
from ic3.errors import DatabaseAway
from ic3.workers.runner import BACK_OFF_LIMIT_S, run_worker


class Unlucky:
    """A worker that waits for its work itself and fails for a long time."""

    name = "unlucky"
    every_s: float | None = None

    def __init__(self, failures: int) -> None:
        self._left = failures

    async def step(self) -> None:
        if not self._left:
            raise asyncio.CancelledError
        self._left -= 1
        raise DatabaseAway("database: away")


async def test_f12_the_pause_after_many_failures_is_no_longer_than_the_limit() -> None:
    worker = Unlucky(1100)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(asyncio.CancelledError):
            await run_worker(worker, clock=Clock(), observe=lambda _: None, back_off_limit_s=0.0001)


async def test_f12_the_pause_doubles_from_a_second_to_thirty_with_jitter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await run_worker(Unlucky(12), clock=Clock(), observe=lambda _: None)
    longest = [min(BACK_OFF_LIMIT_S, 0.5 * 2**failures) for failures in range(1, 13)]
    assert longest[0] == 1
    assert longest[-1] == 30
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert len(set(pauses)) == len(pauses)
