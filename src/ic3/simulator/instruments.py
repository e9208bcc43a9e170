"""What the instruments make of the truth: resolution, noise, own faults, and the text sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ic3.simulator import noise
from ic3.simulator.assets import Asset, limits_of
from ic3.simulator.faults import Event
from ic3.simulator.network import Network
from ic3.simulator.noise import Floats

ALARM_WORDS: Final = ("NORMAL", "LOW", "HIGH", "LOW_LOW", "HIGH_HIGH", "FAULT")
PHASE_NS: Final = 1_900_000_000  # assets are read one after the other within so long
SPIKE_RANGES: Final = 0.35
NOISE_TIMES: Final = 6  # beyond the instrument's range by more than its noise


class Instruments:
    """All instruments of the assets on the feed, one row of `starts` an asset.

    Attributes:
        true: float64 (tags,), what an ideal instrument would show, as of the last `measure`.
    """

    def __init__(self, network: Network, assets: Sequence[Asset], *, seed: int) -> None:
        self._assets = assets
        names = [f"{asset.serial}:{tag.code}" for asset in assets for tag in asset.tags]
        tags = [tag for asset in assets for tag in asset.tags]
        limits = [limits_of(asset, tag, network) for asset in assets for tag in asset.tags]
        self.place = {name: at for at, name in enumerate(names)}
        sizes = [len(asset.tags) for asset in assets]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self._spans = list(zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True))
        self._texts = [
            [at for at, tag in enumerate(asset.tags) if tag.kind == "text"] for asset in assets
        ]
        self._streams = noise.keys(seed, names)
        self._record_streams = noise.keys(seed, [f"record:{asset.serial}" for asset in assets])
        self._phase_ns = (
            (noise.uniform(noise.keys(seed, [a.serial for a in assets]), 0) * PHASE_NS)
            .astype(np.int64)
            .tolist()
        )
        self._noise = np.array([tag.noise for tag in tags])
        self._noise_share = np.array([tag.noise_share for tag in tags])
        self._low = np.array([tag.low for tag in tags])
        self._high = np.array([tag.high for tag in tags])
        self._scale = 10.0 ** np.array([tag.decimals for tag in tags])
        self._limits = np.array(limits).T
        self._layout = _layout(assets)
        self._formats = [_format(asset) for asset in assets]
        self._heads = [_head(asset.serial, asset.domain) for asset in assets]
        self._held: dict[int, float] = {}
        self._measured: list[float] = []
        self._odd: dict[int, str] = {}
        self._alarm: list[int] = []
        self._uncertain: list[bool] = []
        self._records = ""
        self._bad: set[str] = set()
        self._ahead_ns: dict[str, int] = {}
        self._at_ns = 0
        self.true: Floats = np.zeros(len(tags))
        self._index = {asset.serial: at for at, asset in enumerate(assets)}

    def measure(
        self, signals: Mapping[str, Floats], *, at_ns: int, tick: int, faults: Iterable[Event]
    ) -> None:
        """Take a reading of everything.

        Args:
            signals: Name to array, as `tags.KINDS` names them.
            at_ns: The moment, ns since 1970 UTC.
            tick: Its number: noise and record ids depend on it alone.
            faults: Those that are on.
        """
        self._at_ns = at_ns
        for name, (into, source) in self._layout.items():
            self.true[into] = signals[name][source]
        spread = self._noise + self._noise_share * np.abs(self.true)
        read = self.true + spread * noise.normal(self._streams, tick)
        self._odd, self._bad, self._ahead_ns = {}, set(), {}
        frozen: set[int] = set()
        for event in faults:
            self._break(read, event, at_ns / 1e9, tick, frozen)
        self._held = {at: value for at, value in self._held.items() if at in frozen}
        clipped = np.clip(read, self._low, self._high)
        beyond = np.abs(clipped - read) > NOISE_TIMES * spread + 1e-9
        shown = np.round(clipped * self._scale) / self._scale + 0.0
        for at in frozen:
            shown[at] = self._held.setdefault(at, float(shown[at]))
        self._measured = shown.tolist()
        self._alarm = self._alarms(shown)
        self._uncertain = np.logical_or.reduceat(beyond, self.starts[:-1]).tolist()
        first = noise.words(self._record_streams, 2 * tick)
        second = noise.words(self._record_streams, 2 * tick + 1)
        self._records = np.stack([first, second], axis=1).tobytes().hex()

    def silent(self, faults: Iterable[Event]) -> set[int]:
        """Assets that send nothing new."""
        return {
            self._index[event.where]
            for event in faults
            if event.kind == "gap" and ":" not in event.where
        }

    def envelope(self, index: int, suffix: str = "") -> str:
        """The JSON text of one asset.

        Args:
            index: Of the asset.
            suffix: Added to its serial number, for copies of it.
        """
        start, end = self._spans[index]
        values: list[Any] = self._measured[start:end]
        if self._odd and any(start <= at < end for at in self._odd):
            return self._with(index, self._odd_values(index), suffix)
        for at in self._texts[index]:
            values[at] = "FULL" if values[at] > 0.5 else "PART"
        return self._with(index, self._formats[index] % tuple(values), suffix)

    def _with(self, index: int, values: str, suffix: str) -> str:
        serial = self._assets[index].serial
        record = self._records[32 * index : 32 * index + 32]
        at_ns = self._at_ns - self._phase_ns[index] + self._ahead_ns.get(serial, 0)
        if serial in self._bad:
            quality = "BAD"
        else:
            quality = "UNCERTAIN" if self._uncertain[index] else "GOOD"
        head = self._heads[index]
        if suffix:
            record = f"{record[:24]}{hash_of(suffix):08x}"
            head = _head(serial + suffix, self._assets[index].domain)
        return (
            f'{{"record_id":"{record[:8]}-{record[8:12]}-4{record[13:16]}-a{record[17:20]}-'
            f'{record[20:]}",{head}"occurred_at":"{_iso_ns(at_ns)}","values":{{{values}}},'
            f'"quality":"{quality}","alarm":"{ALARM_WORDS[self._alarm[index]]}"}}'
        )

    def _odd_values(self, index: int) -> str:
        """The values where one of them is no number."""
        start, _ = self._spans[index]
        parts = self._formats[index].split(",")
        for at, tag in enumerate(self._assets[index].tags):
            odd = self._odd.get(start + at)
            value: Any = self._measured[start + at]
            if odd is not None:
                parts[at] = f'"{tag.code}":{odd}'
            elif tag.kind == "text":
                parts[at] %= "FULL" if value > 0.5 else "PART"
            else:
                parts[at] %= value
        return ",".join(parts)

    def _break(self, read: Floats, event: Event, at_s: float, tick: int, frozen: set[int]) -> None:
        """Change the readings as one fault does."""
        serial, _, tag = event.where.partition(":")
        if event.kind == "wrong_clock":
            self._ahead_ns[serial] = int(event.level(at_s) * 1e9)
        elif event.kind == "bad_quality":
            self._bad.add(serial)
        if serial not in self._index:
            return
        start, _ = self._spans[self._index[serial]]
        at = self.place[event.where] if tag else start
        span = self._high[at] - self._low[at]
        match event.kind:
            case "bias" | "drift":
                read[at] += span * event.level(at_s) / 100
            case "freeze":
                frozen.add(at)
            case "spike":
                draw = noise.uniform(self._streams[at : at + 1] ^ np.uint64(7), tick)[0]
                if draw < event.magnitude / 100:
                    read[at] += span * SPIKE_RANGES * (1 if draw * 1000 % 1 < 0.5 else -1)
            case "gap" if tag:
                self._odd[at] = "null"
            case "text_value":
                self._odd[at] = '"ERR"'
            case _:
                pass

    def _alarms(self, shown: Floats) -> list[int]:
        low_low, low, high, high_high = self._limits
        code = np.where(shown < low, 1, 0)
        code = np.where(shown > high, 2, code)
        code = np.where(shown < low_low, 3, code)
        code = np.where(shown > high_high, 4, code)
        worst: list[int] = np.maximum.reduceat(code, self.starts[:-1]).tolist()
        return worst


@lru_cache(maxsize=1024)
def hash_of(suffix: str) -> int:
    """A number of 32 bits for the name of a copy, the same in every process."""
    return int(noise.keys(0, [suffix])[0] & np.uint64(0xFFFFFFFF))


def _layout(assets: Sequence[Asset]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Signal to where its values go and which of them."""
    into: dict[str, list[int]] = {}
    source: dict[str, list[int]] = {}
    at = batteries = 0
    for asset in assets:
        for signal in asset.kind.sources.split():
            number = 0 if signal == "water_c" else asset.number
            if signal == "battery":
                number, batteries = batteries, batteries + 1
            into.setdefault(signal, []).append(at)
            source.setdefault(signal, []).append(number)
            at += 1
    return {name: (np.array(places), np.array(source[name])) for name, places in into.items()}


def _format(asset: Asset) -> str:
    parts = []
    for tag in asset.tags:
        form = '"%s"' if tag.kind == "text" else f"%.{tag.decimals}f"
        parts.append(f'"{tag.code}":{form}')
    return ",".join(parts)


def _head(serial: str, domain: str) -> str:
    return (
        f'"system_id":"{serial.replace(" ", "_")}","asset_id":"{serial}",'
        f'"domain":"{domain}","protocol":"rest",'
    )


@lru_cache(maxsize=16)
def _iso_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


def _iso_ns(at_ns: int) -> str:
    second, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{_iso_second(second)}.{rest_ns:09d}Z"
