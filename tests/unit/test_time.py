"""One grammar for the source's time: truncated, never rounded, never guessed."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import ic3.domain.envelope as module
from ic3.domain.envelope import EnvelopeRejected, Reject, parse_time, time_text

FIRST_US = -62_135_596_800_000_000
LAST_US = 253_402_300_799_999_999
READ = [
    ("2026-06-15T01:41:43.267609313Z", "2026-06-15T01:41:43.267609Z", 313),
    ("2026-06-15T01:41:43.999999999Z", "2026-06-15T01:41:43.999999Z", 999),
    ("2026-12-31T23:59:59.999999999Z", "2026-12-31T23:59:59.999999Z", 999),
    ("2026-06-15T01:41:43.9999999999999Z", "2026-06-15T01:41:43.999999Z", 999),
    ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999Z", 999),
    ("2026-06-15T01:41:43Z", "2026-06-15T01:41:43.000000Z", 0),
    ("2026-06-15T01:41:43.5Z", "2026-06-15T01:41:43.500000Z", 0),
    ("2026-06-15T01:41:43.0000001Z", "2026-06-15T01:41:43.000000Z", 100),
    ("2026-06-15t01:41:43z", "2026-06-15T01:41:43.000000Z", 0),
    ("2026-06-15t01:41:43.267609313z", "2026-06-15T01:41:43.267609Z", 313),
    ("2026-06-15T07:11:43+05:30", "2026-06-15T01:41:43.000000Z", 0),
    ("2026-06-15T00:00:00.1+05:30", "2026-06-14T18:30:00.100000Z", 0),
    ("2026-06-14T20:41:43-05:00", "2026-06-15T01:41:43.000000Z", 0),
    ("2026-06-15T01:41:43-00:00", "2026-06-15T01:41:43.000000Z", 0),
    ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z", 0),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z", 0),
    ("0001-01-01T05:30:00+05:30", "0001-01-01T00:00:00.000000Z", 0),
    ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z", 999),
]
BAD = [
    "", "now", "1781487703", "2026-06-15", "2026-06-15T01:41:60Z", "2026-06-15T23:59:60Z",
    "2026-06-15T24:00:00Z", "2026-06-15T01:60:00Z", "0000-01-01T00:00:00Z",
    "0000-12-31T23:59:59-23:59", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
    "2026-06-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-06-00T00:00:00Z",
    "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-06-15T01:41:43+24:00",
    "2026-06-15T01:41:43+05:60", "2026-06-15T01:41:43+0530", "2026-06-15T01:41:43+05",
    "2026-06-15T01:41:43.Z", "2026-06-15T01:41:43,5Z", "2026-06-15T01:41Z",
    "2026-06-15 01:41:43Z", "2026-06-15T01:41:43 Z", "2026-06-15T01:41:43Z ",
    " 2026-06-15T01:41:43Z", "2026-06-15T01:41:43Z\n", "2026-06-15T01:41:43ZZ",
    "20260615T014143Z", "2026-W25-1T01:41:43Z", "+2026-06-15T01:41:43Z", "-001-06-15T01:41:43Z",
    "12026-06-15T01:41:43Z", "26-06-15T01:41:43Z", "２０２６-06-15T01:41:43Z",
    "2026-06-15T01:41:43.२Z", "2026-06-15T01:41:43.26760931²Z", "2026-06-15T01:41:43.26760_313Z",
    "2026-06-15T01:41:43.-67609313Z", "2026-06-15T01:41:43 IST", "2026-06-15T01:41:43−05:30",
]  # fmt: skip
WITHOUT_ZONE = [
    "2026-06-15T01:41:43", "2026-06-15T01:41:43.267609313", "2026-06-15 01:41:43",
    "2026-06-15t01:41:43", "2026-06-15T01:41",
]  # fmt: skip


def reason_of(text: str) -> Reject:
    with pytest.raises(EnvelopeRejected) as caught:
        parse_time(text)
    return caught.value.reason


@pytest.mark.parametrize(("text", "microseconds", "nanoseconds"), READ)
def test_f25_time_is_truncated_and_its_nanoseconds_are_kept(
    text: str, microseconds: str, nanoseconds: int
) -> None:
    us, rest = parse_time(text)

    assert (time_text(us), rest) == (microseconds, nanoseconds)


@pytest.mark.parametrize("text", BAD)
def test_f24_unreadable_time_is_bad_and_never_moved_to_a_neighbour(text: str) -> None:
    parse_time("2026-06-15T01:41:43Z")  # a second already known must not open a short cut

    assert reason_of(text) is Reject.BAD_TIME


@pytest.mark.parametrize("text", WITHOUT_ZONE)
def test_time_without_a_zone_is_not_guessed(text: str) -> None:
    assert reason_of(text) is Reject.TIME_WITHOUT_ZONE


def test_known_second_is_read_as_an_unknown_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_seconds", {})
    text = "2026-06-15T01:41:43.267609313Z"

    assert parse_time(text) == parse_time(text)
    assert parse_time("2026-06-15T01:41:43.267609313+05:30") != parse_time(text)


def test_f29_memory_of_seconds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_seconds", {})
    monkeypatch.setattr(module, "_SECONDS_LIMIT", 3)

    for second in range(10):
        parse_time(f"2026-06-15T01:41:0{second}Z")

    assert len(module._seconds) <= 3


def independent_reading(
    at: datetime, digits: str | None, offset_minutes: int
) -> tuple[int, int] | None:
    """Microseconds and nanoseconds by decimal arithmetic; None outside the calendar."""
    seconds = Decimal(at.toordinal() - datetime(1970, 1, 1).toordinal()) * 86_400  # noqa: DTZ001
    seconds += at.hour * 3600 + at.minute * 60 + at.second - offset_minutes * 60
    if not FIRST_US <= seconds * 1_000_000 <= LAST_US:
        return None
    nanoseconds = int(Decimal("0." + (digits or "0")) * 10**9)
    return int(seconds) * 1_000_000 + nanoseconds // 1000, nanoseconds % 1000


def outcome_of(text: str) -> tuple[int, int] | None:
    try:
        return parse_time(text)
    except EnvelopeRejected as error:
        return None if error.reason is Reject.BAD_TIME else (0, -1)


def zone_of(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(
    st.datetimes(),
    st.none() | st.text("0123456789", min_size=1, max_size=14),
    st.none() | st.integers(-1439, 1439),
    st.sampled_from("Tt"),
)
@example(datetime(1, 1, 1), None, 1, "T")  # noqa: DTZ001
@example(datetime(9999, 12, 31, 23, 59, 59), "999999999", -1, "T")  # noqa: DTZ001
@example(datetime(1969, 12, 31, 23, 59, 59), "999999999", None, "T")  # noqa: DTZ001
def test_time_equals_an_independent_reading(
    at: datetime, digits: str | None, offset: int | None, letter: str
) -> None:
    day = f"{at.year:04d}-{at.month:02d}-{at.day:02d}"
    clock = f"{at.hour:02d}:{at.minute:02d}:{at.second:02d}"
    fraction = "" if digits is None else f".{digits}"
    text = f"{day}{letter}{clock}{fraction}{'Z' if offset is None else zone_of(offset)}"

    expected = independent_reading(at, digits, offset or 0)

    assert outcome_of(text) == expected
    assert outcome_of(text) == expected  # the second reading takes the short cut


@settings(max_examples=500, derandomize=True, deadline=None, database=None)
@given(st.integers(FIRST_US, LAST_US))
@example(FIRST_US)
@example(LAST_US)
@example(-1)
def test_time_text_reads_back_as_the_same_instant(us: int) -> None:
    text = time_text(us)

    assert len(text) == 27
    assert parse_time(text) == (us, 0)
