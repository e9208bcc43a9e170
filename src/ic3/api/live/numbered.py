"""The WebSocket `/ws/v1`: numbered frames, a snapshot first, resumed without a gap."""

from typing import Final
from urllib.parse import parse_qs

import msgspec
from litestar.types import Receive, Scope, Send

from ic3.api.live.admission import Admission
from ic3.api.live.session import Session, accept
from ic3.clock import Clock
from ic3.hub.frames import Resync, decode_asked
from ic3.hub.live import LiveHub, Point
from ic3.hub.viewer import Viewer
from ic3.observations import Observe

RESUMES: Final = frozenset({"epoch", "seq"})


class NumberedSocket:
    """The ASGI application of `/ws/v1`. A client may only say what it watches and what it has.

    Args:
        hub: Whose frames they are.
        admission: Who may connect.
        clock: Tokens end.
        observe: Told of clients closed for cause.
    """

    def __init__(
        self, *, hub: LiveHub, admission: Admission, clock: Clock, observe: Observe
    ) -> None:
        self._hub = hub
        self._admission = admission
        self._clock = clock
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until either side closes.

        Raises:
            ApiError: Refused before the upgrade.
        """
        await receive()
        principal = self._admission.admit(scope, also=RESUMES)
        writer = await accept(scope, send, self._hub.refusal(principal.username))
        viewer = Viewer(writer, principal.username, domains=principal.domains)
        point = _point(scope.get("query_string", b""))
        self._hub.join(viewer, role=principal.role, point=point)
        try:
            session = Session(writer, principal, clock=self._clock, observe=self._observe)
            with self._admission.held(principal, writer):
                await session.serve(receive, lambda text: self._take(viewer, text))
        finally:
            self._hub.leave(viewer)

    def _take(self, viewer: Viewer, text: str | None) -> str | None:
        try:
            asked = decode_asked(text or "")
        except msgspec.MsgspecError:
            return "only sub and resync are understood"
        if isinstance(asked, Resync):
            self._hub.resync(viewer, Point(asked.have, asked.epoch))
        else:
            self._hub.watch(viewer, asked.assets)
        return None


def _point(query: bytes) -> Point | None:
    """What a client that comes back has; None where it has nothing that makes sense."""
    found = parse_qs(query.decode("latin-1"))
    try:
        return Point(int(found["seq"][0]), int(found["epoch"][0]))
    except (KeyError, ValueError):
        return None
