"""The server's end of the wires: ready frames past the framework, and a way to cut a stream off."""

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ic3.hub.local import BUFFERED_LIMIT_BYTES

EXTENSION: Final = "ic3.frames"
STREAM_EXTENSION: Final = "ic3.transport"
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


class StreamProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with a way to cut off a stream whose client takes nothing."""

    def on_message_begin(self) -> None:
        """Offer the transport to the application."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {STREAM_EXTENSION: self.transport}

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too long for it, in the form of every other refusal."""
        body = b'{"type":"about:blank","title":"Bad Request","status":400,"error":"bad request"}'
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%s" % (len(body), body)
        )
        self.transport.close()
