"""Silence, the past, wrong clocks, restarts and the plant's own words."""

import pytest
from alarming import INTERVAL_S, LOW, PT, Control, HandClock, asset, register
from builders import SECOND_US
from msgspec.structs import replace

from ic3.domain.alarm_rules import Rule
from ic3.domain.alarms import Alarms, AlarmState, Priority
from ic3.domain.mapping import Reading
from ic3.observations import WorkerFailed

HOUR_S = 3600.0
STALE = Rule(rule_id=5, name="stale", kind="stale", priority=Priority.LOW)
HIGH = Rule(rule_id=2, name="high", kind="high", parameter="PRESSURE", limit=4.0)
PLANT = [asset(f"A_PT_{n}", n) for n in range(1, 31)]


def plant(*rules: Rule) -> Control:
    """Thirty assets that have spoken for a while."""
    control = Control(*rules, known=register(*PLANT))
    for _ in range(5):
        all_speak(control)
    return control


def all_speak(
    control: Control, pressure: float = 2.0, *, ahead_s: float = 0.0, silent: int = 0
) -> None:
    control.clock.wait(INTERVAL_S)
    control.sweep(
        *(control.record(each.serial, old_s=-ahead_s, PRESSURE=pressure) for each in PLANT[silent:])
    )


def silent_sweeps(control: Control, number: int, *, error: str | None = None) -> None:
    for _ in range(number):
        control.clock.wait(INTERVAL_S)
        control.sweep(error=error)


# silence


def test_silence_is_an_alarm_and_never_clears_one() -> None:
    control = Control(LOW, STALE)
    for _ in range(5):
        control.say(PRESSURE=0.1)
    silent_sweeps(control, 10)
    assert control.active == ["PRESSURE.low", "stale"]
    control.say(PRESSURE=0.1)
    assert control.active == ["PRESSURE.low"]


def test_silence_of_an_asset_whose_pace_is_unknown_is_told_after_a_day() -> None:
    control = Control(STALE)
    control.say(PRESSURE=2.0)
    silent_sweeps(control, 100)
    assert control.active == []
    control.clock.wait(86_400)
    silent_sweeps(control, 1)
    assert control.active == ["stale"]


def test_silence_ends_no_delay() -> None:
    control = Control(replace(LOW, on_delay_s=120.0))
    control.say(PRESSURE=0.1)
    silent_sweeps(control, 100)
    assert control.active == []
    control.say(PRESSURE=2.0)
    assert control.words == []


def test_lost_gateway_is_one_alarm() -> None:
    control = plant(LOW, STALE)
    all_speak(control, 0.1)
    before = control.words
    silent_sweeps(control, 100, error="gateway: refused")
    assert control.system == ["unreachable"]
    assert control.words == before
    all_speak(control, 0.1)
    assert control.system == []
    assert control.words == before


@pytest.mark.parametrize("late_s", [0.5, 12.0])
def test_gateway_that_is_lost_slowly_is_one_alarm_too(late_s: float) -> None:
    """The third sweep that fails ends only after all have become stale."""
    control = plant(STALE)
    control.clock.wait(0.1)
    for pause_s in (INTERVAL_S, INTERVAL_S, INTERVAL_S + late_s):
        for _ in range(int(2 * pause_s) - 1):
            control.tick(0.5)
        control.clock.wait(0.5)
        control.sweep(error="gateway: no answer")
    control.tick()
    assert (control.system, control.words) == (["unreachable"], [])


def test_our_own_pause_is_no_silence_of_the_plant() -> None:
    control = plant(STALE)
    for _ in range(100):
        control.tick()
    assert (control.system, control.words) == (["overdue"], [])
    control.sweep()
    assert len(control.words) == len(PLANT)


def test_vanished_asset_says_so() -> None:
    control = Control(STALE)
    control.say(PRESSURE=2.0)
    control.feed.freshness._assets[PT].missing = 3  # its key has left the list
    silent_sweeps(control, 1)
    assert control.alarm("stale").text == "Vanished: no longer in the gateway's list"


def test_stale_tag_of_an_asset_that_speaks() -> None:
    control = Control(replace(STALE, parameter="FLOW_RATE"))
    for _ in range(5):
        control.say(PRESSURE=2.0, FLOW_RATE=100.0)
    for _ in range(12):
        control.say(PRESSURE=2.0)
    assert control.active == ["FLOW_RATE.stale"]
    control.say(PRESSURE=2.0, FLOW_RATE=100.0)
    assert control.active == []


# another register


def test_another_register_moves_every_place_and_keeps_what_is_known() -> None:
    slow = replace(LOW, on_delay_s=40.0)
    control = plant(slow)
    all_speak(control, 0.1)
    all_speak(control, 0.1)
    fewer = [each for each in reversed(PLANT) if each.serial not in {"A_PT_2", "A_PT_4"}]
    control.latest.register = register(asset("B_PT_1", 99), *fewer, version=2)
    control.compile()
    control.tick(24.0)
    assert control.alarms.open == []
    control.tick(1.0)
    assert {each.source for each in control.alarms.open} == {each.serial for each in fewer}
    control.latest.register = register(*fewer[:-1], version=3)
    control.compile()
    (over,) = [each.source for each in control.alarms.open if not each.active]
    assert over == "A_PT_1"


# the past, the future, wrong clocks


def test_late_and_future_and_absurd_records_never_alarm() -> None:
    control = Control(LOW)
    control.say(PRESSURE=2.0)
    control.clock.wait(INTERVAL_S)
    for old_s in (30.0, -HOUR_S, 40 * 365 * 86_400.0):
        control.sweep(control.record(old_s=old_s, PRESSURE=0.1, alarm="FAULT"))
    control.tick(600)
    assert control.words == []


def test_history_sent_afterwards_never_alarms_and_is_not_silent_about_it() -> None:
    control = Control(LOW)
    control.say(PRESSURE=2.0)
    control.clock.wait(5 * HOUR_S)
    for minutes in range(60):
        control.clock.wait(INTERVAL_S)
        control.sweep(control.record(old_s=5 * HOUR_S - 60 * minutes, PRESSURE=0.1))
    assert control.active == ["clock"]
    assert "not watched" in control.alarm("clock").text
    control.say(PRESSURE=2.0)
    assert control.active == []


def test_replayed_envelopes_are_not_seen() -> None:
    control = Control(LOW)
    record = control.record(PRESSURE=0.1)
    control.say(PRESSURE=2.0)
    control.sweep(record, record)
    assert control.words == []


def test_clock_that_is_always_late_is_told_and_watched_again() -> None:
    control = Control(LOW)
    for _ in range(8):
        control.clock.wait(INTERVAL_S)
        control.sweep(control.record(old_s=HOUR_S, PRESSURE=0.1))
    assert control.active == ["clock"]
    for _ in range(40):
        control.clock.wait(INTERVAL_S)
        control.sweep(control.record(old_s=HOUR_S, PRESSURE=0.1))
    assert control.active == ["PRESSURE.low", "clock"]


def test_clock_that_is_ahead_is_told() -> None:
    control = Control(LOW, STALE)
    control.say(PRESSURE=2.0)
    for _ in range(10):
        control.clock.wait(INTERVAL_S)
        control.sweep(control.record(old_s=-900, PRESSURE=0.1))
    assert control.active == ["clock"]
    for _ in range(2):
        control.say(PRESSURE=2.0)
    assert control.active == []


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S, 10 * 86_400.0])
def test_step_of_our_own_clock_raises_and_clears_nothing(step_s: float) -> None:
    control = plant(LOW, STALE, replace(LOW, rule_id=8, kind="high", limit=8.0, on_delay_s=60.0))
    for _ in range(10):
        all_speak(control, 0.1, silent=1)
    assert control.active.count("stale") == 1
    before = control.words
    control.clock.wall_us += int(step_s * SECOND_US)
    for _ in range(60):
        # The plant's own clocks did not step.
        all_speak(control, 0.1, ahead_s=-step_s, silent=1)
        control.tick(1)
    assert control.words == before
    control.clock.wall_us -= int(step_s * SECOND_US)
    for _ in range(10):
        all_speak(control, 0.1, silent=1)
    assert control.words == before


@pytest.mark.parametrize("step_s", [HOUR_S, 10 * 86_400.0])
def test_plant_is_watched_on_after_a_step_of_our_own_clock(step_s: float) -> None:
    control = plant(LOW)
    control.clock.wall_us += int(step_s * SECOND_US)
    all_speak(control, 0.1, ahead_s=-step_s)
    assert len(control.active) == len(PLANT)


def test_our_own_clock_behind_is_one_alarm() -> None:
    control = plant(LOW)
    control.clock.wall_us -= int(HOUR_S * SECOND_US)
    for _ in range(10):
        all_speak(control, ahead_s=HOUR_S)
    assert (control.system, control.active) == (["own_clock"], [])


# restarts


def restarted(control: Control, *rules: Rule, known: float | None = None) -> Control:
    """A new process with the alarms of the one before."""
    alarms = Alarms()
    alarms.restore(control.alarms.open, control.alarms.holds, last_id=9, last_hold_id=0)
    control.clock.wait(60)
    again = Control(*rules, alarms=alarms, clock=control.clock, known=control.latest.register)
    again.known()
    if known is not None:
        at_us = control.clock.wall_us - 60 * SECOND_US
        again.latest.replace({1: {"PRESSURE": Reading(1, "PRESSURE", 1, known, None, at_us)}})
    return again


def test_restart_keeps_an_open_alarm_and_does_not_double_it() -> None:
    control = Control(LOW)
    control.say(PRESSURE=0.1)
    again = restarted(control, LOW)
    again.tick()
    again.say(PRESSURE=0.1)
    assert (again.active, again.words) == (["PRESSURE.low"], [])
    again.say(PRESSURE=2.0)
    assert again.words == ["return PRESSURE.low"]


def test_restart_judges_what_was_newest_once_the_asset_is_fresh() -> None:
    first = Control(replace(LOW, on_delay_s=20.0))
    first.say(FLOW_RATE=1.0)
    again = restarted(first, replace(LOW, on_delay_s=20.0), known=0.1)
    again.compile()
    again.tick()
    assert again.active == []
    again.say(FLOW_RATE=1.0)
    again.tick(21)
    assert again.active == ["PRESSURE.low"]


def test_delays_begin_anew_after_a_restart() -> None:
    rule = replace(LOW, on_delay_s=30.0)
    first = Control(rule)
    first.say(PRESSURE=0.1)
    again = restarted(first, rule, known=0.1)
    again.say(PRESSURE=0.1)
    assert again.active == []
    again.say(PRESSURE=0.1)
    again.say(PRESSURE=0.1)
    assert again.active == ["PRESSURE.low"]


def test_restart_keeps_the_alarm_of_a_tag_that_is_still_silent() -> None:
    rule = replace(STALE, parameter="FLOW_RATE")
    control = Control(rule)
    for _ in range(5):
        control.say(PRESSURE=2.0, FLOW_RATE=100.0)
    for _ in range(12):
        control.say(PRESSURE=2.0)
    assert control.active == ["FLOW_RATE.stale"]
    again = restarted(control, rule)
    for _ in range(3):
        again.say(PRESSURE=2.0)
    assert (again.active, again.words) == (["FLOW_RATE.stale"], [])
    again.say(PRESSURE=2.0, FLOW_RATE=100.0)
    assert again.words == ["return FLOW_RATE.stale"]


def test_restart_waits_for_a_tag_as_long_as_for_one_that_has_just_come() -> None:
    rule = replace(STALE, parameter="FLOW_RATE")
    control = Control(rule)
    for _ in range(5):
        control.say(PRESSURE=2.0, FLOW_RATE=100.0)
    again = restarted(control, rule)
    at_us = control.clock.wall_us
    again.latest.replace({1: {"FLOW_RATE": Reading(1, "FLOW_RATE", 1, 100.0, None, at_us)}})
    again.compile()
    again.say(PRESSURE=2.0)
    assert again.active == []
    for _ in range(30):
        again.say(PRESSURE=2.0)
    assert again.active == ["FLOW_RATE.stale"]


def test_restart_returns_what_no_rule_watches_any_more() -> None:
    control = Control(LOW)
    control.say(PRESSURE=0.1)
    again = restarted(control, HIGH)
    assert again.words == ["return PRESSURE.low"]


def test_restart_keeps_words_and_clocks() -> None:
    control = Control(LOW)
    control.say(PRESSURE=2.0)
    word(control, "FAULT")
    for _ in range(6):
        control.clock.wait(INTERVAL_S)
        control.sweep(control.record(old_s=-900))
    assert control.active == ["clock", "source.fault"]
    again = restarted(control, LOW)
    again.tick()
    assert again.words == []
    again.say(PRESSURE=2.0)
    again.say(PRESSURE=2.0, wait_s=61)
    assert again.active == []


# the plant's own words


def word(control: Control, alarm: str | None, **values: float) -> None:
    control.clock.wait(INTERVAL_S)
    control.sweep(replace(control.record(alarm=alarm), values=values))


def test_words_of_the_plant_are_alarms_by_their_priority() -> None:
    control = Control(LOW)
    priorities = []
    for each in ("LOW", "low_low", "HIGH_HIGH", "FAULT"):
        word(control, each)
        (condition,) = control.active
        priorities.append((condition, int(control.alarm(condition).priority)))
    assert priorities == [
        ("source.low", 3), ("source.low_low", 2), ("source.high_high", 2), ("source.fault", 2),
    ]  # fmt: skip


def test_any_other_word_has_priority_three() -> None:
    control = Control(LOW)
    word(control, "Tamper")
    assert control.alarm("source.tamper").priority is Priority.MEDIUM


def test_absent_word_changes_nothing_and_normal_ends_all() -> None:
    control = Control(LOW)
    word(control, "HIGH")
    word(control, "HIGH_HIGH")
    word(control, None)
    word(control, "")
    assert control.active == ["source.high_high"]
    word(control, "NORMAL")
    control.tick(60)
    assert control.active == []
    assert {each.state for each in control.alarms.of("asset", PT)} == {AlarmState.RETURNED}


def test_word_that_flickers_is_one_alarm() -> None:
    control = Control(LOW)
    for number in range(40):
        word(control, "HIGH" if number % 3 == 0 else "NORMAL")
    assert control.words == ["new source.high"]


def test_word_is_left_out_where_a_rule_says_the_same() -> None:
    control = Control(replace(HIGH, on_delay_s=20.0))
    word(control, "HIGH", PRESSURE=4.5)
    control.tick(5)
    assert control.active == []
    word(control, "HIGH", PRESSURE=4.5)
    assert control.active == ["PRESSURE.high"]
    word(control, "HIGH_HIGH", PRESSURE=4.5)
    assert control.active == ["PRESSURE.high", "source.high_high"]


def test_word_comes_back_where_the_rule_no_longer_says_it() -> None:
    control = Control(HIGH)
    word(control, "HIGH", PRESSURE=4.5)
    word(control, "HIGH", PRESSURE=3.0)
    assert control.active == ["source.high"]


def test_word_of_an_asset_outside_the_register_is_heard() -> None:
    control = Control(LOW)
    control.clock.wait(INTERVAL_S)
    control.sweep(control.record("Stranger_PT_1", alarm="FAULT"))
    assert control.alarm("source.fault", "Stranger_PT_1").domain == "DEL-D08"


# the program itself


def test_database_away_spool_and_runs_are_alarms() -> None:
    control = Control(LOW)
    control.away = "refused"
    control.tick(0)
    control.tick(31)
    control.spool_share = 0.6
    control.tick()
    assert control.system == ["away", "filling"]
    control.spool_share = 0.9
    control.tick()
    filling = control.alarms.find("system", "spool", "filling")
    assert filling is not None
    assert filling.priority is Priority.HIGH
    control.away, control.spool_share = None, 0.0
    control.tick()
    assert control.system == []
    control.tick(50)
    assert control.system == ["overdue"]
    control.say(PRESSURE=2.0)
    assert control.system == []


def test_storer_that_fails_for_want_of_the_database_is_not_told_twice() -> None:
    control = Control(LOW)
    control.away = "refused"
    control.noticed(WorkerFailed("save", "database: refused", unforeseen=False))
    control.tick()
    control.tick(31)
    assert control.system == ["away"]
    control.away = None
    control.tick()
    assert control.system == []
    control.noticed(WorkerFailed("save", "disk full", unforeseen=False))
    control.tick()
    assert control.system == ["paused"]
    for _ in range(50):
        control.say(PRESSURE=2.0)
    assert control.system == []


def test_system_alarms_outlive_a_restart() -> None:
    control = Control(LOW)
    silent_sweeps(control, 3, error="gateway: refused")
    clock: HandClock = control.clock
    again = Control(LOW, alarms=control.alarms, clock=clock)
    again.say(PRESSURE=2.0)
    assert again.system == []


def test_alarms_say_when_they_were_judged() -> None:
    control = Control(LOW)
    control.tick()
    assert control.alarms.evaluated_us == control.clock.wall_us


def test_alarm_that_found_the_list_full_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ic3.domain.alarms.OPEN_LIMIT", 0)
    control = Control(LOW)
    control.say(PRESSURE=0.1)
    assert control.active == []
    monkeypatch.setattr("ic3.domain.alarms.OPEN_LIMIT", 10)
    control.tick(61)
    assert control.active == ["PRESSURE.low"]


def test_what_the_list_has_is_not_told_again() -> None:
    """Thirty thousand that stand, each a finding once a minute, held the loop for two seconds."""
    control = plant(LOW)
    all_speak(control, 0.1)
    assert len(control.alarms.open) == len(PLANT)
    assert control.worker.assets.standing() == []
    number = control.alarms.open[0].id
    control.alarms.restore(
        [each for each in control.alarms.open if each.id != number], [], last_id=99, last_hold_id=0
    )
    (told,) = control.worker.assets.standing()
    assert (told.condition, told.active) == ("PRESSURE.low", True)
