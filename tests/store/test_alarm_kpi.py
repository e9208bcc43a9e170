"""Every figure is computed again in plain Python from the raw history, and is the same."""

import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from samples import MINUTE_US, NOW, NOW_US, Sql

from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_kpi import AlarmKpi, figures
from ic3.domain.alarms import Alarms, Finding, Hold, HoldKind, Priority
from ic3.store.alarm_kpi import KpiStore
from ic3.store.alarms import AlarmStore
from ic3.store.pool import Database

SECOND_US = 1_000_000
ALARMS = "SELECT id, source_kind, source, condition, raised_at, cleared_at FROM ic3_alarm"
EVENTS = """
SELECT alarm_id, version, at, what, active, priority, held FROM ic3_alarm_event
ORDER BY alarm_id, version
"""


def play(seed: int, days: int = 4) -> tuple[Alarms, AlarmJournal]:
    """Some days of a plant: quiet hours, a flood, chatter, things left standing."""
    chance = random.Random(seed)
    alarms, journal = Alarms(), AlarmJournal()
    journal.follow(alarms)
    now, flood = NOW_US, 0
    end = NOW_US + days * 24 * 60 * MINUTE_US
    while now < end:
        flood = flood - 1 if flood else 80 * (chance.random() < 0.02)
        pace = 4 if flood else chance.choice([5, 20, 20, 600, 3600])
        now += chance.randrange(1, pace * SECOND_US)
        act = chance.random()
        alarms.expire(now)
        if act < 0.75:
            alarms.report(
                Finding(
                    source_kind=chance.choice(["asset", "dma"]),
                    source=f"S{int(chance.expovariate(0.4)) % 14}", condition=f"C{act < 0.3}",
                    active=chance.random() < 0.6, priority=Priority(chance.randrange(1, 5)),
                ), at_us=now,
            )  # fmt: skip
        elif act < 0.92 and alarms.open:
            alarms.acknowledge(chance.choice(alarms.open).id, who="asha", at_us=now)
        elif act < 0.95 and not alarms.holds:
            until_us = now + chance.randrange(1, 300) * MINUTE_US
            alarms.hold(
                Hold(
                    id=0, kind=HoldKind.SHELVED, reason="x", who="asha", from_us=now,
                    until_us=until_us, source=f"S{chance.randrange(14)}",
                ), at_us=now,
            )  # fmt: skip
    return alarms, journal


async def computed(database: Database, from_at: datetime, until_at: datetime) -> AlarmKpi:
    counted = await KpiStore(database).count(from_at, until_at)
    return figures(counted, from_at=from_at, until_at=until_at, operators=2)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def recomputed(sql: Sql, from_at: datetime, until_at: datetime) -> dict[str, Any]:
    alarms = {row[0]: row[1:] for row in sql(ALARMS)}
    history: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for alarm_id, *event in sql(EVENTS):
        history[alarm_id].append(tuple(event))
    calls = [
        (at, alarms[number][:3], priority)
        for number, events in history.items()
        for _, at, what, _, priority, held in events
        if what == "new" and held is None and from_at <= at < until_at
    ]
    slots = Counter(int((at - from_at) / timedelta(minutes=10)) for at, _, _ in calls)
    by_condition: dict[tuple[str, str, str], list[datetime]] = defaultdict(list)
    for at, key, _ in calls:
        by_condition[key].append(at)
    chattering = {key for key, times in by_condition.items() if _three_within(sorted(times))}
    ranking = sorted(
        by_condition, key=lambda key: (-len(by_condition[key]), key[1], key[2], key[0])
    )
    standing = still_open = 0
    for number, (_, _, _, raised_at, cleared_at) in alarms.items():
        if raised_at >= until_at or (cleared_at is not None and cleared_at < until_at):
            continue
        still_open += 1
        since = None
        for _, at, _, active, _, _ in history[number]:
            if at < until_at:
                since = (since or at) if active else None
        standing += since is not None and since <= until_at - timedelta(hours=24)
    asked = [
        number
        for number, row in alarms.items()
        if from_at <= row[3] < until_at and history[number][0][5] is None
    ]
    acks = [
        min(at for _, at, what, _, _, _ in history[number] if what == "ack") - alarms[number][3]
        for number in asked
        if any(event[2] == "ack" for event in history[number])
    ]
    seconds = [each.total_seconds() for each in acks]
    return {
        "calls": len(calls), "max": max(slots.values(), default=0),
        "floods": sum(count > 10 for count in slots.values()),
        "priorities": [sum(p == number for _, _, p in calls) for number in (1, 2, 3, 4)],
        "standing": (standing, still_open), "chattering": len(chattering),
        "chatterers": [key for key in ranking if key in chattering][:10],
        "worst": [(*key, len(by_condition[key])) for key in ranking[:10]],
        "asked": len(asked), "acknowledged": len(acks),
        "median": percentile(seconds, 0.5) if seconds else None,
        "p90": percentile(seconds, 0.9) if seconds else None,
    }  # fmt: skip


def _three_within(times: list[datetime]) -> bool:
    return any(
        third - first <= timedelta(seconds=60)
        for first, third in zip(times, times[2:], strict=False)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_figures_are_those_of_the_raw_history(
    database: Database, sql: Sql, seed: int
) -> None:
    _, journal = play(seed)
    store = AlarmStore(database)
    while len(batch := journal.take()):
        await store.keep(batch)
        journal.stored(batch)
    spans = [
        (NOW, NOW + timedelta(days=4)),
        (NOW + timedelta(hours=7, seconds=3), NOW + timedelta(hours=60)),
        (NOW + timedelta(days=9), NOW + timedelta(days=10)),
    ]
    for from_at, until_at in spans:
        found, raw = await computed(database, from_at, until_at), recomputed(sql, from_at, until_at)
        span_s = (until_at - from_at).total_seconds()
        assert found.calls == raw["calls"]
        assert found.per_10_min.mean == pytest.approx(raw["calls"] / span_s * 600)
        assert (found.per_10_min.max, found.per_10_min.flood_slots) == (raw["max"], raw["floods"])
        assert found.per_10_min.flood_share == raw["floods"] / -(-span_s // 600)
        assert found.per_operator_hour == pytest.approx(raw["calls"] / span_s * 3600 / 2)
        assert [each.calls for each in found.priorities] == raw["priorities"]
        assert (found.standing.count, found.standing.open) == raw["standing"]
        assert found.chattering.count == raw["chattering"]
        named = [(each.source_kind, each.source, each.condition) for each in found.chattering.worst]
        assert named == raw["chatterers"]
        assert [
            (each.source_kind, each.source, each.condition, each.calls) for each in found.worst
        ] == raw["worst"]
        acks = found.acknowledgement
        assert (acks.alarms, acks.acknowledged) == (raw["asked"], raw["acknowledged"])
        assert acks.never == raw["asked"] - raw["acknowledged"]
        assert acks.median_s == (raw["median"] and pytest.approx(raw["median"]))
        assert acks.p90_s == (raw["p90"] and pytest.approx(raw["p90"]))


async def test_the_played_days_show_every_figure(database: Database, sql: Sql) -> None:
    _, journal = play(1)
    await AlarmStore(database).keep(journal.take(10**6))
    raw = recomputed(sql, NOW, NOW + timedelta(days=4))
    assert raw["floods"] > 0
    assert raw["chattering"] > 0
    assert raw["standing"][0] > 0
    assert raw["asked"] > raw["acknowledged"] > 10


async def test_an_empty_span_has_zeros_and_no_shares(database: Database, sql: Sql) -> None:
    found = await computed(database, NOW, NOW + timedelta(hours=1))
    assert (found.calls, found.per_10_min.mean, found.per_10_min.slots) == (0, 0.0, 6)
    assert {each.share for each in found.priorities} == {None}
    assert (found.standing.share, found.acknowledgement.median_s) == (None, None)
