"""Run the product at the size and the interval of a real plant, and watch its memory.

`make soak` runs it for an hour. The slope is that of the time after the warm-up.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from driven import Gateway, Product, live_path, request

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
SWEEPS = """
SELECT count(*)::int, sum(accepted)::int, count(*) FILTER (WHERE error IS NOT NULL)::int,
    count(*) FILTER (WHERE accepted <> stored + duplicate + dead + gap)::int
FROM ic3_sweep
"""
# The time of a sweep is from its begin to the commit of the spool; storing is not in it.
SPOOL_SHARE = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY (s.phase_ms ->> 'spool')::float
    / (extract(epoch FROM s.ended_at - s.begun_at) * 1000 + (s.phase_ms ->> 'spool')::float)),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (s.phase_ms ->> 'spool')::float / r.duration_ms)
FROM ic3_sweep s JOIN ic3_ingest_run_log r ON r.sweep_id = s.id
WHERE s.error IS NULL AND s.phase_ms ? 'spool' AND s.accepted > 0
"""


class Sample(NamedTuple):
    """The process at a moment."""

    at_s: float
    resident_mib: float
    descriptors: int
    threads: int


def sample(pid: int, at_s: float) -> Sample:
    """What the kernel says of the process."""
    words = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Sample(at_s, int(words["VmRSS"].split()[0]) / 1024, descriptors, int(words["Threads"]))


def slope_percent_h(samples: list[Sample]) -> float:
    """Growth of the memory of an hour, in per cent of its mean."""
    at_h = np.array([each.at_s for each in samples]) / 3600
    resident = np.array([each.resident_mib for each in samples])
    return float(np.polyfit(at_h, resident, 1)[0] / resident.mean() * 100)


def use(product: Product, serials: list[str]) -> None:
    """Ask what a few people at their screens ask."""
    for serial in serials:
        product.get(live_path(serial))
    for path in ("/api/monitoring/progress", "/api/stats", "/api/telemetry?limit=500"):
        product.get(path)
    assert request(product.base, "GET", "/metrics")[0] == 200


def measure(place: Path, *, minutes: float, warm_min: float, interval_s: float) -> dict[str, Any]:
    """Sweeps at their interval, requests every ten seconds, a sample with each."""
    gateway = Gateway(interval_s=interval_s)
    try:
        with Product(
            place, REDIS_API_BASE=gateway.base, MONITORING_POLL_INTERVAL=f"{interval_s:g}"
        ) as product:
            product.start()
            product.until_ready(60)
            product.fill_register()
            product.after_next_sweep(3 * interval_s)
            serials = [row[0] for row in product.sql("SELECT asset_id FROM assets LIMIT 20")]
            begun, samples = time.monotonic(), list[Sample]()
            while (at_s := time.monotonic() - begun) < minutes * 60:
                use(product, serials)
                samples.append(sample(product.pid, at_s))
                print(f"soak: {at_s / 60:.0f} min, {samples[-1]}", file=sys.stderr, flush=True)
                time.sleep(10)  # the pace of the requests
            warm = [each for each in samples if each.at_s >= warm_min * 60]
            names = ("sweeps", "accepted", "failed_sweeps", "unbalanced")
            sums = dict(zip(names, product.sql(SWEEPS)[0], strict=True))
            of_sweep, of_run = product.sql(SPOOL_SHARE)[0]
            log = product.log.read_text(errors="replace")
            assert product.stop(limit_s=5) == 0
    finally:
        gateway.close()
    return {
        "minutes": minutes, "warm_up_minutes": warm_min, "interval_s": interval_s, **sums,
        "resident_mib_first": round(warm[0].resident_mib, 1),
        "resident_mib_last": round(warm[-1].resident_mib, 1),
        "resident_slope_percent_h": round(slope_percent_h(warm), 3),
        "descriptors_most": max(each.descriptors for each in warm),
        "descriptors_least": min(each.descriptors for each in warm),
        "threads_most": max(each.threads for each in warm),
        "threads_least": min(each.threads for each in warm),
        "spool_share_of_sweep_median": round(of_sweep, 4),
        "spool_share_of_run_median": round(of_run, 4),
        "conservation_broken": log.count("conservation broken"),
        "tracebacks": log.count("Traceback"),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=10.0, help="minutes that do not count")
    parser.add_argument("--interval", type=float, default=15.0, help="seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ic3-soak-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        measured = measure(
            place, minutes=arguments.minutes + arguments.warm_up, warm_min=arguments.warm_up,
            interval_s=arguments.interval,
        )  # fmt: skip
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), **measured,
    }  # fmt: skip
    (RESULTS / "soak.json").write_text(json.dumps(found, indent=2) + "\n")
    rows = "\n".join(
        f"| {name.replace('_', ' ')} | {value:,} |" for name, value in measured.items()
    )
    (RESULTS / "soak.md").write_text(
        f"# Soak\n\nOf {found['at']}: 557 keys, requests every ten seconds.\n\n"
        f"| what | number |\n|---|---|\n{rows}\n"
    )
    print(rows)
    odd = ("unbalanced", "conservation_broken", "tracebacks")
    return 1 if any(measured[each] for each in odd) else 0


if __name__ == "__main__":
    sys.exit(main())
