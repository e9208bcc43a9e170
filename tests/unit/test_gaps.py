"""What was never offered to us: one gap an outage, its number by the usual cadence."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from builders import NOW, NOW_US, SECOND_US, sweep

from ic3.domain.gaps import GAPS_AT_ONCE, Cause, Gap, Missed
from ic3.domain.sweeps import Sweep

INTERVAL_S = 15
TICK_US = INTERVAL_S * SECOND_US
HOUR_SWEEPS = 3600 // INTERVAL_S


class Watched:
    """Ten assets that speak with every sweep, but one: SLOW speaks every ten minutes."""

    def __init__(self, *more: str) -> None:
        self.missed = Missed(self.records_a_sweep, interval_s=INTERVAL_S)
        serials = [*map(str, range(9)), "SLOW", *more]
        self.listed = {f"ic3:latest:{serial}": serial for serial in serials}
        self.ticks = 0

    @staticmethod
    def records_a_sweep(serials: Iterable[str]) -> float:
        return sum(0.025 if serial == "SLOW" else 1.0 for serial in serials)

    def sweep(
        self, *unread: str, error: str | None = None, read: int = 10, deferred: int = 0,
        skipped: int = 0, listed: bool = True,
    ) -> list[Gap]:  # fmt: skip
        """The next sweep, which ends as it begins."""
        self.ticks += 1 + skipped
        made: Sweep = sweep(begun_at=NOW + timedelta(seconds=self.ticks * INTERVAL_S), error=error)
        if listed:
            made.listed, made.keys_scanned, made.read_ok = self.listed, len(self.listed), read
        made.unread = [f"ic3:latest:{serial}" for serial in unread]
        made.deferred["deadline"] = deferred
        return self.missed.take(made, skipped=skipped, now_us=self.now_us)

    @property
    def now_us(self) -> int:
        return NOW_US + self.ticks * TICK_US

    def at_us(self, tick: int) -> int:
        return NOW_US + tick * TICK_US


def test_nothing_is_missed_while_all_goes_well() -> None:
    feed = Watched()
    assert [feed.sweep() for _ in range(3)] == [[], [], []]


def test_gateway_down_is_one_gap_when_it_is_back() -> None:
    feed = Watched()
    feed.sweep()
    for _ in range(4):
        assert feed.sweep(error="gateway: refused", listed=False) == []
    assert feed.sweep() == [
        Gap(Cause.GATEWAY_DOWN, None, feed.at_us(2), feed.at_us(6), round(4 * 9.025))
    ]
    assert feed.sweep() == []


def test_gateway_down_from_the_start_counts_the_keys_that_are_there_in_the_end() -> None:
    feed = Watched()
    feed.sweep(error="gateway: refused", listed=False)
    feed.sweep(error="gateway: refused", listed=False)
    (gap,) = feed.sweep()
    assert (gap.cause, gap.readings, gap.estimated) == (Cause.GATEWAY_DOWN, 18, True)


def test_of_a_sweep_that_breaks_off_only_the_rest_is_missed() -> None:
    feed = Watched()
    feed.sweep(error="gateway: left alone", read=4, deferred=6)
    (gap,) = feed.sweep()
    assert (gap.cause, gap.readings) == (Cause.GATEWAY_DOWN, round(0.6 * 9.025))


def test_what_the_spool_refuses_is_no_outage_of_the_gateway() -> None:
    feed = Watched()
    feed.sweep(error="spool: the disk is full")
    assert feed.sweep() == []


def test_sweeps_that_did_not_begin_are_one_gap() -> None:
    feed = Watched()
    feed.sweep()
    assert feed.sweep(skipped=1) == []
    assert feed.sweep(skipped=2) == []
    assert feed.sweep() == [
        Gap(Cause.TICK_SKIPPED, None, feed.at_us(2), feed.at_us(7), round(3 * 9.025))
    ]


def test_keys_put_off_are_one_gap_of_the_plant() -> None:
    feed = Watched()
    feed.sweep(deferred=5)
    feed.sweep(deferred=3)
    assert feed.sweep() == [
        Gap(Cause.OVERWRITTEN, None, feed.at_us(1), feed.at_us(3), round(0.8 * 9.025))
    ]


def test_key_that_fails_is_a_gap_of_its_asset_when_it_is_read_again() -> None:
    feed = Watched()
    for _ in range(4):
        assert feed.sweep("1") == []
    assert feed.sweep() == [Gap(Cause.KEY_FAILED, "1", feed.at_us(1), feed.at_us(5), 4)]
    assert feed.sweep() == []


def test_key_that_fails_twice_is_none() -> None:
    feed = Watched()
    feed.sweep("1")
    feed.sweep("1")
    assert feed.sweep() == []


def test_seldom_speaker_has_missed_nothing_in_a_minute() -> None:
    feed = Watched()
    for _ in range(4):
        feed.sweep("SLOW")
    assert feed.sweep() == []


@pytest.mark.parametrize(("serial", "an_hour"), [("1", HOUR_SWEEPS), ("SLOW", 6)])
def test_key_that_fails_on_is_a_gap_an_hour_and_nothing_is_counted_twice(
    serial: str, an_hour: int
) -> None:
    feed = Watched()
    told = [gap for _ in range(2 * HOUR_SWEEPS + 2) for gap in feed.sweep(serial)]
    told += feed.sweep()
    assert [gap.cause for gap in told[:2]] == [Cause.KEY_FAILED] * 2
    assert told[0].readings == pytest.approx(an_hour, abs=1)
    assert sum(gap.readings for gap in told) == pytest.approx(
        feed.records_a_sweep([serial]) * (2 * HOUR_SWEEPS + 2), abs=1
    )
    assert told[0].to_us == told[1].from_us


def test_gateway_that_stays_down_is_a_gap_an_hour() -> None:
    feed = Watched()
    feed.sweep()
    told = [
        gap for _ in range(HOUR_SWEEPS + 5) for gap in feed.sweep(error="refused", listed=False)
    ]
    told += feed.sweep()
    assert len(told) == 2
    assert sum(gap.readings for gap in told) == pytest.approx(9.025 * (HOUR_SWEEPS + 5), abs=1)


def test_key_that_fails_while_the_gateway_is_down_is_not_counted_twice() -> None:
    feed = Watched()
    for _ in range(5):
        feed.sweep("1", error="gateway: none of 10 keys could be read", read=0)
    assert [gap.cause for gap in feed.sweep()] == [Cause.GATEWAY_DOWN]


def test_very_many_keys_at_once_are_one_gap_of_the_plant() -> None:
    many = [f"asset {number}" for number in range(GAPS_AT_ONCE + 1)]
    feed = Watched(*many)
    for _ in range(3):
        feed.sweep(*many)
    assert feed.sweep() == [
        Gap(Cause.KEY_FAILED, None, feed.at_us(1), feed.at_us(4), 3 * len(many))
    ]
