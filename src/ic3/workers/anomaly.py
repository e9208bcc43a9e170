"""Every asset against its own past, five minutes at a time; and what readings say of sensors."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from ic3.analytics import asset_groups, sensor_drift
from ic3.analytics.asset_groups import AssetState
from ic3.analytics.asset_sightings import Moment, seen
from ic3.analytics.asset_watch import Watched, judge, trust_of
from ic3.analytics.five_minutes import FiveMinutes
from ic3.clock import Clock
from ic3.domain.analytics_runs import (
    STEP,
    AnalyticsWorker,
    Origin,
    Say,
    Tally,
    criticality_factor,
    day_span,
    whole_until,
)
from ic3.domain.figures import Figures
from ic3.domain.findings import FindingKind, Verdict
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register
from ic3.observations import Observe
from ic3.store.analytics import KEPT_DAYS as KEPT_RUN_DAYS
from ic3.store.analytics import AnalyticsStore, ModelState
from ic3.store.findings import KEPT_DAYS as KEPT_FINDING_DAYS
from ic3.store.findings import FindingStore, Judged, Round
from ic3.store.five_minutes import FiveMinuteStore

WORKER: Final = AnalyticsWorker.ANOMALY
EVERY_S: Final = 60.0
# After a longer pause models are fitted anew: too much may have changed.
LONGEST_PAUSE: Final = timedelta(days=1)
LEARNED_FROM: Final = timedelta(days=7)
WATCHED_FOR: Final = timedelta(days=1)
REMEMBERED: Final = timedelta(hours=2)
PORTION: Final = timedelta(hours=6)
SAVE_EVERY: Final = timedelta(minutes=30)
# Fitting shares the interpreter with the sweeps: so long in one round, so many assets a portion.
FIT_S: Final = 40.0
FIT_ASSETS: Final = 20
STATE_ASSETS: Final = 500
FINISHED: Final = 1e6


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
        self._days: tuple[int, datetime] | None = None

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
        present = np.append(await self._remember(watched, self._seen), 0)
        for name, group in watched.groups.items():
            rows = present[watched.places[name]].max(axis=1)
            # With readings for half a day there may be more before: that is worth a look.
            rows[rows >= asset_groups.LEAST_ROWS // 2] = asset_groups.LEAST_ROWS
            group.seen_rows = np.where(group.seen_rows == 0, rows, group.seen_rows)
        self._watched = watched
        return watched

    async def _remember(
        self, watched: Watched, until: datetime
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Show the sensors the last day; answers how many five minutes of it each channel had."""
        present = np.zeros(len(watched.channels), dtype=np.int64)

        def take(read: FiveMinutes) -> None:
            for step in range(len(read.at_s)):
                there = read.rows[:, step] > 0
                # As expected, so far: the first deviation must not be all there is.
                inside = np.where(there, 1.0, np.nan)
                watched.sensors.spikes(read.beyond[:, step])
                watched.sensors.take(read.rows[:, step], read.good[:, step], inside)
                present[there] += 1

        at = until - WATCHED_FOR
        while at < until:
            # All channels of a large plant fill the memory in a day.
            read = await self._values.read(watched.channels, at, at + REMEMBERED)
            await asyncio.to_thread(take, read)
            at += REMEMBERED
        return present

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
        await self._look_for_drift(watched, until)
        found = seen(
            watched,
            Moment(
                until=until, zone=self._zone, reason_of=self._reason,
                factors={
                    number: criticality_factor(word)
                    for number, word in (await self._analytics.criticalities()).items()
                },
            ),
        )  # fmt: skip
        spoken = {
            owner.register_id
            for owner, rows in zip(watched.owners, watched.sensors.present, strict=True) if rows
        } | {each.asset_id for each in found.sensor if each.asset_id is not None}  # fmt: skip
        for round_ in (
            Round(FindingKind.PROCESS, now, found.process, found.computed),
            Round(FindingKind.SENSOR, now, found.sensor, sorted(spoken)),
        ):
            tally.report(*await self._findings.report(round_))
        await self._analytics.keep_trust(await asyncio.to_thread(trust_of, watched, until))
        self._figures.put_findings(await self._findings.worst())

    async def _look_for_drift(self, watched: Watched, until: datetime) -> None:
        """Once a day: whose last whole days have left the weeks before."""
        end = day_span(until.astimezone(self._zone).date(), self._zone)[0]
        if self._days == (watched.version, end):
            return
        days = await self._values.days(watched.channels, end, sensor_drift.DAYS)
        watched.drifts = await asyncio.to_thread(
            sensor_drift.drifts, watched.levels(days), watched.span, watched.relatives()
        )
        self._days = (watched.version, end)

    def _reason(self, serial: str, tag: str) -> str:
        reading = (self._latest.state_of(serial) or {}).get(tag)
        return "not_good" if reading is None else reading.quality_reason or "not_good"

    def _count(self, watched: Watched, tally: Tally) -> None:
        for group in watched.groups.values():
            fitted = group.fleet.fitted
            computed = fitted if group.verdicts is None else group.verdicts.computed
            tally.judged += int(computed.sum())
            for row in np.flatnonzero(~computed).tolist():
                number = group.assets[row]
                reason = self._unfit.get(number, "no readings, or no model yet")
                tally.reasons["too few values" if fitted[row] else reason] += 1

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
