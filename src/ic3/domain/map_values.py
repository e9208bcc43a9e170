"""One figure of every asset at once, to draw a map by: newest, or as it was."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register, RegisteredAsset
from ic3.domain.quality import Quality
from ic3.domain.users import Principal

CLASSES: Final = 5
# Ages say more in steps that people think in than in fifths.
AGE_EDGES_S: Final = [30.0, 120.0, 900.0, 3600.0]


class Figure(StrEnum):
    """What a map can be drawn by."""

    PRESSURE = "pressure"
    FLOW = "flow"
    HEALTH = "health"
    AGE = "age"


# Of an asset with several the first that it has.
CODES: Final[Mapping[Figure, Sequence[str]]] = {
    Figure.PRESSURE: ("PRESSURE", "DIS_PRES"),
    Figure.FLOW: ("FLOW_RATE", "PUMP_FLOW"),
    Figure.HEALTH: ("HEALTH_SCORE",),
}


class MapValues(msgspec.Struct):
    """Values by serial number; an asset without one is left out.

    Attributes:
        at: Begin of the five minutes that the values are the last of; null: they are the newest.
        edges: Where the classes part, rising, in `unit`; at most four.
    """

    by: Figure
    unit: str | None
    at: str | None
    edges: list[float]
    values: dict[str, float]


def parameters_of(register: Register, figure: Figure) -> list[int]:
    """Ids of the parameters that hold a figure, those that count first first."""
    ids = {each.tag_code: each.param_id for each in register.parameters.values()}
    return [ids[code] for code in CODES[figure] if code in ids]


def unit_of(register: Register, param_ids: Sequence[int]) -> str | None:
    """The unit of the first parameter; None where there is none."""
    return register.parameters[param_ids[0]].unit if param_ids else None


def seen_by(register: Register, who: Principal) -> Iterator[RegisteredAsset]:
    """Assets that somebody may see."""
    return (each for each in register.assets.values() if who.sees(each.domain))


def newest_of(
    latest: LatestReadings, asset: RegisteredAsset, param_ids: Sequence[int]
) -> float | None:
    """The newest value of an asset that is not BAD."""
    tags = latest.state_of(asset.serial) or {}
    found = {
        each.param_id: each.value_num
        for each in tags.values()
        if each.value_num is not None and each.quality != Quality.BAD
    }
    return next((found[each] for each in param_ids if each in found), None)


def edges_of(values: Iterable[float]) -> list[float]:
    """Where classes of as many assets as each other part, to three significant digits."""
    ordered = sorted(values)
    if not ordered:
        return []
    cuts = (ordered[len(ordered) * place // CLASSES] for place in range(1, CLASSES))
    return sorted({float(f"{each:.3g}") for each in cuts})
