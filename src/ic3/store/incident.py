"""What the database holds of a span of time, for those an incident is reported to."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final, LiteralString

from ic3.store.pool import Database

# Half-open spans; what only reaches into one belongs to it. One row is one line of JSON.
PARTS: Final[Mapping[str, LiteralString]] = {
    "audit": """
SELECT to_jsonb(a)::text FROM audit_log a
WHERE a.at >= %(begin)s AND a.at < %(end)s ORDER BY a.chain
""",
    "audit_chain": """
SELECT jsonb_build_object('rows', count(*), 'first', min(chain), 'last', max(chain), 'newest_hash',
    (SELECT encode(hash, 'hex') FROM audit_log ORDER BY chain DESC LIMIT 1),
    'broken', (SELECT to_jsonb(b) FROM ic3_audit_broken() b))::text
FROM audit_log
""",
    "logins": """
SELECT to_jsonb(l)::text FROM ic3_login l
WHERE l.began_at < %(end)s AND coalesce(l.ended_at, l.expires_at) >= %(begin)s ORDER BY l.began_at
""",
    "users": """
SELECT (to_jsonb(u) - 'password_hash')::text FROM ic3_user u ORDER BY u.user_id
""",
    "keys": """
SELECT (to_jsonb(k) - 'key_hash')::text FROM ic3_api_key k ORDER BY k.key_id
""",
    "runs": """
SELECT to_jsonb(r)::text FROM ic3_ingest_run_log r
WHERE r.run_at >= %(begin)s AND r.run_at < %(end)s ORDER BY r.run_at, r.id
""",
    "gaps": """
SELECT to_jsonb(g)::text FROM data_gap g
WHERE g.from_at < %(end)s AND g.to_at >= %(begin)s ORDER BY g.from_at, g.asset_id
""",
    "feed_events": """
SELECT to_jsonb(e)::text FROM ic3_feed_event e
WHERE e.at >= %(begin)s AND e.at < %(end)s ORDER BY e.id
""",
    "alarms": """
SELECT to_jsonb(a)::text FROM ic3_alarm a
WHERE a.raised_at < %(end)s AND (a.cleared_at IS NULL OR a.cleared_at >= %(begin)s) ORDER BY a.id
""",
    "alarm_events": """
SELECT to_jsonb(e)::text FROM ic3_alarm_event e
WHERE e.at >= %(begin)s AND e.at < %(end)s ORDER BY e.at, e.alarm_id, e.version
""",
    "versions": """
SELECT jsonb_build_object('server', version(), 'at', now(), 'migrations',
    (SELECT jsonb_agg(version ORDER BY version) FROM schema_migrations))::text
""",
}


class IncidentStore:
    """Reads the parts of a bundle.

    Args:
        database: Of the owner of the tables, or of the login: other roles may not read all of it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines(self, part: str, begin: datetime, end: datetime) -> AsyncIterator[str]:
        """The rows of a part of `PARTS`, each as JSON.

        Args:
            part: Its name.
            begin: First moment of the span.
            end: The moment after it.
        """
        async with self._database.connection() as connection, connection.cursor() as cursor:
            named = {"begin": begin, "end": end}
            async for (text,) in cursor.stream(PARTS[part], named, size=1000):
                yield text
