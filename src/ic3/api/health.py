"""Liveness, readiness, metrics and the API document."""

from typing import Any

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ic3.domain.status import Feed
from ic3.store.pool import Database


class Alive(msgspec.Struct):
    """The process answers."""

    status: str


class Readiness(msgspec.Struct):
    """Whether the product works; `reasons` says why it does not."""

    ready: bool
    reasons: list[str]


class ReadinessReader:
    """Judges the database, the last sweep and our clock."""

    def __init__(self, *, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed
        self.stopping = False

    def read(self) -> Readiness:
        """Every reason why the product is not ready."""
        reasons = []
        if self.stopping:
            reasons.append("the server is stopping")
        if self._database.away_since is not None:
            since = self._database.away_since.isoformat(timespec="seconds")
            reasons.append(f"{self._database.away_reason}; away since {since}")
        if self._feed.last_sweep_at is None:
            reasons.append("no sweep has ended yet")
        elif self._feed.last_error is not None:
            good = self._feed.last_good_at
            last = good.isoformat(timespec="seconds") if good else "never"
            reasons.append(f"{self._feed.last_error}; last good sweep: {last}")
        if self._feed.freshness.own_clock is not None:
            reasons.append(self._feed.freshness.own_clock.words)
        return Readiness(not reasons, reasons)


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


async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The OpenAPI 3.1 document."""
    document = msgspec.json.encode(request.app.openapi_schema.to_schema())
    return Response(document, media_type="application/json")
