"""The machine of PostgreSQL dies and its synchronous standby takes over: F13."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Cluster
from driven import Gateway, Product, ic3_here, until

from ic3.store.pool import SERVER_LIVENESS

STANDBY = "standby"
LOST_SWEEPS = """
SELECT n FROM generate_series(1, %s) n
WHERE (SELECT count(*) FROM ic3_sweep s WHERE s.spool = %s AND s.spool_id = n) <> 1
"""
SUMS = """
SELECT sum(accepted)::int, sum(stored)::int, sum(duplicate)::int, sum(dead + gap)::int,
    (SELECT count(*) FROM telemetry)::int
FROM ic3_sweep
"""
PRESENCE = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ic3 presence'"


@pytest.fixture
def pair(own_place: Path) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary, and the standby without whose word it acknowledges nothing."""
    primary = Cluster(own_place / "primary").make().start()
    standby = Cluster(own_place / "standby")
    try:
        standby.copy_of(primary, name=STANDBY).start()
        primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        primary.sql("SELECT pg_reload_conf()")
        until(
            lambda: primary.sql("SELECT sync_state FROM pg_stat_replication") == [("sync",)],
            what="a synchronous standby",
        )
        yield primary, standby
    finally:
        standby.stop()
        primary.stop()


def test_f13_a_promoted_standby_has_every_acknowledged_row_and_storing_goes_on(
    own_place: Path, pair: tuple[Cluster, Cluster]
) -> None:
    primary, standby = pair
    url = (
        f"postgresql://ic3@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
        "?target_session_attrs=read-write"
    )
    gateway = Gateway(interval_s=0.25)
    settings = {"DATABASE_URL": url, "REDIS_API_BASE": gateway.base}
    try:
        with Product(own_place, **settings) as product:
            assert ic3_here(own_place, "migrate", **settings).returncode == 0
            product.fill_register()
            product.start().until_ready()
            product.after_next_sweep()
            assert primary.sql("SHOW tcp_keepalives_idle", options=SERVER_LIVENESS) == [("10",)]
            assert product.token  # while there is somebody to ask
            primary.kill()
            until(lambda: product.get("/api/stats")["database"]["state"] == "away", what="away")
            waiting = until(lambda: product.get("/api/stats")["spool"]["sweeps"], what="a spool")
            assert waiting
            standby.promote()
            product.until_ready()
            assert product.after_next_sweep()["error"] is None
            until(lambda: standby.sql(PRESENCE) == [(1,)], what="the mark of a running server")
            gateway.fault("hang", target="list")
            until(lambda: product.get("/api/stats")["spool"]["sweeps"] == 0, what="an empty spool")
            assert standby.sql("SELECT pg_is_in_recovery()") == [(False,)]
            assert product.stop() == 0
            assert product.sql(LOST_SWEEPS, *_taken(own_place)) == []
            ((accepted, stored, duplicate, elsewhere, rows),) = product.sql(SUMS)
            assert accepted == stored + duplicate > 557 * 3
            assert (rows, elsewhere) == (stored, 0)
            assert product.broken() == {}
            assert not any("Traceback" in line for line in product.lines)
    finally:
        gateway.close()


def _taken(place: Path) -> tuple[int, str]:
    """The number of the last sweep that the spool took, and the identity of the spool."""
    with sqlite3.connect(place / "data" / "spool" / "spool.db") as file:
        (uuid,) = file.execute("SELECT value FROM meta WHERE name = 'uuid'").fetchone()
        (last,) = file.execute("SELECT seq FROM sqlite_sequence").fetchone()
    file.close()
    return last, uuid
