"""Scores as a table, as JSON and as a page."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ic3.evaluation.report import Report, Score, rows, write

SCORES = (
    Score(
        area="anomaly", data="SKAB", figure="F1", value=0.8345, blind=0.698, goal="≥ 0.83", met=True
    ),
    Score(area="anomaly", data="SKAB", figure="delay", value=None, note="no event"),
)
REPORT = Report(
    at=datetime(2026, 11, 26, 9, 30, tzinfo=UTC), commit="0a1b2c3", machine="2 cores", data="here",
    seconds=12.3, scores=SCORES,
)  # fmt: skip


def test_a_score_that_could_not_be_computed_is_no_number() -> None:
    assert rows(SCORES) == [
        ["anomaly", "SKAB", "F1", "0.8345", "0.698", "≥ 0.83", "yes", ""],
        ["anomaly", "SKAB", "delay", "–", "–", "", "–", "no event"],
    ]


def test_the_report_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write(REPORT, tmp_path / "new")
    assert msgspec.json.decode((tmp_path / "new" / "eval.json").read_bytes(), type=Report) == REPORT


def test_the_page_names_commit_time_and_data(tmp_path: Path) -> None:
    write(REPORT, tmp_path)
    page = (tmp_path / "eval.md").read_text(encoding="utf-8")
    assert "Commit 0a1b2c3, 2026-11-26 09:30 UTC, 2 cores; data: here; 12 s." in page
    assert "| anomaly | SKAB | F1 | 0.8345 | 0.698 | ≥ 0.83 | yes |  |" in page
