"""PostgreSQL is there and will not write: F16 (disk full, read only) and F17 (locks)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from driven import Gateway, Product, until

OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
READ_ONLY = f"""
ALTER ROLE CURRENT_USER IN DATABASE %s SET default_transaction_read_only = on; {OTHERS}
    AND datname = current_database()
"""
WRITABLE = f"""
ALTER ROLE CURRENT_USER IN DATABASE %s RESET default_transaction_read_only; {OTHERS}
    AND datname = current_database()
"""
FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON telemetry FOR EACH STATEMENT EXECUTE FUNCTION full_disk()
"""
ROOM = "DROP TRIGGER full_disk ON telemetry; DROP FUNCTION full_disk()"


@contextmanager
def refusing(dsn: str, refuse: str, relent: str) -> Iterator[None]:
    """PostgreSQL that will not write; a lock is held by an open transaction."""

    def run(statement: str) -> None:
        writing = "-c default_transaction_read_only=off"
        with psycopg.connect(dsn, autocommit=True, options=writing) as connection:
            name = psycopg.sql.Identifier(connection.info.dbname).as_string(connection)
            connection.execute(statement.replace("%s", name).encode())

    run(refuse)
    yield
    run(relent)


@contextmanager
def locked(dsn: str) -> Iterator[None]:
    """A transaction of somebody else holds telemetry."""
    with psycopg.connect(dsn) as connection:
        connection.execute("LOCK TABLE telemetry, asset_latest IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize(
    "refusing_now",
    [
        pytest.param(lambda dsn: refusing(dsn, READ_ONLY, WRITABLE), id="F16 read only"),
        pytest.param(lambda dsn: refusing(dsn, FULL, ROOM), id="F16 disk full"),
        pytest.param(locked, id="F17 locked"),
    ],
)
def test_f16_f17_what_cannot_be_written_now_waits_in_the_spool_and_is_stored_later(
    own_place: Path, fresh_dsn: str, refusing_now: Callable[[str], AbstractContextManager[None]]
) -> None:
    gateway = Gateway(interval_s=0.5)
    settings = {"DATABASE_URL": fresh_dsn, "REDIS_API_BASE": gateway.base}
    try:
        with Product(own_place, **settings) as product:
            product.start().until_ready()
            assert product.token  # before logins need the database
            with refusing_now(fresh_dsn):
                waiting = until(lambda: _four_or_more(product), what="sweeps in the spool")
                newest = product.get("/api/telemetry?limit=1")["telemetry"][0]["received_at"]
                until(
                    lambda: product.get("/api/telemetry?limit=1")["telemetry"][0]["received_at"]
                    > newest,
                    what="news that are served while nothing can be stored",
                )  # fmt: skip
            assert waiting >= 4
            until(lambda: product.get("/api/stats")["spool"]["sweeps"] == 0, what="an empty spool")
            gateway.fault("hang", target="list")
            sums = product.sql(
                "SELECT sum(accepted), sum(stored) + sum(duplicate), sum(dead) + sum(gap)"
                " FROM ic3_sweep"
            )[0]
            assert sums[0] == sums[1] > 557 * 4
            assert sums[2] == 0
            assert product.one("SELECT count(*) FROM dead_letter") == 0
            until(lambda: product.broken() == {}, what="whole tables")
            assert not any("Traceback" in line for line in product.lines)
    finally:
        gateway.close()


def _four_or_more(product: Product) -> int:
    waiting = int(product.get("/api/stats")["spool"]["sweeps"])
    return waiting if waiting >= 4 else 0
