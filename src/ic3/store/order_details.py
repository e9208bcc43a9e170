"""What belongs to a work order: checklist, labour, parts, comments, and its history."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from ic3.domain.acts import Actor
from ic3.domain.users import Principal
from ic3.domain.work_orders import (
    COST_LIMIT_MINOR,
    Order,
    line_cost_minor,
    quantity_milli,
    quantity_of,
)
from ic3.errors import ApiError
from ic3.store.pool import Connection, Database
from ic3.store.work_orders import check_open, check_work, locked, save

# Of one order and each kind of entry.
ENTRIES_LIMIT: Final = 1000

CHECKS: Final = """
SELECT id, text, done, done_at, done_by FROM ic3_work_order_check
WHERE order_id = %(order_id)s ORDER BY id
"""
INSERT_CHECK: Final = """
INSERT INTO ic3_work_order_check (order_id, text) VALUES (%(order_id)s, %(text)s) RETURNING id
"""
SET_CHECK: Final = """
UPDATE ic3_work_order_check SET done = %(done)s, done_at = %(at)s, done_by = %(who)s
WHERE order_id = %(order_id)s AND id = %(id)s
RETURNING text
"""
LABOUR: Final = """
SELECT id, person, minutes, note, at, who FROM ic3_work_order_labour
WHERE order_id = %(order_id)s ORDER BY id
"""
INSERT_LABOUR: Final = """
INSERT INTO ic3_work_order_labour (order_id, person, minutes, note, at, who)
VALUES (%(order_id)s, %(person)s, %(minutes)s, %(note)s, %(at)s, %(who)s)
RETURNING id
"""
PARTS: Final = """
SELECT id, name, number, quantity_milli, unit_cost_minor, at, who FROM ic3_work_order_part
WHERE order_id = %(order_id)s ORDER BY id
"""
INSERT_PART: Final = """
INSERT INTO ic3_work_order_part (order_id, name, number, quantity_milli, unit_cost_minor, at, who)
VALUES (%(order_id)s, %(name)s, %(number)s, %(quantity_milli)s, %(unit_cost_minor)s, %(at)s,
    %(who)s)
RETURNING id
"""
COMMENTS: Final = """
SELECT id, text, at, who FROM ic3_work_order_comment WHERE order_id = %(order_id)s ORDER BY id
"""
INSERT_COMMENT: Final = """
INSERT INTO ic3_work_order_comment (order_id, text, at, who)
VALUES (%(order_id)s, %(text)s, %(at)s, %(who)s)
RETURNING id
"""
COUNT_ENTRIES: Final = """
SELECT (SELECT count(*) FROM ic3_work_order_check WHERE order_id = %(order_id)s),
    (SELECT count(*) FROM ic3_work_order_labour WHERE order_id = %(order_id)s),
    (SELECT count(*) FROM ic3_work_order_part WHERE order_id = %(order_id)s),
    (SELECT count(*) FROM ic3_work_order_comment WHERE order_id = %(order_id)s)
"""
EVENTS: Final = """
SELECT id, version, at, who, what, from_state, to_state, note, before, after
FROM ic3_work_order_event
WHERE order_id = %(order_id)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
"""


class Check(msgspec.Struct, frozen=True):
    """One line of a checklist."""

    id: int
    text: str
    done: bool
    done_at: datetime | None
    done_by: str | None


class Labour(msgspec.Struct, frozen=True):
    """Time that somebody spent."""

    id: int
    person: str
    minutes: int
    note: str | None
    at: datetime
    who: str


class Part(msgspec.Struct, frozen=True):
    """Material that was used; costs in hundredths of the currency (paise)."""

    id: int
    name: str
    number: str | None
    quantity: Decimal
    unit_cost_minor: int
    cost_minor: int
    at: datetime
    who: str


class Comment(msgspec.Struct, frozen=True):
    """What somebody said."""

    id: int
    text: str
    at: datetime
    who: str


class OrderEvent(msgspec.Struct, frozen=True):
    """One row of an order's history."""

    id: int
    version: int
    at: datetime
    who: str
    what: str
    from_state: str | None
    to_state: str
    note: str | None
    before: Any
    after: Any


class Details(msgspec.Struct, frozen=True):
    """What belongs to an order, each in the order it was entered."""

    checklist: list[Check]
    labour: list[Labour]
    parts: list[Part]
    comments: list[Comment]


class DetailStore:
    """Reads the history of orders."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, order_id: int, *, after: int, limit: int) -> list[OrderEvent]:
        """The history of an order, oldest first, from behind the event of this number."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                EVENTS, {"order_id": order_id, "after": after, "limit": limit}
            )
            return [OrderEvent(*row) for row in await cursor.fetchall()]


async def details_of(connection: Connection, order: Order) -> Details:
    """What belongs to an order that the caller has seen, but its history."""
    named = {"order_id": order.id}
    checks = await (await connection.execute(CHECKS, named)).fetchall()
    labour = await (await connection.execute(LABOUR, named)).fetchall()
    parts = await (await connection.execute(PARTS, named)).fetchall()
    comments = await (await connection.execute(COMMENTS, named)).fetchall()
    return Details(
        [Check(*row) for row in checks], [Labour(*row) for row in labour],
        [_part(*row) for row in parts], [Comment(*row) for row in comments],
    )  # fmt: skip


async def add_check(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, text: str, *,
    at: datetime,
) -> tuple[Order, int]:  # fmt: skip
    """Add a line to the checklist; answers the order and the number of the line."""
    order = await _to_work_on(connection, order_id, principal)
    number = await _insert(connection, INSERT_CHECK, {"order_id": order.id, "text": text})
    entered = {"id": number, "text": text}
    return await save(
        connection, actor, order, order, "checklist item added", at=at, entered=entered
    ), number


async def set_check(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, item_id: int, *,
    done: bool, at: datetime,
) -> Order:  # fmt: skip
    """Tick a line of the checklist, or take the tick away.

    Raises:
        ApiError: 404: there is no such line.
    """
    order = await locked(connection, order_id, principal)
    check_work(order, principal)
    cursor = await connection.execute(
        SET_CHECK,
        {
            "order_id": order.id, "id": item_id, "done": done, "at": at if done else None,
            "who": actor.who if done else None,
        },
    )  # fmt: skip
    row = await cursor.fetchone()
    if row is None:
        raise ApiError(404, "checklist item not found", "there is no such line")
    what = "checklist item done" if done else "checklist item undone"
    return await save(
        connection, actor, order, order, what, at=at, entered={"id": item_id, "text": row[0]}
    )


async def add_labour(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, *, person: str,
    minutes: int, note: str | None, at: datetime,
) -> tuple[Order, int]:  # fmt: skip
    """Add time that somebody spent."""
    order = await _to_work_on(connection, order_id, principal)
    entered = {"person": person, "minutes": minutes, "note": note}
    number = await _insert(
        connection, INSERT_LABOUR, {**entered, "order_id": order.id, "at": at, "who": actor.who}
    )
    more = msgspec.structs.replace(order, labour_minutes=order.labour_minutes + minutes)
    return await save(
        connection, actor, order, more, "labour added", at=at, entered={"id": number, **entered}
    ), number


async def add_part(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, *, name: str,
    number: str | None, quantity: Decimal, unit_cost_minor: int, at: datetime,
) -> tuple[Order, int]:  # fmt: skip
    """Add material that was used.

    Raises:
        ApiError: 422: the quantity is none, or the sum too large.
    """
    order = await _to_work_on(connection, order_id, principal)
    try:
        milli = quantity_milli(quantity)
    except ValueError as error:
        raise ApiError(422, "bad quantity", str(error)) from None
    total = order.parts_cost_minor + line_cost_minor(quantity, unit_cost_minor)
    if total > COST_LIMIT_MINOR:
        raise ApiError(422, "too much", f"the parts of an order cost at most {COST_LIMIT_MINOR:,}")
    entered = {
        "name": name, "number": number, "quantity_milli": milli,
        "unit_cost_minor": unit_cost_minor,
    }  # fmt: skip
    part_id = await _insert(
        connection, INSERT_PART, {**entered, "order_id": order.id, "at": at, "who": actor.who}
    )
    more = msgspec.structs.replace(order, parts_cost_minor=total)
    return await save(
        connection, actor, order, more, "part added", at=at, entered={"id": part_id, **entered}
    ), part_id


async def add_comment(
    connection: Connection, actor: Actor, principal: Principal, order_id: int, text: str, *,
    at: datetime,
) -> tuple[Order, int]:  # fmt: skip
    """Say something; every operator in scope may."""
    order = await locked(connection, order_id, principal)
    check_open(order)
    await _room(connection, order)
    number = await _insert(
        connection, INSERT_COMMENT,
        {"order_id": order.id, "text": text, "at": at, "who": actor.who},
    )  # fmt: skip
    return await save(
        connection, actor, order, order, "commented", at=at, entered={"id": number, "text": text}
    ), number


async def _to_work_on(connection: Connection, order_id: int, principal: Principal) -> Order:
    order = await locked(connection, order_id, principal)
    check_work(order, principal)
    await _room(connection, order)
    return order


async def _room(connection: Connection, order: Order) -> None:
    row = await (await connection.execute(COUNT_ENTRIES, {"order_id": order.id})).fetchone()
    assert row is not None
    if max(row) >= ENTRIES_LIMIT:
        raise ApiError(409, "order is full", f"it has {ENTRIES_LIMIT:,} entries of a kind")


async def _insert(connection: Connection, statement: Any, values: dict[str, Any]) -> int:
    row = await (await connection.execute(statement, values)).fetchone()
    assert row is not None
    return int(row[0])


def _part(
    number_of_row: int, name: str, number: str | None, milli: int, unit_cost_minor: int,
    at: datetime, who: str,
) -> Part:  # fmt: skip
    quantity = quantity_of(milli)
    cost_minor = line_cost_minor(quantity, unit_cost_minor)
    return Part(number_of_row, name, number, quantity, unit_cost_minor, cost_minor, at, who)
