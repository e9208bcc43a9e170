"""`ic3 tail` and a route's test against the real program; secrets stay where they are."""

import http.server
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from driven import Product, environment, ic3_here
from patience import PATIENCE_S

KEY = "planted-secret-of-a-webhook"
SMTP = "smtp://ic3:planted-password@127.0.0.1:1"


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    seen: list[tuple[str, bytes]] = []  # noqa: RUF012  of the one test

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.headers["IC3-Signature"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def tail(place: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "ic3", "tail", *arguments], env=environment(place), cwd=place,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts,
    )  # fmt: skip


def _heed_interrupts() -> None:
    """What a shell starts in the background ignores them, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_feed_is_followed_and_a_route_is_tried(own_place: Path) -> None:
    receiver = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/planted-path"
    with Product(
        own_place, IC3_SMTP_URL=SMTP, IC3_WEBHOOK_ALLOW_PRIVATE="1", MONITORING_POLL_INTERVAL="1"
    ) as product:
        product.start().until_ready()
        following = tail(own_place, "--json")
        assert following.stdout is not None
        line = json.loads(following.stdout.readline())
        assert set(line) == {"occurred_at", "asset_id", "domain", "changed", "quality", "alarm"}
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=PATIENCE_S)
        assert following.returncode == 130
        with tail(own_place) as cut:
            assert cut.stdout is not None
            assert "quality" in cut.stdout.readline()
            cut.stdout.close()
            assert cut.wait(PATIENCE_S) == 0
        made = product.send(
            "POST",
            "/api/notifications/routes",
            {"name": "hook", "kind": "webhook", "url": url, "secret": KEY},
        )
        tried = product.send("POST", f"/api/notifications/routes/{made['id']}/test")
        assert (tried["sent"], tried["status"]) == (True, 204)
        ((signature, body),) = Receiver.seen
        assert signature.startswith("t=")
        assert json.loads(body)["type"] == "ic3.alarm.test"
        people = {"name": "people", "kind": "email", "recipients": ["asha@example.org"]}
        made = product.send("POST", "/api/notifications/routes", people)
        tried = product.send("POST", f"/api/notifications/routes/{made['id']}/test")
        assert tried["why"] == "the mail server failed (ConnectionRefusedError)"
        assert product.stop() == 0
        assert "planted" not in "\n".join(product.lines)
    receiver.shutdown()
    receiver.server_close()
    away = ic3_here(own_place, "tail")
    assert (away.returncode, "does not answer" in away.stderr) == (5, True)


def test_tail_says_where_no_server_has_run(own_place: Path) -> None:
    away = ic3_here(own_place, "tail")
    assert (away.returncode, "none has run on" in away.stderr) == (5, True)


def test_a_bad_mail_server_is_said_at_start_without_its_password(own_place: Path) -> None:
    done = ic3_here(own_place, "serve", IC3_SMTP_URL="http://ic3:planted@h")
    assert done.returncode == 2
    assert "IC3_SMTP_URL" in done.stderr
    assert "planted" not in done.stderr
