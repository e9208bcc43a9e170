"""Bursts by the hour: a CUSUM of a DMA's inflow against what the hour of the week foretells."""

import math
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec

from ic3.analytics.leak_alarms import MAD_TO_SIGMA, Kept, LeakVerdict, kept_in

VERSION: Final = 1
HOURS_OF_WEEK: Final = 168
BAND: Final = 1.96
FEWEST_RESIDUALS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlySettings:
    """What the alarm was tuned to; see docs/results/eval-tuning.md.

    Attributes:
        level_hours: Hours from which the level is taken; half of them must have been measured.
        learn_weeks: Weeks before an hour of the week can be foretold.
        recent_weeks: Weeks from which it is.
        recent_days: Days from which the noise of an hour of the day is taken.
        floor_share: Least noise, as a share of the level.
        floor_m3_h: Least noise in m3/h: in a small district every leak is large.
        clip: Most that one hour counts, in sigmas.
        slack: What each hour has to exceed, in sigmas: residuals of neighbouring hours are alike.
        limit: CUSUM that makes an alarm.
        hold_hours: Hours after an alarm in which the limit is higher: a leak that still grows is
            told once.
        hold_factor: How much higher.
    """

    level_hours: int = 48
    learn_weeks: int = 1
    recent_weeks: int = 8
    recent_days: int = 21
    floor_share: float = 0.012
    floor_m3_h: float = 1.5
    clip: float = 8.0
    slack: float = 1.5
    limit: float = 15.0
    hold_hours: int = 200
    hold_factor: float = 2.0


HOURLY: Final = HourlySettings()


class _Kept(Kept, array_like=True):
    """All that the alarm remembers.

    Attributes:
        level: Inflow less what its hour of the week adds, of the last hours; None where missing.
        shape: By hour of the week, what it added in the recent weeks.
        residuals: By hour of the day, what came unforetold on the recent days.
        rising: Hour of the week and residual since the evidence for a leak began to gather.
        falling: The same for a repair.
        baseline: The level before the oldest burst that still runs.
    """

    version: int = VERSION
    level: list[float | None] = msgspec.field(default_factory=list)
    shape: list[list[float]] = msgspec.field(
        default_factory=lambda: [[] for _ in range(HOURS_OF_WEEK)]
    )
    residuals: list[list[float]] = msgspec.field(default_factory=lambda: [[] for _ in range(24)])
    rising: list[tuple[int, float]] = msgspec.field(default_factory=list)
    falling: list[tuple[int, float]] = msgspec.field(default_factory=list)
    up: float = 0.0
    down: float = 0.0
    hold: int = 0
    baseline: float | None = None
    peak: float = 0.0


class HourlyAlarm:
    """The alarm of one DMA; an hour looks at nothing that came after it.

    Args:
        settings: Frozen as tuned.
    """

    def __init__(self, settings: HourlySettings = HOURLY) -> None:
        self._settings = settings
        self._kept = _Kept()

    def update(self, *, hour_of_week: int, inflow_m3_h: float) -> LeakVerdict:
        """Judge an hour.

        Args:
            hour_of_week: 0 is Monday from midnight on, by the clock on the wall; a holiday is
                given as a Sunday.
            inflow_m3_h: Mean inflow of the hour, NaN where it was not measured.
        """
        if not math.isfinite(inflow_m3_h):
            self._remember(None)
            return LeakVerdict("missing")
        kept, settings = self._kept, self._settings
        known = [each for each in kept.level if each is not None]
        shape = kept.shape[hour_of_week]
        if 2 * len(known) < settings.level_hours:
            self._remember(inflow_m3_h)
            return LeakVerdict("learning", inflow_m3_h)
        level = sum(known) / len(known)
        if len(shape) < settings.learn_weeks:
            self._add(shape, inflow_m3_h - level, settings.recent_weeks)
            self._remember(inflow_m3_h)
            return LeakVerdict("learning", inflow_m3_h)
        usual = median(shape)
        verdict = self._judge(hour_of_week, inflow_m3_h, level, usual)
        # An alarm has moved the level meanwhile.
        known = [each for each in kept.level if each is not None]
        self._add(shape, inflow_m3_h - sum(known) / len(known), settings.recent_weeks)
        self._remember(inflow_m3_h - usual)
        return verdict

    def state(self) -> bytes:
        """All it remembers: about two thousand numbers."""
        return msgspec.msgpack.encode(self._kept)

    def restore(self, state: bytes) -> None:
        """Go on where `state` was taken.

        Raises:
            InputError: It is no state of this version.
        """
        self._kept = kept_in(state, _Kept, version=VERSION, alarm="hourly")

    def _remember(self, level: float | None) -> None:
        self._kept.level.append(level)
        del self._kept.level[: -self._settings.level_hours]

    @staticmethod
    def _add(past: list[float], value: float, most: int) -> None:
        past.append(value)
        del past[:-most]

    def _judge(self, hour_of_week: int, inflow: float, level: float, usual: float) -> LeakVerdict:
        kept, settings = self._kept, self._settings
        expected, residual = level + usual, inflow - level - usual
        past = kept.residuals[hour_of_week % 24]
        enough = len(past) >= FEWEST_RESIDUALS
        sigma = MAD_TO_SIGMA * median(abs(each) for each in past) if enough else math.inf
        sigma = max(sigma, settings.floor_share * level, settings.floor_m3_h)
        self._add(past, residual, settings.recent_days)
        if not enough:
            return LeakVerdict("learning", inflow, expected)
        z = max(-settings.clip, min(settings.clip, residual / sigma))
        kept.up = max(0.0, kept.up + z - settings.slack)
        kept.down = max(0.0, kept.down - z - settings.slack)
        kept.rising = [*kept.rising, (hour_of_week, residual)] if kept.up > 0 else []
        kept.falling = [*kept.falling, (hour_of_week, residual)] if kept.down > 0 else []
        limit = settings.limit * (settings.hold_factor if kept.hold else 1.0)
        kept.hold = max(0, kept.hold - 1)
        share, since, step = kept.up / limit, len(kept.rising), 0.0
        kept.peak = share if kept.baseline is None else max(kept.peak, share)
        if share > 1:
            if kept.baseline is None:
                kept.baseline = level
            step = self._rebase(kept.rising)
            kept.hold = settings.hold_hours
        elif kept.down > settings.limit:
            step = self._rebase(kept.falling)
        if kept.baseline is not None and step < 0 and level + step - kept.baseline < sigma:
            kept.baseline = None
        loss = 0.0 if kept.baseline is None else max(0.0, inflow - usual - kept.baseline)
        return LeakVerdict(
            "leak" if step > 0 else "repair" if step < 0 else "quiet", inflow, expected,
            BAND * sigma, step, loss, BAND * sigma, share, kept.peak, since,
        )  # fmt: skip

    def _rebase(self, run: list[tuple[int, float]]) -> float:
        """Move the past by the step, so that it is told once; answers the step.

        The hours of the run have it in them already: what they taught of the week loses it.
        """
        kept = self._kept
        step = median(residual for _, residual in run)
        before = len(kept.level) - (len(run) - 1)
        kept.level = [
            None if each is None else each + step if at < before else each
            for at, each in enumerate(kept.level)
        ]
        for hour, _ in run[:-1]:
            if kept.shape[hour]:
                kept.shape[hour][-1] -= step
        kept.rising, kept.falling = [], []
        kept.up = kept.down = 0.0
        return step
