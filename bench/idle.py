"""`make bench-idle DATA=DIR`: a week without faults lived through, and the findings it opened.

DIR is a data directory of its own with nine days without faults, such as
`IC3_DATA_DIR=DIR ic3 plant backfill --days 9 --scenario none` makes; models and findings in it are
lost. The three workers take the days after the first two five minutes at a time, as if they were
live, by a clock that is set: what opens is false.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import uvloop
from provenance import commit

from ic3.cli.connect import opened
from ic3.clock import Clock
from ic3.domain.figures import Figures
from ic3.domain.findings import FindingFilter
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register
from ic3.settings import load
from ic3.store.analytics import AnalyticsStore
from ic3.store.dma import DmaStore
from ic3.store.findings import FindingStore
from ic3.store.five_minutes import FiveMinuteStore
from ic3.store.network import NetworkStore
from ic3.store.nrw import NrwStore
from ic3.store.pump_health import PumpStore
from ic3.store.register import RegisterStore
from ic3.store.rollups import RollupStore
from ic3.workers.anomaly import Anomaly
from ic3.workers.nrw import Nrw
from ic3.workers.pump_health import PumpHealth

RESULTS: Final = Path(__file__).resolve().parent.parent / "docs" / "results"
EXTENT: Final = "SELECT min(bucket_at), max(bucket_at) FROM ic3_rollup_5m"
FORGET: Final = (
    "TRUNCATE ic3_model_state, ic3_analytics_run, ic3_sensor_trust, ic3_finding CASCADE",
)
LEARNED_DAYS: Final = 2
DAYS: Final = 7
STEP: Final = timedelta(minutes=5)
GOALS: Final = {"sensor": "≤ 1", "pump": "≤ 0.1"}


class SetClock(Clock):
    """A wall clock that is set; the monotonic one goes on."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """As set."""
        return self.at

    def now_us(self) -> int:
        """As set."""
        return int(self.at.timestamp() * 1e6)


async def lived(most_days: float) -> dict[str, Any]:
    """Live through the days; every finding that opened."""
    settings = load()
    async with opened(settings, only_look=True) as (_, pool):
        rollups = RollupStore(pool, zone=settings.zone, raw_days=settings.raw_days)
        while await rollups.roll_up(Clock().now()) is not None:
            pass
        async with pool.connection() as connection:
            for statement in FORGET:
                await connection.execute(statement)
            row = await (await connection.execute(EXTENT)).fetchone()
        assert row is not None
        clock = SetClock(row[0] + timedelta(days=LEARNED_DAYS, minutes=1))
        latest, findings = LatestReadings(), FindingStore(pool)
        latest.register = await RegisterStore(pool).load_if_changed(Register())
        shared: dict[str, Any] = {
            "values": FiveMinuteStore(pool), "findings": findings,
            "analytics": AnalyticsStore(pool), "latest": latest, "figures": Figures(),
            "zone": ZoneInfo(settings.zone), "clock": clock, "observe": lambda _: None,
        }  # fmt: skip
        workers: list[Any] = [
            Anomaly(**shared), PumpHealth(store=PumpStore(pool), **shared),
            Nrw(definitions=DmaStore(pool), store=NrwStore(pool), networks=NetworkStore(pool),
                **shared),
        ]  # fmt: skip
        end = min(row[1], clock.at + timedelta(days=most_days))
        days = (end - clock.at) / timedelta(days=1)
        for _ in _steps(clock, end):
            for worker in workers:
                await worker.step()
        found = await findings.page(FindingFilter(), limit=1000)
        sensors = sum(
            each.kind in {"gauge", "counter", "state"}
            for asset in latest.register.assets.values() for each in asset.parameters.values()
        )  # fmt: skip
    return {
        "from": (end - timedelta(days=days)).isoformat(), "days": round(days, 2),
        "sensor_days": round(sensors * days), "pump_days": round(60 * days),
        "findings": [
            {
                "kind": each.kind.value, "cause": each.cause,
                "of": each.serial_number or each.dma_id,
                "opened_at": each.opened_at.isoformat(), "severity": round(each.peak_severity, 1),
                "confidence": round(each.peak_confidence), "sentence": each.sentence,
                "hours": round(((each.closed_at or end) - each.opened_at) / timedelta(hours=1), 1),
            }
            for each in sorted(found, key=lambda each: each.id)
        ],
    }  # fmt: skip


def _steps(clock: SetClock, end: datetime) -> Iterator[None]:
    day = clock.at.date()
    while clock.at < end:
        yield
        clock.at += STEP
        if clock.at.date() != day:
            day = clock.at.date()
            print(f"{day}, {time.process_time():.0f} s", file=sys.stderr)


def table(document: dict[str, Any]) -> str:
    """The figures as a page."""
    found = document["findings"]
    kinds = Counter(each["kind"] for each in found)
    causes = Counter((each["kind"], each["cause"]) for each in found)
    rates = {
        "sensor": f"{100 * kinds['sensor'] / document['sensor_days']:.2g} in 100 sensor-days",
        "pump": f"{365 * kinds['pump'] / document['pump_days']:.2g} in a pump-year",
    }  # fmt: skip
    lines = [
        "# The plant without faults: what opens all the same",
        "",
        f"Of {document['at']}, commit {document['commit']}, {document['cores']} shared cores;"
        f" {document['days']} days after",
        f"{LEARNED_DAYS} that were learned from, five minutes at a time, by all three workers."
        " Every finding is false.",
        "Written by `make bench-idle`.",
        "",
        "| kind | findings | rate | goal |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {kinds[kind]} | {rates.get(kind, '')} | {GOALS.get(kind, '')} |"
            for kind in ("process", "sensor", "pump", "leak", "burst")
        ),
        "",
        "| kind | cause | findings |",
        "|---|---|---|",
        *(f"| {kind} | {cause} | {count} |" for (kind, cause), count in causes.most_common()),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=DAYS)
    most_days = parser.parse_args().days
    document = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(),
        "cores": os.cpu_count(), **uvloop.run(lived(most_days)),
    }  # fmt: skip
    (RESULTS / "idle.json").write_text(json.dumps(document, indent=2) + "\n")
    (RESULTS / "idle.md").write_text(table(document))
    print(table(document))


if __name__ == "__main__":
    main()
