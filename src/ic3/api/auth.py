"""Logins, access and refresh tokens, WebSocket tickets."""

import asyncio
import hashlib
import math
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

import argon2
import jwt
import msgspec
from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from ic3.api.callers import address_of, principal_of
from ic3.clock import Clock
from ic3.domain.access import KEY_PREFIX, Access, Event, PendingEvents
from ic3.domain.acts import Actor
from ic3.domain.passwords import weakness
from ic3.domain.users import Principal, Role
from ic3.errors import ApiError
from ic3.observations import LoginRefused, Observe
from ic3.store.access import AccessStore
from ic3.store.logins import LoginStore, LoginView
from ic3.store.users import User, UserStore

ISSUER: Final = "ic3"
ALGORITHM: Final = "HS256"
LEEWAY_S: Final = 30
TOKENS_LIMIT: Final = 4096
TICKET_LIFE_S: Final = 30
TICKETS_LIMIT: Final = 10_000
THROTTLED_LIMIT: Final = 10_000
WAITING_LOGINS_LIMIT: Final = 20
COOKIE: Final = "__Host-ic3_refresh"
# A form of another site cannot send it.
COOKIE_HEADER: Final = "x-ic3-refresh"
CLIENT_LENGTH: Final = 200
FREE_TRIES: Final = 3
LONGEST_PAUSE_S: Final = 60.0
FORGOTTEN_S: Final = 900.0


T = TypeVar("T")


class Credentials(msgspec.Struct, forbid_unknown_fields=True):
    """What a login sends.

    Attributes:
        cookie: Whether the refresh token is to be a cookie that no script can read.
    """

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    cookie: bool = False


class AccessToken(msgspec.Struct, omit_defaults=True):
    """What a login answers.

    Attributes:
        expires_in: Seconds.
        refresh_token: Good for the next access token, once; absent where it is a cookie.
        must_change: Present where the password is to be changed.
    """

    access_token: str
    token_type: str
    expires_in: int
    refresh_token: str | None = None
    must_change: bool = False


class RefreshToken(msgspec.Struct, forbid_unknown_fields=True):
    """What a refresh sends; absent where the token is a cookie."""

    refresh_token: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Password(msgspec.Struct, forbid_unknown_fields=True):
    """The password given again."""

    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class NewPassword(msgspec.Struct, forbid_unknown_fields=True):
    """A change of one's own password."""

    old: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    new: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Me(msgspec.Struct):
    """Who asks; `domains` is null for all."""

    username: str
    role: str
    domains: list[str] | None
    login_id: str | None
    expires_in: int


class LoginList(msgspec.Struct):
    """One's own logins that count, last used first."""

    logins: list[LoginView]


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
        now = self._clock.monotonic()
        for name in names:
            known, until = self._failures.pop(name, (0, now))
            count = 1 if now - until > FORGOTTEN_S else known + 1
            doubled = min(count - FREE_TRIES, 10)
            pause = 0.0 if doubled < 0 else min(LONGEST_PAUSE_S, 2.0**doubled)
            self._failures[name] = (count, now + pause)
            if len(self._failures) > THROTTLED_LIMIT:
                self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of an account, at the address too.

        Those of others at the address stay: who has an account of their own could otherwise guess
        at all the rest without a pause.
        """
        own, _ = self._failures.pop(account, (0, 0.0))
        count, until = self._failures.get(address, (0, 0.0))
        if count > own:
            self._failures[address] = (count - own, until)
        else:
            self._failures.pop(address, None)


class Tokens:
    """Makes and verifies access tokens; knows the keys of programs too.

    Args:
        secret: Key of HS256; exactly this one algorithm is accepted.
        life_s: Seconds a token lives.
        clock: Tests own the time.
        access: Says whose tokens count no more.
        previous: The key before, while tokens made with it may still come.
    """

    def __init__(
        self, secret: str, *, life_s: int, clock: Clock, access: Access | None = None,
        previous: str | None = None,
    ) -> None:  # fmt: skip
        self._kid = key_id(secret)
        self._keys = {self._kid: secret}
        if previous is not None:
            self._keys[key_id(previous)] = previous
        self.life_s = life_s
        self._clock = clock
        self._access = access or Access()
        self._verified: dict[bytes, Principal] = {}

    def make(
        self, username: str, role: Role, *, domains: frozenset[str] | None = None,
        login: str = "", epoch: int = 1, confirmed_s: float = 0.0,
    ) -> str:  # fmt: skip
        """A token for a user of a login."""
        now = int(self._now_s())
        claims: dict[str, Any] = {
            "iss": ISSUER, "aud": ISSUER, "sub": username, "role": role.value, "iat": now,
            "nbf": now, "exp": now + self.life_s, "jti": secrets.token_hex(16), "sid": login,
            "epoch": epoch, "auth_time": int(confirmed_s),
        }  # fmt: skip
        if domains is not None:
            claims["domains"] = sorted(domains)
        headers = {"typ": "at+jwt", "kid": self._kid}
        return jwt.encode(claims, self._keys[self._kid], ALGORITHM, headers=headers)

    def verify(self, token: bytes) -> Principal | None:
        """Who holds the token or key, or None where it is bad, has ended or was ended."""
        if token.startswith(KEY_PREFIX.encode()):
            principal = self._access.holder(token)
        else:
            principal = self._verified.get(token)
            if principal is None:
                principal = self._decode(token)
                if principal is None:
                    return None
                if len(self._verified) >= TOKENS_LIMIT:
                    self._verified.clear()
                self._verified[token] = principal
        if principal is None or principal.expires_s + LEEWAY_S <= self._now_s():
            return None
        return principal if self._access.admits(principal) else None

    def _decode(self, token: bytes) -> Principal | None:
        # The times are judged by our own clock, below and in `verify`.
        options: Any = {
            "require": ["iss", "aud", "exp", "nbf", "iat", "sub", "jti"],
            "verify_exp": False, "verify_nbf": False, "verify_iat": False,
        }  # fmt: skip
        try:
            header = jwt.get_unverified_header(token)
            # A look into a fixed table; nothing else is ever done with it.
            secret = self._keys.get(header.get("kid", self._kid))
            if header.get("typ") != "at+jwt" or secret is None:
                return None
            claims = jwt.decode(
                token, secret, algorithms=[ALGORITHM], audience=ISSUER, issuer=ISSUER,
                options=options,
            )  # fmt: skip
            if float(claims["nbf"]) > self._now_s() + LEEWAY_S:
                return None
            domains = claims.get("domains")
            return Principal(
                str(claims["sub"]), Role(claims["role"]), float(claims["exp"]),
                None if domains is None else frozenset(map(str, domains)),
                str(claims.get("sid", "")), int(claims.get("epoch", 1)),
                float(claims.get("auth_time", 0)),
            )  # fmt: skip
        except (jwt.InvalidTokenError, ValueError, KeyError, TypeError):
            return None

    def _now_s(self) -> float:
        return self._clock.now_us() / 1_000_000


def key_id(secret: str) -> str:
    """Names a signing key without telling it."""
    return hashlib.sha256(b"ic3 kid " + secret.encode()).hexdigest()[:16]


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
    """The way in: password to tokens, refresh token to the next, and the way out.

    Attributes:
        idle_days: A login that was not refreshed for so long has ended.
    """

    users: UserStore
    store: LoginStore
    access: Access
    access_store: AccessStore
    events: PendingEvents
    passwords: Passwords
    tokens: Tokens
    throttle: Throttle
    clock: Clock
    observe: Observe
    idle_days: float = 7

    async def login(
        self, credentials: Credentials, address: str, client: str
    ) -> tuple[AccessToken, str]:
        """Check a password, begin a login; answers its refresh token too.

        Raises:
            ApiError: 401, the same for an unknown user and a wrong password; 429 when too often.
        """
        user = await self._proved(credentials.username, credentials.password, address)
        login_id, refresh = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        now = self.clock.now()
        await self.store.begin(
            login_id, Actor(user.username, user.role.value, address),
            token_hash=refresh_hash(refresh), client=client[:CLIENT_LENGTH], now=now,
            expires_at=now + timedelta(days=self.idle_days),
        )  # fmt: skip
        await self.reload()
        token = self.tokens.make(
            user.username, user.role, domains=user.domains, login=login_id, epoch=user.epoch,
            confirmed_s=now.timestamp(),
        )  # fmt: skip
        return self._answer(token, must_change=user.must_change), refresh

    async def refresh(self, token: str, address: str) -> tuple[AccessToken, str]:
        """Exchange a refresh token for an access token and the next.

        Raises:
            ApiError: 401 where it is unknown, was used, or its login has ended.
        """
        refresh, now = secrets.token_urlsafe(32), self.clock.now()
        login = await self.store.refresh(
            refresh_hash(token), next_hash=refresh_hash(refresh), now=now,
            expires_at=now + timedelta(days=self.idle_days), whence=address,
        )  # fmt: skip
        await self.reload()
        if login is None:
            raise ApiError(401, "login required", "this login has ended; log in again")
        made = self.tokens.make(
            login.username, login.role, domains=login.domains, login=login.login_id,
            epoch=login.epoch, confirmed_s=login.confirmed_at.timestamp(),
        )  # fmt: skip
        return self._answer(made, must_change=login.must_change), refresh

    async def confirm(self, principal: Principal, password: str, address: str) -> AccessToken:
        """Take the password again, for acts that ask for it.

        Raises:
            ApiError: 401 where it is wrong; 403 for a key of a program.
        """
        if not principal.login:
            raise ApiError(403, "forbidden", "only a person who has logged in can do this")
        user = await self._proved(principal.username, password, address)
        now = self.clock.now()
        await self.store.confirm(principal.login, now=now)
        token = self.tokens.make(
            user.username, user.role, domains=user.domains, login=principal.login,
            epoch=user.epoch, confirmed_s=now.timestamp(),
        )  # fmt: skip
        return self._answer(token, must_change=user.must_change)

    async def change_password(
        self, principal: Principal, change: NewPassword, address: str
    ) -> AccessToken:
        """Change one's own password; all other logins of the user end.

        Raises:
            ApiError: 401 where the old one is wrong; 422 where the new one is weak.
        """
        user = await self._proved(principal.username, change.old, address)
        weak = weakness(change.new, user.username)
        if weak is not None or change.new == change.old:
            raise ApiError(422, "password not taken", weak or "it is the old one")
        actor = Actor.calling(principal, address)
        hashed = await self.passwords.hash(change.new)
        epoch = await self.users.set_password(user.username, hashed, must_change=False, actor=actor)
        now = self.clock.now()
        await self.store.end_others(
            user.username, but=principal.login or "", why="password", actor=actor, now=now
        )
        await self.reload()
        token = self.tokens.make(
            user.username, user.role, domains=user.domains, login=principal.login or "",
            epoch=epoch or user.epoch, confirmed_s=now.timestamp(),
        )  # fmt: skip
        return self._answer(token)

    async def logout(self, principal: Principal, login_id: str, address: str) -> bool:
        """End a login of one's own; False where there is none of this number."""
        ended = await self.store.end(
            login_id, principal.username, actor=Actor.calling(principal, address),
            now=self.clock.now(),
        )  # fmt: skip
        await self.reload()
        return ended

    async def reload(self) -> None:
        """Let what was just changed count at once."""
        self.access.replace(await self.access_store.load())

    def _answer(self, token: str, *, must_change: bool = False) -> AccessToken:
        return AccessToken(token, "bearer", self.tokens.life_s, must_change=must_change)

    async def _proved(self, username: str, password: str, address: str) -> User:
        names = (f"user {username}", f"address {address}")

        def admit() -> None:
            wait_s = self.throttle.wait_s(*names)
            if wait_s > 0:
                self._refused(username, address, "throttled")
                whole_s = math.ceil(wait_s)
                raise ApiError(
                    429, "too many failed logins", f"try again in {whole_s} s",
                    headers={"Retry-After": str(whole_s)},
                )  # fmt: skip

        admit()
        # Tries that came together wait for their turn and meet the failures of those before.
        user = await self._checked(username, password, admit)
        if user is None:
            self.throttle.failed(*names)
            self._refused(username, address, "wrong user or password")
            raise ApiError(401, "wrong user name or password", "check both and try again")
        self.throttle.succeeded(*names)
        return user

    def _refused(self, username: str, address: str, why: str) -> None:
        self.observe(LoginRefused(username, address, why))
        named = username.replace("\0", "\\0")
        event = Event(Actor(named, "", address), "login refused", named, why)
        self.events.tally(event, self.clock.monotonic())

    async def _checked(
        self, username: str, password: str, admit: Callable[[], None]
    ) -> User | None:
        # PostgreSQL's text holds no NUL; such a name cannot exist.
        user = await self.users.find(username) if "\0" not in username else None
        stored = user.password_hash if user else None
        if not await self.passwords.verify(stored, password, admit):
            return None
        if user is not None and self.passwords.outdated(user.password_hash):
            renewed = await self.passwords.hash(password)
            await self.users.rehash(user.user_id, renewed)
        return user


def refresh_hash(token: str) -> bytes:
    """What is kept of a refresh token; it has 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


async def login(
    data: JSONBody[Credentials],
    logins: NamedDependency[Logins],
    request: Request[Any, Any, Any],
) -> Response[AccessToken]:
    """Exchange user name and password for an access token and a refresh token."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # A form of another site can send any body, but not as JSON: it logs nobody in as another.
    if data.cookie and kind != "application/json":
        raise ApiError(415, "not json", "send Content-Type: application/json for a cookie")
    client = request.headers.get("user-agent", "").replace("\0", "")
    token, refresh = await logins.login(data, address_of(request), client)
    return _with_refresh(token, refresh, as_cookie=data.cookie)


async def refresh(
    data: JSONBody[RefreshToken],
    logins: NamedDependency[Logins],
    request: Request[Any, Any, Any],
) -> Response[AccessToken]:
    """Exchange a refresh token, from the body or the cookie, for the next pair; each works once."""
    cookie = request.cookies.get(COOKIE)
    if data.refresh_token is None and cookie is not None and COOKIE_HEADER not in request.headers:
        raise ApiError(403, "forbidden", f"send the header {COOKIE_HEADER}: 1 with the cookie")
    given = data.refresh_token or cookie
    if given is None:
        raise ApiError(401, "login required", "send a refresh_token, or the cookie of the login")
    token, following = await logins.refresh(given, address_of(request))
    return _with_refresh(token, following, as_cookie=data.refresh_token is None)


async def logout(
    logins: NamedDependency[Logins], request: Request[Any, Any, Any]
) -> Response[None]:
    """End this login: its tokens and open sockets count no more."""
    principal = principal_of(request)
    if principal.login:
        await logins.logout(principal, principal.login, address_of(request))
    gone = Cookie(
        COOKIE, value="", path="/", max_age=0, secure=True, httponly=True, samesite="strict"
    )
    return Response(None, status_code=204, cookies=[gone])


async def confirm(
    data: JSONBody[Password],
    logins: NamedDependency[Logins],
    request: Request[Any, Any, Any],
) -> AccessToken:
    """Give the password again: what asks for it is open for five minutes to the new token."""
    return await logins.confirm(principal_of(request), data.password, address_of(request))


async def change_password(
    data: JSONBody[NewPassword],
    logins: NamedDependency[Logins],
    request: Request[Any, Any, Any],
) -> AccessToken:
    """Change one's own password; every other login of the user ends."""
    return await logins.change_password(principal_of(request), data, address_of(request))


async def me(clock: NamedDependency[Clock], request: Request[Any, Any, Any]) -> Me:
    """Who asks, with role and scope."""
    who = principal_of(request)
    domains = None if who.domains is None else sorted(who.domains)
    left_s = max(0, int(who.expires_s - clock.now_us() / 1e6))
    return Me(who.username, who.role.value, domains, who.login or None, left_s)


async def own_logins(logins: NamedDependency[Logins], request: Request[Any, Any, Any]) -> LoginList:
    """One's own logins that count."""
    found = await logins.store.open(principal_of(request).username, now=logins.clock.now())
    return LoginList(found)


async def end_login(
    login_id: FromPath[str], logins: NamedDependency[Logins], request: Request[Any, Any, Any]
) -> None:
    """End one of one's own logins."""
    if not await logins.logout(principal_of(request), login_id, address_of(request)):
        raise ApiError(404, "not found", "you have no open login of this number")


async def ws_ticket(tickets: NamedDependency[Tickets], request: Request[Any, Any, Any]) -> Ticket:
    """A single-use ticket for `/ws?ticket=…`, good for 30 s."""
    return Ticket(tickets.make(principal_of(request)), TICKET_LIFE_S)


def _with_refresh(token: AccessToken, refresh: str, *, as_cookie: bool) -> Response[AccessToken]:
    if not as_cookie:
        token.refresh_token = refresh
        return Response(token)
    cookie = Cookie(COOKIE, value=refresh, path="/", secure=True, httponly=True, samesite="strict")
    return Response(token, cookies=[cookie])
