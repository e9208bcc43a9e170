"""The numpy evaluation against one point at a time in plain Python."""

import math
from dataclasses import dataclass

import msgspec
from alarming import LOW, PT, asset, register
from builders import NOW_US, SECOND_US, envelope
from hypothesis import given, settings
from hypothesis import strategies as st

from ic3.domain.alarm_book import RuleBook, Speaks
from ic3.domain.alarm_points import compile_points
from ic3.domain.alarm_rules import Rule, RuleKind, check_rule
from ic3.domain.envelope import Value

SERIALS = (PT, "Model Town_PT_5")
KINDS: tuple[RuleKind, ...] = (
    "high_high", "high", "low", "low_low", "rate", "state", "quality",
)  # fmt: skip
LIMITS = st.sampled_from([1.0, 2.0, 3.0])
DELAYS = st.sampled_from([0.0, 10.0, 30.0])
VALUES = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 11.0, None, True, "ERR"]),
)
MODES = st.sampled_from(["Auto", "LOCAL", "local", 1.0, 2, None])
SIGNS = {"low": -1.0, "low_low": -1.0, "high": 1.0, "high_high": 1.0}
WORSE = {"high": "high_high", "low": "low_low"}


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    """Up to ten rules over pressure and mode, for all or for one asset."""
    found: list[Rule] = []
    for number in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(KINDS))
        measured = kind not in ("state", "quality")
        rule = Rule(
            rule_id=number, name=str(number), kind=kind,
            parameter="MODE" if kind == "state" else "PRESSURE",
            serial=draw(st.sampled_from([None, PT])),
            limit=draw(LIMITS) if measured else None,
            states=("local", 2.0) if kind == "state" else (),
            deadband=draw(st.sampled_from([0.0, 0.5])) if measured else 0.0,
            on_delay_s=draw(DELAYS), off_delay_s=draw(DELAYS),
        )  # fmt: skip
        assert check_rule(rule) == []
        found.append(rule)
    return found


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[float, str | None, str, Value, Value, bool]]:
    """Seconds, who speaks, quality, pressure, mode, and whether the first asset is fresh."""
    one = st.tuples(
        st.sampled_from([0.0, 1.0, 10.0, 15.0, 60.0]), st.sampled_from([*SERIALS, PT, None]),
        st.sampled_from(["GOOD", "GOOD", "GOOD", "UNCERTAIN", "BAD"]), VALUES, MODES,
        st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    return draw(st.lists(one, min_size=1, max_size=30))


@dataclass
class Tag:
    """What came of one tag."""

    value: float | str | None = None
    rate: float | None = None
    occurred_us: int = 0
    bad: bool = False

    def take(self, value: Value, occurred_us: int, *, bad: bool, number: bool) -> None:
        if value is None:
            return
        new = value if isinstance(value, str) else float(value)
        self.bad = bad or (isinstance(new, str) and number)
        if isinstance(new, float) and number and not 0 <= new <= 10:
            self.bad = True
        if self.bad:
            return
        self.rate = None
        elapsed_us = occurred_us - self.occurred_us
        if isinstance(new, float) and isinstance(self.value, float) and elapsed_us > 0:
            least, most = sorted((abs(new), abs(self.value)))
            rest = least < 0.1 * most
            self.rate = 0.0 if rest else abs(new - self.value) / max(5.0, elapsed_us / 1e6) * 60
        self.value, self.occurred_us = new, occurred_us


@dataclass
class Point:
    """One rule of one asset, after its documentation."""

    rule: Rule
    tag: Tag
    wanted: bool = False
    alarmed: bool = False
    since: float | None = None

    def want(self) -> None:
        rule, tag = self.rule, self.tag
        if rule.kind == "quality":
            self.wanted = tag.bad
        elif tag.bad:
            return
        elif rule.kind == "state":
            if tag.value is not None:
                word = tag.value.casefold() if isinstance(tag.value, str) else tag.value
                self.wanted = word in rule.states
        else:
            shown = tag.rate if rule.kind == "rate" else tag.value
            if not isinstance(shown, float):
                return
            assert rule.limit is not None
            sign = SIGNS.get(rule.kind, 1.0)
            if sign * shown >= sign * rule.limit:
                self.wanted = True
            elif sign * shown <= sign * rule.limit - rule.deadband:
                self.wanted = False

    def is_due(self, now: float) -> bool:
        if self.wanted == self.alarmed:
            self.since = None
            return False
        if self.since is None:
            self.since = now
        delay_s = self.rule.on_delay_s if self.wanted else self.rule.off_delay_s
        return now - self.since >= delay_s

    def flip(self) -> None:
        self.alarmed, self.since = self.wanted, None


def holding(all_rules: list[Rule], serial: str) -> dict[str, Rule]:
    """The rule of each kind for an asset: its own before all others, then the newest."""
    found: dict[str, Rule] = {}
    for rule in sorted(all_rules, key=lambda rule: (rule.serial is not None, rule.rule_id)):
        if rule.serial in {None, serial}:
            found[rule.kind] = rule
    return found


def flips(points: dict[str, Point], now: float) -> None:
    """What is due flips; what is milder waits while the worse holds, what is bad for good news."""
    due = {kind for kind, point in points.items() if point.is_due(now)}
    due = {kind for kind in due if kind == "quality" or not points[kind].tag.bad}
    after = {kind: point.alarmed ^ (kind in due) for kind, point in points.items()}
    for kind in due:
        worse = WORSE.get(kind)
        if not (points[kind].wanted and worse is not None and after.get(worse, False)):
            points[kind].flip()


@settings(max_examples=300, deadline=None)
@given(rules(), steps())
def test_numpy_agrees_with_one_point_at_a_time(
    all_rules: list[Rule], course: list[tuple[float, str | None, str, Value, Value, bool]]
) -> None:
    known = register(asset(), asset(SERIALS[1], 2))
    book = RuleBook()
    book.adopt(compile_points(all_rules, known), standing=lambda *_: False)
    tags = {serial: {"PRESSURE": Tag(), "MODE": Tag()} for serial in SERIALS}
    plain = {
        serial: {
            kind: Point(rule, tags[serial][rule.parameter or ""])
            for kind, rule in holding(all_rules, serial).items()
        }
        for serial in SERIALS
    }
    now = 0.0
    for wait_s, serial, quality, pressure, mode, fresh in course:
        now += wait_s
        if serial is not None:
            at_us = NOW_US + int(now * SECOND_US)
            made = envelope(serial, {"PRESSURE": pressure, "MODE": mode}, occurred_us=at_us)
            book.take([msgspec.structs.replace(made, quality=quality)], now=now)
            bad = quality == "BAD"
            tags[serial]["PRESSURE"].take(pressure, at_us, bad=bad, number=True)
            tags[serial]["MODE"].take(mode, at_us, bad=bad, number=False)
        book.hear({PT: Speaks.FRESH if fresh else Speaks.SILENT, SERIALS[1]: Speaks.FRESH})
        book.evaluate(now=now)
        for name, points in plain.items():
            for point in points.values():
                point.want()
            if fresh or name != PT:
                flips(points, now)
            else:
                for point in points.values():
                    point.is_due(now)
        assert book.active == {
            (name, point.rule.condition(point.rule.parameter))
            for name, points in plain.items()
            for point in points.values()
            if point.alarmed
        }


def test_rules_without_assets_are_no_points() -> None:
    book = RuleBook()
    book.adopt(compile_points([LOW], register(asset(dma_id=None))), standing=lambda *_: False)
    assert len(book.points) == 1
    book.adopt(compile_points([], register()), standing=lambda *_: False)
    assert (len(book.points), book.evaluate(now=math.inf)) == (0, [])
