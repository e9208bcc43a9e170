"""Non-revenue water of every district: each hour, each night and each day on its clocks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ic3.analytics import district_memory
from ic3.analytics.district_memory import DistrictMemory, Layer, LayerState, Likely, likelihood
from ic3.analytics.dma import DMA
from ic3.analytics.five_minutes import Channel
from ic3.analytics.inflow import Readings
from ic3.analytics.leak_area import leak_area
from ic3.analytics.nrw import NRWReport, nrw_report
from ic3.clock import Clock
from ic3.domain.analytics_runs import AnalyticsWorker, Origin, Say, Tally, day_span, whole_until
from ic3.domain.figures import BURST, LEAK, LOSS, Figures, Subject
from ic3.domain.findings import FindingKind, Sighting
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register
from ic3.domain.nrw import Leak, LeakArea
from ic3.observations import Observe
from ic3.store.analytics import AnalyticsStore, ModelState
from ic3.store.dma import Definition, DmaStore, current
from ic3.store.findings import FindingStore, Round
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.network import NetworkStore
from ic3.store.nrw import NrwRow, NrwStore

WORKER: Final = AnalyticsWorker.NRW
EVERY_S: Final = 60.0
WINDOW: Final = timedelta(days=7)
LONGEST_PAST: Final = timedelta(days=60)
# Of the past so much is read at once.
PORTION: Final = timedelta(days=8)
# An hour that ended longer ago is history: findings are told by a newer one.
LIVE_FOR: Final = timedelta(hours=3)
OVERLAP: Final = timedelta(seconds=district_memory.OVERLAP_S)
EPOCH: Final = date(1970, 1, 1)
# From the unit of a parameter to m3/h and m of water.
FACTORS: Final[Mapping[str, float]] = {
    "m3/h": 1.0, "L/s": 3.6, "l/s": 3.6, "m3/d": 1 / 24, "MLD": 1000 / 24, "m": 1.0, "bar": 10.2,
    "kPa": 0.102, "MPa": 102.0, "kg/cm2": 10.0,
}  # fmt: skip
KINDS: Final[Mapping[Layer, FindingKind]] = {"leak": FindingKind.LEAK, "burst": FindingKind.BURST}


@dataclass(frozen=True, slots=True)
class District:
    """A district with the channels of its series and what they are multiplied by."""

    definition: Definition
    channels: Mapping[str, tuple[Channel, float]]

    @property
    def dma(self) -> DMA:
        """Its definition."""
        return self.definition.dma

    @property
    def id(self) -> str:
        """Of the district."""
        return self.dma.dma_id


class Nrw:
    """A round a minute; there is something to do once an hour."""

    name = "nrw"
    every_s: float | None = EVERY_S

    def __init__(
        self, *, values: FiveMinuteStore, definitions: DmaStore, store: NrwStore,
        networks: NetworkStore, findings: FindingStore, analytics: AnalyticsStore,
        latest: LatestReadings, figures: Figures, zone: ZoneInfo, clock: Clock, observe: Observe,
        water_value_per_m3: float | None = None,
    ) -> None:  # fmt: skip
        self._values = values
        self._definitions = definitions
        self._store = store
        self._networks = networks
        self._water_value_per_m3 = water_value_per_m3
        self._findings = findings
        self._analytics = analytics
        self._latest = latest
        self._figures = figures
        self._zone = zone
        self._clock = clock
        self._observe = observe
        self._memories: dict[str, DistrictMemory] = {}
        self._restored = self._has_told = False

    async def step(self) -> None:
        """Judge the hours that have ended; tell what is known at once after a start."""
        register = self._latest.register
        if not register.version:
            return  # it is not loaded yet
        await self._restore()
        until = whole_until(self._clock.now())
        seen = max((each.seen_s for each in self._memories.values()), default=0)
        is_due = until.timestamp() - seen >= 3600
        if self._has_told and not is_due:
            return
        districts = await self._districts(register, until)
        if not districts:
            return
        begin = await self._begin(districts, until)
        async with self._analytics.round(
            WORKER, Origin.LIVE, begin, until, clock=self._clock, observe=self._observe
        ) as tally:
            if is_due:
                await self._advance(districts, begin, until, lambda *_: None)
            await self._tell(districts, until, tally)
        self._has_told = True

    async def look_back(
        self, register: Register, from_at: datetime, until_at: datetime, say: Say
    ) -> Tally:
        """Judge a past time; opens no finding. What is later than all learned is learned.

        Args:
            register: With the meters.
            from_at: Begin.
            until_at: End.
            say: Told after each portion.
        """
        await self._restore()
        districts = await self._districts(register, until_at)
        async with self._analytics.round(
            WORKER, Origin.HISTORY, from_at, until_at, clock=self._clock, observe=self._observe
        ) as tally:
            # Whoever knows nothing yet learns from all there is before it.
            begin = from_at if self._memories else await self._begin(districts, from_at)
            await self._advance(districts, min(begin, from_at), until_at, say)
            tally.judged = len(districts)
            tally.opened = sum(
                layer.running is not None
                for each in self._memories.values() for layer in (each.night, each.hour)
            )  # fmt: skip
        return tally

    async def _restore(self) -> None:
        if not self._restored:
            for each in await self._analytics.states(WORKER):
                if each.model_version == district_memory.VERSION:
                    self._memories[each.subject] = district_memory.decode(each.state)
            self._restored = True

    async def _districts(self, register: Register, at: datetime) -> list[District]:
        await self._definitions.define_from_register(self._zone.key, self._clock.now())
        return [
            District(each, channels_of(each.dma, register))
            for each in current(await self._definitions.definitions(None), at)
        ]

    async def _begin(self, districts: Sequence[District], until: datetime) -> datetime:
        """Where to go on: behind what was seen, or at the first value there is."""
        seen = [each.seen_s for each in self._memories.values() if each.seen_s]
        longest = until - LONGEST_PAST
        if seen:
            return max(datetime.fromtimestamp(max(seen), UTC), longest)
        numbers = {number for each in districts for (number, _), _ in each.channels.values()}
        extent = await self._values.extent(sorted(numbers), longest)
        return until - timedelta(hours=1) if extent is None else extent[0]

    async def _advance(
        self, districts: Sequence[District], begin: datetime, until: datetime, say: Say
    ) -> None:
        """Judge hours, nights and days from one moment to another, a portion at a time."""
        at = begin
        while at < until:
            end = min(at + PORTION, until)
            readings = await self._readings(districts, at - OVERLAP, end)
            judged = await asyncio.to_thread(self._judge, districts, readings, at, end)
            await self._keep(districts, judged, end)
            say(int((end - begin).total_seconds()), int((until - begin).total_seconds()), end)
            at = end

    def _judge(
        self, districts: Sequence[District], readings: Mapping[str, Readings], begin: datetime,
        end: datetime,
    ) -> dict[str, tuple[DistrictMemory, list[tuple[date, NRWReport]]]]:  # fmt: skip
        return {
            each.id: (
                district_memory.take(
                    self._memories.get(each.id, DistrictMemory()), each.dma, readings[each.id]
                ),
                list(days_of(each.dma, readings[each.id], begin, end)),
            )
            for each in districts
        }

    async def _keep(
        self, districts: Sequence[District],
        judged: Mapping[str, tuple[DistrictMemory, list[tuple[date, NRWReport]]]], end: datetime,
    ) -> None:  # fmt: skip
        now = self._clock.now()
        learned = {
            number: memory
            for number, (memory, _) in judged.items() if memory is not self._memories.get(number)
        }  # fmt: skip
        self._memories.update(learned)
        await self._analytics.keep_states(
            WORKER,
            [
                ModelState(
                    dma_id, district_memory.VERSION, end, now, district_memory.encode(memory)
                )
                for dma_id, memory in learned.items()
            ],
        )
        rows = [
            (day, self._row(each, report, now))
            for each in districts for day, report in judged[each.id][1]
        ]  # fmt: skip
        if rows:
            await self._store.keep_days(rows)

    async def _tell(self, districts: Sequence[District], until: datetime, tally: Tally) -> None:
        """Write the figures of the last days, report what runs, tell the alarms."""
        now = self._clock.now()
        trust = await self._analytics.all_trust()
        readings = await self._readings(districts, until - WINDOW, until)
        reports = await asyncio.to_thread(
            lambda: {each.id: nrw_report(each.dma, readings[each.id]) for each in districts}
        )
        told = {
            each.id: msgspec.structs.replace(
                self._leak(each, districts, trust), area=await self._area(each, until)
            )
            for each in districts
        }  # fmt: skip
        await self._store.keep(
            [
                self._row(each, reports[each.id], now)._replace(leak=told[each.id])
                for each in districts
            ]
        )
        for layer, kind in KINDS.items():
            live = [each for each in districts if self._is_live(each, layer, now)]
            sightings = [
                seen for each in live
                if (seen := self._sighting(each, layer, told[each.id])) is not None
            ]  # fmt: skip
            round_ = Round(kind, now, sightings, (), [each.id for each in live])
            tally.report(*await self._findings.report(round_))
        tally.judged = sum(reports[each.id].input_m3 is not None for each in districts)
        tally.reasons["inflow not measured"] += len(districts) - tally.judged
        tally.reasons = +tally.reasons
        for each in districts:
            leak = told[each.id]
            self._figures.put(
                subject_of(each.dma),
                {LEAK: leak.leak_probability, BURST: leak.burst_probability,
                 LOSS: leak.loss_m3_h},
            )  # fmt: skip
        self._figures.put_findings(await self._findings.worst())

    async def _area(self, district: District, until: datetime) -> LeakArea | None:
        """Where the leak or burst that began last may be; None where none runs."""
        memory = self._memories.get(district.id, DistrictMemory())
        begins = [_since(state) for state in (memory.night, memory.hour)]
        since = max((each for each in begins if each is not None), default=None)
        if since is None:
            return None
        readings = await self._readings([district], since - WINDOW - timedelta(days=1), until)
        register = self._latest.register
        positions = {
            point.serial: (asset.longitude, asset.latitude)
            for point in district.dma.pressure_points
            if (asset := register.assets.get(point.serial)) is not None
            and asset.longitude is not None and asset.latitude is not None
        }  # fmt: skip
        network = await self._networks.current()
        return await asyncio.to_thread(
            lambda: leak_area(
                network, district.dma, readings[district.id], positions,
                since_s=since.timestamp(), until_s=until.timestamp(),
            )
        )  # fmt: skip

    def _is_live(self, district: District, layer: Layer, now: datetime) -> bool:
        state = _layer(self._memories.get(district.id, DistrictMemory()), layer)
        span = LIVE_FOR if layer == "burst" else LIVE_FOR + timedelta(days=1)
        return state.judged > 0 and now.timestamp() - state.at_s <= span.total_seconds()

    def _leak(
        self, district: District, districts: Sequence[District],
        trust: Mapping[tuple[int, str], float],
    ) -> Leak:  # fmt: skip
        memory = self._memories.get(district.id, DistrictMemory())
        meters = [district.channels[each.key][0] for each in district.dma.meters
                  if each.key in district.channels]  # fmt: skip
        least = min((trust.get(each, 100.0) for each in meters), default=100.0)
        likely: dict[Layer, Likely] = {
            layer: likelihood(
                layer, _layer(memory, layer), district.dma, meter_trust=least,
                neighbours=[
                    _share(_layer(self._memories.get(each.id, DistrictMemory()), layer))
                    for each in districts if each.id != district.id
                ],
            )
            for layer in KINDS
        }  # fmt: skip
        night, hour = memory.night, memory.hour
        loss_m3_h = None if night.verdict is None else night.verdict.loss_m3_h
        return Leak(
            leak_probability=_value(likely["leak"]), leak_reason=likely["leak"].reason,
            leak_since=_since(night), burst_probability=_value(likely["burst"]),
            burst_reason=likely["burst"].reason, burst_since=_since(hour),
            loss_m3_h=loss_m3_h, loss_value_a_day=value_of(loss_m3_h, self._water_value_per_m3),
            loss_band_m3_h=None if night.verdict is None else night.verdict.loss_band_m3_h,
            nights=night.judged, hours=hour.judged,
        )  # fmt: skip

    def _sighting(self, district: District, layer: Layer, leak: Leak) -> Sighting | None:
        state = _layer(self._memories[district.id], layer)
        running, verdict = state.running, state.verdict
        if running is None or verdict is None:
            return None
        since = datetime.fromtimestamp(running.since_s, UTC)
        likely = leak.leak_probability if layer == "leak" else leak.burst_probability
        loss = max(verdict.loss_m3_h, running.size_m3_h)
        local = since.astimezone(ZoneInfo(district.dma.zone))
        sentence = (
            f"{district.dma.name}: {'night' if layer == 'leak' else 'hourly'} inflow"
            f" {loss:.1f} m3/h above its baseline since {local:%d.%m. %H:%M}: likely a {layer}"
        )
        return Sighting(
            kind=KINDS[layer], cause=layer, since=since,
            severity=severity_of(loss, verdict.expected_m3_h), sentence=sentence,
            dma_id=district.id, domain=district.dma.domain or None,
            trust=1.0, coverage=1.0 if likely is None else min(1.0, likely / 0.9),
            evidence={
                "verdict": verdict, "running": running, "probability": likely,
                "definition_version": district.definition.version,
                "meters": [each.key for each in district.dma.meters], "area": leak.area,
            },
        )  # fmt: skip

    def _row(self, district: District, report: NRWReport, now: datetime) -> NrwRow:
        return NrwRow(
            district.id, district.dma.domain or None, now,
            datetime.fromtimestamp(report.start_s, UTC), datetime.fromtimestamp(report.end_s, UTC),
            district.definition.version, report, self._plain_leak(district),
        )  # fmt: skip

    def _plain_leak(self, district: District) -> Leak:
        """As a past day shows it: without what other districts and trust say."""
        return self._leak(district, (), {})

    async def _readings(
        self, districts: Sequence[District], from_at: datetime, until_at: datetime
    ) -> dict[str, Readings]:
        wanted = {channel for each in districts for channel, _ in each.channels.values()}
        channels = sorted(wanted)
        read = await self._values.read(channels, from_at, until_at)
        places = {channel: place for place, channel in enumerate(channels)}
        return {
            each.id: Readings(
                read.at_s,
                {
                    name: read.values[places[channel]] * factor
                    for name, (channel, factor) in each.channels.items()
                },
            )
            for each in districts
        }


def channels_of(dma: DMA, register: Register) -> dict[str, tuple[Channel, float]]:
    """Name of each series to its channel and factor; without those of unknown tags or units."""
    found = {}
    for each in (*dma.meters, *dma.tanks, *dma.pressure_points):
        asset = register.assets.get(each.serial)
        parameter = None if asset is None else asset.parameters.get(each.tag)
        factor = None if parameter is None else FACTORS.get(parameter.unit or "")
        if asset is not None and factor is not None:
            found[each.key] = ((asset.register_id, each.tag), factor)
    return found


def days_of(
    dma: DMA, readings: Readings, begin: datetime, end: datetime
) -> Iterable[tuple[date, NRWReport]]:
    """The report of each day on the district's clocks that ends within a span."""
    zone = ZoneInfo(dma.zone)
    day = begin.astimezone(zone).date()
    while (span := day_span(day, zone))[1] <= end:
        first, last = (int(np.searchsorted(readings.at_s, each.timestamp())) for each in span)
        if last - first >= 2:
            yield day, nrw_report(dma, part_of(readings, first, last))
        day += timedelta(days=1)


def part_of(readings: Readings, first: int, last: int) -> Readings:
    """The steps from one place to before another."""
    return Readings(
        readings.at_s[first:last],
        {name: series[first:last] for name, series in readings.values.items()},
    )


def severity_of(loss_m3_h: float, expected_m3_h: float) -> float:
    """3 at a twentieth of the usual inflow, 6 at a fifth, 9 where it doubles."""
    share = loss_m3_h / expected_m3_h if expected_m3_h > 0 else 1.0
    return float(np.interp(share, (0.0, 0.05, 0.2, 1.0, 3.0), (1.0, 3.0, 6.0, 9.0, 10.0)))


def value_of(loss_m3_h: float | None, value_per_m3: float | None) -> float | None:
    """What a loss is worth a day; less than the usual is no loss."""
    if loss_m3_h is None or value_per_m3 is None:
        return None
    return 24 * max(0.0, loss_m3_h) * value_per_m3


def subject_of(dma: DMA) -> Subject:
    """A district as alarm rules know it."""
    return Subject("dma", dma.dma_id, dma.domain or None, "dma", dma.dma_id)


def _layer(memory: DistrictMemory, layer: Layer) -> LayerState:
    return memory.night if layer == "leak" else memory.hour


def _share(state: LayerState) -> float:
    return 0.0 if state.verdict is None else state.verdict.cusum_share


def _value(likely: Likely) -> float | None:
    return None if likely.probability is None else likely.probability.value


def _since(state: LayerState) -> datetime | None:
    running = state.running
    return None if running is None else datetime.fromtimestamp(running.since_s, UTC)
