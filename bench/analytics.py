"""`make bench-analytics DATA=DIR`: a day of the plant judged from history, and the memory it takes.

DIR is a data directory with nine days of the simulated plant in it, such as
`IC3_DATA_DIR=DIR ic3 plant backfill --days 9` makes; nobody may be using it. Each worker judges the
day before the last in a process of its own, without models, and then the last one with those that
it kept; then the detector alone takes rows of 10,000 assets with six tags.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop
from provenance import commit

from ic3.analytics.asset_groups import FIVE_MINUTES, LEAST_ROWS
from ic3.analytics.fleet import FleetDetector
from ic3.analytics.tuning import Tag
from ic3.cli.analytics import Which, _worker
from ic3.cli.connect import opened
from ic3.clock import Clock
from ic3.domain.mapping import Register
from ic3.settings import load
from ic3.store.register import RegisterStore
from ic3.store.rollups import RollupStore

RESULTS: Final = Path(__file__).resolve().parent.parent / "docs" / "results"
NEWEST: Final = "SELECT max(bucket_at) FROM ic3_rollup_5m"
FORGET: Final = "DELETE FROM ic3_model_state WHERE worker = %(worker)s"
ASSETS: Final = 10_000
TAGS: Final = 6
TICKS: Final = 200


async def judged(which: Which, *, fresh: bool) -> dict[str, Any]:
    """Judge the last day; what it took."""
    settings, clock = load(), Clock()
    async with opened(settings, only_look=True) as (_, pool):
        rollups = RollupStore(pool, zone=settings.zone, raw_days=settings.raw_days)
        while await rollups.roll_up(clock.now()) is not None:
            pass
        async with pool.connection() as connection:
            if fresh:
                await connection.execute(FORGET, {"worker": which.value})
            row = await (await connection.execute(NEWEST)).fetchone()
        assert row is not None
        register = await RegisterStore(pool).load_if_changed(Register())
        # Without models the day before is judged; the models that it leaves behind meet the last.
        until = row[0] - timedelta(minutes=row[0].minute, days=int(fresh))
        began = time.perf_counter()
        worker = _worker(which, settings, pool, clock)
        tally = await worker.look_back(register, until - timedelta(days=1), until, lambda *_: None)
        took_s = time.perf_counter() - began
    return {
        "worker": which.value, "models": "none" if fresh else "kept", "seconds": round(took_s, 1),
        "judged": tally.judged, "opened": tally.opened,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def ticks() -> dict[str, Any]:
    """A row of 10,000 assets with six tags, batched."""
    random = np.random.default_rng(1)
    rows = random.normal(0, 1, (LEAST_ROWS, TAGS)).cumsum(axis=0)
    fleet = FleetDetector([Tag(name=str(n)) for n in range(TAGS)], FIVE_MINUTES, assets=ASSETS)
    fleet.fit(0, rows)
    state = fleet.state(0)
    for asset in range(1, ASSETS):
        fleet.restore(asset, state)
    took_ms = []
    for number in range(TICKS):
        values = rows[number % LEAST_ROWS] + random.normal(0, 0.1, (ASSETS, TAGS))
        began = time.perf_counter()
        fleet.update(values)
        took_ms.append((time.perf_counter() - began) * 1000)
    return {
        "assets": ASSETS, "tags": TAGS, "median_ms": round(statistics.median(took_ms), 1),
        "p99_ms": round(statistics.quantiles(took_ms, n=100)[98], 1),
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def table(document: dict[str, Any]) -> str:
    """The figures as a page."""
    lines = [
        "# Analytics: a day of the plant from history",
        "",
        f"Of {document['at']}, commit {document['commit']}, {document['cores']} shared cores. 557"
        " assets, five-minute values,",
        "each worker in a process of its own. Goals: a day within 60 s, worker memory within 500"
        " MiB.",
        "",
        "| worker | models before | seconds | judged | would have opened | memory MiB |",
        "|---|---|---|---|---|---|",
        *(
            f"| {each['worker']} | {each['models']} | {each['seconds']} | {each['judged']} |"
            f" {each['opened']} | {each['rss_mib']} |"
            for each in document["day"]
        ),
        "",
        f"A row of {document['tick']['assets']:,} assets with {document['tick']['tags']} tags:"
        f" {document['tick']['median_ms']} ms, p99 {document['tick']['p99_ms']} ms (goal 50 ms).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure each in a process of its own and write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", choices=[each.value for each in Which])
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--ticks", action="store_true")
    wanted = parser.parse_args()
    if wanted.one:
        print(json.dumps(uvloop.run(judged(Which(wanted.one), fresh=wanted.fresh))))
        return
    if wanted.ticks:
        print(json.dumps(ticks()))
        return
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(),
        "cores": os.cpu_count(),
        "day": [
            _measured("--one", each.value, *more)
            for each in Which for more in (("--fresh",), ())
        ],
        "tick": _measured("--ticks"),
    }  # fmt: skip
    (RESULTS / "analytics.json").write_text(json.dumps(document, indent=2) + "\n")
    (RESULTS / "analytics.md").write_text(table(document))
    print(table(document))


def _measured(*words: str) -> Any:
    done = subprocess.run(
        [sys.executable, __file__, *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
