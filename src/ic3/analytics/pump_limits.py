"""Limits of the pump's sub-scores: three points each, and who says so."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ic3.analytics.pump_samples import PumpNameplate
from ic3.errors import InputError

OURS: Final = "IC3"
LARGE_KW: Final = 200.0
HIGH_SPECIFIC_SPEED_US: Final = 4500.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Values that score 100, 60 and 20; they rise or fall throughout.

    Attributes:
        source: Who says so.
        verify: Written from memory: look it up before a site relies on it.
    """

    at_100: float
    at_60: float
    at_20: float
    unit: str
    source: str
    verify: bool = False

    def __post_init__(self) -> None:
        """Check the order.

        Raises:
            InputError: The three values neither rise nor fall.
        """
        first, second = self.at_60 - self.at_100, self.at_20 - self.at_60
        if not first * second > 0:
            raise InputError(
                f"pump limit: {self.at_100}, {self.at_60}, {self.at_20} {self.unit} neither rise "
                "nor fall; give the values for 100, 60 and 20 in one direction"
            )

    def score(self, value: float) -> float:
        """0-100: linear between the points and beyond them, clamped."""
        far = (value - self.at_60) * (self.at_20 - self.at_60) > 0
        other, other_score = (self.at_20, 20.0) if far else (self.at_100, 100.0)
        line = 60.0 + (other_score - 60.0) * (value - self.at_60) / (other - self.at_60)
        return min(100.0, max(0.0, line))


def _zones(a_b: float, b_c: float, c_d: float, source: str) -> Limit:
    return Limit(a_b, b_c, c_d, "mm/s", source, verify=True)


_PUMPS: Final = "ISO 10816-7, category"
_MACHINES: Final = "ISO 20816-3, group 2, 15-300 kW"
VIBRATION: Final[Mapping[str, tuple[Limit, Limit]]] = {
    "category I": (
        _zones(2.5, 4.0, 6.6, f"{_PUMPS} I, up to 200 kW"),
        _zones(3.5, 5.0, 7.6, f"{_PUMPS} I, above 200 kW"),
    ),
    "category II": (
        _zones(3.2, 5.1, 8.5, f"{_PUMPS} II, up to 200 kW"),
        _zones(4.2, 6.1, 9.5, f"{_PUMPS} II, above 200 kW"),
    ),
    "group 2 rigid": (_zones(1.4, 2.8, 4.5, f"{_MACHINES}, rigid"),) * 2,
    "group 2 flexible": (_zones(2.3, 4.5, 7.1, f"{_MACHINES}, flexible"),) * 2,
}
"""Zone edges A/B, B/C, C/D by class: up to 200 kW, above."""

WINDING_LIMIT_C: Final[Mapping[str, float]] = {"B": 130.0, "F": 155.0, "H": 180.0}
DEFAULT_STARTS_PER_HOUR: Final = 4.0


def _winding(insulation: str) -> Limit:
    hot = WINDING_LIMIT_C[insulation]
    return Limit(hot - 25, hot - 10, hot, "°C", f"IEC 60034-1, class {insulation}; margins {OURS}")


def share_of(limit: float, unit: str, source: str, *, verify: bool = False) -> Limit:
    """100 at half of a limit, 60 at the limit, 20 at twice."""
    return Limit(limit / 2, limit, limit * 2, unit, source, verify)


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpLimits:
    """Limits of one class of pumps; all but the last may be left as they are.

    Attributes:
        flow_low: Share of the best flow, below the preferred region; `flow_high` above it.
        npsh_margin_m: A margin under this scores 60 at most.
        bearing_excess: Above what its own history expects at the same load.
        run_hours: Since the last overhaul; None where the maker's interval is not known.
    """

    head: Limit = Limit(0, -5, -10, "%", OURS)
    efficiency: Limit = Limit(0, -5, -10, "%", OURS)
    vibration: Limit = VIBRATION["category I"][0]
    flow_low: Limit = Limit(0.7, 0.5, 0.3, "of best flow", f"POR ANSI/HI 9.6.3, the rest {OURS}")
    flow_high: Limit = Limit(1.2, 1.35, 1.5, "of best flow", f"POR ANSI/HI 9.6.3, the rest {OURS}")
    npsh_ratio: Limit = Limit(1.5, 1.1, 1.0, "NPSHa/NPSHr", f"HI 9.6.1; 1.5 {OURS}")
    npsh_margin_m: float = 1.0
    winding: Limit = _winding("F")
    bearing_excess: Limit = Limit(0, 15, 25, "K", OURS)
    current: Limit = Limit(1, 1.05, 1.15, "of rated current", OURS, verify=True)
    unbalance: Limit = Limit(2, 5, 10, "%", OURS, verify=True)
    voltage: Limit = Limit(5, 8, 10, "%", f"IEC 60034-1 zone A; the rest {OURS}", verify=True)
    starts: Limit = share_of(
        DEFAULT_STARTS_PER_HOUR, "starts/h", f"small motors, the least of 4-10, {OURS}", verify=True
    )
    run_hours: Limit | None = None


def limits_for(
    plate: PumpNameplate, *, vibration_class: str = "category I", specific_speed_us: float = 0.0
) -> PumpLimits:
    """The tables' limits for a pump.

    A rated power that is not known counts as small: those zones are the stricter ones.

    Args:
        plate: Gives power, insulation class, starts and overhaul.
        vibration_class: A name of `VIBRATION`.
        specific_speed_us: See `pump_curves.specific_speed_us`; 0 where unknown.

    Raises:
        InputError: No such vibration or insulation class.
    """
    if vibration_class not in VIBRATION:
        raise InputError(
            f"pump limits: no vibration class {vibration_class!r}; one of {', '.join(VIBRATION)}"
        )
    insulation = plate.insulation_class or "F"
    if insulation not in WINDING_LIMIT_C:
        raise InputError(f"pump limits: no insulation class {insulation!r}; one of B, F, H")
    small, large = VIBRATION[vibration_class]
    limits = PumpLimits(
        vibration=large if (plate.rated_kw or 0.0) > LARGE_KW else small,
        winding=_winding(insulation),
    )
    if specific_speed_us > HIGH_SPECIFIC_SPEED_US:
        limits = dataclasses.replace(
            limits, flow_low=dataclasses.replace(limits.flow_low, at_100=0.8)
        )
    if plate.starts_per_hour is not None:
        limits = dataclasses.replace(
            limits, starts=share_of(plate.starts_per_hour, "starts/h", "maker")
        )
    if plate.overhaul_h is not None:
        limits = dataclasses.replace(limits, run_hours=share_of(plate.overhaul_h, "h", "maker"))
    return limits
