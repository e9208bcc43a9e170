"""The documents of OGC API Features: landing page, conformance, collections, pages, definition.

Source:
    OGC 17-069r4, OGC API - Features - Part 1: Core.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from ic3.domain.cursors import cursor_of
from ic3.domain.envelope import time_text
from ic3.domain.feature_query import GREATEST_LIMIT, LIMIT, FeatureQuery
from ic3.domain.geo import box_of
from ic3.domain.layers import KINDS, Feature, Kind

BASE: Final = "/api/ogc"
JSON: Final = "application/json"
GEOJSON: Final = "application/geo+json"
OPENAPI: Final = "application/vnd.oai.openapi+json;version=3.0"
CRS84: Final = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
CONFORMS_TO: Final = tuple(
    f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{each}"
    for each in ("core", "oas30", "geojson")
)

Document = dict[str, Any]
_encode = msgspec.json.Encoder().encode


def landing(root: str) -> Document:
    """The landing page.

    Args:
        root: Address of the server, without a path.
    """
    base = root + BASE
    return {
        "title": "IC³", "description": "Assets, alarms and pipe network of a water utility.",
        "links": [
            _link(base, "self", JSON, "this document"),
            _link(f"{base}/api", "service-desc", OPENAPI, "the definition of this API"),
            _link(f"{base}/conformance", "conformance", JSON, "conformance classes"),
            _link(f"{base}/collections", "data", JSON, "the collections"),
        ],
    }  # fmt: skip


def conformance() -> Document:
    """What is implemented."""
    return {"conformsTo": CONFORMS_TO}


def collections(root: str, layers: Mapping[str, Sequence[Feature]]) -> Document:
    """All collections, each with the extent of what the caller may see."""
    base = f"{root}{BASE}/collections"
    return {
        "links": [_link(base, "self", JSON, "this document")],
        "collections": [collection(root, name, features) for name, features in layers.items()],
    }  # fmt: skip


def collection(root: str, name: str, features: Sequence[Feature]) -> Document:
    """One collection."""
    kind, base = KINDS[name], f"{root}{BASE}/collections/{name}"
    found: Document = {
        "id": name, "title": kind.title, "description": kind.words, "itemType": "feature",
        "crs": [CRS84],
        "links": [
            _link(base, "self", JSON, "this document"),
            _link(f"{base}/items", "items", GEOJSON, kind.title),
        ],
    }  # fmt: skip
    extent = _extent(kind, features)
    if extent:
        found["extent"] = extent
    return found


def items(
    root: str, name: str, query: FeatureQuery, matched: Sequence[Feature],
    pairs: Sequence[tuple[str, str]], *, now_us: int,
) -> bytes:  # fmt: skip
    """One page of features.

    Args:
        root: Address of the server.
        name: Of the collection.
        query: What is asked for.
        matched: All features that are asked for, by name.
        pairs: The parameters of the request, for the links.
        now_us: When it is answered.
    """
    page, more = query.page(matched)
    base = f"{root}{BASE}/collections/{name}/items"
    links = [
        _link(_with(base, pairs), "self", GEOJSON, "this page"),
        _link(f"{root}{BASE}/collections/{name}", "collection", JSON, "the collection"),
    ]
    if more:
        others = [pair for pair in pairs if pair[0] != "cursor"]
        following = [*others, ("cursor", cursor_of(page[-1].fid))]
        links.append(_link(_with(base, following), "next", GEOJSON, "the next page"))
    head = {
        "type": "FeatureCollection", "timeStamp": time_text(now_us),
        "numberMatched": len(matched), "numberReturned": len(page), "links": links,
    }  # fmt: skip
    bodies = b",".join(each.body for each in page)
    return _encode(head)[:-1] + b',"features":[' + bodies + b"]}"


def item(root: str, name: str, feature: Feature) -> bytes:
    """One feature with its links."""
    base = f"{root}{BASE}/collections/{name}"
    links = [
        _link(f"{base}/items/{quote(feature.fid, safe='')}", "self", GEOJSON, "this feature"),
        _link(base, "collection", JSON, "the collection"),
    ]
    return feature.body[:-1] + b',"links":' + _encode(links) + b"}"


def definition(root: str) -> Document:
    """The definition of this API by OpenAPI 3.0, which is what its readers know."""
    paths: Document = {
        "/": _path("landing", "Landing page", JSON),
        "/api": _path("definition", "This document", OPENAPI),
        "/conformance": _path("conformance", "Conformance classes", JSON),
        "/collections": _path("collections", "Collections", JSON),
    }
    for name, kind in KINDS.items():
        at = f"/collections/{name}"
        paths[at] = _path(f"{name}.collection", kind.title, JSON)
        parameters = [
            {"$ref": f"#/components/parameters/{each}"}
            for each in ("bbox", "datetime", "limit", "cursor", "f")
        ]
        parameters += [_query(each, {"type": "string"}) for each in kind.chosen_by]
        paths[f"{at}/items"] = _path(f"{name}.items", kind.title, GEOJSON, parameters)
        one = {"name": "featureId", "in": "path", "required": True, "schema": {"type": "string"}}
        paths[f"{at}/items/{{featureId}}"] = _path(
            f"{name}.item", f"{kind.title}: one", GEOJSON, [one]
        )
    return {
        "openapi": "3.0.3",
        "info": {"title": "IC³ features", "version": "1.0.0", "description": "Read only."},
        "servers": [{"url": root + BASE}], "security": [{"bearer": []}], "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "parameters": _parameters(), "responses": _responses(),
        },
    }  # fmt: skip


def _extent(kind: Kind, features: Sequence[Feature]) -> Document:
    box = box_of(
        position for each in features
        for position in (each.line or [at for polygon in each.polygons for at in polygon[0]])
    )  # fmt: skip
    found: Document = {}
    if box is not None:
        found["spatial"] = {"bbox": [box], "crs": CRS84}
    if kind.time is not None:
        times = [each.at_us for each in features if each.at_us is not None]
        interval = [time_text(min(times)), time_text(max(times))] if times else [None, None]
        found["temporal"] = {
            "interval": [interval],
            "trs": "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian",
        }
    return found


def _link(href: str, rel: str, media_type: str, title: str) -> dict[str, str]:
    return {"href": href, "rel": rel, "type": media_type, "title": title}


def _with(base: str, pairs: Sequence[tuple[str, str]]) -> str:
    return f"{base}?{urlencode(pairs)}" if pairs else base


def _path(
    operation: str, summary: str, media_type: str, parameters: Sequence[Document] = ()
) -> Document:
    answers: Document = {
        "200": {
            "description": summary,
            "content": {media_type.partition(";")[0]: {"schema": {"type": "object"}}},
        },
        "400": {"$ref": "#/components/responses/InvalidParameter"},
        "401": {"$ref": "#/components/responses/LoginRequired"},
        "404": {"$ref": "#/components/responses/NotFound"},
    }
    given: Document = {"operationId": operation, "summary": summary, "responses": answers}
    if parameters:
        given["parameters"] = list(parameters)
    return {"get": given}


def _query(name: str, schema: Document, words: str = "") -> Document:
    found: Document = {"name": name, "in": "query", "required": False, "schema": schema}
    if words:
        found["description"] = words
    return found


def _parameters() -> Document:
    numbers = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6}
    limit = {"type": "integer", "minimum": 1, "maximum": GREATEST_LIMIT, "default": LIMIT}
    box = _query("bbox", numbers, "west,south,east,north in degrees")
    return {
        "bbox": {**box, "style": "form", "explode": False},
        "datetime": _query("datetime", {"type": "string"}, "a time, or two with / between"),
        "limit": _query("limit", limit, "features a page"),
        "cursor": _query("cursor", {"type": "string"}, "as the next link has it"),
        "f": _query("f", {"type": "string", "enum": ["json"]}, "json"),
    }


def _responses() -> Document:
    problem = {"application/problem+json": {"schema": {"type": "object"}}}
    return {
        name: {"description": words, "content": problem}
        for name, words in (
            ("InvalidParameter", "A parameter is unknown or wrong."),
            ("LoginRequired", "Send Authorization: Bearer with a token."),
            ("NotFound", "There is no such thing."),
        )
    }
