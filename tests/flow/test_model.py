"""A model of sweep, spool, storer and latest: whatever happens in whatever order, nothing is lost.

The parts are real: the spool's file and PostgreSQL. Only the gateway and the clock are the test's.
"""

import asyncio
import hashlib
import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg
from driven import INVARIANTS, STALE_LATEST
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pipeline import INTERVAL_S, Pipeline, Plant

from ic3.clock import Clock
from ic3.domain.sweeps import Accepted, SweepRecord
from ic3.errors import DatabaseAway
from ic3.observations import ConservationBroken
from ic3.spool import FILE
from ic3.store.pool import Connection, Database
from ic3.store.register import RegisterStore

BEGIN: Final = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)
ASSETS: Final = ["A", "B", "C", "D"]
UNKNOWN: Final = "D"  # in no register
OFF_BY_MINUTES: Final = [-60 * 24 * 365 * 40, -300, -7, -0.5, 4.9, 5.1, 600]
SMALL_CAP_BYTES: Final = 6_000
EMPTY: Final = """
TRUNCATE telemetry, asset_latest, assets, ic3_sweep, ic3_sweep_keys, dead_letter, data_gap,
    ic3_asset_monitoring_data, ic3_asset_monitoring_latest, ic3_ingest_run_log, ic3_inbox,
    ic3_rollup_dirty, ic3_rollup_5m
"""
POISON: Final = "ALTER TABLE telemetry ADD CHECK (quality IS DISTINCT FROM 'POISON')"
TABLES: Final[dict[str, list[dict[str, Any]]]] = {
    "register": [{"serialnumber": serial} for serial in ASSETS if serial != UNKNOWN],
    "parameters": [{"param_tag_code": "LEVEL", "parameter_name": "Level", "unit": "m"}],
    "tagmap": [
        {"serialnumber": serial, "tag_code": "LEVEL", "param_tag_code": "LEVEL"}
        for serial in ASSETS if serial != UNKNOWN
    ] + [{"serialnumber": "A", "tag_code": "EXTRA", "param_tag_code": "LEVEL"}],
}  # fmt: skip
STORED: Final = "SELECT asset_id, record_id, occurred_at, content_hash FROM telemetry"
PLACES: Final = """
SELECT coalesce(sum(accepted), 0)::int, coalesce(sum(dead), 0)::int, coalesce(sum(gap), 0)::int,
    count(*) FILTER (WHERE error = 'interrupted')::int
FROM ic3_sweep
"""
GAPS: Final = """
SELECT coalesce(sum(readings), 0)::int FROM data_gap
WHERE cause IN ('spool_thinned', 'spool_dropped')
"""
PUT_ASIDE: Final = "SELECT count(*)::int FROM dead_letter WHERE reason = 'refused_by_database'"

Key = tuple[str, str, datetime]


class Killed(BaseException):
    """The process is gone, in the middle of whatever it did."""


class Hand(Clock):
    """A clock moved by hand."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self._ahead_s)

    def now_us(self) -> int:
        return round(self.now().timestamp() * 1_000_000)

    def monotonic(self) -> float:
        return 1000.0 + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds


class Brittle(Database):
    """A database that is away when told, or loses one use of a connection at its commit."""

    down = False
    uses_left = -1
    committed = False

    def lose(self, *, after_uses: int, committed: bool) -> None:
        """Break the connection of a later use, just before its commit or just behind it."""
        self.uses_left, self.committed = after_uses, committed

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        if self.down:
            self.availability.lost("database: away")
            raise DatabaseAway("database: away")
        struck, self.uses_left = self.uses_left == 0, self.uses_left - 1
        async with super().connection() as connection:
            yield connection
            if struck and not self.committed:
                raise DatabaseAway("database: lost before the commit")
        if struck:
            raise DatabaseAway("database: lost behind the commit")


class PipelineModel(RuleBasedStateMachine):
    """What is accepted, beside what became of it."""

    dsn: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.place = Path(tempfile.mkdtemp(prefix="ic3-model-"))
        self.lives = 0
        self.clock, self.plant = Hand(), Plant()
        self.sql = psycopg.connect(self.dsn, autocommit=True, options="-c timezone=UTC")
        self.sql.execute(EMPTY)
        self.database = Brittle(
            self.dsn, name="model", size=3, statement_timeout_s=10, clock=self.clock
        )
        self.run(self.database.open())
        self.numbers = 0
        self.sent: dict[str, list[str]] = {}
        self.accepted: list[Accepted] = []
        self.interrupted = 0
        self.cap_bytes = 1 << 30

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(small=some.sampled_from([False, False, True]))
    def begin(self, small: bool) -> None:
        self.cap_bytes = SMALL_CAP_BYTES if small else 1 << 30
        self.line = self.open(self.place / "0")

    def open(self, place: Path) -> Pipeline:
        line = Pipeline(place, self.database, self.plant, self.clock, cap_bytes=self.cap_bytes)
        self.run(line.open())
        accept = line.spool.accept

        async def noted(record: SweepRecord, accepted: list[Accepted]) -> int:
            number = await accept(record, accepted)
            self.accepted += accepted
            return number

        line.spool.accept = noted  # type: ignore[method-assign]
        return line

    # what the plant shows

    def show(self, serial: str, *, minutes: float = 0, quality: str = "GOOD") -> None:
        """The gateway has a new text for this asset."""
        self.numbers += 1
        # Two records of one instant would be one reading; that has tests of its own.
        at = self.clock.now() + timedelta(minutes=minutes, microseconds=self.numbers)
        text = json.dumps(
            {
                "record_id": f"r-{self.numbers}", "asset_id": serial, "quality": quality,
                "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "alarm": "NORMAL",
                "values": {"LEVEL": self.numbers, "OTHER": "x"},
            }
        )  # fmt: skip
        self.sent.setdefault(serial, []).append(text)
        self.plant.texts[f"ic3:latest:{serial}"] = text

    @rule(serials=some.sets(some.sampled_from(ASSETS), min_size=1))
    def new(self, serials: set[str]) -> None:
        for serial in sorted(serials):
            self.show(serial)

    @rule(serial=some.sampled_from(ASSETS), minutes=some.sampled_from(OFF_BY_MINUTES))
    def late_or_future(self, serial: str, minutes: float) -> None:
        for off_by in (0, minutes):
            self.show(serial, minutes=off_by)
            self.swept()

    @rule(serial=some.sampled_from(ASSETS), rubbish=some.booleans())
    def poison_or_rubbish(self, serial: str, rubbish: bool) -> None:
        if rubbish:
            self.plant.texts[f"ic3:latest:{serial}"] = "{"
        else:
            self.show(serial, quality="POISON")

    @rule(serial=some.sampled_from(ASSETS))
    def same_key_and_another_text(self, serial: str) -> None:
        self.show(serial)
        one = self.sent[serial][-1]
        other = one.replace('"OTHER": "x"', '"OTHER": "x", "EXTRA": 1')
        self.sent[serial].append(other)
        for text in (one, None, other):
            if text is None:
                self.show(serial)
            else:
                self.plant.texts[f"ic3:latest:{serial}"] = text
            self.swept()

    @precondition(lambda self: self.sent)
    @rule(data=some.data())
    def repeat(self, data: some.DataObject) -> None:
        """A text that the gateway had before, newest or not."""
        serial = data.draw(some.sampled_from(sorted(self.sent)))
        self.plant.texts[f"ic3:latest:{serial}"] = data.draw(some.sampled_from(self.sent[serial]))

    # what the program does

    @rule(times=some.integers(1, 4))
    def sweep(self, times: int) -> None:
        for _ in range(times):
            self.swept()
            for serial in ASSETS[:2]:
                self.show(serial)

    @rule()
    def store(self) -> None:
        self.tried(self.line.store())

    @rule()
    def store_and_be_seen_to_be_whole(self) -> None:
        self.up()
        self.settle()

    # what happens to it

    @rule()
    def down(self) -> None:
        self.database.down = True

    @rule()
    def up(self) -> None:
        self.database.down = False

    @rule(uses=some.sampled_from([1, 2, 3, 0]), committed=some.booleans())
    def lose_a_connection(self, uses: int, committed: bool) -> None:
        self.up()
        self.store()
        self.show("A")
        self.database.lose(after_uses=uses, committed=committed)
        self.sweep(1)
        self.store()

    @rule(at=some.sampled_from(["at rest", "in the sweep", "accepted", "stored", "before the run"]))
    def kill(self, at: str) -> None:
        """kill -9: what is in memory is gone, the files stay as they are."""
        line = self.line
        points: dict[str, tuple[object, str, bool]] = {
            "in the sweep": (line.sweeper, "run", False),
            "accepted": (line.spool, "accept", True),
            "stored": (line.spool, "forget", False),
            "before the run": (line.monitoring, "save", False),
        }
        if at in points:
            self.trap(*points[at])
            self.clock.advance(INTERVAL_S)
            try:
                self.tried(line.sweep())
                self.tried(line.store())
            except Killed:
                self.interrupted += at == "in the sweep"
        self.lives += 1
        place = self.place / str(self.lives)
        place.mkdir()
        for name in (FILE, f"{FILE}-wal"):
            shutil.copy(self.place / str(self.lives - 1) / name, place)
        self.run(line.close())
        self.whole(line)
        self.line = self.open(place)

    @staticmethod
    def trap(part: object, method: str, behind: bool) -> None:
        """The process dies as it calls this, or as it returns from it."""
        real: Callable[..., Awaitable[object]] = getattr(part, method)

        async def dying(*arguments: Any, **more: Any) -> None:
            if behind:
                await real(*arguments, **more)
            raise Killed

        setattr(part, method, dying)

    def swept(self) -> None:
        self.clock.advance(INTERVAL_S)
        self.tried(self.line.sweep())
        # Whoever stores has tried before the spool is full.
        if self.database.down or self.cap_bytes == SMALL_CAP_BYTES:
            self.tried(self.line.store())

    def tried(self, work: Awaitable[None]) -> None:
        """The worker would try again; here a later rule does."""
        with suppress(DatabaseAway):
            self.run(work)

    # what must hold

    @invariant()
    def accepted_is_in_the_database_or_in_the_spool(self) -> None:
        if not hasattr(self, "line"):
            return
        ((accepted, *_),) = self.sql.execute(PLACES).fetchall()
        stored = {each for (each,) in self.sql.execute("SELECT spool_id FROM ic3_sweep").fetchall()}
        with sqlite3.connect(self.place / str(self.lives) / FILE) as file:
            waiting = dict(file.execute("SELECT id, envelopes FROM sweep").fetchall())
            (gap,) = file.execute("SELECT coalesce(sum(readings), 0) FROM gap").fetchone()
        file.close()
        in_spool = sum(number for each, number in waiting.items() if each not in stored)
        if self.cap_bytes == SMALL_CAP_BYTES:
            assert accepted + in_spool <= len(self.accepted) <= accepted + in_spool + gap
        else:
            assert accepted + in_spool == len(self.accepted)

    @invariant()
    def latest_is_the_greatest_plausible(self) -> None:
        assert self.sql.execute(STALE_LATEST.encode()).fetchall() == []

    def settle(self) -> None:
        """With the database up and nothing to do, all is where it belongs."""
        for _ in range(3):  # a connection may be about to be lost
            self.tried(self.line.store())
        self.database.uses_left = -1
        self.run(self.line.store())
        assert self.line.spool.level.sweeps == 0
        assert self.run(self.line.spool.gaps()) == []
        for name, statement in INVARIANTS.items():
            assert self.sql.execute(statement.encode()).fetchall() == [], name
        self.whole(self.line)
        self.nothing_is_missing()
        if self.line.latest.register.assets:
            newest = self.run(self.line.monitoring.all_latest())
            assert self.line.latest._assets == newest

    def nothing_is_missing(self) -> None:
        first: dict[Key, bytes] = {}
        poisoned = 0
        for each in self.accepted:
            document = json.loads(each.text)
            if document["quality"] == "POISON":
                poisoned += 1
                continue
            key = (
                each.serial,
                document["record_id"],
                datetime.fromisoformat(document["occurred_at"]),
            )
            first.setdefault(key, hashlib.blake2b(each.text.encode(), digest_size=16).digest())
        stored = {
            (serial, record, at): content
            for serial, record, at, content in self.sql.execute(STORED).fetchall()
        }
        ((accepted, dead, gap, interrupted),) = self.sql.execute(PLACES).fetchall()
        assert accepted == len(self.accepted)
        assert interrupted == self.interrupted
        assert self.sql.execute(GAPS).fetchall() == [(gap,)]
        if gap:
            assert set(stored) <= set(first)
            assert len(first) - len(stored) <= gap
            assert dead <= poisoned
        else:
            assert stored == first
            assert dead == poisoned
            assert (self.sql.execute(PUT_ASIDE).fetchall() != [(0,)]) == bool(poisoned)

    @staticmethod
    def whole(line: Pipeline) -> None:
        assert [each for each in line.told if isinstance(each, ConservationBroken)] == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "line"):
                self.up()
                self.settle()
        finally:
            if hasattr(self, "line"):
                self.run(self.line.close())
            self.run(self.database.close())
            self.sql.close()
            self.loop.close()
            shutil.rmtree(self.place)


def test_f12_f14_f18_f19_f23_any_order_of_faults_loses_nothing_and_stores_nothing_twice(
    fresh_dsn: str,
) -> None:
    async def fill() -> None:
        pool = Database(fresh_dsn, name="model", size=1, statement_timeout_s=10, clock=Clock())
        await pool.open()
        await RegisterStore(pool).import_rows(TABLES)
        await pool.close()

    asyncio.run(fill())
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(POISON)

    class OnThisDatabase(PipelineModel):
        dsn = fresh_dsn

    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=25, stateful_step_count=20, derandomize=True, deadline=None,
            database=None, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
