"""From tags to parameters: the register in memory, and the mapping and marking of envelopes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Final

import msgspec

from ic3.domain.envelope import Envelope, Plausibility, Value, plausibility
from ic3.domain.quality import (
    Limits,
    Mark,
    Quality,
    Reason,
    Repeated,
    Repeats,
    of_change,
    of_source,
    of_value,
    worst,
)
from ic3.domain.sweeps import KEPT_KEYS


class Parameter(Limits, frozen=True):
    """What a tag measures, and what is plausible for it."""

    param_id: int
    name: str
    tag_code: str
    unit: str | None


class RegisteredAsset(msgspec.Struct, frozen=True, gc=False):
    """An asset of the register with its mapped tags; `category` is its kind."""

    register_id: int
    serial: str
    parameters: dict[str, Parameter]
    domain: str | None = None
    category: str | None = None
    dma_id: str | None = None
    name: str | None = None
    longitude: float | None = None
    latitude: float | None = None


class Reading(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One monitoring row; as JSON an array in this order, which is the latest table's form.

    Attributes:
        quality: 0 good, 1 uncertain, 2 bad; `quality_reason` is None where it is good.
    """

    register_id: int
    tag_code: str
    param_id: int
    value_num: float | None
    value_text: str | None
    recorded_us: int
    quality: int = 0
    quality_reason: str | None = None


TagsOfAsset = Mapping[str, Reading]
Moved = dict[int, dict[str, Reading]]
_NO_TAGS: Final[TagsOfAsset] = {}


@dataclass(slots=True)
class Register:
    """The register, the parameters and the tag map, as of `version`."""

    version: int = 0
    assets: Mapping[str, RegisteredAsset] = field(default_factory=dict)
    parameters: Mapping[int, Parameter] = field(default_factory=dict)

    def count_matched(self, serials: Iterable[str]) -> int:
        """How many of the serial numbers are in the register."""
        assets = self.assets
        return sum(serial in assets for serial in serials)


@dataclass(frozen=True, slots=True)
class Past:
    """What was known before the envelopes that are mapped: rate and repetition are judged by it.

    Attributes:
        newest: Register id to the newest readings; `moved` to newer ones of the same sweep.
        repeats: For how long the numbers of each tag usually repeat.
    """

    newest: Mapping[int, TagsOfAsset] = field(default_factory=dict)
    moved: Mapping[int, TagsOfAsset] = field(default_factory=dict)
    repeats: Repeats = field(default_factory=Repeats)

    def tags(self, register_id: int) -> TagsOfAsset:
        """The newest reading of each tag of an asset."""
        return self.moved.get(register_id) or self.newest.get(register_id, _NO_TAGS)


@dataclass(slots=True)
class Mapped:
    """What the mapping made of a sweep's envelopes.

    Attributes:
        moved: Register id to the newest readings of each asset that moves, as they would stand.
        repeated: Gauges whose number is that of the newest before.
    """

    readings: list[Reading] = field(default_factory=list)
    tags: int = 0
    tags_skipped: int = 0
    tags_refused: int = 0
    unmapped: list[str] = field(default_factory=list)
    implausible_times: int = 0
    moved: Moved = field(default_factory=dict, compare=False)
    repeated: list[Repeated] = field(default_factory=list, compare=False)


def map_envelopes(
    register: Register, envelopes: Iterable[Envelope], *, now_us: int, past: Past | None = None
) -> Mapped:
    """Map the tags of registered assets to parameters and mark what is not good.

    An envelope from the future or from before the year 2000 makes no rows: it would freeze the
    newest value of each of its tags.

    Args:
        register: Register, parameters and tag map.
        envelopes: Accepted envelopes, at most one an asset.
        now_us: The wall clock, microseconds since 1970 UTC.
        past: Without it neither rate nor repetition is judged.
    """
    mapped = Mapped()
    past = past or Past()
    asset_of = register.assets.get
    for envelope in envelopes:
        asset = asset_of(envelope.asset_id)
        if asset is None:
            continue
        if plausibility(envelope.occurred_us, now_us=now_us) is not Plausibility.PLAUSIBLE:
            mapped.implausible_times += 1
            continue
        mapped.tags += len(envelope.values) + len(envelope.rejected)
        mapped.tags_refused += len(envelope.rejected)
        _map(asset, envelope, past, mapped)
    return mapped


def _map(asset: RegisteredAsset, envelope: Envelope, past: Past, mapped: Mapped) -> None:  # noqa: C901, PLR0912  one pass over every value of a sweep
    """Map the tags of one envelope: what is plainly good at once, all else with care."""
    register_id, recorded_us = asset.register_id, envelope.occurred_us
    source = None if envelope.quality == "GOOD" else of_source(envelope.quality)
    tags = past.tags(register_id)
    parameter_of, newest, add = asset.parameters.get, tags.get, mapped.readings.append
    moved: dict[str, Reading] | None = None
    before_us, elapsed_s = 0, 0.0
    for tag, value in envelope.values.items():
        parameter = parameter_of(tag)
        if parameter is None:
            mapped.tags_skipped += 1
            if len(mapped.unmapped) < KEPT_KEYS:
                mapped.unmapped.append(f"{envelope.asset_id[:300]}\n{tag}")
            continue
        before = newest(tag)
        if before is not None and before.recorded_us != before_us:
            before_us = before.recorded_us
            elapsed_s = (recorded_us - before_us) / 1e6
        number = value if type(value) is float else float(value) if type(value) is int else nan
        if source is not None or not parameter.range_low <= number <= parameter.range_high:
            plain = False
        elif before is None or (last := before.value_num) is None:
            plain = True
        elif change := number - last:
            reach = parameter.rate_max_per_s * elapsed_s
            plain = -reach <= change <= reach
        elif parameter.kind != "gauge":
            plain = True
        elif plain := elapsed_s > 0 and past.repeats.usual(
            repeated := (register_id, tag, parameter.rests_at(number)), before.quality_reason
        ):
            mapped.repeated.append(repeated)
        if plain:
            reading = Reading(register_id, tag, parameter.param_id, number, None, recorded_us)
        else:
            reading = _judged(
                register_id, recorded_us, tag, value, parameter, source, before, past, mapped
            )
        add(reading)
        if before is None or elapsed_s > 0:
            if moved is None:
                moved = mapped.moved[register_id] = dict(tags)
            moved[tag] = reading


def _judged(
    register_id: int, recorded_us: int, tag: str, value: Value, parameter: Parameter,
    source: Mark | None, before: Reading | None, past: Past, mapped: Mapped,
) -> Reading:  # fmt: skip
    """The reading of a value with the worst of its marks."""
    text = value if isinstance(value, str) else None
    number = None if value is None or isinstance(value, str) else float(value)
    mark = worst(source, of_value(text if number is None else number, parameter))
    # A late value says nothing about how fast the newest moves.
    if (
        number is not None
        and before is not None
        and before.value_num is not None
        and before.recorded_us < recorded_us
    ):
        change = number - before.value_num
        if change:
            elapsed_s = (recorded_us - before.recorded_us) / 1e6
            again = before.quality_reason == Reason.RATE
            mark = worst(mark, of_change(change, elapsed_s, parameter, again=again))
        elif parameter.kind == "gauge":
            repeated = (register_id, tag, parameter.rests_at(number))
            mapped.repeated.append(repeated)
            if not past.repeats.usual(repeated, before.quality_reason):
                mark = worst(mark, Mark(Quality.UNCERTAIN, Reason.FROZEN))
    if mark is None:
        return Reading(register_id, tag, parameter.param_id, number, text, recorded_us)
    return Reading(
        register_id, tag, parameter.param_id, number, text, recorded_us,
        mark.quality.value, mark.reason.value,
    )  # fmt: skip
