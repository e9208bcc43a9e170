"""Causes named on files of a laboratory rig with accelerometers, current, pressure and flow."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ic3.analytics.pump_samples import Floats
from ic3.analytics.pump_signs import IMBALANCE, Departure, Sign, named
from ic3.evaluation.report import Score

AREA: Final = "pump health"
COLUMNS: Final = (
    "Accelerometer1RMS", "Accelerometer2RMS", "Current", "Pressure", "Volume Flow RateRMS",
)  # fmt: skip
_SHAKES, _CURRENT, _PRESSURE, _FLOW = slice(0, 2), 2, 3, 4
HEALTHY_ROWS: Final = 400
WINDOW_ROWS: Final = 30
STEP_ROWS: Final = 10
# In g, most of the level is noise of flow and bearings: imbalance adds less than it does in mm/s.
VIBRATION_UP: Final = 1.06
UNCHANGED_PERCENT: Final = 5.0
UNCHANGED_SIGMAS: Final = 4.0
# The rig's pressure is 0 but for its steps: a change is set against ten of its own scatters.
SCATTERS: Final = 10.0
LEAST_WINDOWS: Final = 2


@dataclass(frozen=True, slots=True)
class RigCause:
    """What a file shows after its healthy rows.

    Attributes:
        sign: Named most often, None where hardly any window shows one.
        share: Of the windows that show it.
        vibration_ratio: Highest level of a window by that of the healthy rows.
    """

    sign: Sign | None
    share: float
    vibration_ratio: float


def rig_cause(rows: Floats) -> RigCause:
    """Name the cause that the rows after the first 400 show, window by window.

    Vibration is the mean of both accelerometers' ratios. Flow, pressure and current count as
    unchanged while a window's mean lies within 4 standard deviations of such means in health, or
    within 5 %; the suction is not known.

    Args:
        rows: float64 (rows, 5), in the order of `COLUMNS`; the first 400 are healthy.
    """
    healthy = rows[:HEALTHY_ROWS]
    usual = _windows(healthy)
    departures = [_departure(window, healthy, usual) for window in _cut(rows[HEALTHY_ROWS:])]
    signs = [
        named(each, vibration_up=VIBRATION_UP, unchanged_percent=UNCHANGED_PERCENT)
        for each in departures
    ]
    highest = max((each.vibration_ratio or 0.0 for each in departures), default=0.0)
    counts = {sign.name: (signs.count(sign), sign) for sign in signs if sign is not None}
    if not counts:
        return RigCause(None, 0.0, highest)
    count, sign = max(counts.values(), key=lambda each: each[0])
    return RigCause(sign if count >= LEAST_WINDOWS else None, count / len(signs), highest)


def rig_scores(folder: Path) -> list[Score]:
    """One row a folder of rig files: how many files show imbalance, and which."""
    files = [path for path in sorted(folder.rglob("*.csv")) if _is_rig(path)]
    scores = []
    for place in sorted({path.parent for path in files}):
        causes = {path.name: rig_cause(_read(path)) for path in files if path.parent == place}
        shown = [name for name, cause in causes.items() if cause.sign is IMBALANCE]
        others = [
            f"{name} {cause.sign.name}" for name, cause in causes.items()
            if cause.sign is not None and cause.sign is not IMBALANCE
        ]  # fmt: skip
        highest = max(cause.vibration_ratio for cause in causes.values())
        scores.append(
            Score(
                area=AREA, data=f"rig, {place.name}, {len(causes)} files",
                figure="files that show imbalance", value=float(len(shown)),
                note=f"{', '.join(shown) or 'none'}; other signs: {', '.join(others) or 'none'};"
                f" highest vibration {highest:.2f} of healthy. Valve experiments should show none",
            )
        )  # fmt: skip
    return scores


def _departure(window: Floats, healthy: Floats, usual: Floats) -> Departure:
    level = np.median(healthy[:, _SHAKES], axis=0)
    ratio = float(np.mean(np.median(window[:, _SHAKES], axis=0) / level))
    means, noise = usual.mean(axis=0), healthy.std(axis=0)
    # So few healthy windows may lie closer together than chance would have them.
    spread = np.maximum(usual.std(axis=0), noise / np.sqrt(WINDOW_ROWS))
    change = window.mean(axis=0) - means
    percent = 100 * change / np.maximum(np.abs(means), SCATTERS * noise)
    moved = np.where(np.abs(change) > UNCHANGED_SIGMAS * spread, percent, 0.0)
    rough = [float(window[:, at].std() / noise[at]) for at in (_FLOW, _CURRENT) if noise[at] > 0]
    hydraulic = max(moved[_FLOW], moved[_PRESSURE], key=abs)
    return Departure(
        vibration_ratio=ratio, head_percent=float(hydraulic),
        power_percent=float(moved[_CURRENT]), noise_ratio=max(rough, default=None),
    )  # fmt: skip


def _cut(rows: Floats) -> list[Floats]:
    return [rows[at : at + WINDOW_ROWS] for at in range(0, len(rows) - WINDOW_ROWS + 1, STEP_ROWS)]


def _windows(rows: Floats) -> Floats:
    return np.array([window.mean(axis=0) for window in _cut(rows)])


def _is_rig(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return set(COLUMNS) <= set(file.readline().strip().split(";"))


def _read(path: Path) -> Floats:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return np.array([[float(row[name]) for name in COLUMNS] for row in rows])
