"""The list of assets with what is live: which, in what order, and how a row is shown."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from ic3.domain.envelope import time_text
from ic3.domain.freshness import State
from ic3.domain.quality import of_source
from ic3.domain.spreadsheets import Cell
from ic3.domain.state_byte import LIFE

CSV_HEADINGS: Final = (
    "serial", "name", "kind", "domain", "dma_id", "state", "since_utc", "time_utc", "time_local",
    "age_s", "quality", "priority", "unacknowledged",
)  # fmt: skip


class Sort(StrEnum):
    """Order of the list; a sign before it turns the order round.

    `worst` has alarms first, then what does not speak though it did, and last what never has.
    """

    WORST = "worst"
    SERIAL = "serial"
    NAME = "name"
    KIND = "kind"
    DOMAIN = "domain"
    DMA = "dma"
    STATE = "state"
    RECEIVED = "received_at"
    QUALITY = "quality"
    PRIORITY = "priority"
    SERIAL_DOWN = "-serial"
    NAME_DOWN = "-name"
    KIND_DOWN = "-kind"
    DOMAIN_DOWN = "-domain"
    DMA_DOWN = "-dma"
    STATE_DOWN = "-state"
    RECEIVED_DOWN = "-received_at"
    QUALITY_DOWN = "-quality"
    PRIORITY_DOWN = "-priority"


class Known(NamedTuple):
    """What is known of one asset now.

    Attributes:
        kind: The register's category.
        priority: Worst of its alarms that call and are active; 0 where there is none.
        received_us: Our receipt of its newest new record; 0 where there is none.
        quality: Of that record; None where it names none.
    """

    serial: str
    name: str | None
    kind: str | None
    domain: str | None
    dma_id: str | None
    state: State
    received_us: int
    quality: str | None
    priority: int
    unacknowledged: bool


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of the list ended."""

    sort: Sort
    key: str | int
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFilter:
    """Which assets; an empty collection is no bound, None takes all.

    Attributes:
        scope: Domains that the caller may see.
        priorities: Of the worst active alarm; 0 are the assets without one.
        good: Whether the source vouches for the newest record.
        text: In serial number or name, in any case.
    """

    scope: frozenset[str] | None = None
    domains: Collection[str] = ()
    dma_ids: Collection[str] = ()
    kinds: Collection[str] = ()
    states: Collection[State] = ()
    priorities: Collection[int] = ()
    good: bool | None = None
    unacknowledged: bool | None = None
    text: str = ""

    def takes(self, asset: Known) -> bool:
        """Whether an asset is asked for."""
        return (
            (self.scope is None or asset.domain in self.scope)
            and (not self.domains or (asset.domain or "") in self.domains)
            and (not self.dma_ids or (asset.dma_id or "") in self.dma_ids)
            and (not self.kinds or (asset.kind or "") in self.kinds)
            and (not self.states or asset.state in self.states)
            and (not self.priorities or asset.priority in self.priorities)
            and (self.good is None or is_good(asset) is self.good)
            and (self.unacknowledged is None or asset.unacknowledged is self.unacknowledged)
            and (not self.text or self.text.lower() in f"{asset.serial}\n{asset.name}".lower())
        )


def is_good(asset: Known) -> bool:
    """Whether the source vouches for the newest record; there is none to vouch for otherwise."""
    return asset.received_us > 0 and of_source(asset.quality) is None


def _alarm_rank(asset: Known) -> int:
    """The greater the graver; 0 without an alarm."""
    return 2 * (-asset.priority % 5) + asset.unacknowledged


def _worst_first(asset: Known) -> int:
    silent = -1 if asset.state is State.NEVER_SEEN else asset.state is not State.FRESH
    return -(4 * _alarm_rank(asset) + 2 * silent + (not is_good(asset)))


_KEYS: Final[Mapping[str, Callable[[Known], str | int]]] = {
    Sort.WORST: _worst_first,
    Sort.SERIAL: lambda each: each.serial,
    Sort.NAME: lambda each: each.name or "",
    Sort.KIND: lambda each: each.kind or "",
    Sort.DOMAIN: lambda each: each.domain or "",
    Sort.DMA: lambda each: each.dma_id or "",
    Sort.STATE: lambda each: LIFE[each.state],
    Sort.RECEIVED: lambda each: each.received_us,
    Sort.QUALITY: lambda each: _gravity(each.quality),
    Sort.PRIORITY: _alarm_rank,
}


def in_order(assets: Iterable[Known], sort: Sort) -> list[Known]:
    """The assets in an order; equal ones by serial number."""
    chosen = sorted(assets, key=itemgetter(0))
    if sort is not Sort.SERIAL:
        chosen.sort(key=_KEYS[sort.removeprefix("-")], reverse=sort.startswith("-"))
    return chosen


def place_of(asset: Known, sort: Sort) -> Place:
    """Where an asset stands in an order."""
    return Place(sort, _KEYS[sort.removeprefix("-")](asset), asset.serial)


def begin_behind(assets: Sequence[Known], end: Place) -> int:
    """Index of the first asset behind the end of the page before, in assets of the same order."""
    return bisect_left(assets, True, key=lambda each: _is_behind(place_of(each, end.sort), end))


def _is_behind(place: Place, end: Place) -> bool:
    if place.key == end.key:
        return place.serial > end.serial
    if isinstance(place.key, str) is not isinstance(end.key, str):
        return False
    further = place.key > end.key  # type: ignore[operator]  # of one type: checked above
    return further is not place.sort.startswith("-")


def csv_row(asset: Known, *, since_us: int | None, age_s: float | None, zone: tzinfo) -> list[Cell]:
    """A row under CSV_HEADINGS."""
    received = datetime.fromtimestamp(asset.received_us // 1_000_000, UTC).astimezone(zone)
    return [
        asset.serial, asset.name, asset.kind, asset.domain, asset.dma_id, asset.state.value,
        None if since_us is None else time_text(since_us),
        time_text(asset.received_us) if asset.received_us else None,
        received.isoformat() if asset.received_us else None,
        age_s, asset.quality, asset.priority or None, int(asset.unacknowledged),
    ]  # fmt: skip


def _gravity(quality: str | None) -> int:
    mark = of_source(quality)
    return 0 if mark is None else mark.quality.value
