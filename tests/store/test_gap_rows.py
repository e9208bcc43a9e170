"""Gaps as the spool hands them over: each one row, however often it is handed over."""

from datetime import timedelta

from samples import MINUTE_US, NOW, NOW_US, Sql

from ic3.domain.gaps import Cause, Gap
from ic3.store.gaps import GapStore
from ic3.store.pool import Database

ROWS = """
SELECT spool, cause, asset_id, from_at, to_at, readings, estimated FROM data_gap
ORDER BY cause, from_at
"""


async def test_gaps_are_rows_that_say_whether_their_number_is_an_estimate(
    database: Database, sql: Sql
) -> None:
    sql("DELETE FROM data_gap")
    found = [
        Gap(cause, serial, NOW_US, NOW_US + MINUTE_US, 4)
        for cause, serial in (
            (Cause.GATEWAY_DOWN, None), (Cause.KEY_FAILED, "A"), (Cause.OVERWRITTEN, None),
            (Cause.SPOOL_DROPPED, "A"), (Cause.TICK_SKIPPED, None),
        )
    ]  # fmt: skip
    store = GapStore(database, spool="s")
    for _ in range(2):
        await store.keep(found)
    until = NOW + timedelta(minutes=1)
    assert sql(ROWS) == [
        ("s", "gateway_down", "", NOW, until, 4, True),
        ("s", "key_failed", "A", NOW, until, 4, True),
        ("s", "overwritten", "", NOW, until, 4, True),
        ("s", "spool_dropped", "A", NOW, until, 4, False),
        ("s", "tick_skipped", "", NOW, until, 4, True),
    ]
    assert await store.since(NOW, limit=10) == found


async def test_a_gap_that_has_grown_in_the_spool_takes_the_place_of_the_lesser_one(
    database: Database, sql: Sql
) -> None:
    sql("DELETE FROM data_gap")
    store = GapStore(database, spool="s")
    for readings in (3, 5, 4):
        await store.keep([Gap(Cause.SPOOL_THINNED, "A", NOW_US, NOW_US + readings, readings)])
    # What begins later is another gap, and so is what another spool has counted.
    await store.keep([Gap(Cause.SPOOL_THINNED, "A", NOW_US + 1, NOW_US + 9, 2)])
    await GapStore(database, spool="t").keep([Gap(Cause.SPOOL_THINNED, "A", NOW_US, NOW_US, 1)])
    assert [(row[0], row[5]) for row in sql(f"{ROWS}, spool")] == [("s", 5), ("t", 1), ("s", 2)]
