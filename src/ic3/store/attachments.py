"""Files at work orders: what is known of each; the content is in `attachment_files`."""

from datetime import datetime
from typing import Final

import msgspec

from ic3.domain.acts import Actor
from ic3.domain.attachments import PER_ORDER
from ic3.domain.users import Principal
from ic3.domain.work_orders import Order
from ic3.errors import ApiError
from ic3.store.pool import Connection, Database
from ic3.store.work_orders import check_open, locked, save

# One at a time is counted and added, so that the cap holds.
TAKE_TURN: Final = "SELECT pg_advisory_xact_lock(hashtext('ic3_work_order_attachment'))"
USED: Final = """
SELECT ic3_attachment_bytes(),
    (SELECT count(*) FROM ic3_work_order_attachment WHERE order_id = %(order_id)s)
"""
INSERT_ATTACHMENT: Final = """
INSERT INTO ic3_work_order_attachment (order_id, file_name, content_type, size_bytes, sha256, place,
    at, who)
VALUES (%(order_id)s, %(file_name)s, %(content_type)s, %(size_bytes)s, %(sha256)s, %(place)s,
    %(at)s, %(who)s)
RETURNING id
"""
ATTACHMENTS: Final = """
SELECT id, file_name, content_type, size_bytes, sha256, at, who FROM ic3_work_order_attachment
WHERE order_id = %(order_id)s ORDER BY id
"""
ATTACHMENT: Final = """
SELECT a.id, a.file_name, a.content_type, a.size_bytes, a.sha256, a.at, a.who, a.place
FROM ic3_work_order_attachment a JOIN ic3_work_order o ON o.id = a.order_id
WHERE a.id = %(id)s AND a.order_id = %(order_id)s
    AND (%(domains)s::text[] IS NULL OR o.domain = ANY(%(domains)s::text[]))
"""
DELETE_ATTACHMENT: Final = """
DELETE FROM ic3_work_order_attachment WHERE id = %(id)s AND order_id = %(order_id)s
RETURNING file_name, content_type, size_bytes, sha256, place
"""
PLACES: Final = "SELECT place FROM ic3_work_order_attachment"


class Attachment(msgspec.Struct, frozen=True):
    """A file at an order."""

    id: int
    file_name: str
    content_type: str
    size_bytes: int
    sha256: str
    at: datetime
    who: str


class AttachmentStore:
    """Reads what is known of files.

    Args:
        database: Where.
        cap_bytes: How much all of them together may take.
    """

    def __init__(self, database: Database, *, cap_bytes: int) -> None:
        self._database = database
        self.cap_bytes = cap_bytes

    async def one(
        self, order_id: int, attachment_id: int, domains: list[str] | None
    ) -> tuple[Attachment, str]:
        """A file of an order in scope, and its place.

        Raises:
            ApiError: 404: there is none, or not for this user.
        """
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                ATTACHMENT, {"id": attachment_id, "order_id": order_id, "domains": domains}
            )
            row = await cursor.fetchone()
        if row is None:
            raise not_found()
        return Attachment(*row[:-1]), row[-1]

    async def places(self) -> set[str]:
        """Where the content of all files is."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(PLACES)
            return {place for (place,) in await cursor.fetchall()}


async def attachments_of(connection: Connection, order: Order) -> list[Attachment]:
    """The files of an order that the caller has seen."""
    cursor = await connection.execute(ATTACHMENTS, {"order_id": order.id})
    return [Attachment(*row) for row in await cursor.fetchall()]


def not_found() -> ApiError:
    """There is no such file, or not for this user."""
    return ApiError(404, "attachment not found", "there is no such file at this work order")


async def attach(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, *, file_name: str,
    content_type: str, size_bytes: int, sha256: str, place: str, cap_bytes: int, at: datetime,
) -> tuple[Order, int]:  # fmt: skip
    """Note a file whose content is kept; every operator in scope may.

    Raises:
        ApiError: 404; 409: the order has too many files; 413: the cap is reached.
    """
    await connection.execute(TAKE_TURN)
    order = await locked(connection, order_id, principal)
    check_open(order)
    row = await (await connection.execute(USED, {"order_id": order.id})).fetchone()
    assert row is not None
    if row[0] + size_bytes > cap_bytes:
        raise ApiError(413, "attachments full", "the space for attachments is used up")
    if row[1] >= PER_ORDER:
        raise ApiError(409, "order is full", f"it has {PER_ORDER} files")
    entered = {
        "file_name": file_name, "content_type": content_type, "size_bytes": size_bytes,
        "sha256": sha256,
    }  # fmt: skip
    inserted = await connection.execute(
        INSERT_ATTACHMENT,
        {**entered, "order_id": order.id, "place": place, "at": at, "who": actor.who},
    )
    made = await inserted.fetchone()
    assert made is not None
    return await save(
        connection, actor, order, order, "file attached", at=at,
        entered={"id": made[0], **entered},
    ), int(made[0])  # fmt: skip


async def detach(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, attachment_id: int,
    *, at: datetime,
) -> str:  # fmt: skip
    """Forget a file; answers the place of its content, to be deleted once this is committed.

    Raises:
        ApiError: 404: there is none, or not for this user.
    """
    order = await locked(connection, order_id, principal)
    cursor = await connection.execute(
        DELETE_ATTACHMENT, {"id": attachment_id, "order_id": order.id}
    )
    row = await cursor.fetchone()
    if row is None:
        raise not_found()
    removed = {
        "id": attachment_id, "file_name": row[0], "content_type": row[1], "size_bytes": row[2],
        "sha256": row[3],
    }  # fmt: skip
    await save(connection, actor, order, order, "file deleted", at=at, removed=removed)
    return str(row[4])
