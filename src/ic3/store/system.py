"""What the database says of itself."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from ic3.store.partitions import PARTITIONED
from ic3.store.pool import Database

FACTS: Final = """
SELECT (SELECT max(version) FROM schema_migrations), current_setting('server_version'),
    pg_database_size(current_database())
"""
SPANS: Final = r"""
SELECT p.relname, count(*), min(substring(c.relname FROM '\d+$')),
    max(substring(c.relname FROM '\d+$'))
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relname = ANY(%(tables)s) AND p.relnamespace = 'public'::regnamespace
    AND c.relname ~ '_\d+$'
GROUP BY p.relname ORDER BY p.relname
"""


@dataclass(frozen=True, slots=True)
class PartitionSpan:
    """The partitions of a table, DEFAULT left out.

    Attributes:
        oldest: First day of the oldest.
        newest: First day of the newest; some are made ahead.
    """

    table: str
    count: int
    oldest: date
    newest: date


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """Version, size and partitions.

    Attributes:
        schema_version: Number of the newest migration.
        server_version: Of PostgreSQL.
        size_bytes: Tables, indexes and all else of this database.
        has_row_security: Whether requests see only the rows of who asks by policies of the
            database; otherwise the program alone sees to it.
    """

    schema_version: int
    server_version: str
    size_bytes: int
    has_row_security: bool
    partitions: list[PartitionSpan]


class SystemStore:
    """Asks the catalogue.

    Args:
        database: That of the requests.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self) -> DatabaseFacts:
        """All of it, as it is now."""
        tables = {"tables": [each.name for each in PARTITIONED]}
        async with self._database.connection() as connection:
            [(schema, server, size)] = await (await connection.execute(FACTS)).fetchall()
            spans = await (await connection.execute(SPANS, tables)).fetchall()
        return DatabaseFacts(
            schema, server, size, self._database.enter is not None,
            [PartitionSpan(name, count, _day(low), _day(high)) for name, count, low, high in spans],
        )  # fmt: skip


def _day(digits: str) -> date:
    """The day in a partition's name; of a month its first."""
    return date.fromisoformat(digits if len(digits) == 8 else f"{digits}01")
