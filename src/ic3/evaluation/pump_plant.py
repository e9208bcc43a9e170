"""Faults seeded into the simulated plant, and what pump health makes of its readings."""

import json
from collections.abc import Sequence
from typing import Final

import numpy as np

from ic3.analytics.pump_curves import healthy_points, learned_reference
from ic3.analytics.pump_health import PumpAssessment, assess
from ic3.analytics.pump_limits import limits_for
from ic3.analytics.pump_samples import QUANTITIES, Floats, PumpNameplate, PumpSamples
from ic3.evaluation.report import Score

AREA: Final = "pump health"
DATA: Final = "simulated plant, 40 pumps"
DAY_S: Final = 86_400
BEGIN_S: Final = 1_781_487_000 // DAY_S * DAY_S
STEP_S: Final = 600
HEALTHY_DAYS: Final = 4
SETTLING_DAYS: Final = 1
JUDGED_DAYS: Final = 1
# A fault of the plant grows over a share of its time; this long, it is whole when judged.
FAULT_MINUTES: Final = 2.0 * 1440
WORN: Final = {13: 4.0, 14: 7.0, 17: 10.0, 18: 13.0, 22: 16.0, 27: 19.0, 30: 22.0, 33: 25.0}
UNBALANCED: Final = (20, 24, 28)
ROUGH: Final = (15, 25, 34)


def plant_scores() -> list[Score]:
    """Scores on the bundled plant; one row that says so where it is not installed."""
    try:
        import epanet_plus  # noqa: F401  an extra
    except ImportError:
        return [
            Score(area=AREA, data=DATA, figure="Spearman, true loss and head index", value=None,
                  goal="≥ 0.9", note="the simulated plant is not installed: pip install ic3[sim]")
        ]  # fmt: skip
    judged = _assessments(_readings())
    return [_ranked(judged), _false(judged), _named(judged)]


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation of two sequences without ties."""
    one, other = (np.argsort(np.argsort(each)) for each in (first, second))
    apart = int(((one - other) ** 2).sum())
    return 1 - 6 * apart / (len(first) * (len(first) ** 2 - 1))


def _ranked(judged: list[PumpAssessment]) -> Score:
    lost = list(WORN.values())
    index = [judged[pump].value("head") for pump in WORN]
    known = [(a, b) for a, b in zip(lost, index, strict=True) if b is not None]
    rank = spearman([loss for loss, _ in known], [-value for _, value in known])
    return Score(
        area=AREA, data=DATA, figure="Spearman, true loss and head index", value=rank, blind=0.0,
        goal="≥ 0.9", met=rank >= 0.9 and len(known) == len(WORN),
        note=f"{len(known)} of {len(WORN)} worn pumps could be judged; reference of {HEALTHY_DAYS}"
        " days",
    )  # fmt: skip


def _false(judged: list[PumpAssessment]) -> Score:
    sound = [each for at, each in enumerate(judged) if at not in (*WORN, *UNBALANCED, *ROUGH)]
    heads = [value for each in sound if (value := each.value("head")) is not None]
    signs = sum(bool(each.signs) for each in sound)
    worst = float(min(heads))
    return Score(
        area=AREA, data=DATA, figure="lowest head index of a sound pump, %", value=worst,
        goal="≥ -2", met=worst >= -2 and not signs,
        note=f"{len(sound)} sound pumps, {len(heads)} judged; {signs} of them show a sign",
    )  # fmt: skip


def _named(judged: list[PumpAssessment]) -> Score:
    wanted = [(pump, "imbalance") for pump in UNBALANCED] + [(pump, "bearing") for pump in ROUGH]
    right = sum(name in [sign.name for sign in judged[pump].signs] for pump, name in wanted)
    share = right / len(wanted)
    return Score(
        area=AREA, data=DATA, figure="share of faults with the right cause", value=share,
        blind=1 / 5, goal="≥ 0.8", met=share >= 0.8,
        note=f"{len(UNBALANCED)} imbalances, {len(ROUGH)} rough bearings; blind: one of five signs",
    )  # fmt: skip


def _readings() -> dict[str, Floats]:
    """Tag to float64 (samples, pumps) of a plant in which faults begin after the healthy days."""
    from ic3.simulator.faults import Planned
    from ic3.simulator.plant import Plant

    plant = Plant()
    plant.begin(BEGIN_S)
    at = [number for number, each in enumerate(plant.assets) if each.kind.infix == "Pump"]
    planned = [("worn_pump", pump, size) for pump, size in WORN.items()]
    planned += [("imbalance", pump, 5.0) for pump in UNBALANCED]
    planned += [("rough_bearing", pump, 3.0) for pump in ROUGH]
    for kind, pump, size in planned:
        plant.faults.start(
            Planned(kind=kind, where=plant.assets[at[pump]].serial, magnitude=size,
                    after_min=1440.0 * HEALTHY_DAYS, minutes=FAULT_MINUTES),
            from_s=BEGIN_S,
        )  # fmt: skip
    days = HEALTHY_DAYS + SETTLING_DAYS + JUDGED_DAYS
    rows = []
    while plant.at_s < BEGIN_S + days * DAY_S:
        plant.move(STEP_S)
        plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // STEP_S)
        said = [json.loads(plant.envelope(number))["values"] for number in at]
        rows.append([[values[tag] for values in said] for tag in QUANTITIES])
    plant.close()
    table = np.array(rows, dtype=np.float64)
    return {tag: table[:, number, :] for number, tag in enumerate(QUANTITIES)}


def _assessments(readings: dict[str, Floats]) -> list[PumpAssessment]:
    plate = PumpNameplate(nominal_rpm=1480, rated_voltage_v=415)
    a_day = DAY_S // STEP_S
    judged = []
    for pump in range(readings["PUMP_STS"].shape[1]):
        days = [_day(readings, pump, day * a_day, (day + 1) * a_day) for day in range(HEALTHY_DAYS)]
        reference = learned_reference([healthy_points(day, plate) for day in days], plate)
        last = _day(readings, pump, (HEALTHY_DAYS + SETTLING_DAYS) * a_day, None)
        judged.append(assess(last, reference, limits_for(plate), plate=plate))
    return judged


def _day(readings: dict[str, Floats], pump: int, first: int, end: int | None) -> PumpSamples:
    values = {tag: table[first:end, pump] for tag, table in readings.items()}
    return PumpSamples.of(STEP_S * np.arange(float(len(values["PUMP_STS"]))), values)
