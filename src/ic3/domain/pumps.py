"""The health of pumps as it is stored and shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec

from ic3.domain.spreadsheets import Cell

CSV_HEADINGS: Final = (
    "serial_number", "name", "domain", "until_utc", "health", "coverage", "worst", "sec_kwh_m3",
    "vibration_mm_s", "winding_c", "unbalance_percent", "of_best_flow", "starts", "run_h",
    "remaining_days_low", "remaining_days_median", "remaining_days_high", "remaining_reason",
    "provisional",
)  # fmt: skip
DAY_HEADINGS: Final = (
    "serial_number", "day", "health", "coverage", "head_percent", "efficiency_percent",
    "vibration_mm_s", "sec_kwh_m3", "run_h", "known_h", "starts", "worst", "provisional",
)  # fmt: skip


class Wear(msgspec.Struct, frozen=True, kw_only=True):
    """Change of one daily index against its first healthy days.

    Attributes:
        index: head or efficiency.
        loss_percent: How far the last week lies below; null before there is a baseline.
        in_alarm: The cumulative sum has passed its height.
        since: Estimated begin of the run; null where there is none.
        baseline_days: Days that the baseline has; `is_whole` once it is fixed.
    """

    index: str
    loss_percent: float | None
    in_alarm: bool
    since: date | None
    baseline_days: int
    is_whole: bool


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Days until the limit is passed: an interval, never one date.

    Attributes:
        low_days: 5 % of the chance lie below; median_days 50 %, high_days 95 %, null beyond five
            years. All null where it is hidden; then `reason` says why.
        by: The index that it is made of, head or efficiency.
        limit_percent: The index at which the pump counts as worn out.
        coverage: Share of the days that have an index, 0 to 1.
    """

    low_days: float | None
    median_days: float | None
    high_days: float | None
    reason: str
    by: str
    limit_percent: float
    coverage: float
    weeks: int


class PumpTrend(msgspec.Struct, frozen=True, kw_only=True):
    """Change detection and remaining life, as of the last whole day; null where there is none."""

    day: date | None
    wear: list[Wear]
    life: Life


class PumpFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet view shows of a pump.

    Attributes:
        health: 0 to 100; null with `reason`.
        coverage: Share of the weights that were computed, 0 to 1.
        worst: The worst cause, one sentence.
        sec_kwh_m3: Specific energy; shown, never scored alone. Null with `sec_reason`.
        vibration_mm_s: Of the worse end, of the median sample; null where it was not computed.
            winding_c, unbalance_percent (current) and of_best (flow as a share of the best
            flow) likewise.
        starts: Within the window from `from_at` to `until_at`; run_h and known_h likewise.
        most_starts_per_hour: In any 60 minutes of the window.
        provisional: The reference curve still has too few healthy days.
        age_s: Seconds since `until_at`.
    """

    asset_id: int
    serial_number: str
    name: str | None
    domain: str | None
    from_at: datetime
    until_at: datetime
    assessed_at: datetime
    age_s: float
    health: float | None
    reason: str
    coverage: float
    worst: str
    sec_kwh_m3: float | None
    sec_reason: str
    vibration_mm_s: float | None
    winding_c: float | None
    unbalance_percent: float | None
    of_best: float | None
    starts: int
    most_starts_per_hour: int
    run_h: float
    known_h: float
    reference: str
    provisional: bool
    trend: PumpTrend


class PumpDay(msgspec.Struct, frozen=True, kw_only=True):
    """A pump's day in the plant's zone.

    Attributes:
        head_percent: Head above or below its reference; null where it was not computed.
            efficiency_percent likewise.
        vibration_mm_s: Of the worse end.
    """

    day: date
    health: float | None
    coverage: float
    head_percent: float | None
    efficiency_percent: float | None
    vibration_mm_s: float | None
    sec_kwh_m3: float | None
    run_h: float
    known_h: float
    starts: int
    worst: str
    provisional: bool
    computed_at: datetime


def figures_of(
    row: Mapping[str, Any], assessment: Mapping[str, Any], trend: PumpTrend, *, now: datetime
) -> PumpFigures:
    """The fleet view of a pump out of its whole assessment.

    Args:
        row: asset_id, serial_number, name, domain, from_at, until_at, assessed_at, health,
            coverage and worst.
        assessment: A `PumpAssessment` as JSON.
        trend: Beside it.
        now: Says how old it is.
    """
    values = {each["name"]: each["value"] for each in assessment["sub_scores"]}
    return PumpFigures(
        **row, age_s=(now - row["until_at"]).total_seconds(), reason=assessment["reason"],
        sec_kwh_m3=assessment["sec_kwh_m3"], sec_reason=assessment["sec_reason"],
        vibration_mm_s=values["vibration"], winding_c=values["winding temperature"],
        unbalance_percent=values["current unbalance"], of_best=values["operating region"],
        most_starts_per_hour=assessment["most_starts_per_hour"],
        starts=assessment["starts"], run_h=assessment["run_h"], known_h=assessment["known_h"],
        reference=assessment["reference"], provisional=assessment["is_provisional"], trend=trend,
    )  # fmt: skip


def csv_rows(pumps: Iterable[PumpFigures]) -> Iterable[Sequence[Cell]]:
    """Rows under `CSV_HEADINGS`."""
    for each in pumps:
        life = each.trend.life
        yield (
            each.serial_number, each.name, each.domain, each.until_at.isoformat(), each.health,
            each.coverage, each.worst, each.sec_kwh_m3, each.vibration_mm_s, each.winding_c,
            each.unbalance_percent, each.of_best, each.starts, each.run_h, life.low_days,
            life.median_days, life.high_days, life.reason, str(each.provisional).lower(),
        )  # fmt: skip


def day_rows(serial: str, days: Iterable[PumpDay]) -> Iterable[Sequence[Cell]]:
    """Rows under `DAY_HEADINGS`."""
    for each in days:
        yield (
            serial, each.day.isoformat(), each.health, each.coverage, each.head_percent,
            each.efficiency_percent, each.vibration_mm_s, each.sec_kwh_m3, each.run_h, each.known_h,
            each.starts, each.worst, str(each.provisional).lower(),
        )  # fmt: skip
