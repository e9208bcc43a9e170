"""The rules at work: values come in, what flips comes out; numpy over all points at once."""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np

from ic3.domain.alarm_points import (
    NO_CHANNEL,
    NO_POINTS,
    NO_WORD,
    Flags,
    Floats,
    Places,
    Points,
    Slot,
)
from ic3.domain.alarm_rules import LIMIT_KINDS, RuleKind
from ic3.domain.alarm_words import words_of
from ic3.domain.alarms import Finding, Priority
from ic3.domain.envelope import Envelope, Value
from ic3.domain.mapping import TagsOfAsset
from ic3.domain.quality import Quality

# Below this share of the greater of two values a machine or a supply has stopped.
REST_SHARE: Final = 0.1
# Of two records that are closer the noise alone would be a great change a minute.
SHORTEST_RATE_S: Final = 5.0
OTHER_WORD: Final = -2
MOST_FLIPS: Final = 5000

Key = tuple[str, str]
Newest = Callable[[str], TagsOfAsset | None]


class Speaks(IntEnum):
    """What is known of an asset's speech, as far as alarms are concerned."""

    FRESH = 0
    SILENT = 1
    GONE = 2
    ASTRAY = 3
    UNKNOWN = 4


class Pairs(NamedTuple):
    """Where the same things were and are."""

    before: Places
    now: Places


class Moves(NamedTuple):
    """From one set of points to the next.

    Attributes:
        new: Places of points that were not there before.
        gone: Keys of those that are no longer there, and where they were.
    """

    assets: Pairs
    channels: Pairs
    points: Pairs
    new: list[int]
    gone: list[tuple[Key, int]]


def moves_between(old: Points, new: Points) -> Moves:
    """What stays where; of a hundred thousand assets it takes a second, so not on the loop."""
    assets: list[tuple[int, int]] = []
    channels: list[tuple[int, int]] = []
    for serial, slot in new.slots.items():
        was = old.slots.get(serial)
        if was is None:
            continue
        assets.append((was.asset, slot.asset))
        before = was.channels
        channels += [(before[tag], at) for tag, at in slot.channels.items() if tag in before]
    known = {key: at for at, key in enumerate(old.keys)}
    places = [(known.pop(key, None), at) for at, key in enumerate(new.keys)]
    return Moves(
        _pairs(assets), _pairs(channels),
        _pairs([(was, at) for was, at in places if was is not None]),
        [at for was, at in places if was is None], list(known.items()),
    )  # fmt: skip


def _pairs(found: list[tuple[int, int]]) -> Pairs:
    places = np.array(found, dtype=np.int64).reshape(-1, 2)
    return Pairs(places[:, 0], places[:, 1])


class RuleBook:
    """The newest value of every watched tag, and which conditions hold.

    A condition holds from `value >= limit` on and until `value <= limit - deadband` (mirrored for
    low limits); only where that lasts for the rule's delay is it told. Without good and fresh
    values it stays as it is, and no delay ends.
    """

    def __init__(self) -> None:
        self.points = NO_POINTS
        self._begin(NO_POINTS)

    def _begin(self, points: Points) -> None:
        channels, number, assets = len(points.channels), len(points), len(points.assets)
        self.points = points
        self._serials = {each.register_id: each.serial for each in points.assets}
        self._layouts: dict[int, tuple[tuple[str, ...], list[int]]] = {}
        self._value: Floats = np.full(channels, np.nan)
        self._shown: Floats = np.full(channels, np.nan)  # bad ones too
        self._rate: Floats = np.full(channels, np.nan)
        self._word: Places = np.full(channels, NO_WORD, dtype=np.int64)
        self._bad: Flags = np.zeros(channels, dtype=bool)
        self._frozen: Flags = np.zeros(channels, dtype=bool)
        self._occurred: Places = np.zeros(channels, dtype=np.int64)
        self._seen: Floats = np.full(channels, np.nan)
        self._limit_s: Floats = np.full(channels, np.inf)
        self._spoiled: Flags = np.zeros(assets, dtype=bool)
        self._speaks: Places = np.full(assets, Speaks.UNKNOWN, dtype=np.int64)
        self._wanted: Flags = np.zeros(number, dtype=bool)
        self._alarmed: Flags = np.zeros(number, dtype=bool)
        self._since: Floats = np.full(number, np.nan)
        self._is_limit: Flags = np.zeros(number, dtype=bool)
        self._is_limit[points.measured[~points.is_rate]] = True
        self._of_value: Flags = np.ones(number, dtype=bool)
        self._of_value[points.stale] = self._of_value[points.quality] = False
        self._of_stale: Flags = np.zeros(number, dtype=bool)
        self._of_stale[points.stale] = True

    def adopt(
        self, points: Points, *, standing: Callable[[str, str], bool], moves: "Moves | None" = None
    ) -> list[Finding]:
        """Go on with other points; what is known of those that stay is kept.

        Args:
            points: As compiled.
            standing: Whether the alarm of a serial number and condition is active, for points
                that are new here: an alarm of an earlier process is neither doubled nor lost.
            moves: From the points of now to these; found here where it is left out.

        Returns:
            What returns because nothing watches it any more.
        """
        moves = moves or moves_between(self.points, points)
        names = (*_OF_ASSETS, *_OF_CHANNELS, *_OF_POINTS)
        before = {name: getattr(self, name) for name in names}
        self._begin(points)
        for pairs, of in (
            (moves.assets, _OF_ASSETS), (moves.channels, _OF_CHANNELS), (moves.points, _OF_POINTS),
        ):  # fmt: skip
            for name in of:
                getattr(self, name)[pairs.now] = before[name][pairs.before]
        for at in moves.new:
            self._wanted[at] = self._alarmed[at] = standing(*points.keys[at])
        # A number of a word means another word now.
        self._word[:] = NO_WORD
        return [_over(*key) for key, at in moves.gone if before["_alarmed"][at]]

    def seed(self, newest: Newest) -> None:
        """Take the newest known values of tags of which nothing has come yet."""
        channels = self.points.channels
        for at in np.flatnonzero(np.isnan(self._value) & ~self._bad).tolist():
            serial = self.points.assets[channels.asset[at]].serial
            reading = (newest(serial) or {}).get(channels.tags[at])
            if reading is None:
                continue
            number, word = self._split(reading.value_text or reading.value_num)
            bad = reading.quality == Quality.BAD
            self._occurred[at] = reading.recorded_us
            self._shown[at], self._bad[at] = number, bad
            if not bad:
                self._value[at], self._word[at] = number, word

    def take(self, envelopes: Iterable[Envelope], *, now: float) -> None:
        """Take new records, at most one an asset, each newer than those before.

        Args:
            envelopes: Whose values may be judged.
            now: Monotonic seconds.
        """
        at: list[int] = []
        values: list[Value] = []
        times: list[int] = []
        sizes: list[int] = []
        slots = self.points.slots
        for envelope in envelopes:
            slot = slots.get(envelope.asset_id)
            if slot is None:
                continue
            quality = envelope.quality
            self._spoiled[slot.asset] = (
                quality is not None and quality != "GOOD" and quality.upper() == "BAD"
            )
            at += self._layout(slot, tuple(envelope.values))
            values += envelope.values.values()
            times.append(envelope.occurred_us)
            sizes.append(len(envelope.values))
        if not at:
            return
        words = np.full(len(at), NO_WORD, dtype=np.int64)
        if str in set(map(type, values)):
            split = [self._split(value) for value in values]
            numbers = np.array([number for number, _ in split])
            words = np.array([word for _, word in split], dtype=np.int64)
        else:
            numbers = np.array(values, dtype=float)  # None becomes NaN
        channels = np.array(at)
        watched = (channels != NO_CHANNEL) & (~np.isnan(numbers) | (words != NO_WORD))
        self._keep(
            channels[watched], numbers[watched], words[watched],
            np.repeat(np.array(times), sizes)[watched], now=now,
        )  # fmt: skip

    def _layout(self, slot: Slot, tags: tuple[str, ...]) -> list[int]:
        """The channel of each tag of a record: an asset sends the same tags all the time."""
        known = self._layouts.get(slot.asset)
        if known is None or known[0] != tags:
            found = [slot.channels.get(tag, NO_CHANNEL) for tag in tags]
            known = self._layouts[slot.asset] = tags, found
        return known[1]

    def _split(self, value: Value) -> tuple[float, int]:
        """A value as number and as number of its word."""
        if isinstance(value, str):
            return np.nan, self.points.states.words.get(value.casefold(), OTHER_WORD)
        return (np.nan if value is None else float(value)), NO_WORD

    def _keep(
        self, at: Places, numbers: Floats, words: Places, times: Places, *, now: float
    ) -> None:
        channels = self.points.channels
        outside = (numbers < channels.low[at]) | (numbers > channels.high[at])
        no_number = np.isnan(numbers) & channels.numeric[at]
        bad = outside | no_number | self._spoiled[channels.asset[at]]
        self._bad[at], self._shown[at], self._seen[at] = bad, numbers, now
        good = ~bad
        at, numbers, words, times = at[good], numbers[good], words[good], times[good]
        before, elapsed_s = self._value[at], (times - self._occurred[at]) / 1e6
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.abs(numbers - before) / np.maximum(elapsed_s, SHORTEST_RATE_S) * 60
        least = np.minimum(np.abs(numbers), np.abs(before))
        most = np.maximum(np.abs(numbers), np.abs(before))
        # To start or to stop is no rate: pumps and supplies by turns do so all day.
        rate[least < REST_SHARE * most] = 0.0
        self._rate[at] = np.where(elapsed_s > 0, rate, np.nan)
        self._value[at], self._word[at], self._occurred[at] = numbers, words, times

    def hear(self, speaks: Mapping[str, Speaks]) -> None:
        """Take whether assets speak; of those not named it is not known."""
        speaks_of, unknown = speaks.get, Speaks.UNKNOWN
        known = [speaks_of(each.serial, unknown) for each in self.points.assets]
        self._speaks = np.array(known, dtype=np.int64)

    def set_frozen(self, frozen: Iterable[tuple[int, str]]) -> None:
        """Learn which tags, by register id and tag, repeat a number for longer than usual."""
        self._frozen = np.zeros(len(self.points.channels), dtype=bool)
        for register_id, tag in frozen:
            slot = self.points.slots.get(self._serials.get(register_id, ""))
            channel = slot.channels.get(tag) if slot else None
            if channel is not None:
                self._frozen[channel] = True

    def set_stale_after(self, stale_after_s: Callable[[str, str], float | None]) -> None:
        """Learn after how many seconds the tags are stale that a stale rule names."""
        points = self.points
        for at in points.channel[points.stale].tolist():
            if at != NO_CHANNEL:
                serial = points.assets[points.channels.asset[at]].serial
                limit_s = stale_after_s(serial, points.channels.tags[at])
                self._limit_s[at] = np.inf if limit_s is None else limit_s

    def evaluate(self, *, now: float) -> list[Finding]:
        """What was raised and what returned since the last time.

        Args:
            now: Monotonic seconds.
        """
        points = self.points
        self._want(now)
        changing = self._wanted != self._alarmed
        if not changing.any():
            self._since.fill(np.nan)
            return []
        began = np.where(np.isnan(self._since), now, self._since)
        self._since = np.where(changing, began, np.nan)
        delay_s = np.where(self._wanted, points.on_s, points.off_s)
        speaks = self._speaks[points.asset]
        judged = np.where(self._of_stale, speaks != Speaks.UNKNOWN, speaks == Speaks.FRESH)
        judged &= ~(self._of_value & self._bad_points())
        due = changing & (now - began >= delay_s) & judged
        returned = due & self._alarmed
        raised = due & ~self._alarmed
        held = (self._alarmed & ~returned) | raised
        itself = points.worse == np.arange(len(points))
        raised &= itself | ~held[points.worse]
        flipped = self._bounded(raised | returned)
        self._alarmed ^= flipped
        self._since[flipped] = np.nan
        return [self._finding(at) for at in np.flatnonzero(flipped).tolist()]

    def _bad_points(self) -> Flags:
        """Points whose tag shows a bad value now; the one before it is still kept."""
        bad = np.append(self._bad, False)  # the last is that of NO_CHANNEL
        return bad[self.points.channel]

    def _bounded(self, flipped: Flags) -> Flags:
        """The most urgent ones; the others stay due for the next round, which sweeps go before."""
        at = np.flatnonzero(flipped)
        if len(at) <= MOST_FLIPS:
            return flipped
        priorities = np.array([rule.priority for rule in self.points.rules])
        order = np.argsort(priorities[self.points.rule[at]], kind="stable")
        bounded = np.zeros_like(flipped)
        bounded[at[order[:MOST_FLIPS]]] = True
        return bounded

    def _want(self, now: float) -> None:
        """Move every condition to what the values say now."""
        points, wanted = self.points, self._wanted
        measured = points.measured
        channel = points.channel[measured]
        shown = np.where(points.is_rate, self._rate[channel], self._value[channel] * points.sign)
        over = shown >= points.limit
        within = shown > points.limit - points.deadband
        known = ~np.isnan(shown)
        before = wanted[measured]
        wanted[measured] = np.where(known, over | (before & within), before)
        self._want_states()
        self._want_quality()
        self._want_stale(now)

    def _want_states(self) -> None:
        states, wanted = self.points.states, self._wanted
        value, word = self._value[states.channel], self._word[states.channel]
        matches = (value == states.number) | ((word == states.word) & (word != NO_WORD))
        known = ~np.isnan(value) | (word != NO_WORD)
        wanted[states.point[known]] = False
        wanted[states.point[known & matches]] = True

    def _want_quality(self) -> None:
        points, wanted = self.points, self._wanted
        at = points.quality
        channel, asset = points.channel[at], points.asset[at]
        whole = channel == NO_CHANNEL
        of_asset = self._spoiled.copy()
        doubtful = self._bad | self._frozen
        of_asset[points.channels.asset[doubtful]] = True
        wanted[at[whole]] = of_asset[asset[whole]]
        wanted[at[~whole]] = doubtful[channel[~whole]]

    def _want_stale(self, now: float) -> None:
        points, wanted = self.points, self._wanted
        at = points.stale
        channel, speaks = points.channel[at], self._speaks[points.asset[at]]
        known = speaks != Speaks.UNKNOWN
        whole = channel == NO_CHANNEL
        silent = (speaks == Speaks.SILENT) | (speaks == Speaks.GONE)
        wanted[at[whole & known]] = silent[whole & known]
        # Of a silent asset the whole is told, not each of its tags.
        own = ~whole & (speaks == Speaks.FRESH)
        at, channel = at[own], channel[own]
        # A start is no news of a tag: what stood goes on, what is known is waited for from now on.
        unseen, before = np.isnan(self._seen[channel]), wanted[at]
        self._seen[channel[unseen & ~before & (self._occurred[channel] > 0)]] = now
        late = now - self._seen[channel] > self._limit_s[channel]
        wanted[at] = np.where(unseen, before, late)

    def crossed(self) -> dict[str, set[RuleKind]]:
        """Serial number to the kinds of limits that its values are beyond, told or not yet."""
        found: dict[str, set[RuleKind]] = {}
        for at in np.flatnonzero((self._wanted | self._alarmed) & self._is_limit).tolist():
            kind = self.points.rules[self.points.rule[at]].kind
            found.setdefault(self.points.keys[at][0], set()).add(kind)
        return found

    def standing(
        self, is_told: Callable[[str, str, int], bool] = lambda *_: False
    ) -> list[Finding]:
        """What is active, to be told again.

        Args:
            is_told: Whether serial number, condition and priority need not be: a finding costs
                much more than the question, and there may be a hundred thousand.
        """
        points = self.points
        active = np.flatnonzero(self._alarmed)
        rules = points.rule[active].tolist()
        return [
            self._finding(at)
            for at, rule in zip(active.tolist(), rules, strict=True)
            if not is_told(*points.keys[at], points.rules[rule].priority)
        ]

    @property
    def active(self) -> set[Key]:
        """Serial number and condition of what is active."""
        return {self.points.keys[at] for at in np.flatnonzero(self._alarmed).tolist()}

    def _finding(self, at: int) -> Finding:
        points = self.points
        rule = points.rules[points.rule[at]]
        asset = points.assets[points.asset[at]]
        channel = int(points.channel[at])
        if rule.kind == "quality" and channel == NO_CHANNEL:
            channel = self._worst_channel(int(points.asset[at]))
        parameter = None if channel == NO_CHANNEL else points.channels.parameters[channel]
        value = None if channel == NO_CHANNEL else float(self._shown[channel])
        if rule.kind == "rate":
            value = float(self._rate[channel])
        if value is not None and np.isnan(value):
            value = None
        measured = rule.kind in LIMIT_KINDS or rule.kind == "rate"
        unit = parameter.unit if parameter else None
        serial, condition = points.keys[at]
        return Finding(
            source_kind="asset", source=serial, condition=condition,
            active=bool(self._alarmed[at]), priority=Priority(rule.priority),
            text=words_of(
                rule, parameter, value, speaks=int(self._speaks[points.asset[at]]),
                spoiled=bool(self._spoiled[points.asset[at]]),
                frozen=channel != NO_CHANNEL and bool(self._frozen[channel]),
            ),
            domain=asset.domain, dma_id=asset.dma_id,
            tag=None if channel == NO_CHANNEL else points.channels.tags[channel],
            value=value, limit=rule.limit if measured else None,
            unit=f"{unit or ''}/min" if rule.kind == "rate" else unit,
            rule_id=rule.rule_id, notify=rule.notify,
        )  # fmt: skip

    def _worst_channel(self, asset: int) -> int:
        """The tag for which the quality of an asset is bad, where it is not the whole record."""
        if self._spoiled[asset]:
            return NO_CHANNEL
        mine = (self.points.channels.asset == asset) & (self._bad | self._frozen)
        return int(np.argmax(mine)) if mine.any() else NO_CHANNEL


_OF_ASSETS: Final = ("_spoiled", "_speaks")
_OF_CHANNELS: Final = (
    "_value", "_shown", "_rate", "_bad", "_occurred", "_seen", "_limit_s", "_frozen",
)  # fmt: skip
_OF_POINTS: Final = ("_alarmed", "_wanted", "_since")


def _over(serial: str, condition: str) -> Finding:
    return Finding(source_kind="asset", source=serial, condition=condition, active=False)
