"""Severity and confidence of what a detector says, each to be recomputed by hand."""

from typing import Final

import numpy as np

from ic3.analytics.similarity import Floats

ON_SEVERITY: Final = 3.0
MAX_SEVERITY: Final = 10.0
# A score of this multiple of the opening threshold, or more, is as bad as it gets.
MAX_RATIO: Final = 20.0
# Weight of the prior precision, in findings judged.
PRIOR_WEIGHT: Final = 10.0


def severity(ratio: Floats, *, off: float) -> Floats:
    """Severity 0 to 10 of scores.

    0 below *off*, rising straight to 3 where an alarm opens, then 3 + 7·ln(x)/ln(MAX_RATIO).

    Args:
        ratio: float64, any shape: x, the score over the threshold at which an alarm opens.
        off: The ratio below which an alarm ends, above 0 and below 1.
    """
    below = ON_SEVERITY * (np.minimum(ratio, 1.0) - off) / (1.0 - off)
    above = (MAX_SEVERITY - ON_SEVERITY) * np.log(np.maximum(ratio, 1.0)) / np.log(MAX_RATIO)
    rated: Floats = np.clip(below, 0.0, None) + np.minimum(above, MAX_SEVERITY - ON_SEVERITY)
    return rated


def of_finding(detector_severity: float, criticality: float) -> float:
    """Severity of a finding: the detector's times the asset's criticality, at most 10."""
    return min(MAX_SEVERITY, detector_severity * criticality)


def confidence_percent(
    *, true_findings: int, false_findings: int, prior: float, trust: float, coverage: float
) -> float:
    """Confidence that a finding is true, in percent.

    (a·p0 + true) / (a + true + false) over findings of its kind that were judged, times the trust
    of the blamed sensor, times the share of the tags that were there.

    Args:
        true_findings: Judged true.
        false_findings: Judged false.
        prior: p0, 0 to 1: the share that is true before anyone has judged.
        trust: Of the blamed sensor, 0 to 1.
        coverage: Share of the tags the detector uses that had a value, 0 to 1.
    """
    judged = PRIOR_WEIGHT + true_findings + false_findings
    return 100.0 * (PRIOR_WEIGHT * prior + true_findings) / judged * trust * coverage
