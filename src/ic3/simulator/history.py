"""History of the plant, much faster than real time, as frames on a stream.

A first line tells what comes. Each frame is a line `seconds keys bytes`, then two lines a key: the
key, its envelope.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import numpy as np

from ic3.simulator import scenarios
from ic3.simulator.checkpoint import TOTALS, Moment, keep, load, save
from ic3.simulator.demand import DAY_S
from ic3.simulator.plant import COARSE_S, METER_ROLLOVER_M3, Plant

FINE_S: Final = 15
FINE_SPAN_S: Final = 3600
PREFIX: Final = "ic3:latest:"


class Coming(msgspec.Struct):
    """The first line."""

    from_s: int
    to_s: int
    steps: int
    assets: int


def moments(to_s: int, days: float) -> list[int]:
    """When history is read: every 5 minutes, every 15 s in the last hour; `to_s` is not among."""
    begin = to_s - int(days * DAY_S)
    fine = max(begin, to_s - FINE_SPAN_S)
    # On the grid of whole steps, so that doing it again gives the same readings.
    first = -(-begin // COARSE_S) * COARSE_S
    coarse = range(first, fine, COARSE_S)
    return [*coarse, *range(-(-fine // FINE_S) * FINE_S, to_s, FINE_S)]


def write(out: BinaryIO, *, seed: int, days: float, scenario: str, state: Path | None) -> None:
    """Write the history up to the first live moment, or up to now where there is none yet.

    Raises:
        FaultError: The scenario cannot be played.
    """
    found = load(state, seed=seed)
    to_s = found.begun.at_s if found else int(time.time()) // FINE_S * FINE_S
    steps = moments(to_s, days)
    plant = Plant(seed)
    scenarios.plan(plant.faults, scenario, from_s=to_s)
    coming = Coming(steps[0], to_s, len(steps), len(plant.assets))
    out.write(msgspec.json.encode(coming) + b"\n")
    out.flush()
    plant.begin(steps[0])
    if found:
        plant.set_totals(_totals_before(seed, scenario, steps, found.begun))
    for frame in _frames(plant, steps):
        out.write(frame)
    out.flush()
    plant.run_to(to_s)
    if found is None:
        plant.faults.restore([])
        save(state, keep(plant, begun=Moment(to_s, plant.state())))
    plant.close()


def _totals_before(seed: int, scenario: str, steps: list[int], begun: Moment) -> list[float]:
    """What the meters must have shown at the first step to show at `begun` what they did."""
    plant = Plant(seed)
    scenarios.plan(plant.faults, scenario, from_s=begun.at_s)
    plant.begin(steps[0])
    before = np.array(plant.state()[TOTALS])
    for at_s in [*steps[1:], begun.at_s]:
        plant.move(at_s - plant.at_s)
    passed = (np.array(plant.state()[TOTALS]) - before) % METER_ROLLOVER_M3
    plant.close()
    shown: list[float] = ((np.array(begun.state[TOTALS]) - passed) % METER_ROLLOVER_M3).tolist()
    return shown


def _frames(plant: Plant, steps: list[int]) -> Iterator[bytes]:
    for at_s in steps:
        plant.move(at_s - plant.at_s)
        plant.read(at_ns=at_s * 1_000_000_000, tick=at_s // FINE_S)
        lines = [f"{PREFIX}{serial}\n{text}\n" for serial, text in plant.fresh()]
        body = "".join(lines).encode()
        yield b"%d %d %d\n" % (at_s, len(lines), len(body)) + body
