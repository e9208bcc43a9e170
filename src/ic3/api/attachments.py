"""Files at work orders: handed in, checked, handed out as files and nothing else."""

import asyncio
import hashlib
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote

from litestar import Request, Response
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter
from litestar.response import Stream

from ic3.api.callers import actor_of, principal_of
from ic3.clock import Clock
from ic3.domain.alarms import Alarms
from ic3.domain.attachments import ENDINGS, content_type_of, looks_like, safe_name
from ic3.domain.work_orders import Acted, view_of
from ic3.errors import ApiError
from ic3.store.attachment_files import AttachmentFiles
from ic3.store.attachments import AttachmentStore, attach, detach
from ic3.store.work_orders import WorkOrderStore, order_etag

Number = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
FORM: Final = "multipart/form-data"
FileName = Annotated[str, HeaderParameter(name="X-Filename", max_length=1000)]


class FileStream(Stream):
    """A stream with a content type of its own, where the framework would take the route's."""

    def to_asgi_response(self, *arguments: Any, **named: Any) -> Any:
        """The answer as it is sent."""
        return super().to_asgi_response(*arguments, **{**named, "media_type": self.media_type})


class AttachmentDesk:
    """What the routes of attachments are made of."""

    def __init__(
        self, *, orders: WorkOrderStore, store: AttachmentStore, files: AttachmentFiles,
        alarms: Alarms, clock: Clock,
    ) -> None:  # fmt: skip
        self.orders = orders
        self.store = store
        self.files = files
        self.alarms = alarms
        self.clock = clock


async def add(
    request: Request[Any, Any, Any],
    attachment_desk: NamedDependency[AttachmentDesk],
    order_id: Number,
    file_name: FileName = "",
) -> Response[Acted]:
    """Hand in a file: JPEG, PNG, WebP, PDF, plain text or CSV, at most 25 MiB.

    As the body, `X-Filename` being its name in percent-encoded UTF-8, or as `file` of a form.
    """
    await attachment_desk.orders.one(order_id, principal_of(request).scope())
    given = request.headers.get("content-type", "")
    if request.content_type[0] == FORM:
        given, name, content = await _in_form(request)
    else:
        name, content = unquote(file_name), await request.body()
    content_type = content_type_of(given)
    if content_type is None:
        raise ApiError(415, "file type refused", f"allowed are {', '.join(ENDINGS)}")
    if not looks_like(content_type, content):
        raise ApiError(415, "file type refused", f"the content is not {content_type}")
    return await _keep(
        attachment_desk, request, order_id, content, content_type, safe_name(name, content_type)
    )


async def _in_form(request: Request[Any, Any, Any]) -> tuple[str, str, bytes]:
    """Type, name and content of the file of a form."""
    given = (await request.form()).get("file")
    if not isinstance(given, UploadFile):
        raise ApiError(422, "file required", "send it as the field named file of the form")
    return given.content_type, given.filename, await given.read()


async def _keep(
    desk: AttachmentDesk, request: Request[Any, Any, Any], order_id: int, content: bytes,
    content_type: str, file_name: str,
) -> Response[Acted]:  # fmt: skip
    sha256, at = (await asyncio.to_thread(hashlib.sha256, content)).hexdigest(), desk.clock.now()
    place = await desk.files.keep(content, sha256)
    try:
        async with desk.orders.database.connection() as connection:
            order, number = await attach(
                connection, actor_of(request), principal_of(request), order_id,
                file_name=file_name, content_type=content_type, size_bytes=len(content),
                sha256=sha256, place=place, cap_bytes=desk.store.cap_bytes, at=at,
            )  # fmt: skip
    except ApiError:
        # After any other error the row may be there: the worker finds out.
        await desk.files.drop(place)
        raise
    return Response(
        Acted(view_of(order, desk.alarms, at), number), status_code=201,
        headers={"etag": order_etag(order)},
    )  # fmt: skip


async def read(
    request: Request[Any, Any, Any],
    attachment_desk: NamedDependency[AttachmentDesk],
    order_id: Number,
    attachment_id: Number,
) -> Stream:
    """A file, always as one to be saved."""
    found, place = await attachment_desk.store.one(
        order_id, attachment_id, principal_of(request).scope()
    )
    try:
        content = await attachment_desk.files.read(place)
    except OSError:
        raise ApiError(410, "file is gone", "its content is not in the data directory") from None
    plain = found.file_name.encode("ascii", "replace").decode().replace("?", "_")
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(found.file_name)}"
    return FileStream(
        content, media_type=found.content_type,
        headers={
            "content-disposition": disposition, "cache-control": "private, no-store",
            "content-security-policy": "sandbox",
        },
    )  # fmt: skip


async def remove(
    request: Request[Any, Any, Any],
    attachment_desk: NamedDependency[AttachmentDesk],
    order_id: Number,
    attachment_id: Number,
) -> None:
    """Delete a file."""
    async with attachment_desk.orders.database.connection() as connection:
        place = await detach(
            connection, actor_of(request), principal_of(request), order_id, attachment_id,
            at=attachment_desk.clock.now(),
        )  # fmt: skip
    await attachment_desk.files.drop(place)
