"""Guesses for what nothing maps; a person decides."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from heapq import nlargest
from typing import Final

import msgspec

from ic3.domain.mapping import Parameter

FEW: Final = 5
NEAR_SHARE: Final = 0.75
CANDIDATES: Final = 3000

_SEPARATORS = re.compile(r"[\s_\-./]+")
# Area, kind and number: `Patel Road_Baljeet Nagar_SV_92`.
_SUFFIX = re.compile(r"_([^_]+)_([^_]+)$")


class SisterParameter(msgspec.Struct, frozen=True):
    """A parameter that the same tag has on other assets.

    Attributes:
        assets: On how many.
    """

    param_id: int
    parameter_name: str
    param_tag_code: str
    unit: str | None
    assets: int


class NearParameter(msgspec.Struct, frozen=True):
    """A parameter whose code is like the tag's; 1 is the same but for case and separators."""

    param_id: int
    parameter_name: str
    param_tag_code: str
    unit: str | None
    likeness: float


class NearSerial(msgspec.Struct, frozen=True):
    """A serial number of the register like the one asked for."""

    serial: str
    likeness: float


def normalised(text: str) -> str:
    """A serial number or code without case and separators."""
    return _SEPARATORS.sub("", text).casefold()


def near_parameters(tag_code: str, parameters: Iterable[Parameter]) -> list[NearParameter]:
    """Parameters with the code of the tag or one like it, the most alike first."""
    wanted = normalised(tag_code)
    found = (
        (_likeness(wanted, normalised(each.tag_code)), each.tag_code == tag_code, each)
        for each in parameters
    )
    near = [each for each in found if each[0] >= NEAR_SHARE]
    best = nlargest(FEW, near, key=lambda each: each[:2])
    return [
        NearParameter(each.param_id, each.name, each.tag_code, each.unit, round(share, 3))
        for share, _, each in best
    ]


def near_serials(serial: str, registered: Iterable[str]) -> list[NearSerial]:
    """Serial numbers of the register like this one, the most alike first.

    Those that are the same but for case and separators come first. Of the others at most 3,000
    with the same kind and number, or the same beginning, are compared letter by letter.
    """
    wanted = normalised(serial)
    tail = _tail(serial)
    same: list[str] = []
    others: list[tuple[str, str]] = []
    for each in registered:
        plain = normalised(each)
        if plain == wanted:
            same.append(each)
        elif len(others) < CANDIDATES and (plain[:4] == wanted[:4] or _tail(each) == tail):
            others.append((each, plain))
    near = [(_likeness(wanted, plain), each) for each, plain in others]
    best = nlargest(FEW - len(same[:FEW]), (each for each in near if each[0] >= NEAR_SHARE))
    return [
        *(NearSerial(each, 1.0) for each in sorted(same)[:FEW]),
        *(NearSerial(each, round(share, 3)) for share, each in best),
    ]


def category_of(serial: str, categories: Mapping[str, str]) -> str | None:
    """The category that most assets with the same suffix have; None where none has it.

    Args:
        serial: Such as `Patel Road_SV_92`, whose suffix is `SV`.
        categories: Serial numbers of the register to category.
    """
    kind = _kind(serial)
    if kind is None:
        return None
    counted = Counter(category for each, category in categories.items() if _kind(each) == kind)
    return counted.most_common(1)[0][0] if counted else None


def _likeness(one: str, two: str) -> float:
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if matcher.real_quick_ratio() < NEAR_SHARE or matcher.quick_ratio() < NEAR_SHARE:
        return 0.0
    return matcher.ratio()


def _tail(serial: str) -> tuple[str, str] | None:
    found = _SUFFIX.search(serial)
    return (normalised(found[1]), found[2].casefold()) if found else None


def _kind(serial: str) -> str | None:
    tail = _tail(serial)
    return tail[0] if tail else None
