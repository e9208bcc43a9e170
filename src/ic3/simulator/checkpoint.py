"""What the plant keeps in a file: levels and totals go on without a jump after a restart."""

import os
from pathlib import Path
from typing import Final

import msgspec

from ic3.simulator.demand import DAY_S
from ic3.simulator.faults import Event
from ic3.simulator.plant import Plant, State

VERSION: Final = 1
CATCH_UP_S: Final = 2 * DAY_S
TOTALS: Final = "total_m3"


class Moment(msgspec.Struct):
    """The plant's state at a time, seconds since 1970 UTC."""

    at_s: int
    state: State


class Checkpoint(msgspec.Struct):
    """The content of the file.

    Attributes:
        begun: The first live moment: back-filled history ends there.
        now: The last one that was kept.
    """

    version: int
    seed: int
    begun: Moment
    now: Moment
    events: list[Event]


def load(path: Path | None, *, seed: int) -> Checkpoint | None:
    """The file's content, or None where there is none that fits."""
    if path is None or not path.exists():
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if (found.version, found.seed) == (VERSION, seed) else None


def save(path: Path | None, checkpoint: Checkpoint) -> None:
    """Replace the file at once and whole."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(checkpoint))
    os.replace(fresh, path)


def resume(plant: Plant, found: Checkpoint | None, *, at_s: int) -> Moment:
    """Bring a plant to `at_s`, from where it was left or afresh; answers its first moment."""
    if found is None or found.now.at_s > at_s:
        plant.begin(at_s)
        return Moment(at_s, plant.state())
    plant.faults.restore(found.events)
    if at_s - found.now.at_s <= CATCH_UP_S:
        plant.restore(found.now.state, at_s=found.now.at_s)
        plant.run_to(at_s)
    else:
        # Too long ago to run through; a meter's total goes on all the same.
        plant.begin(at_s)
        plant.set_totals(found.now.state[TOTALS])
    return found.begun


def keep(plant: Plant, *, begun: Moment) -> Checkpoint:
    """The plant as it is now."""
    return Checkpoint(
        VERSION, plant.seed, begun, Moment(plant.at_s, plant.state()), plant.faults.events
    )
