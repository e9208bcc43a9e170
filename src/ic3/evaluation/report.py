"""Scores and what is made of them: a table, one JSON file, one Markdown page."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

DEFAULT_DATA: Final = Path("../shared/eval")
HEADINGS: Final = ["area", "data", "figure", "value", "blind", "goal", "met", "note"]
NUMBERS: Final = (3, 4)
_MET: Final = {True: "yes", False: "NO", None: "–"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One figure of one set of data.

    Attributes:
        area: What is judged: "anomaly", "pump health", "non-revenue water".
        data: The set, such as "SKAB, 16 files".
        figure: What was measured, with its unit, such as "F1" or "false alarms a pump-year".
        value: None where it could not be computed; `note` then says why.
        blind: The same figure of the best answer that looks at no value; None where there is none.
        goal: In words, such as "≥ 0.83"; empty where the figure is only shown.
        met: Whether `value` meets `goal`; None where there is no goal or no value.
        note: What a reader must know to read the figure rightly.
    """

    area: str
    data: str
    figure: str
    value: float | None
    blind: float | None = None
    goal: str = ""
    met: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Scores with where and when they were made.

    Attributes:
        seconds: How long the evaluation took, by the clock on the wall.
    """

    at: datetime
    commit: str
    machine: str
    data: str
    seconds: float
    scores: tuple[Score, ...]


def rows(scores: Sequence[Score]) -> list[list[str]]:
    """The cells of a table under HEADINGS, one row a score."""
    return [
        [
            score.area, score.data, score.figure, _number(score.value), _number(score.blind),
            score.goal, _MET[score.met], score.note,
        ]
        for score in scores
    ]  # fmt: skip


def write(report: Report, out: Path) -> None:
    """Write `eval.json` and `eval.md` into `out`, which is made where it is not there."""
    out.mkdir(parents=True, exist_ok=True)
    # A number of numpy is a number.
    text = msgspec.json.format(msgspec.json.encode(report, enc_hook=float), indent=2)
    (out / "eval.json").write_bytes(text + b"\n")
    lines = [
        "# The analytics on labelled data",
        "",
        f"Commit {report.commit}, {report.at:%Y-%m-%d %H:%M} UTC, {report.machine};"
        f" data: {report.data}; {report.seconds:.0f} s. Written by `make eval`; what was tuned on"
        " what is in the [log](eval-tuning.md).",
        "",
        f"| {' | '.join(HEADINGS)} |",
        "|---" * len(HEADINGS) + "|",
        *(f"| {' | '.join(row)} |" for row in rows(report.scores)),
    ]
    (out / "eval.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def commit() -> str:
    """The commit the program runs from, with a plus sign where files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    done = subprocess.run(  # noqa: S603  no argument is anyone's input
        [git, "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=10,
    )  # fmt: skip
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """Cores and versions: what the times depend on."""
    return (
        f"{os.cpu_count()} cores {platform.machine()}, Python {platform.python_version()},"
        f" numpy {np.__version__}"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
