"""The cumulative sum that finds wear, and the remaining life that follows from it."""

import numpy as np
import pytest

from ic3.analytics.pump_life import remaining_life
from ic3.analytics.pump_samples import Floats
from ic3.analytics.pump_wear import BASELINE_DAYS, WearState, watch


def watched(values: list[float | None], state: WearState | None = None) -> WearState:
    """The state after values of days 0, 1, 2 …"""
    found = WearState() if state is None else state
    for day, value in enumerate(values):
        found = watch(found, day=day, index_percent=value, floor_percent=0.5)
    return found


BASELINE: list[float | None] = [0.0, *[0.25, -0.25, 0.0] * (BASELINE_DAYS // 3)]


def test_baseline_is_the_mean_and_never_finer_than_the_floor() -> None:
    state = watched(BASELINE)
    assert (state.mean_percent, state.sigma_percent) == (0.0, 0.5)
    assert state.baseline == ()


def test_wear_that_sets_in_within_the_baseline_is_found_all_the_same() -> None:
    ramp: list[float | None] = [0.25, -0.25, 0.0, 0.25, -0.25, -1.5, -3.0, -4.5, -6.0, -7.5]
    state = watched(ramp)
    assert (state.mean_percent, state.sigma_percent) == (-0.25, 0.5)
    assert watched([*ramp, -9.0, -9.0, -9.0, -9.0]).in_alarm


def test_sum_by_hand() -> None:
    # z = -2 / .5 = -4: each day adds 4 - 2; above 7 on the fourth.
    state = watched([*BASELINE, -2.0, -2.0, -2.0])
    assert (state.sum, state.in_alarm) == (6.0, False)
    state = watched([*BASELINE, -2.0, -2.0, -2.0, -2.0])
    assert (state.sum, state.in_alarm, state.since_day) == (8.0, True, 10)


def test_one_odd_day_raises_nothing_however_odd() -> None:
    state = watched([*BASELINE, -60.0])
    assert (state.sum, state.in_alarm) == (2.0, False)
    assert watched([*BASELINE, -60.0, 0.0]).since_day is None


def test_since_is_the_start_of_the_run_that_led_to_the_alarm() -> None:
    before: list[float | None] = [-1.5, 0.0, 0.0, 0.0]
    state = watched([*BASELINE, *before, -3.0, -3.0, -3.0, -3.0])
    assert (state.in_alarm, state.since_day) == (True, 14)


def test_alarm_ends_only_once_the_sum_is_spent() -> None:
    alarm: list[float | None] = [*BASELINE, *[-3.0] * 4]
    assert watched([*alarm, 0.0, 0.0, 0.0]).in_alarm
    assert not watched([*alarm, 0.0, 0.0, 0.0, 0.0]).in_alarm


def test_day_without_a_value_and_a_day_told_twice_change_nothing() -> None:
    state = watched([*BASELINE, -2.0])
    assert watch(state, day=11, index_percent=None, floor_percent=0.5) == state
    assert watch(state, day=10, index_percent=-9.0, floor_percent=0.5) == state


def test_gain_raises_nothing() -> None:
    assert watched([*BASELINE, *[3.0] * 30]).sum == 0.0


def test_loss_is_that_of_the_last_week() -> None:
    assert watched([*BASELINE, *[-4.0] * 7]).loss_percent == 4.0


def test_state_stays_small() -> None:
    state = watched([*BASELINE, *[-4.0] * 4000])
    assert (len(state.recent), state.sum) == (7, 14.0)


# Remaining life


def noisy(path: Floats, seed: int = 1) -> Floats:
    return path + 0.44 * np.random.default_rng(seed).standard_normal(len(path))


def worn(power: float, *, days: int = 300, left: int = 60) -> Floats:
    """An index that will be at -10 % in `left` days."""
    path: Floats = -10 * (np.arange(days - left) / days) ** power
    return noisy(path)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_band_holds_the_true_remaining_life(power: float) -> None:
    life = remaining_life(worn(power))
    assert life.low_days is not None
    assert life.median_days is not None
    assert life.high_days is not None
    assert 25 < life.low_days < 60 < life.high_days < 120
    assert life.median_days == pytest.approx(60, abs=15)


def test_nearer_limit_is_reached_sooner() -> None:
    near, far = remaining_life(worn(1.0), limit_percent=-9), remaining_life(worn(1.0))
    assert near.median_days is not None
    assert far.median_days is not None
    assert near.median_days < far.median_days - 15


def test_healthy_pump_has_no_remaining_life() -> None:
    life = remaining_life(noisy(np.zeros(300)))
    assert life.median_days is None
    assert life.reason == "not computed: there is no sure trend towards the limit"


def test_gain_has_no_remaining_life() -> None:
    assert remaining_life(noisy(np.linspace(-3, 2, 200))).low_days is None


def test_short_history_says_what_is_missing() -> None:
    life = remaining_life(worn(1.0)[:35])
    assert life.reason == "not computed: 5 weeks of daily indices, 6 are needed"


def test_holes_are_bridged_up_to_half() -> None:
    history = worn(1.0)
    history[::3] = np.nan
    assert remaining_life(history).median_days == pytest.approx(60, abs=20)
    history[::2] = np.nan
    life = remaining_life(history)
    assert life.reason == "not computed: only 33% of the days have an index, half are needed"


def test_limit_already_passed_is_said() -> None:
    life = remaining_life(noisy(np.linspace(0, -12, 200)))
    assert life.reason == "not computed: the limit of -10 % is already passed"


def test_no_look_ahead() -> None:
    history = worn(1.5, left=10)
    whole = remaining_life(history[:200])
    assert whole == remaining_life(history[:200].copy())
    assert whole != remaining_life(history[:207])


def test_empty_history_is_no_error() -> None:
    assert remaining_life(np.empty(0)).reason.startswith("not computed: 0 weeks")
