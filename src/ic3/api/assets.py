"""The register: pages of assets, one asset, and what people enter."""

from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from ic3.api.callers import actor_of, principal_of
from ic3.api.lists import begin_of, paged, seen_as
from ic3.domain.cursors import cursor_of
from ic3.domain.etags import client_has, etag_of
from ic3.domain.imports import EXTERNAL_NUMBER, EXTERNAL_SYSTEM, MAX_EXTERNAL_IDS
from ic3.domain.register import (
    Asset,
    AssetQuery,
    DomainBranch,
    Place,
    RegisterTag,
    Sort,
    check_link,
)
from ic3.errors import ApiError, ChangedMeanwhile, Refused, UnknownHere
from ic3.store.assets import AssetStore, add

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
MAX_FILTERS: Final = 50
MAX_DOCUMENTS: Final = 20
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=ONE_LINE)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]
Filter = FromQuery[list[str] | None]

_encode = msgspec.json.Encoder().encode


class ExternalIdEntry(msgspec.Struct, forbid_unknown_fields=True):
    """The asset's number in another system."""

    system: Annotated[str, msgspec.Meta(pattern=EXTERNAL_SYSTEM)]
    id: Annotated[str, msgspec.Meta(pattern=EXTERNAL_NUMBER)]


class DocumentEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A link to a paper about the asset, http or https."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]

    def __post_init__(self) -> None:
        """Refuse what a page must not show as a link."""
        check_link(self.url)


ExternalIds = Annotated[list[ExternalIdEntry], msgspec.Meta(max_length=MAX_EXTERNAL_IDS)]
Documents = Annotated[list[DocumentEntry], msgspec.Meta(max_length=MAX_DOCUMENTS)]


class AssetChanges(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What to change; a field that is not named stays, null takes it away.

    The domain says who may see the asset: it is set when the asset is made, or by an import.
    """

    name: Text | msgspec.UnsetType | None = msgspec.UNSET
    category: Text | msgspec.UnsetType | None = msgspec.UNSET
    dma_id: Text | msgspec.UnsetType | None = msgspec.UNSET
    site: Text | msgspec.UnsetType | None = msgspec.UNSET
    longitude: Longitude | msgspec.UnsetType | None = msgspec.UNSET
    latitude: Latitude | msgspec.UnsetType | None = msgspec.UNSET
    criticality: Text | msgspec.UnsetType | None = msgspec.UNSET
    capacity_rating: Text | msgspec.UnsetType | None = msgspec.UNSET
    in_charge_person: Text | msgspec.UnsetType | None = msgspec.UNSET
    status: Text | msgspec.UnsetType | None = msgspec.UNSET
    asset_live_status: Text | msgspec.UnsetType | None = msgspec.UNSET
    cmms_asset_id: Text | msgspec.UnsetType | None = msgspec.UNSET
    traceability_id: Text | msgspec.UnsetType | None = msgspec.UNSET
    barcode: Text | msgspec.UnsetType | None = msgspec.UNSET
    external_ids: ExternalIds | msgspec.UnsetType = msgspec.UNSET
    documents: Documents | msgspec.UnsetType = msgspec.UNSET


class NewAsset(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An asset to be put into the register."""

    serialnumber: Text
    name: Text | None = None
    category: Text | None = None
    domain: Text | None = None
    dma_id: Text | None = None
    site: Text | None = None
    longitude: Longitude | None = None
    latitude: Latitude | None = None
    criticality: Text | None = None
    capacity_rating: Text | None = None
    in_charge_person: Text | None = None
    status: Text | None = None
    asset_live_status: Text | None = None
    cmms_asset_id: Text | None = None
    traceability_id: Text | None = None
    barcode: Text | None = None
    external_ids: ExternalIds = []
    documents: Documents = []


class AssetPage(msgspec.Struct):
    """Assets in the order asked for; ask on with `cursor=next`.

    Attributes:
        total: How many there are in all; counted for the first page only.
    """

    assets: list[Asset]
    next: str | None
    total: int | None


class Tree(msgspec.Struct):
    """Domains, their district areas and their sites, with the number of assets in each."""

    assets: int
    domains: list[DomainBranch]


class AssetTags(msgspec.Struct):
    """The tags of an asset: those that are mapped, and those the inbox knows of."""

    serialnumber: str
    tags: list[RegisterTag]


async def listed(
    asset_store: NamedDependency[AssetStore],
    request: Request[Any, Any, Any],
    q: Annotated[
        str | None,
        QueryParameter(
            min_length=1,
            max_length=200,
            pattern=ONE_LINE,
            description="Part of serial number, name, barcode or number in another system.",
        ),
    ] = None,
    domain: Filter = None,
    dma: Filter = None,
    category: Filter = None,
    criticality: Filter = None,
    status: Filter = None,
    sort: FromQuery[Sort] = Sort.SERIAL,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=8192)] = "",
) -> Response[AssetPage]:
    """Assets of the register, page by page; a filter may be repeated, an empty one is none."""
    after = _place(cursor, sort) if cursor else None
    query = AssetQuery(
        q, _checked(domain), _checked(dma), _checked(category), _checked(criticality),
        _checked(status), principal_of(request).scope(),
    )  # fmt: skip
    found, more = await asset_store.page(query, sort=sort, limit=limit, after=after)
    total = await asset_store.count(query) if after is None else None
    following = cursor_of(more) if more else None
    return paged(request, AssetPage(found, following, total), following)


async def one(
    serial_number: FromPath[str],
    asset_store: NamedDependency[AssetStore],
    request: Request[Any, Any, Any],
) -> Response[Asset]:
    """One asset of the register, with the tag that a change of it needs."""
    serial = _serial(serial_number)
    found = await asset_store.one(serial, principal_of(request).scope())
    if found is None:
        raise _unknown()
    return _answer(found, request)


async def change(
    serial_number: FromPath[str],
    data: JSONBody[AssetChanges],
    asset_store: NamedDependency[AssetStore],
    request: Request[Any, Any, Any],
    if_match: IfMatch = None,
) -> Response[Asset]:
    """Change fields of an asset, if it is still as it was seen (If-Match)."""
    serial = _serial(serial_number)
    seen = seen_as(if_match, "asset")
    fields = _fields(data)
    if not fields:
        raise ApiError(422, "nothing to change", "name at least one field")
    try:
        changed = await asset_store.change(
            actor_of(request),
            serial,
            fields,
            if_match=seen,
            scope=principal_of(request).scope(),
        )
    except UnknownHere:
        raise _unknown() from None
    except ChangedMeanwhile:
        raise ApiError(
            412, "changed meanwhile", "somebody changed it; read it again and change that"
        ) from None
    except Refused:
        raise _not_possible() from None
    return _answer(changed, request)


async def create(
    data: JSONBody[NewAsset],
    asset_store: NamedDependency[AssetStore],
    request: Request[Any, Any, Any],
) -> Response[Asset]:
    """Put an asset into the register."""
    serial = data.serialnumber
    if serial != serial.strip():
        raise ApiError(422, "blanks", "a serial number neither begins nor ends with a blank")
    fields = _fields(data)
    try:
        async with asset_store.database.connection() as connection:
            made = await add(connection, actor_of(request), fields, principal_of(request).scope())
    except ChangedMeanwhile:
        raise ApiError(409, "serial number taken", "the serial number is taken") from None
    except Refused:
        raise _not_possible() from None
    answer = _answer(made, request)
    answer.status_code = 201
    answer.headers["location"] = f"/api/assets/{quote(serial, safe='')}"
    return answer


async def tree(asset_store: NamedDependency[AssetStore], request: Request[Any, Any, Any]) -> Tree:
    """The hierarchy: domain, district area, site, with counts."""
    branches = await asset_store.tree(principal_of(request).scope())
    return Tree(sum(each.assets for each in branches), branches)


async def tags(
    serial_number: FromPath[str],
    asset_store: NamedDependency[AssetStore],
    request: Request[Any, Any, Any],
) -> AssetTags:
    """The tags of an asset and what they measure; they are mapped in the inbox."""
    serial = _serial(serial_number)
    found = await asset_store.tags(serial, principal_of(request).scope())
    if found is None:
        raise _unknown()
    return AssetTags(serial, found)


def _answer(asset: Asset, request: Request[Any, Any, Any]) -> Response[Any]:
    body = _encode(asset)
    etag = etag_of(body)
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    known = ",".join(request.headers.getall("if-none-match", []))
    if request.method == "GET" and client_has(known.encode("latin-1", "replace"), etag.encode()):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _fields(data: AssetChanges | NewAsset) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(data)
    systems = [each["system"] for each in fields.get("external_ids", ())]
    if len(set(systems)) != len(systems):
        raise ApiError(422, "a system twice", "an asset has one number in each system")
    return fields


def _serial(segment: str) -> str:
    """The serial number of a path; one that none can have is unknown."""
    serial = unquote(segment, errors="replace")
    if "\0" in serial or len(serial) > 1024:
        raise _unknown()
    return serial


def _unknown() -> ApiError:
    return ApiError(404, "asset not found", "check the serial number against the register")


def _not_possible() -> ApiError:
    return ApiError(422, "not possible", "the register's table does not take one of the values")


def _checked(values: list[str] | None) -> list[str] | None:
    if values is not None and (
        len(values) > MAX_FILTERS or any("\0" in each or len(each) > 1000 for each in values)
    ):
        raise ApiError(422, "bad filter", f"at most {MAX_FILTERS} values, without NUL")
    return values


def _place(cursor: str, sort: Sort) -> Place:
    place = begin_of(cursor, Place)
    if place.sort is not sort:
        raise ApiError(422, "bad cursor", f"it is of a list sorted by {place.sort}")
    if "\0" in place.key or not abs(place.asset_id) < 2**31:
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    return place
