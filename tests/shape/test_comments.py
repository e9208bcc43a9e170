"""Every table, view and column says what it holds: the reference pages are made from it."""

from typing import Final

import psycopg

WITHOUT_COMMENT: Final = """
SELECT c.relname, NULL FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    AND NOT c.relispartition AND obj_description(c.oid, 'pg_class') IS NULL
UNION ALL
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
    AND col_description(c.oid, a.attnum) IS NULL
ORDER BY 1, 2
"""
UNFINISHED: Final = """
SELECT description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
WHERE c.relnamespace = 'public'::regnamespace AND description !~ '[.]$'
"""


def test_every_table_view_and_column_has_a_comment(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(WITHOUT_COMMENT).fetchall() == []


def test_every_comment_is_a_sentence(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        assert connection.execute(UNFINISHED).fetchall() == []
