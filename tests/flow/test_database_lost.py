"""PostgreSQL goes away and comes back: F12, F14, F15 as far as a spool is not needed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from driven import (
    DONE,
    STAMP,
    STARTED,
    TALK,
    Gateway,
    Product,
    children,
    cmms_path,
    ic3,
    live_path,
    place,
    request,
    until,
    until_dead,
)
from patience import PATIENCE_S

from ic3.embedded.postgres import EmbeddedPostgres

SERIAL = "Patel Road_Baljeet Nagar_SV_92"

# A server that ends when its standard input does, with a word on when it serves.
KEEPER = """
import asyncio, sys
from pathlib import Path
from ic3.embedded.postgres import EmbeddedPostgres

async def main():
    postgres = EmbeddedPostgres(Path(sys.argv[1]), shared_buffers_mib=64)
    print(await postgres.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await postgres.stop()

asyncio.run(main())
"""


class OwnPostgres:
    """A PostgreSQL that is stopped and started by the test."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.dsn = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        self._process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, str(self.data_dir)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.dsn = self._process.stdout.readline().strip()
        assert self.dsn
        return self.dsn

    def stop(self) -> None:
        if self._process is not None:
            self._process.communicate("", timeout=PATIENCE_S)
            self._process = None


@pytest.fixture
def own_postgres() -> Iterator[OwnPostgres]:
    with place() as found:
        postgres = OwnPostgres(found / "postgres")
        yield postgres
        postgres.stop()


def test_f12_hot_reads_go_on_without_the_database_and_nothing_is_half_written(
    own_place: Path, own_postgres: OwnPostgres
) -> None:
    gateway = Gateway(interval_s=0.25)
    settings = {"DATABASE_URL": own_postgres.start(), "REDIS_API_BASE": gateway.base}
    try:
        with Product(own_place, **settings) as product:
            assert ic3(own_place, "migrate", **settings).returncode == 0
            _import_plant(product)
            product.start().until_ready()
            until(lambda: product.get(live_path(SERIAL))["count"] == 5, what="live readings")
            _away_and_back(product, own_postgres)
            assert product.broken() == {}
            assert product.stop() == 0
            for line in product.lines:
                assert (
                    STAMP.match(line) or STARTED.fullmatch(line) or DONE.fullmatch(line)
                    or TALK.match(line)
                ), line  # fmt: skip
    finally:
        gateway.close()


def _import_plant(product: Product) -> None:
    """The register of the simulated plant, as an operator would import his own."""
    from ic3.clock import Clock
    from ic3.simulator.plant import Plant
    from ic3.store.pool import Database
    from ic3.store.register import RegisterStore

    async def work() -> None:
        pool = Database(product.dsn, name="test", size=1, statement_timeout_s=20, clock=Clock())
        await pool.open()
        await RegisterStore(pool).import_rows(Plant(1).tables())
        await pool.close()

    asyncio.run(work())


def _away_and_back(product: Product, postgres: OwnPostgres) -> None:
    product.after_next_sweep()
    before = product.get("/api/monitoring/progress")["latest"]
    postgres.stop()

    def away() -> Any:
        state = product.get("/api/stats")["database"]
        return state if state["state"] == "away" else None

    since = until(away, what="the database noticed as away")["since"]
    status, reasons = product.ready()
    assert status == 503
    assert "away since" in reasons
    assert product.get("/api/stats")["database"]["since"] == since
    assert product.get(live_path(SERIAL))["count"] == 5
    assert product.get("/api/monitoring/progress")["latest"]["id"] >= before["id"]
    assert product.get("/api/telemetry?limit=3")["count"] == 3
    assert product.get("/livez") == {"status": "ok"}
    status, problem, headers = request(product.base, "GET", cmms_path(SERIAL), token=product.token)
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert problem["error"]
    assert "password" not in str(problem)
    assert product.metric("ic3_database_away") == 1

    waiting = until(lambda: product.get("/api/stats")["spool"]["envelopes"] > 1000, what="a spool")
    assert waiting
    back_at = datetime.now(UTC)
    postgres.start()
    until(lambda: product.ready()[0] == 200, what="readiness")
    until(lambda: product.get("/api/stats")["spool"]["envelopes"] == 0, what="an empty spool")
    (met,) = product.sql(
        "SELECT count(*), sum(stored), max(error) FROM ic3_sweep"
        " WHERE begun_at BETWEEN %s AND %s", since, back_at,
    )  # fmt: skip
    assert met[0] >= 2
    assert met[1] > 1000
    assert met[2] is None
    sweep = product.after_next_sweep()
    assert sweep["error"] is None
    assert product.get(cmms_path(SERIAL))["data"]["serialnumber"] == SERIAL
    assert product.get("/api/stats")["database"] == {"state": "ok", "since": None}
    assert product.broken() == {}


def test_f12_an_embedded_server_that_is_killed_comes_back_by_itself(own_place: Path) -> None:
    with Product(own_place) as product:
        product.start().until_ready()
        until(lambda: product.get(live_path(SERIAL))["count"] == 5, what="live readings")
        sweep = product.after_next_sweep()
        (postmaster,) = [pid for pid in children(product.pid) if _is_postmaster(pid)]
        os.kill(postmaster, signal.SIGKILL)
        until_dead([postmaster])
        answers = [product.get(live_path(SERIAL))["count"] for _ in range(5)]
        assert answers == [5] * 5
        assert product.get("/api/stats")["last_run"]["id"]
        until(lambda: _newest_good(product) > sweep["id"] + 1, what="runs after the kill")
        product.until_ready()
        assert product.broken() == {}
        assert sum("it ended by itself" in line for line in product.lines) == 1
        assert product.stop() == 0


def test_f10_f12_an_embedded_server_that_hangs_is_away_and_does_not_hold_up_the_stop(
    own_place: Path,
) -> None:
    with Product(own_place) as product:
        product.start().until_ready()
        until(lambda: product.get(live_path(SERIAL))["count"] == 5, what="live readings")
        below = [pid for pid in children(product.pid) if _is_of_postgres(pid)]
        _signal_all(below, signal.SIGSTOP)
        until(lambda: "database away since" in product.ready()[1], what="the hang noticed")
        assert product.get("/api/stats")["database"]["state"] == "away"
        until(lambda: product.metric("ic3_spool_rows") > 1000, what="sweeps accepted meanwhile")
        _signal_all(below, signal.SIGCONT)
        product.until_ready()
        until(lambda: product.metric("ic3_spool_rows") < 600, what="the spool emptied")
        assert product.after_next_sweep()["error"] is None
        assert product.broken() == {}
        below = [pid for pid in children(product.pid) if _is_of_postgres(pid)]
        _signal_all(below, signal.SIGSTOP)
        assert product.stop() == 0
        until_dead(below)
        for line in product.lines:
            assert STAMP.match(line) or STARTED.match(line) or DONE.match(line) or TALK.match(line)
        product.start().until_ready()
        assert product.broken() == {}


async def test_an_embedded_server_with_a_long_path_is_found_again_after_a_kill(
    own_place: Path,
) -> None:
    """Its socket lies outside the data directory, and the pools know the first one only."""
    deep = own_place / ("deep-" * 18) / ("er-" * 10)
    deep.mkdir(parents=True)
    postgres = EmbeddedPostgres(deep / "data", shared_buffers_mib=64)
    try:
        first = await postgres.start()
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: postgres.pid is None)
        assert await postgres.start() == first
    finally:
        await postgres.stop()


def _newest_good(product: Product) -> int:
    try:
        return int(product.one("SELECT max(id) FROM ic3_sweep WHERE error IS NULL"))
    except (psycopg.Error, AssertionError):  # on its way back
        return -1


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_of_postgres(pid: int) -> bool:
    try:
        return "postgres" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def _is_postmaster(pid: int) -> bool:
    try:
        return "postgres\0-D" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
