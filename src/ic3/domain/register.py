"""The register as people read and change it."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

Jsonable = str | int | float | None


class Sort(StrEnum):
    """Order of the list; a sign before it turns the order round."""

    SERIAL = "serial"
    SERIAL_DOWN = "-serial"
    NAME = "name"
    NAME_DOWN = "-name"
    DOMAIN = "domain"
    DMA = "dma"
    CATEGORY = "category"
    CRITICALITY = "criticality"
    STATUS = "status"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page of the list ended.

    Attributes:
        key: Of the last asset, in the order of `sort`.
    """

    sort: Sort
    key: str
    asset_id: int


@dataclass(frozen=True, slots=True)
class AssetQuery:
    """What of the register is asked for; None asks for all, an empty text for those without.

    Attributes:
        q: Part of a serial number, name, barcode or number in another system, in any case.
        scope: Domains whose assets may be seen.
    """

    q: str | None = None
    domains: list[str] | None = None
    dmas: list[str] | None = None
    categories: list[str] | None = None
    criticalities: list[str] | None = None
    statuses: list[str] | None = None
    scope: list[str] | None = None


class ExternalId(msgspec.Struct, frozen=True):
    """The asset's number in another system."""

    system: str
    id: str


class Document(msgspec.Struct, frozen=True):
    """A link to a paper about the asset."""

    title: str
    url: str


class Asset(msgspec.Struct, frozen=True):
    """An asset of the register.

    Attributes:
        entered: Fields that a person entered, with `by` and `at`; nothing else overwrites them.
    """

    asset_id: int
    serialnumber: str
    name: str | None
    category: str | None
    domain: str | None
    dma_id: str | int | None
    site: str | None
    longitude: float | None
    latitude: float | None
    criticality: str | None
    capacity_rating: str | None
    in_charge_person: str | None
    status: str | None
    asset_live_status: str | None
    cmms_asset_id: str | None
    traceability_id: str | int | None
    barcode: str | None
    ticketcount: int | str | None
    schedulecount: int | str | None
    external_ids: list[ExternalId]
    documents: list[Document]
    entered: dict[str, dict[str, Any]]
    updated_at: datetime | None
    updated_by: str | None


class RegisterTag(msgspec.Struct, frozen=True):
    """A tag of an asset and what it measures.

    Attributes:
        set_by: Person who mapped it; None where a file did, and where it is not mapped.
        state: mapped, or of one that is not what the inbox says.
    """

    tag_code: str
    param_id: int | None
    parameter_name: str | None
    param_tag_code: str | None
    unit: str | None
    set_by: str | None
    state: str


class RegisterParameter(msgspec.Struct, frozen=True):
    """What can be measured; the fields are those of ic3_parameter_master."""

    param_id: int
    param_tag_code: str
    parameter_name: str
    name_hi: str | None
    unit: str | None
    ucum_code: str | None
    kind: str | None
    range_low: float | None
    range_high: float | None
    rate_max_per_s: float | None
    decimals: int | None
    entered: dict[str, dict[str, Any]]
    updated_at: datetime | None
    updated_by: str | None


class Site(msgspec.Struct):
    """How many assets a site of a district area has; None is those without a site."""

    site: str | None
    assets: int


class Area(msgspec.Struct):
    """A district area with its sites; None is the assets without an area."""

    dma_id: str | None
    name: str | None
    assets: int = 0
    sites: list[Site] = []


class DomainBranch(msgspec.Struct):
    """A domain with its district areas; None is the assets without a domain."""

    domain: str | None
    assets: int = 0
    dmas: list[Area] = []


MAX_URL: Final = 2000
_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]+")


def check_link(url: str) -> str:
    """A link that a page may show as one.

    Raises:
        ValueError: It is not http or https, or holds what has no place in an address.
    """
    if len(url) > MAX_URL or not url.isprintable() or any(sign in url for sign in ' "<>\\^`{|}'):
        raise ValueError(f"must be an address of at most {MAX_URL} signs without blanks")
    try:
        parts = urlsplit(url)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("must be an address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_good:
        raise ValueError("must begin with http:// or https:// and name a host")
    if "@" in parts.netloc or not _HOST.fullmatch(parts.netloc.encode("ascii", "ignore").decode()):
        raise ValueError("must hold no user name or password")
    return url
