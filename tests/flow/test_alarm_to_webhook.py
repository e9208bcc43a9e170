"""From a plant that is away to a receiver that knows of it."""

import http.server
import json
import threading
from pathlib import Path
from typing import Any

from driven import Gateway, Product, until


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes everything."""

    seen: list[dict[str, Any]] = []  # noqa: RUF012  of the one test

    def do_POST(self) -> None:
        self.seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def test_a_gateway_that_is_away_is_told_by_webhook(own_place: Path) -> None:
    receiver = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    gateway = Gateway(interval_s=1)
    with Product(
        own_place, IC3_WEBHOOK_ALLOW_PRIVATE="1", MONITORING_POLL_INTERVAL="1",
        REDIS_API_BASE=gateway.base,
    ) as product:  # fmt: skip
        product.start().until_ready()
        url = f"http://127.0.0.1:{receiver.server_port}/"
        product.send(
            "POST", "/api/notifications/routes",
            {"name": "hook", "kind": "webhook", "url": url, "secret": "x" * 20},
        )  # fmt: skip
        gateway.close()
        until(lambda: Receiver.seen, what="an event")
        event = Receiver.seen[0]
        assert (event["type"], event["subject"]) == (
            "ic3.alarm.new", "system/gateway/unreachable",
        )  # fmt: skip
        (alarm,) = product.get("/api/alarms")["alarms"]
        assert event["id"].startswith(f"{alarm['id']}-{alarm['version']}-")
        until(
            lambda: product.get("/api/notifications/deliveries?state=sent")["deliveries"],
            what="the delivery noted",
        )
        assert product.stop() == 0
    receiver.shutdown()
    receiver.server_close()
