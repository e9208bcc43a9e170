"""`make bench-plant`: what the simulated plant costs, and how fast its history is stored.

One JSON file and one table in docs/results/. The history goes the whole way: computed by the plant,
parsed, stored in the embedded PostgreSQL.
"""

import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provenance import commit

from ic3.simulator.plant import Plant

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
TICKS = 200
DAY_S = 86_400


def ticks() -> dict[str, float]:
    """CPU of a 15-second tick with every envelope written, and of its physics alone."""
    plant = Plant()
    plant.begin(int(time.time()) // 15 * 15)
    physics, whole = [], []
    for _ in range(TICKS):
        began = time.process_time()
        plant.move(15)
        physics.append(time.process_time() - began)
        plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
        for at in range(len(plant.serials)):
            plant.envelope(at)
        whole.append(time.process_time() - began)
    began = time.process_time()
    plant.run_to(plant.at_s + DAY_S)
    day_s = time.process_time() - began
    error = plant.balance.error
    plant.close()
    return {
        "physics_ms": 1000 * statistics.median(physics),
        "tick_ms": 1000 * statistics.median(whole),
        "tick_p99_ms": 1000 * sorted(whole)[TICKS * 99 // 100],
        "day_coarse_s": day_s,
        "balance_error": error,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def backfill(days: float) -> dict[str, Any]:
    """The command as a person gives it, on a data directory of its own."""
    place = Path(tempfile.mkdtemp(prefix="ic3-bench-", dir="/tmp"))
    place.chmod(0o755)
    try:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "ic3", "plant", "backfill", "--days", f"{days:g}", "--json"],
            env={"PATH": os.environ["PATH"], "HOME": str(place), "IC3_DATA_DIR": str(place / "d")},
            stdout=subprocess.PIPE, check=True, cwd=place,
        )  # fmt: skip
        told: dict[str, Any] = json.loads(done.stdout)
        size = sum(each.stat().st_size for each in place.rglob("*") if each.is_file())
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return {**told, "days": days, "wall_s": time.monotonic() - began, "disk_gib": size / 2**30}


def computing(days: float) -> dict[str, float]:
    """Only the plant's part: history computed and thrown away."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "ic3.simulator", "--history-days", f"{days:g}"],
        stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return {"days": days, "wall_s": time.monotonic() - began}


def main() -> int:
    """Measure, print, keep."""
    days = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    found = {"tick": ticks(), "computing": computing(days), "backfill": backfill(days)}
    tick, stored, made = found["tick"], found["backfill"], found["computing"]
    rows = [
        ("CPU of a 15-second tick, all 557 envelopes", "≤ 50 ms",
         f"{tick['tick_ms']:.1f} ms (p99 {tick['tick_p99_ms']:.1f})", tick["tick_p99_ms"] <= 50),
        ("of it physics", "≤ 5 ms", f"{tick['physics_ms']:.1f} ms", tick["physics_ms"] <= 5),
        ("memory of the plant", "≤ 300 MiB", f"{tick['memory_mib']:.0f} MiB",
         tick["memory_mib"] <= 300),
        ("mass balance of a day", "≤ 0.1 %", f"{100 * tick['balance_error']:.6f} %",
         tick["balance_error"] <= 1e-3),
        (f"{days:g} days computed", "–", f"{made['wall_s']:.0f} s", None),
        (f"{days:g} days through parser and stores", "≤ 15 min",
         f"{stored['wall_s'] / 60:.1f} min, {stored['stored']:,} envelopes,"
         f" {stored['rows']:,} rows, {stored['disk_gib']:.1f} GiB",
         stored["wall_s"] <= 900 * days / 30),
    ]  # fmt: skip
    machine = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(),
               "cores": os.cpu_count(), "python": platform.python_version()}  # fmt: skip
    (RESULTS / "plant.json").write_text(json.dumps({**machine, **found}, indent=2) + "\n")
    lines = [f"# The simulated plant\n\nCommit {machine['commit']}, {machine['at']},"
             f" {machine['cores']} shared cores.\n",
             "| what | goal | measured | met |", "|---|---|---|---|"]  # fmt: skip
    words = {True: "yes", False: "**no**", None: "–"}
    lines += [f"| {what} | {goal} | {ours} | {words[met]} |" for what, goal, ours, met in rows]
    (RESULTS / "plant.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
