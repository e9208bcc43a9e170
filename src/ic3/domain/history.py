"""What of the past is asked for: checked questions, calendar buckets, points and their CSV."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Final

import msgspec

from ic3.domain.envelope import YEAR_2000_US, EnvelopeRejected, parse_time, time_text
from ic3.domain.mapping import Parameter
from ic3.domain.spreadsheets import Cell
from ic3.errors import InputError

SECOND_US: Final = 1_000_000
FIVE_MINUTES_US: Final = 300 * SECOND_US
HOUR_US: Final = 3600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
YEAR_2200_US: Final = 7_258_118_400 * SECOND_US
RAW_LIMIT_US: Final = 31 * DAY_US
# Roll-ups of one tag that a request may read; a bound for its time, not for its answer.
ROLLUPS_LIMIT: Final = 200_000
DEFAULT_POINTS: Final = 1000
LEAST_POINTS: Final = 4
MOST_POINTS: Final = 10_000
TAGS_LIMIT: Final = 50
# Of a tag that changes at every sweep.
USUAL_CADENCE_US: Final = 15 * SECOND_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUALITY_WORDS: Final = {0: "GOOD", 1: "UNCERTAIN", 2: "BAD"}


class Bucket(StrEnum):
    """How wide a point is; from `HOUR` on buckets begin as the plant's clocks and calendar say."""

    RAW = "raw"
    FIVE_MINUTES = "5m"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Aggregate(StrEnum):
    """What is said of a bucket."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    LAST = "last"
    FIRST = "first"
    COUNT = "count"
    SUM = "sum"
    INCREASE = "increase"
    PERCENT_GOOD = "percent_good"


BUCKET_WORDS: Final[Mapping[str, Bucket]] = {
    **{each.value: each for each in Bucket}, "1h": Bucket.HOUR, "local hour": Bucket.HOUR,
    "1d": Bucket.DAY,
}  # fmt: skip
AUTO: Final = "auto"
DEFAULT_AGGREGATES: Final = "mean,min,max"
# About how wide, and how many fit a portion that is read at once.
WIDTH_US: Final[Mapping[Bucket, int]] = {
    Bucket.RAW: USUAL_CADENCE_US, Bucket.FIVE_MINUTES: FIVE_MINUTES_US, Bucket.HOUR: HOUR_US,
    Bucket.DAY: DAY_US, Bucket.WEEK: 7 * DAY_US, Bucket.MONTH: 30 * DAY_US,
}  # fmt: skip
PORTION: Final[Mapping[Bucket, int]] = {
    Bucket.FIVE_MINUTES: 2000, Bucket.HOUR: 2000, Bucket.DAY: 100, Bucket.WEEK: 15,
    Bucket.MONTH: 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuery:
    """A question about one asset.

    Attributes:
        tags: None for all the asset has.
        from_us: Microseconds since 1970; of buckets the begin of the first.
        to_us: Itself outside; of buckets the end of the last, which is whole as every bucket is.
        zone: The plant's.
    """

    serial: str
    tags: tuple[str, ...] | None
    from_us: int
    to_us: int
    bucket: Bucket
    aggregates: tuple[Aggregate, ...]
    max_points: int
    zone: tzinfo


class RawPoint(msgspec.Struct, gc=False):
    """A reading."""

    at_us: int
    tag_code: str
    param_id: int
    value_num: float | None
    value_text: str | None
    quality: int

    @property
    def percent_good(self) -> float:
        """100 or 0."""
        return 0.0 if self.quality else 100.0

    @property
    def quality_word(self) -> str:
        """As the envelope's: GOOD, UNCERTAIN or BAD."""
        return _QUALITY_WORDS.get(self.quality, str(self.quality))


class BucketPoint(msgspec.Struct, gc=False):
    """What a bucket's readings come to.

    Attributes:
        used_count: Readings with a number that are not BAD; without any, there is no figure.
        increase: Of a counter, since the last value before the bucket; None otherwise.
        resets: How often the counter began again from zero.
    """

    at_us: int
    tag_code: str
    param_id: int
    row_count: int
    good_count: int
    used_count: int
    value_sum: float | None
    value_min: float | None
    value_max: float | None
    first_value: float | None
    last_value: float | None
    increase: float | None
    resets: int

    @property
    def percent_good(self) -> float:
        """Share of the readings whose quality is GOOD."""
        return round(100 * self.good_count / self.row_count, 3)

    def figure(self, aggregate: Aggregate) -> float | None:  # noqa: PLR0911  one line each
        """What an aggregate comes to."""
        match aggregate:
            case Aggregate.MEAN:
                total = self.value_sum
                return None if total is None else total / self.used_count
            case Aggregate.MIN:
                return self.value_min
            case Aggregate.MAX:
                return self.value_max
            case Aggregate.LAST:
                return self.last_value
            case Aggregate.FIRST:
                return self.first_value
            case Aggregate.COUNT:
                return self.row_count
            case Aggregate.SUM:
                return self.value_sum
            case Aggregate.INCREASE:
                return self.increase
            case Aggregate.PERCENT_GOOD:
                return self.percent_good


Point = RawPoint | BucketPoint


def ask(
    *, serial: str, tags: str, begin: str, end: str, bucket: str, aggregates: str,
    max_points: int, zone: tzinfo,
) -> HistoryQuery:  # fmt: skip
    """Check a question.

    Args:
        serial: Serial number.
        tags: Tag codes separated by commas; empty for all.
        begin: RFC 3339 with a zone.
        end: Likewise; itself outside.
        bucket: A word of `BUCKET_WORDS` or `auto`.
        aggregates: Of a bucket, separated by commas.
        max_points: Of one tag.
        zone: The plant's.

    Raises:
        InputError: Something in it is wrong.
    """
    if not LEAST_POINTS <= max_points <= MOST_POINTS:
        raise InputError(f"max_points: must be between {LEAST_POINTS} and {MOST_POINTS}")
    from_us, to_us = instant("from", begin), instant("to", end)
    if from_us >= to_us:
        raise InputError("to: must be later than from, which is inside while to is outside")
    chosen = _bucket(bucket, to_us - from_us, max_points)
    if chosen is not Bucket.RAW:
        from_us = floor(from_us, chosen, zone)
        to_us = later(floor(to_us - 1, chosen, zone), chosen, zone)
    return HistoryQuery(
        serial=serial, tags=_tags(tags), from_us=from_us, to_us=to_us, bucket=chosen,
        aggregates=_aggregates(aggregates), max_points=max_points, zone=zone,
    )  # fmt: skip


def check_width(query: HistoryQuery) -> None:
    """Check that a query's time is short enough for one request.

    Raises:
        InputError: It is not; says what would fit.
    """
    bucket, width_us = query.bucket, query.to_us - query.from_us
    if bucket is Bucket.RAW:
        limit_us, instead = RAW_LIMIT_US, " or a wider bucket, such as 5m"
    elif bucket is Bucket.FIVE_MINUTES:
        limit_us, instead = ROLLUPS_LIMIT * FIVE_MINUTES_US, " or a wider bucket, such as hour"
    else:
        limit_us, instead = ROLLUPS_LIMIT * HOUR_US, ""
    if width_us > limit_us:
        raise InputError(
            f"from, to: {width_us / DAY_US:,.1f} days; a request for bucket={bucket} may span"
            f" {limit_us // DAY_US:,} days: ask for that or less{instead}"
        )


def floor(us: int, bucket: Bucket, zone: tzinfo) -> int:
    """Begin of the bucket that holds an instant."""
    if bucket is Bucket.RAW:
        return us
    if bucket is Bucket.FIVE_MINUTES:
        return us - us % FIVE_MINUTES_US
    local = _local(us, zone)
    if bucket is Bucket.HOUR:
        return us - (local.minute * 60 + local.second) * SECOND_US - local.microsecond
    day = local.date()
    if bucket is Bucket.WEEK:
        day -= timedelta(days=day.weekday())
    elif bucket is Bucket.MONTH:
        day = day.replace(day=1)
    return _midnight(day, zone)


def later(begin_us: int, bucket: Bucket, zone: tzinfo, number: int = 1) -> int:
    """Begin of the bucket so many buckets after one that begins at `begin_us`."""
    if bucket in (Bucket.FIVE_MINUTES, Bucket.HOUR):
        return begin_us + number * WIDTH_US[bucket]
    day = _local(begin_us, zone).date()
    if bucket is Bucket.MONTH:
        years, month = divmod(day.month - 1 + number, 12)
        return _midnight(day.replace(year=day.year + years, month=month + 1), zone)
    days = number * (7 if bucket is Bucket.WEEK else 1)
    return _midnight(day + timedelta(days=days), zone)


def portions(query: HistoryQuery) -> Iterator[tuple[int, int]]:
    """The query's time in pieces of whole buckets, each small enough to be read at once."""
    begin_us = query.from_us
    while begin_us < query.to_us:
        end_us = later(begin_us, query.bucket, query.zone, PORTION[query.bucket])
        yield begin_us, min(end_us, query.to_us)
        begin_us = end_us


def label(at_us: int, query: HistoryQuery) -> str:
    """The time of a point as RFC 3339: UTC, or of calendar buckets with the zone's offset."""
    if query.bucket in (Bucket.RAW, Bucket.FIVE_MINUTES):
        text = time_text(at_us)
        return text if query.bucket is Bucket.RAW else text[:19] + "Z"
    return _local(at_us, query.zone).isoformat(timespec="seconds")


def csv_headings(query: HistoryQuery) -> list[str]:
    """Names of the columns of `csv_rows`."""
    about = ["serial_number", "tag_code", "parameter_name", "unit"]
    if query.bucket is Bucket.RAW:
        return [*about, "recorded_at", "value_num", "value_text", "quality"]
    named = [each.value for each in query.aggregates if each is not Aggregate.PERCENT_GOOD]
    return [*about, "bucket_at", "percent_good", *named]


def csv_rows(
    query: HistoryQuery, points: Sequence[Point], parameters: Mapping[int, Parameter]
) -> Iterable[list[Cell]]:
    """One row a point."""
    figures = [each for each in query.aggregates if each is not Aggregate.PERCENT_GOOD]
    for point in points:
        parameter = parameters.get(point.param_id)
        name, unit = (parameter.name, parameter.unit) if parameter else (None, None)
        about: list[Cell] = [query.serial, point.tag_code, name, unit, label(point.at_us, query)]
        if isinstance(point, RawPoint):
            yield [*about, point.value_num, point.value_text, point.quality_word]
        else:
            yield [*about, point.percent_good, *(point.figure(each) for each in figures)]


def instant(name: str, text: str) -> int:
    """Microseconds of a time that a request names; `name` is the parameter.

    Raises:
        InputError: It is none.
    """
    if not text:
        raise InputError(f"{name}: required, such as 2026-06-15T00:00:00+05:30")
    try:
        # In a query an unescaped + reads as a blank.
        us, _ = parse_time(text.replace(" ", "+"))
    except EnvelopeRejected:
        raise InputError(
            f"{name}: must be a time with its zone, such as 2026-06-15T00:00:00+05:30"
        ) from None
    if not YEAR_2000_US <= us < YEAR_2200_US:
        raise InputError(f"{name}: must lie between the years 2000 and 2200")
    return us


def _bucket(word: str, width_us: int, max_points: int) -> Bucket:
    if word != AUTO:
        if word not in BUCKET_WORDS:
            raise InputError(f"bucket: must be auto or one of {', '.join(BUCKET_WORDS)}")
        return BUCKET_WORDS[word]
    fitting = (each for each in Bucket if width_us <= max_points * WIDTH_US[each])
    return next(fitting, Bucket.MONTH)


def _tags(text: str) -> tuple[str, ...] | None:
    found = tuple(dict.fromkeys(each for each in text.split(",") if each))
    if len(found) > TAGS_LIMIT:
        raise InputError(f"tag_code: {len(found)} tags; a request may name {TAGS_LIMIT}")
    if any("\0" in each for each in found):
        raise InputError("tag_code: holds a NUL, which no tag does")
    return found or None


def _aggregates(text: str) -> tuple[Aggregate, ...]:
    words = list(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    known = {each.value for each in Aggregate}
    if not words or not known.issuperset(words):
        raise InputError(f"agg: must be some of {', '.join(Aggregate)}, separated by commas")
    return tuple(map(Aggregate, words))


def _local(us: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone)


def _midnight(day: date, zone: tzinfo) -> int:
    since = datetime.combine(day, time(), zone) - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND_US
