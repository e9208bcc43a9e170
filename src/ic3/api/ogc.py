"""The map's layers by OGC API Features, as QGIS and GDAL read them."""

import asyncio
import re
from collections.abc import Collection, Sequence
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath

from ic3.api.callers import principal_of
from ic3.clock import Clock
from ic3.domain import ogc
from ic3.domain.etags import Encoded, takes_gzip
from ic3.domain.feature_query import FeatureQuery, ask
from ic3.domain.layers import KINDS, Feature
from ic3.errors import ApiError, InputError
from ic3.store.layers import MapReader

HOST: Final = re.compile(r"[A-Za-z0-9._\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?", re.ASCII)
AT_A_TIME: Final = 2000
AnyRequest = Request[Any, Any, Any]


class PublicAddress(msgspec.Struct, frozen=True):
    """Where others reach the server; empty tells it by each request's own words."""

    url: str = ""

    def root(self, request: AnyRequest) -> str:
        """The address of the server as the caller knows it, without a path."""
        if self.url:
            return self.url
        host = request.headers.get("host", "")
        # What is no host does not come back in a link.
        return f"{request.scope['scheme']}://{host}" if HOST.fullmatch(host) else ""


async def landing(
    public_address: NamedDependency[PublicAddress], request: AnyRequest
) -> Response[Any]:
    """Where to begin."""
    _ask(request)
    return _json(ogc.landing(public_address.root(request)))


async def definition(
    public_address: NamedDependency[PublicAddress], request: AnyRequest
) -> Response[Any]:
    """The definition of this API, OpenAPI 3.0."""
    _ask(request)
    body = msgspec.json.encode(ogc.definition(public_address.root(request)))
    return Response(body, media_type=ogc.OPENAPI)


async def conformance(request: AnyRequest) -> Response[Any]:
    """The conformance classes: core, GeoJSON, OpenAPI 3.0."""
    _ask(request)
    return _json(ogc.conformance())


async def collections(
    map_reader: NamedDependency[MapReader],
    public_address: NamedDependency[PublicAddress],
    request: AnyRequest,
) -> Response[Any]:
    """What collections there are."""
    _ask(request)
    who = principal_of(request)
    layers = {name: (await map_reader.layer(name, who)).features for name in KINDS}
    return _json(ogc.collections(public_address.root(request), layers))


async def collection(
    collection: FromPath[str],
    map_reader: NamedDependency[MapReader],
    public_address: NamedDependency[PublicAddress],
    request: AnyRequest,
) -> Response[Any]:
    """One collection."""
    name = _name(collection)
    _ask(request)
    layer = await map_reader.layer(name, principal_of(request))
    return _json(ogc.collection(public_address.root(request), name, layer.features))


async def items(
    collection: FromPath[str],
    map_reader: NamedDependency[MapReader],
    public_address: NamedDependency[PublicAddress],
    clock: NamedDependency[Clock],
    request: AnyRequest,
) -> Response[Any]:
    """A page of features: bbox, datetime, limit, and the properties the definition names."""
    name = _name(collection)
    query = _ask(request, pages=True, chosen_by=KINDS[name].chosen_by)
    layer = await map_reader.layer(name, principal_of(request))
    matched = await _matched(query, layer.features)
    pairs = list(request.query_params.multi_items())
    root = public_address.root(request)
    body = ogc.items(root, name, query, matched, pairs, now_us=clock.now_us())
    return await _geojson(request, body)


async def item(
    collection: FromPath[str],
    feature: FromPath[str],
    map_reader: NamedDependency[MapReader],
    public_address: NamedDependency[PublicAddress],
    request: AnyRequest,
) -> Response[Any]:
    """One feature; its id is one percent-encoded segment."""
    name, fid = _name(collection), unquote(feature, errors="replace")
    _ask(request)
    layer = await map_reader.layer(name, principal_of(request))
    found = next((each for each in layer.features if each.fid == fid), None)
    if found is None:
        raise ApiError(404, "feature not found", "the collection has none of this id")
    return await _geojson(request, ogc.item(public_address.root(request), name, found))


async def _matched(query: FeatureQuery, features: Sequence[Feature]) -> list[Feature]:
    found: list[Feature] = []
    for start in range(0, len(features), AT_A_TIME):
        found += [each for each in features[start : start + AT_A_TIME] if query.takes(each)]
        await asyncio.sleep(0)
    return found


def _ask(
    request: AnyRequest, *, pages: bool = False, chosen_by: Collection[str] = ()
) -> FeatureQuery:
    """The question; what a route does not know is refused.

    Raises:
        ApiError: A parameter is unknown or wrong: 400, as the standard asks.
    """
    pairs = list(request.query_params.multi_items())
    for name, value in pairs:
        if name == "f" and value not in {"json", "geojson"}:
            raise ApiError(400, "bad parameter", "f: is json")
        if not pages and name != "f":
            raise ApiError(400, "bad parameter", f"{name[:40]}: is no parameter here")
    try:
        return ask(pairs, chosen_by=chosen_by, ignored=("f",))
    except InputError as error:
        raise ApiError(400, "bad parameter", str(error)) from None


def _name(collection: str) -> str:
    if collection not in KINDS:
        raise ApiError(404, "collection not found", "/api/ogc/collections lists them")
    return collection


def _json(document: object) -> Response[Any]:
    return Response(msgspec.json.encode(document), media_type=ogc.JSON)


async def _geojson(request: AnyRequest, body: bytes) -> Response[Any]:
    document = Encoded(body)
    headers = {"content-crs": f"<{ogc.CRS84}>", "vary": "Accept-Encoding"}
    if document.is_worth_zipping and takes_gzip(request.headers.get("accept-encoding", "")):
        body = await asyncio.to_thread(document.zipped)
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=ogc.GEOJSON, headers=headers)
