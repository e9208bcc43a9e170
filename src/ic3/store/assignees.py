"""Who may be given work: users who log in and may act on it."""

from typing import Final

import msgspec

from ic3.errors import ApiError
from ic3.store.pool import Connection

ASSIGNEES: Final = """
SELECT username, full_name, domains FROM ic3_user
WHERE disabled_at IS NULL AND role <> 'viewer'
    AND (%(scope)s::text[] IS NULL OR domains IS NULL OR domains && %(scope)s::text[])
ORDER BY username LIMIT 1000
"""
MAY_BE_GIVEN: Final = """
SELECT domains IS NULL OR %(domain)s::text IS NULL OR %(domain)s::text = ANY(domains)
FROM ic3_user WHERE username = %(username)s AND disabled_at IS NULL AND role <> 'viewer'
"""


class Assignee(msgspec.Struct, frozen=True):
    """Somebody who may be given work; `domains` is null for all."""

    username: str
    full_name: str | None
    domains: list[str] | None


async def assignees(connection: Connection, scope: list[str] | None) -> list[Assignee]:
    """Who may be given work in some domain of a scope, by name; None is all."""
    cursor = await connection.execute(ASSIGNEES, {"scope": scope})
    return [Assignee(*row) for row in await cursor.fetchall()]


async def check_assignee(
    connection: Connection, username: str | None, domain: str | None
) -> None:  # fmt: skip
    """Whether somebody may be given work of a domain; nobody may.

    Raises:
        ApiError: 422: there is no such user, or the work is out of their scope.
    """
    if username is None:
        return
    values = {"username": username, "domain": domain}
    row = await (await connection.execute(MAY_BE_GIVEN, values)).fetchone()
    if row is None:
        raise ApiError(
            422, "unknown assignee",
            "assignee: no user of this name may be given work; for others name a team",
        )  # fmt: skip
    if not row[0]:
        raise ApiError(422, "assignee out of scope", f"assignee: does not see domain {domain}")
