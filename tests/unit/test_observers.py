"""What a person and a machine read of what happened."""

import asyncio
import io
import json
import logging

from prometheus_client import CollectorRegistry

from ic3.domain.envelope import Reject
from ic3.observations import (
    CmmsSynchronised,
    FramesDropped,
    Resynced,
    SnapshotSent,
    SweepEnded,
)
from ic3.observers import LibraryHandler, LogObserver, MetricsObserver

LOST = SweepEnded(
    7, {"stored": 1}, {"timeout": 2}, {Reject.NOT_AN_OBJECT: 2}, {}, {Reject.WRONG_PREFIX: 1},
    {"timeout": ["ic3:latest:A", "ic3:latest:B\x1b[31m\u202e"], "wrong_prefix": ["x" * 999]},
    {}, None,
)  # fmt: skip


def _log(observation: SweepEnded, log_format: str) -> str:
    stream = io.StringIO()
    LogObserver(log_format, stream)(observation)
    return stream.getvalue()


def test_what_was_not_taken_is_one_line_of_plain_words_with_the_first_keys() -> None:
    line = _log(LOST, "text")
    assert line.count("\n") == 1
    assert "failed={'timeout': 2}  quarantined={'not_an_object': 2}" in line
    assert "list_rejected={'wrong_prefix': 1}" in line
    assert r"'timeout': ['ic3:latest:A', 'ic3:latest:B\x1b[31m\u202e']" in line
    assert "x" * 200 in line
    assert "x" * 201 not in line
    assert "Reject" not in line


def test_the_same_as_json() -> None:
    document = json.loads(_log(LOST, "json"))
    assert document["quarantined"] == {"not_an_object": 2}
    assert document["list_rejected"] == {"wrong_prefix": 1}
    assert document["keys"]["timeout"][0] == "ic3:latest:A"


def test_a_synchronisation_is_one_line_and_counted_by_outcome() -> None:
    done = CmmsSynchronised(8, 1, 1, 2, 1200, "A\r\nB: status 500")
    stream = io.StringIO()
    LogObserver("text", stream)(done)
    assert stream.getvalue().count("\n") == 1
    assert "cmms synchronised  success=8  failed=1  skipped=1" in stream.getvalue()
    registry = CollectorRegistry()
    MetricsObserver(registry)(done)
    assert registry.get_sample_value("ic3_cmms_assets_total", {"outcome": "success"}) == 8
    assert registry.get_sample_value("ic3_cmms_assets_total", {"outcome": "skipped"}) == 1


def test_a_failed_sweep_names_keys_too_and_counts_as_a_failed_run() -> None:
    failed = SweepEnded(
        None, {}, {"refused": 3}, {}, {}, {}, {"refused": ["ic3:latest:A"]}, {}, "gateway: none"
    )
    assert "error='gateway: none'  failed={'refused': 3}  keys={'refused':" in _log(failed, "text")
    registry = CollectorRegistry()
    MetricsObserver(registry)(failed)
    assert registry.get_sample_value("ic3_ingest_runs_total", {"outcome": "failed"}) == 1


def test_keys_of_the_list_that_were_not_taken_are_counted() -> None:
    registry = CollectorRegistry()
    MetricsObserver(registry)(LOST)
    labels = {"reason": "wrong_prefix"}
    assert registry.get_sample_value("ic3_list_rejected_total", labels) == 1


def _library_line(log_format: str, message: str, error: BaseException | None = None) -> str:
    stream = io.StringIO()
    info = (type(error), error, None) if error else None
    LibraryHandler(LogObserver(log_format, stream)).handle(
        logging.LogRecord("uvicorn.error", logging.ERROR, "x.py", 1, message, None, info)
    )
    return stream.getvalue()


def test_what_a_library_logs_is_one_line_without_its_traceback() -> None:
    line = _library_line("text", "Exception in ASGI application\n", ValueError("a\nb"))
    assert line.count("\n") == 1
    assert "error   a library said  library='uvicorn.error'" in line
    assert line.endswith(r"text='Exception in ASGI application'  error='ValueError: a\nb'" + "\n")
    assert json.loads(_library_line("json", "x"))["text"] == "x"


def test_a_request_cut_off_by_the_stop_is_no_line() -> None:
    assert _library_line("text", "Exception", asyncio.CancelledError()) == ""


def test_a_sweep_that_took_everything_is_no_line() -> None:
    assert _log(SweepEnded(7, {}, {}, {}, {}, {}, {}, {}, None), "text") == ""


def test_what_slow_live_clients_cost_is_counted_and_no_line() -> None:
    registry, stream = CollectorRegistry(), io.StringIO()
    count, log = MetricsObserver(registry), LogObserver("text", stream)
    for each in (FramesDropped("overflow", 65), SnapshotSent(), Resynced("resumed")):
        count(each)
        log(each)
    dropped = registry.get_sample_value("ic3_ws_frames_dropped_total", {"policy": "overflow"})
    resumed = registry.get_sample_value("ic3_ws_resyncs_total", {"how": "resumed"})
    sent = registry.get_sample_value("ic3_ws_snapshots_sent_total")
    assert (dropped, resumed, sent, stream.getvalue()) == (65, 1, 1, "")
