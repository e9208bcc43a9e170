"""Questions about the past and the calendar of the plant."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ic3.domain.history import (
    WIDTH_US,
    Aggregate,
    Bucket,
    HistoryQuery,
    ask,
    floor,
    label,
    later,
    portions,
)
from ic3.domain.spreadsheets import Cell, csv_text
from ic3.errors import InputError

DELHI = ZoneInfo("Asia/Kolkata")
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([DELHI, BERLIN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")])
INSTANTS = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda at: int(at.replace(tzinfo=UTC).timestamp()) * 1_000_000 + at.microsecond
)
CALENDAR = st.sampled_from([each for each in Bucket if each is not Bucket.RAW])


def question(**given: Any) -> HistoryQuery:
    return ask(
        **{
            "serial": "A", "tags": "", "begin": "2026-06-15T00:00:00Z",
            "end": "2026-06-16T00:00:00Z", "bucket": "auto", "aggregates": "mean",
            "max_points": 1000, "zone": DELHI, **given,
        }
    )  # fmt: skip


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@given(INSTANTS, CALENDAR, ZONES)
def test_every_instant_is_in_exactly_one_bucket(at_us: int, bucket: Bucket, zone: ZoneInfo) -> None:
    begin_us = floor(at_us, bucket, zone)
    next_us = later(begin_us, bucket, zone)
    assert begin_us <= at_us < next_us
    assert floor(begin_us, bucket, zone) == begin_us
    assert floor(next_us - 1, bucket, zone) == begin_us
    assert floor(next_us, bucket, zone) == next_us


@pytest.mark.parametrize(
    ("bucket", "begin"),
    [
        (Bucket.FIVE_MINUTES, "2026-06-17T23:55:00+05:30"),
        (Bucket.HOUR, "2026-06-17T23:00:00+05:30"),
        (Bucket.DAY, "2026-06-17T00:00:00+05:30"),
        (Bucket.WEEK, "2026-06-15T00:00:00+05:30"),
        (Bucket.MONTH, "2026-06-01T00:00:00+05:30"),
    ],
)
def test_buckets_begin_as_the_clocks_in_delhi_say(bucket: Bucket, begin: str) -> None:
    assert floor(us("2026-06-17T23:59:59+05:30"), bucket, DELHI) == us(begin)


def test_a_day_of_the_change_of_clocks_has_its_own_length() -> None:
    begin_us = us("2026-10-25T00:00:00+02:00")
    assert later(begin_us, Bucket.DAY, BERLIN) - begin_us == 25 * WIDTH_US[Bucket.HOUR]


@given(INSTANTS, st.integers(1, 3000), CALENDAR, ZONES)
def test_portions_are_whole_buckets_without_gap_or_overlap(
    begin_us: int, number: int, bucket: Bucket, zone: ZoneInfo
) -> None:
    begin_us = floor(begin_us, bucket, zone)
    end_us = floor(begin_us + number * WIDTH_US[bucket], bucket, zone)
    query = HistoryQuery(
        serial="A", tags=None, from_us=begin_us, to_us=end_us, bucket=bucket,
        aggregates=(Aggregate.MEAN,), max_points=4, zone=zone,
    )  # fmt: skip
    found = list(portions(query))
    assert [each for each, _ in found[1:]] == [each for _, each in found[:-1]]
    if found:
        assert (found[0][0], found[-1][1]) == (begin_us, end_us)
    assert all(floor(each, bucket, zone) == each for portion in found for each in portion)


def test_a_plus_that_became_a_blank_on_its_way_is_read_as_meant() -> None:
    assert question(begin="2026-06-15T05:30:00 05:30", bucket="raw").from_us == question().from_us


def test_labels_carry_the_offset_of_the_plants_zone() -> None:
    at_us = us("2026-06-15T00:00:00+05:30")
    assert label(at_us, question(bucket="day")) == "2026-06-15T00:00:00+05:30"
    assert label(at_us, question(bucket="5m")) == "2026-06-14T18:30:00Z"
    assert label(at_us + 1, question(bucket="raw")) == "2026-06-14T18:30:00.000001Z"


@pytest.mark.parametrize("word", ["1h", "hour", "local hour"])
def test_an_hour_is_one_of_the_plants_clocks(word: str) -> None:
    query = question(bucket=word, begin="2026-06-15T00:10:00Z")
    assert (query.bucket, query.from_us) == (Bucket.HOUR, us("2026-06-14T23:30:00+00:00"))


@settings(max_examples=30)
@given(st.text(), st.text(), st.text(), st.text(), st.text(), st.integers())
def test_whatever_is_asked_wrongly_is_refused_and_nothing_else(
    tags: str, begin: str, end: str, bucket: str, aggregates: str, max_points: int
) -> None:
    with pytest.raises(InputError):
        question(
            tags=tags, begin=begin, end=end, bucket=bucket, aggregates=aggregates,
            max_points=max_points,
        )  # fmt: skip


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_a_text_that_a_spreadsheet_could_run_gets_a_quote_mark(sign: str) -> None:
    assert csv_text([[f"{sign}1+1"]]).startswith(("'" + sign, "\"'" + sign))


def test_csv_is_of_rfc_4180_and_numbers_stay_numbers() -> None:
    rows: list[list[Cell]] = [["a,b", 'say "x"', "two\r\nlines", "'"], [-1.5, 3, None, "ü"]]
    assert csv_text(rows) == '"a,b","say ""x""","two\r\nlines",\'\r\n-1.5,3,,ü\r\n'
