"""Who may still come in: what is known of users, ended logins and keys, in memory.

The database is the truth; this copy is told of our own changes at once and read again every few
seconds. While the database is away the copy stays in force: that must not log anybody out.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ic3.domain.acts import Actor
from ic3.domain.users import TERMINAL, Principal

KEY_PREFIX: Final = "ic3_"
PENDING_LIMIT: Final = 10_000
TALLY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says.

    Attributes:
        epochs: User to epoch; who may not log in is not in it.
        ended: Logins that were ended while tokens of them may still live.
        keys: SHA-256 of a program's key to whom it stands for.
    """

    epochs: Mapping[str, int]
    ended: frozenset[str]
    keys: Mapping[bytes, Principal]


class Access:
    """Judges tokens and keys; tells those that listen when somebody is no longer admitted."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._listeners: list[Callable[[], None]] = []
        self._used: set[bytes] = set()

    def listen(self, listener: Callable[[], None]) -> None:
        """Tell of every change; it asks `admits` again for whom it serves."""
        self._listeners.append(listener)

    def replace(self, known: Known) -> None:
        """Take what the database says now."""
        if known == self._known:
            return
        self._known = known
        for listener in self._listeners:
            listener()

    def admits(self, principal: Principal) -> bool:
        """Whether whom a good token names is still who it says."""
        known = self._known
        if known is None:
            return True  # a start without the database; see `Known`
        if principal.login == TERMINAL:
            return True  # who can sign tokens is admitted by that
        if principal.login is None:
            return principal in known.keys.values()
        if principal.login in known.ended:
            return False
        return known.epochs.get(principal.username) == principal.epoch

    def holder(self, key: bytes) -> Principal | None:
        """Whom a program's key stands for."""
        if self._known is None:
            return None
        hashed = key_hash(key)
        principal = self._known.keys.get(hashed)
        if principal is not None:
            self._used.add(hashed)
        return principal

    def take_used(self) -> set[bytes]:
        """The keys used since this was last asked, as hashes."""
        used, self._used = self._used, set()
        return used


def key_hash(key: bytes) -> bytes:
    """What is kept of a key: it has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(key).digest()


@dataclass(frozen=True, slots=True)
class Event:
    """Something for the audit log that no transaction of its own carries: a refusal, an export.

    Attributes:
        count: How often it happened.
    """

    actor: Actor
    what: str
    object: str
    detail: str
    count: int = 1


@dataclass(slots=True)
class _Tally:
    """What happens again and again: when its minute began, and how often since its last row."""

    began_s: float
    newest: Event
    more: int = 0


@dataclass(slots=True)
class PendingEvents:
    """Events that wait to be written, bounded; what is left out is counted."""

    waiting: deque[Event] = field(default_factory=deque)
    left_out: int = 0
    _tallies: dict[tuple[str, str, str, str], _Tally] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Keep one; never waits."""
        if len(self.waiting) >= PENDING_LIMIT:
            self.left_out += 1
        else:
            self.waiting.append(event)

    def tally(self, event: Event, now_s: float) -> None:
        """Keep the first of its kind by one user in a minute, and count the others."""
        kind = (event.actor.who, event.what, event.object, event.detail)
        known = self._tallies.get(kind)
        if known is not None:
            known.newest, known.more = event, known.more + 1
        elif len(self._tallies) >= PENDING_LIMIT:
            self.left_out += 1
        else:
            self._tallies[kind] = _Tally(now_s, event)
            self.add(event)

    def settle(self, now_s: float) -> None:
        """Let what was counted in minutes that are over be written."""
        for kind, tally in list(self._tallies.items()):
            if now_s - tally.began_s < TALLY_S:
                continue
            if tally.more:
                self.add(replace(tally.newest, count=tally.more))
                tally.began_s, tally.more = now_s, 0
            else:
                del self._tallies[kind]
