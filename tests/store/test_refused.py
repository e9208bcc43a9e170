"""Rows that PostgreSQL will not have, and transactions whose end nobody heard: F14, F18."""

import asyncio
from typing import Any

import pytest
from samples import NOW_US, Sql, envelope, swept

from ic3.errors import Refused
from ic3.store.pool import Database
from ic3.store.telemetry import NotAccepted, RefusesEverything, TelemetryStore

COUNTS = "SELECT accepted, stored, duplicate, dead, gap FROM ic3_sweep WHERE id = %s"
DEAD = """
SELECT scope, reason, sqlstate, convert_from(key, 'UTF8'), raw_length FROM dead_letter ORDER BY key
"""


@pytest.fixture
def poisoned(own_sql: Sql) -> Sql:
    """A database that refuses envelopes of one quality, for no reason of ours."""
    own_sql("ALTER TABLE telemetry ADD CHECK (quality IS DISTINCT FROM 'POISON')")
    return own_sql


@pytest.fixture
def store(own_database: Database) -> TelemetryStore:
    return TelemetryStore(own_database, spool="a spool")


async def test_f18_poison_rows_are_put_aside_one_by_one_and_their_neighbours_stored(
    store: TelemetryStore, poisoned: Sql
) -> None:
    poison = {3, 4, 50, 99}
    sent = [envelope(f"A{n:02d}", quality="POISON" if n in poison else "GOOD") for n in range(100)]
    sweep = swept(*sent)
    await store.save(sweep, now_us=NOW_US)
    assert poisoned(COUNTS, sweep.sweep_id) == [(100, 96, 0, 4, 0)]
    assert sweep.storing_equation().holds
    assert poisoned("SELECT count(*) FROM telemetry") == [(96,)]
    assert poisoned(DEAD) == [
        ("database", "refused_by_database", "23514", f"ic3:latest:A{n:02d}",
         len(sent[n].text.encode())) for n in sorted(poison)
    ]  # fmt: skip
    keys = poisoned("SELECT keys FROM ic3_sweep_keys WHERE sweep_id = %s", sweep.sweep_id)
    assert keys == [({"dead:refused_by_database": [f"A{n:02d}" for n in sorted(poison)]},)]


async def test_f18_poison_beside_an_envelope_stored_before(
    store: TelemetryStore, poisoned: Sql
) -> None:
    await store.save(swept(envelope("A")), now_us=NOW_US)
    sweep = swept(envelope("A"), envelope("B", quality="POISON"), envelope("C"))
    await store.save(sweep, now_us=NOW_US)
    assert poisoned(COUNTS, sweep.sweep_id) == [(3, 1, 1, 1, 0)]


async def test_f18_database_that_refuses_most_is_our_fault_and_nothing_is_put_aside(
    store: TelemetryStore, poisoned: Sql
) -> None:
    sent = [envelope(f"A{n:02d}", quality="POISON" if n > 5 else "GOOD") for n in range(20)]
    with pytest.raises(RefusesEverything, match="it refuses 14 of 20 envelopes"):
        await store.save(swept(*sent), now_us=NOW_US)
    assert poisoned(
        "SELECT (SELECT count(*) FROM telemetry), (SELECT count(*) FROM dead_letter)"
    ) == [(0, 0)]


async def test_what_is_only_said_of_a_sweep_never_holds_it_up(
    store: TelemetryStore, own_sql: Sql
) -> None:
    own_sql("ALTER TABLE ic3_sweep_keys ADD CHECK (false)")
    sweep = swept(envelope("A"))
    sweep.name_key("failed:timeout", "X")
    await store.save(sweep, now_us=NOW_US)
    assert own_sql("SELECT asset_id FROM telemetry") == [("A",)]


async def test_row_of_the_sweep_that_is_refused_is_said(
    store: TelemetryStore, own_sql: Sql
) -> None:
    own_sql("ALTER TABLE ic3_sweep ADD CHECK (keys_scanned < 1)")
    with pytest.raises(Refused, match="23514"):
        await store.save(swept(envelope("A")), now_us=NOW_US)
    assert own_sql("SELECT count(*) FROM telemetry") == [(0,)]


async def test_f14_sweep_whose_commit_was_not_heard_of_is_known_again(
    store: TelemetryStore, own_sql: Sql
) -> None:
    first = swept(envelope("A"), envelope("B"))
    first.spool_id = 7
    await store.save(first, now_us=NOW_US)
    again = swept(envelope("A"), envelope("B"))
    again.spool_id = 7
    await store.save(again, now_us=NOW_US, uncertain=True)
    assert (again.sweep_id, again.stored, again.duplicate) == (first.sweep_id, 2, 0)
    assert own_sql("SELECT count(*) FROM ic3_sweep") == [(1,)]
    other = swept(envelope("C"))
    other.spool_id = 8
    await store.save(other, now_us=NOW_US, uncertain=True)
    assert own_sql("SELECT count(*) FROM ic3_sweep") == [(2,)]


async def test_commit_waits_for_the_spool_and_follows_its_word(
    store: TelemetryStore, own_sql: Sql
) -> None:
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[bool] = loop.create_future()
    saving: asyncio.Task[Any] = loop.create_task(
        store.save(swept(envelope("A")), now_us=NOW_US, accepted=accepted)
    )
    done, _ = await asyncio.wait({saving}, timeout=0.3)
    assert not done
    assert own_sql("SELECT count(*) FROM telemetry") == [(0,)]
    accepted.set_result(True)
    await saving
    assert own_sql("SELECT count(*) FROM telemetry") == [(1,)]
    refused: asyncio.Future[bool] = loop.create_future()
    refused.set_result(False)
    with pytest.raises(NotAccepted):
        await store.save(swept(envelope("B")), now_us=NOW_US, accepted=refused)
    assert own_sql("SELECT count(*) FROM telemetry") == [(1,)]
