"""Leak alarms by night and by hour, on flows whose leaks are known."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from ic3.analytics.hourly_alarm import HourlyAlarm
from ic3.analytics.inflow import Floats
from ic3.analytics.leak_alarms import LeakVerdict, step_sigma
from ic3.analytics.leak_probability import BURST_BY_HOUR, LEAK_BY_NIGHT, leak_probability
from ic3.analytics.nightly_alarm import NightlyAlarm
from ic3.errors import InputError

NIGHTS = np.arange(200)
HOURS = np.arange(24 * 7 * 8)


def night_flows(added: npt.ArrayLike = 0.0) -> Floats:
    """Nights of 40 m3/h, half as much again on Sundays, noise of 1 m3/h."""
    noise = np.random.default_rng(1).standard_normal(len(NIGHTS))
    flows: Floats = 40.0 + 20.0 * (NIGHTS % 7 == 6) + noise + np.asarray(added)
    return flows


def run_nights(
    flows: Floats, alarm: NightlyAlarm | None = None, first: int = 0
) -> list[LeakVerdict]:
    alarm = alarm or NightlyAlarm()
    return [
        alarm.update(weekday=(first + at) % 7, night_m3_h=flow, day_m3_h=flow + 60.0)
        for at, flow in enumerate(flows.tolist())
    ]


def hour_flows(added: npt.ArrayLike = 0.0) -> Floats:
    """100 m3/h with two peaks a day, noise of 2 %."""
    noise = np.random.default_rng(2).standard_normal(len(HOURS))
    shape = 100 + 40 * np.sin(2 * np.pi * HOURS / 12)
    flows: Floats = shape * (1 + 0.02 * noise) + np.asarray(added)
    return flows


def run_hours(flows: Floats, alarm: HourlyAlarm | None = None, first: int = 0) -> list[LeakVerdict]:
    alarm = alarm or HourlyAlarm()
    return [
        alarm.update(hour_of_week=(first + at) % 168, inflow_m3_h=flow)
        for at, flow in enumerate(flows.tolist())
    ]


def when(verdicts: list[LeakVerdict], kind: str) -> list[int]:
    return [at for at, each in enumerate(verdicts) if each.kind == kind]


def test_quiet_nights_and_sundays_raise_nothing() -> None:
    verdicts = run_nights(night_flows())
    assert when(verdicts, "leak") == []
    assert verdicts[-1].kind == "quiet"


def test_first_nights_are_learned_from() -> None:
    assert when(run_nights(night_flows()), "learning") == list(range(7))


def test_sudden_leak_is_told_once_with_its_size() -> None:
    verdicts = run_nights(night_flows(10.0 * (NIGHTS >= 100)))
    (at,) = when(verdicts, "leak")
    assert 100 <= at <= 102
    assert verdicts[at].size_m3_h == pytest.approx(10, abs=3)
    assert verdicts[at].since == at - 99
    assert verdicts[at].cusum_share > 1
    assert verdicts[150].loss_m3_h == pytest.approx(10, abs=4)
    assert verdicts[150].peak_share == verdicts[at].cusum_share


def test_fast_growing_leak_is_told_once() -> None:
    grown = 12.0 * np.clip((NIGHTS - 80) / 20, 0, 1)
    assert len(when(run_nights(night_flows(grown)), "leak")) == 1


def test_second_leak_shows_beside_the_first() -> None:
    added = 10.0 * (NIGHTS >= 80) + 12.0 * (NIGHTS >= 140)
    first, second = when(run_nights(night_flows(added)), "leak")
    assert 80 <= first <= 82
    assert 140 <= second <= 142


def test_repair_is_marked_and_ends_the_loss() -> None:
    verdicts = run_nights(night_flows(10.0 * ((NIGHTS >= 80) & (NIGHTS < 130))))
    (at,) = when(verdicts, "repair")
    assert 130 <= at <= 132
    assert verdicts[-1].loss_m3_h == 0.0


def test_season_by_day_and_night_is_no_leak() -> None:
    season = 1 + 0.10 * np.sin(2 * np.pi * NIGHTS / 365)
    alarm = NightlyAlarm()
    flows = (night_flows() - 10) * season + 10
    verdicts = [
        alarm.update(weekday=at % 7, night_m3_h=flow, day_m3_h=flow + 60 * share)
        for at, (flow, share) in enumerate(zip(flows.tolist(), season.tolist(), strict=True))
    ]
    assert when(verdicts, "leak") == []


def test_missing_night_is_said_and_changes_nothing() -> None:
    flows = night_flows(10.0 * (NIGHTS >= 100))
    alarm = NightlyAlarm()
    run_nights(flows[:60], alarm)
    before = alarm.state()
    assert alarm.update(weekday=4, night_m3_h=math.nan, day_m3_h=90.0).kind == "missing"
    assert alarm.state() == before


def test_restored_nightly_alarm_goes_on_alike() -> None:
    flows = night_flows(10.0 * (NIGHTS >= 100))
    alarm, other = NightlyAlarm(), NightlyAlarm()
    run_nights(flows[:101], alarm)
    other.restore(alarm.state())
    assert run_nights(flows[101:], other, 101) == run_nights(flows[101:], alarm, 101)


def test_quiet_hours_raise_nothing() -> None:
    assert when(run_hours(hour_flows()), "leak") == []


def test_burst_is_told_once_within_hours() -> None:
    verdicts = run_hours(hour_flows(15.0 * (HOURS >= 1000)))
    (at,) = when(verdicts, "leak")
    assert 1000 <= at <= 1012
    assert verdicts[at].size_m3_h == pytest.approx(15, abs=3)
    assert verdicts[1200].loss_m3_h == pytest.approx(15, abs=6)


def test_repaired_burst_is_marked() -> None:
    verdicts = run_hours(hour_flows(20.0 * ((HOURS >= 900) & (HOURS < 1100))))
    assert len(when(verdicts, "leak")) == 1
    (at,) = when(verdicts, "repair")
    assert 1100 <= at <= 1112
    assert verdicts[-1].loss_m3_h == 0.0


def test_missing_hours_raise_nothing() -> None:
    flows = hour_flows()
    flows[700:760] = np.nan
    verdicts = run_hours(flows)
    assert when(verdicts, "leak") == []
    assert when(verdicts, "missing") == list(range(700, 760))


def test_restored_hourly_alarm_goes_on_alike() -> None:
    flows = hour_flows(15.0 * (HOURS >= 1000))
    alarm, other = HourlyAlarm(), HourlyAlarm()
    run_hours(flows[:1001], alarm)
    other.restore(alarm.state())
    assert run_hours(flows[1001:], other, 1001) == run_hours(flows[1001:], alarm, 1001)


@pytest.mark.parametrize("alarm", [NightlyAlarm(), HourlyAlarm()])
def test_state_that_is_none_is_refused(alarm: NightlyAlarm | HourlyAlarm) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        alarm.restore(b"nonsense")


def test_noise_is_blind_to_a_step() -> None:
    values = np.random.default_rng(3).standard_normal(400)
    assert step_sigma((values + 50 * (np.arange(400) > 200)).tolist()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("curve", [LEAK_BY_NIGHT, BURST_BY_HOUR])
def test_probability_never_falls_with_evidence(curve: tuple[tuple[float, float], ...]) -> None:
    likely = [leak_probability(share, curve).value for share in np.linspace(0, 2, 41).tolist()]
    assert likely == sorted(likely)
    assert 0 <= likely[0] < 0.2
    assert likely[-1] > 0.8


def test_what_else_explains_a_rise_lowers_the_probability_and_is_named() -> None:
    alone = leak_probability(1.2, LEAK_BY_NIGHT)
    found = leak_probability(
        1.2, LEAK_BY_NIGHT, neighbours=(0.9, 0.8, 0.1), declared="flushing", is_holiday=True,
        window_shifted=True, meter_trust=30.0,
    )  # fmt: skip
    assert alone.lowered_by == ()
    assert found.value == pytest.approx(alone.value * 0.5 * 0.2 * 0.7 * 0.5 * 0.5)
    assert found.lowered_by == (
        "2 of 3 other DMAs rise alike", "declared: flushing", "a holiday",
        "the supply window has shifted", "a meter's trust is 30",
    )  # fmt: skip
