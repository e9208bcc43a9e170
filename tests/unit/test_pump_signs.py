"""Signs of trouble, each made by the readings that show it."""

import numpy as np
import pytest

from ic3.analytics.pump_curves import Expectation, PumpReference
from ic3.analytics.pump_health import PumpAssessment, assess
from ic3.analytics.pump_limits import limits_for
from ic3.analytics.pump_samples import PumpNameplate, PumpSamples

# In health: 2 mm/s at any load, bearing 20 K under the winding, flow rough by 1 %.
REFERENCE = PumpReference(
    nominal_rpm=1480, head0_m=50, head_fall=2e-4, eta_rise=0.0056, eta_fall=1.12e-5,
    best_flow_m3_h=250, vibration=Expectation((2.0, 0.0, 0.0, 0.0)),
    bearing=Expectation((-20.0, 0.0, 0.0, 1.0)), flow_noise=0.01,
)  # fmt: skip
PLATE = PumpNameplate(nominal_rpm=1480, rated_kw=45, npsh_required_m=3)


def judged(**readings: float) -> PumpAssessment:
    """An hour at 240 m3/h, on the curve unless told otherwise."""
    hour = {
        "flow_m3_h": 240, "suction_bar": 0.35, "discharge_bar": 0.35 + 38.48 / 10.2,
        "power_kw": 240 * 38.48 / 367 / 0.69888, "speed_rpm": 1480, "vibration_de_mm_s": 2.0,
        "bearing_c": 40, "winding_c": 60,
    } | readings  # fmt: skip
    samples = PumpSamples(
        at_s=np.arange(0.0, 3600, 15),
        running=np.ones(240),
        **{name: np.full(240, float(value)) for name, value in hour.items()},
    )
    return assess(samples, REFERENCE, limits_for(PLATE), plate=PLATE)


def names(assessment: PumpAssessment) -> list[str]:
    return [sign.name for sign in assessment.signs]


def test_healthy_pump_shows_no_sign() -> None:
    assessment = judged()
    assert names(assessment) == []
    assert assessment.worst.startswith("No cause for concern")
    assert assessment.recommendations == ()


def test_no_flow_and_no_power_is_a_dry_run() -> None:
    # At shut-off it would take 50 / 367 / .0056 = 24.3 kW.
    assessment = judged(flow_m3_h=0, discharge_bar=0.4, power_kw=10)
    assert names(assessment) == ["dry run"]
    assert assessment.recommendations[0].startswith("Stop the pump now")
    assert assessment.worst == assessment.signs[0].sentence


def test_no_flow_at_shut_off_head_is_a_closed_discharge() -> None:
    shut = judged(flow_m3_h=0, discharge_bar=0.35 + 49 / 10.2, power_kw=24)
    assert names(shut) == ["closed discharge"]


def test_vibration_with_hydraulics_unchanged_is_imbalance() -> None:
    assert names(judged(vibration_de_mm_s=4.5)) == ["imbalance"]


def test_vibration_with_a_hot_bearing_is_the_bearing() -> None:
    assert names(judged(vibration_de_mm_s=4.5, bearing_c=58)) == ["bearing"]


def test_vibration_with_lost_head_is_not_called_imbalance() -> None:
    assert names(judged(vibration_de_mm_s=4.5, discharge_bar=0.35 + 35 / 10.2)) == []


def test_lost_head_at_low_suction_with_vibration_is_cavitation() -> None:
    cavitating = judged(suction_bar=-0.7, discharge_bar=-0.7 + 36 / 10.2, vibration_de_mm_s=3.5)
    assert names(cavitating) == ["cavitation"]
    assert cavitating.recommendations[0].startswith("Raise the suction level")


def test_lost_head_with_good_suction_is_no_cavitation() -> None:
    assert names(judged(discharge_bar=0.35 + 36 / 10.2)) == []


@pytest.mark.parametrize("minutes", [2, 10])
def test_closed_discharge_of_a_moment_is_no_sign(minutes: int) -> None:
    flow = np.full(240, 240.0)
    flow[100 : 100 + 4 * minutes] = 0.0
    head_m = 50 - 2e-4 * flow**2
    samples = PumpSamples(
        at_s=np.arange(0.0, 3600, 15), running=np.ones(240), flow_m3_h=flow,
        suction_bar=np.full(240, 0.35), discharge_bar=0.35 + head_m / 10.2,
        power_kw=np.full(240, 30.0), speed_rpm=np.full(240, 1480.0),
    )  # fmt: skip
    assert names(assess(samples, REFERENCE, limits_for(PLATE), plate=PLATE)) == []
