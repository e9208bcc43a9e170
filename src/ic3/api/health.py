"""Liveness, readiness, metrics and the API document."""

from datetime import timedelta
from typing import Final

import msgspec
from litestar import Response
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ic3.clock import Clock
from ic3.domain.freshness import STALE_AFTER
from ic3.domain.status import Feed
from ic3.gateway.breaker import Breaker
from ic3.store.pool import Database

# A sweep that just takes its time is no reason.
OVERDUE_GRACE_S: Final = 5.0


class Alive(msgspec.Struct):
    """The process answers."""

    status: str


class Readiness(msgspec.Struct):
    """Whether the product works; `reasons` says why it does not.

    Attributes:
        plant: `simulated` or `real`.
    """

    ready: bool
    reasons: list[str]
    plant: str


class ReadinessReader:
    """Judges the database, the gateway, the last sweeps and our clock; anybody may read it.

    Args:
        database: Away or not; its reason, which names hosts, stays in the log.
        feed: Knows the last sweeps.
        breaker: Knows whether the gateway is left alone.
        interval_s: Between two sweeps.
        simulated: Whether the plant is the bundled one.
        clock: Tells how old the last good sweep is.
    """

    def __init__(
        self, *, database: Database, feed: Feed, breaker: Breaker, interval_s: float,
        simulated: bool, clock: Clock,
    ) -> None:  # fmt: skip
        self._database = database
        self._feed = feed
        self._breaker = breaker
        self._overdue_s = STALE_AFTER * interval_s + OVERDUE_GRACE_S
        self._plant = "simulated" if simulated else "real"
        self._clock = clock
        self.stopping = False

    def read(self) -> Readiness:
        """Every reason why the product is not ready."""
        reasons = []
        if self.stopping:
            reasons.append("the server is stopping")
        if self._database.away_since is not None:
            since = self._database.away_since.isoformat(timespec="seconds")
            reasons.append(f"database away since {since}")
        if self._breaker.next_try_s is not None:
            at = self._clock.now() + timedelta(seconds=self._breaker.next_try_s)
            reasons.append(
                f"gateway left alone: {self._breaker.why};"
                f" next try from {at.isoformat(timespec='seconds')}"
            )
        reasons += self._of_sweeps()
        if self._feed.freshness.own_clock is not None:
            reasons.append(self._feed.freshness.own_clock.words)
        return Readiness(not reasons, reasons, self._plant)

    def _of_sweeps(self) -> list[str]:
        feed, good = self._feed, self._feed.last_good_at
        last = good.isoformat(timespec="seconds") if good else "never"
        if feed.last_sweep_at is None:
            return ["no sweep has ended yet"]
        if feed.last_error is not None:
            return [f"{_for_anybody(feed.last_error)}; last good sweep: {last}"]
        if good and (self._clock.now() - good).total_seconds() > self._overdue_s:
            return [f"no sweep has ended for {self._overdue_s:g} s; last good sweep: {last}"]
        return []


def _for_anybody(error: str) -> str:
    """What libpq says names hosts and users."""
    return "the last sweep failed at the database" if error.startswith("database:") else error


async def alive() -> Alive:
    """Depends on nothing but this process."""
    return Alive("ok")


async def ready(readiness: NamedDependency[ReadinessReader]) -> Response[Readiness]:
    """200 where the product works, otherwise 503 with the reasons."""
    found = readiness.read()
    return Response(found, status_code=200 if found.ready else 503)


async def metrics(registry: NamedDependency[CollectorRegistry]) -> Response[bytes]:
    """Prometheus text format."""
    # The framework adds the charset.
    media_type = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")
    return Response(generate_latest(registry), media_type=media_type)
