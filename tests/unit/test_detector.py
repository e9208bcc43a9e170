"""The detector: what it finds, what it does not, and that it may be stopped at any row."""

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from ic3.analytics.detector import Detector
from ic3.analytics.fleet import FleetDetector
from ic3.analytics.tuning import DISTRICT, RIG, Tag
from ic3.errors import InputError

Floats = npt.NDArray[np.float64]
TAGS = (
    Tag(name="flow", unit="m3/h"),
    Tag(name="pressure", unit="bar"),
    Tag(name="power", unit="kW"),
)
FLOW, PRESSURE, POWER = 0, 1, 2


def pump(rows: int, seed: int, *, wander: float = 1.0) -> Floats:
    """A load that wanders, and three tags that follow it with noise of their own."""
    noise = np.random.default_rng(seed)
    load = wander * np.sin(np.arange(rows) / 9.0) + 0.1 * noise.normal(size=rows)
    told = np.stack([100.0 + 10.0 * load, 5.0 - 0.5 * load, 30.0 + 4.0 * load], axis=1)
    return told + noise.normal(size=(rows, 3)) * [1.0, 0.05, 0.4]


def fitted(rows: Floats | None = None) -> Detector:
    detector = Detector(TAGS, RIG)
    detector.fit(pump(600, 1) if rows is None else rows)
    return detector


def told(detector: Detector, rows: Floats) -> Floats:
    """Alarm, change, severity and blame of each row."""
    return np.array([detector.update(row) for row in rows])


def shifted(rows: Floats, tag: int, amount: float, start: int) -> Floats:
    """A copy in which a tag is off from a row on."""
    copy = rows.copy()
    copy[start:, tag] += amount
    return copy


def test_normal_rows_raise_no_alarm() -> None:
    assert told(fitted(), pump(1000, 2))[:, 0].sum() == 0


def test_a_tag_that_leaves_its_relatives_is_blamed() -> None:
    answer = told(fitted(), shifted(pump(400, 2), PRESSURE, 1.0, 200))
    assert answer[:200, 0].sum() == 0
    assert answer[240:, 0].all()
    assert set(answer[260:, 3]) == {PRESSURE}
    assert answer[260:, 2].min() > 3.0


def test_an_alarm_ends_when_the_value_is_back() -> None:
    rows = pump(600, 2)
    rows[200:350, FLOW] -= 25.0
    answer = told(fitted(), rows)
    assert answer[260:350, 0].all()
    assert answer[420:, 0].sum() == 0


def test_a_step_is_marked_where_it_begins() -> None:
    rows = pump(600, 2, wander=0.0)
    answer = told(fitted(pump(600, 1, wander=0.0)), shifted(rows, FLOW, 3.0, 300))
    marks = np.flatnonzero(answer[:, 1])
    assert marks[0] == pytest.approx(315, abs=15)
    assert (np.diff(marks) >= RIG.change_pause).all()
    assert marks[-1] < 300 + RIG.change_rows + RIG.change_before


def test_normal_rows_are_hardly_marked() -> None:
    assert told(fitted(), pump(1000, 2))[:, 1].sum() <= 1


def test_what_comes_later_never_changes_what_was_said() -> None:
    rows = shifted(pump(500, 2), FLOW, -25.0, 250)
    whole, cut = told(fitted(), rows), told(fitted(), rows[:317])
    np.testing.assert_array_equal(whole[:317], cut)


def test_the_same_rows_twice_give_the_same_answers_whatever_their_number() -> None:
    detector = fitted()
    state = detector.state()
    once = told(detector, pump(50, 3))
    told(detector, pump(777, 4))
    detector.restore(state)
    np.testing.assert_array_equal(told(detector, pump(50, 3)), once)


def test_a_restored_detector_goes_on_as_if_nothing_had_been() -> None:
    rows = shifted(pump(600, 2), FLOW, -25.0, 250)
    kept = fitted()
    told(kept, rows[:300])
    other = Detector(TAGS, RIG)
    other.restore(kept.state())
    np.testing.assert_array_equal(told(other, rows[300:]), told(kept, rows[300:]))
    np.testing.assert_array_equal(other.explain().expected, kept.explain().expected)


def test_the_state_does_not_grow() -> None:
    detector = fitted()
    before = len(detector.state())
    told(detector, pump(2000, 5))
    assert len(detector.state()) == before


@pytest.mark.parametrize(
    "other",
    [
        Detector(TAGS[:2], RIG),
        Detector(TAGS, DISTRICT),
        Detector((*TAGS[:2], Tag(name="current")), RIG),
    ],
)
def test_a_state_of_another_shape_is_refused(other: Detector) -> None:
    with pytest.raises(InputError, match="fit anew"):
        other.restore(fitted().state())


def test_a_damaged_state_is_refused() -> None:
    with pytest.raises(InputError, match="fit anew"):
        fitted().restore(fitted().state()[:-7])


def test_a_missing_tag_is_left_out() -> None:
    rows = pump(400, 2)
    rows[:, POWER] = np.nan
    answer = told(fitted(), shifted(rows, PRESSURE, 1.0, 200))
    assert answer[:200, 0].sum() == 0
    assert answer[260:, 0].all()


def test_less_than_half_of_the_tags_is_not_computed() -> None:
    rows = pump(100, 2)
    rows[:, [FLOW, PRESSURE]] = np.nan
    answer = told(fitted(), rows)
    assert np.isnan(answer[:, 2]).all()
    assert set(answer[:, 3]) == {-1}


def test_a_gap_ends_no_alarm() -> None:
    rows = shifted(pump(400, 2), PRESSURE, 1.0, 100)
    rows[250:] = np.nan
    assert told(fitted(), rows)[200:, 0].all()


def test_spikes_in_the_training_rows_hide_nothing() -> None:
    dirty = pump(600, 1)
    dirty[[50, 51, 300], FLOW] = 1e6
    dirty[::17, POWER] = np.nan
    answer = told(fitted(dirty), shifted(pump(400, 2), FLOW, -25.0, 200))
    assert answer[:200, 0].sum() == 0
    assert answer[260:, 0].all()


def test_a_constant_tag_is_not_used() -> None:
    tags = (*TAGS, Tag(name="status"))
    detector = Detector(tags, RIG)
    detector.fit(np.c_[pump(600, 1), np.ones(600)])
    answer = told(detector, np.c_[pump(300, 2), np.zeros(300)])
    assert answer[:, 0].sum() == 0
    assert np.isnan(detector.explain().expected[3])


def test_slow_drift_is_followed() -> None:
    drifting = pump(4000, 2)
    drifting[:, FLOW] += np.linspace(0.0, 30.0, 4000)
    assert told(fitted(), drifting)[:, 0].sum() == 0


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (pump(30, 1), "too few"),
        (np.ones((600, 3)), "no tag varies"),
        (np.full((600, 3), np.nan), "no tag varies"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(rows: Floats, why: str) -> None:
    with pytest.raises(InputError, match=why):
        fitted(rows)


def test_an_asset_that_was_not_fitted_is_not_computed() -> None:
    fleet = FleetDetector(TAGS, RIG, assets=2)
    fleet.fit(1, pump(600, 1))
    verdicts = fleet.update(pump(2, 2))
    assert verdicts.computed.tolist() == [False, True]
    assert verdicts.blame[0] == -1
    with pytest.raises(InputError, match="not fitted"):
        fleet.explain(0)


def test_the_fleet_says_what_each_detector_says() -> None:
    rows = np.stack([shifted(pump(300, 20 + n), n % 3, 3.0 * n, 150) for n in range(7)])
    rows[3, 100:160, FLOW] = np.nan
    rows[5, 200:] = np.nan
    fleet = FleetDetector(TAGS, RIG, assets=7)
    alone = [Detector(TAGS, RIG) for _ in range(7)]
    for n, one in enumerate(alone):
        fleet.fit(n, pump(600, n))
        one.fit(pump(600, n))
    verdicts = [fleet.update(rows[:, at]) for at in range(300)]
    together = np.array([[v.alarm, v.change, v.severity, v.blame] for v in verdicts])
    apart = np.array([told(one, each) for one, each in zip(alone, rows, strict=True)])
    np.testing.assert_allclose(together.transpose(2, 0, 1), apart, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        fleet.explain(3).residual, alone[3].explain().residual, rtol=0, atol=1e-9
    )


def test_the_explanation_names_what_is_outside_and_what_agrees() -> None:
    detector = fitted()
    told(detector, shifted(pump(300, 2), PRESSURE, 1.0, 200))
    why = detector.explain()
    assert why.outside[0] == PRESSURE
    assert why.residual[PRESSURE] == pytest.approx(1.0, abs=0.35)
    np.testing.assert_allclose(why.observed - why.expected, why.residual)
    assert why.score > why.on > why.off
    assert 60 < why.deviating_rows <= 100
    assert why.coverage == 1.0


def test_rows_judged_normal_are_remembered() -> None:
    odd = shifted(pump(500, 2), PRESSURE, 1.0, 0)
    fleet = FleetDetector(TAGS, dataclasses.replace(RIG, following=0.0), assets=2)
    fleet.fit(0, pump(600, 1))
    fleet.fit(1, pump(600, 1))
    fleet.learn(0, odd)
    alarms = np.array([fleet.update(np.stack([row, row])).alarm for row in odd])
    # The first rows lead from one state into the other.
    assert alarms[80:].mean(axis=0).tolist() == [0.0, 1.0]


def test_the_reference_can_be_rolled_back() -> None:
    fleet = FleetDetector(TAGS, RIG, assets=1)
    fleet.fit(0, pump(600, 1))
    drifting = pump(2000, 2) + np.linspace(0.0, 30.0, 2000)[:, None] * [1.0, 0.0, 0.0]
    for row in drifting:
        fleet.update(row[None])
    assert fleet.shift(0)[FLOW] > 15.0
    fleet.roll_back(0)
    assert fleet.shift(0).tolist() == [0.0, 0.0, 0.0]


def test_each_operating_mode_has_a_memory_of_its_own() -> None:
    tags = (*TAGS, Tag(name="running", mode=True))
    running = np.repeat(np.arange(10) % 2, 60)[:, None].astype(float)
    rows = np.c_[pump(600, 1) * running, running]
    detector = Detector(tags, dataclasses.replace(RIG, smoothing=0.5))
    detector.fit(rows)
    usual = told(detector, rows)
    # Flow and power of a pump that is said to stand still.
    false = told(detector, np.c_[pump(60, 3), np.zeros(60)])
    assert usual[:, 0].mean() < 0.02
    assert false[10:, 0].all()
    assert not detector.explain().pooled


def test_a_level_that_no_flow_explains_breaks_the_balance() -> None:
    noise = np.random.default_rng(7)
    rows = 2000
    inflow = 50.0 + 20.0 * np.sin(np.arange(rows) / 7.0) + noise.normal(size=rows)
    outflow = 50.0 + 15.0 * np.sin(np.arange(rows) / 11.0) + noise.normal(size=rows)
    level = 4.0 + np.cumsum((inflow - outflow) / 400.0)
    table = np.stack([level, inflow, outflow], axis=1)
    tags = (Tag(name="level", level=True), Tag(name="inflow"), Tag(name="outflow"))
    detector = Detector(tags, dataclasses.replace(DISTRICT, memories=100))
    detector.fit(table[:1500])
    spoofed = table[1500:].copy()
    spoofed[200:, 0] = spoofed[200, 0]
    answer = told(detector, spoofed)
    assert answer[:200, 0].mean() < 0.05
    assert answer[220:, 0].mean() > 0.9
    assert set(answer[240:300, 3]) == {0}
