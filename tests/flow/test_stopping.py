"""Signals, second starts and what they leave behind: F32."""

import re
import signal
import socket
import time
from pathlib import Path

import pytest
from driven import (
    DONE,
    STAMP,
    STARTED,
    TALK,
    Gateway,
    Product,
    alive,
    children,
    ic3,
    request,
    until,
)
from patience import PATIENCE_S
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


def _live_client(product: Product) -> ClientConnection:
    status, words, _ = request(product.base, "POST", "/api/ws-ticket", token=product.token)
    assert status in (200, 201), words
    address = product.base.replace("http", "ws", 1)
    return connect(f"{address}/ws?ticket={words['ticket']}", compression=None)


def _hear_to_the_end(client: ClientConnection) -> None:
    while True:
        client.recv(timeout=PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f32_a_signal_in_the_middle_of_a_sweep_stops_everything_in_time(
    own_place: Path, number: signal.Signals
) -> None:
    gateway = Gateway(interval_s=1)
    try:
        with Product(
            own_place, REDIS_API_BASE=gateway.base, MONITORING_POLL_INTERVAL="6"
        ) as product:
            product.start().until_ready()
            with _live_client(product) as client:
                assert client.recv(timeout=PATIENCE_S)
                gateway.fault("delay", seconds=0.2)
                gateway.forget()
                until(lambda: gateway.seen()["max_in_flight"] > 0, what="a sweep under way")
                until(
                    lambda: gateway.seen()["requests"].get("GET /api/redis/key", 0) > 20,
                    what="its middle",
                )
                below = children(product.pid)
                assert below
                assert product.stop(number) == 0
                with pytest.raises(ConnectionClosed) as closed:
                    _hear_to_the_end(client)
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
            assert not any(map(alive, below))
            assert not (own_place / "data" / "postgres" / "postmaster.pid").exists()
            assert product.lines[-1] == "stopped"
            odd = [line for line in product.lines if "Traceback" in line or "error" in line]
            assert len(odd) == 1
            assert re.search(r"sweep failed  error='stopped after \d+ of 557 keys'", odd[0])
            if number is signal.SIGINT:
                return
            gateway.heal()
            product.start().until_ready()
            assert product.after_next_sweep()["error"] is None
            assert product.broken() == {}
            (row,) = product.sql(
                "SELECT read_ok, deferred_by, stored FROM ic3_sweep WHERE error LIKE 'stopped%'"
            )
            assert row[0] + row[1]["stopped"] == 557
            assert row[2] == row[0]
    finally:
        gateway.close()


def test_unfinished_requests_and_refused_sockets_leave_no_raw_line(
    own_place: Path, fresh_dsn: str
) -> None:
    head = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with Product(own_place, DATABASE_URL=fresh_dsn) as product:
        product.start().until_ready()
        address = product.base.rpartition("/")[2].split(":")
        opened = [socket.create_connection((address[0], int(address[1]))) for _ in range(3)]
        for each in opened:
            each.sendall(head + b"Content-Length: 100\r\n\r\n{")
        with pytest.raises(InvalidStatus):
            connect(product.base.replace("http", "ws", 1) + "/ws")
        time.sleep(0.3)
        assert product.stop(signal.SIGINT) == 0
        for each in opened:
            each.close()
    for line in product.lines:
        assert STAMP.match(line) or STARTED.match(line) or DONE.match(line) or TALK.match(line)
        assert "handshake" not in line
        assert "Exception" not in line


@pytest.mark.parametrize("at", ["part='database'", "part='plant'"])
def test_a_signal_during_the_start_is_obeyed_in_time(own_place: Path, at: str) -> None:
    with Product(own_place) as product:
        product.start()
        product.line(re.escape(at))
        assert product.stop() == 0
        assert "Traceback" not in "\n".join(product.lines)


def test_a_second_start_on_the_same_data_says_so_and_harms_nobody(own_place: Path) -> None:
    with Product(own_place) as product:
        product.start().until_ready()
        refused = ic3(own_place, "serve")
        assert refused.returncode == 1
        words = [line for line in refused.stderr.splitlines() if line.startswith("ic3: ")]
        assert len(words) == 1
        assert "in use" in words[0] or "runs" in words[0] or "already" in words[0]
        assert "Traceback" not in refused.stderr
        taken = product.base.rpartition(":")[2]
        refused = ic3(own_place, "serve", IC3_PORT=taken)
        assert refused.returncode == 1
        assert taken in refused.stderr.splitlines()[-1]
        assert product.after_next_sweep()["error"] is None
        assert product.ready()[0] == 200
        assert product.broken() == {}
