"""Whether an asset speaks is known by our receipt of new records, and by nothing else."""

import random
from datetime import datetime, timedelta

from builders import NOW, NOW_US, SECOND_US, STARTED, VALVE, envelope, sweep
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.envelope import Envelope
from ic3.domain.freshness import (
    KEPT_EVENTS,
    FeedEvent,
    Freshness,
    Happened,
    KnownState,
    OwnClock,
    State,
)
from ic3.domain.sweeps import BATCH_ENVELOPES, Sweep
from ic3.turns import at_once

INTERVAL_S = 15.0
IN_2099_US = 4_070_908_800 * SECOND_US


class Watched:
    """A feed whose sweeps come one an interval; the wall clock can be set, the other cannot."""

    def __init__(self) -> None:
        self.freshness = Freshness(interval_s=INTERVAL_S, raw_days=30)
        self.freshness.restore([])
        self.now = STARTED
        self.wall = NOW
        self.listed: dict[str, str] | None = None

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.wall += timedelta(seconds=seconds)

    def sweep(
        self, *envelopes: Envelope, error: str | None = None, unread: tuple[str, ...] = (),
        server_date: datetime | None = None, after_s: float = INTERVAL_S,
    ) -> Sweep:  # fmt: skip
        self.wait(after_s)
        made = sweep(*envelopes, error=error, started=self.now, begun_at=self.wall)
        made.listed, made.unread = self.listed, list(unread)
        made.server_date = server_date
        made.times = self.freshness.times_of(made)
        at_once(self.freshness.taking(made))
        self.freshness.judge(now=self.now, now_us=self.wall_us)
        return made

    def name(self, *serials: str) -> None:
        self.listed = {f"ic3:latest:{serial}": serial for serial in serials}

    @property
    def wall_us(self) -> int:
        return int(self.wall.timestamp() * 1_000_000)

    def record(
        self, serial: str = VALVE, *, ago_s: float = 0, number: int = 0, values: object = None
    ) -> Envelope:
        """A record made so long ago by the wall clock."""
        at_us = self.wall_us + int(INTERVAL_S * SECOND_US)
        made = envelope(
            serial, occurred_us=at_us - int(ago_s * SECOND_US), received_us=at_us,
            record_id=f"r-{number}",
        )  # fmt: skip
        made.values = dict.fromkeys(values, 1.0) if isinstance(values, tuple) else {}
        return made

    def state(self, serial: str = VALVE) -> State:
        self.freshness.judge(now=self.now, now_us=self.wall_us)
        view = self.freshness.view(serial, now=self.now)
        assert view is not None
        return view.state

    def unwritten(self, *, every_asset: bool) -> list[KnownState]:
        batches = self.freshness.unwritten(every_asset=every_asset)
        return [each for batch in batches for each in batch]

    def events(self) -> list[tuple[str | None, str, str | None]]:
        return [(each.serial, each.event, each.detail) for each in self.freshness.events()]


def test_asset_is_fresh_for_three_intervals_and_then_stale() -> None:
    feed = Watched()
    feed.sweep(feed.record())
    feed.wait(45)
    assert feed.state() is State.FRESH

    feed.wait(0.001)

    assert feed.state() is State.STALE


def test_f26_the_same_record_again_never_refreshes() -> None:
    feed = Watched()
    record = feed.record()
    for _ in range(5):
        feed.sweep(record)

    assert feed.state() is State.STALE


def test_f23_late_record_is_counted_and_never_refreshes() -> None:
    feed = Watched()
    feed.sweep(feed.record())

    late = [feed.sweep(feed.record(ago_s=1000 + n)) for n in range(4)]

    assert [each.times for each in late] == [{"late": 1}] * 4
    assert feed.state() is State.STALE


def test_same_instant_with_a_lesser_record_id_never_refreshes() -> None:
    feed = Watched()
    first = feed.record(number=2)
    other = envelope(VALVE, occurred_us=first.occurred_us, record_id="r-1")
    feed.sweep(first)

    for _ in range(4):
        feed.sweep(other)

    assert feed.state() is State.STALE


def test_cadence_is_the_median_of_the_intervals_and_stretches_freshness() -> None:
    feed = Watched()
    for _ in range(8):
        feed.sweep(feed.record(), after_s=600)
    feed.sweep(feed.record(), after_s=6000)
    view = feed.freshness.view(VALVE, now=feed.now)
    assert view is not None
    assert view.cadence_s == 600

    feed.wait(1800)
    assert feed.state() is State.FRESH
    feed.wait(1)
    assert feed.state() is State.STALE
    assert feed.freshness.stale_after_s(VALVE, "any") == 1800


def test_tag_that_is_not_in_every_record_has_a_cadence_of_its_own() -> None:
    feed = Watched()
    for number in range(41):
        tags = ("P", "VOLUME") if number % 4 == 0 else ("P",)
        feed.sweep(feed.record(values=tags))

    assert feed.freshness.stale_after_s(VALVE, "P") == 45
    assert feed.freshness.stale_after_s(VALVE, "VOLUME") == 180
    assert feed.freshness.stale_after_s("stranger", "P") is None


def test_records_of_a_sweep_are_expected_by_the_cadence_as_written() -> None:
    feed = Watched()
    for number in range(8):
        feed.sweep(feed.record("often", number=number), feed.record("seldom", number=number // 4))
    assert feed.freshness.records_a_sweep(["often", "seldom", "stranger"]) == 3
    feed.freshness.written([
        KnownState(serial, State.FRESH, 0, None, cadence_s, None)
        for serial, cadence_s in (("often", 14.9), ("seldom", 60.0))
    ])  # fmt: skip
    assert feed.freshness.records_a_sweep(["often", "seldom", "stranger"]) == 2.25


def test_no_cadence_is_longer_than_a_day() -> None:
    feed = Watched()
    for _ in range(6):
        feed.sweep(feed.record(), after_s=10 * 86_400)

    assert feed.freshness.stale_after_s(VALVE, "P") == 3 * 86_400


def test_intervals_in_which_nobody_looked_teach_nothing() -> None:
    feed = Watched()
    for _ in range(6):
        feed.sweep(feed.record())
        feed.sweep(error="gateway: refused", after_s=3600)
        feed.sweep(feed.record(), after_s=3600)

    view = feed.freshness.view(VALVE, now=feed.now)
    assert view is not None
    assert view.cadence_s in {None, 15.0}


def test_f24_one_clock_in_2099_freezes_no_asset() -> None:
    feed = Watched()
    feed.sweep(feed.record())
    wrong = [
        feed.sweep(envelope(VALVE, occurred_us=IN_2099_US + n, received_us=feed.wall_us))
        for n in range(4)
    ]
    assert [each.times for each in wrong] == [{"future": 1}] * 4
    assert feed.state() is State.CLOCK_WRONG
    view = feed.freshness.view(VALVE, now=feed.now)
    assert view is not None
    assert view.last_value_us is not None
    assert view.last_value_us < IN_2099_US

    feed.sweep(feed.record())

    assert feed.state() is State.FRESH
    assert (VALVE, FeedEvent.STATE, "clock_wrong to fresh") in feed.events()


def test_f24_clock_that_stays_wrong_and_falls_silent_is_stale() -> None:
    feed = Watched()
    for _ in range(5):
        feed.sweep(envelope(VALVE, occurred_us=0, received_us=feed.wall_us))

    assert feed.state() is State.STALE


def test_f24_times_before_the_horizon_and_before_2000_are_told_apart() -> None:
    feed = Watched()

    made = feed.sweep(
        feed.record("A", ago_s=31 * 86_400), feed.record("B", ago_s=29 * 86_400),
        envelope("C", occurred_us=-1, received_us=feed.wall_us),
    )  # fmt: skip

    assert made.times == {"before_horizon": 1, "absurd": 1}


def test_f22_step_of_the_wall_clock_makes_nothing_stale_and_nothing_fresh() -> None:
    steps = [3600, -3600, 864_000, -864_000]
    for step_s in steps:
        feed = Watched()
        feed.sweep(feed.record("spoke"), feed.record("silent"))
        feed.wait(46)
        feed.wall += timedelta(seconds=step_s)
        assert feed.state("silent") is State.STALE
        # The plant's clocks are right, and ours is off: its records are old or future to us.
        true_us = feed.wall_us - step_s * SECOND_US
        feed.sweep(envelope("spoke", occurred_us=true_us, received_us=feed.wall_us))

        spoke = State.CLOCK_WRONG if step_s < 0 else State.FRESH
        assert feed.state("spoke") is spoke
        assert feed.state("silent") is State.STALE
        feed.wait(46)
        assert feed.state("spoke") is State.STALE


def test_skew_is_smoothed_and_shows_a_step_at_once() -> None:
    feed = Watched()

    def skew(ago_s: float) -> float:
        feed.sweep(feed.record(ago_s=ago_s))
        view = feed.freshness.view(VALVE, now=feed.now)
        assert view is not None
        assert view.skew_s is not None
        return view.skew_s

    assert skew(2) == 2
    assert 2 < skew(7) < 4
    feed.wait(1000)
    assert skew(600) == 600


def test_f1_assets_are_unreachable_after_three_failed_sweeps_and_it_is_one_event() -> None:
    feed = Watched()
    feed.sweep(*(feed.record(f"A{number}") for number in range(50)))
    for _ in range(2):
        feed.sweep(error="gateway: refused")
    assert feed.state("A1") is State.FRESH
    feed.sweep(error="gateway: refused")
    assert {feed.state(f"A{number}") for number in range(50)} == {State.UNREACHABLE}

    feed.sweep(*(feed.record(f"A{number}") for number in range(50)))

    assert feed.state("A1") is State.FRESH
    told = [each for each in feed.events() if each[1] != FeedEvent.APPEARED]
    assert told == [
        (None, FeedEvent.GATEWAY_LOST, "gateway: refused"), (None, FeedEvent.GATEWAY_BACK, None),
    ]  # fmt: skip


def test_key_that_fails_three_sweeps_running_is_unreachable() -> None:
    feed = Watched()
    feed.name("A", "B")
    feed.sweep(feed.record("A"), feed.record("B"))
    key = "ic3:latest:A"
    for failing in ((key,), (key,), (), (key,), (key,)):
        feed.sweep(feed.record("B"), unread=failing)
    assert feed.state("A") is State.STALE

    feed.sweep(feed.record("B"), unread=(key,))

    assert feed.state("A") is State.UNREACHABLE
    assert feed.state("B") is State.FRESH
    feed.sweep(feed.record("A"), feed.record("B"))
    assert feed.state("A") is State.FRESH


def test_key_that_leaves_the_list_for_three_sweeps_has_vanished_and_may_return() -> None:
    feed = Watched()
    feed.name("A", "B")
    feed.sweep(feed.record("A"), feed.record("B"))
    feed.name("A")
    for _ in range(2):
        feed.sweep(feed.record("A"))
    assert feed.state("B") is State.FRESH
    for _ in range(3):
        feed.sweep(feed.record("A"))
    assert feed.state("B") is State.VANISHED

    feed.name("A", "B")
    feed.sweep(feed.record("A"), feed.record("B"))

    assert feed.state("B") is State.FRESH
    assert [(serial, event) for serial, event, _ in feed.events()] == [
        ("A", FeedEvent.APPEARED), ("B", FeedEvent.APPEARED), ("B", FeedEvent.VANISHED),
        ("B", FeedEvent.RETURNED), ("B", FeedEvent.STATE),
    ]  # fmt: skip


def test_it_is_known_when_a_key_was_last_listed() -> None:
    feed = Watched()
    feed.name("A", "B")
    feed.sweep(feed.record("A"))
    last = feed.wall_us
    feed.name("A")
    feed.sweep()
    feed.sweep()
    assert feed.freshness.listed_us("A") == feed.wall_us
    assert feed.freshness.listed_us("B") == last
    assert feed.freshness.listed_us("C") is None
    assert feed.freshness.received_us("B") == 0


def test_key_missing_for_two_sweeps_is_no_event() -> None:
    feed = Watched()
    feed.name("A", "B")
    feed.sweep(feed.record("A"), feed.record("B"))
    feed.name("A")
    feed.sweep()
    feed.sweep()
    feed.name("A", "B")
    feed.sweep()

    assert {event for _, event, _ in feed.events()} == {FeedEvent.APPEARED}


def test_listed_key_without_a_readable_record_is_never_fresh() -> None:
    feed = Watched()
    feed.name("A")

    feed.sweep()

    assert feed.state("A") is State.STALE


def test_what_is_written_survives_a_restart() -> None:
    before = Watched()
    before.name("A", "B")
    for _ in range(6):
        before.wait(585)
        before.sweep(before.record("A"), before.record("B"))
    rows = before.unwritten(every_asset=True)
    after = Watched()
    after.freshness = Freshness(interval_s=INTERVAL_S, raw_days=30)
    after.now, after.wall = 5.0, before.wall + timedelta(seconds=900)
    after.name("A", "B")

    after.freshness.restore(rows)
    after.sweep()

    assert after.state("A") is State.FRESH
    assert after.events() == []
    view = after.freshness.view("A", now=after.now)
    assert view is not None
    assert (view.age_s, view.cadence_s) == (915, 600)
    after.wait(1000)
    assert after.state("A") is State.STALE


def test_record_known_before_a_restart_is_not_new_after_it() -> None:
    feed = Watched()
    known = feed.record(number=7)
    feed.freshness.remember(
        VALVE, occurred_us=known.occurred_us, received_us=NOW_US - 3600 * SECOND_US
    )

    feed.sweep(known)

    assert feed.state() is State.STALE


def test_vanished_key_that_is_back_after_a_restart_has_returned() -> None:
    feed = Watched()
    feed.name("A")
    feed.freshness.restore([KnownState("A", State.VANISHED, NOW_US, NOW_US, None, None)])

    feed.sweep(feed.record("A"))

    assert ("A", FeedEvent.RETURNED, None) in feed.events()
    assert feed.state("A") is State.FRESH


def test_keys_seen_before_the_database_was_asked_are_told_afterwards() -> None:
    feed = Watched()
    feed.freshness = Freshness(interval_s=INTERVAL_S, raw_days=30)
    feed.name("old", "new")
    feed.sweep(feed.record("old"), feed.record("new"))
    assert feed.events() == []

    feed.freshness.restore([KnownState("old", State.FRESH, NOW_US, NOW_US, None, None)])

    assert feed.events() == [("new", FeedEvent.APPEARED, None)]


def test_only_what_has_moved_is_written() -> None:
    feed = Watched()
    feed.sweep(feed.record("A"), feed.record("B"))
    rows = feed.unwritten(every_asset=False)
    assert sorted(each.serial for each in rows) == ["A", "B"]
    feed.freshness.written(rows)
    feed.sweep(feed.record("A"))
    assert feed.unwritten(every_asset=False) == []

    feed.wait(46)
    feed.freshness.judge(now=feed.now, now_us=feed.wall_us)

    assert {(each.serial, each.state) for each in feed.unwritten(every_asset=True)} == {
        ("A", State.STALE), ("B", State.STALE),
    }  # fmt: skip


def test_events_wait_until_told_and_are_bounded() -> None:
    feed = Watched()
    feed.name(*(f"A{number}" for number in range(KEPT_EVENTS + 10)))
    feed.sweep()
    waiting: list[Happened] = feed.freshness.events()
    assert len(waiting) == KEPT_EVENTS

    feed.freshness.told(len(waiting) - 1)

    assert feed.freshness.events() == waiting[-1:]


def test_stale_assets_are_counted_by_fifty_domains_and_the_rest() -> None:
    feed = Watched()
    feed.sweep(*(feed.record(f"A{number}") for number in range(60)))
    for number in range(60):
        record = feed.record(f"A{number}")
        record.domain = f"D{number}"
        feed.sweep(record, after_s=0.1)
    feed.wait(100)
    feed.freshness.judge(now=feed.now, now_us=feed.wall_us)

    stale = feed.freshness.stale_by_domain()

    assert len(stale) == 51
    assert stale["other"] == 10
    assert sum(stale.values()) == 60


def test_f22_own_clock_is_suspected_when_most_of_a_sweep_is_in_the_future() -> None:
    feed = Watched()
    true = feed.wall + timedelta(days=10)

    def future(number: int) -> list[Envelope]:
        return [feed.record(f"A{n}", ago_s=-864_000) for n in range(number)]

    def suspect() -> OwnClock | None:
        return feed.freshness.own_clock

    feed.sweep(*future(19), server_date=true)
    assert suspect() is None
    made = feed.sweep(*future(20), server_date=true + timedelta(seconds=30))
    assert suspect() == OwnClock(made.begun_at, 20, 20, -864_000)
    feed.sweep(*future(10), *(feed.record(f"B{n}") for n in range(9)))
    assert suspect() is not None

    feed.sweep(*(feed.record(f"A{n}") for n in range(20)))

    assert suspect() is None
    assert {feed.state(f"A{n}") for n in range(10)} == {State.FRESH}


def test_words_about_our_clock_name_the_difference_and_the_next_step() -> None:
    assert OwnClock(NOW, 20, 25, -864_000).words == (
        "clock: 20 of 25 records of a sweep are in the future, so this machine's clock is"
        " suspected; it differs by -864000 s from the gateway's; check its time service"
    )
    assert "no Date" in OwnClock(NOW, 20, 25, None).words


Records = st.lists(
    st.tuples(
        st.integers(0, 5),  # seconds of the source's clock
        st.integers(0, 2),  # record id
        st.floats(0.1, 200),  # until the sweep that brings it
    ),
    max_size=40,
)


@given(Records)
def test_asset_is_never_fresh_without_a_changed_key(records: list[tuple[int, int, float]]) -> None:
    feed = Watched()
    newest: tuple[int, str] = (0, "")
    refreshed_at = float("-inf")
    for second, number, wait_s in records:
        record = envelope(
            VALVE, occurred_us=NOW_US + second * SECOND_US, record_id=f"r-{number}",
        )  # fmt: skip
        feed.sweep(record, after_s=wait_s)
        key = (record.occurred_us, record.record_id)
        if key > newest:
            newest, refreshed_at = key, feed.now
        limit_s = feed.freshness.stale_after_s(VALVE, "P")
        assert limit_s is not None
        assert (feed.state() is State.FRESH) <= (feed.now - refreshed_at <= limit_s + 0.5)
        view = feed.freshness.view(VALVE, now=feed.now)
        assert view is not None
        assert view.last_value_us == newest[0]


@given(Records, st.floats(0, 100_000), st.floats(0, 100_000))
def test_silence_only_ever_makes_an_asset_staler(
    records: list[tuple[int, int, float]], first_s: float, more_s: float
) -> None:
    feed = Watched()
    for second, number, wait_s in records:
        at_us = NOW_US + second * SECOND_US
        feed.sweep(envelope(VALVE, occurred_us=at_us, record_id=f"r-{number}"), after_s=wait_s)
    if not records:
        return
    feed.wait(first_s)
    before = feed.state()
    feed.wait(more_s)

    assert not (before is State.STALE and feed.state() is State.FRESH)


def test_what_a_sweep_moves_is_judged_without_looking_at_every_asset() -> None:
    dice = random.Random(7)
    names = [f"asset {number}" for number in range(12)]
    feed = Watched()
    told: set[str] = set()
    for number in range(120):
        feed.wait(0.3)  # never stale by time alone
        some = dice.sample(names, dice.randrange(12))
        envelopes = [
            feed.record(name, number=number, ago_s=dice.choice([0, 0, 0, -90_000]))
            for name in some
        ]  # fmt: skip
        if dice.random() < 0.5:
            feed.name(*dice.sample(names, 9))
        failed = dice.random() < 0.3 or number % 40 < 4
        made = sweep(
            *([] if failed else envelopes), error="gateway: away" if failed else None,
            started=feed.now, begun_at=feed.wall,
        )  # fmt: skip
        made.listed = feed.listed
        made.unread = [] if feed.listed is None else [next(iter(feed.listed))]
        at_once(feed.freshness.taking(made))
        feed.freshness.judge_touched(now=feed.now, now_us=feed.wall_us)
        before = {name: feed.freshness.state_of(name) for name in names}
        told |= feed.freshness.take_moved()

        feed.freshness.judge(now=feed.now, now_us=feed.wall_us)

        assert {name: feed.freshness.state_of(name) for name in names} == before
        assert not feed.freshness.take_moved()
    assert told == set(names)
    assert {feed.freshness.state_of(name) for name in names} <= set(State)


def test_an_asset_that_is_not_of_the_feed_was_never_seen() -> None:
    assert Watched().freshness.state_of("stranger") is State.NEVER_SEEN


def test_who_looks_while_the_first_sweep_after_an_outage_is_taken_finds_nobody_silent() -> None:
    watched = Watched()
    serials = [f"PT-{number}" for number in range(2 * BATCH_ENVELOPES)]
    watched.sweep(*(watched.record(each) for each in serials))
    for _ in range(4):
        watched.sweep(error="gateway: refused")
    watched.wait(INTERVAL_S)
    records = [watched.record(each, number=1) for each in serials]
    taking = watched.freshness.taking(sweep(*records, started=watched.now, begun_at=watched.wall))

    next(taking)
    watched.freshness.judge(now=watched.now, now_us=watched.wall_us)
    in_between = watched.freshness.state_of(serials[-1])
    at_once(taking)

    assert in_between is State.UNREACHABLE
    assert {watched.state(each) for each in serials} == {State.FRESH}
    told = {each.detail for each in watched.freshness.events() if each.serial is not None}
    assert told == {None}
