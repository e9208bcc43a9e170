"""The newest value of every mapped tag, in memory: what the live endpoint answers from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from ic3.domain.envelope import Envelope, time_text
from ic3.domain.mapping import Moved, Past, Reading, Register, TagsOfAsset, map_envelopes
from ic3.domain.quality import Quality, Reason, Repeated, Repeats
from ic3.domain.sweeps import Equation, batches, mapping_equation

StaleAfter = Callable[[str, str], float | None]
_QUALITY_WORDS: Final = {each.value: each.name for each in Quality}


class LiveRow(msgspec.Struct, frozen=True):
    """One reading as the live endpoint answers it.

    Attributes:
        quality: GOOD, UNCERTAIN or BAD: our own judgement; `quality_reason` is None where it is
            good.
        stale_after_s: Seconds without a new record after which the value is stale, as learned.
    """

    serial_number: str
    asset_id: int
    tag_code: str
    parameter_name: str
    param_tag_code: str
    unit: str | None
    value_num: float | None
    value_text: str | None
    recorded_at: str
    quality: str = Quality.GOOD.name
    quality_reason: str | None = None
    stale_after_s: float | None = None


class Live(msgspec.Struct, frozen=True):
    """The newest reading per tag of one asset, ordered by tag code."""

    serial_number: str
    count: int
    monitoring: list[LiveRow]


class LatestReadings:
    """Newest value per asset and tag; moves only forward in the source's time.

    Args:
        stale_after_s: Serial number and tag to the seconds after which it is stale.

    Attributes:
        revision: Grows whenever a reading moves.
    """

    def __init__(self, stale_after_s: StaleAfter = lambda _serial, _tag: None) -> None:
        self._assets: dict[int, TagsOfAsset] = {}
        self._stale_after_s = stale_after_s
        self._repeats = Repeats()
        self.register = Register()
        self.revision = 0
        self.restored = False
        self._frozen: set[tuple[int, str]] = set()

    def past(self, moved: Moved) -> Past:
        """What readings newer than these, and than those that `moved` holds, are judged by."""
        return Past(self._assets, moved, self._repeats)

    def replace(self, assets: dict[int, TagsOfAsset]) -> None:
        """Take what the latest table holds."""
        self._assets = assets
        self.revision += 1
        self._frozen = {
            (register_id, tag)
            for register_id, tags in assets.items()
            for tag, newest in tags.items()
            if newest.quality_reason == Reason.FROZEN
        }
        self.restored = True

    def apply(self, changed: Mapping[int, TagsOfAsset], repeated: Iterable[Repeated] = ()) -> None:
        """Take what the mapping moved, once it is in the database.

        Args:
            changed: Register id to the newest readings.
            repeated: Gauges that showed the number they had before.
        """
        again = list(repeated)
        self._repeats.learn(changed, again)
        self._assets.update(changed)
        self.revision += 1
        # Only a number that was there before can be frozen, so few are looked at.
        self._frozen.update((register_id, tag) for register_id, tag, _ in again)
        self._frozen = {each for each in self._frozen if self._is_frozen(*each)}

    def _is_frozen(self, register_id: int, tag: str) -> bool:
        newest = self._assets.get(register_id, {}).get(tag)
        return newest is not None and newest.quality_reason == Reason.FROZEN

    @property
    def frozen(self) -> frozenset[tuple[int, str]]:
        """Register id and tag of gauges that repeat their number for longer than usual."""
        return frozenset(self._frozen)

    def live(self, serial: str) -> Live:
        """The newest readings of an asset; empty for one that is unknown or has none."""
        asset = self.register.assets.get(serial)
        tags = self._assets.get(asset.register_id) if asset else None
        if asset is None or tags is None:
            return Live(serial, 0, [])
        rows = []
        for tag in sorted(tags):
            newest = tags[tag]
            parameter = self.register.parameters.get(newest.param_id)
            if parameter is None:
                continue
            rows.append(
                LiveRow(
                    serial, asset.register_id, tag, parameter.name, parameter.tag_code,
                    parameter.unit, newest.value_num, newest.value_text,
                    time_text(newest.recorded_us), _QUALITY_WORDS[newest.quality],
                    newest.quality_reason, self._stale_after_s(serial, tag),
                )
            )  # fmt: skip
        return Live(serial, len(rows), rows)

    def state_of(self, serial: str) -> TagsOfAsset | None:
        """What an encoded answer depends on: another object after each change."""
        asset = self.register.assets.get(serial)
        return self._assets.get(asset.register_id) if asset else None


class Movement:
    """What a sweep's envelopes become, batch by batch: mapping goes on while a batch is copied.

    Attributes:
        moved: Register id to the newest readings of each asset that moved; whole after the last
            batch.
        repeated: Gauges that showed the number they had before; likewise.
        tags_skipped: Tags without a parameter; likewise. `unmapped` names them, serial number and
            tag with a line feed between, at most a thousand.
        tags_refused: Tags that the parser rejected.
        tags: Of all matched envelopes of plausible time.
        readings: How many rows the mapping makes; `inserted` of them were new.
    """

    def __init__(
        self, latest: LatestReadings, envelopes: Sequence[Envelope], *, now_us: int
    ) -> None:
        self._latest = latest
        self._envelopes = envelopes
        self._now_us = now_us
        self.moved: Moved = {}
        self.repeated: list[Repeated] = []
        self.tags_skipped = 0
        self.tags_refused = 0
        self.tags = 0
        self.unmapped: list[str] = []
        self.readings = 0
        self.inserted = 0

    def equation(self) -> Equation:
        """What must hold once the rows are in: every tag is in one place."""
        duplicate = self.readings - self.inserted
        return mapping_equation(
            self.tags, self.inserted, duplicate, self.tags_skipped, self.tags_refused
        )

    def batches(self) -> Iterator[list[Reading]]:
        """The readings, from the first again at each call."""
        self.moved, self.repeated, self.unmapped, self.readings = {}, [], [], 0
        self.tags_skipped = self.tags_refused = self.tags = 0
        register = self._latest.register
        past = self._latest.past(self.moved)
        for batch in each_asset_once(batches(self._envelopes)):
            mapped = map_envelopes(register, batch, now_us=self._now_us, past=past)
            self.tags_skipped += mapped.tags_skipped
            self.tags_refused += mapped.tags_refused
            self.tags += mapped.tags
            self.unmapped += mapped.unmapped
            self.readings += len(mapped.readings)
            self.moved.update(mapped.moved)
            self.repeated += mapped.repeated
            yield mapped.readings


def each_asset_once(portions: Iterable[Sequence[Envelope]]) -> Iterator[Sequence[Envelope]]:
    """The portions, parted where an asset stands in one twice: its first is the other's past."""
    for portion in portions:
        start, seen = 0, set[str]()
        for index, envelope in enumerate(portion):
            if envelope.asset_id in seen:
                yield portion[start:index]
                start, seen = index, set()
            seen.add(envelope.asset_id)
        yield portion[start:]
