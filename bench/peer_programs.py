"""The Go peer's programs: built once, started and stopped around a measurement."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).resolve().parent
BIN = HERE / "peer" / "bin"


def built() -> str | None:
    """Why the peer cannot be built here, or None once it is."""
    if shutil.which("go") is None:
        return "Go is not installed (Debian: golang-go golang-github-jackc-pgx-v4-dev)"
    done = subprocess.run(
        ["bash", str(HERE / "peer" / "build.sh"), str(BIN)], capture_output=True, text=True
    )
    return None if done.returncode == 0 else f"the peer does not build: {done.stderr[-300:]}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def gateway(*flags: str, keys: int = 50_000) -> Iterator[str]:
    """The in-memory gateway; its address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [str(BIN / "gateway"), "-n", str(keys), "-addr", address, *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_open(port)
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def web(dsn: str) -> Iterator[int]:
    """The peer's web server; its port."""
    port = free_port()
    environment = {**os.environ, "PEER_DSN": dsn}
    process = subprocess.Popen([str(BIN / "web"), str(port)], env=environment)
    try:
        _until_open(port)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def our_server(*flags: str) -> Iterator[tuple[int, str]]:
    """Our server with the hot reads and `/ws`; port and token."""
    command = [sys.executable, str(HERE / "probe.py"), "serve", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield ready["port"], ready["token"]
    finally:
        process.kill()
        process.wait()


def client(address: str, keys: int, *flags: str) -> dict[str, Any]:
    """One run of the peer's client."""
    command = [str(BIN / "client"), "-url", address, "-n", str(keys), "-json", *flags]
    return _json_of(command)


def probe(work: str, *flags: str) -> dict[str, Any]:
    """One run of ours."""
    return _json_of([sys.executable, str(HERE / "probe.py"), work, *flags])


def wsload(port: int, clients: int, seconds: int, *flags: str) -> dict[str, Any]:
    """Count what so many clients receive."""
    command = [str(BIN / "wsload"), *flags, f"127.0.0.1:{port}", "/ws", str(clients), str(seconds)]
    return _json_of(command)


def wrk(port: int, path: str, *, token: str = "", seconds: int = 6) -> dict[str, float]:
    """Requests a second and p99 in ms at 32 connections, one thread."""
    command = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency"]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    command.append(f"http://127.0.0.1:{port}{path}")
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text, text
    figures = {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Requests/sec:"]:
            figures["requests_s"] = float(words[1])
        if words[:1] == ["99%"]:
            figures["p99_ms"] = _ms(words[1])
    return figures


def _ms(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)


def _json_of(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])}: {done.stderr[-1500:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _until_open(port: int) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def readable(url: str) -> int:
    """Status of a GET."""
    with urlopen(url, timeout=5) as answer:
        return int(answer.status)
