"""What webhook and mail share, and the queue between alarms and the worker that tells of them."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from ic3.domain.alarms import Change

QUEUE_LIMIT: Final = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where a route leads.

    Attributes:
        url: Of a webhook; its path may be a password.
        secret: Signs what is sent.
    """

    name: str
    recipients: tuple[str, ...] = ()
    url: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one try.

    Attributes:
        again: Whether another try may help.
        status: Of the answer, where there was one.
        words: Why it failed, for people; never holds a secret, nor what the other side wrote.
        retry_after_s: What the other side asked for.
    """

    sent: bool
    again: bool = False
    status: int | None = None
    words: str = ""
    retry_after_s: float | None = None


class Carrier(Protocol):
    """A way out."""

    async def send(self, target: Target, events: Sequence[str]) -> Outcome:
        """Try once to tell events, within a total deadline; only cancellation is raised."""


class Notices:
    """Changes of alarms that wait to be routed; when it is full, the oldest are left out.

    Attributes:
        left_out: How many since they were last counted.
    """

    def __init__(self) -> None:
        self._waiting: deque[Change] = deque()
        self._arrived = asyncio.Event()
        self.routes_changed = True
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, change: Change) -> None:
        """Hand over a change; never waits."""
        if len(self._waiting) >= QUEUE_LIMIT:
            self._waiting.popleft()
            self.left_out += 1
        self._waiting.append(change)
        self._arrived.set()

    def take(self) -> list[Change]:
        """Everything that waits."""
        self._arrived.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken

    def wake(self, *, routes_changed: bool = False) -> None:
        """Let the worker look again.

        Args:
            routes_changed: Somebody changed routes or deliveries: nothing known holds any more.
        """
        self.routes_changed |= routes_changed
        self._arrived.set()

    async def wait(self, limit_s: float) -> None:
        """Until something arrives, or so many seconds."""
        try:
            async with asyncio.timeout(max(0.0, limit_s)):
                await self._arrived.wait()
        except TimeoutError:
            pass
