"""Alarm rules over figures of the analytics: the same engine as over tags, on subjects of its own.

See docs/decisions/0021-figures-as-tags.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from ic3.domain.alarm_book import RuleBook, Speaks
from ic3.domain.alarm_points import compile_points
from ic3.domain.alarm_rules import VALUE_KINDS, Rule
from ic3.domain.alarms import Alarms, Finding, SourceKind
from ic3.domain.envelope import Envelope
from ic3.domain.figures import CONFIDENCE, PARAMETERS, SEVERITY, Figures, Subject
from ic3.domain.mapping import Register, RegisteredAsset

_JOINT: Final = "\0"  # no serial number and no district holds it
_WITH_WORDS: Final = frozenset({SEVERITY, CONFIDENCE})


class FigureWatch:
    """Watches figures; what it finds is to be reported to `alarms`, which it only reads.

    A figure that nobody renews stays as it is: no alarm clears because an analysis did not run.

    Args:
        figures: From the workers.
        alarms: What stands from an earlier process.
    """

    def __init__(self, figures: Figures, alarms: Alarms) -> None:
        self._figures = figures
        self._alarms = alarms
        self._book = RuleBook()
        self._subjects: dict[str, Subject] = {}
        self._compiled: tuple[int, int] | None = None

    def adopt(self, rules: Iterable[Rule], *, rules_version: int, now: float) -> list[Finding]:
        """Go on with other rules or subjects, where they have changed.

        Args:
            rules: All there are; those of other tags are passed over.
            rules_version: Of them.
            now: Monotonic seconds.

        Returns:
            What returns because no rule watches it any more.
        """
        if self._compiled is None:
            self._know_standing()
        version = (rules_version, self._figures.version)
        if version == self._compiled:
            return []
        mine = [each for each in rules if each.parameter in PARAMETERS and each.kind in VALUE_KINDS]
        self._subjects = {_key(each): each for each in self._figures.subjects}
        points = compile_points(mine, self._register())
        over = self._book.adopt(points, standing=self._stands)
        self._book.hear(dict.fromkeys(self._subjects, Speaks.FRESH))
        self._take(self._figures.all(), now)
        self._compiled = version
        watched = set(points.keys)
        orphans = [
            Finding(
                source_kind=each.source_kind, source=each.source, condition=each.condition,
                active=False,
            )
            for each in self._alarms.open
            if each.active and is_figure(each.tag)
            and self._figures.is_renewed((each.source_kind, each.source))
            and (f"{each.source_kind}{_JOINT}{each.source}", each.condition) not in watched
        ]  # fmt: skip
        return [*map(self._told, over), *orphans]

    def evaluate(self, *, now: float) -> Sequence[Finding]:
        """What was raised and what returned since the last time.

        Args:
            now: Monotonic seconds.
        """
        self._take(self._figures.take(), now)
        return [self._told(each) for each in self._book.evaluate(now=now)]

    def standing(self) -> Sequence[Finding]:
        """What is active, to be told again."""
        return [self._told(each) for each in self._book.standing()]

    def _know_standing(self) -> None:
        for each in self._alarms.open:
            if each.active and is_figure(each.tag):
                known = Subject(each.source_kind, each.source, each.domain, None, each.dma_id)
                self._figures.know(known)

    def _take(self, values: Mapping[Subject, Mapping[str, float]], now: float) -> None:
        # Their own clock: figures only ever move forward.
        occurred_us = int(now * 1e6)
        self._book.take(
            [_envelope(_key(subject), each, occurred_us) for subject, each in values.items()],
            now=now,
        )

    def _register(self) -> Register:
        assets = {
            key: RegisteredAsset(
                number, key, dict(PARAMETERS), each.domain, each.category, each.dma_id
            )
            for number, (key, each) in enumerate(self._subjects.items())
        }
        return Register(1, assets, {each.param_id: each for each in PARAMETERS.values()})

    def _stands(self, key: str, condition: str) -> bool:
        kind, _, name = key.partition(_JOINT)
        alarm = self._alarms.find(kind, name, condition)  # type: ignore[arg-type]  # as _key made it
        return alarm is not None and alarm.active

    def _told(self, finding: Finding) -> Finding:
        kind, _, name = finding.source.partition(_JOINT)
        source_kind: SourceKind = "dma" if kind == "dma" else "asset"
        said = self._figures.said((source_kind, name)) if finding.tag in _WITH_WORDS else None
        words = finding.text if said is None else f"{said.sentence} ({finding.text})"
        return replace(
            finding, source_kind=source_kind, source=name, text=words,
            evidence=None if said is None else said.evidence,
        )  # fmt: skip


def is_figure(tag: str | None) -> bool:
    """Whether an alarm is of a figure, not of a tag of the plant."""
    return tag in PARAMETERS


def _key(subject: Subject) -> str:
    return f"{subject.kind}{_JOINT}{subject.name}"


def _envelope(key: str, values: Mapping[str, float], occurred_us: int) -> Envelope:
    return Envelope(
        asset_id=key, record_id="", system_id=None, domain=None, protocol=None,
        occurred_us=occurred_us, occurred_nanoseconds=0, values=dict(values), rejected={},
        quality="GOOD", alarm=None, received_us=occurred_us, content_hash=b"", frame="", text="",
    )  # fmt: skip
