"""Alarm rules over figures of the analytics: raised, cleared, delayed, restored, told in words."""

from typing import Any

from alarming import PT, Control

from ic3.domain.alarm_rules import Rule
from ic3.domain.alarms import Alarm, Alarms, Priority
from ic3.domain.figures import BURST, LEAK, PUMP_HEALTH, SEVERITY, Said, Subject

SEVERE = Rule(
    rule_id=7, name="severe finding", kind="high", parameter=SEVERITY, limit=7.0, deadband=1.0,
    priority=Priority.HIGH,
)  # fmt: skip
LIKELY = Rule(
    rule_id=8, name="likely burst", kind="high", parameter=BURST, category="dma", limit=0.8,
    on_delay_s=60.0,
)  # fmt: skip
PUMP = Subject("asset", "A_Pump_1", "DEL-D01", "pump")
DISTRICT = Subject("dma", "DMA-07", "DEL-D07", "dma", "DMA-07")
WORDS = Said("Flow 12 m³/h below expectation", {"finding_id": 4})


def found(control: Control, severity: float, subject: Subject = PUMP) -> None:
    control.figures.put_findings({subject: (severity, 90.0, WORDS)})
    control.tick()


def only(alarms: Alarms) -> Alarm:
    [alarm] = of_figures(alarms)
    return alarm


def of_figures(alarms: Alarms) -> list[Alarm]:
    """Without those of the program itself: no sweep comes here."""
    return [each for each in alarms.open if each.source_kind != "system"]


def test_a_severe_finding_calls_with_its_sentence_and_number() -> None:
    control = Control(SEVERE)
    found(control, 8.5)
    alarm = only(control.alarms)
    assert (alarm.source_kind, alarm.source, alarm.condition) == (
        "asset", "A_Pump_1", "ai.severity.high"
    )  # fmt: skip
    assert alarm.text.startswith(WORDS.sentence)
    assert (alarm.value, alarm.limit, alarm.evidence) == (8.5, 7.0, {"finding_id": 4})
    assert (alarm.domain, alarm.priority, alarm.rule_id) == ("DEL-D01", Priority.HIGH, 7)


def test_it_clears_once_nothing_is_found_any_more() -> None:
    control = Control(SEVERE)
    found(control, 8.5)
    found(control, 6.5)
    assert only(control.alarms).active
    control.figures.put_findings({})
    control.tick()
    assert not only(control.alarms).active


def test_a_district_calls_as_a_district_after_the_delay() -> None:
    control = Control(LIKELY)
    control.figures.put(DISTRICT, {BURST: 0.9, LEAK: None})
    control.tick()
    control.tick(30)
    assert of_figures(control.alarms) == []
    control.tick(31)
    alarm = only(control.alarms)
    assert (alarm.source_kind, alarm.source, alarm.dma_id, alarm.domain) == (
        "dma", "DMA-07", "DMA-07", "DEL-D07"
    )  # fmt: skip


def test_an_analysis_that_does_not_run_clears_nothing() -> None:
    control = Control(SEVERE)
    found(control, 8.5)
    control.tick(86_400)
    assert only(control.alarms).active


def test_a_standing_alarm_of_an_earlier_process_is_neither_doubled_nor_lost() -> None:
    before = Control(SEVERE)
    found(before, 8.5)
    after = Control(SEVERE, alarms=before.alarms)
    after.tick()
    assert only(after.alarms).active
    found(after, 8.5)
    assert only(after.alarms).active
    after.figures.put_findings({})
    after.tick()
    assert not only(after.alarms).active


def test_an_alarm_whose_rule_is_gone_returns() -> None:
    control = Control(SEVERE)
    found(control, 8.5)
    control.rules.replace([])
    control.tick()
    assert not only(control.alarms).active


def test_a_rule_of_a_figure_says_nothing_of_tags_and_the_other_way_round() -> None:
    low = Rule(rule_id=9, name="low", kind="low", parameter="PRESSURE", limit=1.0)
    worn = Rule(rule_id=10, name="worn", kind="low", parameter=PUMP_HEALTH, limit=40.0)
    control = Control(low, worn)
    for _ in range(3):
        control.say(PRESSURE=0.2)
    figure: Any = {PUMP_HEALTH: 30.0}
    control.figures.put(PUMP, figure)
    control.tick()
    assert {(each.source, each.condition) for each in control.alarms.open} == {
        (PT, "PRESSURE.low"), ("A_Pump_1", "pump.health.low"),
    }  # fmt: skip
