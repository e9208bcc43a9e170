"""The IWA water balance with its 95 % bands, and the leakage figures made of it."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ic3.analytics.dma import DMA
from ic3.analytics.inflow import Floats
from ic3.errors import InputError

GRAVITY_M_S2: Final = 9.81
ORIFICE_COEFFICIENT: Final = 0.6
# Outside of these the UARL formula was never tested.
ILI_CONNECTIONS: Final = 3000
ILI_CONNECTIONS_A_KM: Final = 20
ILI_PRESSURE_M: Final = 25.0
# Upper edges of the World Bank Institute's bands for developing countries.
ILI_BANDS: Final = (("A", 4.0), ("B", 8.0), ("C", 16.0))
COMPLETE_SHARE: Final = 0.95

IliBand = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume in m3 with half the width of its 95 % band."""

    m3: float
    band_m3: float = 0.0

    @classmethod
    def of(cls, m3: float, band_percent: float) -> "Volume":
        """A volume whose band is a share of it."""
        return cls(m3, abs(m3) * band_percent / 100)

    def __sub__(self, other: "Volume") -> "Volume":
        """Less an independent one: bands add in quadrature."""
        return Volume(self.m3 - other.m3, math.hypot(self.band_m3, other.band_m3))

    def __add__(self, other: "Volume") -> "Volume":
        """With an independent one: bands add in quadrature."""
        return Volume(self.m3 + other.m3, math.hypot(self.band_m3, other.band_m3))


@dataclass(frozen=True, slots=True)
class WaterBalance:
    """The IWA balance of a period, each entry with its 95 % band.

    Attributes:
        apparent_losses: Unauthorised use, and what meters and data do not show.
        nrw_percent: Non-revenue water in % of the input; `nrw_band_percent` is half its band.
    """

    system_input: Volume
    billed_authorised: Volume
    unbilled_authorised: Volume
    apparent_losses: Volume
    nrw: Volume
    water_losses: Volume
    real_losses: Volume
    nrw_percent: float
    nrw_band_percent: float


def water_balance(
    *, system_input: Volume, billed: Volume, unbilled: Volume, apparent: Volume
) -> WaterBalance:
    """What is left of the input, entry by entry; residual entries inherit the bands.

    Raises:
        InputError: The input is not above zero.

    Source:
        IWA standard water balance, top-down.
    """
    if not system_input.m3 > 0:
        raise InputError("water balance: the input must be above zero")
    nrw = system_input - billed
    losses = nrw - unbilled
    # NRW % is 1 - billed/input: relative bands of the quotient add in quadrature.
    relative = math.hypot(
        system_input.band_m3 / system_input.m3, billed.band_m3 / billed.m3 if billed.m3 else 0.0
    )
    return WaterBalance(
        system_input=system_input, billed_authorised=billed, unbilled_authorised=unbilled,
        apparent_losses=apparent, nrw=nrw, water_losses=losses, real_losses=losses - apparent,
        nrw_percent=100 * nrw.m3 / system_input.m3,
        nrw_band_percent=100 * billed.m3 / system_input.m3 * relative,
    )  # fmt: skip


def leakage_ratio(pressure_m: Floats, *, reference_m: float, n1: float) -> Floats:
    """Leakage at a pressure, relative to leakage at a reference pressure.

    Args:
        pressure_m: float64 (any,), m of water, NaN where missing and then NaN in the answer.
        reference_m: m of water.
        n1: Leakage exponent, from 0.5 (rigid pipe) to 1.5 (flexible).

    Raises:
        InputError: reference_m is not above zero.

    Source:
        FAVAD: L1 / L0 = (P1 / P0) ** N1.
    """
    if not reference_m > 0:
        raise InputError("leakage: the reference pressure must be above zero")
    ratio: Floats = (np.maximum(pressure_m, 0.0) / reference_m) ** n1
    return ratio


def night_day_factor_h(pressure_m: Floats, *, night_pressure_m: float, n1: float) -> float:
    """Hours of night leakage that a day of leakage is worth: leakage a day = factor · a night hour.

    Args:
        pressure_m: float64 (n,), evenly spaced over whole days, such as 24 hours; 0 where not
            supplied, NaN where missing. What is missing counts as the mean of the rest.
        night_pressure_m: Mean pressure of the night window.
        n1: Leakage exponent.

    Returns:
        Between 10 and 60 as a rule; NaN where nothing was measured.

    Source:
        NDF = sum over 24 h of (P_h / P_MNF) ** N1.
    """
    ratios = leakage_ratio(pressure_m, reference_m=night_pressure_m, n1=n1)
    measured = ratios[np.isfinite(ratios)]
    return 24 * float(measured.mean()) if len(measured) else math.nan


def leak_flow_m3_h(*, area_mm2: float, expansion_mm2_m: float, pressure_m: float) -> float:
    """Flow of one leak whose area grows with pressure.

    Source:
        FAVAD: Q = 0.6·√(2g)·(A0 + m·h)·√h.
    """
    area_m2 = (area_mm2 + expansion_mm2_m * pressure_m) / 1e6
    speed_m_s = ORIFICE_COEFFICIENT * math.sqrt(2 * GRAVITY_M_S2 * max(pressure_m, 0.0))
    return 3600 * area_m2 * speed_m_s


def uarl_l_d(
    *, mains_km: float, connections: float, private_pipe_km: float, pressure_m: float
) -> float:
    """Unavoidable annual real losses, litres a day.

    Source:
        IWA: (18·Lm + 0.8·Nc + 25·Lp)·P.
    """
    return (18 * mains_km + 0.8 * connections + 25 * private_pipe_km) * pressure_m


@dataclass(frozen=True, slots=True)
class LeakageIndex:
    """The infrastructure leakage index of a DMA.

    Attributes:
        uarl_m3_d: Unavoidable losses, for the hours under pressure.
        carl_m3_d: Current annual real losses, a day.
        ili: CARL / UARL; None where it cannot be computed.
        band: For developing countries; None without an ILI.
        warnings: Why the figure is to be shown greyed; empty where it may be used.
    """

    uarl_m3_d: float
    carl_m3_d: float
    ili: float | None
    band: IliBand | None
    warnings: tuple[str, ...]


def leakage_index(
    dma: DMA, *, carl_m3_d: float, pressure_m: float, hours_under_pressure: float = 24.0,
    measured_share: float = 1.0,
) -> LeakageIndex:  # fmt: skip
    """ILI of a DMA.

    Args:
        dma: Its mains, connections and private pipe.
        carl_m3_d: Real losses a day.
        pressure_m: Mean over the hours under pressure, m of water.
        hours_under_pressure: A day; with fewer than 24 the UARL is scaled by it.
        measured_share: Of the input, 0-1.

    Source:
        ILI = CARL / (UARL·T/24).
    """
    full_l_d = uarl_l_d(
        mains_km=dma.mains_km, connections=dma.connections,
        private_pipe_km=dma.private_pipe_km, pressure_m=pressure_m,
    )  # fmt: skip
    uarl = full_l_d * hours_under_pressure / 24 / 1000
    ili = carl_m3_d / uarl if uarl > 0 else None
    return LeakageIndex(
        uarl_m3_d=uarl, carl_m3_d=carl_m3_d, ili=ili,
        band=None if ili is None else ili_band(ili),
        warnings=_warnings(dma, carl_m3_d, pressure_m, measured_share),
    )  # fmt: skip


def ili_band(ili: float) -> IliBand:
    """A (below 4) to D (above 16).

    Source:
        World Bank Institute, bands for developing countries.
    """
    if ili < ILI_BANDS[0][1]:
        return "A"
    if ili < ILI_BANDS[1][1]:
        return "B"
    return "C" if ili <= ILI_BANDS[2][1] else "D"


def _warnings(
    dma: DMA, carl_m3_d: float, pressure_m: float, measured_share: float
) -> tuple[str, ...]:
    density = dma.connections / dma.mains_km if dma.mains_km else math.inf
    found = (
        (dma.connections < ILI_CONNECTIONS,
         f"{dma.connections:,} connections, fewer than {ILI_CONNECTIONS:,}"),
        (density < ILI_CONNECTIONS_A_KM,
         f"{density:.0f} connections a km of mains, fewer than {ILI_CONNECTIONS_A_KM}"),
        (pressure_m < ILI_PRESSURE_M, f"mean pressure {pressure_m:.0f} m, below 25 m"),
        (measured_share < COMPLETE_SHARE,
         f"only {100 * measured_share:.0f} % of the input was measured"),
        (carl_m3_d < 0, "real losses come out negative: input or billed volume is wrong"),
    )  # fmt: skip
    return tuple(words for holds, words in found if holds)
