"""The evaluations there are, and one run of them all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ic3.clock import Clock
from ic3.evaluation import batadal, districts, pumps, sensor_faults, skab
from ic3.evaluation.report import Report, Score, commit, machine

Say = Callable[[str], None]


class Evaluate(Protocol):
    """Scores of one area; figures (PNG) go into `out`, progress to `say`."""

    def __call__(self, folder: Path, *, out: Path, say: Say) -> list[Score]: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One area of the evaluation.

    Attributes:
        found: Whether a folder, searched to its bottom, holds something for it; always true for
            what needs the simulated plant only.
    """

    name: str
    found: Callable[[Path], bool]
    evaluate: Evaluate


EVALUATIONS: Final[tuple[Evaluation, ...]] = (
    Evaluation("SKAB", skab.found, skab.evaluate),
    Evaluation("BATADAL", batadal.found, batadal.evaluate),
    Evaluation("sensor faults", sensor_faults.found, sensor_faults.evaluate),
    Evaluation("pump health", pumps.found, pumps.evaluate),
    Evaluation("non-revenue water", districts.found, districts.evaluate),
)


def run(folder: Path, *, out: Path, clock: Clock, say: Say) -> Report:
    """Score everything that `folder` and the simulated plant offer.

    Args:
        folder: Where labelled data lie, at any depth; recognised by what the files hold.
        out: Where the figures go.
        clock: Asked for the stamp and how long it took.
        say: Told what is being done.
    """
    began_s = clock.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    scores: list[Score] = []
    for evaluation in EVALUATIONS:
        if evaluation.found(folder):
            say(f"{evaluation.name} …")
            scores += evaluation.evaluate(folder, out=out, say=say)
        else:
            say(f"{evaluation.name}: nothing of it in {folder}, not scored")
    return Report(
        at=clock.now(), commit=commit(), machine=machine(), data=str(folder),
        seconds=clock.monotonic() - began_s, scores=tuple(scores),
    )  # fmt: skip
