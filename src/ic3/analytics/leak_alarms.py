"""What the leak alarms of a DMA have in common: their words, and the noise of a series."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, Literal, TypeVar

import msgspec

from ic3.errors import InputError

MAD_TO_SIGMA: Final = 1.4826

AlarmKind = Literal["missing", "learning", "quiet", "leak", "repair"]


@dataclass(frozen=True, slots=True)
class LeakVerdict:
    """What an alarm says of one night or hour.

    Attributes:
        kind: `leak`: more flows than can be chance, told once. `repair`: less does, or a valve was
            closed. `learning`: too little of the past is known. `missing`: it was not measured.
        observed_m3_h: The inflow; NaN where missing.
        expected_m3_h: The inflow without a new leak; NaN while learning.
        band_m3_h: Half the 95 % band of what is expected.
        size_m3_h: Of a leak or repair, its step; else 0.
        loss_m3_h: Excess over the baseline from before the oldest leak that still runs.
        loss_band_m3_h: Half its 95 % band.
        cusum_share: Evidence for a leak, as a share of what makes an alarm; 1 and more is one.
        peak_share: The largest since the oldest leak that still runs; else as `cusum_share`.
        since: Nights or hours ago that the evidence began to gather; 0 without any.
    """

    kind: AlarmKind
    observed_m3_h: float = math.nan
    expected_m3_h: float = math.nan
    band_m3_h: float = math.nan
    size_m3_h: float = 0.0
    loss_m3_h: float = 0.0
    loss_band_m3_h: float = 0.0
    cusum_share: float = 0.0
    peak_share: float = 0.0
    since: int = 0


class Kept(msgspec.Struct, array_like=True):
    """What an alarm remembers; its first field is the version of its form."""

    version: int


K = TypeVar("K", bound=Kept)


def kept_in(state: bytes, kind: type[K], *, version: int, alarm: str) -> K:
    """What an alarm remembered when its state was taken.

    Raises:
        InputError: It is no state of this version.
    """
    try:
        kept = msgspec.msgpack.decode(state, type=kind)
    except msgspec.MsgspecError as error:
        raise InputError(f"{alarm} alarm: the state cannot be read: {error}") from None
    if kept.version != version:
        raise InputError(f"{alarm} alarm: a state of version {kept.version}, not {version}")
    return kept


def step_sigma(values: Sequence[float]) -> float:
    """Noise from one value to the next, blind to slow change and to single steps.

    Source:
        sigma = 1.4826·median|Δy|/√2.
    """
    steps = [abs(after - before) for before, after in pairwise(values)]
    return MAD_TO_SIGMA * median(steps) / math.sqrt(2) if steps else 0.0
