"""What all lists have in common: where a page begins, and the next one in the header Link."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from litestar import Request, Response
from litestar.params import QueryParameter

from ic3.domain.cursors import place_in
from ic3.errors import ApiError

HISTORY_DAYS: Final = 90
MOST_DAYS: Final = 1100

T = TypeVar("T")
Cursor = Annotated[str, QueryParameter(max_length=8192)]
Number: Any = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Word: Any = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]


def paged(request: Request[Any, Any, Any], page: T, following: str | None) -> Response[T]:
    """A page, with the address of the next one where there is one (RFC 8288).

    Args:
        request: That asked for this page.
        page: The answer.
        following: Cursor of the next page; None where this is the last.
    """
    if following is None:
        return Response(page)
    return Response(page, headers={"link": f'<{_onward(request, following)}>; rel="next"'})


def days_asked(today: date, begin: date | None, until: date | None) -> tuple[date, date]:
    """First day, and day after the last; without them the last 90 days, today inside.

    Raises:
        ApiError: 422: they are in the wrong order, or too far apart.
    """
    before = until or today + timedelta(days=1)
    from_day = begin or before - timedelta(days=HISTORY_DAYS)
    if not 0 < (before - from_day).days <= MOST_DAYS:
        raise ApiError(422, "bad span", f"from is to be before until, by {MOST_DAYS} days at most")
    return from_day, before


def seen_as(if_match: str | None, what: str) -> str:
    """The ETag of a thing as the caller saw it, which a change of it needs.

    Raises:
        ApiError: 428: it was not sent.
    """
    if if_match is None:
        raise ApiError(
            428, "precondition required", f"send If-Match with the ETag of the {what} as you saw it"
        )
    return if_match


async def first_page(pages: AsyncIterator[T]) -> T | None:
    """The first page, read before an answer begins; None where there is none."""
    # Not `anext` with a default: CPython fails where the iterator waits and then ends.
    async for page in pages:
        return page
    return None


def begin_of(cursor: str, kind: type[T]) -> T:
    """The place that a cursor names.

    Raises:
        ApiError: 422: it is none of ours.
    """
    try:
        return place_in(cursor, kind)
    except ValueError as error:
        raise ApiError(422, "bad cursor", str(error)) from None


def number_in(cursor: str) -> int | None:
    """The number that a page begins behind; None is the first page."""
    return begin_of(cursor, Number) if cursor else None


def word_in(cursor: str) -> str:
    """The word that a page begins behind; empty is the first page."""
    return begin_of(cursor, Word) if cursor else ""


def _onward(request: Request[Any, Any, Any], cursor: str) -> str:
    """The address of this page, its cursor replaced."""
    asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    pairs = [pair for pair in asked if pair[0] != "cursor"]
    query = urlencode([*pairs, ("cursor", cursor)], quote_via=quote)
    return f"{request.scope['path']}?{query}"
