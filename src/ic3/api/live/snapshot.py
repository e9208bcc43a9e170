"""The snapshot over HTTP: for what is too large for a frame, and for who only looks once."""

import asyncio
import gzip
from typing import Any, Final

from litestar import Request, Response
from litestar.di import NamedDependency

from ic3.domain.etags import client_has
from ic3.hub.channel import Made
from ic3.hub.live import LiveHub

LEVEL: Final = 5


class SnapshotReader:
    """Shared bodies, packed at most once each and not on the loop."""

    def __init__(self, hub: LiveHub) -> None:
        self._hub = hub
        self._packing = asyncio.Lock()

    def read(self, domains: frozenset[str] | None = None) -> Made:
        """The snapshot of a scope now."""
        return self._hub.snapshot(domains)

    async def packed(self, made: Made) -> bytes:
        """Its body with gzip."""
        async with self._packing:
            if made.packed is None:
                made.packed = await asyncio.to_thread(gzip.compress, made.body, LEVEL, mtime=0)
        return made.packed


async def snapshot(
    snapshots: NamedDependency[SnapshotReader], request: Request[Any, Any, Any]
) -> Response[Any]:
    """Every asset with its state, the open alarms and the last runs; true for its `seq`."""
    made = snapshots.read(request.scope["state"]["principal"].domains)
    headers = {
        "etag": made.etag.decode(), "cache-control": "private, no-cache",
        "vary": "Accept-Encoding",
    }  # fmt: skip
    known = ",".join(request.headers.getall("if-none-match", []))
    answer: Response[Any]
    if client_has(known.encode("latin-1", "replace"), made.etag):
        answer = Response(b"", status_code=304, headers=headers)
    elif "gzip" in request.headers.get("accept-encoding", ""):
        body = await snapshots.packed(made)
        headers["content-encoding"] = "gzip"
        answer = Response(body, media_type="application/json", headers=headers)
    else:
        answer = Response(made.body, media_type="application/json", headers=headers)
    return answer
