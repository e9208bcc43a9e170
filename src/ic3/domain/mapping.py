"""From tags to parameters: the register in memory and the mapping of envelopes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from ic3.domain.envelope import Envelope, Plausibility, plausibility
from ic3.domain.sweeps import KEPT_KEYS


class Parameter(msgspec.Struct, frozen=True):
    """What a tag measures."""

    param_id: int
    name: str
    tag_code: str
    unit: str | None


class RegisteredAsset(msgspec.Struct, frozen=True):
    """An asset of the register with its mapped tags."""

    register_id: int
    serial: str
    parameters: dict[str, Parameter]


class Reading(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One monitoring row; as JSON an array in this order, which is the latest table's form."""

    register_id: int
    tag_code: str
    param_id: int
    value_num: float | None
    value_text: str | None
    recorded_us: int


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


@dataclass(slots=True)
class Mapped:
    """What the mapping made of a sweep's envelopes."""

    readings: list[Reading] = field(default_factory=list)
    tags: int = 0
    tags_skipped: int = 0
    tags_refused: int = 0
    unmapped: list[str] = field(default_factory=list)
    implausible_times: int = 0


def map_envelopes(register: Register, envelopes: Iterable[Envelope], *, now_us: int) -> Mapped:
    """Map the tags of registered assets to parameters.

    An envelope from the future or from before the year 2000 makes no rows: it would freeze the
    newest value of each of its tags.

    Args:
        register: Register, parameters and tag map.
        envelopes: Accepted envelopes.
        now_us: The wall clock, microseconds since 1970 UTC.
    """
    mapped = Mapped()
    assets = register.assets
    add = mapped.readings.append
    skipped = 0
    for envelope in envelopes:
        asset = assets.get(envelope.asset_id)
        if asset is None:
            continue
        recorded_us = envelope.occurred_us
        if plausibility(recorded_us, now_us=now_us) is not Plausibility.PLAUSIBLE:
            mapped.implausible_times += 1
            continue
        register_id, parameters = asset.register_id, asset.parameters
        mapped.tags += len(envelope.values) + len(envelope.rejected)
        mapped.tags_refused += len(envelope.rejected)
        for tag, value in envelope.values.items():
            parameter = parameters.get(tag)
            if parameter is None:
                skipped += 1
                if len(mapped.unmapped) < KEPT_KEYS:
                    mapped.unmapped.append(f"{envelope.asset_id[:300]}\n{tag}")
            elif isinstance(value, str):
                add(Reading(register_id, tag, parameter.param_id, None, value, recorded_us))
            else:
                number = None if value is None else float(value)
                add(Reading(register_id, tag, parameter.param_id, number, None, recorded_us))
    mapped.tags_skipped = skipped
    return mapped
