"""The hub of one process: every changed envelope to every client, none waits for another."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from ic3.clock import Clock
from ic3.domain.envelope import Envelope
from ic3.hub.places import Places
from ic3.observations import ClientClosed, Observe

BUFFERED_LIMIT_BYTES: Final = 1 << 20
STALLED_LIMIT_S: Final = 10.0
CHECK_EVERY_S: Final = 1.0
TRY_AGAIN_LATER: Final = 1013
GOING_AWAY: Final = 1001


class FrameWriter(Protocol):
    """The server's end of one WebSocket."""

    def write(self, frames: bytes) -> None:
        """Put whole frames on the wire, without waiting."""

    def buffered(self) -> int:
        """Bytes written that the client has not taken."""

    def close(self, code: int, reason: str) -> None:
        """Close with a reason; a client that takes nothing is cut off."""


class Client:
    """One live client.

    While it keeps up it gets every envelope. While it does not, the newest envelope of each asset
    is kept for it; after 10 s it is closed with 1013.

    Attributes:
        domains: Whose envelopes it gets; None is all.
    """

    def __init__(
        self, writer: FrameWriter, user: str, domains: frozenset[str] | None = None
    ) -> None:
        self.writer = writer
        self.user = user
        self.domains = domains
        self.stalled_since: float | None = None
        self._kept: dict[str, bytes] = {}

    def offer(self, frames: dict[str, bytes], joined: bytes, now: float) -> None:
        """Send a sweep's frames, or keep them where the client is behind."""
        if self._kept or self.writer.buffered() > BUFFERED_LIMIT_BYTES:
            self._kept.update(frames)
            if self.stalled_since is None:
                self.stalled_since = now
        else:
            self.writer.write(joined)

    def catch_up(self) -> None:
        """Send what was kept once the client has taken the rest."""
        if self.writer.buffered() <= BUFFERED_LIMIT_BYTES // 2:
            if self._kept:
                self.writer.write(b"".join(self._kept.values()))
                self._kept = {}
            self.stalled_since = None


class LocalHub:
    """Broadcasts envelopes that are durable.

    Args:
        clock: Measures how long a client stalls.
        observe: Told of closed clients.
        places: How many clients there may be, shared with the numbered protocol.
        domain_of: Serial number to domain, for clients with a scope.
    """

    def __init__(
        self, *, clock: Clock, observe: Observe, places: Places,
        domain_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._domain_of = domain_of
        self._clock = clock
        self._observe = observe
        self._places = places
        self._clients: set[Client] = set()
        self.sent = 0

    @property
    def clients(self) -> int:
        """Clients at present."""
        return len(self._clients)

    def refusal(self, user: str) -> str | None:
        """Why this user cannot have another client now, or None."""
        return self._places.refusal(user)

    def join(self, client: Client) -> None:
        """Let a client have every envelope from now on."""
        self._clients.add(client)
        self._places.take(client.user)

    def leave(self, client: Client) -> None:
        """Forget a client that is gone."""
        if client in self._clients:
            self._clients.discard(client)
            self._places.give_back(client.user)

    def publish(self, envelopes: Iterable[Envelope]) -> None:
        """Send envelopes to every client; each is encoded once and nothing is waited for."""
        if not self._clients:
            return
        frames = {each.asset_id: text_frame(each.frame.encode()) for each in envelopes}
        if not frames:
            return
        now = self._clock.monotonic()
        scopes: dict[frozenset[str] | None, tuple[dict[str, bytes], bytes]] = {}
        for client in self._clients:
            if client.domains not in scopes:
                chosen = self._in_scope(frames, client.domains)
                scopes[client.domains] = chosen, b"".join(chosen.values())
            chosen, joined = scopes[client.domains]
            if chosen:
                client.offer(chosen, joined, now)
                self.sent += len(chosen)

    def _in_scope(
        self, frames: dict[str, bytes], domains: frozenset[str] | None
    ) -> dict[str, bytes]:
        if domains is None:
            return frames
        return {
            serial: frame for serial, frame in frames.items()
            if self._domain_of(serial) in domains
        }  # fmt: skip

    def check(self) -> None:
        """Let clients catch up and close those that stalled for too long."""
        now = self._clock.monotonic()
        for client in [each for each in self._clients if each.stalled_since is not None]:
            client.catch_up()
            if client.stalled_since is not None and now - client.stalled_since > STALLED_LIMIT_S:
                self._observe(ClientClosed("stalled"))
                self.leave(client)
                client.writer.close(TRY_AGAIN_LATER, "too slow; connect again")

    async def run(self) -> None:
        """Check once a second until cancelled, then tell every client that the server stops."""
        try:
            while True:
                await asyncio.sleep(CHECK_EVERY_S)
                self.check()
        finally:
            self._places.closing = True
            for client in list(self._clients):
                self.leave(client)
                client.writer.close(GOING_AWAY, "the server is stopping")


def text_frame(payload: bytes) -> bytes:
    """A WebSocket text frame from the server: unmasked, final.

    Source: RFC 6455, section 5.2.
    """
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
