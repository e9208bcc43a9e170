"""Progress of the runs and the newest readings of an asset, encoded once per change."""

from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery

from ic3.api.callers import principal_of
from ic3.domain.etags import client_has, etag_of
from ic3.domain.latest import LatestReadings, Live
from ic3.domain.runs import Progress, RecentRuns
from ic3.domain.scope import AssetScope
from ic3.errors import ApiError

ENCODED_LIMIT: Final = 20_000

Encoded = tuple[bytes, bytes]

_encode = msgspec.json.Encoder().encode


class MonitoringReads:
    """Answers as bytes with their ETag; encoded at the first read after a change."""

    def __init__(self, latest: LatestReadings, runs: RecentRuns) -> None:
        self._latest = latest
        self._runs = runs
        self._progress: tuple[int, Encoded] = (-1, (b"", b""))
        self._live: dict[str, tuple[object, object, Encoded]] = {}

    def progress(self) -> Encoded:
        """The last 20 runs."""
        version, encoded = self._progress
        if version != self._runs.version:
            version = self._runs.version
            encoded = _with_etag(_encode(self._runs.progress()))
            self._progress = (version, encoded)
        return encoded

    def live(self, serial: str) -> Encoded:
        """The newest readings of one asset."""
        register = self._latest.register
        tags = self._latest.state_of(serial)
        kept = self._live.get(serial)
        if kept is not None and kept[0] is tags and kept[1] is register:
            return kept[2]
        encoded = _with_etag(_encode(self._latest.live(serial)))
        # Unknown serial numbers are not kept: there is no end of them.
        if tags is not None:
            if len(self._live) >= ENCODED_LIMIT:
                self._live.clear()
            self._live[serial] = (tags, register, encoded)
        return encoded


async def progress(
    reads: NamedDependency[MonitoringReads], request: Request[Any, Any, Any]
) -> Response[Progress]:
    """The last 20 monitoring runs, newest first."""
    return _answer(reads.progress(), request)


async def live(
    reads: NamedDependency[MonitoringReads],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
    serial_number: FromQuery[str] = "",
) -> Response[Live]:
    """The newest reading per tag of one asset, ordered by tag code."""
    if not serial_number:
        raise ApiError(400, "serial_number required", "add ?serial_number=…")
    if not asset_scope.sees(principal_of(request), serial_number):
        return _answer(_nothing_of(serial_number), request)
    return _answer(reads.live(serial_number), request)


def _nothing_of(serial: str) -> Encoded:
    """What is answered of an asset that is unknown, to the caller or to all."""
    return _with_etag(_encode(Live(serial, 0, [])))


def _answer(encoded: Encoded, request: Request[Any, Any, Any]) -> Response[Any]:
    body, etag = encoded
    headers = {"etag": etag.decode(), "cache-control": "private, no-cache"}
    known = ",".join(request.headers.getall("if-none-match", []))
    if client_has(known.encode("latin-1", "replace"), etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _with_etag(body: bytes) -> Encoded:
    return body, etag_of(body).encode()
