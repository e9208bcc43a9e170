"""Logins, access tokens and WebSocket tickets."""

import asyncio
import math
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

import argon2
import jwt
import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import JSONBody

from ic3.clock import Clock
from ic3.domain.users import Principal, Role
from ic3.errors import ApiError
from ic3.observations import LoginRefused, Observe
from ic3.store.users import User, UserStore

ISSUER: Final = "ic3"
ALGORITHM: Final = "HS256"
LEEWAY_S: Final = 30
TOKENS_LIMIT: Final = 4096
TICKET_LIFE_S: Final = 30
TICKETS_LIMIT: Final = 10_000
THROTTLED_LIMIT: Final = 10_000
WAITING_LOGINS_LIMIT: Final = 20
FREE_TRIES: Final = 3
LONGEST_PAUSE_S: Final = 60.0


T = TypeVar("T")


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """What a login sends."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class AccessToken(msgspec.Struct):
    """What a login answers."""

    access_token: str
    token_type: str
    expires_in: int


class Ticket(msgspec.Struct):
    """Opens one WebSocket, once."""

    ticket: str
    expires_in: int


class Passwords:
    """argon2id, in threads, few at a time: the memory of a login is bounded."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
        self._slots = asyncio.Semaphore(max(1, min(2, (os.cpu_count() or 2) - 1)))
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """A hash to store."""
        return await self._in_thread(self._hasher.hash, password)

    async def verify(
        self, stored: str | None, password: str, admit: Callable[[], None] = lambda: None
    ) -> bool:
        """Whether the password is right; an unknown user costs the same time.

        Args:
            stored: The hash; None where the user is unknown.
            password: As sent.
            admit: Called when the turn has come; raises where the try is no longer allowed.
        """
        if stored is None:
            if self._nobody is None:
                self._nobody = await self.hash(secrets.token_hex(16))
            await self._in_thread(self._matches, self._nobody, password, admit=admit)
            return False
        return await self._in_thread(self._matches, stored, password, admit=admit)

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False

    async def _in_thread(
        self, work: Callable[..., T], *args: Any, admit: Callable[[], None] = lambda: None
    ) -> T:
        if self._waiting >= WAITING_LOGINS_LIMIT:
            raise ApiError(
                429, "too many logins at once", "try again in a few seconds",
                headers={"Retry-After": "3"},
            )  # fmt: skip
        self._waiting += 1
        try:
            async with self._slots:
                admit()
                return await asyncio.to_thread(work, *args)
        finally:
            self._waiting -= 1


class Throttle:
    """Slows repeated failures of one account or address: 1 s to 60 s, never locked for good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, *names: str) -> float:
        """Seconds until the next try is allowed; 0 where it is now."""
        now = self._clock.monotonic()
        return max(0.0, *(self._failures.get(name, (0, now))[1] - now for name in names))

    def failed(self, *names: str) -> None:
        """Note a failure."""
        for name in names:
            count = self._failures.pop(name, (0, 0.0))[0] + 1
            doubled = min(count - FREE_TRIES, 10)
            pause = 0.0 if doubled < 0 else min(LONGEST_PAUSE_S, 2.0**doubled)
            self._failures[name] = (count, self._clock.monotonic() + pause)
            if len(self._failures) > THROTTLED_LIMIT:
                self._failures.popitem(last=False)

    def succeeded(self, *names: str) -> None:
        """Forget the failures."""
        for name in names:
            self._failures.pop(name, None)


class Tokens:
    """Makes and verifies access tokens.

    Args:
        secret: Key of HS256; exactly this one algorithm is accepted.
        life_s: Seconds a token lives.
        clock: Tests own the time.
    """

    def __init__(self, secret: str, *, life_s: int, clock: Clock) -> None:
        self._secret = secret
        self.life_s = life_s
        self._clock = clock
        self._verified: dict[bytes, Principal] = {}

    def make(self, username: str, role: Role) -> str:
        """A token for a user."""
        now = self._now_s()
        claims = {
            "iss": ISSUER, "aud": ISSUER, "sub": username, "role": role.value, "iat": int(now),
            "nbf": int(now), "exp": int(now) + self.life_s, "jti": secrets.token_hex(16),
        }  # fmt: skip
        return jwt.encode(claims, self._secret, ALGORITHM, headers={"typ": "at+jwt"})

    def verify(self, token: bytes) -> Principal | None:
        """Who holds the token, or None where it is bad or has ended."""
        principal = self._verified.get(token)
        if principal is None:
            principal = self._decode(token)
            if principal is None:
                return None
            if len(self._verified) >= TOKENS_LIMIT:
                self._verified.clear()
            self._verified[token] = principal
        return principal if principal.expires_s + LEEWAY_S > self._now_s() else None

    def _decode(self, token: bytes) -> Principal | None:
        # The times are judged by our own clock, below and in `verify`.
        options: Any = {
            "require": ["iss", "aud", "exp", "nbf", "iat", "sub", "jti"],
            "verify_exp": False, "verify_nbf": False, "verify_iat": False,
        }  # fmt: skip
        try:
            if jwt.get_unverified_header(token).get("typ") != "at+jwt":
                return None
            claims = jwt.decode(
                token, self._secret, algorithms=[ALGORITHM], audience=ISSUER, issuer=ISSUER,
                options=options,
            )  # fmt: skip
            if float(claims["nbf"]) > self._now_s() + LEEWAY_S:
                return None
            return Principal(str(claims["sub"]), Role(claims["role"]), float(claims["exp"]))
        except (jwt.InvalidTokenError, ValueError, KeyError, TypeError):
            return None

    def _now_s(self) -> float:
        return self._clock.now_us() / 1_000_000


class Tickets:
    """Single-use tickets for WebSockets: a token never stands in a URL."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    def make(self, principal: Principal) -> str:
        """A ticket for its holder."""
        ticket = secrets.token_urlsafe(16)
        self._open[ticket] = (principal, self._clock.monotonic() + TICKET_LIFE_S)
        if len(self._open) > TICKETS_LIMIT:
            self._open.popitem(last=False)
        return ticket

    def use(self, ticket: str) -> Principal | None:
        """Who made the ticket, once."""
        principal, ends = self._open.pop(ticket, (None, 0.0))
        return principal if principal is not None and self._clock.monotonic() < ends else None


@dataclass(slots=True)
class Logins:
    """The way in: password to token."""

    users: UserStore
    passwords: Passwords
    tokens: Tokens
    throttle: Throttle
    observe: Observe

    async def login(self, credentials: Credentials, address: str) -> AccessToken:
        """Check a password.

        Raises:
            ApiError: 401, the same for an unknown user and a wrong password; 429 when too often.
        """
        names = (f"user {credentials.username}", f"address {address}")

        def admit() -> None:
            wait_s = self.throttle.wait_s(*names)
            if wait_s > 0:
                self.observe(LoginRefused(credentials.username, address, "throttled"))
                whole_s = math.ceil(wait_s)
                raise ApiError(
                    429, "too many failed logins", f"try again in {whole_s} s",
                    headers={"Retry-After": str(whole_s)},
                )  # fmt: skip

        admit()
        # Tries that came together wait for their turn and meet the failures of those before.
        user = await self._checked(credentials, admit)
        if user is None:
            self.throttle.failed(*names)
            self.observe(LoginRefused(credentials.username, address, "wrong user or password"))
            raise ApiError(401, "wrong user name or password", "check both and try again")
        self.throttle.succeeded(*names)
        token = self.tokens.make(user.username, user.role)
        return AccessToken(token, "bearer", self.tokens.life_s)

    async def _checked(self, credentials: Credentials, admit: Callable[[], None]) -> User | None:
        # PostgreSQL's text holds no NUL; such a name cannot exist.
        found = "\0" not in credentials.username
        user = await self.users.find(credentials.username) if found else None
        stored = user.password_hash if user else None
        if not await self.passwords.verify(stored, credentials.password, admit):
            return None
        if user is not None and self.passwords.outdated(user.password_hash):
            renewed = await self.passwords.hash(credentials.password)
            await self.users.rehash(user.user_id, renewed)
        return user


async def login(
    data: JSONBody[Credentials],
    logins: NamedDependency[Logins],
    request: Request[Any, Any, Any],
) -> AccessToken:
    """Exchange user name and password for an access token."""
    return await logins.login(data, request.client.host if request.client else "unknown")


async def ws_ticket(tickets: NamedDependency[Tickets], request: Request[Any, Any, Any]) -> Ticket:
    """A single-use ticket for `/ws?ticket=…`, good for 30 s."""
    return Ticket(tickets.make(request.scope["state"]["principal"]), TICKET_LIFE_S)
