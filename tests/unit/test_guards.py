"""Guards, trust and the seasonal band, by hand."""

import numpy as np
import numpy.typing as npt
import pytest

from ic3.analytics.guards import Guard, Guarded, SensorGuards
from ic3.analytics.seasonal import seasonal_band, unusual
from ic3.analytics.severity import confidence_percent, of_finding, severity
from ic3.analytics.trust import HOURS, TrustWindow
from ic3.analytics.tuning import Tag
from ic3.domain.quality import Quality
from ic3.errors import InputError

TAGS = (
    Tag(name="pressure", low=0.0, high=16.0, max_rate_per_s=0.5),
    Tag(name="status", mode=True),
)


def guards() -> SensorGuards:
    made = SensorGuards(TAGS, assets=1)
    made.fit(0, np.stack([np.arange(60.0) // 4, np.ones(60)], axis=1))
    return made


def judged(
    made: SensorGuards, pressure: float, *, source: Quality = Quality.GOOD, age_s: float = 0.0
) -> Guarded:
    shape = (1, 2)
    return made.update(
        np.array([[pressure, 1.0]]), elapsed_s=15.0, source=np.full(shape, source, np.int8),
        age_s=np.full(shape, age_s), cadence_s=np.full(shape, 15.0),
    )  # fmt: skip


def told(guarded: Guarded) -> tuple[Guard, Quality]:
    return Guard(int(guarded.guard[0, 0])), Quality(int(guarded.quality[0, 0]))


def test_a_plausible_value_passes() -> None:
    answer = judged(guards(), 5.0)
    assert told(answer) == (Guard.NONE, Quality.GOOD)
    assert answer.clean.tolist() == [[5.0, 1.0]]


@pytest.mark.parametrize("value", [-0.1, 16.1])
def test_a_value_outside_its_range_is_bad_and_left_out(value: float) -> None:
    answer = judged(guards(), value)
    assert told(answer) == (Guard.OUT_OF_RANGE, Quality.BAD)
    assert np.isnan(answer.clean[0, 0])


def test_a_jump_is_uncertain_and_a_second_one_bad() -> None:
    made = guards()
    # At most 0.5 bar a second, 7.5 bar in 15 s.
    answers = [told(judged(made, value)) for value in (1.0, 8.4, 16.0, 1.0, 9.0)]
    assert answers == [
        (Guard.NONE, Quality.GOOD),
        (Guard.NONE, Quality.GOOD),
        (Guard.RATE, Quality.UNCERTAIN),
        (Guard.RATE, Quality.BAD),
        (Guard.RATE, Quality.BAD),
    ]


def test_a_value_freezes_after_three_times_its_usual_run() -> None:
    made = guards()
    # Runs of four while learning: frozen from the twelfth equal value on.
    marks = [told(judged(made, 5.0))[0] for _ in range(13)]
    assert marks == [Guard.NONE] * 11 + [Guard.FROZEN] * 2
    assert told(judged(made, 5.1)) == (Guard.NONE, Quality.GOOD)


def test_a_status_never_freezes() -> None:
    made = guards()
    assert [judged(made, value / 10).guard[0, 1] for value in range(100)] == [0] * 100


def test_an_idle_instrument_is_not_frozen() -> None:
    made = guards()
    assert [told(judged(made, 0.0))[0] for _ in range(30)] == [Guard.NONE] * 30


def test_guards_go_on_where_their_state_was_taken() -> None:
    made, other = guards(), SensorGuards(TAGS, assets=3)
    for _ in range(11):
        judged(made, 5.0)
    other.restore(2, made.state(0))
    values = np.full((3, 2), 5.0)
    ages = np.zeros((3, 2))
    answer = other.update(
        values, elapsed_s=15.0, source=ages.astype(np.int8), age_s=ages, cadence_s=ages + 15.0
    )
    assert answer.guard[:, 0].tolist() == [Guard.NONE, Guard.NONE, Guard.FROZEN]
    with pytest.raises(InputError, match="other tags"):
        SensorGuards(TAGS[:1], assets=1).restore(0, made.state(0))


def test_what_the_source_calls_bad_stays_bad() -> None:
    answer = judged(guards(), 5.0, source=Quality.BAD)
    assert told(answer) == (Guard.SOURCE, Quality.BAD)
    assert np.isnan(answer.clean[0, 0])


def test_an_old_value_is_a_gap() -> None:
    assert told(judged(guards(), 5.0, age_s=45.0)) == (Guard.NONE, Quality.GOOD)
    assert told(judged(guards(), 5.0, age_s=46.0)) == (Guard.GAP, Quality.UNCERTAIN)


def test_a_missing_value_is_not_marked_and_ends_no_run() -> None:
    made = guards()
    marks = [told(judged(made, value))[0] for value in [5.0] * 11 + [np.nan, 5.0]]
    assert marks[-2:] == [Guard.NONE, Guard.FROZEN]


def counted(**shares: float) -> dict[str, npt.NDArray[np.float64]]:
    names = ("expected", "came", "timely", "valid", "live", "judged", "inside")
    return {name: np.full((1, 1), shares.get(name, 1)) for name in names}


def test_trust_is_led_by_its_worst_share() -> None:
    window = TrustWindow(assets=1, tags=1)
    window.add(**counted(expected=100, came=80, timely=80, valid=60, live=80, judged=50, inside=50))
    # Shares .8, 1, .75, 1, 1: 100 · (.6 · .75 + .4 · .91).
    assert window.trust().percent()[0, 0] == pytest.approx(81.4)


def test_a_silent_sensor_has_no_trust_and_an_unexpected_one_no_figure() -> None:
    window = TrustWindow(assets=1, tags=1)
    assert np.isnan(window.trust().percent()[0, 0])
    window.add(**counted(expected=10, came=0, timely=0, valid=0, live=0, judged=0, inside=0))
    # Nothing contradicts the model: .4 · 1/5 is left.
    assert window.trust().percent()[0, 0] == pytest.approx(8.0)


def test_what_is_a_day_old_no_longer_counts() -> None:
    window = TrustWindow(assets=1, tags=1)
    window.add(**counted(valid=0))
    for _ in range(HOURS):
        window.next_hour()
    window.add(**counted())
    assert window.trust().percent()[0, 0] == pytest.approx(100.0)


def test_trust_goes_on_where_its_state_was_taken() -> None:
    window, other = TrustWindow(assets=1, tags=1), TrustWindow(assets=2, tags=1)
    window.next_hour()
    window.add(**counted(expected=10, came=5, timely=5, valid=5, live=5))
    other.restore(1, window.state(0))
    assert other.trust().percent()[1, 0] == window.trust().percent()[0, 0] == pytest.approx(66.0)
    with pytest.raises(InputError, match="other tags"):
        TrustWindow(assets=1, tags=2).restore(0, window.state(0))


def test_severity_is_nothing_below_off_and_three_where_an_alarm_opens() -> None:
    rated = severity(np.array([0.2, 0.5, 0.75, 1.0, 20.0**0.5, 20.0, 500.0]), off=0.5)
    np.testing.assert_allclose(rated, [0.0, 0.0, 1.5, 3.0, 6.5, 10.0, 10.0])


def test_a_critical_asset_raises_the_severity_of_a_finding() -> None:
    assert of_finding(6.0, 1.2) == pytest.approx(7.2)
    assert of_finding(9.0, 1.2) == 10.0


def test_verdicts_move_the_confidence() -> None:
    def confidence(true: int, false: int) -> float:
        return confidence_percent(
            true_findings=true, false_findings=false, prior=0.7, trust=0.9, coverage=0.5
        )

    assert confidence(0, 0) == pytest.approx(31.5)
    assert confidence(10, 0) == pytest.approx(100 * 17 / 20 * 0.45)
    assert confidence(0, 10) == pytest.approx(100 * 7 / 20 * 0.45)


def test_the_band_of_a_slot_is_the_median_of_past_weeks() -> None:
    past = np.array([[10.0, 1.0], [11.0, np.nan], [12.0, np.nan], [100.0, 2.0]])
    band = seasonal_band(past, accuracy=0.002)
    assert band.expected[0] == 11.5
    assert band.scale[0] == pytest.approx(1.4826 * 1.0)
    assert np.isnan(band.expected[1])


def test_a_tag_is_unusual_only_if_its_relatives_are_not() -> None:
    related = np.ones((4, 4), np.bool_)
    assert unusual(np.array([9.0, 0.1, -0.3, np.nan]), related).tolist() == [True] + [False] * 3
    assert unusual(np.array([9.0, 3.0, 2.5, 0.0]), related).tolist() == [False] * 4
