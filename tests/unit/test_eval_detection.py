"""The protocol by which alarms and marks are scored, by hand."""

import numpy as np
import pytest

from ic3.evaluation.detection import (
    Confusion,
    batadal_s,
    block_resampled,
    detection_shares,
    events_hit,
    false_episodes,
    match_marks,
    stretches,
)

TRUTH = np.array([0, 0, 1, 1, 1, 1, 0, 0, 1, 1], np.bool_)
ALARM = np.array([1, 0, 0, 1, 1, 1, 1, 0, 0, 0], np.bool_)
NOTHING = np.zeros(10, np.bool_)


def test_rates_are_those_of_the_pooled_rows() -> None:
    counted = Confusion.of([(ALARM, TRUTH), (NOTHING, TRUTH)])
    assert counted == Confusion(3, 2, 9, 6)
    assert counted.f1 == pytest.approx(6 / 17)
    assert counted.false_alarm_rate == pytest.approx(2 / 8)
    assert counted.missing_alarm_rate == pytest.approx(9 / 12)


def test_always_in_alarm_misses_nothing_and_spares_nothing() -> None:
    blind = Confusion.of([(ALARM, TRUTH)]).always()
    assert (blind.false_alarm_rate, blind.missing_alarm_rate) == (1.0, 0.0)
    assert blind.f1 == pytest.approx(12 / 16)


def test_alarms_by_lot_score_what_their_number_earns() -> None:
    # Of 5 alarms 6/10 hit: 3 true, 2 false, 3 missed.
    assert Confusion.of([(ALARM, TRUTH)]).at_random() == pytest.approx(6 / 11)


def test_a_mark_serves_one_point_and_only_within_its_time() -> None:
    marks, points = np.array([5.0, 20.0, 65.0, 70.0, 200.0]), np.array([10.0, 60.0, 130.0])
    matched = match_marks([(marks, points)], within_s=60.0)
    # 5 comes before, 20 serves 10, 65 serves 60, 70 and 200 serve none; 130 stays unserved.
    assert (matched.hits, matched.false, matched.missed) == (2, 3, 1)
    assert matched.f1 == pytest.approx(4 / 8)


def test_stretches_reach_to_both_ends() -> None:
    assert stretches(TRUTH) == [(2, 6), (8, 10)]
    assert stretches(~TRUTH) == [(0, 2), (6, 8)]


def test_an_event_is_found_by_one_of_its_rows() -> None:
    assert events_hit(ALARM, TRUTH) == [True, False]


def test_a_false_episode_touches_no_anomalous_row() -> None:
    assert false_episodes(ALARM, TRUTH) == 1
    assert false_episodes(ALARM, NOTHING) == 2


def test_a_missed_attack_counts_as_found_at_its_end() -> None:
    assert detection_shares(ALARM, TRUTH) == [0.25, 1.0]


def test_s_weighs_speed_against_rates() -> None:
    # Speed 1 - 0.625; TPR 3/6, TNR 2/4.
    assert batadal_s(ALARM, TRUTH) == pytest.approx(0.5 * 0.375 + 0.25 * (0.5 + 0.5))
    assert batadal_s(~NOTHING, TRUTH) == pytest.approx(0.75)


def test_resampled_rows_are_blocks_of_the_rows() -> None:
    rows = np.arange(100.0)[:, None]
    made = block_resampled(rows, count=95, block=10, seed=1)[:, 0]
    assert len(made) == 95
    assert (np.diff(made).reshape(-1)[:9] == 1.0).all()
    assert set(made) <= set(rows[:, 0])
