"""How often things fail and how long they stay so: MTTR, MTBF and availability.

A failure begins when its alarm was raised, or without an alarm when the order was reported. It
ends when the measured value returned; without a measured value, or where a person verified the
order although it had not, when the order was done. A failure that has not ended lasts. Cancelled
orders, drafts and planned work are no failures.

- failures: those that began in the span.
- repairs: those that ended in the span. MTTR is the mean of their whole lengths.
- downtime: the part of the span in which at least one failure of the asset lasted.
- MTBF: time in service, which is the span less the downtime, by failures.
- availability: the span less the downtime, by the span.

Of a kind or a domain the span counts once for each asset of the register.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec


class By(StrEnum):
    """What the figures are of."""

    ASSET = "asset"
    KIND = "kind"
    DOMAIN = "domain"


class Measured(NamedTuple):
    """What was counted of one group."""

    name: str | None
    assets: int
    failures: int
    repairs: int
    repair_s: float
    downtime_s: float


class Reliability(msgspec.Struct, frozen=True):
    """The figures of one asset, kind or domain.

    Attributes:
        name: Serial number, kind or domain; null where the orders name none.
        mttr_h: Null where nothing was repaired.
        mtbf_h: Null where nothing failed.
    """

    name: str | None
    assets: int
    failures: int
    repairs: int
    downtime_h: float
    mttr_h: float | None
    mtbf_h: float | None
    availability: float


def figures(measured: Measured, span_s: float) -> Reliability:
    """The figures of what was counted in a span of so many seconds."""
    all_s = span_s * max(measured.assets, 1)
    down_s = min(measured.downtime_s, all_s)
    return Reliability(
        measured.name, measured.assets, measured.failures, measured.repairs,
        round(down_s / 3600, 4),
        round(measured.repair_s / measured.repairs / 3600, 4) if measured.repairs else None,
        round((all_s - down_s) / measured.failures / 3600, 4) if measured.failures else None,
        round(1 - down_s / all_s, 6),
    )  # fmt: skip
