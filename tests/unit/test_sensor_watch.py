"""Readings that jump and come back are a matter of the sensor once they repeat."""

from typing import Final

import numpy as np

from ic3.analytics.sensor_watch import SensorWatch

SPAN: Final = np.array([10.0, 10.0, np.inf])
QUIET: Final = np.array([0.02, 0.02, 0.02])


def take(
    watch: SensorWatch, beyond: list[float] | np.ndarray[tuple[int], np.dtype[np.float64]]
) -> list[bool]:
    spiked = watch.spikes(np.asarray(beyond))
    there = np.full(3, 20, dtype=np.int32)
    watch.take(there, there, np.full(3, np.nan))
    return list(spiked.tolist())


def test_a_single_jump_is_kept_from_models_and_told_to_nobody() -> None:
    watch = SensorWatch(SPAN)
    take(watch, QUIET)
    assert take(watch, [3.5, 0.02, 0.02]) == [True, False, False]
    assert not watch.jumping.any()


def test_three_five_minutes_with_jumps_within_two_hours_are_told_until_they_have_passed() -> None:
    watch = SensorWatch(SPAN)
    for _ in range(3):
        take(watch, [3.5, 0.02, 3.5])
        take(watch, QUIET)
    assert watch.jumping.tolist() == [True, False, False]
    for _ in range(24):
        take(watch, QUIET)
    assert not watch.jumping.any()


def test_a_sensor_that_always_varies_within_five_minutes_is_not_told() -> None:
    watch = SensorWatch(np.array([10.0, 10.0, 10.0]))
    for _ in range(100):
        take(watch, [0.4, 0.02, 0.02])
    for _ in range(5):
        take(watch, [0.9, 0.02, 0.02])
    assert not watch.jumping.any()
