"""History mapped afterwards equals that of a plant mapped from the start."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast

import pytest
from samples import NOW, NOW_US, Sql, envelope, swept

from ic3.clock import Clock
from ic3.domain.acts import Actor, Past, Wish
from ic3.domain.envelope import Envelope, time_text
from ic3.domain.inbox import Key, Kind
from ic3.domain.latest import LatestReadings
from ic3.domain.replays import JobKind, JobState, Scope
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.errors import Contended, DatabaseAway, StoreError, TooSlow
from ic3.hub.live import unheard
from ic3.observations import Observation
from ic3.store import copy_rows
from ic3.store.inbox import InboxStore
from ic3.store.mappings import MappingStore, NewParameter
from ic3.store.monitoring import COPY_READINGS, MonitoringStore
from ic3.store.pool import Connection, Database
from ic3.store.register import RegisterStore
from ic3.store.replays import ReplayStore
from ic3.store.telemetry import TelemetryStore
from ic3.workers.monitoring import EndedSweeps, Monitoring
from ic3.workers.replay import SHORTEST_SPAN, Replay

ASHA = Actor("asha", "engineer", "127.0.0.1")
TAGS = ("FLOW", "MODE", "LATER")
SERIALS = ("A_Pump_1", "B_Pump_2")
# What the tag map makes of all telemetry, computed by the database.
WANTED = """
SELECT a.asset_id, v.key, m.param_id,
    CASE jsonb_typeof(v.value) WHEN 'number' THEN (v.value #>> '{}')::double precision
        WHEN 'boolean' THEN (v.value = 'true')::int END,
    CASE jsonb_typeof(v.value) WHEN 'string' THEN v.value #>> '{}' END, t.occurred_at
FROM telemetry t JOIN ic3_asset_master a ON a.serialnumber = t.asset_id
CROSS JOIN jsonb_each(t.values) v
JOIN ic3_asset_tag_map m ON m.asset_id = a.asset_id AND m.tag_code = v.key
WHERE t.occurred_at BETWEEN '2000-01-01Z' AND %s::timestamptz + interval '5 minutes'
ORDER BY 6, 1, 2
"""
ROWS = """
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at
FROM ic3_asset_monitoring_data ORDER BY recorded_at, asset_id, tag_code
"""
LATEST = """
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at
FROM ic3_asset_latest_reading ORDER BY asset_id, tag_code
"""
NEWEST = """
SELECT DISTINCT ON (asset_id, tag_code) asset_id, tag_code, param_id, value_num, value_text,
    recorded_at
FROM ic3_asset_monitoring_data ORDER BY asset_id, tag_code, recorded_at DESC
"""


class Plant:
    """Sweeps through the stores and the monitoring worker, and a server's replay worker."""

    def __init__(self, database: Database, clock: Any) -> None:
        self.clock = clock
        self.telemetry = TelemetryStore(database)
        self.monitoring = MonitoringStore(database)
        self.registers = RegisterStore(database)
        self.inbox = InboxStore(database)
        self.mappings = MappingStore(database)
        self.jobs = ReplayStore(database)
        self.told: list[Observation] = []
        self.start()

    def start(self) -> None:
        """A new process on the same database."""
        self.latest, runs = LatestReadings(), RecentRuns()
        self.ended = EndedSweeps(self.told.append)
        feed = Feed(interval_s=15)
        self.worker = Monitoring(
            ended=self.ended, store=self.monitoring, registers=self.registers, inbox=self.inbox,
            latest=self.latest, runs=runs, interval_s=15, clock=self.clock,
            observe=self.told.append,
            live=unheard(feed=feed, latest=self.latest, runs=runs, clock=self.clock),
        )  # fmt: skip
        self.replay = self.new_replay()

    def new_replay(self, batch: int = 7) -> Replay:
        return Replay(
            jobs=self.jobs, registers=self.registers, latest=self.latest,
            latest_turn=self.monitoring.latest_turn, clock=self.clock, observe=self.told.append,
            batch=batch, idle_s=0,
        )  # fmt: skip

    async def sweep(self, *envelopes: Envelope) -> None:
        """One live sweep, as poll and monitoring do it."""
        self.latest.register = await self.registers.load_if_changed(self.latest.register)
        found = swept(*envelopes, begun_at=self.clock.now())
        found.matched = self.latest.register.count_matched(each.asset_id for each in envelopes)
        found.unmatched = len(envelopes) - found.matched
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self.telemetry.save(found, now_us=self.clock.now_us())
        stored.set_result(True)
        self.ended.put(found, stored)
        await self.worker.step()

    async def settle(self) -> None:
        """Let the replay worker see that live readings are mapped anew, and a sweep after it."""
        await self.sweep()
        await self.replay.step()
        self.clock.advance(15)
        await self.sweep()

    async def finish(self) -> None:
        """Rounds until no job is open."""
        for _ in range(200):
            if await self.jobs.current() is None:
                return
            await self.replay.step()
        raise AssertionError(await self.jobs.jobs())

    async def map_later(self, tag: str = "LATER", *serials: str, **wish: Any) -> None:
        param_id = await self.mappings.parameter_of_code(tag)
        for serial in serials or SERIALS:
            await self.mappings.map_tag(
                ASHA, serial=serial, tag_code=tag, param_id=param_id, wish=Wish(**wish),
                now_us=self.clock.now_us(),
            )  # fmt: skip


@pytest.fixture
async def plant(database: Database, clock: Clock) -> Plant:
    """Two pumps whose tag LATER has no parameter yet, after three hours of sweeps."""
    plant = Plant(database, clock)
    await plant.registers.import_rows(
        {
            "register": [{"serialnumber": each, "category": "pump"} for each in SERIALS],
            "parameters": [{"param_tag_code": tag, "parameter_name": tag} for tag in TAGS],
            "tagmap": [
                {"serialnumber": serial, "tag_code": tag, "param_tag_code": tag}
                for serial in SERIALS
                for tag in TAGS[:2]
            ],
        }
    )
    for number in range(12):
        await plant.sweep(*of_the_past(number))
    return plant


def of_the_past(number: int) -> list[Envelope]:
    """Sweep number 0 to 11: a quarter of an hour each, the last one now; B falls silent."""
    at = NOW - timedelta(minutes=15 * (11 - number))
    values = {"FLOW": number, "MODE": f"mode {number}", "LATER": number / 2}
    found = [one(SERIALS[0], at, values), one("Stranger_SV_9", at, values)]
    if number < 6:
        found.append(one(SERIALS[1], at, {**values, "LATER": f"text {number}"}))
    return found


def one(serial: str, at: datetime, values: dict[str, Any]) -> Envelope:
    text = time_text(int(at.timestamp() * 1_000_000))
    return envelope(serial, record=f"{serial} {text}", at=text, values=values,
                    received_us=NOW_US)  # fmt: skip


def agree(sql: Sql) -> None:
    """Rows and newest values are those of a plant mapped from the start."""
    assert sql(ROWS) == sql(WANTED, NOW)
    assert sql(LATEST) == sql(NEWEST)


def memory_of(plant: Plant) -> dict[str, list[Any]]:
    return {
        each: [
            (row.tag_code, row.value_num, row.value_text)
            for row in plant.latest.live(each).monitoring
        ]
        for each in SERIALS
    }


async def test_history_of_a_later_mapping_is_that_of_one_from_the_start(
    plant: Plant, sql: Sql
) -> None:
    await plant.sweep(one(SERIALS[0], NOW - timedelta(days=400), {"LATER": 7}))
    await plant.sweep(one(SERIALS[0], datetime(2099, 1, 1, tzinfo=UTC), {"LATER": 8}))
    await plant.sweep(one(SERIALS[0], datetime(1999, 1, 1, tzinfo=UTC), {"LATER": 9}))
    before = len(sql(ROWS))
    assert before == 36
    await plant.map_later()
    assert len(sql(ROWS)) == before
    await plant.settle()
    await plant.finish()
    agree(sql)
    assert len(sql(ROWS)) == before + 18 + 1
    (job,) = await plant.jobs.jobs()
    assert (job.state, job.rows_done, job.share_done) == (JobState.DONE, 19, 1.0)
    assert memory_of(plant)[SERIALS[0]][1] == ("LATER", 5.5, None)
    assert memory_of(plant)[SERIALS[1]][1] == ("LATER", None, "text 5")


async def test_a_replay_that_is_killed_goes_on_where_it_was(plant: Plant, sql: Sql) -> None:
    await plant.map_later()
    await plant.settle()
    for _ in range(2):
        await plant.replay.step()
    (job,) = await plant.jobs.jobs()
    assert job.state is JobState.RUNNING
    assert 0 < job.rows_done < 18
    plant.start()
    await plant.settle()
    await plant.finish()
    agree(sql)
    assert (await plant.jobs.jobs())[0].rows_done == 18


async def test_a_batch_whose_outcome_is_lost_is_done_again_without_a_trace(
    plant: Plant, sql: Sql
) -> None:
    await plant.map_later()
    await plant.settle()
    await plant.replay.step()
    sql("UPDATE ic3_replay SET cursor_at = from_at, cursor_serial = '', cursor_record = ''")
    await plant.finish()
    agree(sql)


async def test_a_batch_written_after_all_is_in_memory_too(
    plant: Plant, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant.map_later()
    await plant.settle()
    real = cast("Any", plant.jobs.write)

    async def lose_the_answer(*given: Any, **named: Any) -> None:
        await real(*given, **named)
        raise DatabaseAway("database: the connection was lost")

    monkeypatch.setattr(plant.jobs, "write", lose_the_answer)
    lost = 0
    while await plant.jobs.current() is not None:
        try:
            await plant.replay.step()
        except DatabaseAway:
            lost += 1
    assert lost > 2
    agree(sql)
    memory = memory_of(plant)
    assert memory[SERIALS[1]][1] == ("LATER", None, "text 5")
    assert memory == await memory_of_a_new_process(plant)


async def test_a_replay_waits_for_live_readings_to_be_mapped_anew(plant: Plant, sql: Sql) -> None:
    await plant.map_later()
    for _ in range(3):
        await plant.replay.step()
    assert (await plant.jobs.jobs())[0].state is JobState.WAITING
    await plant.sweep()
    await plant.replay.step()
    assert (await plant.jobs.jobs())[0].state is JobState.WAITING
    plant.clock.advance(15)
    await plant.sweep()
    await plant.replay.step()
    assert (await plant.jobs.jobs())[0].state is JobState.RUNNING


async def test_live_sweeps_between_batches_lose_nothing(plant: Plant, sql: Sql) -> None:
    await plant.map_later()
    await plant.settle()
    for number in range(4):
        plant.clock.advance(15)
        at = plant.clock.now()
        await plant.sweep(one(SERIALS[0], at, {"FLOW": number, "LATER": -number}))
        await plant.replay.step()
    await plant.finish()
    agree(sql)
    assert memory_of(plant)[SERIALS[0]][1] == ("LATER", -3.0, None)


async def test_a_flurry_of_mappings_is_one_job(plant: Plant) -> None:
    await plant.map_later()
    (job,) = await plant.jobs.jobs()
    assert job.scope.tag_codes == ["LATER"]
    assert job.scope.register_ids == sorted(
        each.register_id for each in plant.latest.register.assets.values()
    )


async def test_a_chosen_day_leaves_what_is_before_it(plant: Plant, sql: Sql) -> None:
    from_at = NOW - timedelta(minutes=61)
    await plant.map_later("LATER", SERIALS[0], from_at=from_at)
    await plant.settle()
    await plant.finish()
    times = [row[5] for row in sql(ROWS) if row[1] == "LATER"]
    assert times == [NOW - timedelta(minutes=15 * n) for n in (4, 3, 2, 1, 0)]


async def test_a_cancelled_job_stops_and_keeps_what_it_has_done(plant: Plant, sql: Sql) -> None:
    await plant.map_later()
    await plant.settle()
    await plant.replay.step()
    (job,) = await plant.jobs.jobs()
    rows = len(sql(ROWS))
    assert await plant.jobs.cancel(ASHA, job.id)
    assert not await plant.jobs.cancel(ASHA, job.id)
    for _ in range(3):
        await plant.replay.step()
    assert len(sql(ROWS)) == rows
    assert (await plant.jobs.jobs())[0].state is JobState.CANCELLED


async def test_a_new_parameter_leaves_old_rows_until_a_re_map_is_asked_for(
    plant: Plant, sql: Sql
) -> None:
    new = NewParameter("MODE2", "Mode two")
    param_id, _ = await plant.mappings.add_parameter(ASHA, new, now_us=NOW_US)
    for past in (Past.NONE, Past.MISSING):
        await plant.mappings.map_tag(
            ASHA, serial=SERIALS[0], tag_code="MODE", param_id=param_id, wish=Wish(past=past),
            now_us=NOW_US,
        )  # fmt: skip
        await plant.settle()
        await plant.finish()
        assert param_id not in {row[2] for row in sql(ROWS)}
    await plant.jobs.start(ASHA, JobKind.REMAP, Scope(None, ["MODE"]), "asked for")
    await plant.settle()
    await plant.finish()
    agree(sql)
    assert plant.latest.live(SERIALS[0]).monitoring[1].parameter_name == "Mode two"


async def test_the_lists_of_a_new_plant_count_what_its_run_says(plant: Plant, sql: Sql) -> None:
    sql("DELETE FROM ic3_inbox")
    plant.start()
    plant.clock.advance(15)
    values = {"FLOW": 1, "LATER": 2, "X": 3}
    at = plant.clock.now()
    await plant.sweep(*(one(serial, at, values) for serial in (*SERIALS, "U1", "U2", "U3")))
    (run,) = await plant.monitoring.recent_runs(1)
    counts = await plant.inbox.counts()
    assert counts["asset"]["open"] == run.unmatched == 3
    assert counts["tag"]["open"] == run.tags_skipped == 4


async def test_a_mapping_is_undone_and_hides_nothing(plant: Plant, sql: Sql) -> None:
    rows = len(sql(ROWS))
    assert await plant.mappings.unmap_tag(ASHA, serial=SERIALS[0], tag_code="FLOW")
    assert not await plant.mappings.unmap_tag(ASHA, serial=SERIALS[0], tag_code="FLOW")
    assert len(sql(ROWS)) == rows
    await plant.sweep(one(SERIALS[0], plant.clock.now(), {"FLOW": 1}))
    page = await plant.inbox.page(kind=Kind.TAG, state=None, limit=10, after=None)
    assert Key(Kind.TAG, SERIALS[0], "FLOW") in {
        Key(Kind(each.kind), each.serial, each.tag_code) for each in page
    }


@pytest.mark.parametrize("turns", [5, 15, 25, 35, 45, 60])
async def test_a_batch_broken_off_anywhere_is_done_whole_by_the_next_process(
    plant: Plant, sql: Sql, turns: int
) -> None:
    await plant.map_later()
    await plant.settle()
    async with asyncio.TaskGroup() as group:
        step = group.create_task(plant.replay.step())
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        step.cancel()
    plant.start()
    await plant.settle()
    await plant.finish()
    agree(sql)


async def test_live_and_replay_at_the_same_time_keep_every_newest_value(
    plant: Plant, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, go = asyncio.Event(), asyncio.Event()
    copy = copy_rows.copy

    async def slow(connection: Connection, statement: LiteralString, batches: Any) -> int:
        count = await copy(connection, statement, batches)
        if statement == COPY_READINGS:
            copied.set()
            await go.wait()
        return count

    await plant.map_later("LATER", SERIALS[1])
    plant.replay = plant.new_replay(batch=2000)
    await plant.settle()
    await plant.replay.step()
    plant.clock.advance(15)
    monkeypatch.setattr(copy_rows, "copy", slow)
    # B sends another tag only: its newest LATER is of the past.
    found = one(SERIALS[1], plant.clock.now(), {"FLOW": 7})
    async with asyncio.TaskGroup() as group:
        group.create_task(plant.sweep(found))
        await copied.wait()
        step = group.create_task(plant.replay.step())
        await asyncio.wait({step}, timeout=0.3)
        go.set()
    await plant.finish()
    agree(sql)
    newest = [("FLOW", 7.0, None), ("LATER", None, "text 5"), ("MODE", None, "mode 5")]
    assert memory_of(plant)[SERIALS[1]] == newest
    assert (await memory_of_a_new_process(plant))[SERIALS[1]] == newest


async def memory_of_a_new_process(plant: Plant) -> dict[str, list[Any]]:
    plant.start()
    await plant.sweep()
    return memory_of(plant)


async def test_a_job_that_cannot_be_done_says_why_and_the_next_one_goes_on(
    plant: Plant, sql: Sql
) -> None:
    await plant.map_later("LATER", SERIALS[0])
    await plant.settle()
    sql("ALTER TABLE ic3_asset_monitoring_data ADD CONSTRAINT no CHECK (tag_code <> 'LATER')"
        " NOT VALID")  # fmt: skip
    for _ in range(3):
        await plant.replay.step()
    sql("ALTER TABLE ic3_asset_monitoring_data DROP CONSTRAINT no")
    (failed,) = await plant.jobs.jobs()
    assert failed.state is JobState.FAILED
    assert failed.error is not None
    assert "23514" in failed.error
    await plant.map_later("LATER", SERIALS[0])
    await plant.map_later("LATER", SERIALS[1])
    await plant.settle()
    await plant.finish()
    agree(sql)


async def test_marks_of_a_later_mapping_are_those_of_one_from_the_start(
    plant: Plant, sql: Sql
) -> None:
    """Range, rate and repetition: FLOW is mapped from the start, LATER has the same numbers."""
    serial, limits = "C_Pump_3", {"kind": "gauge", "range_low": 0, "range_high": 100,
                                  "rate_max_per_s": 0.1}  # fmt: skip
    await plant.registers.import_rows(
        {
            "register": [{"serialnumber": serial, "category": "pump"}],
            "parameters": [
                {"param_tag_code": tag, "parameter_name": tag, **limits}
                for tag in ("FLOW", "LATER")
            ],
            "tagmap": [{"serialnumber": serial, "tag_code": "FLOW", "param_tag_code": "FLOW"}],
        }
    )
    numbers = [5, 6, 6, *[7, 8, 8] * 10, *[9] * 12, 60, 61, 20, 200, 21, 22]
    for minute, number in enumerate(numbers):
        at = NOW - timedelta(minutes=len(numbers) - minute)
        await plant.sweep(one(serial, at, {"FLOW": number, "LATER": number}))
    await plant.map_later("LATER", serial)
    await plant.settle()
    await plant.finish()
    marks = (
        "SELECT quality, quality_reason FROM ic3_asset_monitoring_data JOIN ic3_asset_master"
        " USING (asset_id) WHERE serialnumber = %s AND tag_code = %s ORDER BY recorded_at"
    )
    later = sql(marks, serial, "LATER")
    assert later == sql(marks, serial, "FLOW")
    assert {reason for _, reason in later} == {None, "rate", "out_of_range", "frozen"}


async def test_what_was_far_ahead_when_it_was_received_makes_no_rows_later(
    plant: Plant, sql: Sql
) -> None:
    ahead = NOW + timedelta(days=10)
    await plant.sweep(one(SERIALS[0], ahead, {"LATER": 8}))
    plant.clock.advance(12 * 86_400)
    await plant.map_later()
    await plant.settle()
    await plant.finish()
    assert [row for row in sql(ROWS) if row[5] == ahead] == []
    assert len(sql(ROWS)) == 36 + 18


async def test_jobs_join_only_where_assets_or_tags_are_the_same(plant: Plant) -> None:
    for scope in (
        Scope([1], ["X"]), Scope([2], ["Y"]), Scope([1], ["Z"]), Scope([3], ["Y"]), Scope([4]),
    ):  # fmt: skip
        await plant.jobs.start(ASHA, JobKind.MAP, scope, "asked for")
    assert [each.scope for each in reversed(await plant.jobs.jobs())] == [
        Scope([1], ["X", "Z"]), Scope([2, 3], ["Y"]), Scope([4]),
    ]  # fmt: skip


async def test_a_job_widened_since_it_was_read_does_not_begin(plant: Plant) -> None:
    await plant.map_later("LATER", SERIALS[0])
    job = await plant.jobs.current()
    assert job is not None
    await plant.map_later("LATER", SERIALS[1])
    span = {"from_at": NOW - timedelta(days=1), "until_at": NOW}
    assert await plant.jobs.begin(job, **span) is None
    job = await plant.jobs.current()
    assert job is not None
    assert job.state is JobState.WAITING
    assert await plant.jobs.begin(job, **span) is not None


@pytest.mark.parametrize("error", [Contended("in the way"), TooSlow("too slow")])
async def test_what_passes_does_not_end_a_job(
    plant: Plant, sql: Sql, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    await plant.map_later()
    await plant.settle()

    async def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(plant.jobs, "write", fail)
        before = plant.replay._span
        for _ in range(2):
            with pytest.raises(type(error)):
                await plant.replay.step()
        assert (plant.replay._span < before) is isinstance(error, TooSlow)
        assert (await plant.jobs.jobs())[0].state is JobState.RUNNING
    await plant.finish()
    agree(sql)


async def test_a_job_too_slow_in_the_shortest_span_ends_with_the_reason(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant.map_later()
    await plant.settle()

    async def fail(*_: object, **__: object) -> None:
        raise TooSlow("too slow")

    monkeypatch.setattr(plant.jobs, "envelopes", fail)
    plant.replay._span = SHORTEST_SPAN
    await plant.replay.step()
    await plant.replay.step()
    (job,) = await plant.jobs.jobs()
    assert (job.state, job.error) == (JobState.FAILED, "too slow")


async def test_a_time_from_the_future_does_not_come_true_while_its_sweep_waits(
    plant: Plant, sql: Sql
) -> None:
    ahead = one(SERIALS[0], plant.clock.now() + timedelta(minutes=8), {"FLOW": 99, "NEW": 1})
    found = swept(ahead, begun_at=plant.clock.now())
    await plant.telemetry.save(found, now_us=plant.clock.now_us())
    stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    stored.set_result(True)
    before = sql(ROWS)
    plant.clock.advance(900)
    plant.ended.put(found, stored)
    await plant.worker.step()
    assert sql(ROWS) == before
    assert sql("SELECT count(*) FROM ic3_inbox WHERE tag_code = 'NEW'") == [(0,)]
