"""Our clock against the gateway's `Date`: S37."""

from datetime import UTC, datetime, timedelta

import pytest

from ic3.domain.alarm_system import Facts, SystemWatch
from ic3.domain.freshness import Freshness
from ic3.domain.sweeps import Sweep
from ic3.turns import at_once

NOW = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)


def facts(offset_s: float | None) -> Facts:
    return Facts(
        gateway_lost=False, gateway_error=None, database_away_s=0, database_error="", run_age_s=0,
        interval_s=60, spool_share=0, own_clock=None, clock_offset_s=offset_s, open_alarms=0,
        events={},
    )  # fmt: skip


@pytest.mark.parametrize("offset_s", [5.1, -5.1, 86_400])
def test_s37_more_than_five_seconds_from_the_gateway_is_an_alarm(offset_s: float) -> None:
    watch = SystemWatch()
    (begun,) = watch.evaluate(facts(offset_s))
    assert (begun.source, begun.condition, begun.active) == ("clock", "offset", True)
    assert f"{offset_s:+.0f} s" in begun.text
    assert watch.evaluate(facts(offset_s)) == []
    (over,) = watch.evaluate(facts(0))
    assert not over.active


@pytest.mark.parametrize("offset_s", [None, 0, 5, -5])
def test_s37_five_seconds_are_none(offset_s: float | None) -> None:
    assert SystemWatch().evaluate(facts(offset_s)) == []


@pytest.mark.parametrize(
    ("server_is_later_s", "list_ms", "offset_s"),
    [(-7, 0, 7), (7, 0, -7), (7, 6000, -1), (7, 9000, 0), (-7, 9000, 7), (0, 0, 0)],
)
def test_s37_an_answer_that_takes_long_is_no_difference_of_clocks(
    server_is_later_s: float, list_ms: float, offset_s: float
) -> None:
    freshness = Freshness(interval_s=60, raw_days=7)
    sweep = Sweep(begun_at=NOW, started=0.0, simulated=False, ended_at=NOW)
    sweep.server_date = NOW + timedelta(seconds=server_is_later_s)
    sweep.phase_ms["list"] = list_ms
    at_once(freshness.taking(sweep))
    assert freshness.clock_offset_s == offset_s
