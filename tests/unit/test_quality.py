"""Every value is judged; the worst mark wins, and no mark changes or hides a value."""

import math

import pytest
from builders import NOW_US, SECOND_US, VALVE, envelope
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.envelope import Envelope, Value
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Parameter, Reading, Register, RegisteredAsset
from ic3.domain.quality import (
    ENDED_RUNS,
    LEARNED_FROM,
    LEAST_FROZEN,
    Kind,
    Quality,
    Reason,
)

GOOD = (0, None)
FROZEN = (1, "frozen")


def parameter(
    kind: Kind | None = "gauge", low: float = -math.inf, high: float = math.inf,
    rate: float = math.inf,
) -> Parameter:  # fmt: skip
    return Parameter(
        1, "Pressure", "P", "bar", kind=kind, range_low=low, range_high=high, rate_max_per_s=rate
    )


def plant(what: Parameter) -> LatestReadings:
    latest = LatestReadings()
    latest.register = Register(1, {VALVE: RegisteredAsset(12, VALVE, {"P": what})}, {1: what})
    return latest


def sent(value: Value, at_s: float = 0, *, quality: str | None = "GOOD") -> Envelope:
    made = envelope(VALVE, {"P": value}, occurred_us=NOW_US + int(at_s * SECOND_US))
    made.quality = quality
    return made


def took(latest: LatestReadings, *envelopes: Envelope) -> list[Reading]:
    """The rows of a sweep, whose latest readings are taken."""
    movement = Movement(latest, envelopes, now_us=NOW_US + 86_400 * SECOND_US)
    readings = [reading for batch in movement.batches() for reading in batch]
    latest.apply(movement.moved, movement.repeated)
    return readings


def marks(latest: LatestReadings, *values: Value) -> list[tuple[int, str | None]]:
    """The marks of values that come one a sweep, a second apart."""
    found = []
    for number, value in enumerate(values):
        (reading,) = took(latest, sent(value, number))
        found.append((reading.quality, reading.quality_reason))
    return found


@pytest.mark.parametrize(
    ("word", "mark"),
    [
        ("GOOD", GOOD),
        ("good", GOOD),
        ("UNCERTAIN", (1, "source_not_good")),
        ("BAD", (2, "source_not_good")),
        ("bad", (2, "source_not_good")),
        ("Doubtful", (1, "source_not_good")),
        ("", (1, "source_not_good")),
        (None, (1, "source_unknown")),
    ],
)
def test_what_the_source_says_marks_each_value(
    word: str | None, mark: tuple[int, str | None]
) -> None:
    (reading,) = took(plant(parameter()), sent(1.0, quality=word))

    assert (reading.quality, reading.quality_reason) == mark
    assert reading.value_num == 1.0


@pytest.mark.parametrize(
    ("value", "mark"),
    [
        (0.0, GOOD),
        (10, GOOD),
        (-0.001, (2, "out_of_range")),
        (11, (2, "out_of_range")),
        (True, GOOD),
    ],
)
def test_number_outside_the_range_is_bad_and_kept(
    value: float, mark: tuple[int, str | None]
) -> None:
    (reading,) = took(plant(parameter(low=0, high=10)), sent(value))

    assert (reading.quality, reading.quality_reason) == mark
    assert reading.value_num == float(value)


@pytest.mark.parametrize(
    ("kind", "value", "mark"),
    [
        ("gauge", "12.5", (2, "not_a_number")),
        ("counter", "", (2, "not_a_number")),
        ("state", "open", GOOD),
        ("text", "open", GOOD),
        ("text", 1.5, GOOD),
        ("date", "2026-06-15", GOOD),
        (None, "open", GOOD),
        ("gauge", None, (1, "no_value")),
        ("text", None, (1, "no_value")),
    ],
)
def test_type_of_a_value_is_judged_by_the_kind_of_its_parameter(
    kind: Kind | None, value: Value, mark: tuple[int, str | None]
) -> None:
    (reading,) = took(plant(parameter(kind)), sent(value))

    assert (reading.quality, reading.quality_reason) == mark
    assert value in {reading.value_num, reading.value_text}


def test_too_fast_a_change_is_uncertain_and_bad_when_it_repeats() -> None:
    found = marks(plant(parameter(rate=5)), 0.0, 5.0, 10.1, 20.0, 20.5)

    assert found == [GOOD, GOOD, (1, "rate"), (2, "rate"), GOOD]


def test_change_is_judged_by_the_time_it_took() -> None:
    latest = plant(parameter(rate=5))
    took(latest, sent(0.0, 0))

    (reading,) = took(latest, sent(50.0, 10))

    assert reading.quality == Quality.GOOD


def test_counter_that_is_set_back_is_not_too_fast() -> None:
    found = marks(plant(parameter("counter", rate=5)), 1000.0, 0.0, 4.0, 90.0)

    assert found == [GOOD, GOOD, GOOD, (1, "rate")]


def test_late_value_is_never_too_fast_and_never_frozen() -> None:
    latest = plant(parameter(rate=1))
    took(latest, sent(0.0, 10))

    (late,) = took(latest, sent(1000.0, 0))

    assert (late.quality, late.quality_reason) == GOOD


def test_two_values_of_one_sweep_are_judged_one_by_the_other() -> None:
    first, second = took(plant(parameter(rate=5)), sent(0.0, 0), sent(100.0, 1))

    assert (first.quality_reason, second.quality_reason) == (None, "rate")


def test_worst_mark_wins() -> None:
    latest = plant(parameter(high=10, rate=1))
    took(latest, sent(1.0, 0))

    (reading,) = took(latest, sent(50.0, 1, quality="UNCERTAIN"))

    assert (reading.quality, reading.quality_reason) == (2, "out_of_range")


def test_gauge_that_never_repeated_is_frozen_after_ten_equal_values() -> None:
    changing = [float(number) for number in range(LEARNED_FROM + 5)]

    found = marks(plant(parameter()), *changing, *([77.0] * LEAST_FROZEN), 78.0)

    assert found[: len(changing) + LEAST_FROZEN - 1] == [GOOD] * (len(changing) + LEAST_FROZEN - 1)
    assert found[-2:] == [FROZEN, GOOD]


def test_how_many_equal_values_are_usual_is_learned_from_the_tag() -> None:
    latest = plant(parameter())
    usual = [float(step) for step in range(1, 6) for _ in range(8)]

    found = marks(latest, *usual, *([99.0] * 24))

    assert set(found[:-1]) == {GOOD}
    assert found[-1] == FROZEN


def test_gauge_that_has_never_changed_is_not_judged() -> None:
    assert set(marks(plant(parameter()), *([100.0] * 300))) == {GOOD}


def test_how_long_an_idle_gauge_rests_is_learned_apart() -> None:
    latest = plant(parameter(low=-5, high=10))
    running = [number / 10 for number in range(1, 90)]

    rested = [*running, *([0.0] * 40)] * ENDED_RUNS

    found = marks(latest, *rested, *running, *([0.0] * 100), *([10.0] * 100))

    assert set(found) == {GOOD}
    assert marks(plant(parameter()), *rested, *running, *([0.0] * 120))[-1] == FROZEN


@pytest.mark.parametrize("kind", ["state", "counter", "text", "date", None])
def test_states_counters_text_and_dates_are_never_frozen(kind: Kind | None) -> None:
    changing = [float(number) for number in range(LEARNED_FROM + 5)]

    assert set(marks(plant(parameter(kind)), *changing, *([7.0] * 100))) == {GOOD}


def test_sensor_that_was_frozen_stays_marked_over_a_restart_until_it_moves() -> None:
    before = plant(parameter())
    marks(before, *map(float, range(LEARNED_FROM + 5)), *([77.0] * LEAST_FROZEN))
    after = plant(parameter())
    after.replace({12: before.state_of(VALVE) or {}})

    found = [took(after, sent(value, 100 + at))[0] for at, value in enumerate((77.0, 77.0, 78.0))]

    assert [each.quality_reason for each in found] == ["frozen", "frozen", None]


def test_sweep_that_is_mapped_again_is_marked_the_same() -> None:
    latest = plant(parameter(rate=1))
    took(latest, sent(0.0, 0))
    movement = Movement(latest, [sent(50.0, 1)], now_us=NOW_US + 60 * SECOND_US)

    assert list(movement.batches()) == list(movement.batches())


@given(
    st.lists(
        st.one_of(
            st.none(), st.booleans(), st.text(max_size=5), st.integers(-1000, 1000),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=40,
    ),
    st.sampled_from(["gauge", "counter", "state", "text", "date", None]),
)  # fmt: skip
def test_mark_never_changes_or_hides_a_value(values: list[Value], kind: Kind | None) -> None:
    latest = plant(parameter(kind, low=-10, high=10, rate=1))
    for number, value in enumerate(values):
        (reading,) = took(latest, sent(value, number))
        expected = float(value) if isinstance(value, bool | int | float) else value
        kept = reading.value_text if reading.value_num is None else reading.value_num
        assert kept == expected
        assert (reading.quality == 0) == (reading.quality_reason is None)
        assert reading.quality_reason in {None, *Reason}
