"""Readings that were lost, or never offered: counted, with asset, span and cause."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from ic3.domain.freshness import MISSED_SWEEPS
from ic3.domain.sweeps import Sweep

TOLD_EVERY_US: Final = 3_600_000_000
GAPS_AT_ONCE: Final = 1000


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
    OVERWRITTEN = "overwritten"


ESTIMATED = frozenset({Cause.GATEWAY_DOWN, Cause.KEY_FAILED, Cause.TICK_SKIPPED, Cause.OVERWRITTEN})
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


@dataclass(slots=True)
class _Outage:
    """A time in which something was not read.

    Attributes:
        sweeps: How many sweeps' worth was missed; a part of the plant is a part of a sweep.
        told: Whether a part of it is a gap already.
    """

    since_us: int
    sweeps: float = 0.0
    told: bool = False


class Missed:
    """Readings that were never offered to us: estimated from how often each asset usually speaks.

    An outage is one gap, told when it ends, or one an hour: a process that ends in an outage takes
    no more with it. Of the whole plant are sweeps that failed, that did not begin, and keys that
    were put off; a key that failed three sweeps in a row is a gap of its asset.

    Args:
        records_a_sweep: Serial numbers to the new records that a sweep of them usually brings.
        interval_s: Between two sweeps.
    """

    def __init__(
        self, records_a_sweep: Callable[[Iterable[str]], float], *, interval_s: float
    ) -> None:
        self._records_a_sweep = records_a_sweep
        self._interval_us = int(interval_s * 1_000_000)
        self._plant: dict[Cause, _Outage] = {}
        self._assets: dict[str, _Outage] = {}
        self._listed: Mapping[str, str] = {}

    def take(self, sweep: Sweep, *, skipped: int, now_us: int) -> list[Gap]:
        """The gaps that a sweep ends or that have become an hour long; at most 1,000.

        Args:
            sweep: As it ended.
            skipped: Sweeps that should have begun before it and did not.
            now_us: The wall clock, for stamps.
        """
        begun_us = int(sweep.begun_at.timestamp() * 1_000_000)
        self._listed = sweep.listed or self._listed
        down = sweep.error is not None
        left = _share_left(sweep)
        gaps = [
            *self._of_plant(Cause.GATEWAY_DOWN, left if down else 0.0, begun_us, now_us),
            *self._of_plant(Cause.OVERWRITTEN, 0.0 if down else left, begun_us, now_us),
            *self._of_plant(
                Cause.TICK_SKIPPED, skipped, begun_us - skipped * self._interval_us, now_us
            ),
        ]
        # What fails together with the gateway is no fault of a key.
        of_assets = [] if down else list(self._of_assets(sweep, begun_us, now_us))
        if len(of_assets) > GAPS_AT_ONCE:
            first_us = min(gap.from_us for gap in of_assets)
            readings = sum(gap.readings for gap in of_assets)
            of_assets = [Gap(Cause.KEY_FAILED, None, first_us, now_us, readings)]
        return gaps + of_assets

    def _of_plant(self, cause: Cause, missed: float, since_us: int, now_us: int) -> Iterator[Gap]:
        if missed:
            self._plant.setdefault(cause, _Outage(since_us)).sweeps += missed
        outage = self._plant.get(cause)
        if outage is None or not self._listed:
            return
        if missed and now_us - outage.since_us < TOLD_EVERY_US:
            return
        readings = round(outage.sweeps * self._records_a_sweep(self._listed.values()))
        if readings or not missed:
            del self._plant[cause]
        if readings:
            yield Gap(cause, None, outage.since_us, now_us, readings)

    def _of_assets(self, sweep: Sweep, begun_us: int, now_us: int) -> Iterator[Gap]:
        unread = {self._listed[key] for key in sweep.unread if key in self._listed}
        for serial in unread:
            self._assets.setdefault(serial, _Outage(begun_us)).sweeps += 1
        for serial, outage in list(self._assets.items()):
            lasts = serial in unread
            if lasts and now_us - outage.since_us < TOLD_EVERY_US:
                continue
            readings = round(outage.sweeps * self._records_a_sweep([serial]))
            if not lasts:
                del self._assets[serial]
            elif readings:
                self._assets[serial] = _Outage(now_us, told=True)
            if readings and (outage.told or outage.sweeps >= MISSED_SWEEPS):
                yield Gap(Cause.KEY_FAILED, serial, outage.since_us, now_us, readings)


def _share_left(sweep: Sweep) -> float:
    """Which part of the plant a sweep did not come to."""
    if sweep.error is None:
        return sweep.deferred.total() / max(1, sweep.keys_scanned)
    if not sweep.keys_scanned:
        return 1.0
    return (sweep.keys_scanned - sweep.read_ok) / sweep.keys_scanned
