"""Assets as the CMMS integration reads them."""

from typing import Any
from urllib.parse import unquote

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import FromPath

from ic3.domain.latest import LatestReadings, LiveRow
from ic3.domain.scope import AssetScope
from ic3.errors import ApiError
from ic3.store.register import RegisterStore


class AssetAnswer(msgspec.Struct):
    """One asset of the register with its newest readings."""

    data: dict[str, Any]
    monitoring: list[LiveRow]


async def asset(
    serial_number: FromPath[str],
    registers: NamedDependency[RegisterStore],
    latest: NamedDependency[LatestReadings],
    asset_scope: NamedDependency[AssetScope],
    request: Request[Any, Any, Any],
) -> AssetAnswer:
    """Register fields and newest readings of one asset.

    The serial number is one percent-encoded segment; `%2F` in it is part of the serial number.
    """
    serial = unquote(serial_number, errors="replace")
    hidden = "\0" in serial or not asset_scope.sees(request.scope["state"]["principal"], serial)
    found = None if hidden else await registers.asset(serial)
    if found is None:
        raise ApiError(404, "asset not found", "check the serial number against the register")
    return AssetAnswer(found, latest.live(serial).monitoring)
