from datetime import timedelta
from typing import Any

import pytest
from samples import NOW, NOW_US, Sql, envelope, save, swept

from ic3.clock import Clock
from ic3.domain.envelope import Envelope, time_text
from ic3.domain.freshness import FeedEvent, Happened, KnownState, State
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Reading, Register
from ic3.domain.status import Feed
from ic3.errors import DatabaseAway
from ic3.observations import AssetsJudged, FeedChanged, Observation, OwnClockSuspect
from ic3.store import states
from ic3.store.monitoring import MonitoringStore, encode_reading, encode_readings
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.states import StateStore
from ic3.store.telemetry import TelemetryStore
from ic3.turns import at_once
from ic3.workers.states import States

MARKED = """
SELECT tag_code, value_num, value_text, quality, quality_reason FROM ic3_asset_monitoring_data
ORDER BY recorded_at, tag_code
"""
VIEW = """
SELECT tag_code, value_num, value_text, quality, quality_reason FROM ic3_asset_latest_reading
ORDER BY recorded_at, tag_code
"""
A = KnownState("पम्प 'A'", State.STALE, NOW_US, NOW_US - 1, 15.25, -0.5)
B = KnownState("B", State.CLOCK_WRONG, NOW_US - 7, None, None, None)


@pytest.fixture
def store(database: Database) -> StateStore:
    return StateStore(database)


async def test_states_are_read_back_as_they_were_written(store: StateStore) -> None:
    await store.keep([A, B], [])
    assert sorted(await store.known(), key=lambda each: each.serial) == [B, A]
    newer = KnownState("B", State.FRESH, NOW_US, NOW_US, 60.0, 1.0)
    await store.keep([newer], [])
    assert newer in await store.known()


async def test_the_domain_of_a_known_asset_is_that_of_the_feed(
    store: StateStore, database: Database
) -> None:
    await save(TelemetryStore(database), envelope("B", domain="DEL-D08"))
    await store.keep([B], [])
    assert [each.domain for each in await store.known()] == ["DEL-D08"]


async def test_events_come_newest_first_with_what_they_say(store: StateStore) -> None:
    told = [
        Happened(NOW_US, "A", FeedEvent.APPEARED),
        Happened(NOW_US + 1, None, FeedEvent.GATEWAY_LOST, "gateway: refused"),
    ]
    await store.keep([], told)
    assert [each for _, each in await store.recent_events(10)] == told[::-1]
    assert len(await store.recent_events(1)) == 1


async def test_events_are_kept_for_thirty_days_and_to_a_number(
    store: StateStore, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "KEPT_EVENTS", 6000)
    sql(
        "INSERT INTO ic3_feed_event (at, event) SELECT %s::timestamptz - n * interval '2 minutes',"
        " 'state' FROM generate_series(30000, 0, -1) n",
        NOW,
    )
    await store.trim(NOW)
    assert sql("SELECT count(*), min(at) FROM ic3_feed_event") == [
        (6000, NOW - timedelta(minutes=2 * 5999))
    ]


async def _mapped(
    database: Database, latest: LatestReadings, *envelopes: Envelope, now_us: int = NOW_US
) -> None:
    """Save a sweep and its monitoring rows, as the workers do."""
    sweep = await save(TelemetryStore(database), *envelopes, now_us=now_us)
    movement = Movement(latest, sweep.envelopes, now_us=now_us)

    async def stored() -> bool:
        return True

    await MonitoringStore(database).save(sweep, movement, measure_ms=lambda: 1, stored=stored())
    latest.apply(movement.moved, movement.repeated)


@pytest.fixture
async def latest(database: Database) -> LatestReadings:
    """Two assets with a gauge, a counter, a state and a text each."""
    registers = RegisterStore(database)
    kinds = {"G": "gauge", "C": "counter", "S": "state", "T": "text"}
    limits: dict[str, object] = {"range_low": 0, "range_high": 100, "rate_max_per_s": 1}
    await registers.import_rows(
        {
            "register": [{"serialnumber": "A", "domain": "DEL-D01"}, {"serialnumber": "B"}],
            "parameters": [
                {"param_tag_code": tag, "parameter_name": tag, "kind": kind, **limits}
                if tag == "G"
                else {"param_tag_code": tag, "parameter_name": tag, "kind": kind}
                for tag, kind in kinds.items()
            ],
            "tagmap": [
                {"serialnumber": serial, "tag_code": tag, "param_tag_code": tag}
                for serial in ("A", "B")
                for tag in kinds
            ],
        }
    )
    found = LatestReadings()
    found.register = await registers.load_if_changed(Register())
    return found


async def test_quality_stands_beside_each_row_and_in_the_latest_table(
    database: Database, latest: LatestReadings, sql: Sql
) -> None:
    values: dict[str, object] = {"G": 250, "C": "12", "S": None, "T": "पानी"}
    await _mapped(database, latest, envelope("A", values=values))
    rows = [
        ("C", None, "12", 2, "not_a_number"), ("G", 250.0, None, 2, "out_of_range"),
        ("S", None, None, 1, "no_value"), ("T", None, "पानी", 0, None),
    ]  # fmt: skip
    assert sql(MARKED) == rows
    assert sql(VIEW) == rows
    restored = LatestReadings()
    restored.replace(await MonitoringStore(database).all_latest())
    restored.register = latest.register
    assert restored.live("A") == latest.live("A")
    assert [row.quality for row in restored.live("A").monitoring] == [
        "BAD", "BAD", "UNCERTAIN", "GOOD",
    ]  # fmt: skip


def test_a_good_number_is_encoded_the_short_way_as_the_long_way() -> None:
    for tag in ("G", "पानी", "x" * 200):
        reading = Reading(7, tag, 3, -2.5, None, NOW_US)
        assert encode_readings([reading]) == [encode_reading(reading)]


async def test_a_latest_row_of_an_earlier_release_is_good(
    database: Database, latest: LatestReadings, sql: Sql
) -> None:
    number = latest.register.assets["A"].register_id
    document = f'[[{number},"G",1,2.5,null,{NOW_US}]]'
    sql("INSERT INTO ic3_asset_monitoring_latest VALUES (%s, %s)", number, document)
    assert sql(VIEW) == [("G", 2.5, None, 0, None)]
    [reading] = (await MonitoringStore(database).all_latest())[number].values()
    assert (reading.quality, reading.quality_reason) == (0, None)


ROWS_AND_LATEST = """
SELECT 'row', asset_id, tag_code, value_num, value_text, recorded_at FROM ic3_asset_monitoring_data
UNION ALL SELECT 'newest', asset_id, tag_code, value_num, value_text, recorded_at
FROM ic3_asset_latest_reading ORDER BY 1, 2, 3, 6
"""
TELEMETRY = """
SELECT 'envelope', asset_id, record_id, values, occurred_at FROM telemetry
UNION ALL SELECT 'latest', asset_id, record_id, values, occurred_at FROM asset_latest
ORDER BY 1, 2, 5
"""


async def test_f23_shuffled_data_leaves_what_ordered_data_leaves(
    database: Database, latest: LatestReadings, sql: Sql
) -> None:
    records = [
        envelope(serial, record=f"r-{minute}", at=f"2026-06-15T01:{minute:02}:00Z",
                 values={"G": minute, "S": minute % 2})
        for minute in range(12) for serial in ("A", "B")
    ]  # fmt: skip
    for each in records:
        await _mapped(database, latest, each)
    ordered = sql(ROWS_AND_LATEST), sql(TELEMETRY)
    for table in ("telemetry", "asset_latest", "ic3_asset_monitoring_data",
                  "ic3_asset_monitoring_latest"):  # fmt: skip
        sql(f"DELETE FROM {table}")
    latest.replace({})

    for each in [*records[1::5], *records[::-3], *records[7:], *records]:
        await _mapped(database, latest, each)

    assert (sql(ROWS_AND_LATEST), sql(TELEMETRY)) == ordered


async def test_f24_a_clock_in_2099_reaches_neither_rows_nor_latest(
    database: Database, latest: LatestReadings, sql: Sql
) -> None:
    for record, at, value in (
        ("r-1", "2026-06-15T01:00:00Z", 1), ("r-2", "2099-01-01T00:00:00Z", 2),
        ("r-3", "2026-06-15T01:01:00Z", 3),
    ):  # fmt: skip
        await _mapped(database, latest, envelope("A", record=record, at=at, values={"G": value}))
    assert sql("SELECT value_num FROM ic3_asset_monitoring_data ORDER BY 1") == [(1.0,), (3.0,)]
    assert sql("SELECT value_num FROM ic3_asset_latest_reading") == [(3.0,)]
    assert sql("SELECT record_id FROM asset_latest") == [("r-3",)]
    assert sql("SELECT count(*) FROM telemetry") == [(3,)]


async def test_the_times_of_a_sweep_stand_in_its_row(database: Database, sql: Sql) -> None:
    feed = Feed(interval_s=15)
    sweep = swept(
        envelope("A", at="2099-01-01T00:00:00Z"), envelope("B", at="1999-01-01T00:00:00Z")
    )
    feed.judge_times(sweep)
    await TelemetryStore(database).save(sweep, now_us=NOW_US)
    assert sql("SELECT times FROM ic3_sweep") == [({"future": 1, "absurd": 1},)]


class Driven:
    """The states worker on a feed of its own."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        self.feed = Feed(interval_s=15)
        self.told: list[Observation] = []
        self.clock = clock
        self.worker = States(
            freshness=self.feed.freshness, store=store, interval_s=15, clock=clock,
            observe=self.told.append,
        )  # fmt: skip

    def take(self, *envelopes: Envelope) -> None:
        sweep = swept(*envelopes, begun_at=self.clock.now())
        sweep.started = self.clock.monotonic()
        self.feed.judge_times(sweep)
        at_once(self.feed.taking(sweep))

    def seen(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.told if isinstance(each, kind)]


async def test_the_worker_writes_changes_at_once_and_tells_them(
    store: StateStore, clock: Any, sql: Sql
) -> None:
    driven = Driven(store, clock)
    driven.feed.freshness.restore([])
    driven.take(envelope("A"), envelope("B"))
    await driven.worker.step()
    assert sql("SELECT serial, state FROM ic3_asset_state ORDER BY 1") == [
        ("A", "fresh"), ("B", "fresh"),
    ]  # fmt: skip
    clock.advance(46)
    await driven.worker.step()
    assert sql("SELECT DISTINCT state FROM ic3_asset_state") == [("stale",)]
    assert [(each.serial, each.event, each.detail) for _, each in await store.recent_events(2)] == [
        ("B", "state", "fresh to stale"), ("A", "state", "fresh to stale"),
    ]  # fmt: skip
    assert driven.seen(FeedChanged) == [FeedChanged({"appeared": 2}), FeedChanged({"state": 2})]
    judged = driven.seen(AssetsJudged)[-1]
    assert (judged.states["stale"], judged.stale_by_domain) == (2, {"DEL-D08": 2})


async def test_learned_figures_are_written_once_a_minute(
    store: StateStore, clock: Any, sql: Sql
) -> None:
    driven = Driven(store, clock)
    written = []
    for second in range(0, 150, 15):
        at = time_text(NOW_US + (second - 600) * 1_000_000)
        driven.take(envelope("A", record=f"r-{second}", at=at))
        await driven.worker.step()
        written.append(sql("SELECT cadence_s FROM ic3_asset_state")[0][0])
        clock.advance(15)
    assert written == [None] * 4 + [15.0] * 6


async def test_what_could_not_be_written_is_written_later(
    store: StateStore, clock: Any, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = Driven(store, clock)
    await driven.worker.step()
    driven.take(envelope("A"))

    async def away(*_: object) -> None:
        raise DatabaseAway("database: away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "keep", away)
        with pytest.raises(DatabaseAway):
            await driven.worker.step()
    await driven.worker.step()
    assert sql("SELECT serial FROM ic3_asset_state") == [("A",)]
    assert sql("SELECT serial, event FROM ic3_feed_event") == [("A", "appeared")]


async def test_a_restart_forgets_neither_cadence_nor_state(store: StateStore, clock: Any) -> None:
    await store.keep([A, B], [])
    driven = Driven(store, clock)
    await driven.worker.step()
    driven.take()
    await driven.worker.step()
    freshness = driven.feed.freshness
    view = freshness.view(A.serial, now=clock.monotonic())
    assert view is not None
    assert (view.cadence_s, view.skew_s) == (15.25, -0.5)
    assert driven.seen(AssetsJudged)[-1].states["clock_wrong"] == 1
    # It was received just now, so the first look finds it fresh.
    assert driven.seen(FeedChanged) == [FeedChanged({"state": 1})]


async def test_f22_our_own_clock_is_suspected_once(store: StateStore, clock: Any) -> None:
    driven = Driven(store, clock)
    for minute in range(2):
        at = f"2026-07-15T01:{minute:02}:00Z"
        driven.take(*(envelope(f"A{number}", at=at) for number in range(20)))
        await driven.worker.step()
    assert driven.seen(OwnClockSuspect) == [OwnClockSuspect(20, 20, None)]
