"""What a request asks of a layer: a box, a span of time, properties, a page.

Source:
    OGC 17-069r4, OGC API - Features - Part 1: Core, 7.15.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from ic3.domain.cursors import place_in
from ic3.domain.geo import Box
from ic3.domain.layers import Feature
from ic3.errors import InputError

LIMIT: Final = 100
GREATEST_LIMIT: Final = 1000
VALUE_LIMIT: Final = 1000
MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
OPEN: Final = {"", ".."}

Span = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """A checked question.

    Attributes:
        span: First and last microsecond, both inside; None where it is open.
        properties: Name to wanted value.
        after: The last name of the page before; empty for the first page.
    """

    box: Box | None = None
    span: Span = (None, None)
    properties: Mapping[str, str] = field(default_factory=dict)
    limit: int = LIMIT
    after: str = ""

    def takes(self, feature: Feature) -> bool:
        """Whether a feature is asked for, on whatever page."""
        return (
            all(feature.has(name, value) for name, value in self.properties.items())
            and self._in_span(feature.at_us)
            and (self.box is None or feature.meets(self.box))
        )

    def _in_span(self, at_us: int | None) -> bool:
        """What is of no time is of every time."""
        first, last = self.span
        return at_us is None or (
            (first is None or first <= at_us) and (last is None or at_us <= last)
        )

    def page(self, features: Sequence[Feature]) -> tuple[list[Feature], bool]:
        """Of what is asked for, by name: this page, and whether there is another."""
        begin = bisect_right(features, self.after, key=lambda each: each.fid) if self.after else 0
        found = list(features[begin : begin + self.limit])
        return found, begin + self.limit < len(features)


def ask(
    pairs: Sequence[tuple[str, str]], *, chosen_by: Collection[str], ignored: Collection[str] = ()
) -> FeatureQuery:
    """The question in the parameters of a request.

    Args:
        pairs: Names and values, as sent.
        chosen_by: Properties that may be asked for.
        ignored: Parameters that somebody else reads.

    Raises:
        InputError: One is unknown, wrong, or there twice.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise InputError(f"{name[:40]}: may be there once")
        if len(value) > VALUE_LIMIT:
            raise InputError(f"{name[:40]}: is longer than {VALUE_LIMIT} characters")
        given[name] = value
    known = {"bbox", "datetime", "limit", "cursor", *ignored, *chosen_by}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(
            f"{unknown[0][:40]}: is no parameter here; known are {', '.join(sorted(known))}"
        )
    return FeatureQuery(
        box=box_in(given["bbox"]) if "bbox" in given else None,
        span=_span_in(given["datetime"]) if "datetime" in given else (None, None),
        properties={name: given[name] for name in chosen_by if name in given},
        limit=_limit_in(given["limit"]) if "limit" in given else LIMIT,
        after=_name_in(given["cursor"]) if given.get("cursor") else "",
    )


def box_in(text: str) -> Box:
    """The box of a parameter: four numbers, or six of which the heights do not count.

    Raises:
        InputError: It is none.
    """
    try:
        numbers = [float(each) for each in text.split(",")]
    except ValueError:
        raise InputError("bbox: is west,south,east,north in degrees") from None
    if len(numbers) == 6:
        del numbers[5], numbers[2]
    if len(numbers) != 4 or not all(isfinite(each) for each in numbers):
        raise InputError("bbox: is west,south,east,north in degrees")
    box = Box(*numbers)
    # Programs that zoom far out ask for more than the earth has.
    if not all(abs(each) <= 1e6 for each in numbers) or box.south > box.north:
        raise InputError("bbox: south is not above north, and degrees are degrees")
    return box


def _name_in(cursor: str) -> str:
    try:
        return place_in(cursor, str)
    except ValueError as error:
        raise InputError(f"cursor: {error}") from None


def _limit_in(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) >= 1):
        raise InputError(f"limit: is a number from 1; above {GREATEST_LIMIT:,} it means that")
    return min(int(text), GREATEST_LIMIT)


def _span_in(text: str) -> Span:
    first, between, last = text.partition("/")
    if not between:
        at_us = _moment_us(first)
        return at_us, at_us
    if first in OPEN and last in OPEN:
        raise InputError("datetime: one end of an interval is a time")
    begin = None if first in OPEN else _moment_us(first)
    end = None if last in OPEN else _moment_us(last)
    if begin is not None and end is not None and begin > end:
        raise InputError("datetime: its end is before its begin")
    return begin, end


def _moment_us(text: str) -> int:
    if not MOMENT.fullmatch(text):
        raise InputError(
            "datetime: is a time such as 2026-06-15T01:42:00Z, or two with / between; .. is open"
        )
    try:
        since = datetime.fromisoformat(text.upper()) - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InputError("datetime: there is no such day or time") from None
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
