"""Non-revenue water of a district as it is stored and shown."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from statistics import quantiles
from typing import Any, Final

import msgspec

from ic3.domain.spreadsheets import Cell

CSV_HEADINGS: Final = (
    "dma_id", "name", "domain", "from_utc", "until_utc", "input_m3", "input_band_m3", "billed_m3",
    "nrw_percent", "nrw_band_percent", "nrw_m3", "real_losses_m3", "mnf_m3_h",
    "night_flow_refusal", "pressure_m", "supply_h_a_day", "ili", "ili_band", "loss_m3_h",
    "leak_probability", "burst_probability", "completeness", "provisional", "lost_m3_d",
)  # fmt: skip
LEAST_NIGHTS: Final = 7
DAY_HEADINGS: Final = ("day", *CSV_HEADINGS)


class Band(msgspec.Struct, frozen=True):
    """A figure with half the width of its 95 % band; `value` null where it is not computed.

    Attributes:
        reason: Why it is not computed; empty where it is.
    """

    value: float | None
    band: float | None
    unit: str
    reason: str = ""


class LeakPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the network that a leak may be near to.

    Attributes:
        match: How alike the change of pressures is to that by a leak there, 1 at best.
        from_best_m: Distance from the best match; null where a position is not known.
    """

    node: str
    match: float
    from_best_m: float | None
    longitude: float | None
    latitude: float | None


class LeakArea(msgspec.Struct, frozen=True, kw_only=True):
    """Where in the district a leak may be: numbers of a model, optimistic.

    Attributes:
        reason: Why no place is told; empty where some are.
        points: Pressure points that were compared, `SERIAL:TAG`.
        places: The best first.
    """

    reason: str
    points: list[str]
    places: list[LeakPlace]


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """What the nightly and the hourly layer say.

    Attributes:
        leak_probability: 0 to 1, from the nightly layer; null where it is not computed, see reason.
        burst_probability: 0 to 1, from the hourly layer.
        loss_m3_h: Excess of the night inflow over its baseline, with half its band.
        loss_value_a_day: What that loss is worth, in the currency of IC3_WATER_VALUE; null without.
        nights: Nights that the nightly layer has seen; hours likewise.
        leak_since: Estimated begin; null where there is none. burst_since likewise.
        area: Where the one that began last may be; null where none runs.
    """

    leak_probability: float | None = None
    leak_reason: str = ""
    leak_since: datetime | None = None
    burst_probability: float | None = None
    burst_reason: str = ""
    burst_since: datetime | None = None
    loss_m3_h: float | None = None
    loss_band_m3_h: float | None = None
    loss_value_a_day: float | None = None
    nights: int = 0
    hours: int = 0
    area: LeakArea | None = None


class Nights(msgspec.Struct, frozen=True):
    """The minimum night flow of the last 28 days, and the band in which most nights lay.

    Attributes:
        days: Oldest first.
        m3_h: Of each day; null where there was no night flow.
        low_m3_h: A tenth of the nights lie below, high_m3_h a tenth above; null below 7 nights.
    """

    days: list[date]
    m3_h: list[float | None]
    low_m3_h: float | None
    high_m3_h: float | None


class DistrictFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a district that a list shows, each with its unit, band and reason.

    Attributes:
        completeness: Measured share of the inflow, 0 to 1; `provisional` below 95 %.
        age_s: Seconds since the end of the readings they are made of; null for a past day.
        definition_version: They were computed by.
        lost: Non-revenue water a day, by which the list is ordered.
        pressure: Mean over the hours under pressure.
        nights: The night flows before; null for a past day.
        supply_hours_a_day: Under pressure; `supply` says when, as "06:10–09:05 and 18:00–20:40".
        ili_band: A to D; `ili_warnings` say where the index does not hold.
    """

    dma_id: str
    name: str
    domain: str | None
    from_at: datetime
    until_at: datetime
    computed_at: datetime
    age_s: float | None
    definition_version: int
    completeness: float
    provisional: bool
    input: Band
    billed: Band
    nrw_percent: Band
    nrw: Band
    lost: Band
    real_losses: Band
    night_flow: Band
    nights: Nights | None
    pressure: Band
    supply_hours_a_day: float
    supply: str
    ili: Band
    ili_band: str | None
    ili_warnings: list[str]
    leak: Leak


def figures_of(
    report: Mapping[str, Any], leak: Leak, *, dma_id: str, name: str, domain: str | None,
    from_at: datetime, until_at: datetime, computed_at: datetime, version: int, age_s: float | None,
    nights: Nights | None = None,
) -> DistrictFigures:  # fmt: skip
    """The list's figures out of a whole report.

    Args:
        report: An `NRWReport` as JSON.
        leak: Beside it.
        dma_id: Of the district; name and domain likewise.
        name: Its name.
        domain: Its domain.
        from_at: Begin of the readings; until_at their end.
        until_at: Outside.
        computed_at: When.
        version: Of the definition.
        age_s: Since until_at.
        nights: Of the last 28 days.
    """
    balance, reason = report["balance"] or {}, report["balance_reason"]
    night, index = report["night"], report["index"]
    return DistrictFigures(
        dma_id=dma_id, name=name, domain=domain, from_at=from_at, until_at=until_at,
        computed_at=computed_at, age_s=age_s, definition_version=version,
        completeness=report["completeness"], provisional=report["provisional"],
        input=_volume(report["input_m3"], "no inflow was measured"),
        billed=_volume(balance.get("billed_authorised"), reason),
        nrw_percent=Band(
            balance.get("nrw_percent"), balance.get("nrw_band_percent"), "%", reason
        ),
        nrw=_volume(balance.get("nrw"), reason),
        lost=_a_day(balance.get("nrw"), until_at - from_at, reason),
        real_losses=_volume(balance.get("real_losses"), reason),
        night_flow=_figure(night["mnf_m3_h"], "m3/h", night["refusal"]),
        nights=nights, pressure=_pressure(report["pressure_m"]),
        supply_hours_a_day=report["supply"]["hours_a_day"], supply=report["supply"]["usual"],
        ili=Band(index and index["ili"], None, "", report["index_reason"]),
        ili_band=index and index["band"], ili_warnings=list(index["warnings"]) if index else [],
        leak=leak,
    )  # fmt: skip


def csv_row(each: DistrictFigures) -> Sequence[Cell]:
    """A row under `CSV_HEADINGS`."""
    return (
        each.dma_id, each.name, each.domain, each.from_at.isoformat(), each.until_at.isoformat(),
        each.input.value, each.input.band, each.billed.value, each.nrw_percent.value,
        each.nrw_percent.band, each.nrw.value, each.real_losses.value, each.night_flow.value,
        each.night_flow.reason, each.pressure.value, each.supply_hours_a_day, each.ili.value,
        each.ili_band, each.leak.loss_m3_h, each.leak.leak_probability,
        each.leak.burst_probability, each.completeness, str(each.provisional).lower(),
        each.lost.value,
    )  # fmt: skip


def day_rows(days: Iterable[tuple[date, DistrictFigures]]) -> Iterable[Sequence[Cell]]:
    """Rows under `DAY_HEADINGS`."""
    for day, each in days:
        yield (day.isoformat(), *csv_row(each))


def _volume(volume: Mapping[str, float] | None, reason: str) -> Band:
    if volume is None:
        return Band(None, None, "m3", reason)
    return Band(volume["m3"], volume["band_m3"], "m3")


def _a_day(volume: Mapping[str, float] | None, span: timedelta, reason: str) -> Band:
    if volume is None:
        return Band(None, None, "m3/d", reason)
    seconds = span.total_seconds()
    return Band(volume["m3"] * 86400 / seconds, volume["band_m3"] * 86400 / seconds, "m3/d")


def nights_of(days: Sequence[date], m3_h: Sequence[float | None]) -> Nights:
    """Night flows with the band between their first and last decile."""
    known = [each for each in m3_h if each is not None]
    if len(known) < LEAST_NIGHTS:
        return Nights(list(days), list(m3_h), None, None)
    deciles = quantiles(known, n=10, method="inclusive")
    return Nights(list(days), list(m3_h), deciles[0], deciles[-1])


def _pressure(pressure_m: float | None) -> Band:
    return Band(pressure_m, None, "m", "" if pressure_m is not None else "no pressure was read")


def _figure(figure: Mapping[str, float] | None, unit: str, reason: str) -> Band:
    if figure is None:
        return Band(None, None, unit, reason)
    return Band(figure["value"], figure["band"], unit)
