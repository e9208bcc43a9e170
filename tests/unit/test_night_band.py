"""The band in which most night flows of a district lay."""

from datetime import date, timedelta

from ic3.domain.nrw import nights_of

DAYS = [date(2026, 6, 1) + timedelta(days=each) for each in range(11)]


def test_the_band_is_between_the_first_and_the_last_decile() -> None:
    nights = nights_of(DAYS, [float(each) for each in range(100, 111)])
    assert (nights.low_m3_h, nights.high_m3_h) == (101.0, 109.0)


def test_nights_without_a_flow_do_not_count_and_few_give_no_band() -> None:
    nights = nights_of(DAYS, [1.0] * 6 + [None] * 5)
    assert (nights.low_m3_h, nights.high_m3_h) == (None, None)
    assert nights.m3_h[-1] is None
