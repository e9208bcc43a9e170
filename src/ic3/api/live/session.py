"""One open socket, from the upgrade to its end."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from litestar.types import Receive, Scope, Send

from ic3.api.live.wire import EXTENSION
from ic3.clock import Clock
from ic3.domain.users import Principal
from ic3.errors import ApiError
from ic3.hub.local import FrameWriter
from ic3.observations import ClientClosed, Observe

MESSAGES_PER_S: Final = 20
POLICY: Final = 1008

# What a client said, to why it is closed; None where it may stay.
Take = Callable[[str | None], str | None]


async def accept(scope: Scope, send: Send, refusal: str | None) -> FrameWriter:
    """Upgrade; the server's end of the wire.

    Raises:
        ApiError: There is no place.
    """
    if refusal is not None:
        raise ApiError(503, refusal, "try again later", headers={"Retry-After": "5"})
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    writer: FrameWriter = cast("dict[str, Any]", scope["extensions"])[EXTENSION]
    return writer


class Session:
    """Serves one client until it goes, says too much or something wrong, or its login ends."""

    def __init__(
        self, writer: FrameWriter, principal: Principal, *, clock: Clock, observe: Observe
    ) -> None:
        self._writer = writer
        self._principal = principal
        self._clock = clock
        self._observe = observe

    async def serve(self, receive: Receive, take: Take) -> None:
        """Hand over what the client says; at most 20 messages a second."""
        remaining_s = self._principal.expires_s - self._clock.now_us() / 1_000_000
        try:
            async with asyncio.timeout(max(0.0, remaining_s)):
                reason = await self._listen(receive, take)
        except TimeoutError:
            reason = "the login has ended"
        if reason is not None:
            self._observe(ClientClosed(reason))
            self._writer.close(POLICY, reason)

    async def _listen(self, receive: Receive, take: Take) -> str | None:
        window, count = self._clock.monotonic(), 0
        while (message := await receive())["type"] != "websocket.disconnect":
            now = self._clock.monotonic()
            if now - window >= 1:
                window, count = now, 0
            count += 1
            if count > MESSAGES_PER_S:
                return "too many messages"
            reason = take(cast("dict[str, Any]", message).get("text"))
            if reason is not None:
                return reason
        return None
