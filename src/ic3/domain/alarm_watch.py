"""Everything that watches assets: rules, the plant's own words, clocks; findings come out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ic3.domain.alarm_book import Moves, Newest, RuleBook, Speaks
from ic3.domain.alarm_points import Points
from ic3.domain.alarm_sources import CLOCK, SOURCE, Clocks, SourceWords
from ic3.domain.alarms import Alarms, Finding
from ic3.domain.envelope import Envelope
from ic3.domain.figures import PARAMETERS as FIGURES
from ic3.domain.freshness import Freshness, State
from ic3.turns import Turns

HEARD_AT_A_TIME: Final = 5_000
_SPEAKS: Final[Mapping[State, Speaks]] = {
    State.FRESH: Speaks.FRESH, State.STALE: Speaks.SILENT, State.VANISHED: Speaks.GONE,
    State.CLOCK_WRONG: Speaks.ASTRAY, State.UNREACHABLE: Speaks.UNKNOWN,
    State.NEVER_SEEN: Speaks.UNKNOWN,
}  # fmt: skip


class AssetWatch:
    """Watches every asset; what it finds is to be reported to `alarms`, which it only reads.

    Args:
        alarms: What stands from an earlier process.
        freshness: Whether assets speak.
    """

    def __init__(self, alarms: Alarms, freshness: Freshness) -> None:
        self._alarms = alarms
        self._freshness = freshness
        self.book = RuleBook()
        self.clocks = Clocks()
        self.words = SourceWords(self._open_words)
        self._ahead: list[str] = []
        self._answered = float("-inf")
        self._answers = 0
        self._restored = False

    def adopt(self, points: Points, newest: Newest, moves: Moves | None = None) -> list[Finding]:
        """Go on with other rules or another register.

        Args:
            points: As compiled.
            newest: Serial number to newest readings, for tags that nothing has come of yet.
            moves: From the points of the book to these, where somebody has found them.

        Returns:
            What returns because no rule watches it any more.
        """
        over = self.book.adopt(points, standing=self._stands, moves=moves)
        self.book.seed(newest)
        watched = set(points.keys)
        orphans = [
            Finding(
                source_kind="asset", source=each.source, condition=each.condition, active=False
            )
            for each in self._alarms.open
            if each.active and each.source_kind == "asset" and each.rule_id is not None
            and each.tag not in FIGURES and (each.source, each.condition) not in watched
        ]  # fmt: skip
        return over + orphans

    def take(self, news: Iterable[Envelope], *, now: float, now_us: int) -> None:
        """Take records, at most one an asset, each newer than all before.

        Args:
            news: Accepted now, not late, of plausible time.
            now: Monotonic seconds.
            now_us: The wall clock, microseconds since 1970 UTC.
        """
        self.clocks.set_own(now=now, now_us=now_us)
        admitted = [each for each in news if self.clocks.admits(each, now=now)]
        self.book.take(admitted, now=now)
        for envelope in admitted:
            self.words.take(envelope, now=now)

    def judging(
        self, frozen: Iterable[tuple[int, str]] = (), *, now: float, now_us: int
    ) -> Turns[None]:
        """Look at which assets speak; once an interval is enough.

        Args:
            frozen: Register id and tag of gauges that repeat their number.
            now: Monotonic seconds.
            now_us: The wall clock, for stamps.
        """
        self._freshness.judge(now=now, now_us=now_us)
        yield
        if self._freshness.answers != self._answers:
            self._answers, self._answered = self._freshness.answers, now
        yield from self._hear(now)
        self.book.set_frozen(frozen)
        self.book.set_stale_after(self._freshness.stale_after_s)

    def evaluate(self, *, now: float) -> Sequence[Finding]:
        """What was raised and what returned since the last time.

        Args:
            now: Monotonic seconds.
        """
        if not self._restored:
            told = (a.source for a in self._alarms.open if a.condition == CLOCK and a.active)
            self.clocks.restore(told, now=now)
            self._restored = True
        found = self.book.evaluate(now=now)
        if self.words.unsettled:
            found += self.words.evaluate(self.book.crossed(), now=now)
        found += self.clocks.evaluate(self._ahead, now=now, domain_of=self._freshness.domain_of)
        return found

    def standing(self) -> Sequence[Finding]:
        """What is active and not in the list of alarms, for it may have been full."""
        book = self.book.standing(self._is_told)
        return [*book, *self.words.standing(), *self.clocks.standing()]

    def _hear(self, now: float) -> Turns[None]:
        held, fresh = self.clocks.held(), State.FRESH
        ahead: list[str] = []
        speaks: dict[str, Speaks] = {}
        for number, (serial, state) in enumerate(list(self._freshness.states()), start=1):
            if state is fresh:
                speaks[serial] = Speaks.ASTRAY if serial in held else Speaks.FRESH
            else:
                speaks[serial] = self._speaks(serial, state, now)
            if state is State.CLOCK_WRONG:
                ahead.append(serial)
            if number % HEARD_AT_A_TIME == 0:
                yield
        self._ahead = ahead
        self.book.hear(speaks)
        yield

    def _speaks(self, serial: str, state: State, now: float) -> Speaks:
        if state is State.STALE and not self._freshness.knows_pace(serial, now=now):
            return Speaks.UNKNOWN  # a logger that speaks once an hour, met for the first time
        if state is State.STALE and not self._freshness.was_due(serial, at=self._answered):
            # Nobody has asked since it was due, or the gateway has not answered: that is one
            # alarm of its own, not one an asset.
            return Speaks.UNKNOWN
        return _SPEAKS[state]

    def _stands(self, serial: str, condition: str) -> bool:
        alarm = self._alarms.find("asset", serial, condition)
        return alarm is not None and alarm.active

    def _is_told(self, serial: str, condition: str, priority: int) -> bool:
        alarm = self._alarms.find("asset", serial, condition)
        return alarm is not None and alarm.active and alarm.priority <= priority

    def _open_words(self, serial: str) -> list[str]:
        return [
            alarm.condition.removeprefix(SOURCE).upper()
            for alarm in self._alarms.of("asset", serial)
            if alarm.active and alarm.condition.startswith(SOURCE)
        ]
