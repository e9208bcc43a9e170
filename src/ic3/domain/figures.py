"""Figures of the analytics that alarm rules may name, as if they were tags of asset or district."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from ic3.domain.alarms import SourceKind
from ic3.domain.mapping import Parameter

SEVERITY: Final = "ai.severity"
CONFIDENCE: Final = "ai.confidence"
PUMP_HEALTH: Final = "pump.health"
DAYS_TO_LIMIT: Final = "pump.days_to_limit"
LEAK: Final = "nrw.leak_probability"
BURST: Final = "nrw.burst_probability"
LOSS: Final = "nrw.loss"


def _parameter(number: int, name: str, code: str, unit: str | None) -> Parameter:
    return Parameter(-number, name, code, unit, kind="gauge")


PARAMETERS: Final[Mapping[str, Parameter]] = {
    each.tag_code: each
    for each in (
        _parameter(1, "Severity of the worst finding", SEVERITY, None),
        _parameter(2, "Confidence of the worst finding", CONFIDENCE, "%"),
        _parameter(3, "Pump health", PUMP_HEALTH, "%"),
        _parameter(4, "Time until the pump is worn", DAYS_TO_LIMIT, "d"),
        _parameter(5, "Leak probability", LEAK, None),
        _parameter(6, "Burst probability", BURST, None),
        _parameter(7, "Loss rate", LOSS, "m3/h"),
    )
}
"""By the name that a rule gives as its parameter."""


class Subject(NamedTuple):
    """What a figure is of; a district's category is `dma`."""

    kind: SourceKind
    name: str
    domain: str | None = None
    category: str | None = None
    dma_id: str | None = None

    @property
    def key(self) -> tuple[SourceKind, str]:
        """Kind and name: what there is one of."""
        return self.kind, self.name


class Said(NamedTuple):
    """What stands behind a figure, for the alarm's text and evidence."""

    sentence: str
    evidence: dict[str, Any]


class Figures:
    """The newest figures, from the workers to the alarms; bounded by assets and districts.

    Attributes:
        version: Grows with each change of subjects.
    """

    def __init__(self) -> None:
        self.version = 0
        self._subjects: dict[tuple[SourceKind, str], Subject] = {}
        self._values: dict[tuple[SourceKind, str], dict[str, float]] = {}
        self._said: dict[tuple[SourceKind, str], Said] = {}
        self._moved: set[tuple[SourceKind, str]] = set()

    @property
    def subjects(self) -> Collection[Subject]:
        """Whatever has a figure, or had one."""
        return self._subjects.values()

    def know(self, subject: Subject) -> None:
        """Take up a subject, such as one whose alarm stands from an earlier process."""
        if self._subjects.get(subject.key) != subject:
            self._subjects[subject.key] = subject
            self.version += 1

    def put(self, subject: Subject, values: Mapping[str, float | None]) -> None:
        """Take figures; one that is None is as it was."""
        self.know(subject)
        if not self.is_renewed(subject.key):
            self.version += 1
        known = {name: value for name, value in values.items() if value is not None}
        self._values.setdefault(subject.key, {}).update(known)
        self._moved.add(subject.key)

    def put_findings(self, worst: Mapping[Subject, tuple[float, float, Said]]) -> None:
        """Take severity, confidence and words of the worst finding of each that has one.

        Of all others there is none any more.
        """
        self._said = {subject.key: said for subject, (_, _, said) in worst.items()}
        for subject, (severity, confidence, _) in worst.items():
            self.put(subject, {SEVERITY: severity, CONFIDENCE: confidence})
        for subject in list(self._subjects.values()):
            if subject.key not in self._said:
                self.put(subject, {SEVERITY: 0.0, CONFIDENCE: 0.0})

    def is_renewed(self, key: tuple[SourceKind, str]) -> bool:
        """Whether a worker has put figures of it since the start."""
        return key in self._values

    def said(self, key: tuple[SourceKind, str]) -> Said | None:
        """What stands behind the figures of a subject's worst finding."""
        return self._said.get(key)

    def take(self) -> dict[Subject, dict[str, float]]:
        """All figures of what moved since the last time."""
        taken = {
            self._subjects[key]: dict(self._values.get(key, {})) for key in sorted(self._moved)
        }
        self._moved.clear()
        return taken

    def all(self) -> dict[Subject, dict[str, float]]:
        """All figures there are."""
        return {self._subjects[key]: dict(values) for key, values in self._values.items()}
