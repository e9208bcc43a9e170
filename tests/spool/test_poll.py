"""The poll worker on a real spool, with a gateway that answers as told and no database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from ic3.domain.envelope import Envelope, parse
from ic3.domain.gaps import Cause, Gap
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.errors import GatewayError, SpoolError
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import unheard
from ic3.hub.local import LocalHub
from ic3.hub.places import Places
from ic3.observations import Observation
from ic3.spool import Spool
from ic3.store.register import RegisterStore
from ic3.workers.alarms import News
from ic3.workers.poll import Poll
from ic3.workers.save import UnsavedSweeps

NOBODY = cast("Any", None)
LISTED = {f"ic3:latest:{serial}": serial for serial in "AB"}


class Reading(Sweeper):
    """Lists two keys and reads them, unless told otherwise."""

    error: GatewayError | None = None
    takes_s = 0.0
    news: list[Envelope]
    clock: Any

    async def run(self, sweep: Sweep, _register: Register, *, deadline_s: float) -> None:
        self.clock.advance(self.takes_s)
        if self.error is not None:
            raise self.error
        sweep.listed = LISTED
        sweep.keys_listed = sweep.keys_scanned = sweep.unmatched = len(LISTED)
        sweep.read_ok = len(LISTED)
        sweep.unchanged = len(LISTED) - len(self.news)
        await asyncio.sleep(0.01)  # the spool is faster
        for each in self.news:
            sweep.take(each)


class Away(RegisterStore):
    """The database is away, and nobody asks it."""

    @property
    def away(self) -> bool:
        return True


@pytest.fixture
async def spool(tmp_path: Path, clock: Any) -> AsyncIterator[Spool]:
    made = Spool(tmp_path, cap_bytes=1 << 30, age_cap_s=1e6, clock=clock, observe=lambda _: None)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def reading(clock: Any) -> Reading:
    made = Reading(NOBODY, simulated=True, clock=clock)
    made.clock, made.news = clock, []
    return made


@pytest.fixture
def unsaved() -> UnsavedSweeps:
    return UnsavedSweeps()


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
def poll(spool: Spool, reading: Reading, unsaved: UnsavedSweeps, news: News, clock: Any) -> Poll:
    feed, told, latest = Feed(interval_s=15), list[Observation](), LatestReadings()
    feed.restored = True
    places = Places(max_clients=1, max_per_user=1)
    return Poll(
        sweeper=reading, spool=spool, store=NOBODY, registers=Away(NOBODY),
        hub=LocalHub(clock=clock, observe=told.append, places=places), feed=feed,
        live=unheard(feed=feed, latest=latest, runs=RecentRuns(), clock=clock),
        latest=latest, unsaved=unsaved, news=news, interval_s=15,
        clock=clock, observe=told.append,
    )  # fmt: skip


async def test_intervals_without_a_sweep_are_a_gap_in_the_spool(
    poll: Poll, spool: Spool, clock: Any
) -> None:
    begun_us = clock.now_us()
    for wait_s in (15.2, 44.9, 15):
        await poll.step()
        clock.advance(wait_s)
    assert await spool.gaps() == []
    await poll.step()
    assert await spool.gaps() == [
        Gap(Cause.TICK_SKIPPED, None, begun_us + 30_100_000, clock.now_us(), 4)
    ]


async def test_a_slow_sweep_alone_misses_nothing(
    poll: Poll, spool: Spool, reading: Reading, clock: Any
) -> None:
    reading.takes_s = 12
    for _ in range(4):
        await poll.step()
        clock.advance(3)
    assert await spool.gaps() == []


async def test_a_gateway_down_is_a_gap_in_the_spool(
    poll: Poll, spool: Spool, reading: Reading, clock: Any
) -> None:
    for error in (None, GatewayError("gateway: refused"), GatewayError("gateway: refused"), None):
        reading.error = error
        await poll.step()
        clock.advance(15)
    (gap,) = await spool.gaps()
    assert (gap.cause, gap.readings) == (Cause.GATEWAY_DOWN, 4)


async def test_where_a_sweep_cannot_be_marked_as_begun_what_it_reads_is_accepted_all_the_same(
    poll: Poll, spool: Spool, reading: Reading, unsaved: UnsavedSweeps, clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    text = '{"record_id":"r-1","asset_id":"A","occurred_at":"2026-06-15T01:41:43Z","values":{}}'
    reading.news = [parse("A", text, received_us=clock.now_us(), content_hash=b"h")]

    async def fail(_: int) -> None:
        raise SpoolError("spool: it cannot be written")

    monkeypatch.setattr(spool, "begin", fail)
    await poll.step()
    first = await unsaved.first()
    assert first.sweep is not None
    assert first.accepted.result()
    assert first.sweep.envelopes == reading.news
    record, accepted = await spool.read(first.sweep.spool_id or 0)
    assert (record.read_ok, record.accepted, [each.text for each in accepted]) == (2, 1, [text])
    assert record.error == "spool: it cannot be written"
    assert await spool.gaps() == []


def record(at: str, clock: Any) -> Envelope:
    text = f'{{"record_id":"r-1","asset_id":"A","occurred_at":"2026-06-15T{at}Z","values":{{}}}}'
    return parse("A", text, received_us=clock.now_us(), content_hash=b"h")


async def test_alarms_see_what_is_accepted_and_newer_than_all_before(
    poll: Poll, reading: Reading, news: News, clock: Any
) -> None:
    seen = []
    for at in ("01:41:43", "01:41:58", "01:41:50", "01:59:00", "01:41:59"):
        reading.news = [record(at, clock)]  # it is 01:42: one late, one from the future
        await poll.step()
        seen.append([each.occurred_us // 1_000_000 % 60 for each in news.take()])
    assert seen == [[43], [58], [], [], [59]]


async def test_alarms_never_see_what_the_spool_did_not_take(
    poll: Poll, reading: Reading, spool: Spool, news: News, clock: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    async def refuse(*_: object) -> int:
        raise SpoolError("spool: it cannot be written")

    monkeypatch.setattr(spool, "accept", refuse)
    reading.news = [record("01:41:43", clock)]
    await poll.step()
    assert news.take() == []
    monkeypatch.undo()
    await poll.step()
    assert len(news.take()) == 1
