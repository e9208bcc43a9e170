"""Kill the program, its PostgreSQL and the plant at random, then compare accepted with stored.

`make chaos` runs it long; the test suite runs it short. Every sweep that the spool ever took has a
number; at the end each number must be one row of `ic3_sweep`, and its envelopes in one place each.
"""

import argparse
import json
import os
import platform
import random
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from driven import Gateway, Product, children, free_port, until

from ic3.embedded.running import dsn_of_running

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
LOST_SWEEPS = """
SELECT n FROM generate_series(1, %(last)s) n
WHERE NOT EXISTS (SELECT FROM ic3_sweep s WHERE s.spool = %(spool)s AND s.spool_id = n)
"""
TWICE = """
SELECT (SELECT count(*) FROM (SELECT FROM telemetry GROUP BY occurred_at, asset_id, record_id
        HAVING count(*) > 1) t)
    + (SELECT count(*) FROM (SELECT FROM ic3_asset_monitoring_data
        GROUP BY recorded_at, asset_id, tag_code HAVING count(*) > 1) m)
    + (SELECT count(*) FROM (SELECT FROM ic3_ingest_run_log WHERE sweep_id IS NOT NULL
        GROUP BY sweep_id HAVING count(*) > 1) r)
"""
SUMS = """
SELECT count(*), sum(accepted), sum(stored), sum(duplicate), sum(dead), sum(gap),
    count(*) FILTER (WHERE accepted <> stored + duplicate + dead + gap),
    count(*) FILTER (WHERE error = 'interrupted')
FROM ic3_sweep
"""
STORED = "SELECT count(*) FROM telemetry"
WITHOUT_RUN = """
SELECT count(*) FROM ic3_sweep s
WHERE NOT EXISTS (SELECT FROM ic3_ingest_run_log r WHERE r.sweep_id = s.id)
"""
# Against the telemetry of the sweeps that knew the register: it was filled after the first ones.
ROWS = """
SELECT (SELECT count(*) FROM ic3_asset_monitoring_data), (SELECT count(*) FROM telemetry t
    JOIN ic3_sweep s ON s.id = t.sweep_id AND s.matched > 0
    JOIN ic3_asset_master a ON a.serialnumber = t.asset_id CROSS JOIN jsonb_each(t.values) v
    JOIN ic3_asset_tag_map m ON m.asset_id = a.asset_id AND m.tag_code = v.key)
"""


@dataclass
class Outcome:
    """What a drive found; all of `lost` to `odd` must be 0."""

    seed: int
    process_kills: int = 0
    postmaster_kills: int = 0
    plant_kills: int = 0
    sweeps: int = 0
    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    gap: int = 0
    dead: int = 0
    interrupted: int = 0
    lost: int = 0
    twice: int = 0
    unbalanced: int = 0
    without_run: int = 0
    rows: int = 0
    rows_odd: int = 0
    conservation_broken: int = 0
    tracebacks: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def odd(self) -> int:
        return (
            self.lost + self.twice + self.unbalanced + self.without_run + self.rows_odd
            + self.conservation_broken + self.tracebacks
        )  # fmt: skip


class Drive:
    """One drive: start, kill, start again, and at the end count.

    Args:
        place: A directory of its own.
        seed: Of the schedule.
        replicate: Copies of the plant's assets.
        interval_s: Between two sweeps.
        pause_s: The longest time between two kills.
    """

    def __init__(
        self, place: Path, *, seed: int, replicate: int, interval_s: float, pause_s: float = 3.0
    ) -> None:  # fmt: skip
        self.outcome = Outcome(seed)
        self._random = random.Random(seed)
        self._port = free_port()
        self._replicate = replicate
        self._interval_s = interval_s
        self._pause_s = pause_s
        self._gateway = self._plant()
        self.product = Product(
            place, REDIS_API_BASE=self._gateway.base, REDIS_API_MAX_IN_FLIGHT="200",
            MONITORING_POLL_INTERVAL=f"{interval_s:g}",
        )  # fmt: skip

    def run(self, *, process_kills: int, postmaster_kills: int, plant_kills: int) -> Outcome:
        """Do so many kills in random order, then let all settle and compare."""
        began = time.monotonic()
        acts = (
            ["process"] * process_kills + ["postmaster"] * postmaster_kills
            + ["plant"] * plant_kills
        )  # fmt: skip
        self._random.shuffle(acts)
        try:
            self.product.__enter__().start()
            self._fill_register()
            for number, act in enumerate(acts, 1):
                self._act(act)
                if number % 10 == 0:
                    print(f"chaos: {number} of {len(acts)} kills", file=sys.stderr, flush=True)
            self._settle()
            self._compare()
            self.product.stop()
        except AssertionError:
            print(*self.product.lines[-20:], sep="\n", file=sys.stderr, flush=True)
            raise
        finally:
            self.product.__exit__()
            self._gateway.close()
        self.outcome.seconds = round(time.monotonic() - began, 1)
        return self.outcome

    def _plant(self) -> Gateway:
        return Gateway(interval_s=self._interval_s, port=self._port, replicate=self._replicate)

    def _fill_register(self) -> None:
        self.product.line("done in|sweep failed", 60)
        self.product.fill_register(self._replicate)

    def _act(self, act: str) -> None:
        time.sleep(
            self._random.uniform(0.2, self._pause_s)
        )  # the moment itself, not a wait for anything
        if act == "process":
            self.outcome.process_kills += 1
            self.product.kill()
            self._count_words()
            time.sleep(self._random.uniform(0, 0.5))
            self.product.start()
        elif act == "postmaster":
            pid = until(self._postmaster, 30, "a postmaster to kill")
            assert pid is not None
            self.outcome.postmaster_kills += 1
            os.kill(pid, signal.SIGKILL)
        else:
            self.outcome.plant_kills += 1
            self._gateway.process.kill()
            self._gateway.close()
            self._gateway = self._plant()

    def _postmaster(self) -> int | None:
        return next(filter(self._is_postmaster, children(self.product.pid)), None)

    @staticmethod
    def _is_postmaster(pid: int) -> bool:
        try:
            return "postgres\0-D" in Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return False

    def _settle(self) -> None:
        """No more news, nothing in the spool, every sweep with its run."""
        self.product.until_ready(60)
        self._gateway.fault("hang", target="list")
        until(self._is_settled, 180, "an empty spool and a run for every sweep")

    def _is_settled(self) -> bool:
        try:
            stats: dict[str, Any] = self.product.get("/api/stats")
            if stats["spool"]["sweeps"]:
                return False
            with psycopg.connect(self.product.dsn) as connection:
                row = connection.execute(WITHOUT_RUN).fetchone()
            return row is not None and row[0] == 0
        except (psycopg.Error, AssertionError):
            return False

    def _compare(self) -> None:
        outcome = self.outcome
        spool = self.product.place / "data" / "spool" / "spool.db"
        with sqlite3.connect(spool) as file:
            (uuid,) = file.execute("SELECT value FROM meta WHERE name = 'uuid'").fetchone()
            (last,) = file.execute("SELECT seq FROM sqlite_sequence").fetchone()
        dsn = dsn_of_running(self.product.place / "data")
        assert dsn is not None
        with psycopg.connect(dsn) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

            def one(statement: str) -> Any:
                return connection.execute(
                    statement.encode(), {"last": last, "spool": uuid}
                ).fetchall()

            outcome.lost = len(one(LOST_SWEEPS))
            ((outcome.twice,),) = one(TWICE)
            sums = one(SUMS)[0]
            (
                outcome.sweeps, outcome.accepted, outcome.stored, outcome.duplicate, outcome.dead,
                outcome.gap, outcome.unbalanced, outcome.interrupted,
            ) = (int(each or 0) for each in sums)  # fmt: skip
            ((stored,),) = one(STORED)
            outcome.lost += abs(stored - outcome.stored)
            ((outcome.without_run,),) = one(WITHOUT_RUN)
            ((outcome.rows, expected),) = one(ROWS)
            outcome.rows_odd = abs(expected - outcome.rows) if self._replicate == 1 else 0
        self._count_words()

    def _count_words(self) -> None:
        text = self.product.log.read_text(errors="replace")
        self.outcome.conservation_broken += text.count("conservation broken")
        self.outcome.tracebacks += text.count("Traceback")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261126)
    parser.add_argument("--process-kills", type=int, default=100)
    parser.add_argument("--postmaster-kills", type=int, default=30)
    parser.add_argument("--plant-kills", type=int, default=10)
    parser.add_argument("--replicate", type=int, default=30)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--pause", type=float, default=7.0, help="the longest between two kills, s")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ic3-chaos-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        drive = Drive(
            place, seed=arguments.seed, replicate=arguments.replicate,
            interval_s=arguments.interval, pause_s=arguments.pause,
        )  # fmt: skip
        outcome = drive.run(
            process_kills=arguments.process_kills, postmaster_kills=arguments.postmaster_kills,
            plant_kills=arguments.plant_kills,
        )  # fmt: skip
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), **asdict(outcome), "odd": outcome.odd,
    }  # fmt: skip
    (RESULTS / "chaos.json").write_text(json.dumps(found, indent=2) + "\n")
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value:,} |" for name, value in found.items()
                     if isinstance(value, int | float))  # fmt: skip
    words = "From lost to tracebacks all must be 0, but rows."
    text = f"# Chaos\n\nOf {found['at']}. {words}\n\n| what | number |\n|---|---|\n"
    (RESULTS / "chaos.md").write_text(f"{text}{rows}\n")
    print(rows)
    return 1 if outcome.odd else 0


if __name__ == "__main__":
    sys.exit(main())
