"""The spool: what it has taken it gives back, whatever happens to process, disk or file."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ic3.clock import Clock
from ic3.domain.gaps import Cause, Gap
from ic3.domain.sweeps import Accepted, Rejected, Sweep, SweepRecord
from ic3.errors import SpoolError, SpoolFull
from ic3.observations import (
    Observation,
    SpoolDamaged,
    SpoolDropped,
    SpoolFilling,
    SpoolNotBounded,
)
from ic3.spool import FILE, RESERVE_BYTES, RESERVE_FILE, Spool, thin

AT_US = 1_781_487_720_000_000


class Told(list[Observation]):
    def of(self, kind: type[Observation]) -> list[Any]:
        return [each for each in self if isinstance(each, kind)]


class StoppedClock(Clock):
    """A clock that moves when told."""

    us = AT_US

    def now_us(self) -> int:
        return self.us

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.us / 1e6, UTC)


@asynccontextmanager
async def spool_at(
    place: Path, *, cap_bytes: int = 1 << 30, age_cap_s: float = 1e6, clock: Clock | None = None
) -> AsyncIterator[tuple[Spool, Told]]:
    told = Told()
    spool = Spool(
        place, cap_bytes=cap_bytes, age_cap_s=age_cap_s, clock=clock or StoppedClock(),
        observe=told.append,
    )  # fmt: skip
    await spool.open()
    try:
        yield spool, told
    finally:
        await spool.close()


def record(**more: object) -> SweepRecord:
    sweep = Sweep(begun_at=datetime(2026, 6, 15, 1, 42, tzinfo=UTC), started=0.0, simulated=True)
    for name, value in more.items():
        setattr(sweep, name, value)
    return sweep.record()


def envelope(serial: str, minute: int = 0, *, alarm: str = "NORMAL", pad: int = 0) -> Accepted:
    text = f'{{"asset_id":"{serial}","alarm":"{alarm}","quality":"GOOD","pad":"{"x" * pad}"}}'
    return Accepted(serial, AT_US + minute * 60_000_000, text)


async def test_what_was_accepted_comes_back_whole_and_in_order(tmp_path: Path) -> None:
    first = [envelope("पटेल रोड_SV 💧/+%&#?"), envelope("B\nC")]
    rejected = [Rejected("inner", "bad_json", "ic3:latest:X", b"\xff{", 2)]
    async with spool_at(tmp_path) as (spool, _):
        kept = record(failed=Counter(timeout=3), rejected=rejected, keys={"failed:timeout": ["X"]})
        ids = [await spool.accept(kept, first), await spool.accept(record(error="why"), [])]
        assert spool.level.envelopes == 2
        uuid = spool.uuid
    async with spool_at(tmp_path) as (spool, _):
        assert spool.uuid == uuid
        assert await spool.read(ids[0]) == (kept, first)
        assert (await spool.read(ids[1]))[0].error == "why"
        await spool.forget(ids[0])
        with pytest.raises(SpoolError, match=f"sweep {ids[0]} is not there"):
            await spool.read(ids[0])
    again = Spool(tmp_path, cap_bytes=1 << 30, age_cap_s=1e6, clock=Clock(), observe=print)
    opened = await again.open()
    assert [(each.spool_id, each.envelopes) for each in opened.waiting] == [(ids[1], 0)]
    await again.close()


async def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        first = await spool.accept(record(), [])
        await spool.forget(first)
    async with spool_at(tmp_path) as (spool, _):
        assert await spool.accept(record(), []) > first


async def test_large_sweep_comes_back_from_its_parts(tmp_path: Path) -> None:
    sent = [envelope(f"asset {number}") for number in range(12_001)]
    async with spool_at(tmp_path) as (spool, _):
        spool_id = await spool.accept(record(), sent)
        assert (await spool.read(spool_id))[1] == sent


async def test_sweep_that_never_ended_is_told_at_the_next_start(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        await spool.begin(AT_US)
        await spool.accept(record(), [])
        await spool.begin(AT_US + 7)
    again = Spool(tmp_path, cap_bytes=1 << 30, age_cap_s=1e6, clock=Clock(), observe=print)
    assert (await again.open()).interrupted_us == AT_US + 7
    await again.close()
    async with spool_at(tmp_path) as (spool, _):
        assert (await spool.open()).interrupted_us is None


async def test_file_is_nobody_elses_and_every_commit_is_synced(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        await spool.accept(record(), [])
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
        file = spool._open_file
        assert await spool._do(lambda: file.execute("PRAGMA synchronous").fetchone()) == (2,)
        assert await spool._do(lambda: file.execute("PRAGMA journal_mode").fetchone()) == ("wal",)


KILLED = """
import asyncio, os, sys
from pathlib import Path
from ic3.clock import Clock
from ic3.domain.sweeps import Accepted, Sweep
from ic3.spool import Spool

async def main():
    spool = Spool(Path(sys.argv[1]), cap_bytes=1 << 30, age_cap_s=1e6, clock=Clock(), observe=print)
    await spool.open()
    number = 0
    while True:
        number += 1
        sweep = Sweep(begun_at=Clock().now(), started=0.0, simulated=True)
        await spool.begin(number)
        sent = [Accepted(f"asset {each}", number, "x" * 300) for each in range(50)]
        print(await spool.accept(sweep.record(), sent), flush=True)

asyncio.run(main())
"""


async def test_f19_killed_at_any_moment_it_has_all_it_said_it_took(tmp_path: Path) -> None:
    told: list[int] = []
    for after in (3, 17, 40):
        with subprocess.Popen(  # noqa: ASYNC220  a kill needs a process
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            told += [int(process.stdout.readline()) for _ in range(after)]
            process.send_signal(signal.SIGKILL)
            told += [int(line) for line in process.stdout if line.endswith("\n")]
    again = Spool(tmp_path, cap_bytes=1 << 30, age_cap_s=1e6, clock=Clock(), observe=print)
    waiting = [each.spool_id for each in (await again.open()).waiting]
    assert set(told) <= set(waiting)
    assert len(waiting) - len(told) <= 3
    assert len(waiting) == len(set(waiting))
    for spool_id in waiting:
        assert len((await again.read(spool_id))[1]) == 50
    await again.close()


@pytest.mark.parametrize("damage", ["flip", "cut", "nonsense", "empty"])
async def test_f20_damaged_file_is_set_aside_and_work_goes_on(tmp_path: Path, damage: str) -> None:
    async with spool_at(tmp_path) as (spool, _):
        for _ in range(40):
            await spool.accept(record(), [envelope("A", pad=4000)])
        file = spool._open_file
        await spool._do(lambda: file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    if damage == "flip":
        for at in range(4096 * 3, len(content), 4096):
            content[at : at + 16] = b"\xff" * 16
    path.write_bytes({
        "flip": bytes(content), "cut": bytes(content[: len(content) // 2]),
        "nonsense": b"no database " * 1000, "empty": b"",
    }[damage])  # fmt: skip
    async with spool_at(tmp_path) as (spool, told):
        spool_id = await spool.accept(record(), [envelope("B")])
        assert (await spool.read(spool_id))[1] == [envelope("B")]
        damaged = told.of(SpoolDamaged)
        gaps = await spool.gaps()
    if damage == "empty":
        assert damaged == []
        return
    assert len(damaged) == 1
    assert Path(damaged[0].aside).name in os.listdir(tmp_path)
    assert [gap.cause for gap in gaps] == [Cause.SPOOL_CORRUPT]


async def test_f20_every_cut_of_the_log_leaves_whole_sweeps_or_is_said(tmp_path: Path) -> None:
    source = tmp_path / "source"
    async with spool_at(source) as (spool, _):
        for number in range(6):
            await spool.accept(record(), [envelope("A", number, pad=900)])
        log = (source / f"{FILE}-wal").read_bytes()
        main = (source / FILE).read_bytes()
    for cut in range(0, len(log), 4096 + 24):
        place = tmp_path / f"cut-{cut}"
        place.mkdir()
        (place / FILE).write_bytes(main)
        (place / f"{FILE}-wal").write_bytes(log[:cut])
        async with spool_at(place) as (spool, told):
            found = [row[0] for row in spool._open_file.execute("SELECT id FROM sweep ORDER BY id")]
            assert found == list(range(1, len(found) + 1)) or told.of(SpoolDamaged)
            for spool_id in found:
                assert len((await spool.read(spool_id))[1]) == 1


async def test_f21_full_disk_is_said_and_room_for_counters_is_kept(
    tmp_path: Path, small_disk: Callable[[Path, int], None]
) -> None:
    place = tmp_path / "small"
    place.mkdir()
    small_disk(place, 24)
    async with spool_at(place) as (spool, _):
        assert (place / RESERVE_FILE).stat().st_size == RESERVE_BYTES

        async def fill() -> None:
            for number in range(100):
                await spool.accept(record(), [envelope(f"A{number}", pad=500_000)])

        with pytest.raises(SpoolFull, match="the disk is full; make room in IC3_DATA_DIR"):
            await fill()
        before = spool.level.envelopes
        spool_id = await spool.accept(record(error="spool: full"), [])
        assert (await spool.read(spool_id))[0].error == "spool: full"
        assert spool.level.envelopes == before > 3


@pytest.fixture
def small_disk() -> Any:
    """Mounts a small file system, where that is allowed."""
    mounted: list[Path] = []

    def mount(place: Path, mib: int) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(place)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(place)

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


async def test_f21_full_spool_is_thinned_then_dropped_and_each_loss_is_counted(
    tmp_path: Path,
) -> None:
    sent = 0
    async with spool_at(tmp_path, cap_bytes=200_000) as (spool, told):
        for number in range(400):
            alarm = "HIGH" if number % 50 == 25 else "NORMAL"
            at = [envelope(s, alarm=alarm, pad=300) for s in ("A", "B")]
            await spool.accept(record(accepted=2), [
                Accepted(each.serial, AT_US + number * 15_000_000, each.text) for each in at
            ])  # fmt: skip
            sent += 2
        assert spool.level.bytes <= 200_000
        kept = gap = 0
        for row in list(spool._open_file.execute("SELECT id FROM sweep")):
            found, accepted = await spool.read(row[0])
            kept += len(accepted)
            gap += found.gap
            assert found.accepted == len(accepted) + found.gap
        gaps = await spool.gaps()
    assert kept + gap == sent == 800
    assert sum(each.readings for each in gaps) == gap > 0
    assert {each.cause for each in gaps} == {Cause.SPOOL_THINNED, Cause.SPOOL_DROPPED}
    assert {each.serial for each in gaps} == {"A", "B"}
    assert sum(each.envelopes for each in told.of(SpoolDropped)) == gap
    assert [each.percent for each in told.of(SpoolFilling)][:2] == sorted(
        each.percent for each in told.of(SpoolFilling)
    )[:2]


async def test_too_old_is_dropped_and_counted(tmp_path: Path) -> None:
    clock = StoppedClock()
    async with spool_at(tmp_path, age_cap_s=3600, clock=clock) as (spool, _):
        await spool.accept(record(accepted=1), [envelope("A")])
        clock.us += 3_601_000_000
        await spool.accept(record(accepted=1), [envelope("A", 61)])
        assert spool.level.envelopes == 1
        assert await spool.gaps() == [Gap(Cause.SPOOL_DROPPED, "A", AT_US, AT_US, 1)]


async def test_gap_stays_until_it_is_forgotten_as_it_is(tmp_path: Path) -> None:
    first = Gap(Cause.SPOOL_THINNED, "A", 10, 20, 3)
    async with spool_at(tmp_path) as (spool, _):
        await spool.add_gaps([first])
        (known,) = await spool.gaps()
        await spool.add_gaps([Gap(Cause.SPOOL_THINNED, "A", 15, 40, 2)])
        await spool.forget_gaps([known])
        assert await spool.gaps() == [Gap(Cause.SPOOL_THINNED, "A", 10, 40, 5)]
        await spool.forget_gaps(await spool.gaps())
        assert await spool.gaps() == []


MOODS = some.sampled_from(["NORMAL", "HIGH", "LOW"])


@settings(max_examples=100, deadline=None)
@given(some.lists(some.lists(some.tuples(some.sampled_from("AB"), some.integers(0, 4), MOODS),
                             max_size=4, unique_by=lambda each: each[0]), max_size=12))  # fmt: skip
def test_thinning_keeps_the_first_the_last_and_every_change(
    drawn: list[list[tuple[str, int, str]]],
) -> None:
    minute = 0
    sweeps = []
    for each in drawn:
        minute += max((step for _, step, _ in each), default=0)
        sweeps.append([envelope(serial, minute, alarm=alarm) for serial, _, alarm in each])
    kept, dropped = thin(sweeps)
    for before, stay, gone in zip(sweeps, kept, dropped, strict=True):
        assert sorted(map(str, [*stay, *gone])) == sorted(map(str, before))
    for serial in "AB":
        sent = [each for sweep in sweeps for each in sweep if each.serial == serial]
        left = [each for sweep in kept for each in sweep if each.serial == serial]
        if not sent:
            continue
        assert left[0] == sent[0]
        assert left[-1] == sent[-1]
        changes = [after for before, after in pairwise(sent) if before.text != after.text]
        assert [each for each in changes if each in left] == changes
        minutes = {each.received_us for each in sent}
        assert {each.received_us for each in left} == minutes


async def test_wait_for_the_disk_does_not_hold_the_loop(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.get_running_loop().create_task(turn())
        await spool.accept(record(), [envelope(f"A{n}", pad=200) for n in range(20_000)])
        task.cancel()
        assert turns > 3


async def test_another_reader_sees_nothing_that_was_not_returned(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        spool_id = await spool.accept(record(), [envelope("A")])
        other = sqlite3.connect(tmp_path / FILE)
        assert other.execute("SELECT id, envelopes FROM sweep").fetchall() == [(spool_id, 1)]
        other.close()


async def test_age_drops_what_is_too_old_and_nothing_else(tmp_path: Path) -> None:
    """Counters of failed and of dropped sweeps stay, and their age is nobody's loss."""
    clock = StoppedClock()
    async with spool_at(tmp_path, age_cap_s=3600, clock=clock) as (spool, _):
        await spool.accept(record(error="gateway: away"), [])
        for minute in range(100):
            await spool.accept(record(accepted=1), [envelope("A", minute)])
            clock.us += 60_000_000
        assert spool.level.sweeps == 101
        assert spool.level.envelopes == 61
        (gap,) = await spool.gaps()
        assert (gap.cause, gap.readings) == (Cause.SPOOL_DROPPED, 39)


async def test_a_sweep_that_cannot_be_read_does_not_keep_new_ones_out(tmp_path: Path) -> None:
    clock = StoppedClock()
    async with spool_at(tmp_path, age_cap_s=60, clock=clock) as (spool, told):
        broken = await spool.accept(record(accepted=1), [envelope("A")])
        file = spool._open_file
        await spool._do(lambda: file.execute("UPDATE part SET body = x'c1ff'"))
        clock.us += 61_000_000
        kept = await spool.accept(record(accepted=1), [envelope("B", 2)])
        assert (await spool.read(kept))[1] == [envelope("B", 2)]
        with pytest.raises(SpoolError, match="not there"):
            await spool.read(broken)
        assert [(gap.cause, gap.readings) for gap in await spool.gaps()] == [
            (Cause.SPOOL_CORRUPT, 1)
        ]
        assert told.of(SpoolNotBounded) == []


async def test_where_old_sweeps_cannot_be_dropped_new_ones_are_accepted_and_it_is_said(
    tmp_path: Path,
) -> None:
    clock = StoppedClock()
    async with spool_at(tmp_path, age_cap_s=60, clock=clock) as (spool, told):
        await spool.accept(record(accepted=1), [envelope("A")])
        file = spool._open_file
        never = "CREATE TRIGGER never BEFORE UPDATE ON sweep BEGIN SELECT RAISE(ABORT, 'no'); END"
        await spool._do(lambda: file.execute(never))
        clock.us += 61_000_000
        kept = await spool.accept(record(accepted=1), [envelope("B", 2)])
        assert (await spool.read(kept))[1] == [envelope("B", 2)]
        assert len(told.of(SpoolNotBounded)) == 1


async def test_bytes_that_are_no_text_end_neither_start_nor_salvage(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        for _ in range(40):
            await spool.accept(record(accepted=1), [envelope("A", pad=4000)])
        file = spool._open_file
        await spool._do(lambda: file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    at = content.index(b"xxxxxxxx", len(content) // 2)
    content[at : at + 8] = b"\xff" * 8  # inside a text
    content[24:28] = content[92:96] = b"\xff\xff\x00\x01"
    content[100:108] = b"\xff" * 8  # and no database any more
    path.write_bytes(content)
    async with spool_at(tmp_path) as (spool, told):
        assert len(told.of(SpoolDamaged)) == 1
        assert [gap.cause for gap in await spool.gaps()] == [Cause.SPOOL_CORRUPT]
        spool_id = await spool.accept(record(accepted=1), [envelope("B")])
        assert (await spool.read(spool_id))[1] == [envelope("B")]


async def test_text_of_other_bytes_is_a_sweep_that_cannot_be_read(tmp_path: Path) -> None:
    async with spool_at(tmp_path) as (spool, _):
        spool_id = await spool.accept(record(accepted=1), [envelope("A", pad=8)])
        file = spool._open_file
        bad = "UPDATE part SET body = replace(body, 'xxxxxxxx', x'ffffffffffffffff')"
        await spool._do(lambda: file.execute(bad))
        with pytest.raises(SpoolError, match="cannot be read"):
            await spool.read(spool_id)
        await spool.give_up(spool_id)
        assert [(gap.cause, gap.readings) for gap in await spool.gaps()] == [
            (Cause.SPOOL_CORRUPT, 1)
        ]
        assert spool.level.sweeps == 0


async def test_a_sweep_that_is_being_stored_is_neither_thinned_nor_dropped(tmp_path: Path) -> None:
    clock = StoppedClock()
    async with spool_at(tmp_path, age_cap_s=60, clock=clock) as (spool, _):
        first = await spool.accept(record(accepted=1), [envelope("A")])
        second = await spool.accept(record(accepted=1), [envelope("A", 1)])
        await spool.read(first)
        clock.us += 61_000_000
        await spool.accept(record(accepted=1), [envelope("A", 2)])
        assert len((await spool.read(first))[1]) == 1
        assert (await spool.read(second))[1] == []
