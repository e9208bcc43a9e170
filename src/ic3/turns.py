"""Long work on the loop that all share: in turns, so that nobody waits for the whole of it."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
# Yields wherever others may have their turn.
Turns = Generator[None, None, T]


def at_once(work: Turns[T]) -> T:
    """Do the whole of it without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            answer: T = done.value
            return answer


async def in_turns(work: Turns[T]) -> T:
    """Do it with everything else on the loop served in between."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            answer: T = done.value
            return answer
        await asyncio.sleep(0)
