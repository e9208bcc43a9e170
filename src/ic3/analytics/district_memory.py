"""What is kept of a district from hour to hour: its two alarms, and the leaks that still run."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from ic3.analytics.dma import DMA
from ic3.analytics.hourly_alarm import HourlyAlarm
from ic3.analytics.inflow import (
    DAY_S,
    HOUR_S,
    Inflow,
    Readings,
    hourly_inflow,
    inflow,
    local_time,
)
from ic3.analytics.leak_alarms import LeakVerdict
from ic3.analytics.leak_probability import (
    BURST_BY_HOUR,
    LEAK_BY_NIGHT,
    LeakProbability,
    leak_probability,
)
from ic3.analytics.night_flow import nights
from ic3.analytics.nightly_alarm import NightlyAlarm
from ic3.analytics.supply_windows import supply

VERSION: Final = "1"
# A night is judged with the day before it, and the hours in which roof tanks fill.
OVERLAP_S: Final = 36 * HOUR_S
# Without any loss for so long a leak is over, also where nobody has seen its repair.
QUIET_NIGHTS: Final = 3
QUIET_HOURS: Final = 12

Layer = Literal["leak", "burst"]


class Running(msgspec.Struct, frozen=True):
    """A leak that one of the layers has told of and that has not ended.

    Attributes:
        since_s: Estimated begin, seconds since 1970 UTC.
        size_m3_h: Its step when it was told.
        quiet: Nights or hours in a row without any loss.
    """

    since_s: int
    size_m3_h: float
    quiet: int = 0


class LayerState(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of a district.

    Attributes:
        alarm: State of the alarm; empty at first.
        verdict: The last one; None before the first.
        at_s: End of what it judged.
        judged: Nights or hours that were measured.
        running: The leak that still runs.
    """

    alarm: bytes = b""
    verdict: LeakVerdict | None = None
    at_s: int = 0
    judged: int = 0
    running: Running | None = None


class DistrictMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Bounded; the same after any restart.

    Attributes:
        seen_s: End of the last hour that was taken, seconds since 1970 UTC.
    """

    seen_s: int = 0
    night: LayerState = LayerState()
    hour: LayerState = LayerState()


class Likely(msgspec.Struct, frozen=True):
    """A layer's answer: its probability, or the reason why there is none."""

    probability: LeakProbability | None
    reason: str


def take(memory: DistrictMemory, dma: DMA, readings: Readings) -> DistrictMemory:
    """Judge all whole hours and nights that have ended since the last time.

    Args:
        memory: As the last time left it.
        dma: The definition.
        readings: From at least `OVERLAP_S` before `memory.seen_s`, as far as there are any.
    """
    hours = hourly_inflow(dma, readings)
    if not len(hours.end_s) or int(hours.end_s[-1]) <= memory.seen_s:
        return memory
    return DistrictMemory(
        seen_s=int(hours.end_s[-1]), night=_nights(memory, dma, readings, int(hours.end_s[-1])),
        hour=_hours(memory, dma, hours),
    )  # fmt: skip


def likelihood(
    layer: Layer, state: LayerState, dma: DMA, *, neighbours: Sequence[float] = (),
    meter_trust: float = 100.0,
) -> Likely:  # fmt: skip
    """How likely it is that a district leaks, by one of its layers.

    Args:
        layer: The nightly one tells of leaks, the hourly one of bursts.
        state: Of the layer.
        dma: The definition.
        neighbours: Evidence of the other districts at the same time.
        meter_trust: Least trust of its meters, 0 to 100.
    """
    if layer == "burst" and dma.supply == "intermittent":
        return Likely(None, "supply by turns: the inflow contains the filling of roof tanks")
    verdict = state.verdict
    if verdict is None or (verdict.kind == "missing" and not state.judged):
        what = "night was pressurised and measured" if layer == "leak" else "hour was measured"
        return Likely(None, f"no {what} yet")
    if verdict.kind == "learning":
        return Likely(None, f"still learning: {state.judged} so far")
    share = verdict.peak_share if state.running is None else max(1.0, verdict.peak_share)
    curve = LEAK_BY_NIGHT if layer == "leak" else BURST_BY_HOUR
    return Likely(
        leak_probability(share, curve, neighbours=neighbours, meter_trust=meter_trust), ""
    )


def encode(memory: DistrictMemory) -> bytes:
    """A memory as bytes."""
    return msgspec.msgpack.encode(memory)


def decode(content: bytes) -> DistrictMemory:
    """The memory of such bytes.

    Raises:
        msgspec.MsgspecError: They are none.
    """
    return msgspec.msgpack.decode(content, type=DistrictMemory)


def _nights(memory: DistrictMemory, dma: DMA, readings: Readings, until_s: int) -> LayerState:
    state, alarm = memory.night, NightlyAlarm()
    if state.alarm:
        alarm.restore(state.alarm)
    for night in nights(dma, readings, supply(dma, readings)):
        if not state.at_s < night.end_s <= until_s:
            continue
        end_s = np.array([night.end_s])
        day = inflow(dma, readings, end_s - DAY_S, end_s)
        verdict = alarm.update(
            weekday=night.weekday, night_m3_h=night.mnf_m3_h, day_m3_h=float(day.m3_h[0])
        )
        state = _after(state, verdict, night.end_s, step_s=DAY_S, quiet=QUIET_NIGHTS)
    return msgspec.structs.replace(state, alarm=alarm.state())


def _hours(memory: DistrictMemory, dma: DMA, hours: Inflow) -> LayerState:
    state, alarm = memory.hour, HourlyAlarm()
    if dma.supply == "intermittent":
        return state
    if state.alarm:
        alarm.restore(state.alarm)
    wall = local_time(hours.start_s, dma.zone)
    of_week = wall.weekday * 24 + wall.hour.astype(np.int64)
    for at in np.flatnonzero(hours.end_s > state.at_s).tolist():
        verdict = alarm.update(
            hour_of_week=int(of_week[at]), inflow_m3_h=float(hours.m3_h[at])
        )  # fmt: skip
        end_s = int(hours.end_s[at])
        state = _after(state, verdict, end_s, step_s=HOUR_S, quiet=QUIET_HOURS)
    return msgspec.structs.replace(state, alarm=alarm.state())


def _after(
    state: LayerState, verdict: LeakVerdict, at_s: int, *, step_s: int, quiet: int
) -> LayerState:
    """The layer after a verdict; one that was not measured leaves the last one standing."""
    if verdict.kind == "missing":
        return msgspec.structs.replace(state, at_s=at_s)
    return msgspec.structs.replace(
        state, verdict=verdict, at_s=at_s, judged=state.judged + 1,
        running=_running(state.running, verdict, at_s - verdict.since * step_s, quiet),
    )  # fmt: skip


def _running(
    running: Running | None, verdict: LeakVerdict, since_s: int, most_quiet: int
) -> Running | None:
    if verdict.kind == "leak":
        return Running(since_s if running is None else running.since_s, verdict.size_m3_h)
    if running is None or (verdict.kind == "repair" and verdict.loss_m3_h <= 0):
        return None
    quiet = running.quiet + 1 if verdict.loss_m3_h <= 0 else 0
    return None if quiet >= most_quiet else Running(running.since_s, running.size_m3_h, quiet)
