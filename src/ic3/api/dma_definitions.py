"""Definitions of district metered areas: read, and changed by engineers, version by version."""

from typing import Annotated, Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, PathParameter

from ic3.analytics.dma import DMA
from ic3.api.callers import actor_of, principal_of
from ic3.clock import Clock
from ic3.errors import ApiError
from ic3.store.dma import Definition, DmaStore, current, define, etag_of

NO_NUL: Final = r"^[^\x00]*$"

DmaId = Annotated[str, PathParameter(max_length=200, pattern=NO_NUL)]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", max_length=1000, description="ETag of the definition as it was read."
    ),
]


class Definitions(msgspec.Struct):
    """The definition of each district that holds now."""

    definitions: list[Definition]


class Versions(msgspec.Struct):
    """The newest definition of a district, and all versions, oldest first."""

    definition: Definition
    versions: list[Definition]


async def listed(
    request: Request[Any, Any, Any], dma_store: NamedDependency[DmaStore],
    clock: NamedDependency[Clock],
) -> Definitions:  # fmt: skip
    """The definition of each district that holds now."""
    found = await dma_store.definitions(principal_of(request).scope())
    return Definitions(current(found, clock.now()))


async def one(
    request: Request[Any, Any, Any], dma_store: NamedDependency[DmaStore], dma_id: DmaId
) -> Response[Versions]:
    """The newest definition of a district, and all versions."""
    found = await dma_store.definitions(principal_of(request).scope(), dma_id=_id(dma_id))
    if not found:
        raise ApiError(404, "district not found", "no such district is defined")
    return Response(Versions(found[-1], found), headers={"etag": etag_of(found[-1])})


async def change(
    data: JSONBody[DMA],
    request: Request[Any, Any, Any],
    dma_store: NamedDependency[DmaStore],
    clock: NamedDependency[Clock],
    dma_id: DmaId,
    if_match: IfMatch = None,
) -> Response[Definition]:
    """Define a district anew, if it is still as it was seen (If-Match); the past keeps its own.

    A boundary meter is 1 in one district and -1 in its neighbour, no meter stands in one twice,
    every tag must be mapped; what is wrong is said, all of it.
    """
    if data.dma_id != _id(dma_id):
        raise ApiError(422, "unclear", "dma_id of the body and of the path differ")
    async with dma_store.database.connection() as connection:
        made = await define(
            connection, actor_of(request), principal_of(request).scope(), data, if_match,
            at=clock.now(),
        )  # fmt: skip
    return Response(made, headers={"etag": etag_of(made)})


def _id(segment: str) -> str:
    """The id of a district as the path spells it."""
    dma_id = unquote(segment, errors="replace")
    if "\0" in dma_id:
        raise ApiError(404, "district not found", "there is no such district metered area")
    return dma_id
