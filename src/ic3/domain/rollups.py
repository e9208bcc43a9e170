"""Which roll-ups a batch of readings touches."""

from collections.abc import Iterable
from typing import Final

from ic3.domain.mapping import Reading

BUCKET_US: Final = 5 * 60 * 1_000_000


def touched(readings: Iterable[Reading]) -> set[tuple[int, int]]:
    """Buckets (five minutes since 1970) and register ids that readings belong to."""
    found: set[tuple[int, int]] = set()
    register_id = recorded_us = None
    for reading in readings:
        # The readings of an envelope follow each other: one look for all of them.
        if reading.recorded_us != recorded_us or reading.register_id != register_id:
            register_id, recorded_us = reading.register_id, reading.recorded_us
            found.add((recorded_us // BUCKET_US, register_id))
    return found
