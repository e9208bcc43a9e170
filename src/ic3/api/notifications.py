"""Routes of notification, and what became of each delivery."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from ic3.api.callers import actor_of, principal_of
from ic3.api.lists import Cursor, number_in, paged
from ic3.clock import Clock
from ic3.domain.addresses import refusal_of
from ic3.domain.alarms import Priority, What
from ic3.domain.cursors import cursor_of
from ic3.domain.notify import Route, RouteKind, Router, test_event
from ic3.domain.scope import AssetScope
from ic3.errors import ApiError
from ic3.hub.notices import Carrier, Notices, Target
from ic3.store.notify import Delivery, NotifyStore, Secret

NO_NUL: Final = r"^[^\x00]*$"
# A `$` alone lets a line end follow.
HOUR: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"
URL_CHARACTERS: Final = re.compile(r"[!-~]{1,2000}")
# Enough of an address to be unable to break a header or a command.
RECIPIENT: Final = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$(?!\n)"

Name = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$(?!\n)")
]
Recipient = Annotated[str, msgspec.Meta(max_length=254, pattern=RECIPIENT)]
Recipients = Annotated[list[Recipient], msgspec.Meta(max_length=20)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=NO_NUL)]
Key = Annotated[str, msgspec.Meta(min_length=16, max_length=500, pattern=NO_NUL)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
Words = Annotated[list[Word], msgspec.Meta(max_length=1000)]
Changes = Annotated[list[What], msgspec.Meta(min_length=1, max_length=7)]
Urgency = Annotated[int, msgspec.Meta(ge=1, le=4)]
HourText = Annotated[str, msgspec.Meta(pattern=HOUR)]


class Quiet(msgspec.Struct, forbid_unknown_fields=True):
    """Hours in the plant's zone in which nobody is told, the last minute not included.

    Alarms of `priority` and more urgent ones are told all the same, critical ones unless you say
    otherwise; null is none.
    """

    begin: HourText
    end: HourText
    priority: Urgency | None = 1


class RouteRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A route. A webhook has `url` and `secret`, which are never answered; email `recipients`."""

    name: Name
    kind: RouteKind
    url: Url | None = None
    secret: Key | None = None
    recipients: Recipients = []
    enabled: bool = True
    least_priority: Urgency = 4
    domains: Words = []
    sources: Words = []
    conditions: Words = []
    changes: Changes = msgspec.field(default_factory=lambda: [What.NEW, What.RETURN, What.CLEAR])
    quiet: Quiet | None = None


class RouteChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be changed; what is left out stays. With `version` only if it is still that."""

    name: Name | None = None
    url: Url | None = None
    secret: Key | None = None
    recipients: Recipients | None = None
    enabled: bool | None = None
    least_priority: Urgency | None = None
    domains: Words | None = None
    sources: Words | None = None
    conditions: Words | None = None
    changes: Changes | None = None
    quiet: Quiet | Literal["none"] | None = None
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None


class RouteView(msgspec.Struct):
    """One route; of a webhook's URL only scheme, host and port, of its secret nothing."""

    id: int
    name: str
    kind: RouteKind
    address: str
    recipients: list[str]
    enabled: bool
    least_priority: int
    domains: list[str]
    sources: list[str]
    conditions: list[str]
    changes: list[What]
    quiet: Quiet | None
    version: int


class Routes(msgspec.Struct):
    """Every route, and what was not told since the start."""

    routes: list[RouteView]
    suppressed: int
    quiet: int


class TestOutcome(msgspec.Struct):
    """What became of a test."""

    sent: bool
    status: int | None
    why: str
    took_ms: int


class Deliveries(msgspec.Struct):
    """Deliveries, newest first; ask on with `cursor=next`."""

    deliveries: list[Delivery]
    next: str | None


class Done(msgspec.Struct):
    """An act is done."""

    done: bool


@dataclass(frozen=True, slots=True)
class Notifications:
    """What the handlers share.

    Attributes:
        allow_private: Whether webhooks may call the own network.
        counts: How often a flapping alarm was held back and a quiet hour kept somebody undisturbed.
    """

    store: NotifyStore
    notices: Notices
    carriers: Mapping[RouteKind, Carrier]
    allow_private: bool
    counts: Router
    clock: Clock


async def routes(
    notifications: NamedDependency[Notifications],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
) -> Routes:
    """Who is told of which alarms, as far as those may be the caller's."""
    who = principal_of(request)
    found = await notifications.store.routes()
    views = [_view(each) for each in found if not each.domains or any(map(who.sees, each.domains))]
    if who.domains is not None:
        # One that names only assets of others tells of nothing that is the caller's.
        views = [each for each in views if not each.sources or asset_scope.only(who, each.sources)]
        for each in views:
            each.domains = [domain for domain in each.domains if who.sees(domain)]
            each.sources = asset_scope.only(who, each.sources)
    counts = notifications.counts
    return Routes(views, counts.suppressed, counts.quiet)


async def create(
    data: JSONBody[RouteRequest],
    notifications: NamedDependency[Notifications],
    request: Request[Any, Any, Any],
) -> RouteView:
    """Make a route."""
    address, secret = "", None
    if data.kind is RouteKind.WEBHOOK:
        if data.url is None or data.secret is None or data.recipients:
            raise ApiError(422, "unclear", "a webhook has url and secret and no recipients")
        address = _origin(data.url, allow_private=notifications.allow_private)
        secret = Secret(data.url, data.secret)
    elif not data.recipients or data.url is not None or data.secret is not None:
        raise ApiError(422, "unclear", "email has recipients and neither url nor secret")
    quiet_from, quiet_until, quiet_priority = _hours(data.quiet)
    wanted = Route(
        id=0, name=data.name, kind=data.kind, address=address, recipients=tuple(data.recipients),
        enabled=data.enabled, least_priority=Priority(data.least_priority),
        domains=tuple(data.domains), sources=tuple(data.sources),
        conditions=tuple(data.conditions), changes=tuple(dict.fromkeys(data.changes)),
        quiet_from=quiet_from, quiet_until=quiet_until, quiet_priority=quiet_priority,
    )  # fmt: skip
    made = await notifications.store.add(actor_of(request), wanted, secret)
    notifications.notices.wake(routes_changed=True)
    return _view(made)


async def change(
    route_id: FromPath[int],
    data: JSONBody[RouteChange],
    notifications: NamedDependency[Notifications],
    request: Request[Any, Any, Any],
) -> RouteView:
    """Change a route."""
    before = await _known(notifications, route_id)
    is_webhook = before.kind is RouteKind.WEBHOOK
    if data.recipients is not None and (is_webhook or not data.recipients):
        raise ApiError(422, "unclear", "only email has recipients, and at least one")
    if not is_webhook and (data.url is not None or data.secret is not None):
        raise ApiError(422, "unclear", "only a webhook has url and secret")
    changes = _changes(data)
    if data.url is not None:
        changes["address"] = _origin(data.url, allow_private=notifications.allow_private)
    changed = await notifications.store.change(
        actor_of(request), route_id, changes, url=data.url, secret=data.secret, version=data.version
    )
    if changed is None:
        raise _unknown_route()
    notifications.notices.wake(routes_changed=True)
    return _view(changed)


async def delete(
    route_id: FromPath[int],
    notifications: NamedDependency[Notifications],
    request: Request[Any, Any, Any],
) -> Done:
    """Delete a route; what waits for it is given up."""
    await _known(notifications, route_id)
    if not await notifications.store.delete(actor_of(request), route_id):
        raise _unknown_route()
    notifications.notices.wake(routes_changed=True)
    return Done(done=True)


async def test(
    route_id: FromPath[int], notifications: NamedDependency[Notifications]
) -> TestOutcome:
    """Send an event of type `ic3.alarm.test` by a route now, and say what became of it."""
    route = await _known(notifications, route_id)
    secrets = await notifications.store.secrets()
    secret = secrets.get(route_id, Secret("", ""))
    began = notifications.clock.monotonic()
    outcome = await notifications.carriers[route.kind].send(
        Target(route.name, route.recipients, secret.url, secret.secret),
        [test_event(route, notifications.clock.now_us())],
    )
    took_ms = round((notifications.clock.monotonic() - began) * 1000)
    return TestOutcome(outcome.sent, outcome.status, outcome.words, took_ms)


async def deliveries(
    notifications: NamedDependency[Notifications],
    request: Request[Any, Any, Any],
    delivery_state: Annotated[
        Literal["waiting", "sent", "dead"] | None, QueryParameter(name="state")
    ] = None,
    route: Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[Deliveries]:
    """What was told, waits or was given up, newest first."""
    found = await notifications.store.page(
        state=delivery_state, route_id=route, below=number_in(cursor), limit=limit
    )
    following = cursor_of(found[-1].id) if len(found) == limit else None
    return paged(request, Deliveries(found, following), following)


async def resend(
    delivery_id: FromPath[int],
    notifications: NamedDependency[Notifications],
    request: Request[Any, Any, Any],
) -> Done:
    """Try an ended delivery again, with the same event and id."""
    known = 0 < delivery_id < 2**63
    now: datetime = notifications.clock.now()
    if not known or not await notifications.store.resend(actor_of(request), delivery_id, now):
        raise ApiError(404, "delivery not found", "it may be older than 30 days")
    notifications.notices.wake(routes_changed=True)
    return Done(done=True)


async def _known(notifications: Notifications, route_id: int) -> Route:
    for each in await notifications.store.routes():
        if each.id == route_id:
            return each
    raise _unknown_route()


def _unknown_route() -> ApiError:
    return ApiError(404, "route not found", "see GET /api/notifications/routes")


def _origin(url: str, *, allow_private: bool) -> str:
    """What of a URL may be shown.

    Raises:
        ApiError: It is none that may be called; the text does not quote it.
    """
    try:
        if not URL_CHARACTERS.fullmatch(url):
            raise ValueError
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ApiError(422, "bad url", "it has a character or a port that no URL has") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ApiError(422, "bad url", "it is to begin with http:// or https:// and a host")
    if "@" in parts.netloc or parts.fragment:
        raise ApiError(422, "bad url", "it is to have neither a user nor a #fragment")
    why = refusal_of(host, allow_private=allow_private) if _is_literal(host) else None
    if why is not None:
        raise ApiError(
            422, "this address is not called", f"it is {why}; see IC3_WEBHOOK_ALLOW_PRIVATE"
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _is_literal(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _hours(quiet: Quiet | None) -> tuple[int | None, int | None, Priority | None]:
    if quiet is None:
        return None, None, None
    if quiet.begin == quiet.end:
        raise ApiError(422, "empty hours", "begin and end of the quiet hours are to differ")
    priority = None if quiet.priority is None else Priority(quiet.priority)
    return _minute(quiet.begin), _minute(quiet.end), priority


def _minute(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _changes(data: RouteChange) -> dict[str, Any]:
    """What of a request changes fields of the route."""
    found: dict[str, Any] = {}
    for name in ("name", "enabled"):
        if getattr(data, name) is not None:
            found[name] = getattr(data, name)
    for name in ("recipients", "domains", "sources", "conditions"):
        if getattr(data, name) is not None:
            found[name] = tuple(getattr(data, name))
    if data.changes is not None:
        found["changes"] = tuple(dict.fromkeys(data.changes))
    if data.least_priority is not None:
        found["least_priority"] = Priority(data.least_priority)
    if data.quiet is not None:
        hours = _hours(None if data.quiet == "none" else data.quiet)
        found |= dict(zip(("quiet_from", "quiet_until", "quiet_priority"), hours, strict=True))
    return found


def _view(route: Route) -> RouteView:
    quiet = None
    if route.quiet_from is not None and route.quiet_until is not None:
        quiet = Quiet(_hour(route.quiet_from), _hour(route.quiet_until), route.quiet_priority)
    return RouteView(
        route.id, route.name, route.kind, route.address, list(route.recipients), route.enabled,
        int(route.least_priority), list(route.domains), list(route.sources),
        list(route.conditions), list(route.changes), quiet, route.version,
    )  # fmt: skip


def _hour(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
