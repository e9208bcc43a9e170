"""How many requests a minute one caller may make."""

from ic3.domain.rates import Rates


def test_a_bucket_empties_and_fills_steadily() -> None:
    rates = Rates(60)
    assert [rates.take("asha", 0.0).left for _ in range(61)] == [*range(59, -1, -1), -1]
    assert rates.take("asha", 0.5).wait_s == 0.5
    assert rates.take("asha", 1.0).left == 0
    assert rates.take("asha", 1000.0).left == 59


def test_callers_do_not_share_a_bucket() -> None:
    rates = Rates(1)
    assert rates.take("asha", 0.0).left == 0
    assert rates.take("asha", 0.0).left == -1
    assert rates.take("ravi", 0.0).left == 0


def test_callers_are_bounded() -> None:
    rates = Rates(10)
    for number in range(10_001):
        rates.take(str(number), 0.0)
    assert rates.take("0", 0.0).left == 9  # forgotten, and begun anew
