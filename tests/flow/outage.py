"""Take the database away for minutes, give it back, and time until all of it is stored.

`make outage` runs it for ten minutes at the size and the interval of a real plant.
"""

import argparse
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driven import Gateway, Product, children, request, until

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
SUMS = """
SELECT count(*)::int, sum(accepted)::int, sum(stored)::int, sum(duplicate)::int, sum(dead)::int,
    sum(gap)::int, count(*) FILTER (WHERE accepted <> stored + duplicate + dead + gap)::int
FROM ic3_sweep
"""
# The time of a sweep is from its begin to the commit of the spool; storing is not in it.
SPOOL_SHARE = """
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY (phase_ms ->> 'spool')::float
    / (extract(epoch FROM ended_at - begun_at) * 1000 + (phase_ms ->> 'spool')::float))
FROM ic3_sweep WHERE error IS NULL AND phase_ms ? 'spool' AND accepted > 0
"""
WITHOUT_RUN = """
SELECT count(*) FROM ic3_sweep s
WHERE NOT EXISTS (SELECT FROM ic3_ingest_run_log r WHERE r.sweep_id = s.id)
"""


def signal_database(product: Product, number: signal.Signals) -> None:
    """To PostgreSQL and all its processes."""
    for pid in children(product.pid):
        with contextlib.suppress(OSError):
            if "postgres" in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, number)


def waiting(product: Product) -> dict[str, Any]:
    """What is in the spool; the page needs no database for that."""
    status, words, _ = request(product.base, "GET", "/api/stats", token=product.token)
    assert status == 200, words
    return dict(words["spool"])


def measure(place: Path, *, away_s: float, interval_s: float) -> dict[str, Any]:
    """Some sweeps, the outage, and all that follows until the spool is empty."""
    gateway = Gateway(interval_s=interval_s)
    try:
        with Product(
            place, REDIS_API_BASE=gateway.base, MONITORING_POLL_INTERVAL=f"{interval_s:g}"
        ) as product:
            product.start()
            product.until_ready(60)
            product.fill_register()
            product.after_next_sweep(3 * interval_s)
            assert product.token
            signal_database(product, signal.SIGSTOP)
            ends, most = time.monotonic() + away_s, waiting(product)
            while time.monotonic() < ends:
                time.sleep(5)  # the outage itself, and a look at what piles up
                most = waiting(product)
                print(
                    f"outage: {ends - time.monotonic():.0f} s left, {most['sweeps']} sweeps and"
                    f" {most['envelopes']:,} envelopes wait", file=sys.stderr, flush=True,
                )  # fmt: skip
            signal_database(product, signal.SIGCONT)
            back = time.monotonic()
            until(lambda: waiting(product)["sweeps"] == 0, 300, "an empty spool")
            stored_s = time.monotonic() - back
            until(lambda: product.one(WITHOUT_RUN) == 0, 300, "a run for every sweep")
            logged_s = time.monotonic() - back
            gateway.fault("hang", target="list")
            until(lambda: waiting(product)["sweeps"] == 0, 60, "an empty spool")
            sums = product.sql(SUMS)[0]
            median, high = product.one(SPOOL_SHARE)
            telemetry = product.one("SELECT count(*) FROM telemetry")
            log = product.log.read_text(errors="replace")
            assert product.stop(limit_s=5) == 0
    finally:
        gateway.close()
    names = ("sweeps", "accepted", "stored", "duplicate", "dead", "gap", "unbalanced")
    found = dict(zip(names, sums, strict=True))
    return {
        "away_s": away_s, "interval_s": interval_s, "most_sweeps_waiting": most["sweeps"],
        "most_envelopes_waiting": most["envelopes"], **found,
        "lost": found["accepted"] - telemetry - found["duplicate"],
        "stored_again_after_s": round(stored_s, 1), "runs_logged_after_s": round(logged_s, 1),
        "spool_share_of_sweep_median": round(median, 4), "spool_share_of_sweep_p95": round(high, 4),
        "conservation_broken": log.count("conservation broken"),
        "tracebacks": log.count("Traceback"),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--away", type=float, default=600.0, help="seconds")
    parser.add_argument("--interval", type=float, default=15.0, help="seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ic3-outage-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        measured = measure(place, away_s=arguments.away, interval_s=arguments.interval)
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), **measured,
    }  # fmt: skip
    (RESULTS / "outage.json").write_text(json.dumps(found, indent=2) + "\n")
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {value:,} |" for name, value in measured.items()
    )
    (RESULTS / "outage.md").write_text(
        f"# The database away\n\nOf {found['at']}: PostgreSQL hung (SIGSTOP), 557 keys.\n\n"
        f"| what | number |\n|---|---|\n{rows}\n"
    )
    print(rows)
    odd = (measured["lost"], measured["unbalanced"], measured["conservation_broken"],
           measured["tracebacks"])  # fmt: skip
    return 1 if any(odd) else 0


if __name__ == "__main__":
    sys.exit(main())
