"""BATADAL: forms of its files, and the score that stays where it was."""

from pathlib import Path

import labelled
import numpy as np
import pytest

from ic3.evaluation import batadal
from ic3.evaluation.report import Score

HEADING = "DATETIME, L_T1, F_PU1, S_PU1, P_J280, ATT_FLAG"


def made(path: Path, *, heading: str = HEADING, attack: int = 0, calm: int = 0) -> Path:
    """Hours of a tank, a pump and a pressure; an attack holds the level the report shows."""
    hours = np.arange(600)
    flow = 50.0 + 20.0 * np.sin(hours / 7.0) + np.random.default_rng(5).normal(size=600)
    level = 3.0 + np.cumsum(flow - 50.0) / 100.0
    attacked = (hours >= 300) & (hours < 360) & (attack == 1)
    shown = np.where(attacked, level[300], level)
    table = [
        f"01/02/16 {hour % 24:02d},{shown[hour]:.3f},{flow[hour]:.2f},1,{40 + flow[hour] / 9:.2f}"
        + (f",{attack if attacked[hour] else calm}" if "ATT_FLAG" in heading else "")
        for hour in hours
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([heading, *table]) + "\n", encoding="utf-8")
    return path


def scored(folder: Path, said: list[str]) -> dict[str, Score]:
    out = folder.parent
    return {s.figure: s for s in batadal.evaluate(folder, out=out, say=said.append)}


def test_names_with_spaces_and_flags_of_unlabelled_hours_are_read(tmp_path: Path) -> None:
    period = batadal.read(made(tmp_path / "t.csv", attack=1, calm=-999))
    assert period.tags == ("L_T1", "F_PU1", "S_PU1", "P_J280")
    assert period.attack is not None
    assert period.attack.sum() == 60


def test_the_file_without_attacks_is_learnt_from(tmp_path: Path) -> None:
    made(tmp_path / "in" / "a" / "calm.csv")
    made(tmp_path / "in" / "b" / "test.csv", attack=1)
    scores = scored(tmp_path / "in", [])
    assert scores["attacks found, %"].value == 100.0
    assert scores["S"].blind == 0.75


def test_a_file_without_labels_is_named_and_not_scored(tmp_path: Path) -> None:
    made(tmp_path / "in" / "calm.csv")
    made(tmp_path / "in" / "blank.csv", heading=HEADING.removesuffix(", ATT_FLAG"))
    said: list[str] = []
    assert scored(tmp_path / "in", said) == {}
    assert said == ["  blank.csv has no column ATT_FLAG: it cannot be scored"]


def test_without_anything_to_learn_from_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made(tmp_path / "in" / "test.csv", attack=1)
    said: list[str] = []
    assert scored(tmp_path / "in", said) == {}
    assert "to train on" in said[0]


def test_the_usual_folder_helps_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    made(tmp_path / "shared" / "eval" / "batadal" / "dataset03.csv")
    made(tmp_path / "in" / "test.csv", attack=1)
    said: list[str] = []
    assert scored(tmp_path / "in", said)["attacks found, %"].value == 100.0
    assert "dataset03.csv: the folder has no file without attacks" in said[0]


def test_the_score_stays_where_it_was(tmp_path: Path) -> None:
    folder = labelled.folder("batadal")
    scores = {s.figure: s for s in batadal.evaluate(folder, out=tmp_path, say=lambda _: None)}
    assert scores["S"].value == pytest.approx(0.959, abs=0.01)
    assert scores["attacks found, %"].value == 100.0
