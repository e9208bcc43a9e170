"""The health of a pump: sub-scores put together, the worst cause in words, what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.analytics.pump_curves import PumpReference, best_flow_m3_h
from ic3.analytics.pump_limits import PumpLimits
from ic3.analytics.pump_samples import PumpNameplate, PumpSamples, typical
from ic3.analytics.pump_scores import (
    DUTY_REGION,
    WEIGHTS,
    Figures,
    SubScore,
    figures,
    sub_scores,
)
from ic3.analytics.pump_signs import Sign, signs

LEAST_COVERAGE: Final = 0.25
WORST_SHARE: Final = 0.6
ATTENTION_SCORE: Final = 60.0
_CAUSES: Final = {
    "head": ("likely a worn impeller or wear rings, or a throttled suction",
             "Check impeller and wear rings at the next stop; compare both gauges before"),
    "efficiency": ("likely internal recirculation, wear or a motor fault",
                   "Compare the power meter; check wear rings and motor"),
    "vibration": ("imbalance, misalignment, looseness or a bearing",
                  "Measure the vibration spectrum; check alignment, foundation and bearings"),
    DUTY_REGION: ("it works far from its best point",
                         "Change the duty or the number of pumps; check valves and system curve"),
    "NPSH": ("it is near cavitation",
             "Raise the suction level or reduce the flow; clean the strainer"),
    "winding temperature": ("overload, poor cooling or a weak supply",
                            "Check load, fan, ventilation and supply voltage"),
    "bearing temperature": ("likely poor lubrication or bearing damage",
                            "Check lubrication and listen to the bearing"),
    "current": ("it is overloaded", "Check flow, voltage and the motor's free running"),
    "current unbalance": ("supply or winding fault", "Measure the phases at panel and motor"),
    "voltage deviation": ("the supply is out of its band", "Check transformer tap and feeder"),
    "starts": ("it starts too often", "Widen the level band that starts and stops it"),
    "run hours since overhaul": ("the overhaul is due", "Plan the overhaul"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GroupScore:
    """A group of sub-scores: the worst of them counts; None where none was computed."""

    name: str
    weight: float
    score: float | None


@dataclass(frozen=True, slots=True)
class Combined:
    """Health 0-100, or None with its reason; coverage is the share of weights computed, 0-1."""

    health: float | None
    coverage: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Where the pump works, and at nominal speed where on its curve; of the median steady flow.

    Attributes:
        efficiency: Wire to water, 0-1.
        nominal_flow_m3_h: By the affinity laws; nominal_head_m likewise.
        reference_head_m: H_ref at that flow; None where the reference does not reach.
        of_best: Flow as a share of the best flow.
    """

    flow_m3_h: float
    head_m: float | None
    power_kw: float | None
    speed_rpm: float | None
    efficiency: float | None
    nominal_flow_m3_h: float | None
    nominal_head_m: float | None
    reference_head_m: float | None
    reference_efficiency: float | None
    best_flow_m3_h: float | None
    of_best: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceCurve:
    """The curve to draw: H(Q) = head0_m - head_fall * Q² at nominal speed.

    Attributes:
        lowest_flow_m3_h: Of the flows it is known for; highest_flow_m3_h None where there is none.
        days: Healthy days behind it, 0 for the maker's.
    """

    nominal_rpm: float
    head0_m: float
    head_fall: float
    lowest_flow_m3_h: float
    highest_flow_m3_h: float | None
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpAssessment:
    """Everything to show of a pump over its window.

    Attributes:
        health: 0-100; None where coverage is below a quarter, see `reason`.
        coverage: Share of the weights that were computed, 0-1.
        worst: The worst cause, one sentence.
        sec_kwh_m3: Specific energy: energy by volume while both are known. Never scored alone: wear
            of head can make it look better.
        most_starts_per_hour: In any 60 minutes of the window.
        run_h: Hours run within the window; known_h are those with a status.
        curve: Of the reference; None without one.
        reference: Where the curve is from; empty without one.
        is_provisional: The reference has fewer healthy days than it wants.
    """

    health: float | None
    coverage: float
    reason: str
    groups: tuple[GroupScore, ...]
    sub_scores: tuple[SubScore, ...]
    signs: tuple[Sign, ...]
    worst: str
    recommendations: tuple[str, ...]
    operating_point: OperatingPoint | None
    curve: ReferenceCurve | None
    sec_kwh_m3: float | None
    sec_reason: str
    starts: int
    most_starts_per_hour: int
    run_h: float
    known_h: float
    samples: int
    steady_samples: int
    reference: str
    is_provisional: bool

    def value(self, name: str) -> float | None:
        """What a sub-score was made of: `value("head")` is the head index in %."""
        return next(sub.value for sub in self.sub_scores if sub.name == name)


def assess(
    samples: PumpSamples, reference: PumpReference | None, limits: PumpLimits, *,
    plate: PumpNameplate, run_h_since_overhaul: float | None = None,
) -> PumpAssessment:  # fmt: skip
    """Judge a pump over a window of samples: an hour for a live view, a day for its daily indices.

    Args:
        samples: At least 5 at steady running for anything hydraulic.
        reference: Of this pump; None leaves head and efficiency out.
        limits: Of its class, see `limits_for`.
        plate: What the maker says.
        run_h_since_overhaul: From the run hours counted, None where no overhaul is on record.
    """
    of = figures(samples, plate, reference)
    scored = sub_scores(of, limits, run_h_since_overhaul=run_h_since_overhaul)
    groups = grouped(scored)
    combined = combine(groups)
    shown = signs(of, limits)
    sec, sec_reason = _specific_energy(of)
    return PumpAssessment(
        health=combined.health, coverage=combined.coverage, reason=combined.reason,
        groups=groups, sub_scores=scored, signs=shown, worst=_worst(scored, shown, combined),
        recommendations=_recommendations(scored, shown), operating_point=_operating_point(of),
        curve=None if reference is None else _curve(reference),
        sec_kwh_m3=sec, sec_reason=sec_reason,
        starts=of.duty.starts, most_starts_per_hour=of.duty.most_starts_per_hour,
        run_h=of.duty.run_h, known_h=of.duty.known_h,
        samples=len(samples.at_s), steady_samples=int(of.steady.sum()),
        reference="" if reference is None else reference.source,
        is_provisional=reference is not None and not reference.is_whole,
    )  # fmt: skip


def grouped(scored: Sequence[SubScore]) -> tuple[GroupScore, ...]:
    """The worst score of each group."""
    return tuple(
        GroupScore(
            name,
            weight,
            min((s.score for s in scored if s.group == name and s.score is not None), default=None),
        )
        for name, weight in WEIGHTS.items()
    )


def combine(groups: Sequence[GroupScore]) -> Combined:
    """Health = .6 of the worst group + .4 of the weighted mean of those that exist."""
    known = [(each.weight, each.score) for each in groups if each.score is not None]
    coverage = sum(weight for weight, _ in known)
    if coverage < LEAST_COVERAGE:
        missing = ", ".join(each.name for each in groups if each.score is None)
        return Combined(
            None, coverage,
            f"not computed: only {coverage:.0%} of the weights are covered, {LEAST_COVERAGE:.0%} "
            f"are needed; nothing is known of {missing}",
        )  # fmt: skip
    mean = sum(weight * score for weight, score in known) / coverage
    worst = min(score for _, score in known)
    return Combined(WORST_SHARE * worst + (1 - WORST_SHARE) * mean, coverage, "")


def _worst(scored: Sequence[SubScore], shown: Sequence[Sign], combined: Combined) -> str:
    if shown:
        return shown[0].sentence
    if combined.health is None:
        return combined.reason
    known = [(sub.score, sub) for sub in scored if sub.score is not None]
    score, sub = min(known, key=lambda each: each[0])
    if score >= ATTENTION_SCORE:
        return f"No cause for concern; the lowest is {_figure(sub)} (score {score:.0f})"
    said = _figure(sub)
    return f"{said[0].upper()}{said[1:]} (score {score:.0f}): {_CAUSES[sub.name][0]}"


def _figure(sub: SubScore) -> str:
    assert sub.value is not None
    if sub.name in ("head", "efficiency"):
        side = "below" if sub.value < 0 else "above"
        return f"{sub.name} {abs(sub.value):.1f} % {side} its reference"
    return f"{sub.name} {sub.value:.3g} {sub.unit}"


def _recommendations(scored: Sequence[SubScore], shown: Sequence[Sign]) -> tuple[str, ...]:
    poor = sorted(
        ((sub.score, sub.name) for sub in scored
         if sub.score is not None and sub.score < ATTENTION_SCORE),
    )  # fmt: skip
    advice = [sign.advice for sign in shown] + [_CAUSES[name][1] for _, name in poor]
    return tuple(dict.fromkeys(advice))


def _operating_point(of: Figures) -> OperatingPoint | None:
    at = typical(np.where(of.steady, of.samples.flow_m3_h, np.nan))
    if at is None:
        return None
    water = of.water
    flow = float(water.flow_m3_h[at])
    reference = of.reference
    return OperatingPoint(
        flow_m3_h=float(of.samples.flow_m3_h[at]), head_m=_known(of.head_m[at]),
        power_kw=_known(of.power_kw[at]), speed_rpm=_known(of.speed_rpm[at]),
        efficiency=_known(water.efficiency[at]), nominal_flow_m3_h=_known(flow),
        nominal_head_m=_known(water.head_m[at]),
        reference_head_m=(
            None if reference is None else _known(float(reference.head_m(np.array(flow))))
        ),
        reference_efficiency=(
            None if reference is None else _known(float(reference.efficiency(np.array(flow))))
        ),
        best_flow_m3_h=best_flow_m3_h(of.plate, reference), of_best=_known(water.of_best[at]),
    )  # fmt: skip


def _curve(reference: PumpReference) -> ReferenceCurve:
    return ReferenceCurve(
        nominal_rpm=reference.nominal_rpm, head0_m=reference.head0_m,
        head_fall=reference.head_fall, lowest_flow_m3_h=reference.lowest_flow_m3_h,
        highest_flow_m3_h=_known(reference.highest_flow_m3_h), days=reference.days,
    )  # fmt: skip


def _specific_energy(of: Figures) -> tuple[float | None, str]:
    both = of.settled & np.isfinite(of.power_kw) & (of.samples.flow_m3_h > 0)
    if not both.any():
        return None, "not computed: no power and flow together while it ran"
    return float(of.power_kw[both].sum() / of.samples.flow_m3_h[both].sum()), ""


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
