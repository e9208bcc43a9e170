"""Who may open a live connection."""

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qs

from litestar.types import Scope

from ic3.domain.access import Access
from ic3.domain.addresses import is_loopback
from ic3.domain.users import Principal
from ic3.errors import ApiError
from ic3.hub.local import FrameWriter
from ic3.observations import ClientClosed, Observe

ENDED: Final = "the login has ended"
POLICY: Final = 1008
NOTHING: Final = frozenset[str]()
STREAM_QUERY: Final = frozenset({"assets"})


class Admission:
    """Judges a request before it becomes a live connection.

    Args:
        verify: Token to its holder, or None.
        use_ticket: Ticket to its holder, once, or None.
        origins: Origins beside the server's own whose pages may connect.
        insecure: Whether machines other than this one may connect without TLS.
        access: Says who is no longer admitted: what they hold open is closed.
        observe: Told of that.
    """

    def __init__(
        self, *, verify: Callable[[bytes], Principal | None],
        use_ticket: Callable[[str], Principal | None], origins: tuple[str, ...], insecure: bool,
        access: Access, observe: Observe,
    ) -> None:  # fmt: skip
        self._access = access
        self._observe = observe
        self._held: dict[FrameWriter, Principal] = {}
        access.listen(self._recheck)
        self._verify = verify
        self._use_ticket = use_ticket
        self._origins = origins
        self._insecure = insecure

    def admit(self, scope: Scope, *, also: Set[str] = NOTHING) -> Principal:
        """Who it is, by a ticket in the query or a token in the header.

        Args:
            scope: Of a WebSocket or an HTTP request.
            also: What the query may hold beside a ticket.

        Raises:
            ApiError: Refused.
        """
        headers = dict(scope["headers"])
        secure = scope.get("scheme") in {"wss", "https"}
        if not secure and not self._insecure and not is_here(scope.get("client")):
            raise ApiError(403, "plain ws from another machine is refused", "use wss")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not _own(origin, headers) and origin not in self._origins:
            raise ApiError(403, "this origin may not connect", "see IC3_CORS_ORIGINS")
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        principal = None
        if "ticket" in query:
            if len(query["ticket"]) == 1:
                principal = self._use_ticket(query["ticket"][0])
        elif query.keys() <= also:
            scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
            principal = self._verify(token) if scheme.lower() == b"bearer" else None
        # A ticket outlives its login by some seconds; it opens nothing then.
        if principal is None or not self._access.admits(principal):
            raise ApiError(
                401, "login required", "get a ticket from POST /api/ws-ticket",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        return principal

    @contextmanager
    def held(self, principal: Principal, writer: FrameWriter) -> Iterator[None]:
        """While a connection is open: it is closed where its holder is no longer admitted."""
        self._held[writer] = principal
        try:
            # Ended while the connection was being opened: nobody will be told of it again.
            self._check(writer, principal)
            yield
        finally:
            del self._held[writer]

    def _recheck(self) -> None:
        for writer, principal in list(self._held.items()):
            self._check(writer, principal)

    def _check(self, writer: FrameWriter, principal: Principal) -> None:
        if not self._access.admits(principal):
            self._observe(ClientClosed(ENDED))
            writer.close(POLICY, ENDED)

    def admit_stream(self, scope: Scope) -> Principal:
        """The same for `/api/stream`.

        Raises:
            ApiError: Refused.
        """
        return self.admit(scope, also=STREAM_QUERY)


def is_here(client: tuple[str, int] | None) -> bool:
    """Whether the peer of a connection is this machine."""
    return client is not None and is_loopback(client[0])


def _own(origin: str, headers: dict[bytes, bytes]) -> bool:
    host = headers.get(b"host", b"").decode("latin-1")
    return origin in {f"http://{host}", f"https://{host}"}
