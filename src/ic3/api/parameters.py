"""The parameters: what can be measured, its names, unit and limits."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from ic3.api.callers import actor_of
from ic3.api.lists import Cursor, paged, seen_as, word_in
from ic3.domain.cursors import cursor_of
from ic3.domain.etags import client_has, etag_of
from ic3.domain.register import RegisterParameter
from ic3.domain.ucum import unit_code
from ic3.errors import ApiError, ChangedMeanwhile, Refused, UnknownHere
from ic3.store.parameters import ParameterStore

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
NO_NUL: Final = r"^[^\x00]*$"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
Unit = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=ONE_LINE)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
Kind = Literal["gauge", "counter", "state", "text", "date"]
Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Rate = Annotated[float, msgspec.Meta(gt=0, le=1e300)]
Decimals = Annotated[int, msgspec.Meta(ge=0, le=12)]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match")]

_encode = msgspec.json.Encoder().encode


class ParameterChanges(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What to change; a field that is not named stays, null takes it away.

    `ucum_code` is checked: the syntax of UCUM, with the units of a water utility.
    """

    parameter_name: Name | msgspec.UnsetType = msgspec.UNSET
    name_hi: Name | msgspec.UnsetType | None = msgspec.UNSET
    unit: Unit | msgspec.UnsetType | None = msgspec.UNSET
    ucum_code: Code | msgspec.UnsetType | None = msgspec.UNSET
    kind: Kind | msgspec.UnsetType | None = msgspec.UNSET
    range_low: Number | msgspec.UnsetType | None = msgspec.UNSET
    range_high: Number | msgspec.UnsetType | None = msgspec.UNSET
    rate_max_per_s: Rate | msgspec.UnsetType | None = msgspec.UNSET
    decimals: Decimals | msgspec.UnsetType | None = msgspec.UNSET

    def __post_init__(self) -> None:
        """Refuse a code that is none."""
        if isinstance(self.ucum_code, str):
            try:
                unit_code(self.ucum_code)
            except ValueError as error:
                raise ValueError(f"ucum_code {error}") from None


class ParameterPage(msgspec.Struct):
    """Parameters in the order of their codes; ask on with `cursor=next`."""

    parameters: list[RegisterParameter]
    next: str | None


async def listed(
    parameter_store: NamedDependency[ParameterStore],
    request: Request[Any, Any, Any],
    q: Annotated[str | None, QueryParameter(min_length=1, max_length=200, pattern=NO_NUL)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 1000,
    cursor: Cursor = "",
) -> Response[ParameterPage]:
    """What can be measured, in the order of the codes."""
    found = await parameter_store.page(q=q, limit=limit + 1, after=word_in(cursor))
    more = cursor_of(found[limit - 1].param_tag_code) if len(found) > limit else None
    return paged(request, ParameterPage(found[:limit], more), more)


async def one(
    code: FromPath[str],
    parameter_store: NamedDependency[ParameterStore],
    request: Request[Any, Any, Any],
) -> Response[RegisterParameter]:
    """One parameter, with the tag that a change of it needs."""
    found = await parameter_store.one(_code(code))
    if found is None:
        raise _unknown()
    return _answer(found, request)


async def change(
    code: FromPath[str],
    data: JSONBody[ParameterChanges],
    parameter_store: NamedDependency[ParameterStore],
    request: Request[Any, Any, Any],
    if_match: IfMatch = None,
) -> Response[RegisterParameter]:
    """Change fields of a parameter, if it is still as it was seen (If-Match)."""
    seen = seen_as(if_match, "parameter")
    fields: dict[str, Any] = msgspec.to_builtins(data)
    if not fields:
        raise ApiError(422, "nothing to change", "name at least one field")
    actor = actor_of(request)
    try:
        changed = await parameter_store.change(actor, _code(code), fields, if_match=seen)
    except UnknownHere:
        raise _unknown() from None
    except ChangedMeanwhile:
        raise ApiError(
            412, "changed meanwhile", "somebody changed it; read it again and change that"
        ) from None
    except Refused:
        raise ApiError(
            422, "not possible", "the table of parameters does not take one of the values"
        ) from None
    return _answer(changed, request)


def _answer(parameter: RegisterParameter, request: Request[Any, Any, Any]) -> Response[Any]:
    body = _encode(parameter)
    etag = etag_of(body)
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    known = ",".join(request.headers.getall("if-none-match", []))
    if request.method == "GET" and client_has(known.encode("latin-1", "replace"), etag.encode()):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _code(segment: str) -> str:
    code = unquote(segment, errors="replace")
    if "\0" in code or len(code) > 1024:
        raise _unknown()
    return code


def _unknown() -> ApiError:
    return ApiError(404, "parameter not found", "check the code against /api/parameters")
