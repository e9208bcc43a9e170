"""BATADAL: a district with seven tanks, hourly, under cyber-attacks that hide themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ic3.analytics.detector import Detector
from ic3.analytics.tuning import DISTRICT, Tag
from ic3.evaluation import figures
from ic3.evaluation.detection import (
    Bools,
    Confusion,
    Floats,
    batadal_s,
    detection_shares,
    events_hit,
    words,
)
from ic3.evaluation.report import DEFAULT_DATA, Score

AREA: Final = "anomaly"
FLAG: Final = "ATT_FLAG"
_MARKS: Final = ("L_T1", "S_PU1")


@dataclass(frozen=True, slots=True)
class Period:
    """One file.

    Attributes:
        tags: Names of the columns.
        rows: float64 (hours, tags).
        attack: bool (hours,), or None in a file without labels.
    """

    path: Path
    tags: tuple[str, ...]
    rows: Floats
    attack: Bools | None


def files(folder: Path) -> list[Path]:
    """The BATADAL files below a folder, known by their first line."""
    return [path for path in sorted(folder.rglob("*.csv")) if set(_MARKS) <= set(_heading(path))]


def found(folder: Path) -> bool:
    """Whether there is such a file."""
    return bool(files(folder))


def read(path: Path) -> Period:
    """Read a file; a flag other than 1 (0, or -999 for unlabelled) counts as no attack."""
    _, *lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = _heading(path)
    cells = [line.split(",") for line in lines if line.strip()]
    column = {name: [row[number] for row in cells] for number, name in enumerate(names)}
    tags = tuple(name for name in names[1:] if name and name != FLAG)
    rows = np.array([[_number(cell) for cell in column[tag]] for tag in tags]).T
    attack = np.array([_number(cell) == 1.0 for cell in column[FLAG]]) if FLAG in column else None
    return Period(path, tags, rows, attack)


def trained(period: Period) -> Detector:
    """A detector fitted on a period without attacks."""
    detector = Detector(
        [Tag(name=name, level=name.startswith("L_")) for name in period.tags], DISTRICT
    )
    detector.fit(period.rows)
    return detector


def evaluate(folder: Path, *, out: Path, say: Callable[[str], None]) -> list[Score]:
    """Train on the file without attacks, score each file with attacks."""
    periods = [read(path) for path in files(folder)]
    tests = [each for each in periods if each.attack is not None and each.attack.any()]
    for each in periods:
        if each.attack is None:
            say(f"  {each.path.name} has no column {FLAG}: it cannot be scored")
    training = _training(periods, say)
    if training is None or not tests:
        return []
    detector = trained(training)
    ready = detector.state()
    scores = []
    for test in tests:
        detector.restore(ready)
        scores += _scores(test, detector, out, say)
    return scores


def _training(periods: list[Period], say: Callable[[str], None]) -> Period | None:
    """The longest file without attacks, of the folder or else of the usual one."""
    calm = [each for each in periods if each.attack is not None and not each.attack.any()]
    if not calm:
        calm = [
            each
            for each in map(read, files(DEFAULT_DATA))
            if each.attack is not None and not each.attack.any()
        ]
        if not calm:
            say(f"  no file whose {FLAG} is 0 throughout, to train on; put dataset03.csv there")
            return None
        say(f"  trained on {calm[0].path}: the folder has no file without attacks")
    return max(calm, key=lambda each: len(each.rows))


def _scores(
    test: Period, detector: Detector, out: Path, say: Callable[[str], None]
) -> list[Score]:  # fmt: skip
    assert test.attack is not None
    told = [detector.update(row) for row in test.rows]
    alarm = np.array([each[0] for each in told], np.bool_)
    truth = test.attack
    counted, hit = Confusion.of([(alarm, truth)]), events_hit(alarm, truth)
    s = batadal_s(alarm, truth)
    data = f"BATADAL, {test.path.stem}"
    figures.draw(
        [
            figures.Panel(
                title=data, score=np.array([each[2] for each in told]), alarm=alarm, truth=truth,
                marks=np.empty(0, np.int64),
            )
        ],
        out / f"eval-batadal-{test.path.stem}.png", score="severity", say=say,
    )  # fmt: skip
    shares = ", ".join(f"{share:.2f}" for share in detection_shares(alarm, truth))
    return [
        Score(
            area=AREA, data=data, figure="S", value=s, blind=0.75, goal="≥ 0.90", met=s >= 0.9,
            note="blind: always in alarm",
        ),
        Score(
            area=AREA, data=data, figure="attacks found, %", value=100.0 * sum(hit) / len(hit),
            blind=100.0, goal="100", met=all(hit),
            note=f"{words(hit)}; time to detect over length: {shares}",
        ),
        Score(area=AREA, data=data, figure="F1", value=counted.f1, blind=counted.always().f1),
        Score(
            area=AREA, data=data, figure="false-alarm rate, %", blind=100.0,
            value=100.0 * counted.false_alarm_rate,
        ),
    ]  # fmt: skip


def _heading(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        return [name.strip() for name in lines.readline().split(",")]


def _number(cell: str) -> float:
    return float(cell) if cell.strip() else np.nan
