"""What a district metered area is: its meters, tanks, pressure points and customers, checked."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ic3.errors import InputError

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
HourOfDay = Annotated[float, msgspec.Meta(ge=0, le=24)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


def key(serial: str, tag: str) -> str:
    """The name of a series of readings: `SERIAL:TAG`."""
    return f"{serial}:{tag}"


class _Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tag of an asset."""

    serial: Name
    tag: Name

    @property
    def key(self) -> str:
        """The name of its series."""
        return key(self.serial, self.tag)


class InflowMeter(_Instrument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A flow meter on the boundary.

    Attributes:
        sign: 1 where its positive direction leads into the DMA, -1 where it leads out.
        accuracy_percent: Half width of the 95 % band of what it shows.
    """

    sign: Literal[1, -1] = 1
    accuracy_percent: NotNegative = 2.0


class StorageTank(_Instrument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tank inside the DMA, by its level in m.

    Attributes:
        area_m2: Water surface; None where the table says the content.
        level_volume: Level in m and content in m3, both rising; linear between the points.
    """

    area_m2: Positive | None = None
    level_volume: tuple[tuple[float, float], ...] = ()


class PressurePoint(_Instrument, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pressure transmitter; readings in m of water.

    Attributes:
        point: `average` stands for the zone's mean, `critical` is where pressure is lowest.
        node: Its node of the hydraulic model, where there is one.
    """

    point: Literal["average", "critical", "other"] = "other"
    node: str | None = None


class NightUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A customer who takes much at night, by meter or contract."""

    name: Name
    flow_m3_h: NotNegative


class DMA(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of the definition of a district metered area.

    Attributes:
        valid_from: The version holds from then on, aware.
        zone: IANA time zone of its nights and days.
        mains_km: Length of mains, Lm.
        connections: Service connections, Nc.
        private_pipe_km: Pipe between property line and meter, all customers, Lp.
        night_from_h: Begin of the night window, local hour.
        active_share: Share of the people who take water in an hour of the night window.
        litres_an_active_person_hour: What each of these takes.
        n1: Leakage exponent, 0.5 (rigid pipe) to 1.5 (flexible).
        supply: Whether water is there round the clock or by turns.
        supply_pressure_m: Above it the DMA counts as supplied.
        roof_fill_h: Hours under pressure before the night window, after which roof tanks are full.
        billed_m3_d: Mean billed authorised consumption; None where it is not known.
    """

    dma_id: Name
    name: Name
    domain: str = ""
    valid_from: datetime
    zone: str = "Asia/Kolkata"
    meters: tuple[InflowMeter, ...]
    tanks: tuple[StorageTank, ...] = ()
    pressure_points: tuple[PressurePoint, ...] = ()
    mains_km: NotNegative = 0.0
    connections: Annotated[int, msgspec.Meta(ge=0)] = 0
    private_pipe_km: NotNegative = 0.0
    population: Annotated[int, msgspec.Meta(ge=0)] = 0
    night_from_h: HourOfDay = 2.0
    night_to_h: HourOfDay = 4.0
    active_share: Share = 0.06
    litres_an_active_person_hour: NotNegative = 10.0
    night_users: tuple[NightUser, ...] = ()
    n1: Annotated[float, msgspec.Meta(ge=0.5, le=1.5)] = 1.0
    supply: Literal["continuous", "intermittent"] = "continuous"
    supply_pressure_m: Positive = 7.0
    roof_fill_h: NotNegative = 6.0
    billed_m3_d: NotNegative | None = None
    billed_accuracy_percent: NotNegative = 3.0
    unbilled_share: Share = 0.0
    unauthorised_share: Share = 0.0
    under_registration_share: Share = 0.0

    @property
    def night_use_m3_h(self) -> float:
        """Legitimate use in the night window."""
        people = self.population * self.active_share * self.litres_an_active_person_hour / 1000
        return people + sum(each.flow_m3_h for each in self.night_users)

    @property
    def average_point(self) -> PressurePoint | None:
        """Where the zone's mean pressure is read: the point named so, or else any."""
        points = sorted(self.pressure_points, key=lambda each: each.point != "average")
        return points[0] if points else None

    @property
    def critical_point(self) -> PressurePoint | None:
        """Where it falls dry first: the point named so, or else the average one."""
        named = [each for each in self.pressure_points if each.point == "critical"]
        return named[0] if named else self.average_point

    @property
    def keys(self) -> frozenset[str]:
        """The names of all series it needs."""
        return frozenset(
            each.key for each in (*self.meters, *self.tanks, *self.pressure_points)
        )  # fmt: skip


def read_definitions(content: bytes) -> list[DMA]:
    """The definitions of a JSON file: a list of DMAs.

    Raises:
        InputError: It is none; says what is wrong where.
    """
    try:
        return msgspec.json.decode(content, type=list[DMA])
    except msgspec.MsgspecError as error:
        raise InputError(f"dma definition: {error}") from None


def current(definitions: Iterable[DMA], at: datetime) -> list[DMA]:
    """The version of each DMA that holds at a moment, by id; those not yet valid are left out."""
    held: dict[str, DMA] = {}
    for each in sorted(definitions, key=lambda each: each.valid_from):
        if each.valid_from <= at:
            held[each.dma_id] = each
    return [held[dma_id] for dma_id in sorted(held)]


def check(dmas: Sequence[DMA], known: Collection[str] | None = None) -> list[str]:
    """What is wrong with definitions that hold together, in words; empty if nothing.

    Args:
        dmas: One version a DMA.
        known: Names of all series there are; None leaves that unchecked.
    """
    problems = [problem for dma in dmas for problem in _problems_of(dma)]
    twice = [dma_id for dma_id, count in Counter(dma.dma_id for dma in dmas).items() if count > 1]
    problems += [f"{dma_id}: is defined twice for the same time" for dma_id in twice]
    problems += _boundary_problems(dmas)
    if known is not None:
        problems += [
            f"{dma.dma_id}: no tag {name} on the feed"
            for dma in dmas for name in sorted(dma.keys) if name not in known
        ]  # fmt: skip
    return problems


def refuse_wrong(dmas: Sequence[DMA], known: Collection[str] | None = None) -> None:
    """Check.

    Raises:
        InputError: With all that is wrong.
    """
    if problems := check(dmas, known):
        raise InputError("dma definition: " + "; ".join(problems))


def _problems_of(dma: DMA) -> list[str]:
    wrong = []
    if dma.valid_from.tzinfo is None:
        wrong.append("valid_from has no time zone")
    try:
        ZoneInfo(dma.zone)
    except (ZoneInfoNotFoundError, ValueError):
        wrong.append(f"no time zone {dma.zone!r}")
    if not any(meter.sign > 0 for meter in dma.meters):
        wrong.append("no meter leads into it")
    if dma.night_from_h >= dma.night_to_h:
        wrong.append("the night window ends before it begins")
    named = Counter(each.key for each in (*dma.meters, *dma.tanks, *dma.pressure_points))
    wrong += [f"{name} stands in it twice" for name, count in named.items() if count > 1]
    wrong += [f"tank {tank.key} {word}" for tank in dma.tanks if (word := _wrong_with(tank))]
    return [f"{dma.dma_id}: {each}" for each in wrong]


def _wrong_with(tank: StorageTank) -> str:
    if (tank.area_m2 is None) != bool(tank.level_volume):
        return "needs either area_m2 or level_volume"
    steps = list(pairwise(tank.level_volume))
    if tank.level_volume and not steps:
        return "has a table of one line"
    if any(low[0] >= high[0] or low[1] >= high[1] for low, high in steps):
        return "has a table that does not rise"
    return ""


def _boundary_problems(dmas: Sequence[DMA]) -> list[str]:
    """A meter between two DMAs leads out of one and into the other; a tank is in one only."""
    signs: dict[str, list[tuple[str, int]]] = {}
    tanks: dict[str, list[str]] = {}
    for dma in dmas:
        for meter in dma.meters:
            signs.setdefault(meter.key, []).append((dma.dma_id, meter.sign))
        for tank in dma.tanks:
            tanks.setdefault(tank.key, []).append(dma.dma_id)
    wrong = []
    for name, held in signs.items():
        where = ", ".join(dma_id for dma_id, _ in held)
        if len(held) > 2:
            wrong.append(f"meter {name} bounds more than two DMAs: {where}")
        elif len(held) == 2 and held[0][1] == held[1][1]:
            wrong.append(f"meter {name} has the same sign in {where}")
    wrong += [
        f"tank {name} is in {', '.join(where)}"
        for name, where in tanks.items() if len(where) > 1
    ]  # fmt: skip
    return wrong
