"""The scores of pump health, on little enough data to be quick."""

from pathlib import Path

import numpy as np
import pytest

from ic3.analytics.pump_samples import Floats
from ic3.evaluation import pumps
from ic3.evaluation.pump_plant import spearman
from ic3.evaluation.pump_rig import COLUMNS, rig_cause, rig_scores
from ic3.evaluation.pump_twin import Wear, indices, measured, truth


def random() -> np.random.Generator:
    return np.random.default_rng(7)


def sec_change_percent(wear: Wear) -> float:
    worn, sound = truth(wear, 1), truth(Wear(), 1)
    now = worn.power_kw.sum() / worn.flow_m3_h.sum()
    return float(100 * (now / (sound.power_kw.sum() / sound.flow_m3_h.sum()) - 1))


def test_worn_head_makes_the_specific_energy_look_better() -> None:
    assert indices(truth(Wear(head=0.05), 1))[0] == pytest.approx([-5.0])
    assert sec_change_percent(Wear(head=0.05)) == pytest.approx(-2.7, abs=0.3)


def test_recirculation_costs_head_efficiency_and_energy() -> None:
    head, efficiency = indices(truth(Wear(recirculation=0.08), 1))
    assert head == pytest.approx([-5.2], abs=0.1)
    assert efficiency == pytest.approx([-7.6], abs=0.1)
    assert sec_change_percent(Wear(recirculation=0.08)) == pytest.approx(5.7, abs=0.5)


def test_days_scatter_as_on_real_gauges() -> None:
    head, efficiency = indices(measured(truth(Wear(), 4000), random()))
    assert head.std() == pytest.approx(0.44, abs=0.03)
    assert efficiency.std() == pytest.approx(0.7, abs=0.06)


def test_loss_of_5_percent_is_flagged_within_a_week() -> None:
    score = pumps.delay(random(), 5)
    assert score.met
    assert score.value == 1.0


def test_false_alarms_stay_under_the_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "HEALTHY_PUMP_YEARS", 30)
    assert pumps.false_alarms(random()).met


def test_twenty_wears_are_ranked() -> None:
    score = pumps.ranking(random())
    assert score.met
    assert score.value is not None
    assert score.value > 0.95


def test_remaining_lives_lie_in_their_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "LIVES", 5)
    (score,) = pumps.life(random())
    assert score.value == pytest.approx(0.92, abs=0.08)


def test_rank_correlation_by_hand() -> None:
    # Differences of rank 0, 1, -1, 0: 1 - 6 * 2 / (4 * 15)
    assert spearman([1.0, 2, 3, 4], [10.0, 30, 20, 40]) == pytest.approx(0.8)


# Rig files


def rig(*, shaking: float = 1.0, flow: float = 32.0, rough: float = 1.0) -> Floats:
    """Healthy rows, then 700 with a fault."""
    drawn = random().standard_normal((1100, 5))
    usual = np.array([0.027, 0.040, 1.0, 0.05, 32.0])
    scatter = np.array([0.0004, 0.0008, 0.3, 0.25, 0.3])
    rows: Floats = usual + scatter * drawn
    rows[400:, :2] *= shaking
    rows[400:, 4] = flow + rough * 0.3 * drawn[400:, 4]
    return rows


def test_shaking_with_hydraulics_unchanged_is_imbalance() -> None:
    cause = rig_cause(rig(shaking=1.3))
    assert cause.sign is not None
    assert cause.sign.name == "imbalance"
    assert cause.share > 0.9


def test_shaking_with_rough_and_falling_flow_is_cavitation() -> None:
    cause = rig_cause(rig(shaking=1.3, flow=27, rough=6))
    assert cause.sign is not None
    assert cause.sign.name == "cavitation"


def test_valve_that_closes_and_healthy_rows_are_neither() -> None:
    assert rig_cause(rig()).sign is None
    assert rig_cause(rig(flow=27)).sign is None
    assert rig_cause(rig(shaking=1.3, flow=27)).sign is None


def test_rig_files_are_known_by_their_header(tmp_path: Path) -> None:
    table = "\n".join(";".join(f"{value:.5f}" for value in row) for row in rig(shaking=1.3))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.csv").write_text(f"{';'.join(COLUMNS)}\n{table}\n")
    (tmp_path / "other.csv").write_text("a;b\n1;2\n")
    (score,) = rig_scores(tmp_path)
    assert (score.data, score.value) == ("rig, er, 1 files", 1.0)
    assert score.note.startswith("a.csv; other signs: none")
