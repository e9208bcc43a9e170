"""Requests made from the OpenAPI document to the real program: no 5xx, every answer as described.

`make fuzz-api` makes ten thousand; the test suite some hundred.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from driven import Gateway, Product

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
# What would end the login of the harness, never ends, or calls addresses that were made up.
LEFT_OUT = (
    "/api/stream", "/api/auth/login", "/api/auth/logout", "/api/auth/password",
    "/api/auth/logins/{login_id}",
    "/api/gis/network/export",  # its content type is the one asked for
    "/api/notifications/routes", "/api/notifications/routes/{route_id}",
    "/api/notifications/routes/{route_id}/test",
    "/api/notifications/deliveries/{delivery_id}/resend",
)  # fmt: skip
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance",
)  # fmt: skip
FOUND = re.compile(r"(\d+) generated(?:, (\d+) found (\d+) unique failures?)?")


def fuzz(product: Product, place: Path, *, examples: int, seed: int) -> tuple[dict[str, Any], str]:
    """Make so many requests of each operation; what was found, and the report."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run",
        f"{product.base}/api/openapi.json", "-H", f"Authorization: Bearer {product.token}",
        "--checks", ",".join(CHECKS), "--max-examples", str(examples), "--phases", "fuzzing",
        "--seed", str(seed), "--continue-on-failure", "--suppress-health-check", "all",
    ]  # fmt: skip
    for path in LEFT_OUT:
        command += ["--exclude-path", path]
    done = subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=3600, check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "NO_COLOR": "1"},
    )  # fmt: skip
    report = done.stdout + done.stderr
    match = FOUND.search(report)
    assert match is not None, report[-2000:]
    log = product.log.read_text(errors="replace")
    found = {
        "cases": int(match[1]), "failures": int(match[3] or 0),
        "server_errors": len(re.findall(r"request failed|RequestFailed|request_failed", log)),
        "kinds": dict(Counter(re.findall(r"^- (ST\d+ .+)$", report, re.MULTILINE))),
        "tracebacks": log.count("Traceback"),
    }  # fmt: skip
    return found, report


def run(*, examples: int, seed: int) -> tuple[dict[str, Any], str]:
    """The real program with the simulated plant behind it."""
    with tempfile.TemporaryDirectory(prefix="ic3-fuzz-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        gateway = Gateway(interval_s=1)
        try:
            with Product(
                place, REDIS_API_BASE=gateway.base, MONITORING_POLL_INTERVAL="1",
                IC3_RATE_PER_MINUTE="0", IC3_TOKEN_MINUTES="1440",
                IC3_CMMS_BASE=f"{gateway.base}/cmms", IC3_CMMS_RATE_PER_S="1000",
            ) as product:  # fmt: skip
                product.start().until_ready(60)
                product.fill_register()
                return fuzz(product, place, examples=examples, seed=seed)
        finally:
            gateway.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=120, help="of each operation")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    measured, report = run(examples=arguments.examples, seed=arguments.seed)
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "cores": os.cpu_count(),
        "python": platform.python_version(), "seed": arguments.seed, **measured,
    }  # fmt: skip
    (RESULTS / "fuzz-api.json").write_text(json.dumps(found, indent=2) + "\n")
    print(report)
    print(json.dumps(found, indent=2))
    return 1 if measured["failures"] or measured["server_errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
