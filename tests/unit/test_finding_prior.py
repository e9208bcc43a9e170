"""How sure a finding is before anybody judged one like it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ic3.domain.findings import PRIORS, FindingKind, Sighting, prior_of

AT = datetime(2026, 6, 1, tzinfo=UTC)


def sighting(kind: FindingKind, cause: str, severity: float) -> Any:
    return Sighting(kind=kind, cause=cause, since=AT, severity=severity, sentence="")


@pytest.mark.parametrize(
    ("severity", "share"), [(1.0, 0.5), (3.0, 0.5), (4.0, 0.7), (5.0, 0.9), (9.0, 0.9)]
)
def test_what_a_model_finds_is_the_surer_the_further_it_is_off(
    severity: float, share: float
) -> None:
    assert prior_of(sighting(FindingKind.PROCESS, "deviates", severity)) == pytest.approx(share)
    assert prior_of(sighting(FindingKind.SENSOR, "deviates:P", severity)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [(FindingKind.SENSOR, "frozen:P"), (FindingKind.PUMP, "pump:head"), (FindingKind.LEAK, "leak")],
)
def test_others_are_as_sure_as_their_kind(kind: FindingKind, cause: str) -> None:
    assert prior_of(sighting(kind, cause, 9.0)) == PRIORS[kind]
