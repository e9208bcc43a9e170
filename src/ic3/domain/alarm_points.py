"""Rules and register as numpy arrays: one point for each asset, tag and kind of rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from ic3.domain.alarm_rules import LIMIT_KINDS, Rule, RuleKind
from ic3.domain.mapping import Parameter, Register, RegisteredAsset

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

NO_CHANNEL: Final = -1
NO_WORD: Final = -1
_WORSE: Final[Mapping[RuleKind, RuleKind]] = {"high": "high_high", "low": "low_low"}


class Slot(msgspec.Struct, frozen=True, gc=False):
    """Where the values of an asset go: its own place, and the channel of each watched tag."""

    asset: int
    channels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Channels:
    """The watched tags; in the order of their assets.

    Attributes:
        asset: int64 (channels,), place in `Points.assets`.
        low: float64 (channels,), least plausible value; `high` the greatest; infinite where
            nothing is known.
        numeric: bool (channels,), whether a text is no value of it.
    """

    tags: Sequence[str]
    parameters: Sequence[Parameter]
    asset: Places
    low: Floats
    high: Floats
    numeric: Flags

    def __len__(self) -> int:
        return len(self.tags)


@dataclass(frozen=True, slots=True)
class States:
    """One row for each state that a state rule names.

    Attributes:
        point: int64 (rows,); `channel` likewise.
        number: float64 (rows,), NaN where the state is a word.
        word: int64 (rows,), number of the word in `words`, -1 where it is a number.
    """

    point: Places
    channel: Places
    number: Floats
    word: Places
    words: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Points:
    """What is judged, compiled once for a version of rules and register.

    Attributes:
        keys: Serial number and condition of each point.
        rule: int64 (points,), place in `rules`; `asset` and `channel` likewise, the channel is -1
            where the point is of a whole asset.
        on_s: float64 (points,), seconds; `off_s` likewise.
        worse: int64 (points,), the point that keeps this one from being raised, itself where none.
        measured: int64 (measured,), points that compare with a limit: `limit` and `deadband` are
            float64 (measured,), multiplied by `sign`, which is -1 for low limits; `is_rate` says
            that they compare the rate.
        quality: Places of the quality points; `stale` of those of staleness.
    """

    rules: Sequence[Rule]
    assets: Sequence[RegisteredAsset]
    slots: Mapping[str, Slot]
    channels: Channels
    keys: Sequence[tuple[str, str]]
    rule: Places
    asset: Places
    channel: Places
    on_s: Floats
    off_s: Floats
    worse: Places
    measured: Places
    sign: Floats
    limit: Floats
    deadband: Floats
    is_rate: Flags
    states: States
    quality: Places
    stale: Places

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(slots=True)
class _Draft:
    """Lists that grow while the register is walked."""

    assets: list[RegisteredAsset] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    channel_asset: list[int] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    rule: list[int] = field(default_factory=list)
    asset: list[int] = field(default_factory=list)
    channel: list[int] = field(default_factory=list)
    worse: list[int] = field(default_factory=list)

    def add(self, serial: str, tag: str | None, rule: int, of: Rule, channel: int) -> int:
        """Add a point; answers its place."""
        point = len(self.keys)
        self.keys.append((serial, of.condition(tag)))
        self.rule.append(rule)
        self.asset.append(len(self.assets) - 1)
        self.channel.append(channel)
        self.worse.append(point)
        return point


_ByKind = dict[RuleKind, list[int]]
_Groups = dict[tuple[str | None, str | None], _ByKind]
"""Serial number and parameter that rules name to the rules, best first."""


def compile_points(rules: Iterable[Rule], register: Register) -> Points:
    """The points of the enabled rules over the register; rules must be free of problems."""
    used = [rule for rule in rules if rule.enabled]
    groups: _Groups = {}
    # Best first, so that the first that covers an asset holds.
    for at in sorted(
        range(len(used)), key=lambda at: (used[at].specificity, used[at].rule_id), reverse=True
    ):
        key = used[at].serial, used[at].parameter
        groups.setdefault(key, {}).setdefault(used[at].kind, []).append(at)
    draft = _Draft()
    for asset in register.assets.values():
        _add_asset(draft, asset, groups, used)
    return _finish(draft, used)


def _add_asset(
    draft: _Draft, asset: RegisteredAsset, groups: _Groups, rules: Sequence[Rule]
) -> None:
    whole = _holding(groups, None, asset, rules)
    wanted = {
        tag: found
        for tag, parameter in asset.parameters.items()
        if (found := _holding(groups, parameter.tag_code, asset, rules))
    }
    if not whole and not wanted:
        return
    draft.assets.append(asset)
    # The quality of an asset is that of all its tags.
    watched = asset.parameters if "quality" in whole else wanted
    channels: dict[str, int] = {}
    for tag in watched:
        channels[tag] = len(draft.tags)
        draft.tags.append(tag)
        draft.parameters.append(asset.parameters[tag])
        draft.channel_asset.append(len(draft.assets) - 1)
    draft.slots[asset.serial] = Slot(len(draft.assets) - 1, channels)
    for rule in whole.values():
        draft.add(asset.serial, None, rule, rules[rule], NO_CHANNEL)
    for tag, found in wanted.items():
        points = {
            kind: draft.add(asset.serial, tag, rule, rules[rule], channels[tag])
            for kind, rule in found.items()
        }
        for kind, worse in _WORSE.items():
            if kind in points and worse in points:
                draft.worse[points[kind]] = points[worse]


def _holding(
    groups: _Groups, parameter: str | None, asset: RegisteredAsset, rules: Sequence[Rule]
) -> dict[RuleKind, int]:
    """The rule of each kind that holds for an asset; its own first."""
    found: dict[RuleKind, int] = {}
    for serial in (asset.serial, None):
        for kind, candidates in groups.get((serial, parameter), {}).items():
            if kind in found:
                continue
            for at in candidates:
                if rules[at].covers(asset):
                    found[kind] = at
                    break
    return found


def _finish(draft: _Draft, rules: Sequence[Rule]) -> Points:
    of_point = [rules[at] for at in draft.rule]
    measured = [
        at for at, rule in enumerate(of_point) if rule.kind in LIMIT_KINDS or rule.kind == "rate"
    ]
    sign = np.array([-1.0 if of_point[at].kind.startswith("low") else 1.0 for at in measured])
    limits = np.array([of_point[at].limit for at in measured], dtype=float)
    return Points(
        rules=rules, assets=draft.assets, slots=draft.slots,
        channels=Channels(
            tags=draft.tags, parameters=draft.parameters, asset=_places(draft.channel_asset),
            low=np.array([each.range_low for each in draft.parameters], dtype=float),
            high=np.array([each.range_high for each in draft.parameters], dtype=float),
            numeric=np.array(
                [each.kind in {"gauge", "counter"} for each in draft.parameters], dtype=bool
            ),
        ),
        keys=draft.keys, rule=_places(draft.rule), asset=_places(draft.asset),
        channel=_places(draft.channel),
        on_s=np.array([rule.on_delay_s for rule in of_point], dtype=float),
        off_s=np.array([rule.off_delay_s for rule in of_point], dtype=float),
        worse=_places(draft.worse), measured=_places(measured), sign=sign, limit=sign * limits,
        deadband=np.array([of_point[at].deadband for at in measured], dtype=float),
        is_rate=np.array([of_point[at].kind == "rate" for at in measured], dtype=bool),
        states=_states(draft, of_point),
        quality=_places([at for at, rule in enumerate(of_point) if rule.kind == "quality"]),
        stale=_places([at for at, rule in enumerate(of_point) if rule.kind == "stale"]),
    )  # fmt: skip


def _states(draft: _Draft, of_point: Sequence[Rule]) -> States:
    points: list[int] = []
    numbers: list[float] = []
    word_ids: list[int] = []
    words: dict[str, int] = {}
    for at, rule in enumerate(of_point):
        for state in rule.states if rule.kind == "state" else ():
            points.append(at)
            if isinstance(state, str):
                numbers.append(np.nan)
                word_ids.append(words.setdefault(state.casefold(), len(words)))
            else:
                numbers.append(float(state))
                word_ids.append(NO_WORD)
    return States(
        point=_places(points), channel=_places([draft.channel[at] for at in points]),
        number=np.array(numbers, dtype=float), word=_places(word_ids), words=words,
    )  # fmt: skip


def _places(numbers: Sequence[int]) -> Places:
    return np.array(numbers, dtype=np.int64)


NO_POINTS: Final = compile_points((), Register())
