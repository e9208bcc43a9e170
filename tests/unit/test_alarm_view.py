"""What is shown of an alarm."""

import msgspec

from ic3.domain.alarm_view import AlarmView, view_of
from ic3.domain.alarms import Alarms, Finding, Priority

RAISED_US = 1_781_487_703_267_609


def raised() -> Alarms:
    alarms = Alarms()
    alarms.report(
        Finding(
            source_kind="asset", source="PUMP-1", condition="pressure_low", active=True,
            priority=Priority.HIGH, text="pressure 1.2 bar", value=1.2, limit=2.0, unit="bar",
            evidence={"last": [1.3, 1.2]},
        ),
        at_us=RAISED_US,
    )  # fmt: skip
    return alarms


def test_instants_are_text_and_those_that_were_not_are_null() -> None:
    shown = view_of(raised().open[0])
    assert shown.raised_at == "2026-06-15T01:41:43.267609Z"
    assert (shown.returned_at, shown.acknowledged_at, shown.cleared_at) == (None, None, None)
    assert (shown.priority, shown.state, shown.evidence) == (
        2, "unacknowledged", {"last": [1.3, 1.2]},
    )  # fmt: skip


def test_the_json_of_a_view_is_read_back_strictly() -> None:
    alarms = raised()
    shown = view_of(alarms.acknowledge(1, who="asha", at_us=RAISED_US + 1_000_000))
    assert shown.acknowledged_at == "2026-06-15T01:41:44.267609Z"
    assert msgspec.json.decode(msgspec.json.encode(shown), type=AlarmView) == shown
