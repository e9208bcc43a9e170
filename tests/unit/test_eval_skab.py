"""SKAB: files of any folder are known by what they hold, and the scores stay where they were."""

from pathlib import Path

import labelled
import numpy as np
import pytest

from ic3.analytics.fleet import FleetDetector
from ic3.analytics.tuning import RIG, Tag
from ic3.evaluation import skab
from ic3.evaluation.report import Score

TAGS = (
    "Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
    "Volume Flow RateRMS"
)


@pytest.fixture(scope="module")
def experiments() -> list[skab.Experiment]:
    return [skab.read(path) for path in skab.files(labelled.folder("skab/valve1"))]


def made(path: Path, heading: str, columns: int, rows: int = 700) -> None:
    """A file of the form: noise, and a flow that falls where the labels say."""
    noise = np.random.default_rng(3).normal(size=(rows, 8))
    fallen = (np.arange(rows) >= 500) & (np.arange(rows) < 600)
    noise[fallen, 7] -= 12.0
    labels = np.stack([fallen, np.arange(rows) == 500], axis=1)
    table = np.concatenate([100.0 + noise, labels], axis=1)[:, :columns]
    stamps = [f"2020-03-09 10:{at // 60:02d}:{at % 60:02d}" for at in range(rows)]
    lines = [";".join([at, *map(str, row)]) for at, row in zip(stamps, table, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")


def scored(folder: Path) -> dict[tuple[str, str], Score]:
    out = folder.parent
    return {(s.data, s.figure): s for s in skab.evaluate(folder, out=out, say=lambda _: None)}


def test_files_are_found_in_folders_of_any_name(tmp_path: Path) -> None:
    made(tmp_path / "in" / "other" / "9.csv", f"datetime;{TAGS};anomaly;changepoint", 10)
    made(tmp_path / "in" / "deep" / "er" / "x.csv", f"datetime;{TAGS};anomaly;changepoint", 10)
    (tmp_path / "in" / "readme.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    scores = scored(tmp_path / "in")
    assert scores["SKAB, 2 files", "events found, %"].value == 100.0
    assert (tmp_path / "eval-skab.png").stat().st_size > 1000


def test_a_file_without_labels_is_scored_by_its_alarm_share(tmp_path: Path) -> None:
    made(tmp_path / "in" / "free.csv", f"datetime;{TAGS}", 8)
    scores = scored(tmp_path / "in")
    assert [figure for _, figure in scores] == [
        "alarm share in normal running, %",
        "alarm episodes an hour",
    ]
    assert 0.0 < (scores["SKAB, free.csv", "alarm share in normal running, %"].value or 0) < 60.0


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    assert not skab.found(tmp_path)


def test_the_scores_stay_where_they_were(experiments: list[skab.Experiment]) -> None:
    told = skab.answers(experiments)
    scores = {score.figure: score for score in skab.pooled(experiments, told)}
    assert scores["F1"].value == pytest.approx(0.883, abs=0.01)
    assert scores["F1"].blind == pytest.approx(0.698, abs=0.001)
    assert scores["false-alarm rate, %"].value == pytest.approx(8.6, abs=2.0)
    assert scores["change points, F1"].value == pytest.approx(0.797, abs=0.02)


def test_what_follows_a_random_row_never_changes_what_was_said(
    experiments: list[skab.Experiment],
) -> None:
    draw = np.random.default_rng(11)
    cuts = [int(draw.integers(450, len(each.rows))) for each in experiments]
    fleet = FleetDetector([Tag(name=tag) for tag in experiments[0].tags], RIG, assets=16)
    whole = skab.answers(experiments)
    rows = np.stack([each.rows[:1060] for each in experiments])
    for number, (each, cut) in enumerate(zip(experiments, cuts, strict=True)):
        fleet.fit(number, each.rows[:400])
        rows[number, cut:] = 1e3 * draw.normal(size=rows[number, cut:].shape)
    told = [fleet.update(rows[:, at]) for at in range(400, 1060)]
    severity = np.array([each.severity for each in told]).T
    marks = np.array([each.change for each in told]).T
    before = [slice(0, min(cut, 1060) - 400) for cut in cuts]
    assert [
        np.array_equal(severity[n, part], answer.severity[part])
        and np.array_equal(marks[n, part], answer.mark[part])
        for n, (part, answer) in enumerate(zip(before, whole, strict=True))
    ] == [True] * 16


def test_resampled_training_rows_are_no_anomaly(experiments: list[skab.Experiment]) -> None:
    score = skab.resampled(experiments)
    assert score.value is not None
    assert score.value <= 5.0
