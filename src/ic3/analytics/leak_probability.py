"""How likely it is that a DMA leaks: the alarm's evidence, lowered by what else may explain it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

# Peak of the CUSUM as a share of its limit, and the share of such peaks in simulated years under
# which leakage had grown by 2 m3/h: within 14 days by night, within two days by hour. By night even
# a small peak is above all noise, and those years have six leaks a district.
LEAK_BY_NIGHT: Final = ((0.0, 0.17), (0.1, 0.70), (1.0, 0.85), (1.1, 0.90), (1.3, 0.98))
BURST_BY_HOUR: Final = (
    (0.0, 0.04), (0.25, 0.10), (0.5, 0.15), (0.75, 0.4), (1.0, 0.55), (1.1, 0.66), (1.3, 0.92),
)  # fmt: skip
# Ours: each of these explains as many rises as it leaves open.
LIKE_NEIGHBOURS: Final = 0.5
DECLARED: Final = 0.2
HOLIDAY: Final = 0.7
SHIFTED_WINDOW: Final = 0.5
ALIKE_SHARE: Final = 0.5
TRUSTED: Final = 60.0


@dataclass(frozen=True, slots=True)
class LeakProbability:
    """A probability with what lowered it.

    Attributes:
        value: 0-1.
        lowered_by: What else may explain the rise, in words.
    """

    value: float
    lowered_by: tuple[str, ...]


def leak_probability(
    cusum_share: float,
    curve: Sequence[tuple[float, float]],
    *,
    neighbours: Sequence[float] = (),
    declared: str = "",
    is_holiday: bool = False,
    window_shifted: bool = False,
    meter_trust: float = 100.0,
) -> LeakProbability:
    """Probability that a leak has begun.

    Args:
        cusum_share: `peak_share` of the alarm's verdict.
        curve: LEAK_BY_NIGHT or BURST_BY_HOUR.
        neighbours: The same of the other DMAs at the same time.
        declared: What was announced, such as flushing or a fire; empty for nothing.
        is_holiday: Whether people live as on a Sunday.
        window_shifted: Whether supply began or ended at another hour than usual.
        meter_trust: Least trust of its meters, 0-100.
    """
    shares, likely = zip(*curve, strict=True)
    value = float(np.interp(cusum_share, shares, likely))
    alike = sum(each > ALIKE_SHARE for each in neighbours)
    explains = (
        (cusum_share > ALIKE_SHARE and alike > len(neighbours) / 2, LIKE_NEIGHBOURS,
         f"{alike} of {len(neighbours)} other DMAs rise alike"),
        (bool(declared), DECLARED, f"declared: {declared}"),
        (is_holiday, HOLIDAY, "a holiday"),
        (window_shifted, SHIFTED_WINDOW, "the supply window has shifted"),
        (meter_trust < TRUSTED, meter_trust / TRUSTED, f"a meter's trust is {meter_trust:.0f}"),
    )  # fmt: skip
    for holds, factor, _ in explains:
        if holds:
            value *= factor
    return LeakProbability(value, tuple(words for holds, _, words in explains if holds))
