"""Assets of the simulated plant as the program sees them: mapped, marked, in five minutes."""

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf
from typing import Final

import msgspec
import numpy as np

from ic3.analytics.asset_watch import Watched
from ic3.analytics.five_minutes import STEP_S, FiveMinutes
from ic3.analytics.similarity import Floats
from ic3.domain.envelope import parse
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Parameter, Reading, Register, RegisteredAsset
from ic3.domain.quality import Kind, Quality
from ic3.simulator.plant import Plant

REGISTER_COLUMNS: Final = ("serialnumber", "domain", "category", "dma_id")


def register_of(plant: Plant, serials: Collection[str]) -> Register:
    """Some assets of the plant's register, with all their mapped tags."""
    tables = plant.tables()
    parameters = {
        str(row["param_tag_code"]): Parameter(
            param_id=number, name=str(row["parameter_name"]), tag_code=str(row["param_tag_code"]),
            unit=_word(row["unit"]), kind=_kind(row["kind"]),
            range_low=_number(row["range_low"], -inf), range_high=_number(row["range_high"], inf),
            rate_max_per_s=_number(row["rate_max_per_s"], inf),
        )
        for number, row in enumerate(tables["parameters"], 1)
    }  # fmt: skip
    tags: dict[str, dict[str, Parameter]] = {}
    for row in tables["tagmap"]:
        of = tags.setdefault(str(row["serialnumber"]), {})
        of[str(row["tag_code"])] = parameters[str(row["param_tag_code"])]
    assets = {}
    for number, row in enumerate(tables["register"], 1):
        serial, domain, category, dma_id = (_word(row[name]) for name in REGISTER_COLUMNS)
        if serial is not None and serial in tags and serial in serials:
            assets[serial] = RegisteredAsset(
                number, serial, tags[serial], domain=domain, category=category, dma_id=dma_id
            )
    return Register(
        version=1, assets=assets, parameters={each.param_id: each for each in parameters.values()}
    )


def _word(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _kind(value: object) -> Kind:
    known: Kind = msgspec.convert(value, Kind)
    return known


def _number(value: object, unknown: float) -> float:
    return float(value) if isinstance(value, int | float) else unknown


@dataclass(slots=True)
class _Column:
    """Readings of five minutes, each float64 (channels,)."""

    rows: Floats
    good: Floats
    total: Floats
    used: Floats
    least: Floats
    most: Floats
    first: Floats
    last: Floats

    @classmethod
    def empty(cls, channels: int) -> "_Column":
        """Without any reading."""
        nothing = [np.zeros(channels) for _ in range(4)]
        unknown = [np.full(channels, each) for each in (np.inf, -np.inf, np.nan, np.nan)]
        return cls(*nothing, *unknown)

    def take(self, place: int, reading: Reading) -> None:
        """Count one reading."""
        self.rows[place] += 1
        self.good[place] += reading.quality == Quality.GOOD
        value = reading.value_num
        if value is None or reading.quality == Quality.BAD:
            return
        if not self.used[place]:
            self.first[place] = value
        self.used[place] += 1
        self.total[place] += value
        self.least[place] = min(self.least[place], value)
        self.most[place] = max(self.most[place], value)
        self.last[place] = value


@dataclass(slots=True)
class Feed:
    """Reads a plant the way the program does.

    Attributes:
        watched: Whose channels are read.
        columns: Five minutes that have ended, oldest first.
    """

    plant: Plant
    register: Register
    watched: Watched
    columns: list[_Column] = field(default_factory=list)
    latest: LatestReadings = field(default_factory=LatestReadings)
    _texts: dict[int, str] = field(default_factory=dict)
    _places: dict[tuple[int, str], int] = field(default_factory=dict)
    _assets: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.latest.register = self.register
        self._places = {channel: at for at, channel in enumerate(self.watched.channels)}
        self._assets = [
            at for at, asset in enumerate(self.plant.assets) if asset.serial in self.register.assets
        ]

    def five_minutes(self, tick_s: int) -> None:
        """Run the plant for five minutes, with a reading every `tick_s`."""
        column = _Column.empty(len(self.watched.channels))
        for _ in range(STEP_S // tick_s):
            self.plant.move(tick_s)
            for reading in self._readings():
                place = self._places.get((reading.register_id, reading.tag_code))
                if place is not None:
                    column.take(place, reading)
        self.columns.append(column)

    def _readings(self) -> list[Reading]:
        """What is new, marked."""
        at_s = self.plant.at_s
        self.plant.read(at_ns=at_s * 1_000_000_000, tick=at_s // 15)
        now_us, records = at_s * 1_000_000, []
        for at in self._assets:
            text = self.plant.envelope(at)
            # A silent asset shows the record it had.
            if text != self._texts.get(at):
                self._texts[at] = text
                serial = self.plant.serials[at]
                records.append(parse(serial, text, received_us=now_us, content_hash=b""))
        movement = Movement(self.latest, records, now_us=now_us)
        readings = [each for batch in movement.batches() for each in batch]
        self.latest.apply(movement.moved, movement.repeated)
        return readings

    def read(self, first: int = 0) -> FiveMinutes:
        """The five minutes from one on."""
        columns = self.columns[first:]
        end_s = self.plant.at_s // STEP_S * STEP_S
        at_s = end_s + STEP_S * np.arange(-len(columns), 0, dtype=np.int64)
        is_state = np.array([each.kind == "state" for each in self.watched.parameters])
        is_gauge = np.array([each.kind == "gauge" for each in self.watched.parameters])
        values, beyond = [], []
        for each in columns:
            with np.errstate(invalid="ignore"):
                values.append(np.where(is_state, each.last, each.total / each.used))
            high = each.most - np.maximum(each.first, each.last)
            low = np.minimum(each.first, each.last) - each.least
            out = np.nan_to_num(np.maximum(high, low), neginf=0.0, posinf=0.0)
            beyond.append(np.where(is_gauge, np.maximum(out, 0.0), 0.0))
        counts = [
            np.array([getattr(each, name) for each in columns]).T.astype(np.int32)
            for name in ("rows", "good")
        ]
        return FiveMinutes(
            at_s, np.array(values).T, counts[0], counts[1], np.array(beyond).T
        )  # fmt: skip

    def reason_of(self, serial: str, tag: str) -> str:
        """Why its newest reading is not good."""
        reading = (self.latest.state_of(serial) or {}).get(tag)
        return "not_good" if reading is None else reading.quality_reason or "not_good"

    def fit(self) -> None:
        """Fit the models of all assets on what was read so far."""
        read = self.read()
        values = np.vstack([np.where(read.good > 0, read.values, np.nan),
                            np.full((1, len(read.at_s)), np.nan)])  # fmt: skip
        for name, group in self.watched.groups.items():
            for row, places in enumerate(self.watched.places[name]):
                group.fit(row, values[places].T)
