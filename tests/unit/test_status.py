"""The feed's counts: fresh, stale, in alarm; unknown is neither good nor bad."""

from datetime import timedelta

import pytest
from builders import NOW, NOW_US, SECOND_US, STARTED, VALVE, envelope, sweep

from ic3.domain.envelope import Envelope
from ic3.domain.status import NEWEST_LIMIT, AssetState, Feed, FeedCounts
from ic3.turns import at_once

LIMIT_S = 45.0  # three intervals of 15 s


def feed_of(*envelopes: Envelope) -> Feed:
    feed = Feed(interval_s=15)
    at_once(feed.taking(sweep(*envelopes)))
    return feed


def counts(feed: Feed, after_s: float = 0) -> FeedCounts:
    """What a feed counts so many seconds after the first sweep began."""
    return feed.counts(now=STARTED + after_s, now_us=NOW_US)


def in_alarm(*envelopes: Envelope) -> int:
    return counts(feed_of(*envelopes)).in_alarm


def test_empty_feed_counts_nothing() -> None:
    assert counts(Feed(interval_s=15)) == FeedCounts(0, 0, 0, 0)


def test_asset_is_fresh_for_three_intervals_and_stale_after() -> None:
    feed = feed_of(envelope())

    assert counts(feed, LIMIT_S) == FeedCounts(1, 1, 0, 0)
    assert counts(feed, LIMIT_S + 0.001) == FeedCounts(1, 0, 1, 0)


def test_fresh_and_stale_add_up_to_all_assets() -> None:
    feed = feed_of(envelope("B"))
    at_once(feed.taking(sweep(envelope("A"), envelope("C", alarm="LOW"), started=STARTED + 46)))

    assert counts(feed, 46) == FeedCounts(assets=3, fresh=2, stale=1, in_alarm=1)


def test_new_record_makes_a_stale_asset_fresh() -> None:
    feed = feed_of(envelope())
    assert counts(feed, 90).stale == 1

    at_once(feed.taking(sweep(envelope(occurred_us=NOW_US + 1), started=STARTED + 90)))

    assert counts(feed, 90) == FeedCounts(1, 1, 0, 0)


@pytest.mark.parametrize("word", ["NORMAL", "normal", "Normal", None])
def test_normal_in_any_case_and_an_absent_alarm_are_no_alarm(word: str | None) -> None:
    assert in_alarm(envelope(alarm=word)) == 0


@pytest.mark.parametrize(
    "word", ["LOW_LOW", "LOW", "high", "High_High", "FAULT", "OFFLINE", "strange", "NORMAL "]
)
def test_any_other_word_is_an_alarm(word: str) -> None:
    assert in_alarm(envelope(alarm=word)) == 1


def test_newer_record_ends_an_alarm() -> None:
    feed = feed_of(envelope(alarm="HIGH"))

    at_once(feed.taking(sweep(envelope(alarm="NORMAL", occurred_us=NOW_US + 1))))

    assert counts(feed).in_alarm == 0


def test_late_record_neither_alarms_nor_refreshes() -> None:
    feed = feed_of(envelope())

    at_once(
        feed.taking(sweep(envelope(alarm="HIGH", occurred_us=NOW_US - 1), started=STARTED + 90))
    )

    assert counts(feed, 90) == FeedCounts(assets=1, fresh=0, stale=1, in_alarm=0)


def test_late_record_does_not_end_an_alarm() -> None:
    assert in_alarm(envelope(alarm="HIGH"), envelope(occurred_us=NOW_US - 1)) == 1


@pytest.mark.parametrize("occurred_us", [NOW_US + 300 * SECOND_US + 1, 0])
def test_implausible_time_never_alarms_and_never_freezes_the_asset(occurred_us: int) -> None:
    feed = feed_of(envelope(alarm="HIGH", occurred_us=occurred_us))
    assert counts(feed) == FeedCounts(1, 0, 1, 0)

    at_once(feed.taking(sweep(envelope(alarm="LOW"))))
    assert counts(feed).in_alarm == 1

    at_once(feed.taking(sweep(envelope(alarm="NORMAL", occurred_us=occurred_us))))
    assert counts(feed).in_alarm == 1


def test_failed_sweep_brings_what_it_read_and_is_no_good_one() -> None:
    feed = feed_of(envelope())
    later = NOW + timedelta(seconds=15)

    at_once(feed.taking(sweep(envelope("other"), error="gateway: away", ended_at=later)))

    assert counts(feed).assets == 2
    assert feed.last_error == "gateway: away"
    assert (feed.last_sweep_at, feed.last_good_at) == (later, NOW)


def test_good_sweep_clears_the_error() -> None:
    feed = Feed(interval_s=15)
    at_once(feed.taking(sweep(error="gateway: away")))

    at_once(feed.taking(sweep()))

    assert (feed.last_error, feed.last_good_at) == (None, NOW)


def test_sweep_that_never_ended_stands_at_its_begin() -> None:
    feed = Feed(interval_s=15)

    at_once(feed.taking(sweep(error="database: away", ended_at=None)))

    assert feed.last_sweep_at == NOW


def test_newest_envelopes_come_newest_first() -> None:
    feed = feed_of(envelope("A"), envelope("B"), envelope("C"))

    assert [each.asset_id for each in feed.newest(2)] == ["C", "B"]
    assert [each.asset_id for each in feed.newest(500)] == ["C", "B", "A"]
    assert feed.newest(0) == []


def test_f29_newest_envelopes_are_bounded() -> None:
    envelopes = [envelope(f"A{number}") for number in range(NEWEST_LIMIT + 100)]
    feed = feed_of(*envelopes)

    assert len(feed.newest(10_000)) == NEWEST_LIMIT
    assert feed.newest(1)[0].asset_id == f"A{NEWEST_LIMIT + 99}"


def test_new_feed_is_not_restored() -> None:
    assert Feed(interval_s=15).restored is False


def test_restored_feed_is_what_the_database_knows() -> None:
    feed = Feed(interval_s=15)

    feed.restore(
        [(VALVE, AssetState(NOW_US, "GOOD", "HIGH")), ("old", AssetState(0, None, None))],
        [envelope("newest"), envelope("older")],
    )

    assert feed.restored
    assert counts(feed) == FeedCounts(2, 0, 2, 1)
    at_once(feed.taking(sweep()))
    assert counts(feed) == FeedCounts(2, 1, 1, 1)
    assert [each.asset_id for each in feed.newest(500)] == ["newest", "older"]


def test_sweep_after_a_restore_moves_what_was_restored() -> None:
    feed = Feed(interval_s=15)
    feed.restore([(VALVE, AssetState(0, "GOOD", "HIGH"))], [envelope("older")])

    at_once(feed.taking(sweep(envelope(VALVE))))

    assert counts(feed) == FeedCounts(1, 1, 0, 0)
    assert [each.asset_id for each in feed.newest(500)] == [VALVE, "older"]
