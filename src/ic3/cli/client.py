"""How a command talks to the running server: its address, a token, requests.

Who can read the secret that signs tokens is admin already, so the command signs one for the
account at the terminal. It lives for minutes, and only where the server runs.
"""

import getpass
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from ic3.clock import Clock
from ic3.domain.users import TERMINAL, Role
from ic3.errors import AnswerError, LoginError, ServerAway
from ic3.settings import Settings

TOKEN_LIFE_S: Final = 300
REQUEST_LIMIT_S: Final = 15.0
ANYWHERE: Final[Mapping[str, str]] = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  what a server listens on, not what is called


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Where the server is and how it knows us.

    Attributes:
        address: Such as `http://127.0.0.1:9090`.
    """

    address: str
    secret: str = field(repr=False)
    account: str
    clock: Clock

    @property
    def socket_address(self) -> str:
        """Of its WebSockets."""
        return self.address.replace("http", "ws", 1)

    def authorization(self, life_s: int = TOKEN_LIFE_S) -> dict[str, str]:
        """The header that makes a request ours; a new token each time."""
        from ic3.api.auth import Tokens

        tokens = Tokens(self.secret, life_s=life_s, clock=self.clock)
        now_s = self.clock.now_us() / 1e6
        token = tokens.make(self.account, Role.ADMIN, login=TERMINAL, confirmed_s=now_s)
        return {"Authorization": f"Bearer {token}"}


def running_server(settings: Settings, clock: Clock | None = None) -> RunningServer:
    """The server of these settings; whether it answers is seen when it is asked.

    Raises:
        ServerAway: No server has ever run on this data directory.
    """
    from ic3.app.address import SERVER_ADDRESS_FILE
    from ic3.app.logins import JWT_SECRET_FILE

    secret = settings.jwt_secret or _text(settings, JWT_SECRET_FILE)
    if secret is None:
        raise ServerAway(
            f"server: none has run on {settings.data_dir}, or its files are another user's;"
            " start ic3 serve, or set IC3_DATA_DIR"
        )
    noted = _text(settings, SERVER_ADDRESS_FILE)
    return RunningServer(
        noted or _configured(settings), secret, getpass.getuser(), clock or Clock()
    )


class Client:
    """Requests to the running server; every answer is JSON."""

    def __init__(self, session: Any, server: RunningServer) -> None:
        self._session = session
        self._server = server

    @property
    def address(self) -> str:
        """Where the server is, such as `http://127.0.0.1:9090`."""
        return self._server.address

    async def get(self, path: str, **query: str | int | None) -> Any:
        """Read; parameters that are None are left out."""
        return await self._ask("GET", path, query=query)

    async def readiness(self) -> dict[str, Any]:
        """What `/readyz` says; not being ready is an answer too."""
        status, content = await self._exchange("GET", "/readyz")
        if status == 503:
            return dict(json.loads(content))
        return dict(_told(status, content))

    async def send(self, method: str, path: str, body: object = None) -> Any:
        """Act."""
        return await self._ask(method, path, body=body)

    async def text(self, path: str) -> str:
        """Read what is no JSON, such as CSV."""
        status, content = await self._exchange("GET", path)
        if status != 200:
            _told(status, content)
        return content.decode()

    async def upload(self, path: str, data: bytes) -> Any:
        """Send a CSV file; what is wrong with it is an answer too, its `problems`."""
        status, content = await self._exchange(
            "POST", path, data=data, headers={"Content-Type": "text/csv"}
        )
        if status == 422 and b'"problems"' in content:
            return json.loads(content)
        return _told(status, content)

    async def _ask(
        self, method: str, path: str, *, query: Mapping[str, str | int | None] | None = None,
        body: object = None,
    ) -> Any:  # fmt: skip
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return _told(*await self._exchange(method, path, params=given, json=body))

    async def _exchange(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, bytes]:
        import aiohttp

        try:
            async with self._session.request(
                method, self._server.address + path, allow_redirects=False,
                headers={**self._server.authorization(), **(headers or {})}, **more,
            ) as answer:  # fmt: skip
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise away(self._server, error) from None


@asynccontextmanager
async def client(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Client]:
    """A client of the running server, for the length of a command.

    Raises:
        ServerAway: It does not answer.
        LoginError: It does not know us; its secret is another one.
        AnswerError: It refused what was asked, and says why.
    """
    async with asking(running_server(settings, clock)) as asked:
        yield asked


@asynccontextmanager
async def asking(server: RunningServer) -> AsyncIterator[Client]:
    """A client of a server that was found before."""
    import aiohttp

    limit = aiohttp.ClientTimeout(total=REQUEST_LIMIT_S)
    async with aiohttp.ClientSession(timeout=limit, trust_env=False) as session:
        yield Client(session, server)


def away(server: RunningServer, error: BaseException) -> ServerAway:
    """The error for a server that does not answer."""
    why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return ServerAway(
        f"server: {server.address} does not answer ({why}); start ic3 serve, or set IC3_DATA_DIR,"
        " IC3_HOST and IC3_PORT to those of the running one"
    )


def _told(status: int, text: bytes) -> Any:
    try:
        document = json.loads(text) if text else None
    except ValueError:
        document = None
    if 200 <= status < 300:
        return document
    problem = document if isinstance(document, dict) else {}
    words = ": ".join(str(problem[name]) for name in ("error", "detail") if problem.get(name))
    if status in {401, 403}:
        raise LoginError(
            f"server: {words or status}; IC3_JWT_SECRET or IC3_DATA_DIR is not the running server's"
        )
    raise AnswerError(f"server: {words or f'status {status}'}", status)


def _configured(settings: Settings) -> str:
    host = ANYWHERE.get(settings.host, settings.host)
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{settings.port}"


def _text(settings: Settings, name: str) -> str | None:
    try:
        return (settings.data_dir / name).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
