"""Assets as the CMMS integration reads them."""

from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from ic3.api.callers import principal_of
from ic3.api.lists import Cursor, paged, word_in
from ic3.domain.cursors import cursor_of
from ic3.domain.latest import LatestReadings, LiveRow
from ic3.errors import ApiError
from ic3.store.register import RegisterStore

NO_NUL: Final = r"^[^\x00]*$"


class AssetAnswer(msgspec.Struct):
    """One asset of the register with its newest readings."""

    data: dict[str, Any]
    monitoring: list[LiveRow]


class AssetList(msgspec.Struct):
    """Assets by serial number, with the fields of the register; ask on with `cursor=next`."""

    data: list[dict[str, Any]]
    count: int
    next: str | None


async def asset(
    serial_number: FromPath[str],
    registers: NamedDependency[RegisterStore],
    latest: NamedDependency[LatestReadings],
    request: Request[Any, Any, Any],
) -> AssetAnswer:
    """Register fields and newest readings of one asset.

    The serial number is one percent-encoded segment; `%2F` in it is part of the serial number.
    """
    serial = unquote(serial_number, errors="replace")
    found = None if "\0" in serial else await registers.asset(serial, _scope(request))
    if found is None:
        raise ApiError(404, "asset not found", "check the serial number against the register")
    return AssetAnswer(found, latest.live(serial).monitoring)


async def listed(
    registers: NamedDependency[RegisterStore],
    request: Request[Any, Any, Any],
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Cursor = "",
) -> Response[AssetList]:
    """The register by serial number, page by page."""
    found = await registers.assets(_scope(request), limit=limit + 1, after=word_in(cursor))
    page = found[:limit]
    following = cursor_of(page[-1]["serialnumber"]) if len(found) > limit else None
    return paged(request, AssetList(page, len(page), following), following)


def _scope(request: Request[Any, Any, Any]) -> list[str] | None:
    return principal_of(request).scope()
