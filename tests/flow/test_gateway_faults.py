"""A gateway that is down, hangs, fails or lies: F1 to F5, S32."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

import pytest
from driven import Gateway, Product, free_port, ic3_here, until
from patience import PATIENCE_S

SERIAL = "Patel Road_Baljeet Nagar_SV_92"
OTHERS = "SELECT count(DISTINCT asset_id) FROM telemetry WHERE asset_id <> %s AND sweep_id > %s"
ROWS_OF_SWEEP = """
SELECT count(*) FROM telemetry t JOIN ic3_asset_master a ON a.serialnumber = t.asset_id
    JOIN ic3_asset_monitoring_data d ON d.asset_id = a.asset_id AND d.recorded_at = t.occurred_at
WHERE t.sweep_id = %s
"""
INTERVAL_S = 1.0  # a sweep has 0.8 of it, which a busy machine keeps


@pytest.fixture(scope="module")
def plant() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def server(module_place: Path, dsn: str, plant: Gateway) -> Iterator[Product]:
    settings = {
        "DATABASE_URL": dsn, "REDIS_API_BASE": plant.base,
        "MONITORING_POLL_INTERVAL": str(INTERVAL_S),
    }  # fmt: skip
    with Product(module_place, **settings) as product:
        yield product.start().until_ready()


@pytest.fixture
def product(server: Product, plant: Gateway) -> Iterator[Product]:
    """The module's server on a gateway without faults, before and after."""
    plant.forget()
    yield server
    plant.heal()
    until(lambda: server.ready()[0] == 200, what="readiness after the fault")
    assert server.broken() == {}


def test_f26_s32_an_unchanged_plant_costs_no_row_and_one_request_a_key(
    product: Product, plant: Gateway
) -> None:
    """F26 and S32, and politeness: keys + 1 requests, never more than 20 in flight."""
    product.after_next_sweep(whole=True)
    tables = "telemetry", "ic3_asset_monitoring_data", "dead_letter"
    before = [product.one(f"SELECT count(*) FROM {table}") for table in tables]
    done = product.one("SELECT count(*) FROM ic3_ingest_run_log")
    plant.forget()
    sweeps = [product.after_next_sweep(whole=True) for _ in range(3)]
    assert [(s["unchanged"], s["accepted"], s["stored"]) for s in sweeps] == [(557, 0, 0)] * 3
    assert [product.one(f"SELECT count(*) FROM {table}") for table in tables] == before
    runs = product.get("/api/monitoring/progress")["runs"]
    assert [run["rows_inserted"] for run in runs[:3]] == [0, 0, 0]
    assert product.one("SELECT count(*) FROM ic3_ingest_run_log") > done
    seen = plant.seen()
    assert set(seen["requests"]) == {"GET /api/redis/keys", "GET /api/redis/key"}
    lists = seen["requests"]["GET /api/redis/keys"]
    # A sweep may have been going on at either end.
    assert 557 * 3 <= seen["requests"]["GET /api/redis/key"] <= 557 * (lists + 1)
    assert 1 <= seen["max_in_flight"] <= 20
    assert seen["connections"] <= 20


def test_a_moving_plant_is_read_with_exactly_keys_plus_one_requests(
    product: Product, plant: Gateway
) -> None:
    # Stand between two sweeps: the count of lists has just grown and every key was answered.
    def counts() -> tuple[int, int]:
        seen = plant.seen()["requests"]
        return seen.get("GET /api/redis/keys", 0), seen.get("GET /api/redis/key", 0)

    def between_sweeps() -> bool:
        lists, keys = counts()
        return lists > 0 and keys == 557 * lists

    plant.tick()
    until(between_sweeps, what="a gap between sweeps")
    lists, _ = counts()
    plant.tick()
    until(lambda: counts()[0] >= lists + 3 and between_sweeps(), what="three sweeps")


@pytest.mark.parametrize(
    ("fault", "details", "column", "reason"),
    [
        ("status", {"status": 500}, "failed", "http_500"),
        ("status", {"status": 503}, "failed", "http_503"),
        ("status", {"status": 302}, "failed", "http_302"),
        ("truncated", {}, "failed", "truncated"),
        ("reset", {}, "failed", "reset"),
        ("not_json", {}, "quarantined", "not_json"),
        ("wrong_key", {}, "quarantined", "wrong_key"),
        ("wrong_type", {}, "quarantined", "wrong_type"),
        ("wrong_shape", {}, "quarantined", "wrong_shape"),
        ("null_value", {}, "quarantined", "null_value"),
        ("too_large", {}, "quarantined", "too_large"),
    ],
)
def test_f3_f4_f5_one_bad_key_costs_itself_only(
    product: Product, plant: Gateway, fault: str, details: dict[str, Any], column: str, reason: str
) -> None:
    """F3, F4, F5: the others are stored, the reason is counted, what came is kept."""
    metric = {"failed": "ic3_keys_failed_total", "quarantined": "ic3_quarantined_total"}[column]
    counter = f'{metric}{{reason="{reason}"}}'
    before = product.metric(counter)
    last = product.one("SELECT coalesce(max(id), 0) FROM ic3_sweep")
    plant.fault(fault, key=SERIAL, **details)
    plant.tick()
    sweep = product.after_next_sweep(whole=True)
    assert sweep["error"] is None
    assert sweep[column] == {reason: 1}
    until(lambda: product.metric(counter) > before, what=counter)
    assert product.one(OTHERS, SERIAL, last) == 556
    assert product.ready()[0] == 200
    if column == "quarantined":
        (kept,) = product.sql(
            "SELECT scope, key, raw, raw_length FROM dead_letter WHERE reason = %s", reason
        )
        assert kept[0] == "outer"
        assert bytes(kept[1]).decode() == f"ic3:latest:{SERIAL}"
        assert kept[3] >= len(kept[2]) > 0
        if reason == "too_large":
            assert kept[3] > 1 << 20
            assert len(kept[2]) == 16 << 10


def test_a_poisoned_key_is_one_line_with_a_count(product: Product, plant: Gateway) -> None:
    plant.set(key=SERIAL, value='{"record_id": 7}')
    for _ in range(2):
        assert product.after_next_sweep(whole=True)["quarantined"].keys()
    ((times, raw),) = product.sql(
        "SELECT times_seen, raw FROM dead_letter WHERE raw = %s", b'{"record_id": 7}'
    )
    assert times >= 2
    assert bytes(raw) == b'{"record_id": 7}'


def test_f3_a_storm_of_500_fails_the_run_and_costs_few_more_requests(
    product: Product, plant: Gateway
) -> None:
    """F3: at most 1.1 times the normal requests, and the run says so."""
    plant.fault("status", status=500)
    sweep = product.after_next_sweep(whole=True)
    assert sweep["failed"] == {"http_500": 557}
    assert sweep["error"] == "gateway: none of 557 keys could be read (http_500)"
    until(lambda: "none of 557 keys" in product.ready()[1], what="the reason")
    assert product.ready()[0] == 503
    assert product.get("/api/monitoring/progress")["latest"]["error_msg"] == sweep["error"]
    plant.forget()
    product.after_next_sweep()
    seen = plant.seen()["requests"]
    assert seen["GET /api/redis/key"] <= 1.1 * 557 * (seen["GET /api/redis/keys"] + 1)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("status", "status: 500"), ("not_json", "not JSON"), ("wrong_shape", "wrong shape"),
        ("truncated", "cut short"), ("reset", "connection lost"),
    ],
)  # fmt: skip
def test_a_list_that_fails_fails_the_run_and_the_next_one_is_good(
    product: Product, plant: Gateway, fault: str, words: str
) -> None:
    plant.fault(fault, target="list")
    sweep = product.after_next_sweep()
    assert words in sweep["error"]
    assert sweep["keys_scanned"] == 0
    run = product.get("/api/monitoring/progress")["latest"]
    assert words in run["error_msg"]
    plant.heal()
    until(lambda: product.ready()[0] == 200, what="readiness")
    assert product.after_next_sweep()["error"] is None


@pytest.mark.parametrize("target", ["key", "list"])
def test_f2_f10_a_hanging_gateway_ends_the_run_by_its_deadline(
    product: Product, plant: Gateway, target: str
) -> None:
    """F2, F10: 0.8 of the interval, every time."""
    plant.fault("hang", target=target)
    sweeps = [product.after_next_sweep() for _ in range(2)]
    for sweep in sweeps:
        assert sweep["error"]
        assert sweep["phase_ms"]["list"] + sweep["phase_ms"].get("read", 0) < 5000
    sweep = sweeps[-1]
    if target == "key":
        assert sweep["keys_scanned"] == 557
        assert sweep["deferred"] + sum(sweep["failed"].values()) == 557
    else:
        assert re.search(r"within 0\.8 s|timed out", sweep["error"])
    number = product.one("SELECT id FROM ic3_ingest_run_log WHERE sweep_id = %s", sweep["id"])
    runs = {run["id"]: run for run in product.get("/api/monitoring/progress")["runs"]}
    assert runs[number]["error_msg"] == sweep["error"]
    assert runs[number]["duration_ms"] >= 600 * INTERVAL_S


def test_one_hanging_key_defers_nothing_else(product: Product, plant: Gateway) -> None:
    plant.fault("hang", key=SERIAL)
    plant.tick()
    before = product.one("SELECT count(*) FROM telemetry")

    def missing() -> int:
        sweep = product.after_next_sweep()
        assert sweep["error"] is None
        return int(sweep["failed"].get("timeout", 0) + sweep["deferred"])

    # A few that were asked behind it wait for the next one.
    until(lambda: missing() == 1, what="a sweep that lacks nothing else")
    assert product.one("SELECT count(*) FROM telemetry") - before >= 556


def test_f2_a_slow_gateway_never_has_two_sweeps_at_once(product: Product, plant: Gateway) -> None:
    """F2: what is not reached is deferred, and lists never overlap."""
    plant.fault("delay", seconds=0.2)
    for _ in range(3):
        sweep = product.after_next_sweep()
        read = sweep["unchanged"] + sweep["accepted"]
        accounted = read + sweep["deferred"] + sum(sweep["failed"].values())
        assert accounted == 557
        assert sweep["deferred"] > 0
    begun = product.sql(
        "SELECT begun_at, ended_at FROM ic3_sweep WHERE error IS NULL ORDER BY id DESC LIMIT 10"
    )
    for (later, _), (_, earlier_end) in pairwise(begun):
        assert later >= earlier_end


def test_f3_what_was_read_before_the_gateway_asks_for_rest_is_kept_whole(
    own_place: Path, fresh_dsn: str
) -> None:
    """The run is a failed one, and yet its telemetry has its monitoring rows."""
    serials = [f"asset {number}" for number in range(300)]
    with _resting(serials, after=150) as (base, rest):
        settings = {
            "DATABASE_URL": fresh_dsn, "REDIS_API_BASE": base, "MONITORING_POLL_INTERVAL": "2",
        }  # fmt: skip
        with Product(own_place, **settings) as product:
            product.start().until_ready()
            for kind, head, rows in (
                ("register", "serialnumber", serials),
                ("parameters", "param_tag_code,parameter_name,unit", ["LEVEL,Level,m"]),
                ("tagmap", "serialnumber,tag_code,param_tag_code",
                 [f"{serial},LEVEL,LEVEL" for serial in serials]),
            ):  # fmt: skip
                path = own_place / f"{kind}.csv"
                path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
                assert ic3_here(own_place, "import", kind, str(path), **settings).returncode == 0
            assert product.after_next_sweep(whole=True)["matched"] == 300
            rest.set()
            ((number, error, accepted, unchanged, deferred, rows_inserted),) = until(
                lambda: product.sql(
                    "SELECT s.id, r.error_msg, s.accepted, s.unchanged, s.deferred, r.rows_inserted"
                    " FROM ic3_ingest_run_log r JOIN ic3_sweep s ON s.id = r.sweep_id"
                    " WHERE s.keys_scanned = 300 AND s.error IS NOT NULL LIMIT 1"
                ),
                what="the run",
            )
            read = accepted + unchanged
            assert error == f"gateway: it asked for 60 s of rest; {read} of 300 keys were read"
            assert 0 < deferred <= 300 - read
            assert rows_inserted == accepted > 0
            until(lambda: "next try in" in product.ready()[1], what="the reason")
            assert product.one(ROWS_OF_SWEEP, number) == accepted


def test_both_shapes_of_the_list_are_read(product: Product, plant: Gateway) -> None:
    plant.set(bare_list=True)
    assert product.after_next_sweep()["keys_scanned"] == 557


def _envelope(serial: str, record: str) -> str:
    return json.dumps(
        {
            "record_id": f"{serial} {record}", "asset_id": serial, "values": {"LEVEL": 1.5},
            "occurred_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
    )  # fmt: skip


@contextmanager
def _resting(serials: list[str], *, after: int) -> Iterator[tuple[str, Event]]:
    """A gateway that answers so many keys after the event and then asks for a minute of rest."""
    answered, rest = count(), Event()
    values = {f"ic3:latest:{serial}": _envelope(serial, "1") for serial in serials}

    class Resting(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # head and body in one write

        def handle(self) -> None:
            with suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            key = unquote(self.path.partition("?k=")[2])
            resting = bool(key) and rest.is_set() and next(answered) >= after
            text = _envelope(key[11:], "2") if rest.is_set() else values.get(key)
            value = {"key": key, "type": "string", "value": text}
            body = json.dumps(value if key else list(values)).encode()
            self.send_response(429 if resting else 200)
            if resting:
                self.send_header("Retry-After", "60")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Resting)
    server.daemon_threads = True
    serving = Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", rest
    finally:
        server.shutdown()
        server.server_close()
        serving.join(PATIENCE_S)


@pytest.fixture
def late_gateway() -> Iterator[Callable[[int], Gateway]]:
    made: list[Gateway] = []

    def start(port: int) -> Gateway:
        made.append(Gateway(port=port))
        return made[0]

    yield start
    for gateway in made:
        gateway.close()


def test_f1_a_gateway_down_at_start_is_told_and_found_again_by_itself(
    own_place: Path, fresh_dsn: str, late_gateway: Callable[[int], Gateway]
) -> None:
    """F1: the server starts, says why it is not ready, logs failed runs, and recovers."""
    port = free_port()
    settings = {"DATABASE_URL": fresh_dsn, "REDIS_API_BASE": f"http://127.0.0.1:{port}"}
    with Product(own_place, **settings) as product:
        product.start()
        until(lambda: product.ready()[0] == 503, what="503")
        until(lambda: "could not be asked for" in product.ready()[1], what="the reason")
        assert "last good sweep: never" in product.ready()[1]
        runs = until(
            lambda: product.sql("SELECT keys_scanned, error_msg FROM ic3_ingest_run_log"),
            what="a failed run",
        )
        assert all(keys == 0 and "no connection" in error for keys, error in runs)
        assert product.get("/api/stats")["assets"] == 0
        assert product.get("/livez") == {"status": "ok"}
        until(lambda: product.get("/api/stats")["breaker"] != "closed", what="the breaker")
        assert product.get("/api/stats")["next_try_at"] is not None
        assert "gateway left alone: it failed 5 times in a row" in product.ready()[1]
        assert product.metric("ic3_breaker_state") == 1
        assert product.metric('ic3_upstream_requests_total{code="refused",op="list"}') >= 5
        late_gateway(port)
        product.until_ready()
        stats = product.get("/api/stats")
        assert (stats["breaker"], stats["next_try_at"]) == ("closed", None)
        assert product.metric("ic3_breaker_state") == 0
        assert product.metric("ic3_upstream_in_flight") >= 4
        assert product.after_next_sweep()["keys_scanned"] == 557
        assert product.broken() == {}
