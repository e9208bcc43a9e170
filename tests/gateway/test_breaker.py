"""The breaker and the pace alone, on a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.gateway.breaker import Breaker, BreakerState
from ic3.gateway.errors import NotAsked
from ic3.gateway.pace import Budget, Pace, in_flight_needed
from ic3.observations import BreakerClosed, BreakerOpened, Observation

INTERVAL_S = 15.0


class Bench:
    """A breaker with its clock and what it told."""

    def __init__(self, interval_s: float = INTERVAL_S, chance: float = 0.5) -> None:
        self.now = 1000.0
        self.told: list[Observation] = []
        self.breaker = Breaker(
            interval_s=interval_s, monotonic=lambda: self.now, observe=self.told.append,
            chance=lambda: chance,
        )  # fmt: skip

    def may_try(self) -> bool:
        try:
            self.breaker.enter()
        except NotAsked:
            return False
        return True

    def probe(self, *, good: bool) -> None:
        self.breaker.enter()
        if good:
            self.breaker.answered()
        else:
            self.breaker.failed()
        self.breaker.leave()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def opened() -> Bench:
    bench = Bench()
    bench.breaker.failed(5)
    return bench


def test_f1_five_failures_in_a_row_open_it_and_four_do_not(bench: Bench) -> None:
    for _ in range(4):
        bench.breaker.failed()
    assert bench.breaker.closed
    bench.breaker.failed()
    assert bench.breaker.state is BreakerState.OPEN
    assert bench.told == [BreakerOpened("it failed 5 times in a row")]


def test_f1_an_answer_in_between_begins_the_row_anew(bench: Bench) -> None:
    for _ in range(10):
        bench.breaker.failed(4)
        bench.breaker.answered(5)
    assert bench.breaker.closed


def test_f1_failures_that_speak_for_one_key_make_no_row(bench: Bench) -> None:
    bench.breaker.failed(50, in_a_row=False)
    assert bench.breaker.closed


def test_f3_more_than_half_of_the_last_hundred_open_it(bench: Bench) -> None:
    for _ in range(50):
        bench.breaker.answered()
        bench.breaker.refused()
    assert bench.breaker.closed
    bench.breaker.refused()
    assert bench.told == [BreakerOpened("51 of the last 100 requests failed")]


def test_f3_what_was_before_the_last_hundred_is_forgotten(bench: Bench) -> None:
    for _ in range(50):
        bench.breaker.refused()
    bench.breaker.answered(100)
    for _ in range(50):
        bench.breaker.refused()
    assert bench.breaker.closed


def test_f1_nothing_is_asked_until_a_probe_is_due_and_then_one_call(bench: Bench) -> None:
    bench.breaker.failed(5)
    words = r"^gateway: not asked, it failed 5 times in a row; next try in 2 s$"
    with pytest.raises(NotAsked, match=words) as caught:
        bench.breaker.enter()
    assert caught.value.reason == "breaker_open"
    bench.now += 3.0
    assert bench.may_try()
    assert bench.breaker.state is BreakerState.HALF_OPEN
    assert not bench.may_try()


def test_f1_a_probe_that_is_answered_closes_it() -> None:
    bench = opened()
    bench.now += 7.0
    bench.probe(good=True)
    assert bench.breaker.closed
    assert bench.breaker.next_try_s is None
    assert bench.told[-1] == BreakerClosed(7.0)
    bench.breaker.failed(4)
    assert bench.breaker.closed


def test_f1_a_probe_without_any_outcome_leaves_it_open() -> None:
    bench = opened()
    bench.now += 7.0
    bench.breaker.enter()
    bench.breaker.leave()
    assert bench.breaker.state is BreakerState.OPEN
    assert not bench.may_try()


def test_f1_an_answer_that_comes_late_does_not_close_it() -> None:
    bench = opened()
    bench.breaker.answered(20)
    assert bench.breaker.state is BreakerState.OPEN


def test_f1_probes_become_rarer_up_to_one_an_interval() -> None:
    bench = opened()
    waits = []
    for _ in range(5):
        bench.now += 60.0
        bench.probe(good=False)
        assert bench.breaker.next_try_s is not None
        waits.append(round(bench.breaker.next_try_s, 2))
    assert waits == [3.5, 7.0, 10.5, 10.5, 10.5]
    assert len(bench.told) == 1


@given(
    interval_s=st.floats(0.2, 3600), chance=st.floats(0, 1), opened_share=st.floats(0, 0.8),
    probe_share=st.floats(0, 0.8), sweeps=st.integers(1, 12),
)  # fmt: skip
def test_f1_each_sweep_may_be_the_probe_so_it_is_back_within_an_interval(
    interval_s: float, chance: float, opened_share: float, probe_share: float, sweeps: int
) -> None:
    bench = Bench(interval_s, chance)
    began = bench.now
    bench.now = began + opened_share * interval_s
    bench.breaker.failed(5)
    for number in range(1, sweeps + 1):
        bench.now = began + number * interval_s
        bench.breaker.enter()
        bench.now += probe_share * interval_s
        bench.breaker.failed()
        bench.breaker.leave()
    bench.now = began + (sweeps + 1) * interval_s
    bench.probe(good=True)
    assert bench.breaker.closed


@given(steps=st.lists(st.sampled_from(["answered", "answered many", "refused", "failed", "alone"])))
def test_f3_it_opens_exactly_when_the_rule_says_so(steps: list[str]) -> None:
    bench, row, last = Bench(), 0, list[bool]()
    for step in steps * 4:
        match step:
            case "answered" | "answered many":
                number = 1 if step == "answered" else 7
                bench.breaker.answered(number)
                row, last = 0, last + [False] * number
            case "refused":
                bench.breaker.refused()
                last.append(True)
            case _:
                bench.breaker.failed(in_a_row=step == "failed")
                row, last = row + (step == "failed"), [*last, True]
        assert bench.breaker.closed == (row < 5 and sum(last[-100:]) <= 50)
        if not bench.breaker.closed:
            break


def test_f3_rest_that_is_asked_for_is_given_to_the_second(bench: Bench) -> None:
    bench.breaker.hold(40.0)
    bench.breaker.failed(5)
    assert bench.breaker.deferral == "retry_after"
    bench.now += 39.9
    with pytest.raises(NotAsked, match="it asked for 40 s of rest; next try in 1 s"):
        bench.breaker.enter()
    bench.now += 0.2
    bench.probe(good=True)
    assert bench.breaker.closed


def test_f3_rest_asked_for_by_a_probe_counts_from_then() -> None:
    bench = opened()
    bench.now += 60
    bench.breaker.enter()
    bench.breaker.refused()
    bench.breaker.hold(100)
    bench.breaker.leave()
    assert bench.breaker.next_try_s == 100


@pytest.mark.parametrize(("asked", "given_s"), [(1e9, 600.0), (0.0, None), (-5.0, None)])
def test_f3_rest_is_bounded(bench: Bench, asked: float, given_s: float | None) -> None:
    bench.breaker.hold(asked)
    assert bench.breaker.next_try_s == given_s


# the pace


def clean(pace: Pace, sent: int, read: int = 500) -> None:
    pace.end_sweep(sent=sent, read=read, took_s=0.5, unfinished=False)


def test_f2_strain_halves_once_for_what_was_in_flight_together() -> None:
    pace = Pace(20)
    limits = []
    for sent in (100, 101, 119, 120, 129, 130, 140, 200):
        pace.strain(sent)
        limits.append(pace.limit)
    assert limits == [10, 10, 10, 5, 5, 4, 4, 4]


def test_f2_one_more_after_each_clean_sweep_up_to_the_cap() -> None:
    pace = Pace(7)
    pace.strain(10)
    clean(pace, 20)
    limits = [pace.limit]
    for _ in range(4):
        clean(pace, 20)
        limits.append(pace.limit)
    assert limits == [4, 5, 6, 7, 7]


@pytest.mark.parametrize("cap", [1, 2, 3, 4, 5, 64])
def test_f2_the_floor_is_four_or_the_cap(cap: int) -> None:
    pace = Pace(cap)
    for sent in range(0, 10_000, 100):
        pace.strain(sent)
    assert pace.limit == min(4, cap)


def test_f2_a_gateway_that_has_become_slow_is_asked_less_within_two_sweeps() -> None:
    pace = Pace(20)
    clean(pace, 500)
    for number, limit in ((1, 10), (2, 5)):
        pace.end_sweep(sent=500 + 100 * number, read=100, took_s=12.0, unfinished=True)
        assert pace.limit == limit


def test_f2_too_many_keys_for_the_time_are_no_strain() -> None:
    pace = Pace(20)
    for number in range(10):
        pace.end_sweep(sent=16_000 * number, read=16_000, took_s=12.0, unfinished=True)
    assert pace.limit == 20


def test_f2_a_gateway_that_stays_slow_is_not_starved_for_ever() -> None:
    pace = Pace(20)
    clean(pace, 0)
    for number in range(1, 60):
        read = 40 * pace.limit
        pace.end_sweep(sent=1000 * number, read=read, took_s=12.0, unfinished=True)
    assert pace.limit == 20


def test_f2_a_silent_sweep_is_strain() -> None:
    pace = Pace(20)
    pace.end_sweep(sent=20, read=0, took_s=12.0, unfinished=True)
    assert pace.limit == 10


@given(strains=st.lists(st.tuples(st.integers(0, 50), st.booleans())), cap=st.integers(1, 100))
def test_f2_the_bound_stays_between_floor_and_cap(
    strains: list[tuple[int, bool]], cap: int
) -> None:
    pace, sent = Pace(cap), 0
    for more, strained in strains:
        sent += more
        if strained:
            pace.strain(sent)
        else:
            clean(pace, sent, read=more)
        assert min(4, cap) <= pace.limit <= cap


@pytest.mark.parametrize(
    ("keys", "read", "needed"), [(557, 400, 28), (100_000, 16_000, 130), (100_000, 1_000, 2000)]
)
def test_the_figure_needed_in_flight_has_two_digits(keys: int, read: int, needed: int) -> None:
    assert in_flight_needed(keys=keys, read=read, limit=20) == needed


@pytest.mark.parametrize(("requests", "more"), [(1, 2), (19, 2), (60, 6), (557, 55)])
def test_f3_a_tenth_may_be_asked_again_and_two_in_any_case(requests: int, more: int) -> None:
    budget = Budget(requests)
    assert [budget.take() for _ in range(more + 1)] == [True] * more + [False]
