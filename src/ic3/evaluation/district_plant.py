"""The simulated plant's districts with what is true of them: leakage, bills, turns of supply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from ic3.analytics.dma import DMA, InflowMeter, NightUser, PressurePoint
from ic3.analytics.inflow import DAY_S, HOUR_S, Floats, Ints, Readings, local_time
from ic3.analytics.nrw import NRWReport, nrw_report
from ic3.analytics.water_balance import WaterBalance
from ic3.evaluation.report import Score
from ic3.simulator import network
from ic3.simulator.demand import DOMESTIC
from ic3.simulator.network import UNAUTHORISED_SHARE, UNDER_REGISTRATION_SHARE
from ic3.simulator.plant import Plant

STEP_S: Final = 600
SPELL_DAYS: Final = 2
# Midnights in Delhi, one in each season: the plant's year is a sine, so four stand for it.
SPELLS_S: Final = tuple(1_767_205_800 + quarter * 91 * DAY_S for quarter in range(4))
METER_ACCURACY_PERCENT: Final = 1.2
M_A_BAR: Final = 10.197
WITHIN: Final = 0.10
EDGE_MIN: Final = 15.0
CLOSED: Final = 1e-9


@dataclass(frozen=True, slots=True)
class DistrictSpell:
    """A district over some days.

    Attributes:
        leaked_m3: True real losses.
        turns: True hours of supply of a day, local; empty where it is continuous.
    """

    dma: DMA
    readings: Readings
    leaked_m3: float
    turns: tuple[tuple[float, float], ...]


def spells(seed: int) -> list[DistrictSpell]:
    """Every district of the plant in every season, without any fault."""
    plant = Plant(seed)
    found = [each for start_s in SPELLS_S for each in _spell(plant, start_s)]
    plant.close()
    return found


def _spell(plant: Plant, start_s: int) -> list[DistrictSpell]:
    plant.begin(start_s, ((6 * HOUR_S, STEP_S),))
    at_s = start_s + STEP_S * np.arange(SPELL_DAYS * DAY_S // STEP_S, dtype=np.int64)
    dmas = plant.network.dmas
    names = [_tags(plant, dma) for dma in dmas]
    places = np.array([[plant.instruments.place[each] for each in pair] for pair in names])
    shown = np.zeros((len(at_s), len(dmas), 2))
    leaked, delivered = np.zeros(len(dmas)), np.zeros(len(dmas))
    for tick, moment in enumerate(at_s.tolist()):
        plant.read(at_ns=moment * 1_000_000_000, tick=tick)
        shown[tick] = plant.instruments.true[places]
        leaked += np.array(plant.dma_leakage_m3_h()) * STEP_S / HOUR_S
        delivered += np.array(plant.dma_delivered_m3_h()) * STEP_S / HOUR_S
        plant.move(STEP_S)
    return [
        DistrictSpell(
            _definition(dma, names[number], float(delivered[number]) / SPELL_DAYS),
            _readings(at_s, names[number], shown[:, number]), float(leaked[number]), dma.windows,
        )
        for number, dma in enumerate(dmas)
    ]  # fmt: skip


def _readings(at_s: Ints, names: tuple[str, str], shown: Floats) -> Readings:
    return Readings(at_s, {names[0]: shown[:, 0], names[1]: shown[:, 1] * M_A_BAR})


def _tags(plant: Plant, dma: network.DMA) -> tuple[str, str]:
    """The flow tag of the inlet's meter and the pressure tag of the average point."""
    meter = next(
        each for each in plant.assets
        if each.kind.infix == "BFM" and each.place.of == dma.inlet.name
    )  # fmt: skip
    point = next(
        each
        for each in plant.assets
        if each.kind.infix == "PT" and each.place.node == dma.average_point
    )
    return f"{meter.serial}:{meter.tags[0].code}", f"{point.serial}:{point.tags[0].code}"


def _definition(dma: network.DMA, names: tuple[str, str], delivered_m3_d: float) -> DMA:
    """As an engineer would write it who knows bills and night use from surveys."""
    meter, point = (name.rpartition(":") for name in names)
    lawful = delivered_m3_d * (1 - UNAUTHORISED_SHARE)
    night = delivered_m3_d / 24 * float(DOMESTIC[2:4].mean())
    return DMA(
        dma_id=dma.dma_id, name=dma.name, domain=dma.domain,
        valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        meters=(
            InflowMeter(
                serial=meter[0], tag=meter[2], accuracy_percent=METER_ACCURACY_PERCENT
            ),
        ),
        pressure_points=(PressurePoint(serial=point[0], tag=point[2], point="average"),),
        mains_km=dma.mains_km, connections=dma.connections, population=dma.population,
        active_share=0.0, night_users=(NightUser(name="all, by survey", flow_m3_h=night),),
        n1=0.6, supply="intermittent" if dma.windows else "continuous",
        billed_m3_d=lawful * (1 - UNDER_REGISTRATION_SHARE),
        unauthorised_share=UNAUTHORISED_SHARE, under_registration_share=UNDER_REGISTRATION_SHARE,
    )  # fmt: skip


def plant_scores(found: Sequence[DistrictSpell]) -> list[Score]:
    """Balance, leak volumes and supply of the plant's districts against the truth."""
    reports = [(each, nrw_report(each.dma, each.readings)) for each in found]
    turns = [(spell, report) for spell, report in reports if spell.turns]
    steady = [(spell, report) for spell, report in reports if not spell.turns]
    return [
        _closure(reports), _volumes(steady, "continuous"), _volumes(turns, "by turns"),
        _bottom_up(steady), _refusals(turns), _edges(turns),
    ]  # fmt: skip


Reports = Sequence[tuple[DistrictSpell, NRWReport]]


def _score(data: str, figure: str, value: float, goal: str, *, met: bool, note: str = "") -> Score:
    return Score(
        area="non-revenue water", data=f"plant, {data}", figure=figure, value=value, goal=goal,
        met=met, note=note,
    )  # fmt: skip


def _closure(reports: Reports) -> Score:
    worst = max(_open_share(report.balance) for _, report in reports if report.balance)
    return _score(
        f"{len(reports)} district spells", "largest gap of a balance, of its input", worst,
        f"≤ {CLOSED:g}", met=worst <= CLOSED,
    )  # fmt: skip


def _open_share(balance: WaterBalance) -> float:
    parts = (
        balance.billed_authorised.m3 + balance.unbilled_authorised.m3
        + balance.apparent_losses.m3 + balance.real_losses.m3
    )  # fmt: skip
    return abs(parts - balance.system_input.m3) / balance.system_input.m3


def _volumes(reports: Reports, supply: str) -> Score:
    """Districts whose real losses over all seasons, top-down, are within 10 % of the truth."""
    told: dict[str, float] = {}
    true: dict[str, float] = {}
    for spell, report in reports:
        name = spell.dma.dma_id
        real = report.balance.real_losses.m3 if report.balance else 0.0
        told[name] = told.get(name, 0.0) + real
        true[name] = true.get(name, 0.0) + spell.leaked_m3
    errors = np.array([told[name] / true[name] - 1 for name in told])
    near = int((np.abs(errors) <= WITHIN).sum())
    losses = [
        (report.balance.real_losses, spell.leaked_m3)
        for spell, report in reports if report.balance
    ]  # fmt: skip
    held = sum(abs(volume.m3 - leaked) <= volume.band_m3 for volume, leaked in losses)
    return _score(
        f"{len(told)} districts, {supply}", "leak volume of a year within 10 %", near,
        f"{len(told)}", met=near == len(told),
        note=f"top-down; median error {100 * float(np.median(np.abs(errors))):.1f} %, largest"
        f" {100 * float(np.abs(errors).max()):.0f} %; the meters are wrong by 0.6 % of the inflow"
        f" (1 sigma); the 95 % band holds the truth in {held} of {len(reports)} spells",
    )  # fmt: skip


def _bottom_up(reports: Reports) -> Score:
    ratios = [
        report.night.leakage_m3_d.value * SPELL_DAYS / spell.leaked_m3
        for spell, report in reports if report.night.leakage_m3_d
    ]  # fmt: skip
    error = float(np.median(np.abs(np.array(ratios) - 1)))
    return Score(
        area="non-revenue water", data=f"plant, {len(ratios)} district spells",
        figure="leak volume from night flow, median error %", value=100 * error,
        note="night use known from a survey, without its season",
    )  # fmt: skip


def _refusals(reports: Reports) -> Score:
    nights = [
        (report.night.refusal, night) for _, report in reports for night in report.night.nights
    ]
    refused = sum(night.fault == "not supplied" and bool(words) for words, night in nights)
    return _score(
        "by turns", "share of nights without pressure refused with the reason",
        refused / len(nights), "1", met=refused == len(nights), note=f"{len(nights)} nights",
    )  # fmt: skip


def _edges(reports: Reports) -> Score:
    """How far begins and ends of supply are from the turns the plant keeps."""
    errors = []
    for spell, report in reports:
        edges = np.array([(each.start_s, each.end_s) for each in report.supply.windows])
        hours = local_time(edges.ravel(), spell.dma.zone).hour.reshape(-1, 2)
        turns = np.array(spell.turns)
        apart = np.abs(hours[:, None, :] - turns[None, :, :])
        errors.append(60 * apart.min(axis=1).max())
    worst = float(max(errors))
    return _score(
        "by turns", "largest error of an edge of supply, min", worst, f"≤ {EDGE_MIN:g}",
        met=worst <= EDGE_MIN, note=f"readings every {STEP_S // 60} min",
    )  # fmt: skip
