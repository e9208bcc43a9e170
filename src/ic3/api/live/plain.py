"""The WebSocket `/ws` of the contract: every changed envelope, nothing at connect."""

from litestar.types import Receive, Scope, Send

from ic3.api.live.admission import Admission
from ic3.api.live.session import Session, accept
from ic3.clock import Clock
from ic3.hub.local import Client, LocalHub
from ic3.observations import Observe


class LiveSocket:
    """The ASGI application of `/ws`. Nothing that a client says is acted on.

    Args:
        hub: Broadcasts.
        admission: Who may connect.
        clock: Tokens end.
        observe: Told of clients closed for cause.
    """

    def __init__(
        self, *, hub: LocalHub, admission: Admission, clock: Clock, observe: Observe
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
        principal = self._admission.admit(scope)
        writer = await accept(scope, send, self._hub.refusal(principal.username))
        client = Client(writer, principal.username, principal.domains)
        self._hub.join(client)
        try:
            session = Session(writer, principal, clock=self._clock, observe=self._observe)
            with self._admission.held(principal, writer):
                await session.serve(receive, lambda _: None)
        finally:
            self._hub.leave(client)
