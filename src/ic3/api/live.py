"""The WebSocket `/ws`: who may open it, and the server's end of its wire."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast
from urllib.parse import parse_qs

from litestar.types import Receive, Scope, Send
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ic3.clock import Clock
from ic3.domain.addresses import is_loopback
from ic3.domain.users import Principal
from ic3.errors import ApiError
from ic3.hub.local import BUFFERED_LIMIT_BYTES, Client, LocalHub
from ic3.observations import ClientClosed, Observe

MESSAGES_PER_S: Final = 20
POLICY: Final = 1008
EXTENSION: Final = "ic3.frames"
LINGER_S: Final = 1.0


class FrameProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with a way to put ready frames on its transport.

    One `websocket.send` a message and client costs a hundred times as much.
    """

    def handle_connect(self, event: Any) -> None:
        """Offer this end of the wire to the application."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions = cast("dict[str, Any]", self.scope["extensions"])
            extensions[EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        """Answer also a request that is refused as too long, which uvicorn leaves hanging."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    async def send(self, message: Any) -> None:
        """Take a whole refusal for the end of the handshake, which uvicorn complains to miss."""
        await super().send(message)
        is_whole = not message.get("more_body", False)
        if message["type"] == "websocket.http.response.body" and is_whole:
            self.handshake_complete = True

    def handle_ping(self) -> None:
        """Answer, unless the client pings without reading: its pongs would fill the memory."""
        pong = b"".join(self.conn.data_to_send())
        if self.buffered() <= BUFFERED_LIMIT_BYTES:
            self.write(pong)

    def keepalive_timeout(self) -> None:
        """Tell the application too, or the client stays in the hub until TCP gives up."""
        super().keepalive_timeout()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1011})

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Cut off a client that does not take the rest."""
        super().on_task_complete(task)
        if self.close_timer is None and not self.disconnected:
            self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def write(self, frames: bytes) -> None:
        """Put whole frames on the wire, without waiting."""
        if not (self.close_sent or self.transport.is_closing()):
            self.transport.write(frames)

    def buffered(self) -> int:
        """Bytes written that the client has not taken."""
        return 0 if self.transport.is_closing() else self.transport.get_write_buffer_size()

    def close(self, code: int, reason: str) -> None:
        """Close with a reason; a client that does not take it within a second is cut off."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)


class LiveSocket:
    """The ASGI application of `/ws`: every changed envelope, nothing at connect.

    Args:
        hub: Broadcasts.
        verify: Token to its holder, or None.
        use_ticket: Ticket to its holder, once, or None.
        origins: Origins beside the server's own whose pages may connect.
        insecure: Whether machines other than this one may connect without TLS.
        clock: Tokens end.
        observe: Told of clients closed for cause.
    """

    def __init__(
        self,
        *,
        hub: LocalHub,
        verify: Callable[[bytes], Principal | None],
        use_ticket: Callable[[str], Principal | None],
        origins: tuple[str, ...],
        insecure: bool,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self._hub = hub
        self._verify = verify
        self._use_ticket = use_ticket
        self._origins = origins
        self._insecure = insecure
        self._clock = clock
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until either side closes.

        Raises:
            ApiError: Refused before the upgrade.
        """
        await receive()
        principal = self._admit(scope, dict(scope["headers"]))
        full = self._hub.refusal(principal.username)
        if full is not None:
            raise ApiError(503, full, "try again later", headers={"Retry-After": "5"})
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        writer = cast("dict[str, Any]", scope["extensions"])[EXTENSION]
        client = Client(writer, principal.username)
        self._hub.join(client)
        try:
            await self._serve(client, principal, receive)
        finally:
            self._hub.leave(client)

    def _admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal:
        client = scope.get("client")
        if scope.get("scheme") != "wss" and not self._insecure and not is_here(client):
            raise ApiError(403, "plain ws from another machine is refused", "use wss")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not self._own(origin, headers) and origin not in self._origins:
            raise ApiError(403, "this origin may not connect", "see IC3_CORS_ORIGINS")
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        principal = None
        if "ticket" in query and len(query["ticket"]) == 1:
            principal = self._use_ticket(query["ticket"][0])
        elif not query:
            scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
            principal = self._verify(token) if scheme.lower() == b"bearer" else None
        if principal is None:
            raise ApiError(
                401, "login required", "get a ticket from POST /api/ws-ticket",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        return principal

    @staticmethod
    def _own(origin: str, headers: dict[bytes, bytes]) -> bool:
        host = headers.get(b"host", b"").decode("latin-1")
        return origin in {f"http://{host}", f"https://{host}"}

    async def _serve(self, client: Client, principal: Principal, receive: Receive) -> None:
        remaining_s = principal.expires_s - self._clock.now_us() / 1_000_000
        try:
            async with asyncio.timeout(max(0.0, remaining_s)):
                await self._listen(client, receive)
        except TimeoutError:
            self._close(client, "the login has ended")

    async def _listen(self, client: Client, receive: Receive) -> None:
        """Nothing a client says is acted on; too much of it closes the socket."""
        window, count = self._clock.monotonic(), 0
        while (await receive())["type"] != "websocket.disconnect":
            now = self._clock.monotonic()
            if now - window >= 1:
                window, count = now, 0
            count += 1
            if count > MESSAGES_PER_S:
                self._close(client, "too many messages")
                return

    def _close(self, client: Client, reason: str) -> None:
        self._observe(ClientClosed(reason))
        client.writer.close(POLICY, reason)


def is_here(client: tuple[str, int] | None) -> bool:
    """Whether the peer of a connection is this machine."""
    return client is not None and is_loopback(client[0])
