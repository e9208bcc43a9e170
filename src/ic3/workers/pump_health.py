"""The health of every pump: each five minutes over the last hours, and once for each whole day."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ic3.analytics import pump_memory
from ic3.analytics.five_minutes import FiveMinutes
from ic3.analytics.pump_health import PumpAssessment, assess
from ic3.analytics.pump_life import RemainingLife, remaining_life
from ic3.analytics.pump_limits import PumpLimits, limits_for
from ic3.analytics.pump_memory import PumpMemory, since_overhaul, take_day
from ic3.analytics.pump_samples import QUANTITIES, PumpNameplate, PumpSamples
from ic3.analytics.pump_scores import DUTY_REGION, SubScore
from ic3.clock import Clock
from ic3.domain.analytics_runs import (
    AnalyticsWorker,
    Origin,
    Say,
    Tally,
    criticality_factor,
    day_span,
    whole_until,
)
from ic3.domain.figures import DAYS_TO_LIMIT, PUMP_HEALTH, Figures, Subject
from ic3.domain.findings import FindingKind, Sighting
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register, RegisteredAsset
from ic3.domain.pumps import Life, PumpDay, PumpTrend, Wear
from ic3.observations import Observe
from ic3.store.analytics import AnalyticsStore, ModelState
from ic3.store.findings import FindingStore, Round
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.pump_health import DEFAULT_CLASS, DailyIndex, PumpRow, PumpStore

WORKER: Final = AnalyticsWorker.PUMP_HEALTH
EVERY_S: Final = 60.0
WINDOW: Final = timedelta(hours=2)
LONGEST_PAST: Final = timedelta(days=60)
LIFE_SPAN: Final = timedelta(days=728)
# With less of the window known nothing is said of a pump, and no finding of it closes.
LEAST_KNOWN_SHARE: Final = 0.5
# Sub-scores that are so poor for so many rounds are findings.
POOR_SCORE: Final = 40.0
POOR_ROUNDS: Final = 3
# A duty far from the best point harms by its hours; at a peak with all pumps on it is usual.
POOR_DUTY_ROUNDS: Final = 72
SIGN_SEVERITY: Final = 8.0
EPOCH: Final = date(1970, 1, 1)
INDICES: Final = ("head", "efficiency")
_KILOWATTS = re.compile(r"(\d+(?:\.\d+)?)\s*kW\b", re.IGNORECASE)
_NO_LIFE: Final = Life(
    low_days=None, median_days=None, high_days=None, by="", limit_percent=-10.0, coverage=0.0,
    weeks=0, reason="not computed: there are no daily indices yet",
)  # fmt: skip
NO_TREND: Final = PumpTrend(day=None, wear=[], life=_NO_LIFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pump:
    """A pump of the register, with what its plate says.

    Attributes:
        tags: Parameter code of a quantity to the tag that carries it.
    """

    asset: RegisteredAsset
    tags: Mapping[str, str]
    plate: PumpNameplate
    limits: PumpLimits
    overhauled_at: datetime | None
    criticality: float

    @property
    def id(self) -> int:
        """Its number in the register."""
        return self.asset.register_id


class PumpHealth:
    """A round a minute, with something to judge every five; a day once it is over."""

    name = "pump_health"
    every_s: float | None = EVERY_S

    def __init__(
        self, *, values: FiveMinuteStore, store: PumpStore, findings: FindingStore,
        analytics: AnalyticsStore, latest: LatestReadings, figures: Figures, zone: ZoneInfo,
        clock: Clock, observe: Observe,
    ) -> None:  # fmt: skip
        self._values = values
        self._store = store
        self._findings = findings
        self._analytics = analytics
        self._latest = latest
        self._figures = figures
        self._zone = zone
        self._clock = clock
        self._observe = observe
        self._memories: dict[int, PumpMemory] = {}
        self._trends: dict[int, PumpTrend] = {}
        self._poor: dict[tuple[int, str], int] = {}
        self._restored = False
        self._judged: datetime | None = None

    async def step(self) -> None:
        """Judge the days that are over, then the last hours."""
        if not self._latest.register.version:
            return  # it is not loaded yet
        until = whole_until(self._clock.now())
        if until == self._judged:
            return
        async with self._analytics.round(
            WORKER, Origin.LIVE, until - WINDOW, until, clock=self._clock, observe=self._observe
        ) as tally:
            pumps = await self._pumps(self._latest.register)
            await self._restore(pumps)
            for day in await self._days_due(pumps, until):
                await self._judge_day(pumps, day)
            await self._judge_now(pumps, until, tally)
            self._judged = until

    async def look_back(
        self, register: Register, from_at: datetime, until_at: datetime, say: Say
    ) -> Tally:
        """Judge the whole days of the past; opens no finding.

        Days that are later than what was learned so far are learned from, all others only judged.

        Args:
            register: With the pumps.
            from_at: Begin.
            until_at: End.
            say: Told after each day.
        """
        async with self._analytics.round(
            WORKER, Origin.HISTORY, from_at, until_at, clock=self._clock, observe=self._observe
        ) as tally:
            pumps = await self._pumps(register)
            await self._restore(pumps)
            days = days_within(from_at, until_at, self._zone)
            if all(each.last_day is None for each in self._memories.values()):
                # Whoever knows nothing yet learns from all there is before it.
                earlier = await self._days_due(pumps, from_at)
                days = sorted({*earlier, *days})
            for number, day in enumerate(days, 1):
                tally.judged = max(tally.judged, await self._judge_day(pumps, day))
                say(number, len(days), day_span(day, self._zone)[1])
            tally.opened = sum(
                wear.in_alarm for trend in self._trends.values() for wear in trend.wear
            )
        return tally

    async def _pumps(self, register: Register) -> list[Pump]:
        assets = [each for each in register.assets.values() if each.category == "pump"]
        plates = await self._store.plates()
        ratings = await self._store.ratings([each.register_id for each in assets])
        found = []
        for asset in assets:
            tags = {
                parameter.tag_code: tag
                for tag, parameter in asset.parameters.items() if parameter.tag_code in QUANTITIES
            }  # fmt: skip
            if not tags:
                continue
            entered = plates.get(asset.register_id)
            rating, critical = ratings.get(asset.register_id, (None, None))
            plate = PumpNameplate() if entered is None else entered.plate
            if plate.rated_kw is None:
                plate = replace(plate, rated_kw=kilowatts(rating))
            vibration_class = DEFAULT_CLASS if entered is None else entered.vibration_class
            found.append(
                Pump(
                    asset=asset, tags=tags, plate=plate,
                    limits=limits_for(plate, vibration_class=vibration_class),
                    overhauled_at=None if entered is None else entered.overhauled_at,
                    criticality=criticality_factor(critical),
                )
            )  # fmt: skip
        return found

    async def _restore(self, pumps: Sequence[Pump]) -> None:
        if self._restored:
            return
        for kept in await self._analytics.states(WORKER):
            if kept.model_version == pump_memory.VERSION:
                self._memories[int(kept.subject)] = pump_memory.decode(kept.state)
        for each in pumps:
            self._memory(each)
        last = max((each.last_day or 0 for each in self._memories.values()), default=0)
        await self._renew_trends(pumps, EPOCH + timedelta(days=last))
        self._restored = True

    def _memory(self, pump: Pump) -> PumpMemory:
        memory = since_overhaul(self._memories.get(pump.id, PumpMemory()), pump.overhauled_at)
        self._memories[pump.id] = memory
        return memory

    async def _days_due(self, pumps: Sequence[Pump], until: datetime) -> list[date]:
        """Days that are over and that no pump has been judged on."""
        seen = [each.last_day for each in self._memories.values() if each.last_day is not None]
        if seen:
            begin, _ = day_span(EPOCH + timedelta(days=max(seen) + 1), self._zone)
            begin = max(begin, until - LONGEST_PAST)
        else:
            extent = await self._values.extent([each.id for each in pumps], until - LONGEST_PAST)
            if extent is None:
                return []
            begin = extent[0]
        return days_within(begin, until, self._zone)

    async def _judge_day(self, pumps: Sequence[Pump], day: date) -> int:
        """Judge a day, write it, learn from it; answers how many pumps had something to judge."""
        from_at, until_at = day_span(day, self._zone)
        samples = await self._samples(pumps, from_at, until_at)
        number = (day - EPOCH).days

        def judge() -> list[tuple[Pump, PumpMemory, PumpAssessment]]:
            return [
                (each, *take_day(self._memory(each), number, samples[each.id], each.plate,
                                 each.limits))
                for each in pumps if known_share(samples[each.id]) > 0
            ]  # fmt: skip

        judged = await asyncio.to_thread(judge)
        now = self._clock.now()
        learned = [
            (pump, memory) for pump, memory, _ in judged if memory is not self._memories[pump.id]
        ]
        await self._store.keep_days([(pump.id, day_row(day, of, now)) for pump, _, of in judged])
        await self._analytics.keep_states(
            WORKER,
            [
                ModelState(
                    str(pump.id), pump_memory.VERSION, until_at, now, pump_memory.encode(memory)
                )
                for pump, memory in learned
            ],
        )
        self._memories.update((pump.id, memory) for pump, memory in learned)
        if learned:
            await self._renew_trends([pump for pump, _ in learned], day)
        return len(judged)

    async def _renew_trends(self, pumps: Sequence[Pump], day: date) -> None:
        indices = await self._store.indices(
            [each.id for each in pumps], after=day - LIFE_SPAN, until=day
        )

        def renew() -> dict[int, PumpTrend]:
            return {
                each.id: trend_of(self._memories[each.id], indices[each.id], day) for each in pumps
            }

        self._trends.update(await asyncio.to_thread(renew))

    async def _judge_now(self, pumps: Sequence[Pump], until: datetime, tally: Tally) -> None:
        samples = await self._samples(pumps, until - WINDOW, until)

        def judge() -> list[tuple[Pump, PumpAssessment]]:
            return [
                (
                    each,
                    assess(
                        samples[each.id], self._memories[each.id].reference, each.limits,
                        plate=each.plate,
                        run_h_since_overhaul=self._memories[each.id].run_h_since_overhaul,
                    ),
                )
                for each in pumps if known_share(samples[each.id]) >= LEAST_KNOWN_SHARE
            ]  # fmt: skip

        judged = await asyncio.to_thread(judge)
        now = self._clock.now()
        await self._store.keep([self._row(pump, of, until, now) for pump, of in judged])
        sightings = [
            seen for pump, of in judged for seen in one_a_cause(self._sightings(pump, of, now))
        ]
        asset_ids = [pump.id for pump, _ in judged]
        reported = await self._findings.report(Round(FindingKind.PUMP, now, sightings, asset_ids))
        tally.report(*reported)
        tally.judged = len(judged)
        tally.reasons["no readings in the last two hours"] += len(pumps) - len(judged)
        tally.reasons["health not computed"] += sum(of.health is None for _, of in judged)
        tally.reasons = +tally.reasons
        for pump, of in judged:
            life = self._trends.get(pump.id, NO_TREND).life
            subject = Subject("asset", pump.asset.serial, pump.asset.domain, "pump")
            self._figures.put(
                subject, {PUMP_HEALTH: of.health, DAYS_TO_LIMIT: life.median_days}
            )  # fmt: skip
        self._figures.put_findings(await self._findings.worst())

    async def _samples(
        self, pumps: Sequence[Pump], from_at: datetime, until_at: datetime
    ) -> dict[int, PumpSamples]:
        channels = [(each.id, tag) for each in pumps for tag in each.tags.values()]
        read = await self._values.read(channels, from_at, until_at)
        return dict(samples_of(pumps, read))

    def _row(self, pump: Pump, of: PumpAssessment, until: datetime, now: datetime) -> PumpRow:
        return PumpRow(
            pump.id, now, until - WINDOW, until, of.health, of.coverage, of.worst,
            msgspec.to_builtins(of), self._trends.get(pump.id, NO_TREND),
        )  # fmt: skip

    def _sightings(self, pump: Pump, of: PumpAssessment, now: datetime) -> Iterable[Sighting]:
        evidence = {
            "worst": of.worst, "operating_point": msgspec.to_builtins(of.operating_point),
            "reference": of.reference, "provisional": of.is_provisional,
            "recommendations": list(of.recommendations), "coverage": of.coverage,
        }  # fmt: skip
        for sign in of.signs:
            yield self._sighting(
                pump, sign.name, sign.sentence, SIGN_SEVERITY, now - WINDOW, of.coverage,
                {**evidence, "advice": sign.advice},
            )  # fmt: skip
        for sub in of.sub_scores:
            key = (pump.id, sub.name)
            if sub.score is None or sub.score >= POOR_SCORE:
                self._poor.pop(key, None)
                continue
            self._poor[key] = self._poor.get(key, 0) + 1
            needed = POOR_DUTY_ROUNDS if sub.name == DUTY_REGION else POOR_ROUNDS
            if self._poor[key] >= needed:
                yield self._sighting(
                    pump, sub.name, poor_words(sub), poor_severity(sub.score), now - WINDOW,
                    of.coverage, {**evidence, "sub_score": msgspec.to_builtins(sub)},
                )  # fmt: skip
        for wear in self._trends.get(pump.id, NO_TREND).wear:
            if wear.in_alarm and wear.since is not None and wear.loss_percent is not None:
                since, _ = day_span(wear.since, self._zone)
                yield self._sighting(
                    pump, wear.index, wear_words(wear), wear_severity(wear.loss_percent),
                    since, 1.0, {**evidence, "wear": msgspec.to_builtins(wear)},
                )  # fmt: skip

    def _sighting(
        self, pump: Pump, cause: str, sentence: str, severity: float, since: datetime,
        coverage: float, evidence: dict[str, Any],
    ) -> Sighting:  # fmt: skip
        return Sighting(
            kind=FindingKind.PUMP, cause=f"pump:{cause}", since=since,
            severity=severity * pump.criticality, sentence=f"{pump.asset.serial}: {sentence}",
            asset_id=pump.id, serial=pump.asset.serial, category="pump", domain=pump.asset.domain,
            # What is not covered says nothing against what is: half of the doubt.
            coverage=0.5 + coverage / 2, evidence=evidence,
        )  # fmt: skip


def one_a_cause(sightings: Iterable[Sighting]) -> Iterable[Sighting]:
    """Of each cause the worst: a poor index and its wear are one finding."""
    found: dict[str, Sighting] = {}
    for each in sightings:
        known = found.get(each.cause)
        if known is None or each.severity >= known.severity:
            found[each.cause] = each
    return found.values()


def days_within(from_at: datetime, until_at: datetime, zone: ZoneInfo) -> list[date]:
    """Days on the plant's clocks that lie whole in a span, but for the first, which may be cut."""
    day = from_at.astimezone(zone).date()
    found = []
    while day_span(day, zone)[1] <= until_at:
        found.append(day)
        day += timedelta(days=1)
    return found


def samples_of(pumps: Sequence[Pump], read: FiveMinutes) -> Iterable[tuple[int, PumpSamples]]:
    """Samples of each pump, out of channels in the order of pumps and their tags."""
    at_s = read.at_s.astype(np.float64)
    first = 0
    for pump in pumps:
        rows = read.values[first : first + len(pump.tags)]
        first += len(pump.tags)
        yield pump.id, PumpSamples.of(at_s, dict(zip(pump.tags, rows, strict=True)))


def known_share(samples: PumpSamples) -> float:
    """Share of the times with a status, or with a current where there is no status."""
    known = np.isfinite(samples.running) | np.isfinite(samples.current_a)
    return float(known.mean()) if len(known) else 0.0


def kilowatts(rating: str | None) -> float | None:
    """The power of a capacity rating such as `45 kW`."""
    found = _KILOWATTS.search(rating or "")
    return float(found[1]) if found else None


def day_row(day: date, of: PumpAssessment, now: datetime) -> PumpDay:
    """A day as it is stored."""
    return PumpDay(
        day=day, health=of.health, coverage=of.coverage, head_percent=of.value("head"),
        efficiency_percent=of.value("efficiency"), vibration_mm_s=of.value("vibration"),
        sec_kwh_m3=of.sec_kwh_m3, run_h=of.run_h, known_h=of.known_h, starts=of.starts,
        worst=of.worst, provisional=of.is_provisional, computed_at=now,
    )  # fmt: skip


def trend_of(memory: PumpMemory, indices: Sequence[DailyIndex], day: date) -> PumpTrend:
    """Change detection and the shorter of the remaining lives by head and by efficiency."""
    begin = EPOCH if memory.overhauled_at is None else memory.overhauled_at.astimezone(UTC).date()
    kept = [each for each in indices if each.day >= begin]
    lives = [
        (name, remaining_life(series))
        for name in INDICES
        if len(series := _series(kept, f"{name}_percent")) > 0
    ]
    return PumpTrend(day=day, wear=list(_wear(memory)), life=_shortest(lives))


def _series(indices: Sequence[DailyIndex], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not indices:
        return np.empty(0)
    first = indices[0].day
    series = np.full((indices[-1].day - first).days + 1, np.nan)
    for each in indices:
        value = getattr(each, name)
        series[(each.day - first).days] = np.nan if value is None else value
    return series


def _shortest(lives: Sequence[tuple[str, RemainingLife]]) -> Life:
    known = [(life.median_days, name, life) for name, life in lives if life.median_days is not None]
    if not lives:
        return _NO_LIFE
    name, life = min(known)[1:] if known else lives[0]
    return Life(
        low_days=life.low_days, median_days=life.median_days, high_days=life.high_days,
        reason=life.reason, by=name, limit_percent=life.limit_percent, coverage=life.coverage,
        weeks=life.weeks,
    )  # fmt: skip


def _wear(memory: PumpMemory) -> Iterable[Wear]:
    for name, state in memory.wear.items():
        since = None if state.since_day is None else EPOCH + timedelta(days=state.since_day)
        yield Wear(
            index=name, loss_percent=state.loss_percent, in_alarm=state.in_alarm, since=since,
            baseline_days=len(state.baseline), is_whole=state.mean_percent is not None,
        )  # fmt: skip


def poor_words(sub: SubScore) -> str:
    """One sentence of a poor sub-score."""
    by = f" ({sub.limit.source})" if sub.limit is not None else ""
    value = "" if sub.value is None else f" {sub.value:.3g} {sub.unit}"
    return f"{sub.name}{value}, score {sub.score:.0f} of 100{by}"


def poor_severity(score: float) -> float:
    """3 at a score of 60, 7 at 20, 9 at 0."""
    return float(np.interp(score, (0, 20, 60, 100), (9, 7, 3, 0)))


def wear_words(wear: Wear) -> str:
    """One sentence of wear that the cumulative sum found."""
    return f"{wear.index} {wear.loss_percent:.1f} % below its first healthy days since {wear.since}"


def wear_severity(loss_percent: float) -> float:
    """3 at 2 %, 5 at 5 %, 8 at 10 %."""
    return float(np.interp(loss_percent, (0, 2, 5, 10, 20), (2, 3, 5, 8, 10)))
