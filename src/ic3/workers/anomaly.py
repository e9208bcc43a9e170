"""Every asset against its own past, five minutes at a time; and what readings say of sensors."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ic3.analytics import asset_groups
from ic3.analytics.asset_groups import AssetGroup, AssetState, Deviation
from ic3.analytics.sensor_watch import SensorWatch
from ic3.analytics.severity import of_finding
from ic3.analytics.tuning import Tag
from ic3.clock import Clock
from ic3.domain.analytics_runs import (
    STEP,
    AnalyticsWorker,
    Origin,
    Say,
    SensorTrust,
    Tally,
    criticality_factor,
    whole_until,
)
from ic3.domain.figures import Figures
from ic3.domain.findings import FindingKind, Sighting, Verdict
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Parameter, Register, RegisteredAsset
from ic3.observations import Observe
from ic3.store.analytics import KEPT_DAYS as KEPT_RUN_DAYS
from ic3.store.analytics import AnalyticsStore, ModelState
from ic3.store.findings import KEPT_DAYS as KEPT_FINDING_DAYS
from ic3.store.findings import FindingStore, Judged, Round
from ic3.store.five_minutes import Channel, FiveMinutes, FiveMinuteStore

WORKER: Final = AnalyticsWorker.ANOMALY
EVERY_S: Final = 60.0
WATCHED: Final = frozenset({"gauge", "counter", "state"})
# What a counter counted in five minutes depends on how many readings there were; its flow is there.
MODELLED: Final = frozenset({"gauge", "state"})
# After a longer pause models are fitted anew: too much may have changed.
LONGEST_PAUSE: Final = timedelta(days=1)
LEARNED_FROM: Final = timedelta(days=7)
WATCHED_FOR: Final = timedelta(days=1)
PORTION: Final = timedelta(hours=6)
SAVE_EVERY: Final = timedelta(minutes=30)
# Of the past bands are looked up once an hour.
BANDS_EVERY: Final = 12
# Fitting shares the interpreter with the sweeps: so long in one round, so many assets a portion.
FIT_S: Final = 40.0
FIT_ASSETS: Final = 20
STATE_ASSETS: Final = 500
SENSOR_SEVERITY: Final = 4.0
SHOWN_PEERS: Final = 3
FINISHED: Final = 1e6


class Watched:
    """The assets of a version of the register in groups of their kinds, with all their channels.

    Attributes:
        channels: Every channel once, in the order of the groups, their assets and tags.
        places: By group: int64 (assets, tags), place of each channel, -1 where there is none.
    """

    def __init__(self, register: Register) -> None:
        self.version = register.version
        self.groups: dict[str, AssetGroup] = {}
        self.places: dict[str, np.ndarray[Any, np.dtype[np.int64]]] = {}
        self.channels: list[Channel] = []
        self.parameters: list[Parameter] = []
        self.owners: list[RegisteredAsset] = []
        for category, assets in _by_category(register).items():
            self._add(category, assets)
        self.sensors = SensorWatch(len(self.channels))

    def _add(self, category: str, assets: Sequence[RegisteredAsset]) -> None:
        codes = sorted({
            each.tag_code for asset in assets for each in asset.parameters.values()
            if each.kind in MODELLED
        })  # fmt: skip
        if not codes:
            return
        first = {
            each.tag_code: each for asset in reversed(assets) for each in asset.parameters.values()
        }
        places = np.full((len(assets), len(codes)), -1, dtype=np.int64)
        for row, asset in enumerate(assets):
            for tag, parameter in sorted(asset.parameters.items()):
                if parameter.kind not in WATCHED:
                    continue
                if parameter.kind in MODELLED:
                    places[row, codes.index(parameter.tag_code)] = len(self.channels)
                self.channels.append((asset.register_id, tag))
                self.parameters.append(parameter)
                self.owners.append(asset)
        self.groups[category] = AssetGroup(
            [_tag_of(first[code]) for code in codes], [each.register_id for each in assets]
        )
        self.places[category] = places

    def rows(self, read: FiveMinutes, step: int) -> Iterator[tuple[AssetGroup, Any, Any]]:
        """Each group with its places and its row of a step: good values only."""
        values = np.append(np.where(read.good[:, step] > 0, read.values[:, step], np.nan), np.nan)
        for name, group in self.groups.items():
            yield group, self.places[name], values[self.places[name]]

    def take(self, read: FiveMinutes, step: int, *, with_bands: bool) -> None:
        """Judge a step of all groups.

        Args:
            read: Of all channels.
            step: Which.
            with_bands: Whether it is looked up which tags are in their bands: that takes longer
                than all the rest, and trust needs it now and then only.
        """
        inside = np.full(len(self.channels), np.nan)
        for group, places, values in self.rows(read, step):
            group.update(values)
            if with_bands:
                known = places >= 0
                inside[places[known]] = group.inside()[known]
        self.sensors.take(read.rows[:, step], read.good[:, step], inside)


class Anomaly:
    """A round a minute; there is something to judge every five."""

    name = "anomaly"
    every_s: float | None = EVERY_S

    def __init__(
        self, *, values: FiveMinuteStore, findings: FindingStore, analytics: AnalyticsStore,
        latest: LatestReadings, figures: Figures, zone: ZoneInfo, clock: Clock, observe: Observe,
    ) -> None:  # fmt: skip
        self._values = values
        self._findings = findings
        self._analytics = analytics
        self._latest = latest
        self._figures = figures
        self._zone = zone
        self._clock = clock
        self._observe = observe
        self._watched: Watched | None = None
        self._states: dict[int, AssetState] = {}
        self._seen: datetime | None = None
        self._saved: datetime | None = None
        self._heard = clock.now()
        self._unfit: dict[int, str] = {}

    async def step(self) -> None:
        """Judge the five minutes that have ended, then fit what is due."""
        register = self._latest.register
        if not register.version:
            return  # it is not loaded yet
        until = whole_until(self._clock.now())
        watched = await self._prepare(register, until)
        if self._seen is not None and until > self._seen:
            begin = self._seen
            async with self._analytics.round(
                WORKER, Origin.LIVE, begin, until, clock=self._clock, observe=self._observe
            ) as tally:
                await self._advance(watched, begin, until, lambda *_: None)
                await self._tell(watched, until, tally)
        await self._heed_verdicts(watched)
        await self._fit(watched, until, FIT_S)
        if self._saved is None or until - self._saved >= SAVE_EVERY:
            await self._save(watched, until)

    async def look_back(
        self, register: Register, from_at: datetime, until_at: datetime, say: Say
    ) -> Tally:
        """Judge a past time; opens no finding.

        Models that have seen nothing of that time go on from where they are, all others are fitted
        on the seven days before it. They are kept where they are then the newest.

        Args:
            register: With the assets.
            from_at: Begin.
            until_at: End.
            say: Told after each portion.
        """
        async with self._analytics.round(
            WORKER, Origin.HISTORY, from_at, until_at, clock=self._clock, observe=self._observe
        ) as tally:
            await self._load()
            newest = self._seen is None or self._seen <= until_at
            if self._seen is not None and self._seen > from_at:
                self._states, self._seen = {}, None
            watched = await self._prepare(register, from_at)
            await self._fit(watched, from_at, FINISHED)
            tally.opened = await self._advance(watched, from_at, until_at, say)
            self._count(watched, tally)
            if newest:
                await self._save(watched, until_at)
                await self._analytics.keep_trust(trust_of(watched, until_at))
        return tally

    async def _prepare(self, register: Register, until: datetime) -> Watched:
        """The assets as the register has them, with what is known of them already."""
        if self._watched is not None and self._watched.version == register.version:
            return self._watched
        if self._watched is None:
            await self._load()
        else:
            self._states = {
                number: state
                for group in self._watched.groups.values()
                for number, state in group.states().items()
            }
        if self._seen is None or until - self._seen > LONGEST_PAUSE:
            self._states, self._seen = {}, until
        watched = await asyncio.to_thread(Watched, register)
        for group in watched.groups.values():
            group.restore(self._states)
        read = await self._values.read(watched.channels, self._seen - WATCHED_FOR, self._seen)
        # As expected, as far as anybody knows: the first deviation must not be all there is.
        inside = np.where(read.rows > 0, 1.0, np.nan)

        def remember() -> None:
            for step in range(len(read.at_s)):
                watched.sensors.take(read.rows[:, step], read.good[:, step], inside[:, step])

        await asyncio.to_thread(remember)
        for name, group in watched.groups.items():
            there = np.append(read.rows.sum(axis=1), 0)[watched.places[name]].any(axis=1)
            # Whoever has readings is worth a look at the past.
            group.seen_rows[there & (group.seen_rows == 0)] = asset_groups.LEAST_ROWS
        self._watched = watched
        return watched

    async def _load(self) -> None:
        for each in await self._analytics.states(WORKER):
            if each.model_version != asset_groups.VERSION:
                continue
            self._states |= msgspec.msgpack.decode(each.state, type=dict[int, AssetState])
            self._seen = each.seen_until if self._seen is None else min(self._seen, each.seen_until)

    async def _advance(self, watched: Watched, begin: datetime, until: datetime, say: Say) -> int:
        """Judge from one moment to another, a portion at a time; answers how many alarms opened."""
        at, opened = begin, 0
        while at < until:
            end = min(at + PORTION, until)
            read = await self._values.read(watched.channels, at, end)
            opened += await asyncio.to_thread(judge, watched, read)
            say(int((end - begin).total_seconds()), int((until - begin).total_seconds()), end)
            at = end
        self._seen = until
        return opened

    async def _tell(self, watched: Watched, until: datetime, tally: Tally) -> None:
        """Report what the last five minutes show."""
        self._count(watched, tally)
        if watched.sensors.feed_is_silent:
            if tally.judged:
                tally.reasons["the feed is silent"] = tally.judged
            tally.judged = 0
            return
        now = self._clock.now()
        factors = {
            number: criticality_factor(word)
            for number, word in (await self._analytics.criticalities()).items()
        }
        trust = watched.sensors.trust().percent()[:, 0]
        process: list[Sighting] = []
        sensor = list(self._of_sensors(watched, now, factors))
        computed: list[int] = []
        for name, group in watched.groups.items():
            if group.verdicts is not None:
                computed += [
                    group.assets[row] for row in np.flatnonzero(group.verdicts.computed).tolist()
                ]
            for each in group.deviations():
                seen = self._of_model(watched, name, each, until, factors, trust)
                (sensor if each.of_sensor else process).append(seen)
        spoken = {
            owner.register_id
            for owner, rows in zip(watched.owners, watched.sensors.present, strict=True) if rows
        } | {each.asset_id for each in sensor if each.asset_id is not None}  # fmt: skip
        for round_ in (
            Round(FindingKind.PROCESS, now, process, computed),
            Round(FindingKind.SENSOR, now, sensor, sorted(spoken)),
        ):
            tally.report(*await self._findings.report(round_))
        await self._analytics.keep_trust(trust_of(watched, until))
        self._figures.put_findings(await self._findings.worst())

    def _count(self, watched: Watched, tally: Tally) -> None:
        for group in watched.groups.values():
            fitted = group.fleet.fitted
            computed = fitted if group.verdicts is None else group.verdicts.computed
            tally.judged += int(computed.sum())
            for row in np.flatnonzero(~computed).tolist():
                number = group.assets[row]
                reason = self._unfit.get(number, "no readings, or no model yet")
                tally.reasons["too few values" if fitted[row] else reason] += 1

    def _of_model(
        self, watched: Watched, name: str, deviation: Deviation, until: datetime,
        factors: Mapping[int, float], trust: np.ndarray[Any, np.dtype[np.float64]],
    ) -> Sighting:  # fmt: skip
        group = watched.groups[name]
        places = watched.places[name][deviation.asset]
        number = group.assets[deviation.asset]
        blame = deviation.blame
        place = int(places[blame]) if blame >= 0 else int(places[places >= 0][0])
        asset = watched.owners[place]
        since = until - max(1, deviation.why.deviating_rows) * STEP
        tag = watched.channels[place][1]
        return Sighting(
            kind=FindingKind.SENSOR if deviation.of_sensor else FindingKind.PROCESS,
            cause=f"deviates:{tag}" if deviation.of_sensor else "deviates",
            since=since, severity=of_finding(deviation.severity, factors.get(number, 1.0)),
            sentence=self._sentence(watched, places, deviation, since), asset_id=number,
            serial=asset.serial, category=asset.category, tag=tag, domain=asset.domain,
            trust=float(np.nan_to_num(trust[place], nan=100.0)) / 100,
            coverage=deviation.why.coverage,
            evidence=evidence_of(watched, places, deviation, until),
        )  # fmt: skip

    def _sentence(
        self, watched: Watched, places: Any, deviation: Deviation, since: datetime
    ) -> str:
        why, blame = deviation.why, deviation.blame
        names = {
            column: watched.parameters[int(place)].name
            for column, place in enumerate(places) if place >= 0
        }  # fmt: skip
        at = since.astimezone(self._zone)
        peers = [names[each] for each in why.inside if each in names][:SHOWN_PEERS]
        others = [names[each] for each in why.outside if each in names and each != blame]
        words = f"; also {', '.join(others[:SHOWN_PEERS])}" if others else ""
        words += f"; as expected: {', '.join(peers)}" if peers else ""
        words += ": suspect the sensor" if deviation.of_sensor else ""
        if blame < 0 or blame not in names:
            return f"Not as expected since {at:%H:%M}{words}"
        unit = watched.parameters[int(places[blame])].unit or ""
        return (
            f"{names[blame]} {why.observed[blame]:.4g} {unit}, expected {why.expected[blame]:.4g}"
            f" ± {why.band[blame]:.2g} since {at:%H:%M}{words}"
        )

    def _of_sensors(
        self, watched: Watched, now: datetime, factors: Mapping[int, float]
    ) -> Iterable[Sighting]:
        """Sensors whose readings are not good, or do not come though others of the plant do."""
        sensors = watched.sensors
        for flags, missing in ((sensors.bad, False), (sensors.missing, True)):
            for place in np.flatnonzero(flags).tolist():
                asset, parameter = watched.owners[place], watched.parameters[place]
                number, tag = watched.channels[place]
                reason = "gap" if missing else self._reason(asset, tag)
                since = now - sensors.steps_of(place) * STEP
                yield Sighting(
                    kind=FindingKind.SENSOR, cause=f"{reason}:{tag}", since=since,
                    severity=of_finding(SENSOR_SEVERITY, factors.get(number, 1.0)),
                    sentence=f"{parameter.name} of {asset.serial}: {WORDS.get(reason, reason)}"
                    f" since {since.astimezone(self._zone):%H:%M}",
                    asset_id=number, serial=asset.serial, category=asset.category, tag=tag,
                    domain=asset.domain,
                    evidence={"reason": reason, "five_minutes": sensors.steps_of(place)},
                )  # fmt: skip

    def _reason(self, asset: RegisteredAsset, tag: str) -> str:
        reading = (self._latest.state_of(asset.serial) or {}).get(tag)
        return "not_good" if reading is None else reading.quality_reason or "not_good"

    async def _heed_verdicts(self, watched: Watched) -> None:
        """Let models learn the stretches that people found normal."""
        for kind in (FindingKind.PROCESS, FindingKind.SENSOR):
            for each in await self._findings.judged(kind, after=self._heard):
                self._heard = max(self._heard, each.at)
                if each.verdict is Verdict.FALSE_ALARM:
                    await self._learn(watched, each)

    async def _learn(self, watched: Watched, judged: Judged) -> None:
        for name, group in watched.groups.items():
            if judged.asset_id not in group.assets:
                continue
            row = group.assets.index(judged.asset_id)
            if not group.fleet.fitted[row]:
                continue
            rows = await self._past(watched, name, [row], judged.since, judged.until + STEP)
            kept = rows[0][np.isfinite(rows[0]).any(axis=1)]
            if len(kept):
                await asyncio.to_thread(group.fleet.learn, row, kept)
                await self._analytics.note_learned(judged.serial, judged.id, len(kept))

    async def _fit(self, watched: Watched, until: datetime, limit_s: float) -> None:
        """Fit models that are due, for a while; the rest is left to the next round."""
        ends = self._clock.monotonic() + limit_s
        for name, group in watched.groups.items():
            due = group.due()
            for first in range(0, len(due), FIT_ASSETS):
                if self._clock.monotonic() >= ends:
                    return
                rows = due[first : first + FIT_ASSETS]
                past = await self._past(watched, name, rows, until - LEARNED_FROM, until)
                for row, values in zip(rows, past, strict=True):
                    # One at a time: others wait for the interpreter no longer than for one.
                    why = await asyncio.to_thread(group.fit, row, values)
                    self._unfit.pop(group.assets[row], None)
                    if why:
                        self._unfit[group.assets[row]] = why

    async def _past(
        self, watched: Watched, name: str, rows: Sequence[int], from_at: datetime,
        until_at: datetime,
    ) -> list[np.ndarray[Any, np.dtype[np.float64]]]:  # fmt: skip
        """Good values of assets: float64 (times, tags) each."""
        places = watched.places[name][rows]
        wanted = sorted({int(each) for each in places.ravel() if each >= 0})
        read = await self._values.read(
            [watched.channels[each] for each in wanted], from_at, until_at
        )
        values = np.where(read.good > 0, read.values, np.nan)
        of_place = np.full(len(watched.channels) + 1, len(wanted), dtype=np.int64)
        of_place[wanted] = np.arange(len(wanted))
        values = np.vstack([values, np.full((1, len(read.at_s)), np.nan)])
        return [values[of_place[each]].T for each in places]

    async def _save(self, watched: Watched, until: datetime) -> None:
        now = self._clock.now()
        kept: list[ModelState] = []
        for name, group in watched.groups.items():
            states = sorted(group.states().items())
            for first in range(0, len(states), STATE_ASSETS):
                content = msgspec.msgpack.encode(dict(states[first : first + STATE_ASSETS]))
                subject = f"{name}/{first // STATE_ASSETS}"
                kept.append(
                    ModelState(subject, asset_groups.VERSION, self._seen or until, now, content)
                )
        await self._analytics.keep_states(WORKER, kept)
        await self._analytics.forget_states(WORKER, [each.subject for each in kept])
        self._saved = until
        await self._analytics.trim(now - timedelta(days=KEPT_RUN_DAYS))
        await self._findings.trim(now - timedelta(days=KEPT_FINDING_DAYS))


WORDS: Final[Mapping[str, str]] = {
    "frozen": "repeats its value for longer than usual", "gap": "brings no values",
    "out_of_range": "is outside of what the sensor can show", "rate": "jumps faster than can be",
    "not_a_number": "is no number", "no_value": "has no value",
    "source_not_good": "the source does not call it good", "not_good": "is not good",
    "source_unknown": "the source says nothing of its quality",
}  # fmt: skip


def judge(watched: Watched, read: FiveMinutes) -> int:
    """Judge all steps of a portion; answers how many alarms opened."""
    opened, last = 0, len(read.at_s) - 1
    for step in range(len(read.at_s)):
        before = [
            None if group.verdicts is None else group.verdicts.alarm
            for group in watched.groups.values()
        ]
        watched.take(read, step, with_bands=step == last or step % BANDS_EVERY == 0)
        for was, group in zip(before, watched.groups.values(), strict=True):
            if group.verdicts is not None:
                fresh = group.verdicts.alarm if was is None else group.verdicts.alarm & ~was
                opened += int(fresh.sum())
    return opened


def trust_of(watched: Watched, until: datetime) -> list[SensorTrust]:
    """How far each sensor can be trusted; those that were never there are left out."""
    trust = watched.sensors.trust()
    percent = trust.percent()[:, 0]
    return [
        SensorTrust(
            asset_id=number, tag_code=tag, computed_at=until, trust=float(percent[place]),
            completeness=float(trust.completeness[place, 0]),
            timeliness=float(trust.timeliness[place, 0]),
            validity=float(trust.validity[place, 0]), liveness=float(trust.liveness[place, 0]),
            consistency=float(trust.consistency[place, 0]),
        )
        for place, (number, tag) in enumerate(watched.channels)
        if trust.completeness[place, 0] > 0
    ]  # fmt: skip


def evidence_of(
    watched: Watched, places: Any, deviation: Deviation, until: datetime
) -> dict[str, Any]:
    """What a deviation is made of, tag by tag, with the trend of the one that is blamed."""
    why = deviation.why
    begin = until - len(deviation.trend) * STEP
    return {
        "model": asset_groups.VERSION, "score": why.score, "on": why.on, "off": why.off,
        "coverage": why.coverage, "pooled_mode": why.pooled,
        "tags": [
            {
                "tag": watched.channels[int(place)][1], "unit": watched.parameters[int(place)].unit,
                "observed": _plain(why.observed[column]), "expected": _plain(why.expected[column]),
                "band": _plain(why.band[column]), "residual": _plain(why.residual[column]),
                "outside": column in why.outside, "agrees": column in why.inside,
            }
            for column, place in enumerate(places) if place >= 0
        ],
        "trend": {
            "from": begin.astimezone(UTC), "step_s": int(STEP.total_seconds()),
            "values": [_plain(each) for each in deviation.trend],
        },
    }  # fmt: skip


def _plain(number: float) -> float | None:
    return float(f"{number:.6g}") if np.isfinite(number) else None


def _by_category(register: Register) -> dict[str, list[RegisteredAsset]]:
    found: dict[str, list[RegisteredAsset]] = {}
    for asset in sorted(register.assets.values(), key=lambda each: each.register_id):
        if any(each.kind in MODELLED for each in asset.parameters.values()):
            found.setdefault(asset.category or "", []).append(asset)
    return found


def _tag_of(parameter: Parameter) -> Tag:
    return Tag(
        name=parameter.tag_code, unit=parameter.unit or "", mode=parameter.kind == "state",
        low=parameter.range_low if np.isfinite(parameter.range_low) else None,
        high=parameter.range_high if np.isfinite(parameter.range_high) else None,
    )  # fmt: skip
