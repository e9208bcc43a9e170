"""Whether an asset still speaks: cadence, skew and state, by our receipt of new records."""

import statistics
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from ic3.domain.envelope import YEAR_2000_US, Envelope, Plausibility, plausibility
from ic3.domain.sweeps import Sweep, batches
from ic3.turns import Turns

STALE_AFTER: Final = 3
MISSED_SWEEPS: Final = 3
INTERVALS: Final = 20
LEARNED_FROM: Final = 3
LONGEST_CADENCE_S: Final = 86_400.0
SKEW_SHARE: Final = 0.2
SKEW_STEP_S: Final = 60.0
OWN_CLOCK_ENVELOPES: Final = 20
KEPT_EVENTS: Final = 100_000
KEPT_ASSETS: Final = 200_000
KEPT_TAGS: Final = 2_000
LOOKED_AT: Final = 1_000
DOMAINS: Final = 50
OTHER_DOMAINS: Final = "other"
DAY_US: Final = 86_400_000_000
# Greater than any record id: after a restart the same instant is not taken for news.
_ANY_RECORD: Final = "\U0010ffff"
_ANY_KEY: Final = (0, _ANY_RECORD)


class State(StrEnum):
    """What "no news" means for an asset; each has a display of its own."""

    FRESH = "fresh"
    STALE = "stale"
    UNREACHABLE = "unreachable"
    VANISHED = "vanished"
    CLOCK_WRONG = "clock_wrong"
    NEVER_SEEN = "never_seen"


class FeedEvent(StrEnum):
    """What can happen on the feed."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    RETURNED = "returned"
    STATE = "state"
    GATEWAY_LOST = "gateway_lost"
    GATEWAY_BACK = "gateway_back"


class Happened(msgspec.Struct, frozen=True, gc=False):
    """An event of the feed; `serial` is None for what concerns the whole gateway."""

    at_us: int
    serial: str | None
    event: FeedEvent
    detail: str | None = None


class KnownState(msgspec.Struct, frozen=True, gc=False):
    """What outlives the process, as it is written and read back."""

    serial: str
    state: State
    since_us: int
    last_new_us: int | None
    cadence_s: float | None
    skew_s: float | None
    domain: str | None = None


@dataclass(frozen=True, slots=True)
class OwnClock:
    """Our own clock is the suspect: most of a sweep seems to come from the future.

    Attributes:
        future: How many of the `accepted` envelopes.
        offset_s: Our clock less the gateway's, to a second; None where it sends no Date.
    """

    since: datetime
    future: int
    accepted: int
    offset_s: float | None

    @property
    def words(self) -> str:
        """For people."""
        if self.offset_s is None:
            compared = "the gateway sends no Date to compare with"
        else:
            compared = f"it differs by {self.offset_s:+.0f} s from the gateway's"
        return (
            f"clock: {self.future} of {self.accepted} records of a sweep are in the future, so this"
            f" machine's clock is suspected; {compared}; check its time service"
        )


class _Cadence(msgspec.Struct, eq=False, gc=False):
    """The usual time between new records: median of the last intervals; a few bytes each."""

    _intervals: "array[float]" = msgspec.field(default_factory=lambda: array("f"))

    def add(self, seconds: float) -> None:
        intervals = self._intervals
        if len(intervals) == INTERVALS:
            del intervals[0]
        intervals.append(min(seconds, LONGEST_CADENCE_S))

    def seed(self, seconds: float) -> None:
        """Begin with what an earlier process learned; half the weight of what can be known."""
        if not self._intervals:
            self._intervals.extend([min(seconds, LONGEST_CADENCE_S)] * (INTERVALS // 2))

    @property
    def seconds(self) -> float | None:
        if len(self._intervals) < LEARNED_FROM:
            return None
        return statistics.median(self._intervals)


class _OddTag(msgspec.Struct, eq=False, gc=False):
    """A tag that is not in every record of its asset, so that it has a cadence of its own."""

    last: float
    cadence: _Cadence


class _Asset(msgspec.Struct, eq=False, gc=False):
    """One asset of the feed; times without unit in the name are monotonic seconds.

    Attributes:
        occurred_us: Of the newest plausible record, with its `record_id`.
        last_new: Our receipt of it; None where there is none, or it is known by `last_new_us` only.
        spoke: Our receipt of the last new record of an implausible time.
        wrong: That record's key; None once a plausible one has come.
        missing: Sweeps in a row whose list did not name it, since the one of `listed_us`.
        before_outage: State before the gateway was lost.
        announced: Whether its appearance is known or told.
        judged: Whether it has been in a state before; the first is no change.
        written: Last written, to know what has moved.
    """

    state: State = State.STALE
    since_us: int = 0
    domain: str | None = None
    occurred_us: int = 0
    record_id: str = ""
    last_new: float | None = None
    last_new_us: int | None = None
    spoke: float = 0.0
    wrong: tuple[int, str] | None = None
    missing: int = 0
    listed_us: int | None = None
    skew_s: float | None = None
    before_outage: State | None = None
    announced: bool = True
    judged: bool = False
    written: KnownState | None = None
    tags: frozenset[str] = frozenset()
    odd: dict[str, _OddTag] | None = None


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset as it stands at one moment."""

    serial: str
    domain: str | None
    state: State
    since_us: int | None
    age_s: float | None
    cadence_s: float | None
    skew_s: float | None
    last_value_us: int | None


class Freshness:
    """The state of every asset of the feed; fed with each sweep, judged at any moment.

    Only a record with a greater (occurred_at, record_id) than the newest refreshes an asset:
    never the same record again, never a late one.

    Args:
        interval_s: Between two sweeps; no cadence is shorter.
        raw_days: How far the retained past reaches.

    Attributes:
        revision: Grows whenever an asset's state or newest time may have moved.
        answers: Sweeps that brought anything.
    """

    def __init__(self, *, interval_s: float, raw_days: int) -> None:
        self._interval_s = interval_s
        self._horizon_us = raw_days * DAY_US
        self._assets: dict[str, _Asset] = {}
        self._cadences: dict[str, _Cadence] = {}
        self._tag_sets: dict[frozenset[str], frozenset[str]] = {}
        self._listed: Mapping[str, str] | None = None
        self._listed_us: int | None = None
        self._gone: list[str] = []
        self._failing: dict[str, int] = {}
        self._failures = 0
        self._unbroken_since: float | None = None
        self._unplaced: list[_Asset] = []
        self._changed: set[str] = set()
        self._events: deque[Happened] = deque(maxlen=KEPT_EVENTS)
        self._counts: Counter[State] = Counter()
        self._restored = False
        self._looked = False
        self._sorted: list[str] | None = []
        self.revision = 0
        self.answers = 0
        self._touched: set[str] = set()
        self._moved: set[str] = set()
        self.clock_offset_s: float | None = None
        self.own_clock: OwnClock | None = None

    def __contains__(self, serial: str) -> bool:
        return serial in self._assets

    def remember(self, serial: str, *, occurred_us: int, received_us: int) -> None:
        """Take from the database the newest record of an asset, for a new process."""
        self.revision += 1
        asset = self._asset(serial)
        asset.announced = True
        if asset.occurred_us == 0:
            asset.occurred_us, asset.record_id = occurred_us, _ANY_RECORD
        if asset.last_new is None:
            asset.last_new_us = max(received_us, asset.last_new_us or 0)
            self._unplaced.append(asset)

    def restore(self, known: Iterable[KnownState]) -> None:
        """Take what an earlier process wrote; from here on appearances are told."""
        self.revision += 1
        for each in known:
            asset = self._asset(each.serial)
            asset.announced = True
            asset.written = each
            asset.domain = asset.domain or each.domain
            asset.skew_s = each.skew_s if asset.skew_s is None else asset.skew_s
            if each.cadence_s is not None:
                self._cadences.setdefault(each.serial, _Cadence()).seed(each.cadence_s)
            if asset.last_new is None:
                self._move(asset, each.state)
                self._moved.add(each.serial)
                asset.since_us, asset.judged = each.since_us, True
                if each.state is State.VANISHED:
                    asset.missing = max(asset.missing, MISSED_SWEEPS)
                if each.state is State.CLOCK_WRONG:
                    asset.wrong = asset.wrong or _ANY_KEY
                if each.last_new_us is not None:
                    asset.last_new_us = max(each.last_new_us, asset.last_new_us or 0)
                self._unplaced.append(asset)
        for serial, asset in self._assets.items():
            if not asset.announced:
                asset.announced = True
                self._events.append(Happened(asset.since_us, serial, FeedEvent.APPEARED))
        self._restored = True
        self._listed = None  # what the list says of them is read again

    def times_of(self, sweep: Sweep) -> Counter[str]:
        """How many of a sweep's envelopes are late, future, before the horizon or absurd.

        Must be asked before `taking`, while the newest known time is that of the sweeps before.
        """
        times = Counter[str]()
        horizon_us = _us(sweep.begun_at) - self._horizon_us
        for envelope in sweep.envelopes:
            occurred_us = envelope.occurred_us
            kind = plausibility(occurred_us, now_us=envelope.received_us)
            if kind is not Plausibility.PLAUSIBLE:
                times[kind.value] += 1
                continue
            if YEAR_2000_US <= occurred_us < horizon_us:
                times["before_horizon"] += 1
            asset = self._assets.get(envelope.asset_id)
            if asset is not None and occurred_us < asset.occurred_us:
                times["late"] += 1
        return times

    def taking(self, sweep: Sweep) -> Turns[None]:
        """Take a sweep that has ended.

        A gateway that was lost is back only once all is taken: nobody who looks in between is to
        find silent what has not had its turn.
        """
        self.revision += 1
        self._place(sweep)
        if sweep.error is not None and not sweep.unchanged and not sweep.envelopes:
            self._failures += 1
            self._unbroken_since = None
            if self._failures == MISSED_SWEEPS:
                self._touched.update(self._assets)
                self._tell(sweep, None, FeedEvent.GATEWAY_LOST, sweep.error)
            return
        if self._unbroken_since is None:
            self._unbroken_since = sweep.started
        for portion in batches(sweep.envelopes):
            for envelope in portion:
                self._record(envelope, sweep)
            yield
        if self._failures >= MISSED_SWEEPS:
            self._touched.update(self._assets)
            self._tell(sweep, None, FeedEvent.GATEWAY_BACK)
        self._failures = 0
        self.answers += 1
        self.revision += 1
        if sweep.listed is not None:
            self._read_list(sweep, sweep.listed)
        self._judge_own_clock(sweep)

    def judge(self, *, now: float, now_us: int) -> Mapping[State, int]:
        """Move every asset to the state it is in now; answers how many are in which.

        Before the first sweep nothing is judged: an earlier process knew more.

        Args:
            now: Monotonic seconds.
            now_us: The wall clock, for stamps.
        """
        if self._looked:
            self._touched.clear()
            self._judge(self._assets.items(), now, now_us)
        return self._counts

    def judge_touched(self, *, now: float, now_us: int) -> None:
        """Move the assets that the last sweeps gave a reason to; time alone is left to `judge`."""
        if self._looked:
            found = ((serial, self._assets.get(serial)) for serial in self._touched)
            self._judge([(serial, each) for serial, each in found if each], now, now_us)
            self._touched.clear()

    def take_moved(self) -> set[str]:
        """The assets whose state or quality has moved since this was last asked."""
        moved, self._moved = self._moved, set()
        return moved

    def note_moved(self, serial: str) -> None:
        """Something else that is shown of an asset has moved."""
        self._moved.add(serial)

    def state_of(self, serial: str) -> State:
        """The state an asset was last judged to be in."""
        asset = self._assets.get(serial)
        return State.NEVER_SEEN if asset is None else asset.state

    def _judge(self, assets: Iterable[tuple[str, _Asset]], now: float, now_us: int) -> None:
        lost = self._failures >= MISSED_SWEEPS
        for serial, asset in assets:
            state = self._state_of(serial, asset, now, lost=lost)
            if state is asset.state and asset.judged:
                continue
            old = asset.before_outage or asset.state
            asset.before_outage = old if lost and state is State.UNREACHABLE else None
            self._move(asset, state)
            asset.since_us = now_us
            self._changed.add(serial)
            self._moved.add(serial)
            # The loss of the gateway is one event, not one an asset; a vanished key has its own.
            told = asset.before_outage is not None or state is State.VANISHED
            if asset.judged and old is not state and not told:
                detail = f"{old} to {state}"
                self._events.append(Happened(now_us, serial, FeedEvent.STATE, detail))
            asset.judged = True

    @property
    def gateway_lost(self) -> bool:
        """Whether the last three sweeps brought nothing at all."""
        return self._failures >= MISSED_SWEEPS

    @property
    def is_failing(self) -> bool:
        """Whether the last sweep brought nothing at all."""
        return self._failures > 0

    def was_due(self, serial: str, *, at: float) -> bool:
        """Whether a new record of an asset was overdue at a time on the monotonic clock."""
        asset = self._assets.get(serial)
        if asset is None or asset.last_new is None:
            return False
        return not self._is_within(serial, at - asset.last_new)

    def knows_pace(self, serial: str, *, now: float) -> bool:
        """Whether its silence says anything: its cadence is learned, or a day has passed.

        Until an earlier process's cadences are restored none is known.
        """
        asset, cadence = self._assets.get(serial), self._cadences.get(serial)
        if asset is None or not self._restored:
            return False
        if cadence is not None and cadence.seconds is not None:
            return True
        return asset.last_new is not None and now - asset.last_new > LONGEST_CADENCE_S

    def states(self) -> Iterator[tuple[str, State]]:
        """Serial number and state of each asset that has been judged."""
        return ((serial, each.state) for serial, each in self._assets.items() if each.judged)

    def domain_of(self, serial: str) -> str | None:
        """The domain that an asset's newest record names."""
        asset = self._assets.get(serial)
        return asset.domain if asset else None

    def stale_after_s(self, serial: str, tag: str) -> float | None:
        """Seconds without a new record after which a tag is stale; None for a stranger."""
        asset = self._assets.get(serial)
        if asset is None:
            return None
        odd = asset.odd.get(tag) if asset.odd else None
        cadence = self._cadences.get(serial) if odd is None else odd.cadence
        return float(round(self._limit(cadence)))

    def records_a_sweep(self, serials: Iterable[str]) -> float:
        """New records that one sweep of these assets usually brings; an unknown asset brings one.

        By the cadence as last written, a minute old at most: a median is dear where they are many.
        """
        total = 0.0
        for serial in serials:
            asset = self._assets.get(serial)
            written = None if asset is None else asset.written
            cadence_s = None if written is None else written.cadence_s
            total += self._interval_s / max(self._interval_s, cadence_s or 0.0)
        return total

    def stale_by_domain(self) -> dict[str, int]:
        """Stale assets by domain: the first fifty domains, all others as one."""
        found: dict[str, int] = {}
        for asset in self._assets.values():
            if asset.domain is not None and asset.domain not in found and len(found) >= DOMAINS:
                domain = OTHER_DOMAINS
            else:
                domain = asset.domain or OTHER_DOMAINS
            found[domain] = found.get(domain, 0) + (asset.state is State.STALE)
        return found

    def received_us(self, serial: str) -> int:
        """Our receipt of the newest new record of an asset; 0 where there is none."""
        asset = self._assets.get(serial)
        return (asset.last_new_us or 0) if asset else 0

    def listed_us(self, serial: str) -> int | None:
        """When the gateway last listed an asset; None where this process never saw that."""
        asset = self._assets.get(serial)
        if asset is None:
            return None
        return asset.listed_us if asset.missing else self._listed_us

    def serials(self) -> list[str]:
        """Every serial number of the feed, sorted; the same list while they stay the same."""
        if self._sorted is None:
            self._sorted = sorted(self._assets)
        return self._sorted

    def counts_of(self, sees: Callable[[str], bool]) -> tuple[int, dict[State, int]]:
        """The assets that somebody sees, in all and by state as last judged."""
        counts: dict[State, int] = {}
        for serial, asset in self._assets.items():
            if sees(serial):
                counts[asset.state] = counts.get(asset.state, 0) + 1
        return sum(counts.values()), counts

    def view(self, serial: str, *, now: float) -> AssetView | None:
        """An asset as it stands."""
        asset = self._assets.get(serial)
        if asset is None:
            return None
        cadence = self._cadences.get(serial)
        return AssetView(
            serial, asset.domain, asset.state, asset.since_us or None,
            None if asset.last_new is None else max(0.0, now - asset.last_new),
            cadence.seconds if cadence else None, asset.skew_s, asset.occurred_us or None,
        )  # fmt: skip

    def unwritten(self, *, every_asset: bool) -> Iterator[list[KnownState]]:
        """What has moved since it was written, from a thousand assets at a time.

        Args:
            every_asset: Whether learned figures are asked for too, not changes of state only.
        """
        serials = list(self._assets) if every_asset else list(self._changed)
        for start in range(0, len(serials), LOOKED_AT):
            found = []
            for serial in serials[start : start + LOOKED_AT]:
                known = self._known(serial)
                if known is not None and _has_moved(self._assets[serial].written, known):
                    found.append(known)
            yield found

    def _known(self, serial: str) -> KnownState | None:
        asset = self._assets.get(serial)
        if asset is None:
            return None
        cadence = self._cadences.get(serial)
        return KnownState(
            serial, asset.state, asset.since_us, asset.last_new_us,
            cadence.seconds if cadence else None, asset.skew_s,
        )  # fmt: skip

    def written(self, rows: Iterable[KnownState]) -> None:
        """Take note of what is in the database now."""
        for row in rows:
            asset = self._assets.get(row.serial)
            if asset is not None:
                asset.written = row
                if asset.state is row.state:
                    self._changed.discard(row.serial)

    def events(self) -> list[Happened]:
        """What happened and is not told yet, at most 100,000; kept until `told`."""
        return list(self._events)

    def told(self, number: int) -> None:
        """Let so many of the oldest events go."""
        for _ in range(min(number, len(self._events))):
            self._events.popleft()

    def _asset(self, serial: str) -> _Asset:
        asset = self._assets.get(serial)
        if asset is None:
            if len(self._assets) >= KEPT_ASSETS:
                self._forget_vanished()
            asset = self._assets[serial] = _Asset()
            self._counts[asset.state] += 1
            self._sorted = None
        return asset

    def _forget_vanished(self) -> None:
        """Nobody bounds the names a gateway may list over the years."""
        for serial in [name for name, each in self._assets.items() if each.missing]:
            self._counts[self._assets.pop(serial).state] -= 1
            self._cadences.pop(serial, None)
            self._changed.discard(serial)
            self._touched.discard(serial)
            self._moved.discard(serial)
        self._gone = []
        self._sorted = None

    def _move(self, asset: _Asset, state: State) -> None:
        self.revision += 1
        self._counts[asset.state] -= 1
        self._counts[state] += 1
        asset.state = state

    def _place(self, sweep: Sweep) -> None:
        """Bring receipts that are known by the wall clock to the monotonic one."""
        for asset in self._unplaced:
            if asset.last_new is None and asset.last_new_us is not None:
                ago_s = max(0.0, (_us(sweep.begun_at) - asset.last_new_us) / 1e6)
                asset.last_new = sweep.started - ago_s
            if asset.wrong is _ANY_KEY:
                asset.spoke = sweep.started
        self._unplaced.clear()
        self._looked = True

    def _record(self, envelope: Envelope, sweep: Sweep) -> None:
        """Take a record: new, late, known already, or of an impossible time."""
        serial, key = envelope.asset_id, (envelope.occurred_us, envelope.record_id)
        asset = self._assets.get(serial)
        if asset is None:
            asset = self._appear(serial, sweep)
        if asset.state is not State.FRESH:
            self._touched.add(serial)
        plausible = (
            plausibility(envelope.occurred_us, now_us=envelope.received_us)
            is Plausibility.PLAUSIBLE
        )
        if not plausible:
            if key != asset.wrong:
                asset.wrong, asset.spoke = key, sweep.started
                self._touched.add(serial)
                self._skew(asset, envelope)
            return
        if key <= (asset.occurred_us, asset.record_id):
            return
        self._learn(serial, asset, envelope, sweep.started)
        asset.occurred_us, asset.record_id = key
        asset.last_new, asset.last_new_us = sweep.started, envelope.received_us
        asset.wrong, asset.domain = None, envelope.domain
        self._skew(asset, envelope)

    @staticmethod
    def _skew(asset: _Asset, envelope: Envelope) -> None:
        """Smooth the skew; a step of the clock shows at once."""
        skew_s = (envelope.received_us - envelope.occurred_us) / 1e6
        if asset.skew_s is None or abs(skew_s - asset.skew_s) > SKEW_STEP_S:
            asset.skew_s = skew_s
        else:
            asset.skew_s += SKEW_SHARE * (skew_s - asset.skew_s)

    def _learn(self, serial: str, asset: _Asset, envelope: Envelope, now: float) -> None:
        """Learn the cadence, but from no interval in which we did not look."""
        assert self._unbroken_since is not None
        last = asset.last_new
        if last is not None and last >= self._unbroken_since:
            cadence = self._cadences.get(serial)
            if cadence is None:
                cadence = self._cadences[serial] = _Cadence()
            cadence.add(now - last)
        tags = envelope.values.keys()
        if tags != asset.tags:
            self._learn_tags(asset, frozenset(tags), last)
        for tag, odd in (asset.odd or {}).items():
            if tag in tags:
                if odd.last >= self._unbroken_since:
                    odd.cadence.add(now - odd.last)
                odd.last = now

    def _learn_tags(self, asset: _Asset, tags: frozenset[str], last: float | None) -> None:
        """A tag that is left out of a record has a cadence of its own from then on."""
        if last is not None:
            for tag in asset.tags - tags:
                asset.odd = asset.odd or {}
                asset.odd.setdefault(tag, _OddTag(last, _Cadence()))
        union = asset.tags | tags
        if len(union) <= KEPT_TAGS:
            if len(self._tag_sets) > KEPT_TAGS:
                self._tag_sets.clear()
            # Assets of one kind share one set.
            asset.tags = self._tag_sets.setdefault(union, union)

    def _appear(self, serial: str, sweep: Sweep) -> _Asset:
        asset = self._asset(serial)
        asset.since_us = _us(sweep.begun_at)
        asset.announced = self._restored
        self._touched.add(serial)
        if self._restored:
            self._tell(sweep, serial, FeedEvent.APPEARED)
        return asset

    def _read_list(self, sweep: Sweep, listed: Mapping[str, str]) -> None:
        if listed is not self._listed:
            self._listed = listed
            serials = set(listed.values())
            for serial in serials:
                asset = self._assets.get(serial)
                if asset is None:
                    self._appear(serial, sweep)
                elif asset.missing:
                    if asset.missing >= MISSED_SWEEPS:
                        self._touched.add(serial)
                        self._tell(sweep, serial, FeedEvent.RETURNED)
                    asset.missing = 0
            self._gone = [serial for serial in self._assets if serial not in serials]
        for serial in self._gone:
            asset = self._assets[serial]
            if not asset.missing:
                asset.listed_us = self._listed_us
            asset.missing += 1
            if asset.missing == MISSED_SWEEPS:
                self._touched.add(serial)
                self._tell(sweep, serial, FeedEvent.VANISHED)
        self._listed_us = _us(sweep.begun_at)
        unread = {listed[key] for key in sweep.unread if key in listed}
        self._touched |= unread | self._failing.keys()
        self._failing = {serial: self._failing.get(serial, 0) + 1 for serial in unread}

    def _judge_own_clock(self, sweep: Sweep) -> None:
        if sweep.server_date is not None:
            self.clock_offset_s = _offset_s(sweep.begun_at, sweep.server_date, sweep.phase_ms)
        future, accepted = sweep.times[Plausibility.FUTURE.value], len(sweep.envelopes)
        if accepted < OWN_CLOCK_ENVELOPES:
            return
        if 2 * future <= accepted:
            self.own_clock = None
            return
        offset_s = None if sweep.server_date is None else self.clock_offset_s
        suspect = OwnClock(sweep.begun_at, future, accepted, offset_s)
        since = self.own_clock.since if self.own_clock else suspect.since
        self.own_clock = replace(suspect, since=since)

    def _state_of(self, serial: str, asset: _Asset, now: float, *, lost: bool) -> State:
        if asset.missing >= MISSED_SWEEPS:
            return State.VANISHED
        if lost or self._failing.get(serial, 0) >= MISSED_SWEEPS:
            return State.UNREACHABLE
        if asset.wrong is not None and self._is_within(serial, now - asset.spoke):
            return State.CLOCK_WRONG
        if asset.last_new is None or not self._is_within(serial, now - asset.last_new):
            return State.STALE
        return State.FRESH

    def _is_within(self, serial: str, age_s: float) -> bool:
        """Whether it is not stale yet; the median is computed only where it matters."""
        return age_s <= STALE_AFTER * self._interval_s or age_s <= self._limit(
            self._cadences.get(serial)
        )

    def _limit(self, cadence: _Cadence | None) -> float:
        learned = cadence.seconds if cadence else None
        return STALE_AFTER * max(self._interval_s, learned or 0.0)

    def _tell(
        self, sweep: Sweep, serial: str | None, event: FeedEvent, detail: str | None = None
    ) -> None:
        self._events.append(Happened(_us(sweep.begun_at), serial, event, detail))


def _has_moved(old: KnownState | None, new: KnownState) -> bool:
    """Whether a row is worth writing: another state, or a figure that moved by a tenth."""
    if old is None or old.state is not new.state:
        return True
    return _differ(old.cadence_s, new.cadence_s) or _differ(old.skew_s, new.skew_s)


def _differ(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is not new
    return abs(new - old) > max(1.0, abs(old) / 10)


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def _offset_s(begun_at: datetime, server_date: datetime, phase_ms: Mapping[str, float]) -> float:
    """Our clock less the gateway's; that its answer took long is no difference of clocks."""
    ahead_s = (begun_at - server_date).total_seconds()
    return ahead_s if ahead_s > 0 else min(0.0, ahead_s + phase_ms.get("list", 0.0) / 1000)
