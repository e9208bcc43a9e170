"""What the plant itself says: its alarm words, and clocks that are wrong."""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Final

import msgspec

from ic3.domain.alarm_rules import RuleKind
from ic3.domain.alarms import Finding, Priority
from ic3.domain.envelope import Envelope

NORMAL: Final = "NORMAL"
SOURCE: Final = "source."
CLOCK: Final = "clock"
# A word that gets milder must last: instruments have no deadband of their own.
MILDER_AFTER_S: Final = 60.0
CLOCK_AFTER_S: Final = 60.0
OLDEST_S: Final = 900.0
SKEW_STEP_S: Final = 60.0
SKEW_SHARE: Final = 0.05
USUAL_RECORDS: Final = 10
USUAL_AFTER_S: Final = 600.0
MASS_ASSETS: Final = 20
_MILDEST: Final = 9
_PRIORITIES: Final[Mapping[str, Priority]] = {
    "HIGH_HIGH": Priority.HIGH, "LOW_LOW": Priority.HIGH, "FAULT": Priority.HIGH,
    "HIGH": Priority.MEDIUM, "LOW": Priority.MEDIUM, "OFFLINE": Priority.MEDIUM,
}  # fmt: skip
# Kinds of rules that say the same or worse.
_SAME: Final[Mapping[str, frozenset[RuleKind]]] = {
    "HIGH_HIGH": frozenset({"high_high"}), "HIGH": frozenset({"high", "high_high"}),
    "LOW_LOW": frozenset({"low_low"}), "LOW": frozenset({"low", "low_low"}),
}  # fmt: skip

Crossed = Mapping[str, Set[RuleKind]]


def priority_of(word: str) -> int:
    """Priority of an alarm word in upper case; NORMAL is milder than all."""
    return _MILDEST if word == NORMAL else _PRIORITIES.get(word, Priority.MEDIUM)


@dataclass(slots=True)
class _Said:
    """What an asset says, where that is not what stands."""

    word: str
    milder_since: float | None = None


class SourceWords:
    """The envelope's alarm word as a condition, `source.high_high`; at most one an asset.

    A worse word takes the place of a milder one at once; a milder one must last a minute. A limit
    word is not raised where a rule of ours has found the same or worse, its alarm raised or about
    to be: that one says more, it has a tag and a value.

    Args:
        open_words: The alarm words that stand for an asset, of an earlier process too.
    """

    def __init__(self, open_words: Callable[[str], Iterable[str]]) -> None:
        self._open_words = open_words
        self._standing: dict[str, set[str]] = {}
        self._said: dict[str, _Said] = {}
        self._domains: dict[str, str | None] = {}

    def take(self, envelope: Envelope, *, now: float) -> None:
        """Take a new record; one without a word changes nothing."""
        word = (envelope.alarm or "").strip().upper()
        if not word:
            return
        serial = envelope.asset_id
        standing = self._standing.get(serial)
        if standing is None:
            standing = self._standing[serial] = set(self._open_words(serial))
        if (not standing and word == NORMAL) or standing == {word}:
            self._said.pop(serial, None)
            return
        said = self._said.get(serial)
        since = said.milder_since if said else None
        mildest = min((priority_of(each) for each in standing), default=_MILDEST)
        milder = priority_of(word) > mildest
        self._said[serial] = _Said(word, (now if since is None else since) if milder else None)
        self._domains[serial] = envelope.domain

    @property
    def unsettled(self) -> bool:
        """Whether an asset says what does not stand."""
        return bool(self._said)

    def evaluate(self, crossed: Crossed, *, now: float) -> list[Finding]:
        """What was raised and what returned since the last time.

        Args:
            crossed: Serial number to the limits of ours that it is beyond.
            now: Monotonic seconds.
        """
        found: list[Finding] = []
        for serial, said in list(self._said.items()):
            if said.milder_since is not None and now - said.milder_since < MILDER_AFTER_S:
                continue
            standing = self._standing[serial]
            found += [self._finding(serial, each, active=False) for each in standing - {said.word}]
            standing &= {said.word}
            if said.word == NORMAL or standing:
                del self._said[serial]
            elif not _SAME.get(said.word, frozenset()) & crossed.get(serial, frozenset()):
                standing.add(said.word)
                found.append(self._finding(serial, said.word, active=True))
                del self._said[serial]
            else:
                said.milder_since = None
        return found

    def standing(self) -> list[Finding]:
        """What is active, to be told again."""
        return [
            self._finding(serial, word, active=True)
            for serial, words in self._standing.items()
            for word in words
        ]

    def _finding(self, serial: str, word: str, *, active: bool) -> Finding:
        return Finding(
            source_kind="asset", source=serial, condition=SOURCE + word.lower(), active=active,
            priority=Priority(min(priority_of(word), Priority.LOW)),
            text=f"The plant says {word} of this asset", domain=self._domains.get(serial),
        )  # fmt: skip


class _Skew(msgspec.Struct, eq=False, gc=False):
    """Seconds from a record's own time to its receipt.

    Attributes:
        usual: What the asset has shown for long.
        other: What it has shown `records` times since `since`, far from the usual.
        held: How many records in a row were too old to be judged.
    """

    usual: float = 0.0
    other: float | None = None
    records: int = 0
    since: float = 0.0
    held: int = 0
    last: float = 0.0


@dataclass(slots=True)
class _Wrong:
    since: float
    told: bool = False
    domain: str | None = None


@dataclass(slots=True)
class Clocks:
    """Which records are too old to be judged, and which clocks are wrong.

    A record more than 15 min older than its asset's usual skew is news of the past. A clock that is
    wrong by the same all the time becomes the usual after ten records and 10 min; until then the
    asset is unwatched, and the condition `clock` says so; it stands as long as the clock is wrong.

    Attributes:
        our_step_us: How far our own wall clock has stepped away from the monotonic one: the
            plant's records are not older for that.
    """

    _skews: dict[str, _Skew] = field(default_factory=dict)
    _odd: dict[str, _Skew] = field(default_factory=dict)
    _wrong: dict[str, _Wrong] = field(default_factory=dict)
    _zero_us: float | None = None
    our_step_us: float = 0.0

    def set_own(self, *, now: float, now_us: int) -> None:
        """Compare our own two clocks."""
        offset_us = now_us - now * 1e6
        if self._zero_us is None:
            self._zero_us = offset_us
        self.our_step_us = offset_us - self._zero_us

    def admits(self, envelope: Envelope, *, now: float) -> bool:
        """Whether the values of a new record may be judged; learns from it."""
        skew_s = (envelope.received_us - envelope.occurred_us - self.our_step_us) / 1e6
        skew = self._skews.get(envelope.asset_id)
        if skew is None:
            skew = self._skews[envelope.asset_id] = _Skew()
        self._learn(skew, skew_s, now)
        if skew.held or abs(skew.usual) > OLDEST_S:
            self._odd[envelope.asset_id] = skew
        else:
            self._odd.pop(envelope.asset_id, None)
        return not skew.held

    @staticmethod
    def _learn(skew: _Skew, skew_s: float, now: float) -> None:
        off_s = skew_s - skew.usual
        skew.last = skew_s
        if abs(off_s) <= SKEW_STEP_S:
            skew.usual += SKEW_SHARE * off_s
            skew.other, skew.held = None, 0
            return
        if skew.other is None or abs(skew_s - skew.other) > SKEW_STEP_S:
            skew.other, skew.records, skew.since = skew_s, 0, now
        skew.records += 1
        if skew.records >= USUAL_RECORDS and now - skew.since >= USUAL_AFTER_S:
            skew.usual, skew.other = skew_s, None
            off_s = 0.0
        skew.held = skew.held + 1 if off_s > OLDEST_S else 0

    def held(self) -> set[str]:
        """Assets whose newest record was too old."""
        return {serial for serial, skew in self._odd.items() if skew.held}

    def evaluate(
        self, ahead: Iterable[str], *, now: float, domain_of: Callable[[str], str | None]
    ) -> list[Finding]:
        """What was raised and what returned since the last time.

        Args:
            ahead: Assets whose records come from the future or from before the year 2000.
            now: Monotonic seconds.
            domain_of: Serial number to domain.
        """
        # One old record may be all that a silent asset has left at the gateway.
        late = {
            serial: skew for serial, skew in self._odd.items()
            if skew.held != 1
        }  # fmt: skip
        wrong = late.keys() | set(ahead)
        # So many at once are no wrong clocks of theirs: ours is, or what lies between.
        if len(wrong) >= MASS_ASSETS and 2 * len(wrong) > len(self._skews):
            return []
        found = []
        for serial in wrong:
            entry = self._wrong.setdefault(serial, _Wrong(now))
            if not entry.told and now - entry.since >= CLOCK_AFTER_S:
                entry.told, entry.domain = True, domain_of(serial)
                found.append(self._finding(serial, late.get(serial), entry, active=True))
        # Of an asset from which nothing has come yet an earlier process knew more.
        for serial in (self._wrong.keys() - wrong) & self._skews.keys():
            entry = self._wrong.pop(serial)
            if entry.told:
                found.append(self._finding(serial, None, entry, active=False))
        return found

    def restore(self, serials: Iterable[str], *, now: float) -> None:
        """Take the clocks of which an earlier process has told."""
        for serial in serials:
            self._wrong.setdefault(serial, _Wrong(now, told=True))

    def standing(self) -> list[Finding]:
        """What is active, to be told again."""
        return [
            self._finding(serial, self._skews.get(serial), entry, active=True)
            for serial, entry in self._wrong.items() if entry.told
        ]  # fmt: skip

    @staticmethod
    def _finding(serial: str, skew: _Skew | None, entry: _Wrong, *, active: bool) -> Finding:
        if skew is None:
            text = "Clock wrong: its records come from the future; its values are not watched"
        else:
            watched = "are not watched" if skew.held else "are watched all the same"
            text = f"Records are {skew.last / 60:,.0f} min old when they come; its values {watched}"
        return Finding(
            source_kind="asset", source=serial, condition=CLOCK, active=active,
            priority=Priority.MEDIUM, text=text, domain=entry.domain,
        )  # fmt: skip
