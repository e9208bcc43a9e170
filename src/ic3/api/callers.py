"""What all resources ask of a request: who calls, and from where."""

from typing import Any

from litestar import Request

from ic3.domain.acts import Actor
from ic3.domain.users import Principal


def principal_of(request: Request[Any, Any, Any]) -> Principal:
    """Who calls, as the guard in front of every route found it."""
    principal: Principal = request.scope["state"]["principal"]
    return principal


def address_of(request: Request[Any, Any, Any]) -> str:
    """Address that the call came from."""
    return request.client.host if request.client else "unknown"


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """Who calls and from where, as the audit log names it."""
    return Actor.calling(principal_of(request), address_of(request))
