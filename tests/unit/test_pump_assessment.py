"""Pump health: every figure beside the one worked out by hand."""

import numpy as np
import pytest

from ic3.analytics.pump_curves import (
    PumpReference,
    healthy_points,
    learned_reference,
    makers_reference,
    specific_speed_us,
)
from ic3.analytics.pump_health import GroupScore, PumpAssessment, assess, combine
from ic3.analytics.pump_limits import Limit, PumpLimits, limits_for
from ic3.analytics.pump_samples import (
    Floats,
    PumpNameplate,
    PumpSamples,
    current_unbalance_percent,
    duty,
    settled,
    steady,
)
from ic3.analytics.pump_scores import SubScore
from ic3.errors import InputError

REFERENCE = PumpReference(
    nominal_rpm=1480, head0_m=50, head_fall=2e-4, eta_rise=0.0056, eta_fall=1.12e-5,
    best_flow_m3_h=250,
)  # fmt: skip
PLATE = PumpNameplate(
    nominal_rpm=1480, rated_kw=45, rated_current_a=80, rated_voltage_v=415, npsh_required_m=3,
    insulation_class="F", starts_per_hour=6, overhaul_h=8000,
)  # fmt: skip
MINUTES = np.arange(0.0, 3600, 15)


def steady_run(count: int = 240, **readings: float) -> PumpSamples:
    """An hour in which nothing moves."""
    hour = {
        "flow_m3_h": 240, "suction_bar": 0.35, "discharge_bar": 3.75, "power_kw": 36,
        "speed_rpm": 1450, "vibration_de_mm_s": 3.1, "vibration_nde_mm_s": 2.6, "bearing_c": 48,
        "winding_c": 138, "current_a": 82, "voltage_v": 407,
    } | readings  # fmt: skip
    return PumpSamples(
        at_s=np.arange(0.0, 15.0 * count, 15),
        running=np.ones(count),
        **{name: np.full(count, float(value)) for name, value in hour.items()},
    )


def judged(samples: PumpSamples, reference: PumpReference | None = REFERENCE) -> PumpAssessment:
    return assess(samples, reference, limits_for(PLATE), plate=PLATE, run_h_since_overhaul=6000)


def sub(assessment: PumpAssessment, name: str) -> SubScore:
    return next(each for each in assessment.sub_scores if each.name == name)


def test_head_by_hand() -> None:
    # H = 3.4 * 10.2 = 34.68 m; n0/n = 1.0206897; Q' = 244.965517, H' = 36.129880
    # H_ref = 50 - 2e-4 * 244.965517² = 37.998379; I = -4.917313 %
    head = sub(judged(steady_run()), "head")
    assert head.value == pytest.approx(-4.917313, abs=1e-6)
    assert head.score == pytest.approx(60.661492, abs=1e-5)


def test_efficiency_by_hand() -> None:
    # 240 * 34.68 / 367 / 36 = 0.629973; ref = .0056 * 244.965517 - 1.12e-5 * 244.965517²
    efficiency = sub(judged(steady_run()), "efficiency")
    assert efficiency.value == pytest.approx(100 * (0.6299727520 / 0.6997161284 - 1), abs=1e-6)
    assert efficiency.score == pytest.approx(20.260956, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "value", "score"),
    [
        ("vibration", 3.1, 84.0),  # between 2.5 and 4.0
        ("operating region", 244.9655172 / 250, 100.0),
        ("NPSH", (0.35 + 0.988 - 0.042) * 10.2 / 3, 100.0),
        ("winding temperature", 138.0, 100 - 40 * 8 / 15),  # class F: 130, 145, 155
        ("current", 82 / 80, 80.0),
        ("voltage deviation", 100 * (1 - 407 / 415), 100.0),
        ("starts", 0.0, 100.0),
        ("run hours since overhaul", 6000.0, 80.0),
    ],
)
def test_sub_score_by_hand(name: str, value: float, score: float) -> None:
    found = sub(judged(steady_run()), name)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.score == pytest.approx(score, abs=1e-6)


def test_health_by_hand() -> None:
    # hydraulic 20.260956, vibration 84, thermal 78.666667, operation 100, electrical 80
    mean = 0.35 * 20.2609560 + 0.25 * 84 + 0.15 * 78.6666667 + 0.15 * 100 + 0.1 * 80
    assessment = judged(steady_run())
    assert assessment.health == pytest.approx(0.6 * 20.2609560 + 0.4 * mean, abs=1e-5)
    assert assessment.coverage == pytest.approx(1.0)
    assert assessment.sec_kwh_m3 == pytest.approx(0.15)
    assert assessment.worst.startswith("Efficiency 10.0 % below its reference (score 20)")


def test_combination_is_the_golden_one() -> None:
    groups = [
        GroupScore("hydraulic", 0.35, 52), GroupScore("vibration", 0.25, 80),
        GroupScore("thermal", 0.15, 100), GroupScore("operation", 0.15, None),
        GroupScore("electrical", 0.10, 90),
    ]  # fmt: skip
    combined = combine(groups)
    assert combined.health == pytest.approx(60.470588, abs=1e-6)
    assert combined.coverage == pytest.approx(0.85)


@pytest.mark.parametrize(
    ("value", "score"),
    [(1.0, 100.0), (0.0, 100.0), (-2.5, 80.0), (-5.0, 60.0), (-7.5, 40.0), (-10, 20), (-12.5, 0),
     (-40.0, 0.0)],
)  # fmt: skip
def test_scores_are_linear_between_the_points_and_beyond(value: float, score: float) -> None:
    assert Limit(0, -5, -10, "%", "IC3").score(value) == pytest.approx(score)


def test_limit_that_turns_back_is_refused() -> None:
    with pytest.raises(InputError, match="neither rise nor fall"):
        Limit(1, 3, 2, "mm/s", "IC3")


def test_thin_npsh_margin_scores_60_at_most() -> None:
    # Available (-0.6 + 0.988 - 0.042) * 10.2 = 3.5292 m of 3: ratio 1.1764, margin 0.53 m
    found = sub(judged(steady_run(suction_bar=-0.6)), "NPSH")
    assert found.value == pytest.approx(1.1764, abs=1e-6)
    assert found.score == 60.0
    assert found.reason == "margin under 1 m: 60 at most"


def test_pump_with_status_and_current_alone_has_no_health_and_says_why() -> None:
    samples = PumpSamples(at_s=MINUTES, running=np.ones(240), current_a=np.full(240, 70.0))
    assessment = judged(samples, None)
    assert assessment.health is None
    assert assessment.worst == assessment.reason
    assert assessment.coverage == pytest.approx(0.1)
    assert assessment.reason == (
        "not computed: only 10% of the weights are covered, 25% are needed; nothing is known of "
        "hydraulic, vibration, thermal, operation and NPSH"
    )
    assert sub(assessment, "head").reason == "not computed: no reading of flow"
    assert sub(assessment, "current").score == 100.0
    assert assessment.operating_point is None
    assert assessment.sec_reason == "not computed: no power and flow together while it ran"


def test_pump_without_a_curve_says_so() -> None:
    assert sub(judged(steady_run(), None), "head").reason == (
        "not computed: no reference curve: neither the maker's nor one of healthy days"
    )


def test_pump_that_stands_says_so() -> None:
    samples = PumpSamples(
        at_s=MINUTES, running=np.zeros(240), vibration_de_mm_s=np.zeros(240)
    )  # fmt: skip
    assert sub(judged(samples), "vibration").reason == (
        "not computed: it did not run, or not long enough to settle"
    )


def test_samples_out_of_quality_do_not_count() -> None:
    readings = np.where(np.arange(240) % 2 == 0, 3.0, np.nan)
    samples = PumpSamples(at_s=MINUTES, running=np.ones(240), vibration_de_mm_s=readings)
    found = sub(judged(samples), "vibration")
    assert (found.value, found.samples) == (3.0, 116)


def test_scores_hold_at_any_speed() -> None:
    slow = steady_run(
        flow_m3_h=240 * 0.9, discharge_bar=0.35 + 3.4 * 0.81, power_kw=36 * 0.729,
        speed_rpm=1450 * 0.9,
    )  # fmt: skip
    assert judged(slow).value("head") == pytest.approx(-4.917313, abs=1e-6)
    assert judged(slow).value("efficiency") == pytest.approx(-9.967381, abs=1e-5)


def test_velocity_head_counts_where_both_bores_are_known() -> None:
    plate = PumpNameplate(nominal_rpm=1480, suction_mm=250, discharge_mm=200, gauge_rise_m=0.5)
    point = assess(steady_run(), None, PumpLimits(), plate=plate).operating_point
    assert point is not None
    # v = 240 / 3600 / A: 2.122066 and 1.358122 m/s; heads .229519 and .094011 m
    assert point.head_m == pytest.approx(34.68 + 0.5 + 0.229519 - 0.094011, abs=1e-5)


def test_settling_and_unsteady_flow_are_left_out() -> None:
    running = np.where((MINUTES >= 900) & (MINUTES < 2700), 1.0, 0.0)
    flow = np.where(MINUTES >= 1800, 240.0 + 30 * np.sin(MINUTES), 240.0)
    samples = PumpSamples(
        at_s=MINUTES, running=running, flow_m3_h=flow, speed_rpm=np.full(240, 1450.0)
    )
    assert np.flatnonzero(settled(samples)).tolist() == list(range(68, 180))
    assert np.flatnonzero(steady(samples, PLATE)).tolist() == list(range(68, 121))


def test_starts_and_run_hours_by_hand() -> None:
    at_s = np.arange(0.0, 4 * 3600, 300)
    running = ((at_s // 900) % 2 == 1).astype(float)
    running[at_s >= 3 * 3600] = 0.0
    found = duty(PumpSamples(at_s=at_s, running=running))
    assert (found.starts, found.most_starts_per_hour) == (6, 2)
    assert found.run_h == pytest.approx(1.5)
    assert found.known_h == pytest.approx(47 * 300 / 3600)


def test_a_gap_counts_for_nothing() -> None:
    at_s = np.array([0.0, 300, 600, 7200, 7500])
    found = duty(PumpSamples(at_s=at_s, running=np.ones(5)))
    assert (found.starts, found.run_h) == (0, 0.25)


def test_times_that_do_not_rise_are_refused() -> None:
    with pytest.raises(InputError, match="do not rise"):
        PumpSamples(at_s=np.array([0.0, 0.0]))


def test_phases_by_hand() -> None:
    assert current_unbalance_percent(np.array([[100.0, 104, 96]])) == pytest.approx([4.0])


def test_specific_speed_by_hand() -> None:
    # 1480 rpm, 250 m3/h = 1100.717 gpm, 37.5 m = 123.0315 ft
    assert specific_speed_us(1480, 250, 37.5) == pytest.approx(1329.19, abs=0.01)


def test_limits_follow_the_plate() -> None:
    limits = limits_for(PumpNameplate(rated_kw=250, insulation_class="H"), specific_speed_us=5000)
    assert (limits.vibration.at_60, limits.winding.at_20, limits.flow_low.at_100) == (5, 180, 0.8)
    assert limits.vibration.verify
    assert "ISO 10816-7" in limits.vibration.source


def test_unknown_class_names_those_there_are() -> None:
    with pytest.raises(InputError, match="category I, category II"):
        limits_for(PumpNameplate(), vibration_class="category 3")


# The reference


def test_makers_points_give_the_curve_back() -> None:
    flow = [100.0, 200, 250, 300]
    made = makers_reference(
        nominal_rpm=1480, flow_m3_h=flow, head=[50 - 2e-4 * q * q for q in flow],
        efficiency=[0.0056 * q - 1.12e-5 * q * q for q in flow],
    )  # fmt: skip
    assert made.head0_m == pytest.approx(50)
    assert made.head_fall == pytest.approx(2e-4)
    assert made.best_flow_m3_h == pytest.approx(250)


def healthy_day(seed: int, *, wear: float = 1.0, vibration: float = 1.0) -> PumpSamples:
    """A day of a pump whose speed follows the hour."""
    random = np.random.default_rng(seed)
    count = 1440
    at_s = np.arange(0.0, 86400, 60)
    speed = 0.92 + 0.08 * np.sin(2 * np.pi * at_s / 86400)
    flow_n = 240 + 25 * np.cos(2 * np.pi * at_s / 86400)
    head_n = wear * (50 - 2e-4 * flow_n**2)
    kw_n = flow_n * head_n / 367 / (0.0056 * flow_n - 1.12e-5 * flow_n**2)

    def noisy(values: Floats, share: float) -> Floats:
        return values * (1 + share * random.standard_normal(count))

    winding = 60 + 20 * speed + 8 * np.sin(2 * np.pi * at_s / 86400)
    return PumpSamples(
        at_s=at_s, running=np.ones(count), flow_m3_h=noisy(flow_n * speed, 0.01),
        suction_bar=np.full(count, 0.3), discharge_bar=0.3 + head_n * speed**2 / 10.2,
        power_kw=noisy(kw_n * speed**3, 0.01), speed_rpm=1480 * speed,
        vibration_de_mm_s=noisy(vibration * (1.2 + 0.5 * speed**2), 0.02),
        bearing_c=winding - 20 + random.standard_normal(count) * 0.3, winding_c=winding,
    )  # fmt: skip


def learned(days: int) -> PumpReference:
    points = [healthy_points(healthy_day(seed), PLATE) for seed in range(days)]
    reference = learned_reference(points, PLATE)
    assert reference is not None
    return reference


def test_reference_is_learned_from_healthy_days() -> None:
    reference = learned(30)
    assert reference.head_m(np.array(240.0)) == pytest.approx(38.48, rel=0.003)
    assert reference.efficiency(np.array(240.0)) == pytest.approx(0.6989, rel=0.003)
    assert reference.best_flow_m3_h == pytest.approx(250, rel=0.05)
    assert reference.source == "first 30 healthy days"
    assert reference.is_whole


def test_reference_of_few_days_is_provisional() -> None:
    assessment = assess(healthy_day(99), learned(3), limits_for(PLATE), plate=PLATE)
    assert assessment.is_provisional
    assert assessment.reference == "first 3 healthy days"
    assert assessment.value("head") == pytest.approx(0, abs=0.3)


def test_wear_that_sets_in_while_learning_does_not_become_the_measure() -> None:
    days = [healthy_day(seed, wear=1 - 0.011 * max(0, seed - 4)) for seed in range(15)]
    reference = learned_reference([healthy_points(day, PLATE) for day in days], PLATE)
    assert reference is not None
    assert reference.days == 6
    assert reference.head_m(np.array(240.0)) == pytest.approx(38.48, rel=0.006)


def test_no_reference_of_next_to_nothing() -> None:
    assert learned_reference([np.empty((0, 10))], PLATE) is None


def test_wear_is_found_against_the_learned_reference() -> None:
    assessment = assess(healthy_day(7, wear=0.93), learned(5), limits_for(PLATE), plate=PLATE)
    assert assessment.value("head") == pytest.approx(-7, abs=0.3)
    assert assessment.worst.startswith("Head 7")
    assert "wear rings" in assessment.recommendations[0]


def test_flow_outside_of_what_was_learned_is_not_judged() -> None:
    samples = steady_run(flow_m3_h=80, discharge_bar=5)
    reason = sub(assess(samples, learned(3), limits_for(PLATE), plate=PLATE), "head").reason
    assert reason.startswith("not computed: the flow lay outside of what the reference is known")


def odd_readings(seed: int) -> PumpSamples:
    """Anything that a feed may bring: holes, zeros, nonsense, hardly any rows."""
    random = np.random.default_rng(seed)
    count = int(random.choice([0, 1, 4, 5, 6, 60]))
    spans = {"running": 2.0, "flow_m3_h": 400.0, "suction_bar": 2.0, "discharge_bar": 6.0,
             "power_kw": 60.0, "speed_rpm": 1500.0, "current_a": 100.0, "voltage_v": 500.0,
             "vibration_de_mm_s": 9.0, "bearing_c": 90.0, "winding_c": 150.0}  # fmt: skip
    rows = np.array(list(spans.values()))[:, None] * random.choice([0.0, 0.6, 1.0], (11, 1))
    rows = rows * random.choice([np.ones(count), random.random(count)])
    rows[random.random((11, count)) < random.choice([0.0, 0.3])] = np.nan
    rows[0] = np.floor(rows[0])
    return PumpSamples(at_s=np.arange(0.0, 300 * count, 300), **dict(zip(spans, rows, strict=True)))


@pytest.mark.parametrize("seed", range(60))
def test_every_sub_score_is_whole_or_says_why_not(seed: int) -> None:
    for found in judged(odd_readings(seed)).sub_scores:
        is_missing = found.reason.startswith("not computed: ")
        assert (found.score is None) == (found.value is None) == is_missing
        assert np.isfinite([each.value for each in found.inputs]).all()
