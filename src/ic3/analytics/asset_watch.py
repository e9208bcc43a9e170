"""The assets of the register under their models, five minutes at a time."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ic3.analytics.asset_groups import AssetGroup
from ic3.analytics.five_minutes import Channel, DayLevels, FiveMinutes
from ic3.analytics.sensor_drift import Drift, Relatives
from ic3.analytics.sensor_watch import SensorWatch
from ic3.analytics.similarity import Bools
from ic3.analytics.tuning import Tag
from ic3.domain.analytics_runs import SensorTrust
from ic3.domain.mapping import Parameter, Register, RegisteredAsset

WATCHED: Final = frozenset({"gauge", "counter", "state"})
# What a counter counted in five minutes depends on how many readings there were; its flow is there.
MODELLED: Final = frozenset({"gauge", "state"})
# Of the past bands are looked up once an hour.
BANDS_EVERY: Final = 12


class Watched:
    """The assets of a version of the register in groups of their kinds, with all their channels.

    Attributes:
        channels: Every channel once, in the order of the groups, their assets and tags.
        places: By group: int64 (assets, tags), place of each channel, -1 where there is none.
        span: float64 (channels,): width of each range, inf where it is not known.
        drifts: Sensors that have drifted, by the last whole days; who reads those sets it.
    """

    def __init__(self, register: Register) -> None:
        self.version = register.version
        self.groups: dict[str, AssetGroup] = {}
        self.places: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
        self.channels: list[Channel] = []
        self.parameters: list[Parameter] = []
        self.owners: list[RegisteredAsset] = []
        for category, assets in _by_category(register).items():
            self._add(category, assets)
        self.span = np.array([each.range_high - each.range_low for each in self.parameters])
        self.sensors = SensorWatch(self.span)
        self.drifts: list[Drift] = []

    def _add(self, category: str, assets: Sequence[RegisteredAsset]) -> None:
        codes = sorted({
            each.tag_code for asset in assets for each in asset.parameters.values()
            if each.kind in MODELLED
        })  # fmt: skip
        if not codes:
            return
        first = {
            each.tag_code: each for asset in reversed(assets) for each in asset.parameters.values()
        }
        places = np.full((len(assets), len(codes)), -1, dtype=np.int64)
        for row, asset in enumerate(assets):
            for tag, parameter in sorted(asset.parameters.items()):
                if parameter.kind not in WATCHED:
                    continue
                if parameter.kind in MODELLED:
                    places[row, codes.index(parameter.tag_code)] = len(self.channels)
                self.channels.append((asset.register_id, tag))
                self.parameters.append(parameter)
                self.owners.append(asset)
        self.groups[category] = AssetGroup(
            [_tag_of(first[code]) for code in codes], [each.register_id for each in assets]
        )
        self.places[category] = places

    def relatives(self) -> Relatives:
        """Who each channel is compared with for drift."""
        both = list(zip(self.owners, self.parameters, strict=True))
        return Relatives(
            kind=_numbered(parameter.tag_code for _, parameter in both),
            asset=_numbered(asset.register_id for asset, _ in both),
            place=_numbered(
                (asset.dma_id or asset.register_id, parameter.tag_code) for asset, parameter in both
            ),
            siblings=_numbered(
                (asset.register_id, parameter.kind, parameter.unit) for asset, parameter in both
            ),
        )

    def levels(self, days: DayLevels) -> NDArray[np.float64]:
        """What is compared from day to day: of what is on and off by turns, how it is when on."""
        turns = {
            asset.register_id
            for asset, parameter in zip(self.owners, self.parameters, strict=True)
            if parameter.kind == "state"
        }
        by_turns = np.array([asset.register_id in turns for asset in self.owners])
        return np.where(by_turns[:, None], days.upper, days.mean)

    def rows(
        self, read: FiveMinutes, step: int, usable: Bools
    ) -> Iterator[tuple[AssetGroup, Any, Any]]:
        """Each group with its places and its row of a step: usable values only."""
        values = np.append(np.where(usable, read.values[:, step], np.nan), np.nan)
        for name, group in self.groups.items():
            yield group, self.places[name], values[self.places[name]]

    def take(self, read: FiveMinutes, step: int, *, with_bands: bool) -> None:
        """Judge a step of all groups.

        Args:
            read: Of all channels.
            step: Which.
            with_bands: Whether it is looked up which tags are in their bands: that takes longer
                than all the rest, and trust needs it now and then only.
        """
        inside = np.full(len(self.channels), np.nan)
        usable = (read.good[:, step] > 0) & ~self.sensors.spikes(read.beyond[:, step])
        for group, places, values in self.rows(read, step, usable):
            group.update(values)
            if with_bands:
                known = places >= 0
                inside[places[known]] = group.inside()[known]
        self.sensors.take(read.rows[:, step], read.good[:, step], inside)


def judge(watched: Watched, read: FiveMinutes) -> int:
    """Judge all steps of a portion; answers how many alarms opened."""
    opened, last = 0, len(read.at_s) - 1
    for step in range(len(read.at_s)):
        before = [
            None if group.verdicts is None else group.verdicts.alarm
            for group in watched.groups.values()
        ]
        watched.take(read, step, with_bands=step == last or step % BANDS_EVERY == 0)
        for was, group in zip(before, watched.groups.values(), strict=True):
            if group.verdicts is not None:
                fresh = group.verdicts.alarm if was is None else group.verdicts.alarm & ~was
                opened += int(fresh.sum())
    return opened


def trust_of(watched: Watched, until: datetime) -> list[SensorTrust]:
    """How far each sensor can be trusted; those that were never there are left out."""
    trust = watched.sensors.trust()
    percent = trust.percent()[:, 0]
    return [
        SensorTrust(
            asset_id=number, tag_code=tag, computed_at=until, trust=float(percent[place]),
            completeness=float(trust.completeness[place, 0]),
            timeliness=float(trust.timeliness[place, 0]),
            validity=float(trust.validity[place, 0]), liveness=float(trust.liveness[place, 0]),
            consistency=float(trust.consistency[place, 0]),
        )
        for place, (number, tag) in enumerate(watched.channels)
        if trust.completeness[place, 0] > 0
    ]  # fmt: skip


def _by_category(register: Register) -> dict[str, list[RegisteredAsset]]:
    found: dict[str, list[RegisteredAsset]] = {}
    for asset in sorted(register.assets.values(), key=lambda each: each.register_id):
        if any(each.kind in MODELLED for each in asset.parameters.values()):
            found.setdefault(asset.category or "", []).append(asset)
    return found


def _tag_of(parameter: Parameter) -> Tag:
    return Tag(
        name=parameter.tag_code, unit=parameter.unit or "", mode=parameter.kind == "state",
        low=parameter.range_low if np.isfinite(parameter.range_low) else None,
        high=parameter.range_high if np.isfinite(parameter.range_high) else None,
    )  # fmt: skip


def _numbered(names: Iterable[Hashable]) -> NDArray[np.int64]:
    """Equal names as equal numbers."""
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(each, len(known)) for each in names], dtype=np.int64)
