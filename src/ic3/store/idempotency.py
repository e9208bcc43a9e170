"""Requests that may be sent again: the same key gives the same answer, without a second act."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

import msgspec

from ic3.errors import ApiError
from ic3.store.pool import Connection, Database

KEPT_HOURS: Final = 24
KEPT_KEYS: Final = 100_000

T = TypeVar("T")

# A second request with the key waits here until the first has ended.
TAKE_KEY: Final = """
INSERT INTO ic3_idempotency_key (who, key, request_hash, at)
VALUES (%(who)s, %(key)s, %(request_hash)s, %(at)s)
ON CONFLICT (who, key) DO UPDATE SET request_hash = excluded.request_hash, at = excluded.at,
    answer = NULL
WHERE ic3_idempotency_key.at < %(too_old)s
RETURNING who
"""
KEY: Final = """
SELECT request_hash, answer FROM ic3_idempotency_key WHERE who = %(who)s AND key = %(key)s
"""
KEEP_ANSWER: Final = """
UPDATE ic3_idempotency_key SET answer = %(answer)s WHERE who = %(who)s AND key = %(key)s
"""
TRIM_KEYS: Final = """
DELETE FROM ic3_idempotency_key WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ic3_idempotency_key WHERE at < %(before)s ORDER BY at LIMIT 5000))
"""
TRIM_MANY_KEYS: Final = """
DELETE FROM ic3_idempotency_key WHERE at < (
    SELECT at FROM ic3_idempotency_key ORDER BY at DESC LIMIT 1 OFFSET %(keep)s)
"""


class Once(NamedTuple):
    """A request that must not act twice.

    Attributes:
        key: None where the client sent none; then it acts each time.
        request_hash: Of path and body.
    """

    who: str
    key: str | None
    request_hash: str
    at: datetime


def request_hash(path: str, body: bytes) -> str:
    """What two requests with the same key must have in common."""
    return hashlib.blake2b(path.encode() + b"\0" + body, digest_size=16).hexdigest()


async def run_once(
    database: Database, once: Once, act: Callable[[Connection], Awaitable[T]], kind: type[T]
) -> T:
    """Do an act in a transaction, or answer what it answered before.

    Args:
        database: Where.
        once: The request.
        act: Does it, on the transaction's connection.
        kind: Type of its answer.

    Raises:
        ApiError: 422: the key was used for another request.
    """
    async with database.connection() as connection:
        if once.key is None:
            return await act(connection)
        known = await _known(connection, once)
        if known is not None:
            return msgspec.json.decode(known, type=kind)
        answer = await act(connection)
        await connection.execute(
            KEEP_ANSWER, {"who": once.who, "key": once.key, "answer": msgspec.json.encode(answer)}
        )
        return answer


async def _known(connection: Connection, once: Once) -> bytes | None:
    taken = await connection.execute(
        TAKE_KEY, {**once._asdict(), "too_old": once.at - timedelta(hours=KEPT_HOURS)}
    )
    if await taken.fetchone() is not None:
        return None
    row = await (
        await connection.execute(KEY, {"who": once.who, "key": once.key})
    ).fetchone()  # fmt: skip
    assert row is not None
    if row[0] != once.request_hash:
        raise ApiError(
            422, "key used before", "this Idempotency-Key was sent with another request; take a new"
        )
    return bytes(row[1])


async def trim_keys(database: Database, now: datetime) -> None:
    """Let go of keys that are old or too many."""
    async with database.connection() as connection:
        await connection.execute(TRIM_KEYS, {"before": now - timedelta(hours=KEPT_HOURS)})
        await connection.execute(TRIM_MANY_KEYS, {"keep": KEPT_KEYS - 1})
