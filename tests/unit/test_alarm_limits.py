"""Limits, deadband, delays, rates, states and quality: what is raised, and when."""

from random import Random

import pytest
from alarming import LOW, PT, Control, asset, register
from msgspec.structs import replace

from ic3.domain.alarm_rules import Rule
from ic3.domain.alarms import Priority

HIGH = Rule(rule_id=2, name="high", kind="high", parameter="PRESSURE", limit=4.0, deadband=0.5)
HIGH_HIGH = replace(HIGH, rule_id=3, name="high-high", kind="high_high", limit=5.0)


def test_alarm_says_what_was_measured() -> None:
    control = Control(replace(LOW, notify=("night shift",), text="Supply"))
    control.say(PRESSURE=0.21)
    alarm = control.alarm("PRESSURE.low")
    assert alarm.text == "Supply: Pressure 0.21 bar, below 0.35"
    assert (alarm.value, alarm.limit, alarm.unit) == (0.21, 0.35, "bar")
    assert (alarm.domain, alarm.dma_id, alarm.tag) == ("DEL-D03", "DEL-D03-A2", "PRESSURE")
    assert (alarm.rule_id, alarm.notify) == (1, ("night shift",))


def test_noise_around_a_limit_is_one_alarm() -> None:
    control, noise = Control(replace(LOW, on_delay_s=60.0, off_delay_s=60.0)), Random(1)
    for _ in range(1000):
        control.say(PRESSURE=0.35 + noise.gauss(0, 0.02))
    assert control.words == ["new PRESSURE.low"]


def test_limit_itself_is_an_alarm_and_the_deadband_holds_it() -> None:
    control = Control(HIGH)
    seen = []
    for value in (3.99, 4.0, 3.6, 3.51, 3.5, 3.9, 4.0):
        control.say(PRESSURE=value)
        seen.append("PRESSURE.high" in control.active)
    assert seen == [False, True, True, True, False, False, True]


def test_low_limit_is_the_mirror() -> None:
    control = Control(LOW)
    seen = []
    for value in (0.36, 0.35, 0.44, 0.46, 0.4):
        control.say(PRESSURE=value)
        seen.append("PRESSURE.low" in control.active)
    assert seen == [False, True, True, False, False]


def test_on_delay_ends_between_two_sweeps() -> None:
    control = Control(replace(LOW, on_delay_s=20.0))
    control.say(PRESSURE=0.1)
    control.say(PRESSURE=0.1)
    control.tick(4)
    assert control.active == []
    control.tick(1)
    assert control.active == ["PRESSURE.low"]


def test_on_delay_begins_anew_after_a_good_value() -> None:
    control = Control(replace(LOW, on_delay_s=30.0))
    for value in (0.1, 0.1, 2.0, 0.1, 0.1):
        control.say(PRESSURE=value)
    assert control.active == []
    control.say(PRESSURE=0.1)
    assert control.active == ["PRESSURE.low"]


def test_off_delay_outlasts_a_short_recovery() -> None:
    control = Control(replace(LOW, off_delay_s=30.0))
    for value in (0.1, 2.0, 2.0, 0.1, 2.0):
        control.say(PRESSURE=value)
    assert control.words == ["new PRESSURE.low"]
    control.say(PRESSURE=2.0)
    control.say(PRESSURE=2.0)
    assert control.words == ["new PRESSURE.low", "return PRESSURE.low"]


def test_high_high_keeps_high_from_being_raised() -> None:
    control = Control(HIGH, HIGH_HIGH)
    control.say(PRESSURE=5.2)
    assert control.active == ["PRESSURE.high_high"]
    control.say(PRESSURE=4.4)
    assert control.active == ["PRESSURE.high"]
    control.say(PRESSURE=5.2)
    assert control.words[-1] == "new PRESSURE.high_high"
    control.say(PRESSURE=2.0)
    assert control.active == []


def test_bad_values_hold_the_limits_and_are_told_as_quality() -> None:
    quality = Rule(rule_id=9, name="quality", kind="quality")
    control = Control(LOW, quality)
    control.say(PRESSURE=0.1)
    control.clock.wait(15)
    control.sweep(control.record(PRESSURE=2.0, quality="BAD"))
    assert control.active == ["PRESSURE.low", "quality"]
    assert control.alarm("quality").text == "The source says BAD"
    control.say(PRESSURE=2.0)
    assert control.active == []
    control.say(PRESSURE=0.1)
    control.say(PRESSURE=99.0)
    assert control.active == ["PRESSURE.low", "quality"]
    assert control.alarm("quality").text == "Pressure 99 bar is outside its range"
    control.say(PRESSURE=2.0)
    assert control.active == []


def test_bad_value_never_raises_a_limit() -> None:
    control = Control(LOW, replace(LOW, rule_id=2, name="q", kind="quality", limit=None,
                                   deadband=0.0))  # fmt: skip
    control.clock.wait(15)
    control.sweep(control.record(PRESSURE=0.1, quality="bad"))
    assert control.active == ["PRESSURE.quality"]
    control.say(PRESSURE="ERR")
    assert control.active == ["PRESSURE.quality"]
    assert control.words == ["new PRESSURE.quality"]


def test_no_delay_ends_by_bad_values() -> None:
    control = Control(replace(LOW, on_delay_s=30.0))
    control.say(PRESSURE=0.1)
    for _ in range(10):
        control.say(PRESSURE="ERR")
    assert control.active == []
    control.say(PRESSURE=0.1)
    assert control.active == ["PRESSURE.low"]


def test_null_and_absent_values_change_nothing() -> None:
    control = Control(LOW)
    control.say(PRESSURE=0.1)
    control.say(PRESSURE=None)
    control.say(FLOW_RATE=1.0)
    assert control.active == ["PRESSURE.low"]


def test_rate_is_by_the_time_of_the_source() -> None:
    rate = Rule(rule_id=1, name="rate", kind="rate", parameter="FLOW_RATE", limit=100.0)
    control = Control(rate)
    control.say(FLOW_RATE=200.0)
    control.say(FLOW_RATE=224.0)  # 96 m3/h a minute
    assert control.active == []
    control.say(FLOW_RATE=199.0)
    alarm = control.alarm("FLOW_RATE.rate")
    assert (alarm.value, alarm.unit) == (100.0, "m3/h/min")
    assert alarm.text == "Flow changes by 100 m3/h a minute, more than 100"
    control.say(FLOW_RATE=199.0)
    assert control.active == []


def test_two_records_at_almost_the_same_time_are_no_sudden_change() -> None:
    """A meter that speaks on change: its noise within a tenth of a second is no burst."""
    rate = Rule(rule_id=1, name="rate", kind="rate", parameter="FLOW_RATE", limit=150.0)
    control = Control(rate)
    control.say(FLOW_RATE=200.0)
    control.say(FLOW_RATE=201.0, wait_s=0.1)
    assert control.active == []
    control.say(FLOW_RATE=240.0, wait_s=1.0)
    assert control.active == ["FLOW_RATE.rate"]


def test_start_and_stop_are_no_rate() -> None:
    rate = Rule(rule_id=1, name="rate", kind="rate", parameter="FLOW_RATE", limit=100.0)
    control = Control(rate)
    for flow in (200.0, 0.3, -0.2, 210.0, 320.0):
        control.say(FLOW_RATE=flow)
    assert control.words == ["new FLOW_RATE.rate"]


def test_states_are_numbers_or_words_without_case() -> None:
    words = Rule(rule_id=1, name="s", kind="state", parameter="MODE", states=("Local", 3))
    control = Control(words)
    seen = []
    for value in ("REMOTE", "LOCAL", "remote", 3, True, None, "local"):
        control.say(MODE=value)
        seen.append("MODE.state" in control.active)
    assert seen == [False, True, False, True, False, False, True]
    assert control.alarm("MODE.state").text == "Mode is Local"


def test_the_more_specific_rule_holds() -> None:
    general = replace(LOW, limit=1.0, priority=Priority.LOW)
    own = replace(LOW, rule_id=2, name="own", limit=0.2, serial=PT)
    other = asset("Model Town_PT_5", 2, dma_id="DEL-D03-A1")
    control = Control(general, own, known=register(asset(), other))
    control.clock.wait(15)
    control.sweep(control.record(PRESSURE=0.5), control.record(other.serial, PRESSURE=0.5))
    assert [each.source for each in control.alarms.open] == [other.serial]


def test_any_dma_means_assets_that_stand_in_one() -> None:
    main = asset("Works_PT_1", 2, dma_id=None)
    control = Control(replace(LOW, dma_id="*"), known=register(asset(), main))
    control.clock.wait(15)
    control.sweep(control.record(PRESSURE=0.1), control.record(main.serial, PRESSURE=0.1))
    assert [each.source for each in control.alarms.open] == [PT]


def test_changed_rule_judges_the_value_that_is_known() -> None:
    control = Control(LOW)
    control.say(PRESSURE=0.5)
    control.rules.replace([replace(LOW, limit=0.6)])
    control.compile()
    control.tick()
    assert control.active == ["PRESSURE.low"]


def test_rule_that_is_taken_away_takes_its_alarm_along() -> None:
    control = Control(LOW)
    control.say(PRESSURE=0.1)
    control.rules.replace([replace(LOW, enabled=False)])
    control.compile()
    assert control.words == ["new PRESSURE.low", "return PRESSURE.low"]


def test_change_of_the_register_keeps_alarms_and_delays() -> None:
    control = Control(replace(LOW, on_delay_s=40.0), HIGH)
    control.say(PRESSURE=0.1)
    control.latest.register = register(asset("A_PT_1", 7), asset(), version=2)
    control.compile()
    control.say(PRESSURE=0.1)
    control.say(PRESSURE=0.1)
    assert control.active == []
    control.tick(10)
    assert control.active == ["PRESSURE.low"]
    control.latest.register = register(asset("A_PT_1", 7), version=3)
    control.compile()
    assert control.active == []


def test_nothing_is_compiled_twice_for_the_same_versions() -> None:
    control = Control(LOW)
    points = control.worker.assets.book.points
    control.compile()
    assert control.worker.assets.book.points is points


def test_flood_is_told_in_portions_the_most_urgent_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ic3.domain.alarm_book.MOST_FLIPS", 2)
    flow = Rule(rule_id=2, name="flow", kind="high", parameter="FLOW_RATE", limit=1.0,
                priority=Priority.HIGH)  # fmt: skip
    control = Control(LOW, flow, known=register(asset("A", 1), asset("B", 2)))
    control.clock.wait(15)
    control.sweep(*(control.record(name, PRESSURE=0.1, FLOW_RATE=2.0) for name in "AB"))
    assert [each.condition for each in control.alarms.open] == ["FLOW_RATE.high"] * 2
    control.tick()
    assert len(control.alarms.open) == 4
