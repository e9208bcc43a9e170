"""Findings of the analytics: what is seen, what people say of it, and the figures of both.

```
         seen            acknowledge                work order
  (new) ------> open ---------------> acknowledged -----------> in_work
                  |                         |                       |
                  +----------- back for the off-delay --------------+--> closed
                  |   <------ seen again within the flap window --------
                  +-- verdict false_alarm --> dismissed (silent until it was away)
```
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from ic3.domain.alarms import Priority
from ic3.domain.spreadsheets import Cell

FLAP_WINDOW: Final = timedelta(hours=1)
_Z_95: Final = 1.959963984540054
CSV_HEADINGS: Final = (
    "finding", "kind", "cause", "state", "serial_number", "category", "tag", "dma_id", "domain",
    "opened_at_utc", "since_utc", "last_seen_at_utc", "closed_at_utc", "severity", "peak_severity",
    "confidence_percent", "verdict", "verdict_by", "verdict_at_utc", "work_order", "sentence",
)  # fmt: skip


class FindingKind(StrEnum):
    """What found it."""

    PROCESS = "process"
    SENSOR = "sensor"
    PUMP = "pump"
    LEAK = "leak"
    BURST = "burst"


class FindingState(StrEnum):
    """Where a finding stands in the diagram."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    IN_WORK = "in_work"
    CLOSED = "closed"
    DISMISSED = "dismissed"


class Verdict(StrEnum):
    """What a person says of a finding."""

    TRUE_ALARM = "true_alarm"
    FALSE_ALARM = "false_alarm"
    UNSURE = "unsure"


ACTIVE: Final = frozenset({FindingState.OPEN, FindingState.ACKNOWLEDGED, FindingState.IN_WORK})
# Share of true ones among findings of a kind before anybody judged one; the first two are measured,
# docs/results/confidence.md.
PRIORS: Final[Mapping[FindingKind, float]] = {
    FindingKind.PROCESS: 0.7, FindingKind.SENSOR: 0.95, FindingKind.PUMP: 0.85,
    FindingKind.LEAK: 0.8, FindingKind.BURST: 0.8,
}  # fmt: skip
# What a model finds is the surer the further it is off: share of true ones at a severity.
DEVIATES: Final = "deviates"
_FAINT: Final = (3.0, 0.5)
_CLEAR: Final = (5.0, 0.9)
# The value must have been back for so long before a finding closes.
OFF_DELAYS: Final[Mapping[FindingKind, timedelta]] = {
    FindingKind.PROCESS: timedelta(minutes=30), FindingKind.SENSOR: timedelta(minutes=15),
    FindingKind.PUMP: timedelta(minutes=30), FindingKind.LEAK: timedelta(hours=36),
    FindingKind.BURST: timedelta(hours=3),
}  # fmt: skip


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that holds now, as a worker reports it; of an asset or of a district.

    Attributes:
        cause: Short and stable, such as `frozen:PRESSURE`.
        since: Since when it holds, as estimated.
        severity: 0 to 10, times criticality.
        trust: Of the blamed sensor, 0 to 1.
        coverage: Share of the inputs that there were, 0 to 1.
        sentence: For people, one line.
    """

    kind: FindingKind
    cause: str
    since: datetime
    severity: float
    sentence: str
    asset_id: int | None = None
    serial: str | None = None
    category: str | None = None
    tag: str | None = None
    dma_id: str | None = None
    domain: str | None = None
    trust: float = 1.0
    coverage: float = 1.0
    evidence: dict[str, Any] = {}


def prior_of(sighting: Sighting) -> float:
    """How likely it is true, 0 to 1, before people judged any like it."""
    if not sighting.cause.startswith(DEVIATES):
        return PRIORS[sighting.kind]
    (faint, low), (clear, high) = _FAINT, _CLEAR
    share = min(1.0, max(0.0, (sighting.severity - faint) / (clear - faint)))
    return low + share * (high - low)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as it is stored and shown.

    Attributes:
        asset_id: Of the register; None where it is of a district.
        severity: 0 to 10; `confidence` in percent; each with its peak.
        flaps: How often it was reopened.
        work_order_id: Of the order that was made from it.
    """

    id: int
    version: int
    kind: FindingKind
    cause: str
    state: FindingState
    sentence: str
    severity: float
    peak_severity: float
    confidence: float
    peak_confidence: float
    asset_id: int | None
    serial_number: str | None
    category: str | None
    tag: str | None
    dma_id: str | None
    domain: str | None
    opened_at: datetime
    since: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    flaps: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    verdict: Verdict | None
    verdict_by: str | None
    verdict_at: datetime | None
    verdict_note: str | None
    work_order_id: int | None


class Precision(msgspec.Struct, frozen=True):
    """How many findings of a kind and an asset class people judged true and false."""

    kind: FindingKind
    category: str | None
    true: int
    false: int


class Share(msgspec.Struct, frozen=True):
    """A share with its 95 % interval; null where nothing was counted.

    Attributes:
        count: How many there are of `of`.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    of: int


def wilson(count: int, of: int) -> Share:
    """A share and its 95 % interval.

    Source:
        Wilson (1927), score interval without continuity correction.
    """
    if of == 0:
        return Share(None, None, None, count, of)
    share, z2 = count / of, _Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return Share(share, max(0.0, middle - half), min(1.0, middle + half), count, of)


class Mean(msgspec.Struct, frozen=True):
    """A mean in a unit and of how many; null where there are none."""

    value: float | None
    unit: str
    count: int


class FindingCount(msgspec.Struct, frozen=True):
    """Findings of a kind and a state."""

    kind: FindingKind
    state: FindingState
    count: int


class FindingKpi(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the findings that were opened in a span, and of those that are active now.

    Attributes:
        mean_confidence: Of the active ones.
        mttr: From opening to closing, of those judged true that are closed.
        mean_time_to_detect: From the estimated begin to opening, of those judged true.
        false_positive_rate: Judged false of all judged true or false, with 95 % interval.
        unsure: Judged neither.
        precision: Per kind and asset class, of all verdicts ever; it weighs each new confidence.
    """

    from_at: datetime
    until_at: datetime
    active: int
    mean_confidence: Mean
    mttr: Mean
    mean_time_to_detect: Mean
    false_positive_rate: Share
    judged: int
    unsure: int
    counts: list[FindingCount]
    precision: list["PrecisionView"]


class PrecisionView(msgspec.Struct, frozen=True):
    """A precision as it is shown; `value` holds the prior, `true` and `false` the verdicts."""

    kind: FindingKind
    category: str | None
    value: float
    true: int
    false: int


class FindingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which findings; what is None does not matter.

    Attributes:
        active: Only those that are, or only those that are not.
        scope: Domains that the caller may see; None is all.
    """

    kinds: list[str] | None = None
    states: list[str] | None = None
    verdicts: list[str] | None = None
    active: bool | None = None
    serial: str | None = None
    category: str | None = None
    domain: str | None = None
    dma_id: str | None = None
    least_severity: float | None = None
    least_confidence: float | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None
    scope: list[str] | None = None


def priority_of(severity: float) -> Priority:
    """How soon somebody must act on a finding."""
    for least, priority in (
        (9.0, Priority.CRITICAL), (7.0, Priority.HIGH), (4.0, Priority.MEDIUM),
    ):  # fmt: skip
        if severity >= least:
            return priority
    return Priority.LOW


def csv_rows(findings: Iterable[Finding]) -> Iterable[Sequence[Cell]]:
    """Rows under `CSV_HEADINGS`."""
    for each in findings:
        yield (
            each.id, each.kind.value, each.cause, each.state.value, each.serial_number,
            each.category, each.tag, each.dma_id, each.domain, _time(each.opened_at),
            _time(each.since), _time(each.last_seen_at), _time(each.closed_at),
            round(each.severity, 2), round(each.peak_severity, 2), round(each.confidence, 1),
            None if each.verdict is None else each.verdict.value, each.verdict_by,
            _time(each.verdict_at), each.work_order_id, each.sentence,
        )  # fmt: skip


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
