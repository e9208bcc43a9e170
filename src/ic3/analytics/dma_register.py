"""The definition of a DMA as far as the register says it, for a start that needs no typing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from ic3.analytics.dma import DMA, InflowMeter, PressurePoint

ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Of a day; with less the supply is by turns.
CONTINUOUS_HOURS: Final = 23.0
METER, PRESSURE = "bulk flow meter", "pressure transmitter"
_LAST_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True, slots=True)
class RegisteredArea:
    """A DMA of the register; None is not known."""

    dma_id: str
    name: str | None
    domain: str | None
    connections: int | None
    population: int | None
    mains_km: float | None
    supply_hours: float | None
    billed_m3_d: float | None


@dataclass(frozen=True, slots=True)
class Instrument:
    """A mapped tag of an asset that stands in a DMA."""

    dma_id: str
    serial: str
    category: str
    tag: str
    unit: str


def definition_of(area: RegisteredArea, instruments: Sequence[Instrument], zone: str) -> DMA | None:
    """Its flow meters lead in, its first pressure transmitter is the average point, then critical.

    What the register does not say is 0 or None; the figures that need it are not computed.

    Args:
        area: As the register has it.
        instruments: Of all DMAs.
        zone: The plant's.

    Returns:
        None where no flow meter of it is mapped: there is nothing to measure its inflow.
    """
    mine = sorted((each for each in instruments if each.dma_id == area.dma_id), key=_by_number)
    meters = tuple(
        InflowMeter(serial=each.serial, tag=each.tag)
        for each in mine if each.category == METER and each.unit == "m3/h"
    )  # fmt: skip
    if not meters:
        return None
    pressures = [each for each in mine if each.category == PRESSURE and each.unit == "bar"]
    hours = area.supply_hours
    return DMA(
        dma_id=area.dma_id, name=area.name or area.dma_id, domain=area.domain or "",
        valid_from=ALWAYS, zone=zone, meters=meters,
        pressure_points=tuple(
            PressurePoint(serial=each.serial, tag=each.tag, point=_point(at))
            for at, each in enumerate(pressures)
        ),
        mains_km=area.mains_km or 0.0, connections=area.connections or 0,
        population=area.population or 0, billed_m3_d=area.billed_m3_d,
        supply="intermittent" if hours is not None and hours < CONTINUOUS_HOURS else "continuous",
    )  # fmt: skip


def _point(at: int) -> Literal["average", "critical", "other"]:
    return "average" if at == 0 else "critical" if at == 1 else "other"


def _by_number(instrument: Instrument) -> tuple[int, str]:
    found = _LAST_NUMBER.search(instrument.serial)
    return (int(found[1]) if found else 0, instrument.serial)
