"""`make bench-live`: what `/ws/v1` costs and how late its clients know, on the whole product.

The product runs with the simulated plant. Ten instruments turn bad and good again, so that states
change. First nobody listens, then so many clients do; what they cost is the difference.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import peer_programs as peer
from provenance import commit, machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "docs" / "results"
PASSWORD = "a password of the bench"
PAGE = os.sysconf("SC_PAGE_SIZE")
Figures = dict[str, float]
INSTRUMENTS = 10


def say(text: str) -> None:
    print(f"bench-live: {text}", file=sys.stderr, flush=True)


def call(url: str, document: Any = None, token: str = "") -> Any:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = None if document is None else json.dumps(document).encode()
    with urlopen(Request(url, body, headers), timeout=10) as answer:
        return json.loads(answer.read())


@contextmanager
def product(clients: int, interval_s: float) -> Iterator[tuple[int, int, Path]]:
    """The product on a data directory of its own: process, port and directory."""
    place = Path(tempfile.mkdtemp(prefix="ic3-bench-"))
    place.chmod(0o755)
    port = peer.free_port()
    environment = {
        **os.environ, "IC3_DATA_DIR": str(place / "data"), "IC3_PORT": str(port),
        "IC3_ADMIN_PASSWORD": PASSWORD, "MONITORING_POLL_INTERVAL": f"{interval_s:g}",
        "IC3_WS_CLIENTS": str(clients + 10), "IC3_WS_CLIENTS_PER_USER": str(clients + 10),
        "DATABASE_URL": "", "REDIS_API_BASE": "",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "ic3", "serve"], env=environment, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            try:
                if peer.readable(f"http://127.0.0.1:{port}/readyz") == 200:
                    break
            except (URLError, OSError):
                time.sleep(0.1)
        yield process.pid, port, place / "data"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        shutil.rmtree(place, ignore_errors=True)


def cpu_ms(pid: int) -> float:
    """Milliseconds of processor that the event loop's thread has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6


def memory_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE / 2**20


def newest_run(port: int, token: str) -> int:
    found = call(f"http://127.0.0.1:{port}/api/monitoring/progress", token=token)["latest"]
    return int(found["id"]) if found else 0


def wait_for_run(port: int, token: str, number: int, limit_s: float) -> None:
    ends = time.monotonic() + limit_s
    while newest_run(port, token) < number:
        assert time.monotonic() < ends, "no run in time"
        time.sleep(0.1)


def per_sweep(pid: int, port: int, token: str, *, sweeps: int, interval_s: float) -> Figures:
    """Processor time of the event loop: for a sweep, and for a second in which none is."""
    first = newest_run(port, token)
    wait_for_run(port, token, first + 1, 3 * interval_s)
    costs, rests = [], []
    for number in range(1, sweeps + 1):
        begun, used = time.monotonic(), cpu_ms(pid)
        time.sleep(0.2 * interval_s)
        quiet, before = time.monotonic(), cpu_ms(pid)
        time.sleep(0.5 * interval_s)
        rest = (cpu_ms(pid) - before) / (time.monotonic() - quiet)
        wait_for_run(port, token, first + 1 + number, 3 * interval_s)
        costs.append(cpu_ms(pid) - used - rest * (time.monotonic() - begun))
        rests.append(rest)
    return {
        "sweep_ms": round(statistics.median(costs), 1),
        "rest_ms_per_s": round(statistics.median(rests), 2),
    }


def whole_ms(found: Figures, interval_s: float) -> float:
    """Of a sweep and the rest of its interval together."""
    return found["sweep_ms"] + interval_s * found["rest_ms_per_s"]


def alternate(data: Path, token: str, port: int, *, interval_s: float, minutes: float) -> None:
    """Plan that ten instruments are bad every other sweep."""
    base = (data / "plant.address").read_text(encoding="ascii").strip()
    states = call(f"http://127.0.0.1:{port}/api/assets/states?limit=1000&state=fresh", token=token)
    names = [each["serial"] for each in states["states"] if "_PT_" in each["serial"]][:INSTRUMENTS]
    assert len(names) == INSTRUMENTS
    step = interval_s / 60
    for turn in range(int(minutes / (2 * step))):
        for name in names:
            call(
                f"{base}/plant/faults",
                {"kind": "bad_quality", "where": name, "minutes": step,
                 "after_min": 2 * turn * step},
            )  # fmt: skip


def measure(clients: int, stalled: float, sweeps: int, interval_s: float) -> dict[str, Any]:
    with product(clients, interval_s) as (pid, port, data):
        token = call(
            f"http://127.0.0.1:{port}/api/auth/login",
            {"username": "admin", "password": PASSWORD},
        )["access_token"]
        wait_for_run(port, token, 3, 20 * interval_s)
        minutes = (2 * sweeps + 10) * interval_s / 60 + 2 + clients / 3000
        alternate(data, token, port, interval_s=interval_s, minutes=minutes)
        say("nobody listens")
        idle = per_sweep(pid, port, token, sweeps=sweeps, interval_s=interval_s)
        empty_mib = memory_mib(pid)
        say(f"{clients} clients, {stalled:.0%} of them stalled")
        loader = subprocess.Popen(
            [sys.executable, str(HERE / "live_load.py"), "--port", str(port), "--token", token,
             "--clients", str(clients), "--stalled", str(stalled)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert loader.stdout is not None
        connected = json.loads(loader.stdout.readline())["connected"]
        full_mib = memory_mib(pid)
        busy = per_sweep(pid, port, token, sweeps=sweeps, interval_s=interval_s)
        stats = call(f"http://127.0.0.1:{port}/api/stats", token=token)["live"]
        told, _ = loader.communicate("stop\n")
        arrived = json.loads(told.splitlines()[-1])
    return {
        "clients": clients, "stalled": stalled, "reading": connected, "sweeps": sweeps,
        "interval_s": interval_s, "idle_cpu": idle, "busy_cpu": busy,
        "clients_cpu_ms_per_sweep": round(
            whole_ms(busy, interval_s) - whole_ms(idle, interval_s), 1
        ),
        "kib_per_client": round(1024 * (full_mib - empty_mib) / clients, 1),
        "frames_per_sweep": round(arrived["frames"] / max(1, arrived["run_ms"]["number"]), 1),
        "arrived": arrived, "server": stats,
    }  # fmt: skip


def plain_socket(clients: int) -> dict[str, Any] | str:
    """Messages a second over `/ws`, ours and the Go peer's loader."""
    why = peer.built()
    if why is not None:
        return f"skipped: {why}"
    with peer.our_server("--publish", str(clients)) as (port, token):
        return peer.wsload(port, clients, 5, "-bearer", token)


def row(found: dict[str, Any]) -> str:
    state, run = found["arrived"]["state_ms"], found["arrived"]["run_ms"]
    return (
        f"| {found['clients']:,} | {found['stalled']:.0%} | {state.get('p50', '–')} |"
        f" {state.get('p99', '–')} | {state.get('max', '–')} | {run.get('p99', '–')} |"
        f" {found['clients_cpu_ms_per_sweep']} | {found['idle_cpu']['sweep_ms']} |"
        f" {found['frames_per_sweep']} |"
        f" {found['kib_per_client']} |"
    )


def write(results: list[dict[str, Any]], plain: dict[str, Any] | str) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {
        "commit": commit(), "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(), "results": results, "ws": plain,
    }  # fmt: skip
    (RESULTS / "live.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    shared = machine()
    rows = "\n".join(row(each) for each in results)
    text = (
        f"# Live\n\nCommit {document['commit']}, {document['at']}, {shared['cpus']} shared cores,"
        f" {shared['memory_gib']} GiB; server, plant, database and clients on the same machine.\n"
        "557 assets, ten of which change state in every sweep. Delays are milliseconds from the"
        " first envelope on\n`/ws`, which follows the spool's commit, to the frame at each reading"
        " client. CPU is that of the server's event loop;\nwhat clients cost is all beyond the same"
        f" {results[0]['interval_s']:g} s without any, with the pings and pongs of their sockets."
        " Stalled clients read nothing.\n\n"
        "| clients | stalled | state p50 | state p99 | state max | run p99 |"
        " clients, ms CPU a sweep | a sweep without them, ms CPU | frames a client and sweep |"
        " KiB a client |\n|---|---|---|---|---|---|---|---|---|---|\n"
        f"{rows}\n\n`/ws`: {plain if isinstance(plain, str) else json.dumps(plain)}\n"
    )
    (RESULTS / "live.md").write_text(text, encoding="utf-8")
    print(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, action="append")
    parser.add_argument("--stalled", type=float, default=0.05)
    parser.add_argument("--sweeps", type=int, default=12)
    parser.add_argument("--interval", type=float, default=5.0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results = [
        measure(clients, stalled, options.sweeps, options.interval)
        for clients in options.clients or [1000]
        for stalled in sorted({0.0, options.stalled})
    ]
    write(results, plain_socket(1000))


if __name__ == "__main__":
    main()
