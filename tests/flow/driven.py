"""The real program and the real gateway as processes, and what tests ask them."""

import asyncio
import contextlib
import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import psycopg
import pytest
from patience import PATIENCE_S

from ic3.cli import main
from ic3.clock import Clock
from ic3.embedded.running import dsn_of_running
from ic3.simulator.plant import Plant
from ic3.store.pool import Database
from ic3.store.register import RegisterStore

T = TypeVar("T")

PASSWORD = "flow-password-of-admin"
STARTED = re.compile(r"\[MonitoringWorker\] started — polling every [\d.]+s")
DONE = re.compile(
    r"\[MonitoringWorker\] done in (\d+)ms \| keys=(\d+) matched=(\d+) unmatched=(\d+)"
    r" inserted=(\d+) skipped=(\d+)"
)
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error)\b")
TALK = re.compile(r"ic3 \S+ starting on |first login: |stopped$|ic3: ")

UNBALANCED = """
SELECT id, keys_scanned, unchanged, accepted, deferred, failed, quarantined FROM ic3_sweep s
WHERE keys_scanned <> unchanged + accepted + deferred
        + (SELECT coalesce(sum(value::int), 0) FROM jsonb_each_text(failed))
        + (SELECT coalesce(sum(value::int), 0) FROM jsonb_each_text(quarantined))
    OR accepted <> stored + duplicate + dead + gap OR keys_scanned <> matched + unmatched
    OR stored <> (SELECT count(*) FROM telemetry t WHERE t.sweep_id = s.id)
"""
# What the tag map makes of the telemetry of every sweep that has its run.
FRESH_ROWS = """
SELECT a.asset_id, v.key AS tag_code, m.param_id,
    CASE jsonb_typeof(v.value) WHEN 'number' THEN (v.value #>> '{}')::double precision
        WHEN 'boolean' THEN (v.value #>> '{}')::boolean::int::double precision END AS value_num,
    CASE jsonb_typeof(v.value) WHEN 'string' THEN v.value #>> '{}' END AS value_text,
    t.occurred_at AS recorded_at
FROM telemetry t JOIN ic3_asset_master a ON a.serialnumber = t.asset_id
    CROSS JOIN jsonb_each(t.values) v
    JOIN ic3_asset_tag_map m ON m.asset_id = a.asset_id AND m.tag_code = v.key
WHERE t.occurred_at BETWEEN '2000-01-01Z' AND t.received_at + interval '5 minutes'
    AND (t.origin <> 'live'
        OR EXISTS (SELECT FROM ic3_ingest_run_log r WHERE r.sweep_id = t.sweep_id))
"""
KEPT_ROWS = """
SELECT asset_id, tag_code, param_id, value_num, value_text, recorded_at
FROM ic3_asset_monitoring_data
"""
HALF_WRITTEN = f"""
({FRESH_ROWS} EXCEPT ALL {KEPT_ROWS})
UNION ALL ({KEPT_ROWS} EXCEPT ALL {FRESH_ROWS})
LIMIT 5
"""
STALE_TAGS = """
SELECT * FROM (
    SELECT DISTINCT ON (asset_id, tag_code) asset_id, tag_code, param_id, value_num, value_text,
        recorded_at
    FROM ic3_asset_monitoring_data ORDER BY asset_id, tag_code, recorded_at DESC) newest
FULL JOIN ic3_asset_latest_reading kept USING (asset_id, tag_code)
WHERE (newest.value_num, newest.value_text, newest.recorded_at)
    IS DISTINCT FROM (kept.value_num, kept.value_text, kept.recorded_at)
LIMIT 5
"""
STALE_LATEST = """
SELECT * FROM (
    SELECT DISTINCT ON (asset_id) asset_id, record_id, occurred_at, values FROM telemetry
    WHERE occurred_at BETWEEN '2000-01-01Z' AND received_at + interval '5 minutes'
    ORDER BY asset_id, occurred_at DESC, record_id DESC) newest
FULL JOIN asset_latest kept USING (asset_id)
WHERE (newest.record_id, newest.occurred_at, newest.values)
    IS DISTINCT FROM (kept.record_id, kept.occurred_at, kept.values)
LIMIT 5
"""
TWICE = """
SELECT asset_id, record_id, count(*) FROM telemetry GROUP BY 1, 2 HAVING count(*) > 1
UNION ALL
SELECT asset_id::text, tag_code, count(*) FROM ic3_asset_monitoring_data
GROUP BY asset_id, tag_code, recorded_at HAVING count(*) > 1
LIMIT 5
"""
# The newest sweep may be waiting for its run.
WITHOUT_ONE_RUN = """
SELECT s.id, count(r.id) FROM ic3_sweep s LEFT JOIN ic3_ingest_run_log r ON r.sweep_id = s.id
WHERE s.id <= (SELECT max(sweep_id) FROM ic3_ingest_run_log) AND s.origin = 'live'
GROUP BY s.id HAVING count(r.id) <> 1
"""
# What is not marked equals what the rows make afresh.
ROLLED_UP_WRONGLY = """
SELECT kept.bucket_at, kept.asset_id, kept.tag_code, fresh.bucket_at, fresh.asset_id, fresh.tag_code
FROM ic3_rollup_5m kept FULL JOIN (
    SELECT r.* FROM ic3_asset_master a
        CROSS JOIN LATERAL ic3_roll_up(a.asset_id, now() - interval '2 days', 'infinity') r) fresh
    USING (bucket_at, asset_id, tag_code)
WHERE bucket_at NOT IN (SELECT bucket_at FROM ic3_rollup_dirty)
    AND (kept.row_count, kept.used_count, kept.value_sum, kept.last_value, kept.increase)
        IS DISTINCT FROM
        (fresh.row_count, fresh.used_count, fresh.value_sum, fresh.last_value, fresh.increase)
LIMIT 5
"""
INVARIANTS = {
    "unbalanced": UNBALANCED, "half written": HALF_WRITTEN, "stale tags": STALE_TAGS,
    "stale latest": STALE_LATEST, "twice": TWICE, "without one run": WITHOUT_ONE_RUN,
    "rolled up wrongly": ROLLED_UP_WRONGLY,
}  # fmt: skip


def until(ask: Callable[[], T], seconds: float = PATIENCE_S, what: str = "") -> T:
    """What `ask` answers as soon as it is true; fails after the deadline."""
    ends = time.monotonic() + seconds
    while True:
        found = ask()
        if found:
            return found
        if time.monotonic() > ends:
            raise AssertionError(f"not within {seconds:g} s: {what or ask}; last: {found!r}")
        time.sleep(0.03)


def until_dead(pids: Iterable[int]) -> None:
    """Wait for the end of processes."""
    waited = list(pids)
    until(lambda: not any(map(alive, waited)), what=f"the end of {waited}")


def free_port() -> int:
    """A port nobody listens on, of those that the kernel gives to nobody by itself."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A directory of a test's own that PostgreSQL's account can pass."""
    found = Path(tempfile.mkdtemp(prefix="ic3-flow-", dir="/tmp"))
    found.chmod(0o755)
    try:
        yield found
    finally:
        shutil.rmtree(found, ignore_errors=True)


def request(
    base: str, method: str, path: str, *, body: object = None, token: str | None = None,
    timeout_s: float = PATIENCE_S,
) -> tuple[int, Any, dict[str, str]]:  # fmt: skip
    """Status, JSON (or text) and headers of an answer."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=timeout_s
    )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = None
    if body is not None:
        content = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, body=content, headers=headers)
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    with contextlib.suppress(ValueError):
        return answer.status, json.loads(raw), {k.lower(): v for k, v in answer.getheaders()}
    return answer.status, raw.decode(), {k.lower(): v for k, v in answer.getheaders()}


def children(pid: int) -> list[int]:
    """Every process below one."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                below.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        more = below.get(waiting.pop(), [])
        found += more
        waiting += more
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Gateway:
    """`python -m ic3.simulator` as the gateway of a real plant."""

    def __init__(self, *, interval_s: float = 0, port: int = 0, replicate: int = 1) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ic3.simulator", "--watch-parent"),
                *("--interval", f"{interval_s:g}", "--port", str(port)),
                *("--replicate", str(replicate)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.base = self.process.stdout.readline().strip().rpartition(" ")[2]
        assert self.base.startswith("http://")

    def fault(self, name: str, **details: object) -> None:
        status, words, _ = request(
            self.base, "POST", "/admin/faults", body={"fault": name, **details}
        )
        assert status == 200, words

    def set(self, **details: object) -> None:
        status, words, _ = request(self.base, "POST", "/admin/set", body=details)
        assert status == 200, words

    def tick(self) -> None:
        assert request(self.base, "POST", "/admin/tick")[0] == 200

    def seen(self) -> Any:
        return request(self.base, "GET", "/admin/seen")[1]

    def forget(self) -> None:
        request(self.base, "DELETE", "/admin/seen")

    def heal(self) -> None:
        request(self.base, "DELETE", "/admin/faults")
        request(self.base, "DELETE", "/admin/set")

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def environment(place: Path, **settings: str) -> dict[str, str]:
    """The environment of the program: what a test says and nothing of ours."""
    return {
        "PATH": os.environ["PATH"], "HOME": str(place), "IC3_DATA_DIR": str(place / "data"),
        "IC3_PORT": "0", "IC3_ADMIN_PASSWORD": PASSWORD, "MONITORING_POLL_INTERVAL": "0.5",
        **settings,
    }  # fmt: skip


def ic3(
    place: Path, *arguments: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ic3", *arguments], env=environment(place, **settings), cwd=place,
        input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def ic3_here(
    place: Path, *arguments: str, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process, which saves the start of another."""
    wanted = environment(place, **settings)
    stdout, stderr = io.StringIO(), io.StringIO()
    patch = pytest.MonkeyPatch()
    with patch.context() as patched, redirect_stdout(stdout), redirect_stderr(stderr):
        for name in list(os.environ):
            patched.delenv(name)
        for name, text in wanted.items():
            patched.setenv(name, text)
        patched.setattr(sys, "argv", ["ic3", *arguments])
        patched.setattr(sys, "stdin", io.StringIO(stdin))
        patched.chdir(place)
        with pytest.raises(SystemExit) as ended:
            main()
    code = ended.value.code
    return subprocess.CompletedProcess(
        arguments, code if isinstance(code, int) else 0, stdout.getvalue(), stderr.getvalue()
    )


class Product:
    """`python -m ic3 serve` on a data directory or a database."""

    def __init__(self, place: Path, command: str = "serve", **settings: str) -> None:
        self.place = place
        self.settings = settings
        self._command = command
        self._token: str | None = None
        self._numbers = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.log = place / "unused"

    def start(self) -> "Product":
        """Start it; does not wait."""
        self._numbers += 1
        self.log = self.place / f"{self._numbers}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ic3", self._command],
                env=environment(self.place, **self.settings), cwd=self.place,
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr,
            )  # fmt: skip
        return self

    def __enter__(self) -> "Product":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    def line(self, pattern: str, seconds: float = PATIENCE_S) -> str:
        """The first line that matches."""

        def look() -> str | None:
            assert self.process is not None
            ended = self.process.poll() is not None
            found = next((line for line in self.lines if re.search(pattern, line)), None)
            assert found or not ended, self.lines[-5:]
            return found

        return until(look, seconds, pattern) or ""

    @property
    def base(self) -> str:
        """Its address."""
        match = re.search(r"address='(\S+)'", self.line(r"\bserving  address="))
        assert match is not None
        return match[1]

    @property
    def token(self) -> str:
        if self._token is None:
            credentials = {"username": "admin", "password": PASSWORD}
            status, words, _ = request(self.base, "POST", "/api/auth/login", body=credentials)
            assert status == 200, words
            self._token = words["access_token"]
        return self._token

    def log_in_again(self) -> None:
        """Forget the login of before, where a test has ended it."""
        self._token = None

    def get(self, path: str) -> Any:
        """The JSON of a path that answers 200."""
        status, words, _ = request(self.base, "GET", path, token=self.token)
        assert status == 200, (status, words)
        return words

    def send(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of an act that is done."""
        status, words, _ = request(self.base, method, path, body=body, token=self.token)
        assert status in {200, 201, 204}, (status, words)
        return words

    def ready(self) -> tuple[int, str]:
        """Status of /readyz and its reasons."""
        status, words, _ = request(self.base, "GET", "/readyz")
        return status, "; ".join(words["reasons"])

    def until_ready(self, seconds: float = PATIENCE_S) -> "Product":
        until(lambda: self.ready()[0] == 200, seconds, "readiness")
        return self

    def metric(self, name: str) -> float:
        """A metric by its whole name; 0 where it is absent."""
        status, text, _ = request(self.base, "GET", "/metrics")
        assert status == 200
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    @property
    def dsn(self) -> str:
        found = self.settings.get("DATABASE_URL") or dsn_of_running(
            Path(self.settings.get("IC3_DATA_DIR", self.place / "data"))
        )
        assert found is not None
        return found

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            return connection.execute(statement.encode(), values or None).fetchall()

    def one(self, statement: str, *values: object) -> Any:
        return self.sql(statement, *values)[0][0]

    def after_next_sweep(
        self, seconds: float = PATIENCE_S, *, whole: bool = False
    ) -> dict[str, Any]:
        """The row of the first sweep that begins from now on, once it has its run.

        Args:
            seconds: Longest wait.
            whole: Pass over sweeps that a busy machine has not ended by their deadline.
        """
        before = self.one("SELECT clock_timestamp()")
        (row,) = until(
            lambda: self.sql(
                "SELECT row_to_json(s) FROM ic3_sweep s WHERE begun_at > %s AND EXISTS"
                " (SELECT FROM ic3_ingest_run_log r WHERE r.sweep_id = s.id)"
                " AND (deferred = 0 OR NOT %s) ORDER BY begun_at LIMIT 1", before, whole,
            ),
            seconds, "a sweep",
        )  # fmt: skip
        return dict(row[0])

    def broken(self) -> dict[str, list[tuple[Any, ...]]]:
        """Invariants of the tables that do not hold, with examples; in one snapshot."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            found = {
                name: connection.execute(statement.encode()).fetchall()
                for name, statement in INVARIANTS.items()
            }
        return {name: rows for name, rows in found.items() if rows}

    def fill_register(self, replicate: int = 1) -> None:
        """Import the register, parameters and tag map of the simulated plant."""

        async def work() -> None:
            pool = Database(self.dsn, name="driven", size=1, statement_timeout_s=120, clock=Clock())
            await pool.open()
            await RegisterStore(pool).import_rows(Plant(1, replicate).tables())
            await pool.close()

        asyncio.run(work())

    def stop(self, number: signal.Signals = signal.SIGTERM, *, limit_s: float = 15) -> int:
        """The exit code; the limit is far from the promised 5 s, which a busy machine misses."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(limit_s)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def cmms_path(serial: str) -> str:
    return f"/api/cmms/assets/{quote(serial, safe='')}"


def history_path(serial: str, **parameters: str) -> str:
    return f"/api/monitoring/history?{urlencode({'serial_number': serial, **parameters})}"


def live_path(serial: str) -> str:
    return f"/api/monitoring/live?serial_number={quote(serial, safe='')}"
