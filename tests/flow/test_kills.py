"""kill -9 of the whole program at random moments: F19."""

import random
import time
from pathlib import Path
from typing import Any

from driven import Product, children, live_path, until, until_dead

KILLS = 8
SEED = 20_260_615


def test_f19_kills_at_random_moments_leave_nothing_twice_and_nothing_half(own_place: Path) -> None:
    moments = random.Random(SEED)
    started: set[int] = set()
    with Product(own_place, MONITORING_POLL_INTERVAL="0.2") as product:
        for number in range(KILLS):
            product.start()
            # Some kills hit the start, some a sweep, some the save.
            if number % 4 == 3:
                product.line("embedded PostgreSQL in")
            else:
                product.line(r"\bdone in")
            time.sleep(moments.uniform(0, 0.6))  # the moment itself, not a wait for anything
            below = children(product.pid)
            started.update(below)
            product.kill()
            until_dead(below)
        product.start().until_ready()
        product.after_next_sweep()
        assert product.broken() == {}
        ids = product.sql("SELECT id FROM ic3_ingest_run_log ORDER BY id")
        assert len(ids) >= KILLS
        assert product.one("SELECT count(*) FROM dead_letter") == 0
        last = children(product.pid)
        assert product.stop() == 0
        until_dead([*last, *started])


def test_f19_the_newest_values_are_there_at_once_after_a_kill(own_place: Path) -> None:
    """What was accepted is served again before the first sweep of the new process."""
    serial = "C Block Ranjeet Nagar_LT Panel_19"
    with Product(own_place) as product:
        product.start().until_ready()
        until(lambda: product.get(live_path(serial))["count"] == 8, what="live readings")
        product.kill()
        product.settings["REDIS_API_BASE"] = "http://127.0.0.1:9"
        product.start()
        until(lambda: product.get(live_path(serial))["count"] == 8, what="readings kept")
        # Another worker restores the counts; the server answers before it has.
        stats = until(lambda: _counted(product), what="assets counted again")
        assert stats is not None
        assert (stats["assets"], stats["plant"]) == (557, "real")
        assert product.get("/api/telemetry?limit=5")["count"] == 5


def _counted(product: Product) -> dict[str, Any] | None:
    stats: dict[str, Any] = product.get("/api/stats")
    return stats if stats["assets"] else None
