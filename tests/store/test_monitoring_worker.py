"""The monitoring worker where the database is in the way, too slow or does not say how it ended."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from samples import Sql, envelope, save

from ic3.clock import Clock
from ic3.domain.latest import LatestReadings
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.errors import Contended, DatabaseAway, StoreError, TooSlow
from ic3.hub.live import unheard
from ic3.observations import Observation, RunLogged
from ic3.store.inbox import InboxStore
from ic3.store.monitoring import MonitoringStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore
from ic3.workers.monitoring import EndedSweeps, Monitoring

VALUES = {"FLOW": 1.5, "UNKNOWN": 2}
COUNTED = """
SELECT (SELECT count(*) FROM ic3_ingest_run_log WHERE keys_scanned > 0),
    (SELECT count(*) FROM ic3_asset_monitoring_data),
    (SELECT sum(times_seen) FROM ic3_inbox WHERE tag_code = 'UNKNOWN'),
    (SELECT tags = rows_inserted + rows_duplicate + tags_skipped + tags_refused FROM ic3_sweep
        WHERE accepted > 0 ORDER BY id LIMIT 1)
"""


class Server:
    """The worker and its stores."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.told: list[Observation] = []
        self.store = MonitoringStore(database)
        self.ended = EndedSweeps(self.told.append)
        self.latest, runs = LatestReadings(), RecentRuns()
        feed = Feed(interval_s=15)
        self.worker = Monitoring(
            ended=self.ended, store=self.store, registers=RegisterStore(database),
            inbox=InboxStore(database), latest=self.latest, runs=runs, interval_s=15,
            clock=clock, observe=self.told.append,
            live=unheard(feed=feed, latest=self.latest, runs=runs, clock=clock),
        )  # fmt: skip

    def put(self, sweep: Sweep) -> None:
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        stored.set_result(True)
        self.ended.put(sweep, stored)

    @property
    def flow(self) -> list[float | None]:
        return [row.value_num for row in self.latest.live("A").monitoring]


@pytest.fixture
async def server(database: Database, telemetry: TelemetryStore, clock: Clock) -> Server:
    """A server after its first sweep, which brought nothing."""
    await RegisterStore(database).import_rows(
        {
            "register": [{"serialnumber": "A"}],
            "parameters": [{"param_tag_code": "FLOW", "parameter_name": "Flow"}],
            "tagmap": [{"serialnumber": "A", "tag_code": "FLOW", "param_tag_code": "FLOW"}],
        }
    )
    server = Server(database, clock)
    server.put(await save(telemetry))
    await server.worker.step()
    server.told.clear()
    return server


@pytest.fixture
def telemetry(database: Database) -> TelemetryStore:
    return TelemetryStore(database)


@pytest.mark.parametrize("error", [Contended("in the way"), TooSlow("too slow")])
async def test_what_passes_is_tried_again_and_is_no_failed_run(
    server: Server, telemetry: TelemetryStore, sql: Sql, monkeypatch: pytest.MonkeyPatch,
    error: StoreError,
) -> None:  # fmt: skip
    server.put(await save(telemetry, envelope("A", values=VALUES)))

    async def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(server.store, "save", fail)
        for _ in range(3):
            with pytest.raises(type(error)):
                await server.worker.step()
    assert (len(server.ended), server.flow, server.told) == (1, [], [])
    await server.worker.step()
    assert (len(server.ended), server.flow) == (0, [1.5])
    assert sql(COUNTED) == [(1, 1, 1, True)]
    assert sql("SELECT DISTINCT error_msg FROM ic3_ingest_run_log") == [(None,)]


async def test_a_run_that_was_logged_after_all_is_counted_and_balanced_once(
    server: Server, telemetry: TelemetryStore, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(await save(telemetry, envelope("A", values=VALUES)))
    real = cast("Callable[..., Any]", server.store.save)

    async def lose_the_answer(*given: Any, **named: Any) -> None:
        await real(*given, **named)
        raise DatabaseAway("database: the connection was lost")

    with monkeypatch.context() as patched:
        patched.setattr(server.store, "save", lose_the_answer)
        with pytest.raises(DatabaseAway):
            await server.worker.step()
    assert sql(COUNTED) == [(1, 1, 1, True)]
    assert server.flow == []
    await server.worker.step()
    # The rows are there already: as a run of its own it would break E6 or be counted twice.
    assert sql(COUNTED) == [(1, 1, 1, True)]
    assert (len(server.ended), server.flow) == (0, [1.5])
    assert server.told == []
    server.put(await save(telemetry, envelope("A", record="2", at="2026-06-15T01:41:58Z",
                                              values=VALUES)))  # fmt: skip
    await server.worker.step()
    (logged,) = server.told
    assert isinstance(logged, RunLogged)
    assert sql(COUNTED) == [(2, 2, 2, True)]
