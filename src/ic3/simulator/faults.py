"""Faults of the plant: what there is, what is planned, what is true at a moment."""

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from ic3.simulator.assets import Asset
from ic3.simulator.network import Network

Target = Literal["dma", "pump", "valve", "inlet valve", "station", "instrument", "gateway"]
GATEWAY: Final = "gateway"
KEPT_EVENTS: Final = 2000


class FaultError(ValueError):
    """A fault cannot be started as asked for; says what would be possible."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One line of the catalogue.

    Attributes:
        target: What it is played on.
        unit: Of its magnitude; empty where it has none.
        usual: Magnitude where none is given.
        minutes: Duration where none is given.
        ramp: Share of its duration over which it grows to its magnitude.
        what: What happens, for people.
    """

    name: str
    target: Target
    unit: str
    usual: float
    minutes: float
    ramp: float
    what: str


KINDS: Final[Mapping[str, FaultKind]] = {
    kind.name: kind
    for kind in (
        FaultKind("leak", "dma", "m3/h", 15, 240, 0.8, "a leak that grows; flow at 25 m pressure"),
        FaultKind("burst", "dma", "m3/h", 90, 60, 0, "a pipe breaks at once; flow at 25 m"),
        FaultKind("prv_drift", "dma", "m", 8, 240, 0.5, "the inlet's PRV regulates too high"),
        FaultKind("worn_pump", "pump", "%", 12, 720, 0.5, "the pump loses head and efficiency"),
        FaultKind("imbalance", "pump", "mm/s", 4, 240, 0.2, "the rotor is out of balance"),
        FaultKind("rough_bearing", "pump", "times", 3, 240, 0.5, "a bearing runs hot and rough"),
        FaultKind("valve_closed", "valve", "", 0, 120, 0, "the valve is shut"),
        FaultKind("valve_stuck_open", "inlet valve", "", 0, 720, 0,
                  "the inlet of a DMA fed by turns does not shut"),
        FaultKind("power_failure", "station", "", 0, 30, 0, "the mains of a pump station fail"),
        FaultKind("bias", "instrument", "% of range", 4, 240, 0, "reads too high (or low: -4)"),
        FaultKind("drift", "instrument", "% of range", 8, 1440, 1, "reads ever higher"),
        FaultKind("freeze", "instrument", "", 0, 120, 0, "repeats its last value"),
        FaultKind("spike", "instrument", "% of readings", 10, 120, 0, "single readings jump"),
        FaultKind("gap", "instrument", "", 0, 60, 0,
                  "SERIAL: the asset is silent; SERIAL:TAG: the value is null"),
        FaultKind("wrong_clock", "instrument", "s", 900, 60, 0, "the asset's clock is ahead"),
        FaultKind("bad_quality", "instrument", "", 0, 60, 0, "the asset says BAD of itself"),
        FaultKind("text_value", "instrument", "", 0, 60, 0, "a word where a number belongs"),
        FaultKind("gateway_outage", "gateway", "", 0, 1, 0, "the gateway answers 503 to all"),
        FaultKind("gateway_slow", "gateway", "s", 0.05, 5, 0, "the gateway answers late"),
    )
}  # fmt: skip


class Event(msgspec.Struct, kw_only=True):
    """A fault with its time; this is the ground truth.

    Attributes:
        where: DMA, serial number, `SERIAL:TAG`, station or `gateway`.
        begins_s: Seconds since 1970 UTC; `ends_s` likewise.
        by: `timetable`, `scenario` or `hand`.
    """

    number: int
    kind: str
    where: str
    begins_s: float
    ends_s: float
    magnitude: float
    unit: str = ""
    by: str = "hand"

    def active(self, at_s: float) -> bool:
        """Whether it is on."""
        return self.begins_s <= at_s < self.ends_s

    def level(self, at_s: float) -> float:
        """Its magnitude now: it may still be growing."""
        ramp_s = KINDS[self.kind].ramp * (self.ends_s - self.begins_s)
        share = 1.0 if ramp_s <= 0 else min(1.0, (at_s - self.begins_s) / ramp_s)
        return self.magnitude * share


class Planned(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One line of a scenario.

    Attributes:
        after_min: Begin, minutes after the start of the scenario; negative is before it.
        minutes: Duration; None takes the kind's usual one.
    """

    kind: str
    where: str
    after_min: float = 0.0
    minutes: float | None = None
    magnitude: float | None = None


class Faults:
    """All events of a plant, past, present and planned.

    Args:
        network: Whose DMAs and stations may be named.
        assets: Whose serial numbers may be named.
    """

    def __init__(self, network: Network, assets: Sequence[Asset]) -> None:
        self._dmas = {name: dma for dma in network.dmas for name in (dma.dma_id, dma.name)}
        self._stations = {station.name for station in network.stations}
        self._assets = {asset.serial: asset for asset in assets}
        self._inlets = {dma.inlet.name for dma in network.dmas if dma.windows}
        self.events: list[Event] = []
        self._next = 1

    def start(self, planned: Planned, *, from_s: float, by: str = "hand") -> Event:
        """Plan a fault.

        Raises:
            FaultError: Kind, place or time is not usable.
        """
        kind = KINDS.get(planned.kind)
        if kind is None:
            raise FaultError(f"no fault {planned.kind!r}{_near(planned.kind, KINDS)}")
        self._check_place(kind, planned.where)
        minutes = kind.minutes if planned.minutes is None else planned.minutes
        if not 0 < minutes <= 60 * 24 * 400:
            raise FaultError("minutes must be above 0 and at most 400 days")
        magnitude = kind.usual if planned.magnitude is None else planned.magnitude
        if not -1e6 < magnitude < 1e6:
            raise FaultError("magnitude must be a number below a million")
        if len(self.events) >= KEPT_EVENTS:
            del self.events[0]
        begins_s = from_s + 60 * planned.after_min
        event = Event(
            number=self._next, kind=kind.name, where=planned.where, begins_s=begins_s,
            ends_s=begins_s + 60 * minutes, magnitude=magnitude, unit=kind.unit, by=by,
        )  # fmt: skip
        self._next += 1
        self.events.append(event)
        return event

    def end(self, number: int, *, at_s: float) -> Event:
        """End a fault now.

        Raises:
            FaultError: There is none of this number that goes on or is planned.
        """
        for event in self.events:
            if event.number == number and event.ends_s > at_s:
                event.ends_s = at_s
                event.begins_s = min(event.begins_s, at_s)
                return event
        raise FaultError(f"no fault {number} goes on or is planned; list them first")

    def active(self, at_s: float) -> list[Event]:
        """What is on."""
        return [event for event in self.events if event.active(at_s)]

    def restore(self, events: Iterable[Event]) -> None:
        """Take the events of an earlier plant."""
        self.events = list(events)
        self._next = 1 + max((event.number for event in self.events), default=0)

    def _check_place(self, kind: FaultKind, where: str) -> None:
        serial, _, tag = where.partition(":")
        if kind.target == "instrument" and tag and serial in self._assets:
            codes = self._assets[serial].kind.tags.split()
            if tag not in codes:
                raise FaultError(f"{serial} has no tag {tag!r}; it has {', '.join(codes)}")
            return
        known = self._places(kind.target)
        if where not in known:
            raise FaultError(f"no {kind.target} {where!r}{_near(where, known)}")

    def _is_inlet(self, asset: Asset) -> bool:
        return asset.kind.infix == "SV" and asset.place.of in self._inlets

    def _places(self, target: Target) -> Collection[str]:  # noqa: PLR0911  one line a target
        """The names a fault of this target may be played on."""
        assets = self._assets
        match target:
            case "gateway":
                return [GATEWAY]
            case "dma":
                return self._dmas
            case "station":
                return self._stations
            case "pump":
                return [name for name, each in assets.items() if each.kind.infix == "Pump"]
            case "valve":
                return [name for name, each in assets.items() if each.kind.infix == "SV"]
            case "inlet valve":
                return [name for name, each in assets.items() if self._is_inlet(each)]
            case "instrument":
                return assets


def _near(word: str, known: Collection[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, 3, 0.5) or names[:3]
    return "; for example " + ", ".join(close)
