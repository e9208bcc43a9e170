"""Readings that were lost, or never offered: counted, with asset, span and cause."""

from enum import StrEnum

import msgspec


class Cause(StrEnum):
    """Why readings are missing."""

    SPOOL_THINNED = "spool_thinned"
    SPOOL_DROPPED = "spool_dropped"
    SPOOL_CORRUPT = "spool_corrupt"
    SPOOL_FULL = "spool_full"
    DEAD_LETTER_TRIMMED = "dead_letter_trimmed"
    GATEWAY_DOWN = "gateway_down"
    KEY_FAILED = "key_failed"
    TICK_SKIPPED = "tick_skipped"


ESTIMATED = frozenset({Cause.GATEWAY_DOWN, Cause.KEY_FAILED, Cause.TICK_SKIPPED})
"""Causes whose number is not counted but worked out: the readings were never offered to us."""


class Gap(msgspec.Struct, frozen=True):
    """A span in which readings are missing.

    Attributes:
        serial: The asset; None where it is the whole plant.
        from_us: First moment, microseconds since 1970 UTC; `to_us` the last.
        readings: How many envelopes; 0 where nobody knows.
    """

    cause: Cause
    serial: str | None
    from_us: int
    to_us: int
    readings: int

    @property
    def estimated(self) -> bool:
        """Whether the number is an estimate."""
        return self.cause in ESTIMATED
