"""The map: GeoJSON with what is live, the pipe network in and out, and which valves to shut."""

import asyncio
from typing import Annotated, Any, Final, Literal

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from ic3.api.callers import actor_of, principal_of
from ic3.domain.etags import Encoded, client_has, takes_gzip
from ic3.domain.feature_query import box_in
from ic3.domain.geo import Position, is_position
from ic3.domain.inp import read_inp, write_inp
from ic3.domain.latest import LatestReadings
from ic3.domain.network import Link, Network, warnings_of, without_assets
from ic3.domain.network_geojson import read_geojson, write_geojson
from ic3.domain.outage import Outage, Trace
from ic3.domain.users import Principal
from ic3.errors import ApiError, InputError
from ic3.store.layers import MapReader, nearest_link
from ic3.store.network import Imported, NetworkStore

NO_NUL: Final = r"^[^\x00]*$"
GEOJSON: Final = "application/geo+json"
BoxText = Annotated[
    str, QueryParameter(description="west,south,east,north in degrees.", max_length=200)
]
Form = Annotated[Literal["inp", "geojson"], QueryParameter(name="format")]
AnyRequest = Request[Any, Any, Any]


async def assets(
    map_reader: NamedDependency[MapReader], request: AnyRequest, bbox: BoxText = ""
) -> Response[Any]:
    """Assets of the register with state, quality, newest readings and worst alarm."""
    return await _document(map_reader, request, "assets", bbox)


async def pipes(
    map_reader: NamedDependency[MapReader], request: AnyRequest, bbox: BoxText = ""
) -> Response[Any]:
    """Pipes, valves and pumps with the readings of the asset that stands on them."""
    return await _document(map_reader, request, "pipes", bbox)


async def dmas(
    map_reader: NamedDependency[MapReader], request: AnyRequest, bbox: BoxText = ""
) -> Response[Any]:
    """District metered areas with what is wrong in them."""
    return await _document(map_reader, request, "dmas", bbox)


async def alarms(
    map_reader: NamedDependency[MapReader], request: AnyRequest, bbox: BoxText = ""
) -> Response[Any]:
    """Open alarms where their asset or area is."""
    return await _document(map_reader, request, "alarms", bbox)


async def trace(
    map_reader: NamedDependency[MapReader],
    latest: NamedDependency[LatestReadings],
    request: AnyRequest,
    pipe: Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)] = "",
    point: Annotated[
        str, QueryParameter(description="longitude,latitude: the nearest pipe.", max_length=100)
    ] = "",
) -> Trace:
    """Which valves shut a pipe off, and who is then without water; name it, or point at it."""
    who = principal_of(request)
    network, graph = await map_reader.graph()
    link = await _link(network, who, pipe=pipe, point=point)
    register = latest.register
    homes = await map_reader.homes(network, register)
    return await asyncio.to_thread(
        lambda: Outage(network, graph, graph.isolate(link.link_id), who).trace(homes, register)
    )


async def export(
    map_reader: NamedDependency[MapReader],
    latest: NamedDependency[LatestReadings],
    request: AnyRequest,
    form: Form = "geojson",
) -> Response[Any]:
    """The pipe network as a file: GeoJSON, or for EPANET."""
    who = principal_of(request)
    network = await map_reader.network()
    if form == "inp":
        if who.domains is not None:
            raise ApiError(
                403, "forbidden", "an INP file holds the whole network; ask for format=geojson"
            )
        text = await asyncio.to_thread(write_inp, network)
        return _file(text.encode(), "text/plain", "network.inp")
    areas = None
    if who.domains is not None:
        areas = [each for each in network.areas.values() if who.sees(each.domain)]
        assets = latest.register.assets.values()
        network = without_assets(network, {e.serial for e in assets if who.sees(e.domain)})
    body = await asyncio.to_thread(write_geojson, network, areas)
    return _file(body, GEOJSON, "network.geojson")


async def import_(
    network_store: NamedDependency[NetworkStore],
    request: AnyRequest,
    form: Form,
    dry_run: FromQuery[bool] = False,
    name: Annotated[
        str, QueryParameter(description="Name of the file.", max_length=200, pattern=NO_NUL)
    ] = "",
) -> Imported:
    """Make the pipe network what a file says, all or nothing; the body is the file.

    An INP file says nothing of areas, assets, connections and shut-off valves: they stay.
    """
    who = principal_of(request)
    if who.domains is not None:
        raise ApiError(403, "forbidden", "the network is of all domains; your account is not")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ApiError(415, "compressed body", "send the file as it is")
    content = await request.body()
    read = read_inp if form == "inp" else read_geojson
    wanted = await asyncio.to_thread(read, content, name or f"network.{form}")
    done = await network_store.replace(
        actor_of(request), wanted, hydraulic=form == "inp", dry_run=dry_run
    )
    done.warnings = warnings_of(wanted)
    return done


async def _document(
    map_reader: MapReader, request: AnyRequest, name: str, bbox: str
) -> Response[Any]:
    box = None
    if bbox:
        try:
            box = box_in(bbox)
        except InputError as error:
            raise ApiError(422, "bad bbox", str(error)) from None
    return await _answer(request, await map_reader.document(name, principal_of(request), box))


async def _answer(request: AnyRequest, document: Encoded) -> Response[Any]:
    """A body that the client may have already, zipped where it wants it so."""
    headers = {
        "etag": "W/" + document.etag.decode(), "cache-control": "private, no-cache",
        "vary": "Accept-Encoding",
    }  # fmt: skip
    known = request.headers.get("if-none-match")
    if known is not None and client_has(known.encode("latin-1", "replace"), document.etag):
        return Response(b"", status_code=304, headers=headers, media_type=GEOJSON)
    body = document.body
    if document.is_worth_zipping and takes_gzip(request.headers.get("accept-encoding", "")):
        body = await asyncio.to_thread(document.zipped)
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=GEOJSON, headers=headers)


async def _link(network: Network, who: Principal, *, pipe: str, point: str) -> Link:
    """The pipe that is asked for.

    Raises:
        ApiError: There is none, or the caller may not see it, which looks the same.
    """
    if bool(pipe) == bool(point):
        raise ApiError(422, "unclear", "name a pipe, or a point as longitude,latitude")
    if pipe:
        link = network.links.get(pipe)
        if link is None or not who.sees(network.domain_of(link.dma_id)):
            raise ApiError(
                404, "pipe not found", "its name is the id of a feature of /api/gis/pipes"
            )
        return link
    found = await asyncio.to_thread(nearest_link, network, _position(point), who)
    if found is None:
        raise ApiError(404, "pipe not found", "no pipe lies within 500 m of that point")
    return found


def _position(text: str) -> Position:
    try:
        longitude, latitude = (float(each) for each in text.split(","))
    except ValueError:
        raise ApiError(422, "bad point", "a point is longitude,latitude in degrees") from None
    if not is_position(longitude, latitude):
        raise ApiError(422, "bad point", "a point is longitude,latitude in degrees")
    return longitude, latitude


def _file(body: bytes, media_type: str, name: str) -> Response[Any]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=media_type, headers=headers)
