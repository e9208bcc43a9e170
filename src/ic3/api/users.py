"""Users and keys of programs, for administrators."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from ic3.api.callers import actor_of
from ic3.api.lists import Cursor, paged, seen_as, word_in
from ic3.clock import Clock
from ic3.domain.access import KEY_PREFIX, key_hash
from ic3.domain.cursors import cursor_of
from ic3.domain.passwords import weakness
from ic3.domain.users import Role
from ic3.errors import ApiError
from ic3.store.api_keys import ApiKeyStore, KeyView
from ic3.store.logins import LoginStore
from ic3.store.users import UserStore, UserView, VersionError

KEY_DAYS_LIMIT: Final = 730
HINT: Final = 10

Name = Annotated[str, msgspec.Meta(pattern=r"^[\w.@+-][\w.@+ -]{0,99}$")]
FullName = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{0,200}$")]
Domain = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,64}$")]
Domains = Annotated[list[Domain], msgspec.Meta(min_length=1, max_length=200)]
NewWord = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class NewUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user to add.

    Attributes:
        domains: What the user may see; null is all. Administrators see all.
        password: To begin with; it is to be changed at the first login.
    """

    username: Name
    role: Role
    password: NewWord
    domains: Domains | None = None
    full_name: FullName | None = None


class UserChange(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be different; what is left out stays."""

    role: Role | msgspec.UnsetType = msgspec.UNSET
    domains: Domains | msgspec.UnsetType | None = msgspec.UNSET
    full_name: FullName | msgspec.UnsetType | None = msgspec.UNSET
    disabled: bool | msgspec.UnsetType = msgspec.UNSET


class PasswordGiven(msgspec.Struct, forbid_unknown_fields=True):
    """A password that an administrator gives; the user is asked for another."""

    password: NewWord


class UserList(msgspec.Struct):
    """Users by name; ask on with `cursor=next`. `cursor` is the same as `next`."""

    count: int
    users: list[UserView]
    next: str | None
    cursor: str | None


class Ended(msgspec.Struct):
    """How many logins were ended."""

    ended: int


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key to make.

    Attributes:
        days: How long it counts.
    """

    name: Name
    role: Role
    days: Annotated[int, msgspec.Meta(ge=1, le=KEY_DAYS_LIMIT)]
    domains: Domains | None = None


class MadeKey(msgspec.Struct):
    """A new key; it is shown here and never again."""

    key_id: int
    key: str
    expires_at: datetime


class KeyList(msgspec.Struct):
    """All keys, newest first."""

    count: int
    keys: list[KeyView]


@dataclass(frozen=True, slots=True)
class People:
    """What administrators need to manage who may come in.

    Attributes:
        hash: Password to what is stored.
        reload: Lets a change count at once.
    """

    users: UserStore
    logins: LoginStore
    keys: ApiKeyStore
    clock: Clock
    hash: Callable[[str], Awaitable[str]]
    reload: Callable[[], Awaitable[None]]


async def listed(
    people: NamedDependency[People],
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[UserList]:
    """Users by name, a page at a time."""
    found = await people.users.listed(limit, after=word_in(cursor))
    following = cursor_of(found[-1].username) if len(found) == limit else None
    return paged(request, UserList(len(found), found, following, following), following)


async def one(username: FromPath[str], people: NamedDependency[People]) -> Response[UserView]:
    """A user; the ETag is for If-Match."""
    return _tagged(await _user(people, username))


async def add(
    data: JSONBody[NewUser], people: NamedDependency[People], request: Request[Any, Any, Any]
) -> Response[UserView]:
    """Add a user, who is asked for another password at the first login."""
    _strong(data.password, data.username)
    hashed = await people.hash(data.password)
    added = await people.users.add(
        data.username, hashed, data.role, domains=_scope(data.role, data.domains),
        full_name=data.full_name, must_change=True, actor=actor_of(request),
    )  # fmt: skip
    if not added:
        raise ApiError(409, "name taken", "there is a user of this name; choose another")
    await people.reload()
    return _tagged(await _user(people, data.username))


async def change(
    username: FromPath[str], data: JSONBody[UserChange], people: NamedDependency[People],
    request: Request[Any, Any, Any],
    if_match: Annotated[str | None, HeaderParameter(name="If-Match")] = None,
) -> Response[UserView]:  # fmt: skip
    """Change role, scope or name, disable or enable; tokens of older rights end within seconds."""
    seen = seen_as(if_match, "user")
    before = await _user(people, username)
    if seen != _etag(before):
        raise _changed_since()
    role = Role(before.role) if data.role is msgspec.UNSET else data.role
    domains = before.domains if data.domains is msgspec.UNSET else data.domains
    full_name = before.full_name if data.full_name is msgspec.UNSET else data.full_name
    disabled = (
        before.disabled_at is not None if data.disabled is msgspec.UNSET else data.disabled
    )  # fmt: skip
    try:
        after = await people.users.change(
            username, version=before.version, role=role, domains=_scope(role, domains),
            full_name=full_name, disabled=disabled, actor=actor_of(request),
        )  # fmt: skip
    except VersionError:
        raise _changed_since() from None
    if disabled:
        await people.logins.end_others(
            username, why="disabled", actor=actor_of(request), now=people.clock.now()
        )
    await people.reload()
    return _tagged(after)


async def give_password(
    username: FromPath[str], data: JSONBody[PasswordGiven], people: NamedDependency[People],
    request: Request[Any, Any, Any],
) -> Response[UserView]:  # fmt: skip
    """Give a user another password; all logins of the user end."""
    _strong(data.password, username)
    hashed, actor = await people.hash(data.password), actor_of(request)
    epoch = await people.users.set_password(
        _clean(username), hashed, must_change=True, actor=actor
    )  # fmt: skip
    if epoch is None:
        raise _unknown_user()
    await people.logins.end_others(
        username, why="password", actor=actor, now=people.clock.now()
    )  # fmt: skip
    await people.reload()
    return _tagged(await _user(people, username))


async def end_logins(
    username: FromPath[str], people: NamedDependency[People], request: Request[Any, Any, Any]
) -> Ended:
    """End all logins of a user."""
    ended = await people.logins.end_others(
        _clean(username), why="admin", actor=actor_of(request), now=people.clock.now()
    )
    await people.reload()
    return Ended(ended)


async def keys(people: NamedDependency[People]) -> KeyList:
    """Keys of programs, ended ones too; the keys themselves are kept nowhere."""
    found = await people.keys.listed()
    return KeyList(len(found), found)


async def add_key(
    data: JSONBody[NewKey], people: NamedDependency[People], request: Request[Any, Any, Any]
) -> MadeKey:
    """Make a key for a program, shown once: send it as `Authorization: Bearer`."""
    if data.role is Role.ADMIN:
        raise ApiError(422, "cannot be done", "a key is never an administrator")
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    now = people.clock.now()
    expires_at = now + timedelta(days=data.days)
    key_id = await people.keys.add(
        data.name, key_hash=key_hash(key.encode()), hint=key[:HINT], role=data.role,
        domains=data.domains, now=now, expires_at=expires_at, actor=actor_of(request),
    )  # fmt: skip
    await people.reload()
    return MadeKey(key_id, key, expires_at)


async def end_key(
    key_id: FromPath[int], people: NamedDependency[People], request: Request[Any, Any, Any]
) -> None:
    """End a key at once."""
    if not await people.keys.revoke(key_id, now=people.clock.now(), actor=actor_of(request)):
        raise ApiError(404, "not found", "there is no key of this number that counts")
    await people.reload()


async def _user(people: People, username: str) -> UserView:
    found = await people.users.one(_clean(username))
    if found is None:
        raise _unknown_user()
    return found


def _etag(user: UserView) -> str:
    return f'"{user.version}"'


def _tagged(user: UserView) -> Response[UserView]:
    return Response(user, headers={"ETag": _etag(user), "Cache-Control": "private, no-cache"})


def _changed_since() -> ApiError:
    return ApiError(412, "changed since", "somebody else has changed this user; read it again")


def _strong(password: str, username: str) -> None:
    weak = weakness(password, username)
    if weak is not None:
        raise ApiError(422, "password not taken", weak)


def _scope(role: Role, domains: list[str] | None) -> list[str] | None:
    """An administrator sees all; another's domains stand sorted, each once."""
    return None if role is Role.ADMIN or domains is None else sorted(set(domains))


def _clean(name: str) -> str:
    """A name the database can be asked for; one with a NUL exists nowhere."""
    if "\0" in name:
        raise _unknown_user()
    return name


def _unknown_user() -> ApiError:
    return ApiError(404, "not found", "there is no user of this name")
