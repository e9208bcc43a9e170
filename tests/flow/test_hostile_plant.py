"""Names and values nobody should send, through the whole program: F5 to F9, F11."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from driven import DONE, STAMP, STARTED, TALK, Gateway, Product, cmms_path, request

GOOD_NAMES = [
    "it's \"quoted\"_SV_1", "100%_SV_2", "a+b c_SV_3", "#hash?query=1&x=2_SV_4", "a/../b//c_SV_5",
    "जल बोर्ड_SV_6", "\u202egnp.exe_SV_7", "line\r\nGET / HTTP/1.1_SV_8", "tab\t_SV_9",
    "x" * 1000, "%2F%00%0d%0a_SV_10", "'; DROP TABLE telemetry; --", "\x1b[31mred_SV_11",
    "{format} %s {0}", "café_SV_12", "cafe\u0301_SV_12", "\U0001f6b0_SV_13", " leading", "*",
]  # fmt: skip
BAD_KEYS = {
    "ic3:latest:": "empty_suffix", "other:prefix:x": "wrong_prefix",
    "ic3:latest:" + "k" * 10_000: "key_too_long", "ic3:latest:nul\0nul": "bad_key_character",
}  # fmt: skip
BAD_VALUES = {
    "no json": ("not json {", "bad_json"), "list": ("[1,2]", "not_an_object"),
    "deep": ("[" * 5000 + "]" * 5000, "too_deep"), "number": ("42", "not_an_object"),
    "surrogate": ('{"record_id":"\\ud800","asset_id":"surrogate","values":{}}', "bad_unicode"),
    "empty": ("", "bad_json"),
}  # fmt: skip


def _envelope(serial: str, values: dict[str, Any] | str | None = None) -> str:
    text = json.dumps(
        {
            "record_id": str(uuid4()), "system_id": serial.replace(" ", "_")[:200],
            "asset_id": serial, "domain": "DEL-D08", "protocol": "rest",
            "occurred_at": "2026-06-15T01:41:43.267609313Z", "values": 0, "quality": "GOOD",
            "alarm": "NORMAL",
        }
    )  # fmt: skip
    inner = values if isinstance(values, str) else json.dumps(values or {"HEALTH_SCORE": 94.8})
    return text.replace('"values": 0', f'"values": {inner}')


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture(scope="module")
def product(module_place: Path, dsn: str, gateway: Gateway) -> Iterator[Product]:
    for serial in GOOD_NAMES:
        gateway.set(key=serial, value=_envelope(serial), keys=[f"ic3:latest:{serial}"])
    for key in BAD_KEYS:
        gateway.set(keys=[key])
    for serial, (value, _) in BAD_VALUES.items():
        gateway.set(key=serial, value=value, keys=[f"ic3:latest:{serial}"])
    gateway.set(keys=["ic3:latest:100%_SV_2", "ic3:latest:absent"])
    many = {f"TAG_{number}": number for number in range(600)}
    gateway.set(key="many tags", value=_envelope("many tags", many), keys=["ic3:latest:many tags"])
    gateway.set(key="two MB", value="x" * 2_000_000, keys=["ic3:latest:two MB"])
    gateway.set(key="stranger", value=_envelope("somebody else"), keys=["ic3:latest:stranger"])
    mixed = (
        '{"GOOD": 1, "NAN": NaN, "INF": -Infinity, "HUGE": 1e400, "BIG": 9007199254740993,'
        ' "NUL": "a\\u0000b", "HALF": "\\ud800", "NEST": {"a": [1]}, "": 1, "T\\nAG": 1,'
        ' "TEXT": "12.5", "YES": true, "NONE": null, "N\\u0000AME": 1}'
    )
    gateway.set(key="mixed", value=_envelope("mixed", mixed), keys=["ic3:latest:mixed"])
    settings = {
        "DATABASE_URL": dsn,
        "REDIS_API_BASE": gateway.base,
        "MONITORING_POLL_INTERVAL": "1",
    }
    with Product(module_place, **settings) as product:
        product.start().line("serving  address")
        product.after_next_sweep(whole=True)
        yield product


def test_the_server_stays_ready_and_keeps_its_books(product: Product) -> None:
    assert product.ready() == (200, "")
    sweep = product.after_next_sweep()
    assert sweep["error"] is None
    assert product.broken() == {}
    assert product.metric("ic3_conservation_errors_total") == 0


@pytest.mark.parametrize("serial", GOOD_NAMES)
def test_f11_a_strange_name_is_stored_as_it_is(product: Product, serial: str) -> None:
    found = product.sql("SELECT values FROM telemetry WHERE asset_id = %s", serial)
    assert found == [({"HEALTH_SCORE": 94.8},)]
    # Not in the register, and the route says so for every name.
    status, words, _ = request(product.base, "GET", cmms_path(serial), token=product.token)
    assert (status, words["error"]) == (404, "asset not found")


def test_f8_f11_the_plants_own_keys_are_all_stored(product: Product) -> None:
    sweep = product.after_next_sweep(whole=True)
    assert sweep["list_duplicates"] == 1
    assert sweep["list_rejected"] == dict.fromkeys(BAD_KEYS.values(), 1)
    bad = len(BAD_VALUES) + 3
    assert sweep["keys_scanned"] == 557 + len(GOOD_NAMES) + bad + 2
    assert sweep["failed"] == {"http_404": 1}
    assert sweep["unchanged"] == 557 + len(GOOD_NAMES) + 1
    assert product.one("SELECT count(*) FROM telemetry") == 557 + len(GOOD_NAMES) + 1


@pytest.mark.parametrize(
    ("serial", "reason"),
    [
        *((serial, reason) for serial, (_, reason) in BAD_VALUES.items()),
        ("many tags", "too_many_tags"), ("two MB", "too_large"), ("stranger", "asset_mismatch"),
    ],
)  # fmt: skip
def test_f5_f7_f9_a_bad_value_is_quarantined_under_its_name(
    product: Product, serial: str, reason: str
) -> None:
    key = f"ic3:latest:{serial}".encode()
    found = product.sql("SELECT reason, length(raw) FROM dead_letter WHERE key = %s", key)
    assert [row[0] for row in found] == [reason]
    assert found[0][1] <= 16 << 10
    assert product.sql("SELECT 1 FROM telemetry WHERE asset_id = %s", serial) == []


def test_f6_f7_f9_a_bad_tag_costs_only_itself(product: Product) -> None:
    ((values, rejected),) = product.sql(
        "SELECT values, rejected FROM telemetry WHERE asset_id = 'mixed'"
    )
    assert values == {"GOOD": 1, "TEXT": "12.5", "YES": True, "NONE": None}
    assert sorted(rejected.values()) == sorted(
        ["non_finite"] * 3 + ["integer_out_of_range", "bad_unicode", "nested_value"]
        + ["nul_character"] * 2 + ["bad_tag_name"] * 2
    )  # fmt: skip


def test_f11_no_line_of_the_log_is_broken_by_what_was_sent(product: Product) -> None:
    for path in ("/api/x%0d%0aInjected:%20line", "/%1b[31m", "/api/cmms/assets/%00"):
        request(product.base, "GET", path, token=product.token)
    body = {"username": "a\r\n2026-01-01T00:00:00Z info forged\x1b[31m", "password": "x" * 12}
    assert request(product.base, "POST", "/api/auth/login", body=body)[0] == 401
    product.after_next_sweep()
    for line in product.log.read_text(encoding="utf-8").split("\n")[:-1]:
        assert (
            STAMP.match(line) or STARTED.fullmatch(line) or DONE.fullmatch(line) or TALK.match(line)
        ), line  # fmt: skip
        assert "forged" not in line[:60]
        assert line.isprintable(), ascii(line)


def test_a_list_of_rubbish_is_counted_and_the_good_ones_are_read(
    product: Product, gateway: Gateway
) -> None:
    gateway.set(keys=["ic3:latest:\ud800half"])
    sweep = product.after_next_sweep()
    assert sweep["keys_scanned"] >= 557 or sweep["error"]
    status, reasons = product.ready()
    assert status == 200 or reasons
    assert product.metric('ic3_worker_failures_total{worker="poll"}') == 0
    assert product.broken() == {}
