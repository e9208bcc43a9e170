"""Requests that may be sent again: the same key gives the same answer, without a second act."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ic3.errors import ApiError
from ic3.store.pool import Database

KEPT_HOURS: Final = 24
KEPT_KEYS: Final = 100_000

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
FREE_KEY: Final = """
DELETE FROM ic3_idempotency_key WHERE who = %(who)s AND key = %(key)s AND answer IS NULL
"""
TRIM_KEYS: Final = """
DELETE FROM ic3_idempotency_key WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ic3_idempotency_key WHERE at < %(before)s ORDER BY at LIMIT 5000))
"""
TRIM_MANY_KEYS: Final = """
DELETE FROM ic3_idempotency_key WHERE at < (
    SELECT at FROM ic3_idempotency_key ORDER BY at DESC LIMIT 1 OFFSET %(keep)s)
"""


class Claim(NamedTuple):
    """A request that must not act twice.

    Attributes:
        request_hash: Of all that two requests with the same key must have in common.
    """

    who: str
    key: str
    request_hash: str
    at: datetime


async def claim_key(database: Database, claim: Claim) -> bytes | None:
    """Take a key before the act; what the first request was answered where it is taken.

    A transaction of its own: an act may have several, or none.

    Raises:
        ApiError: 422: the key was used for another request. 409: the first has not ended.
    """
    async with database.connection() as connection:
        taken = await connection.execute(
            TAKE_KEY, {**claim._asdict(), "too_old": claim.at - timedelta(hours=KEPT_HOURS)}
        )
        if await taken.fetchone() is not None:
            return None
        row = await (
            await connection.execute(KEY, {"who": claim.who, "key": claim.key})
        ).fetchone()  # fmt: skip
    if row is not None and row[0] != claim.request_hash:
        raise ApiError(
            422, "key used before", "this Idempotency-Key was sent with another request; take a new"
        )
    if row is None or row[1] is None:
        raise ApiError(
            409, "not ended",
            "the first request with this Idempotency-Key has not ended; send it again soon. Where"
            " that does not end, the server was stopped in the middle: look whether it was done",
            headers={"Retry-After": "1"},
        )  # fmt: skip
    return bytes(row[1])


async def keep_answer(database: Database, claim: Claim, answer: bytes) -> None:
    """Keep what the act answered."""
    async with database.connection() as connection:
        await connection.execute(
            KEEP_ANSWER, {"who": claim.who, "key": claim.key, "answer": answer}
        )


async def free_key(database: Database, claim: Claim) -> None:
    """Let the key be used again: nothing was done."""
    async with database.connection() as connection:
        await connection.execute(FREE_KEY, {"who": claim.who, "key": claim.key})


async def trim_keys(database: Database, now: datetime) -> None:
    """Let go of keys that are old or too many."""
    async with database.connection() as connection:
        await connection.execute(TRIM_KEYS, {"before": now - timedelta(hours=KEPT_HOURS)})
        await connection.execute(TRIM_MANY_KEYS, {"keep": KEPT_KEYS - 1})
