"""What happened to alarms and is not stored yet: memory first, the database behind it."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from ic3.domain.acts import Actor
from ic3.domain.alarms import Alarm, Alarms, AlarmState, Change, Hold, What

WAITING_LIMIT: Final = 100_000
# Made into rows beside sweeps and requests: 2,000 take some 20 ms.
BATCH: Final = 2000
ACTS: Final = frozenset({What.ACK, What.COMMENT})


@dataclass(frozen=True, slots=True)
class Entry:
    """A change that waits, and who made it; None where it was the plant or the clock."""

    change: Change
    actor: Actor | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Alarm and version: a row of the history."""
        return self.change.alarm.id, self.change.alarm.version


@dataclass(frozen=True, slots=True)
class HoldEntry:
    """A hold that was made or ended, and by whom."""

    hold: Hold
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction; the keys are the journal's own numbers.

    Attributes:
        alarms: The newest state of each alarm, by number.
    """

    alarms: Sequence[Alarm] = ()
    entries: Mapping[int, Entry] = field(default_factory=dict)
    holds: Mapping[int, HoldEntry] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.alarms) + len(self.entries) + len(self.holds)

    def singly(self) -> Iterator["Batch"]:
        """The same, one thing at a time, in an order that is safe to break off."""
        yield from (Batch(holds={number: each}) for number, each in self.holds.items())
        yield from (Batch(alarms=(each,)) for each in self.alarms)
        yield from (Batch(entries={number: each}) for number, each in self.entries.items())


class AlarmJournal:
    """Changes and holds in the order they were told, until they are stored.

    It is bounded. Of too many changes the oldest history is let go and counted; the newest state
    of every open alarm, and of every alarm the database has seen, is always kept. Acts of people
    are never let go; where too many wait, `full` says so before another is done.
    """

    def __init__(self, *, limit: int = WAITING_LIMIT) -> None:
        self._limit = limit
        self._number = 0
        self._actor: Actor | None = None
        self._states: dict[int, Alarm] = {}
        self._acts: OrderedDict[int, Entry] = OrderedDict()
        self._history: OrderedDict[int, Entry] = OrderedDict()
        self._holds: OrderedDict[int, HoldEntry] = OrderedDict()
        self._seen_by_database: set[int] = set()
        self._waiting: list[tuple[int, Callable[[], None]]] = []
        self.on_news: Callable[[], None] = lambda: None
        self.lost = 0

    def __len__(self) -> int:
        return len(self._states) + len(self._acts) + len(self._history) + len(self._holds)

    def follow(self, alarms: Alarms) -> None:
        """Note all that happens from now on; those open now are stored already."""
        self._seen_by_database.update(each.id for each in alarms.open)
        alarms.listen(self._changed)
        alarms.listen_to_holds(self._held)

    @property
    def full(self) -> bool:
        """Whether no further act of a person can be taken."""
        return len(self._acts) + len(self._holds) >= self._limit

    @contextmanager
    def by(self, actor: Actor) -> Iterator[None]:
        """What is told inside is this actor's doing; nothing inside may wait."""
        self._actor = actor
        try:
            yield
        finally:
            self._actor = None

    def newest_of(self, alarm_id: int) -> Alarm | None:
        """An alarm whose newest state waits; also one that is closed."""
        return self._states.get(alarm_id)

    def waiting_of(self, alarm_id: int) -> list[Change]:
        """Changes of an alarm that wait, oldest first."""
        found = [
            each.change
            for entries in (self._history, self._acts)
            for each in entries.values()
            if each.change.alarm.id == alarm_id
        ]
        return sorted(found, key=lambda change: change.alarm.version)

    @property
    def acts_stored(self) -> bool:
        """Whether no act of a person waits."""
        return not self._acts and not self._holds

    def when_stored(self, call: Callable[[], None]) -> None:
        """Call once, when every act until now is stored."""
        if self.acts_stored:
            call()
        else:
            self._waiting.append((self._number, call))

    def take(self, limit: int = BATCH) -> Batch:
        """What to write next; it stays here until `stored`.

        Holds come before the alarms they hold, states before the history that leads to them:
        a writer that is killed between two batches leaves no alarm behind its own history.
        """
        holds = dict(islice(self._holds.items(), limit))
        if len(holds) < len(self._holds):
            return Batch(holds=holds)
        # By number: a closed alarm makes room for the next of its condition.
        alarms = [self._states[number] for number in sorted(self._states)[:limit]]
        self._seen_by_database.update(each.id for each in alarms)
        if len(alarms) < len(self._states):
            return Batch(alarms, {}, holds)
        entries = dict(islice(self._acts.items(), limit))
        entries.update(islice(self._history.items(), max(0, limit - len(entries))))
        return Batch(alarms, entries, holds)

    def stored(self, batch: Batch) -> None:
        """A batch is in the database, or will never be."""
        for alarm in batch.alarms:
            if self._states.get(alarm.id) is alarm:
                del self._states[alarm.id]
                if alarm.state is AlarmState.CLEARED:
                    self._seen_by_database.discard(alarm.id)
        for number in batch.entries:
            self._acts.pop(number, None)
            self._history.pop(number, None)
        for number in batch.holds:
            self._holds.pop(number, None)
        self._call_back()

    def _call_back(self) -> None:
        oldest = min(next(iter(each), self._number + 1) for each in (self._acts, self._holds))
        due = [call for number, call in self._waiting if number < oldest]
        self._waiting = [each for each in self._waiting if each[0] >= oldest]
        for call in due:
            call()

    def _changed(self, change: Change) -> None:
        self._number += 1
        entry = Entry(change, self._doer(change.who))
        self._states[change.alarm.id] = change.alarm
        if change.what in ACTS:
            self._acts[self._number] = entry
        else:
            self._history[self._number] = entry
            if len(self._history) > self._limit:
                self._let_go(self._history.popitem(last=False)[1])
        self.on_news()

    def _held(self, hold: Hold) -> None:
        self._number += 1
        who = hold.who if hold.ended_us is None else hold.ended_by
        self._holds[self._number] = HoldEntry(hold, self._doer(who))
        self.on_news()

    def _doer(self, who: str | None) -> Actor | None:
        """Nobody acts unseen: one who did not come by a request is audited by name alone."""
        if who is None:
            return None
        return self._actor or Actor(who, "unknown", "unknown")

    def _let_go(self, entry: Entry) -> None:
        self.lost += 1
        alarm = entry.change.alarm
        closed = alarm.state is AlarmState.CLEARED and self._states.get(alarm.id) is alarm
        if closed and alarm.id not in self._seen_by_database:
            del self._states[alarm.id]
