"""All assets as everybody sees them: a numbered list, and one state byte each."""

from collections.abc import Iterable
from math import isfinite

import msgspec

from ic3.domain.alarms import Alarms, worst_of
from ic3.domain.envelope import Value
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register, RegisteredAsset
from ic3.domain.state_byte import state_byte
from ic3.domain.status import AssetState, Feed

Limits = dict[str, tuple[float | None, float | None]]


class AssetRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One asset of a snapshot, as an array in this order.

    Attributes:
        kind: The register's category.
        longitude: Degrees, WGS 84; null where the register has none, as `latitude`.
    """

    index: int
    serial: str
    kind: str | None
    dma: str | None
    longitude: float | None
    latitude: float | None
    state: int


class Board:
    """Register and feed together, by serial number; a place in the list is an asset's index.

    A state byte is computed again only for an asset that something has moved.

    Args:
        feed: Life and quality.
        latest: The register.
        alarms: Every open alarm.
    """

    def __init__(self, *, feed: Feed, latest: LatestReadings, alarms: Alarms) -> None:
        self._feed = feed
        self._latest = latest
        self._alarms = alarms
        self._seen_register = Register()
        self._seen_serials: list[str] = []
        self._described: list[tuple[str, str | None, str | None, float | None, float | None]] = []
        self._index: dict[str, int] = {}
        self._states = bytearray()
        self._touched: set[str] = set()

    def renew(self) -> bool:
        """List the assets anew where register or feed has; whether the list is another now."""
        register, serials = self._latest.register, self._feed.freshness.serials()
        if register is self._seen_register and serials is self._seen_serials:
            return False
        self._seen_register, self._seen_serials = register, serials
        assets = register.assets
        listed = sorted(assets.keys() | set(serials))
        described = [_described(serial, assets.get(serial)) for serial in listed]
        if described == self._described:
            return False
        self._described = described
        self._index = {serial: index for index, serial in enumerate(listed)}
        self._feed.freshness.take_moved()
        self._touched.clear()
        self._states = bytearray(self._state(serial) for serial in listed)
        return True

    @property
    def is_of_this_register(self) -> bool:
        """Whether the list was made with the register as it is."""
        return self._latest.register is self._seen_register

    def touch(self, serial: str) -> None:
        """Say that an alarm of an asset has changed."""
        self._touched.add(serial)

    def moved(self) -> list[tuple[int, int]]:
        """Index and byte of each asset whose byte has changed since this was last asked."""
        touched = self._feed.freshness.take_moved() | self._touched
        self._touched.clear()
        changes = []
        for serial in touched:
            index = self._index.get(serial)
            if index is not None and self._states[index] != (state := self._state(serial)):
                self._states[index] = state
                changes.append((index, state))
        changes.sort()
        return changes

    def rows(self) -> list[AssetRow]:
        """Every asset with the byte that was told last."""
        return [
            AssetRow(index, *described, state)
            for index, (described, state) in enumerate(
                zip(self._described, self._states, strict=True)
            )
        ]

    def index_of(self, serial: str) -> int | None:
        """Where an asset stands in the list."""
        return self._index.get(serial)

    def serials_at(self, indexes: Iterable[int]) -> list[str]:
        """The serial numbers at these places, once each; places that do not exist are left out."""
        size = len(self._described)
        found = (self._described[index][0] for index in indexes if 0 <= index < size)
        return list(dict.fromkeys(found))

    def news_of(self, serial: str) -> AssetState | None:
        """What is newest of an asset: by the feed, and by the readings for tags it has not seen."""
        news = self._feed.state_of(serial)
        if news is None:
            return None
        values: dict[str, Value] = {
            row.tag_code: row.value_text if row.value_num is None else row.value_num
            for row in self._latest.live(serial).monitoring
        }
        values.update(news.values)
        return AssetState(news.received_us, news.quality, news.alarm, news.occurred_us, values)

    def newest(self, serial: str) -> AssetState | None:
        """What the last records brought of an asset."""
        return self._feed.state_of(serial)

    def limits_of(self, serial: str) -> Limits:
        """What is plausible for each tag of an asset; null where nothing is known."""
        asset = self._latest.register.assets.get(serial)
        if asset is None:
            return {}
        return {
            tag: (_finite(each.range_low), _finite(each.range_high))
            for tag, each in asset.parameters.items()
            if isfinite(each.range_low) or isfinite(each.range_high)
        }

    def _state(self, serial: str) -> int:
        news = self._feed.state_of(serial)
        priority, unacknowledged = worst_of(self._alarms.of("asset", serial))
        return state_byte(
            self._feed.freshness.state_of(serial), good=news is not None and news.is_good,
            priority=priority, unacknowledged=unacknowledged,
        )  # fmt: skip


def _described(
    serial: str, asset: RegisteredAsset | None
) -> tuple[str, str | None, str | None, float | None, float | None]:
    if asset is None:
        return serial, None, None, None, None
    return serial, asset.category, asset.dma_id, asset.longitude, asset.latitude


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None
