"""The OpenAPI 3.1 document, with what the framework cannot know by itself."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.routes import HTTPRoute

Node = dict[str, Any]
# What holds for all routes; the page of routes has it too.
CONVENTIONS: Final = (
    "**Login.** `Authorization: Bearer` with the `access_token` of `POST /api/auth/login`, or with"
    " a key of `POST /api/keys`.",
    "**Lists.** `next` in the answer, and the header `Link`, lead to the next page: ask again with"
    " `cursor=next`; null is the last page. A cursor is not to be read or made.",
    "**Changes.** Where `If-Match` is listed, send the `ETag` of what you read: 428 without it, 412"
    " where somebody was faster.",
    "**Sending again.** Where `Idempotency-Key` is listed, the same key within a day gives the same"
    " answer and acts once; with another request it is 422, and 409 while the first has not ended."
    " An answer that holds a secret is not kept: 409 says that it was done.",
    "**Times** are RFC 3339 with a zone; `from` is inside of what is asked for, `until` outside.",
    "**Errors** are `application/problem+json` (RFC 9457); `error` is a short text, `detail` says"
    " what to do. `Retry-After` says when"
    " to come back.",
)
WORDS: Final = {
    "If-Match": "The ETag of what is to be changed, as it was read. 412: it is another by now.",
    "Idempotency-Key": (
        "Chosen by the client. Sent again within a day with the same request, the answer is the"
        " same and nothing is done twice. It needs the database."
    ),
    "cursor": "`next` of the page before; its form may change.",
    "X-Filename": "Name of the file, percent-encoded UTF-8.",
}
ETAG: Final = {"description": "For If-Match.", "schema": {"type": "string"}}
LINK: Final = {
    "description": 'Where there is a next page, its address, as `<…>; rel="next"`.',
    "schema": {"type": "string"},
}


async def read(request: Request[Any, Any, Any]) -> Response[Any]:
    """The OpenAPI 3.1 document."""
    return Response(msgspec.json.encode(document(request.app)), media_type="application/json")


def document(application: Litestar) -> Node:
    """The document of an application whose handlers name in `takes` what files they take."""
    found: Node = _any_of(application.openapi_schema.to_schema())
    found["info"]["description"] = "\n\n".join(CONVENTIONS)
    takes, roles = dict(_files_taken(application)), dict(_roles(application))
    for path, operations in found["paths"].items():
        tagged = any(_has(each, "If-Match") for each in operations.values())
        for method, operation in operations.items():
            _describe(operation, method, tagged=tagged)
            operation["x-least-role"] = roles[path, method]
            if media := takes.get((path, method)):
                operation["requestBody"] = {
                    "required": True, "content": {each: _file_as(each) for each in media},
                }  # fmt: skip
    words = dict(_struct_words(msgspec.Struct))
    for name, schema in found["components"]["schemas"].items():
        if name in words:
            schema["description"] = words[name]
    return found


def _describe(operation: Node, method: str, *, tagged: bool) -> None:
    """Say what it does, and what its headers are."""
    words = operation.get("description", "")
    if words:
        operation["summary"] = words.partition("\n")[0].rstrip(".")
    operation["responses"].get("204", {}).pop("content", None)
    headers: Node = {}
    if tagged and method in {"get", "patch"}:
        headers["ETag"] = ETAG
    if _has(operation, "cursor"):
        headers["Link"] = LINK
    if headers:
        operation["responses"]["200"].setdefault("headers", {}).update(headers)
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in WORDS:
            parameter.setdefault("description", WORDS[parameter["name"]])


def _file_as(media: str) -> Node:
    """The body that is a file, or a form with one."""
    file: Node = {"type": "string", "format": "binary"}
    if media == "multipart/form-data":
        return {"schema": {"type": "object", "properties": {"file": file}, "required": ["file"]}}
    return {"schema": file}


def _has(operation: Node, parameter: str) -> bool:
    return any(each["name"] == parameter for each in operation.get("parameters", ()))


def _handlers(application: Litestar) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Path and method of each handler, and what was said of it."""
    for route in application.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                yield (route.path_format, method.lower()), handler.opt


def _files_taken(application: Litestar) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    for at, said in _handlers(application):
        if media := said.get("takes"):
            yield at, media


def _roles(application: Litestar) -> Iterator[tuple[tuple[str, str], str]]:
    for at, said in _handlers(application):
        if "role" in said:
            yield at, "everybody" if said["role"] is None else said["role"].value


def _struct_words(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """What our bodies say of themselves, by name."""
    subclasses: list[type[Any]] = kind.__subclasses__()
    for each in subclasses:
        if each.__module__.startswith("ic3.") and each.__doc__:
            # A name that two have is told apart by the framework: it is then found by neither.
            yield each.__name__, _plain(each.__doc__)
        yield from _struct_words(each)


def _plain(words: str) -> str:
    return "\n".join(line.strip() for line in words.strip().splitlines())


def _any_of(node: Any) -> Any:
    """The document with unions as they are in Python: a whole number is a number too."""
    if isinstance(node, dict):
        return {"anyOf" if name == "oneOf" else name: _any_of(each) for name, each in node.items()}
    return [_any_of(each) for each in node] if isinstance(node, list) else node
