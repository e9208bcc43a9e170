"""The inbox of unknown assets and unmapped tags: lists, guesses, and what engineers do about it."""

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter

from ic3.api.callers import actor_of
from ic3.api.lists import begin_of, paged
from ic3.clock import Clock
from ic3.domain.acts import Effect, Past, Wish
from ic3.domain.cursors import cursor_of
from ic3.domain.inbox import Key, Kind, State
from ic3.domain.latest import LatestReadings
from ic3.domain.suggestions import (
    NearParameter,
    NearSerial,
    SisterParameter,
    category_of,
    near_parameters,
    near_serials,
)
from ic3.errors import ApiError
from ic3.store.inbox import InboxRow, InboxStore, TagGroup
from ic3.store.mappings import MappingStore, NewParameter

NO_NUL = r"^[^\x00]*$"
Serial = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
TagCode = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_NUL)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_NUL)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=NO_NUL)]
ParamId = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class InboxPage(msgspec.Struct):
    """Counts by kind and state, and lines by serial number; ask on with `cursor=next`."""

    counts: dict[str, dict[str, int]]
    lines: list[InboxRow]
    next: str | None


class TagGroups(msgspec.Struct):
    """Tags by category of their assets, those on most assets first."""

    groups: list[TagGroup]


class Suggestions(msgspec.Struct):
    """Guesses for one line; of an asset only the last two are filled, of a tag the others."""

    sisters: list[SisterParameter]
    same_code: list[NearParameter]
    near_codes: list[NearParameter]
    near_serials: list[NearSerial]
    category: str | None


class MapRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Give a tag of one asset a parameter.

    `past` says what becomes of what is stored: `missing` adds what was not mapped, `re-map` also
    corrects rows of another parameter, `none` leaves all as it is. `from_at` is the first time of
    the source; without it from first sight.
    """

    serial: Serial
    tag_code: TagCode
    param_id: ParamId
    preview: bool = False
    past: Past = Past.MISSING
    from_at: Moment | None = None


class MapKindRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Give a tag of all assets of a category a parameter; `past` as for one tag."""

    category: Name
    tag_code: TagCode
    param_id: ParamId
    preview: bool = False
    past: Past = Past.MISSING
    from_at: Moment | None = None


class IgnoreRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Leave a line alone, because of `reason`; with `undo` heed it again."""

    kind: Kind
    serial: Serial
    tag_code: Annotated[str, msgspec.Meta(max_length=200, pattern=NO_NUL)] = ""
    reason: Reason | None = None
    undo: bool = False


class RegisterRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Put an asset of the feed into the asset list.

    There are no aliases: a serial number that is misspelt at the source is put right there.
    """

    serial: Serial
    name: Name | None = None
    category: Name | None = None
    domain: Name | None = None
    preview: bool = False


class ParameterRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Make a parameter; with `serial` and `tag_code` also map that tag to it."""

    param_tag_code: TagCode
    parameter_name: Name
    unit: Annotated[str, msgspec.Meta(max_length=50, pattern=NO_NUL)] | None = None
    kind: Literal["gauge", "counter", "state", "text", "date"] | None = None
    range_low: Number | None = None
    range_high: Number | None = None
    rate_max_per_s: Annotated[float, msgspec.Meta(gt=0, le=1e300)] | None = None
    decimals: Annotated[int, msgspec.Meta(ge=0, le=15)] | None = None
    serial: Serial | None = None
    tag_code: TagCode | None = None


class Done(msgspec.Struct):
    """An act is done."""

    done: bool


class RegisterAnswer(msgspec.Struct):
    """The asset's number; of a preview it is one that will not be used."""

    asset_id: int
    preview: bool


class ParameterAnswer(msgspec.Struct):
    """The parameter's number, and what mapping to it did where that was asked for."""

    param_id: int
    mapped: Effect | None


class UndoAnswer(msgspec.Struct):
    """From how many assets a mapping was taken."""

    assets: int


async def listed(
    inbox: NamedDependency[InboxStore],
    request: Request[Any, Any, Any],
    kind: FromQuery[Kind | None] = None,
    line_state: Annotated[State | None, QueryParameter(name="state")] = None,
    tag_code: Annotated[str | None, QueryParameter(max_length=200, pattern=NO_NUL)] = None,
    category: Annotated[str | None, QueryParameter(max_length=200, pattern=NO_NUL)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=4096)] = "",
) -> Response[InboxPage]:
    """Assets that nobody registered and tags that nobody mapped, a line each."""
    after = _key_in(cursor) if cursor else None
    lines = await inbox.page(
        kind=kind, state=line_state, limit=limit, after=after, tag_code=tag_code, category=category
    )
    last = lines[-1] if len(lines) == limit else None
    following = cursor_of((last.kind, last.serial, last.tag_code)) if last else None
    return paged(request, InboxPage(await inbox.counts(), lines, following), following)


async def groups(
    inbox: NamedDependency[InboxStore],
    line_state: Annotated[State, QueryParameter(name="state")] = State.OPEN,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 500,
) -> TagGroups:
    """Tags that nothing maps, one line for all assets of a category."""
    return TagGroups(await inbox.groups(state=line_state, limit=limit))


async def suggestions(
    mappings: NamedDependency[MappingStore],
    latest: NamedDependency[LatestReadings],
    serial: Annotated[str, QueryParameter(min_length=1, max_length=1024, pattern=NO_NUL)],
    tag_code: Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)] = "",
) -> Suggestions:
    """Guesses for a tag, or without `tag_code` for an asset."""
    register = latest.register
    if tag_code:
        sisters = await mappings.sisters(serial, tag_code)
        near = await asyncio.to_thread(near_parameters, tag_code, register.parameters.values())
        same = [each for each in near if each.param_tag_code == tag_code]
        others = [each for each in near if each.param_tag_code != tag_code]
        return Suggestions(sisters, same, others, [], None)
    categories = await mappings.categories()
    serials = await asyncio.to_thread(near_serials, serial, list(register.assets))
    category = await asyncio.to_thread(category_of, serial, categories)
    return Suggestions([], [], [], serials, category)


async def map_tag(
    data: JSONBody[MapRequest],
    mappings: NamedDependency[MappingStore],
    clock: NamedDependency[Clock],
    request: Request[Any, Any, Any],
) -> Effect:
    """Give a tag of one asset a parameter; the past is filled by a job."""
    return await mappings.map_tag(
        actor_of(request), serial=data.serial, tag_code=data.tag_code, param_id=data.param_id,
        wish=Wish(data.preview, data.past, data.from_at), now_us=clock.now_us(),
    )  # fmt: skip


async def map_kind(
    data: JSONBody[MapKindRequest],
    mappings: NamedDependency[MappingStore],
    clock: NamedDependency[Clock],
    request: Request[Any, Any, Any],
) -> Effect:
    """Give a tag of all assets of a category a parameter, unless it has another one."""
    return await mappings.map_kind(
        actor_of(request), category=data.category, tag_code=data.tag_code, param_id=data.param_id,
        wish=Wish(data.preview, data.past, data.from_at), now_us=clock.now_us(),
    )  # fmt: skip


async def unmap(
    mappings: NamedDependency[MappingStore],
    request: Request[Any, Any, Any],
    tag_code: Annotated[str, QueryParameter(min_length=1, max_length=200, pattern=NO_NUL)],
    serial: Annotated[str, QueryParameter(max_length=1024, pattern=NO_NUL)] = "",
    category: Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)] = "",
    param_id: Annotated[int | None, QueryParameter(ge=1, le=2**31 - 1)] = None,
) -> UndoAnswer:
    """Undo a mapping of one asset, or what people mapped in a category; what is stored stays."""
    actor = actor_of(request)
    if serial and not category:
        assets = int(await mappings.unmap_tag(actor, serial=serial, tag_code=tag_code))
    elif category and not serial and param_id is not None:
        assets = await mappings.unmap_kind(
            actor, category=category, tag_code=tag_code, param_id=param_id
        )
    else:
        raise ApiError(422, "unclear", "name a serial, or a category and a param_id")
    if assets == 0:
        raise ApiError(404, "mapping not found", "nothing is mapped so")
    return UndoAnswer(assets)


async def ignore(
    data: JSONBody[IgnoreRequest],
    inbox: NamedDependency[InboxStore],
    request: Request[Any, Any, Any],
) -> Done:
    """Leave a line alone, because of a reason; or heed it again."""
    key = Key(data.kind, data.serial, data.tag_code)
    if (data.kind is Kind.TAG) != bool(data.tag_code):
        raise ApiError(422, "unclear", "a line of kind tag has a tag_code, one of an asset none")
    if data.undo:
        await inbox.heed(actor_of(request), key)
    elif data.reason is None:
        raise ApiError(422, "reason required", "say why the line may be left alone")
    else:
        await inbox.ignore(actor_of(request), key, data.reason)
    return Done(done=True)


async def register(
    data: JSONBody[RegisterRequest],
    mappings: NamedDependency[MappingStore],
    request: Request[Any, Any, Any],
) -> RegisterAnswer:
    """Put an unknown asset of the feed into the asset list."""
    number = await mappings.register(
        actor_of(request), serial=data.serial, name=data.name, category=data.category,
        domain=data.domain, preview=data.preview,
    )  # fmt: skip
    return RegisterAnswer(number, data.preview)


async def create_parameter(
    data: JSONBody[ParameterRequest],
    mappings: NamedDependency[MappingStore],
    clock: NamedDependency[Clock],
    request: Request[Any, Any, Any],
) -> ParameterAnswer:
    """Make a parameter, and map a tag to it where one is named."""
    if (data.serial is None) != (data.tag_code is None):
        raise ApiError(422, "unclear", "to map, name both serial and tag_code")
    if None not in (data.range_low, data.range_high) and data.range_low >= data.range_high:  # type: ignore[operator]
        raise ApiError(422, "empty range", "range_low is to be below range_high")
    new = NewParameter(
        data.param_tag_code, data.parameter_name, data.unit, data.kind, data.range_low,
        data.range_high, data.rate_max_per_s, data.decimals,
    )  # fmt: skip
    tag = (data.serial, data.tag_code) if data.serial and data.tag_code else None
    number, mapped = await mappings.add_parameter(
        actor_of(request), new, map_to=tag, now_us=clock.now_us()
    )
    return ParameterAnswer(number, mapped)


def _key_in(cursor: str) -> Key:
    kind, serial, tag_code = begin_of(cursor, tuple[Kind, str, str])
    if "\0" in serial + tag_code:
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    return Key(kind, serial, tag_code)
