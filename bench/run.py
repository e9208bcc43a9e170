"""`make bench`: every figure of the design beside the Go peer, pair by pair in one run.

Machines are shared and noisy: ours and the peer's run in turn, A B A B, and what counts is the
median of the ratios of the pairs. One JSON file and one table in docs/results/.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote

import peer_programs as peer
import psycopg
from provenance import commit, machine
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ic3.embedded.postgres import EmbeddedPostgres
from ic3.store.migrate import migrate

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "docs" / "results"
Figures = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One line of the table."""

    what: str
    goal: str
    ours: str
    peer: str
    ratio: str
    met: bool | None


class Bench:
    def __init__(self, *, pairs: int, history: int) -> None:
        self.pairs = pairs
        self.history = history
        self.rows: list[Row] = []
        self.raw: dict[str, Any] = {}

    def say(self, text: str) -> None:
        print(f"bench: {text}", file=sys.stderr, flush=True)

    def pair(
        self, name: str, ours: Callable[[], Figures], theirs: Callable[[], Figures], key: str,
        *, pairs: int | None = None, more_is_better: bool = False,
    ) -> tuple[float, list[Figures], list[Figures]]:  # fmt: skip
        """Run both in turn; the median ratio of the pairs, above 1 where ours is better."""
        mine, its, ratios = [], [], []
        for number in range(pairs or self.pairs):
            self.say(f"{name}: pair {number + 1}")
            mine.append(ours())
            its.append(theirs())
            quotient = its[-1][key] / mine[-1][key]
            ratios.append(1 / quotient if more_is_better else quotient)
        self.raw[name] = {"ours": mine, "peer": its, "ratios": ratios}
        return statistics.median(ratios), mine, its

    def add(self, what: str, goal: str, ours: str, its: str, ratio: str, met: bool | None) -> None:
        self.rows.append(Row(what, goal, ours, its, ratio, met))
        self.say(f"{what}: {ours} | {its} | {ratio} | goal {goal}")


def median(figures: list[Figures], key: str) -> float:
    return float(statistics.median(each[key] for each in figures))


def reading(bench: Bench) -> None:
    for name, what, flags, wall_goal, cpu_goal in (
        ("fetch, pipelined", "fetch and decode 557, pipelining gateway", [], 7, 3),
        ("fetch, depth 1", "the same, no pipelining", ["--no-pipelining"], 2, 12),
    ):
        with peer.gateway("-fresh", keys=557) as address:
            ratio, mine, its = bench.pair(
                name,
                lambda a=address, f=flags: peer.probe(
                    "fetch", "--gateway", a, "--cycles", "40", *f
                ),  # type: ignore[misc]
                lambda a=address: peer.client(a, 557, "-cycles", "40"),  # type: ignore[misc]
                "cycle_ms",
            )
        cpu = median(mine, "cpu_ms_per_1000")
        bench.add(
            what, f"≥ {wall_goal} ×; ≤ {cpu_goal} ms CPU per 1,000",
            f"{median(mine, 'cycle_ms'):.1f} ms; {cpu:.1f} ms CPU per 1,000",
            f"{median(its, 'cycle_ms'):.1f} ms; {median(its, 'cpu_ms_per_1000'):.1f} ms CPU",
            f"{ratio:.1f} ×", ratio >= wall_goal and cpu <= cpu_goal,
        )  # fmt: skip
    for in_flight, goal in ((320, 12.0), (20, 0.95)):
        with peer.gateway("-fresh", "-lat", "15ms", "-wan", keys=5000) as address:
            ratio, mine, its = bench.pair(
                f"fetch, 15 ms, {in_flight} in flight",
                lambda a=address, n=in_flight: peer.probe(
                    "fetch", "--gateway", a, "--keys", "5000", "--cycles", "3",
                    "--in-flight", str(n),
                ),  # type: ignore[misc]
                lambda a=address: peer.client(a, 5000, "-cycles", "3"),  # type: ignore[misc]
                "cycle_ms", pairs=2,
            )  # fmt: skip
        bench.add(
            f"fetch 5,000 at 15 ms round trip, {in_flight} in flight",
            f"≥ {goal:g} ×" if goal > 1 else "not slower",
            f"{median(mine, 'cycle_ms'):.0f} ms", f"{median(its, 'cycle_ms'):.0f} ms",
            f"{ratio:.1f} ×", ratio >= goal,
        )  # fmt: skip


def sweeping(bench: Bench, server_dsn: str) -> None:
    for keys, cycles in ((557, 20), (5000, 6), (50_000, 3)):
        with peer.gateway("-fresh", keys=keys) as address, databases(server_dsn) as (dsn, its_dsn):
            fill(address, dsn, its_dsn, keys)
            ratio, mine, its = bench.pair(
                f"sweep {keys}",
                lambda a=address, d=dsn, k=keys, c=cycles: peer.probe(
                    "sweep", "--gateway", a, "--dsn", d, "--keys", str(k), "--cycles", str(c)
                ),  # type: ignore[misc]
                lambda a=address, d=its_dsn, k=keys, c=cycles: peer.client(
                    a, k, "-stage", "batch", "-fresh", "-cycles", str(c), "-dsn", d
                ),  # type: ignore[misc]
                "cycle_ms",
            )
        bench.add(
            f"whole sweep of {keys:,} keys, everything durable", "≥ 3 × its monitoring cycle",
            f"{median(mine, 'cycle_ms'):.0f} ms", f"{median(its, 'cycle_ms'):.0f} ms",
            f"{ratio:.1f} ×", ratio >= 3,
        )  # fmt: skip
    with peer.gateway("-fresh", keys=100_000) as address, databases(server_dsn) as (dsn, _):
        peer.probe("register", "--gateway", address, "--dsn", dsn, "--keys", "100000")
        bench.say("sweep of 100,000 keys")
        figures = peer.probe(
            "sweep", "--gateway", address, "--dsn", dsn, "--keys", "100000", "--cycles", "3"
        )
    bench.raw["sweep 100000"] = figures
    bench.add(
        "100,000 keys, everything durable", "≤ 3 s, our process ≤ 1.5 GiB",
        f"{figures['cycle_ms'] / 1000:.2f} s, {figures['peak_mib']:.0f} MiB", "–", "–",
        figures["cycle_ms"] <= 3000 and figures["peak_mib"] <= 1536,
    )  # fmt: skip


def serving(bench: Bench, server_dsn: str) -> None:
    if shutil.which("wrk") is None:
        bench.add("reads", "", "skipped: wrk is not installed", "", "", None)
        return
    with peer.gateway("-fresh", keys=557) as address, databases(server_dsn) as (dsn, its_dsn):
        fill(address, dsn, its_dsn, 557)
        peer.probe("sweep", "--gateway", address, "--dsn", dsn, "--cycles", "20")
        peer.client(address, 557, "-stage", "copy", "-fresh", "-cycles", "20", "-dsn", its_dsn)
        serial = serial_in(dsn)
        live = f"/api/monitoring/live?serial_number={quote(serial)}"
        answers: dict[str, float] = {}
        for label, history in (("no history", 0), (f"{bench.history:,} rows", bench.history)):
            if history:
                bench.say(f"writing {history:,} rows of history, twice")
                age(dsn, history)
                age(its_dsn, history)
            for what, path, its_path in (
                ("live", live, f"/live?serial_number={quote(serial)}"),
                ("progress", "/api/monitoring/progress", "/progress"),
            ):
                if history and what == "progress":
                    continue
                with peer.our_server("--dsn", dsn) as (port, token), peer.web(its_dsn) as its_port:
                    ratio, mine, its = bench.pair(
                        f"{what}, {label}",
                        lambda p=port, t=token, u=path: peer.wrk(p, u, token=t),  # type: ignore[misc]
                        lambda p=its_port, u=its_path: peer.wrk(p, u),  # type: ignore[misc]
                        "requests_s", pairs=2, more_is_better=True,
                    )  # fmt: skip
                rate, p99 = median(mine, "requests_s"), median(mine, "p99_ms")
                answers[f"{what}, {label}"] = rate
                bench.add(
                    f"/{what}, 32 connections, {label}", "≥ 2 ×, p99 ≤ 5 ms",
                    f"{rate:,.0f}/s, p99 {p99:.1f} ms",
                    f"{median(its, 'requests_s'):,.0f}/s, p99 {median(its, 'p99_ms'):.1f} ms",
                    f"{ratio:.1f} ×", ratio >= 2 and p99 <= 5,
                )  # fmt: skip
        if len(answers) == 3:
            share = answers[f"live, {bench.history:,} rows"] / answers["live, no history"]
            bench.add(
                f"/live with {bench.history:,} rows against none", "the same", f"{share:.2f} of it",
                "–", "–", share >= 0.8,
            )  # fmt: skip


def fanning_out(bench: Bench, server_dsn: str) -> None:
    clients = 1000
    with databases(server_dsn) as (_, its_dsn):

        def ours(*flags: str) -> Figures:
            with peer.our_server("--publish", str(clients)) as (port, token):
                return peer.wsload(port, clients, 5, "-bearer", token, *flags)

        def theirs() -> Figures:
            with peer.web(its_dsn) as port:
                return peer.wsload(port, clients, 5)

        ratio, mine, its = bench.pair(
            "ws", ours, theirs, "msgs_per_s", pairs=2, more_is_better=True
        )
        bench.add(
            "/ws to 1,000 clients, sweeps of 557 envelopes", "≥ 4 × messages/s",
            f"{median(mine, 'msgs_per_s') / 1e6:.2f} M/s",
            f"{median(its, 'msgs_per_s') / 1e6:.2f} M/s", f"{ratio:.1f} ×", ratio >= 4,
        )  # fmt: skip
        bench.say("ws with one stalled client")
        stalled = ours("-stall", "1")
    bench.raw["ws, one stalled"] = stalled
    share = stalled["msgs_per_s"] / median(mine, "msgs_per_s")
    bench.add(
        "the same with one client stalled", "delays nobody", f"{share:.2f} of it", "–", "–",
        share >= 0.8,
    )  # fmt: skip


def starting(bench: Bench) -> None:
    """From the command to /readyz 200: a fresh data directory, then the same again."""
    place = Path(tempfile.mkdtemp(prefix="ic3-bench-"))
    place.chmod(0o755)
    times = []
    for _ in range(3):
        port = peer.free_port()
        environment = {
            **os.environ, "IC3_DATA_DIR": str(place / "data"), "IC3_PORT": str(port),
            "DATABASE_URL": "", "REDIS_API_BASE": "",
        }  # fmt: skip
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "ic3", "demo"], env=environment, stderr=subprocess.DEVNULL
        )
        while time.monotonic() < begun + 60:
            try:
                if peer.readable(f"http://127.0.0.1:{port}/readyz") == 200:
                    break
            except (URLError, OSError):
                time.sleep(0.02)
        times.append(time.monotonic() - begun)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)
    shutil.rmtree(place, ignore_errors=True)
    bench.raw["start"] = times
    bench.add(
        "start of ic3 demo to /readyz 200", "≤ 5 s",
        f"{times[0]:.1f} s first, {statistics.median(times[1:]):.1f} s later", "–", "–",
        max(times) <= 5,
    )  # fmt: skip


@contextmanager
def databases(server_dsn: str) -> Iterator[tuple[str, str]]:
    """A database for ours, migrated, and one for the peer with its schema."""
    names = ("ic3_bench", "peer_bench")
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
    dsn, its_dsn = (make_conninfo(server_dsn, dbname=name) for name in names)
    asyncio.run(migrate(dsn, adopt_zone="UTC"))
    with psycopg.connect(its_dsn, autocommit=True) as connection:
        connection.execute((HERE / "peer" / "sql" / "schema.sql").read_bytes())
    # pgx reads keyword and value pairs, without libpq's own keywords.
    its = " ".join(f"{key}={value}" for key, value in conninfo_to_dict(its_dsn).items())
    try:
        yield dsn, its
    finally:
        with psycopg.connect(server_dsn, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(address: str, dsn: str, its_dsn: str, keys: int) -> None:
    """Both registers from the gateway's keys."""
    peer.probe("register", "--gateway", address, "--dsn", dsn, "--keys", str(keys))
    seed = HERE / "peer" / "sql" / "seed.py"
    subprocess.run([sys.executable, str(seed), address, its_dsn, str(keys)], check=True)


def serial_in(dsn: str) -> str:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT serialnumber FROM ic3_asset_master ORDER BY asset_id LIMIT 1"
        ).fetchone()
        assert row is not None
        return str(row[0])


AGE = """
INSERT INTO ic3_asset_monitoring_data (asset_id, tag_code, param_id, value_num, recorded_at)
SELECT m.asset_id, m.tag_code, m.param_id, mod(step, 100),
    date_trunc('day', now()) - interval '1 day' + step * interval '15 seconds'
FROM generate_series(%(first)s::int, %(last)s::int) AS step, ic3_asset_tag_map m
ON CONFLICT DO NOTHING
"""


def age(dsn: str, rows: int) -> None:
    """Write history: every mapped tag every 15 s since yesterday's begin, as many rows as asked."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM ic3_asset_tag_map").fetchone()
        assert row is not None
        steps = rows // int(row[0])
        for first in range(0, steps, 200):
            connection.execute(AGE, {"first": first, "last": min(first + 199, steps)})
        connection.execute("VACUUM ANALYZE ic3_asset_monitoring_data")


def table(bench: Bench) -> str:
    lines = [
        "| what | goal | ours | Go peer | ratio | met |",
        "|---|---|---|---|---|---|",
    ]
    words = {True: "yes", False: "**no**", None: "–"}
    lines += [
        f"| {row.what} | {row.goal} | {row.ours} | {row.peer} | {row.ratio} | {words[row.met]} |"
        for row in bench.rows
    ]
    return "\n".join(lines)


def write(bench: Bench, partial: bool) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {
        "commit": commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "pairs": bench.pairs,
        "rows": [asdict(row) for row in bench.rows],
        "raw": bench.raw,
    }
    name = "bench-partial" if partial else "bench"
    (RESULTS / f"{name}.json").write_text(
        json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    shared = machine()
    text = (
        f"# Bench\n\nCommit {document['commit']}, {document['at']}, {shared['cpus']} shared cores,"
        f" {shared['memory_gib']} GiB. Ours and the Go peer in turn on loopback; the ratio is the"
        " median of the pairs' ratios. Absolute times on shared machines move by a factor of two"
        f" from run to run: compare ratios only.\n\n{table(bench)}\n"
    )
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(table(bench))


PARTS: dict[str, Callable[..., None]] = {
    "reading": lambda bench, _: reading(bench),
    "sweeping": sweeping,
    "serving": serving,
    "fanout": fanning_out,
    "start": lambda bench, _: starting(bench),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--history", type=int, default=20_000_000)
    parser.add_argument("--only", choices=list(PARTS), action="append")
    options = parser.parse_args()
    why = peer.built()
    if why is not None:
        print(f"bench: skipped: {why}", file=sys.stderr)
        return
    bench = Bench(pairs=options.pairs, history=options.history)
    place = Path(tempfile.mkdtemp(prefix="ic3-bench-"))
    place.chmod(0o755)
    postgres = EmbeddedPostgres(place / "data")
    server_dsn = asyncio.run(postgres.start())
    try:
        for name in options.only or PARTS:
            PARTS[name](bench, server_dsn)
    finally:
        asyncio.run(postgres.stop())
        shutil.rmtree(place, ignore_errors=True)
        write(bench, partial=bool(options.only))


if __name__ == "__main__":
    main()
