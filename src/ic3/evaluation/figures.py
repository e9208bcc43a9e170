"""One picture a set of data: score, alarms and truth; needs the extra `eval`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One run of a detector.

    Attributes:
        score: float64 (rows,), NaN where not computed.
        alarm, truth: bool (rows,).
        marks: int64: rows with a change mark.
    """

    title: str
    score: npt.NDArray[np.float64]
    alarm: npt.NDArray[np.bool_]
    truth: npt.NDArray[np.bool_]
    marks: npt.NDArray[np.int64]


def draw(panels: Sequence[Panel], path: Path, *, score: str, say: Callable[[str], None]) -> None:
    """Write a PNG with a panel for each run: truth as a red ground, alarms as a bar at the foot.

    Args:
        panels: What to draw, left to right, then down.
        path: Of the PNG.
        score: What the line shows, in words.
        say: Told when matplotlib is not there.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        say(f"  no figure {path.name}: matplotlib is missing; pip install ic3[eval]")
        return
    across = min(4, len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(14.0, 0.6 + (3.0 if down == 1 else 1.3) * down), layout="tight")
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(down, across, number + 1)
        top = max(10.0, float(np.nanmax(panel.score, initial=0.0)))
        rows = np.arange(len(panel.score))
        axes.fill_between(rows, 0.0, top, where=panel.truth, color="#f3c6c6", step="mid", lw=0)
        axes.fill_between(
            rows, -0.08 * top, 0.0, where=panel.alarm, color="#b00020", step="mid", lw=0
        )
        axes.plot(rows, panel.score, color="#20486b", lw=0.7)
        for mark in panel.marks:
            axes.axvline(float(mark), color="#7a7a7a", lw=0.5, ls=":")
        axes.set_title(panel.title, fontsize=8, pad=2)
        axes.set_xlim(0, len(rows))
        axes.tick_params(labelsize=6)
    figure.suptitle(
        f"Line: {score}. Red ground: truth. Red bar: alarm. Dotted: change marks.", fontsize=9
    )
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=70 if down <= 4 else 45)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long after its begin each of `total` faults was found; others were not."""

    title: str
    unit: str
    after: Sequence[float]
    total: int


def draw_waits(waits: Sequence[Waits], path: Path, *, say: Callable[[str], None]) -> None:
    """Write a PNG with the share that was found so soon, a panel for each kind of fault.

    Args:
        waits: What to draw, left to right.
        path: Of the PNG.
        say: Told when matplotlib is not there.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        say(f"  no figure {path.name}: matplotlib is missing; pip install ic3[eval]")
        return
    figure = Figure(figsize=(14.0, 3.6), layout="tight")
    for number, each in enumerate(waits):
        axes = figure.add_subplot(1, len(waits), number + 1)
        after = sorted(each.after)
        shares = [(place + 1) / each.total for place in range(len(after))]
        axes.step([0.0, *after], [0.0, *shares], where="post", color="#20486b")
        axes.axhline(0.95, color="#7a7a7a", lw=0.5, ls=":")
        axes.set_title(f"{each.title}: {len(after)} of {each.total}", fontsize=8)
        axes.set_xlabel(each.unit, fontsize=7)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
        axes.tick_params(labelsize=6)
    figure.suptitle("Share of seeded faults found, by time after their begin", fontsize=9)
    FigureCanvasAgg(figure)
    figure.savefig(path, dpi=70)
