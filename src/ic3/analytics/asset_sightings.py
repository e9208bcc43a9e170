"""What the watched assets show now, as sightings: deviations of processes, faults of sensors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from ic3.analytics import asset_groups, sensor_drift
from ic3.analytics.asset_groups import Deviation
from ic3.analytics.asset_watch import Watched
from ic3.analytics.severity import of_finding
from ic3.domain.analytics_runs import STEP
from ic3.domain.findings import DEVIATES, FindingKind, Sighting

SENSOR_SEVERITY: Final = 4.0
SHOWN_PEERS: Final = 3
WORDS: Final[Mapping[str, str]] = {
    "spikes": "shows readings that jump and come back, again and again,",
    "frozen": "repeats its value for longer than usual", "gap": "brings no values",
    "out_of_range": "is outside of what the sensor can show", "rate": "jumps faster than can be",
    "not_a_number": "is no number", "no_value": "has no value",
    "source_not_good": "the source does not call it good", "not_good": "is not good",
    "source_unknown": "the source says nothing of its quality",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and under which circumstances the assets are looked at.

    Attributes:
        until: End of the last five minutes.
        zone: Of the times in sentences.
        factors: Of the criticality, by register id.
        reason_of: Serial number and tag to why its newest reading is not good.
    """

    until: datetime
    zone: ZoneInfo
    factors: Mapping[int, float]
    reason_of: Callable[[str, str], str]

    def severity(self, value: float, asset_id: int) -> float:
        """As a finding of an asset has it."""
        return of_finding(value, self.factors.get(asset_id, 1.0))

    def clock(self, at: datetime) -> str:
        """For people."""
        return f"{at.astimezone(self.zone):%H:%M}"


@dataclass(slots=True)
class Seen:
    """What is seen; `computed` are the assets that models judged."""

    process: list[Sighting]
    sensor: list[Sighting]
    computed: list[int]


def seen(watched: Watched, moment: Moment) -> Seen:
    """Everything that the last five minutes and the last days show."""
    found = Seen([], [*_of_quality(watched, moment), *_of_drift(watched, moment)], [])
    trust = watched.sensors.trust().percent()[:, 0]
    for name, group in watched.groups.items():
        if group.verdicts is not None:
            judged = np.flatnonzero(group.verdicts.computed)
            found.computed += [group.assets[row] for row in judged.tolist()]
        for each in group.deviations():
            sighting = _of_model(watched, name, each, moment, trust)
            (found.sensor if each.of_sensor else found.process).append(sighting)
    return found


def _of_model(
    watched: Watched, name: str, deviation: Deviation, moment: Moment,
    trust: np.ndarray[Any, np.dtype[np.float64]],
) -> Sighting:  # fmt: skip
    group = watched.groups[name]
    places = watched.places[name][deviation.asset]
    number = group.assets[deviation.asset]
    blame = deviation.blame
    place = int(places[blame]) if blame >= 0 else int(places[places >= 0][0])
    asset = watched.owners[place]
    since = moment.until - max(1, deviation.why.deviating_rows) * STEP
    tag = watched.channels[place][1]
    return Sighting(
        kind=FindingKind.SENSOR if deviation.of_sensor else FindingKind.PROCESS,
        cause=f"{DEVIATES}:{tag}" if deviation.of_sensor else DEVIATES,
        since=since, severity=moment.severity(deviation.severity, number),
        sentence=_sentence(watched, places, deviation, moment.clock(since)), asset_id=number,
        serial=asset.serial, category=asset.category, tag=tag, domain=asset.domain,
        trust=float(np.nan_to_num(trust[place], nan=100.0)) / 100,
        coverage=deviation.why.coverage,
        evidence=evidence_of(watched, places, deviation, moment.until),
    )  # fmt: skip


def _sentence(watched: Watched, places: Any, deviation: Deviation, since: str) -> str:
    why, blame = deviation.why, deviation.blame
    names = {
        column: watched.parameters[int(place)].name
        for column, place in enumerate(places) if place >= 0
    }  # fmt: skip
    peers = [names[each] for each in why.inside if each in names][:SHOWN_PEERS]
    others = [names[each] for each in why.outside if each in names and each != blame]
    words = f"; also {', '.join(others[:SHOWN_PEERS])}" if others else ""
    words += f"; as expected: {', '.join(peers)}" if peers else ""
    words += ": suspect the sensor" if deviation.of_sensor else ""
    if blame < 0 or blame not in names:
        return f"Not as expected since {since}{words}"
    unit = watched.parameters[int(places[blame])].unit or ""
    return (
        f"{names[blame]} {why.observed[blame]:.4g} {unit}, expected {why.expected[blame]:.4g}"
        f" ± {why.band[blame]:.2g} since {since}{words}"
    )


def _of_quality(watched: Watched, moment: Moment) -> Iterable[Sighting]:
    """Sensors whose readings are not good, jump, or do not come though others of the plant do.

    What befalls several tags of an asset for one reason is one finding of the asset.
    """
    sensors = watched.sensors
    alike: dict[tuple[int, str], list[int]] = {}
    for flags, known_reason in (
        (sensors.bad, None), (sensors.missing, "gap"), (sensors.jumping, "spikes"),
    ):  # fmt: skip
        for place in np.flatnonzero(flags).tolist():
            asset, tag = watched.owners[place], watched.channels[place][1]
            reason = known_reason or moment.reason_of(asset.serial, tag)
            alike.setdefault((asset.register_id, reason), []).append(place)
    for (_, reason), places in alike.items():
        steps = max(map(sensors.steps_of, places))
        since = moment.until - steps * STEP
        words = f"{WORDS.get(reason, reason)} since {moment.clock(since)}"
        evidence = {
            "reason": reason, "five_minutes": steps,
            "tag_codes": [watched.channels[place][1] for place in places],
        }  # fmt: skip
        yield _of_sensor(watched, moment, places, reason, since, words, evidence)


def _of_drift(watched: Watched, moment: Moment) -> Iterable[Sighting]:
    """Sensors whose last days have left those of the weeks before."""
    for drift in watched.drifts:
        unit = watched.parameters[drift.channel].unit or ""
        words = (
            f"{drift.recent:.4g} {unit} in the mean of the last days, {drift.reference:.4g} in the"
            " weeks before; its relatives have not moved: suspect the sensor"
        )
        evidence = {"reason": "drift", "reference": drift.reference, "recent": drift.recent}
        since = moment.until - timedelta(days=sensor_drift.APART_DAYS)
        yield _of_sensor(watched, moment, [drift.channel], "drift", since, words, evidence)


def _of_sensor(
    watched: Watched, moment: Moment, places: Sequence[int], reason: str, since: datetime,
    words: str, evidence: dict[str, Any],
) -> Sighting:  # fmt: skip
    """Of the one tag at the only place, or of the asset whose tags are at several."""
    asset = watched.owners[places[0]]
    names = [watched.parameters[place].name for place in places]
    tag = watched.channels[places[0]][1] if len(places) == 1 else None
    return Sighting(
        kind=FindingKind.SENSOR, cause=reason if tag is None else f"{reason}:{tag}", since=since,
        severity=moment.severity(SENSOR_SEVERITY, asset.register_id),
        sentence=f"{asset.serial}: {words} ({', '.join(names)})" if tag is None
        else f"{names[0]} of {asset.serial}: {words}",
        asset_id=asset.register_id, serial=asset.serial, category=asset.category, tag=tag,
        domain=asset.domain, evidence=evidence,
    )  # fmt: skip


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
