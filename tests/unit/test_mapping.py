"""Tags of registered assets become readings; everything else is counted."""

import pytest
from builders import HEALTH, NOW_US, PANEL, SECOND_US, STATUS, VALVE, envelope, registered

from ic3.domain.envelope import Reject, Value
from ic3.domain.mapping import Mapped, Reading, Register, map_envelopes

REGISTER = Register(
    version=1,
    assets={VALVE: registered(VALVE, 12), PANEL: registered(PANEL, 13)},
    parameters={1: HEALTH, 2: STATUS},
)
YEAR_2000_US = 946_684_800 * SECOND_US


def test_tags_of_a_registered_asset_become_readings() -> None:
    mapped = map_envelopes(
        REGISTER, [envelope(VALVE, {"HEALTH_SCORE": 94.8, "STATUS": "open"})], now_us=NOW_US
    )

    assert mapped == Mapped(
        [
            Reading(12, "HEALTH_SCORE", 1, 94.8, None, NOW_US),
            Reading(12, "STATUS", 2, None, "open", NOW_US),
        ],
        tags=2,
    )


@pytest.mark.parametrize(
    ("value", "number", "text"),
    [
        (94.8, 94.8, None),
        (0, 0.0, None),
        (2**53 - 1, 9007199254740991.0, None),
        (True, 1.0, None),
        (False, 0.0, None),
        (None, None, None),
        ("open", None, "open"),
        ("12.5", None, "12.5"),
        ("", None, ""),
    ],
)
def test_value_goes_to_its_column(value: Value, number: float | None, text: str | None) -> None:
    mapped = map_envelopes(REGISTER, [envelope(VALVE, {"STATUS": value})], now_us=NOW_US)

    (reading,) = mapped.readings
    assert (reading.value_num, reading.value_text) == (number, text)
    assert type(reading.value_num) is type(number)


def test_unmapped_tag_of_a_registered_asset_is_skipped_and_counted() -> None:
    mapped = map_envelopes(
        REGISTER,
        [envelope(VALVE, {"HEALTH_SCORE": 1.0, "OTHER": 2.0, "health_score": 3.0})],
        now_us=NOW_US,
    )

    assert [each.tag_code for each in mapped.readings] == ["HEALTH_SCORE"]
    assert mapped.tags_skipped == 2


def test_unregistered_asset_makes_no_rows_and_skips_no_tags() -> None:
    mapped = map_envelopes(
        REGISTER, [envelope("unknown", {"HEALTH_SCORE": 1.0, "OTHER": 2.0})], now_us=NOW_US
    )

    assert mapped == Mapped()


def test_rejected_tag_is_not_a_skipped_tag() -> None:
    mapped = map_envelopes(
        REGISTER, [envelope(VALVE, {}, rejected={"OTHER": Reject.NON_FINITE})], now_us=NOW_US
    )

    assert mapped == Mapped(tags=1, tags_refused=1)


@pytest.mark.parametrize(
    "occurred_us", [NOW_US + 300 * SECOND_US + 1, YEAR_2000_US - 1, 253_402_300_799_999_999]
)
def test_implausible_time_makes_no_rows_and_is_counted(occurred_us: int) -> None:
    mapped = map_envelopes(
        REGISTER,
        [envelope(VALVE, {"HEALTH_SCORE": 1.0, "OTHER": 2.0}, occurred_us=occurred_us)],
        now_us=NOW_US,
    )

    assert mapped == Mapped(implausible_times=1)


@pytest.mark.parametrize("occurred_us", [NOW_US + 300 * SECOND_US, YEAR_2000_US])
def test_time_on_the_limit_makes_rows(occurred_us: int) -> None:
    mapped = map_envelopes(
        REGISTER,
        [envelope(VALVE, {"HEALTH_SCORE": 1.0}, occurred_us=occurred_us)],
        now_us=NOW_US,
    )

    assert [each.recorded_us for each in mapped.readings] == [occurred_us]
    assert mapped.implausible_times == 0


def test_several_envelopes_add_up() -> None:
    mapped = map_envelopes(
        REGISTER,
        [
            envelope(VALVE, {"HEALTH_SCORE": 1.0, "OTHER": 2.0}),
            envelope(PANEL, {"STATUS": None, "OTHER": 2.0}),
            envelope("unknown", {"HEALTH_SCORE": 1.0}),
            envelope(VALVE, {"HEALTH_SCORE": 1.0}, occurred_us=0),
        ],
        now_us=NOW_US,
    )

    assert [each.register_id for each in mapped.readings] == [12, 13]
    assert (mapped.tags_skipped, mapped.implausible_times) == (2, 1)


def test_matched_serial_numbers_are_those_of_the_register() -> None:
    assert REGISTER.count_matched([VALVE, PANEL, "unknown", VALVE.lower()]) == 2
    assert REGISTER.count_matched([]) == 0
    assert Register().count_matched([VALVE]) == 0
