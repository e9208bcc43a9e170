"""Leaks by night: a CUSUM of the night inflow of a DMA."""

import math
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec

from ic3.analytics.leak_alarms import Kept, LeakVerdict, kept_in, step_sigma

VERSION: Final = 1
DAYS_OF_WEEK: Final = 7
BAND: Final = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class NightlySettings:
    """What the alarm was tuned to; see docs/results/eval-tuning.md.

    Attributes:
        learn_nights: Nights before the first alarm.
        recent_nights: Nights from which the noise is taken.
        offset_weeks: Weeks from which a weekday's offset is taken.
        floor_share: Least noise, as a share of the mean inflow.
        floor_m3_h: Least noise in m3/h: in a small district every leak is large.
        clip: Most that one night counts, in sigmas.
        slack: What each night has to exceed, in sigmas.
        limit: CUSUM that makes an alarm.
        slow_rate: How far the reference goes with a quiet night: too little to swallow a leak.
        season_share: Night use that comes with use by day, as a share of its rise over the night.
        season_rate: How far that rise goes with a day.
        settle_nights: Nights after an alarm in which the reference goes fast, so that a leak that
            still grows is told once.
        fast_rate: How far it goes then.
        growth_share: Change of the reference in a week, of the mean inflow, that keeps it going
            fast: in a large district another leak is likelier than one that still grows.
        settle_slack: As `slack`, while it goes fast.
        settle_limit: As `limit`, while it goes fast.
    """

    learn_nights: int = 7
    recent_nights: int = 28
    offset_weeks: int = 8
    floor_share: float = 0.006
    floor_m3_h: float = 1.5
    clip: float = 8.0
    slack: float = 1.5
    limit: float = 8.0
    slow_rate: float = 0.02
    season_share: float = 0.5
    season_rate: float = 0.1
    settle_nights: int = 10
    fast_rate: float = 0.25
    growth_share: float = 0.025
    settle_slack: float = 2.5
    settle_limit: float = 4.6


NIGHTLY: Final = NightlySettings()


class _Kept(Kept, array_like=True):
    """All that the alarm remembers.

    Attributes:
        nights: Nights seen.
        flat: Night inflow less season of the last seven nights.
        recent: The same less the weekday's offset, of the recent nights.
        offsets: By weekday, of the recent weeks: deviation from the week before.
        references: The reference in the last nights of settling.
        baseline: The reference before the oldest leak that still runs.
    """

    version: int = VERSION
    nights: int = 0
    flat: list[float] = msgspec.field(default_factory=list)
    recent: list[float] = msgspec.field(default_factory=list)
    offsets: list[list[float]] = msgspec.field(
        default_factory=lambda: [[] for _ in range(DAYS_OF_WEEK)]
    )
    references: list[float] = msgspec.field(default_factory=list)
    swing: float = 0.0
    mean: float = 0.0
    reference: float = 0.0
    up: float = 0.0
    down: float = 0.0
    since: int = 0
    settling: int = 0
    baseline: float | None = None
    peak: float = 0.0


class NightlyAlarm:
    """The alarm of one DMA; a night looks at nothing that came after it.

    A leak that grows slowly for months may be told more than once: its flow alone cannot be told
    from that of a second leak.

    Args:
        settings: Frozen as tuned.
    """

    def __init__(self, settings: NightlySettings = NIGHTLY) -> None:
        self._settings = settings
        self._kept = _Kept()

    def update(self, *, weekday: int, night_m3_h: float, day_m3_h: float) -> LeakVerdict:
        """Judge a night.

        Args:
            weekday: 0 is Monday; a holiday is given as 6, a Sunday.
            night_m3_h: Mean inflow of the night window, NaN where it was not measured or is no
                night flow.
            day_m3_h: Mean inflow of the 24 h that end with the window, NaN where missing.
        """
        if not (math.isfinite(night_m3_h) and math.isfinite(day_m3_h)):
            return LeakVerdict("missing")
        kept, settings = self._kept, self._settings
        season = self._season(night_m3_h, day_m3_h)
        flat = night_m3_h - season
        shift = self._learn_weekday(weekday, flat)
        level = flat - shift
        kept.recent = [*kept.recent, level][-settings.recent_nights :]
        kept.nights += 1
        if kept.nights <= settings.learn_nights:
            kept.reference = median(kept.recent)
            return LeakVerdict("learning", night_m3_h)
        sigma = self._sigma()
        expected = kept.reference + season + shift
        verdict = self._judge(level, sigma)
        return LeakVerdict(
            verdict.kind, night_m3_h, expected, BAND * sigma, verdict.size_m3_h,
            verdict.loss_m3_h, BAND * sigma, verdict.cusum_share, kept.peak, verdict.since,
        )  # fmt: skip

    def state(self) -> bytes:
        """All it remembers: a few hundred numbers."""
        return msgspec.msgpack.encode(self._kept)

    def restore(self, state: bytes) -> None:
        """Go on where `state` was taken.

        Raises:
            InputError: It is no state of this version.
        """
        self._kept = kept_in(state, _Kept, version=VERSION, alarm="nightly")

    def _season(self, night_m3_h: float, day_m3_h: float) -> float:
        """Night use that rises and falls with use by day; a leak raises both alike."""
        kept = self._kept
        rate = max(self._settings.season_rate, 1 / (kept.nights + 1))
        kept.swing += rate * (day_m3_h - night_m3_h - kept.swing)
        kept.mean += max(0.1, 1 / (kept.nights + 1)) * (day_m3_h - kept.mean)
        return self._settings.season_share * kept.swing

    def _learn_weekday(self, weekday: int, flat: float) -> float:
        """The weekday's offset by what came before; then this night is learned."""
        kept, past = self._kept, self._kept.offsets[weekday]
        offset = median(past) * len(past) / (len(past) + 2) if past else 0.0
        if len(kept.flat) == DAYS_OF_WEEK:
            past.append(flat - sum(kept.flat) / DAYS_OF_WEEK)
            kept.offsets[weekday] = past[-self._settings.offset_weeks :]
        kept.flat = [*kept.flat, flat][-DAYS_OF_WEEK:]
        return offset

    def _sigma(self) -> float:
        settings, kept = self._settings, self._kept
        floor = max(settings.floor_share * kept.mean, settings.floor_m3_h)
        return max(step_sigma(kept.recent), floor)

    def _judge(self, level: float, sigma: float) -> LeakVerdict:
        kept, settings = self._kept, self._settings
        slack, limit = (
            (settings.settle_slack, settings.settle_limit)
            if kept.settling else (settings.slack, settings.limit)
        )  # fmt: skip
        excess = level - kept.reference
        z = max(-settings.clip, min(settings.clip, excess / sigma))
        kept.up = max(0.0, kept.up + z - slack)
        kept.down = max(0.0, kept.down - z - slack)
        kept.since = kept.since + 1 if kept.up > 0 else 0
        share, since = kept.up / limit, kept.since
        kept.peak = share if kept.baseline is None else max(kept.peak, share)
        if share > 1 or kept.down > limit:
            self._rebase(level, sigma, is_leak=share > 1)
            return LeakVerdict(
                "leak" if share > 1 else "repair", size_m3_h=excess, loss_m3_h=self._loss(level),
                cusum_share=share, since=since,
            )  # fmt: skip
        self._follow(excess)
        return LeakVerdict(
            "quiet", loss_m3_h=self._loss(level), cusum_share=share, since=since
        )  # fmt: skip

    def _loss(self, level: float) -> float:
        baseline = self._kept.baseline
        return 0.0 if baseline is None else max(0.0, level - baseline)

    def _rebase(self, level: float, sigma: float, *, is_leak: bool) -> None:
        """Take the step for granted, so that a second leak shows."""
        kept = self._kept
        if is_leak and kept.baseline is None:
            kept.baseline = kept.reference
        if kept.baseline is not None and level - kept.baseline < sigma:
            kept.baseline = None
        kept.reference = level
        kept.references = []
        kept.up = kept.down = 0.0
        kept.since = 0
        kept.settling = self._settings.settle_nights

    def _follow(self, excess: float) -> None:
        kept, settings = self._kept, self._settings
        if not kept.settling:
            kept.reference += settings.slow_rate * excess
            return
        kept.reference += settings.fast_rate * excess
        kept.references = [*kept.references, kept.reference][-DAYS_OF_WEEK:]
        kept.settling -= 1
        growth = abs(kept.references[-1] - kept.references[0])
        is_week = len(kept.references) == DAYS_OF_WEEK
        if is_week and growth > settings.growth_share * kept.mean:
            kept.settling = max(kept.settling, settings.settle_nights // 2)
