"""The chain of the audit log: whatever is altered, taken or added behind our back is found."""

import asyncio

import pytest
from samples import Sql

from ic3.domain.acts import Actor
from ic3.store.audit import AuditStore, Wanted, record
from ic3.store.pool import Database

WHO = Actor("asha", "admin", "127.0.0.1")
WITHOUT_GUARD = "ALTER TABLE audit_log DISABLE TRIGGER USER"


@pytest.fixture
def store(own_database: Database) -> AuditStore:
    return AuditStore(own_database)


async def acted(database: Database, number: int) -> None:
    async with database.connection() as connection:
        for each in range(number):
            await record(
                connection, WHO, "test", f"object {each}", before={"n": each}, after=[each, "पम्प"]
            )


async def test_s36_a_chain_of_many_acts_is_whole(store: AuditStore, own_database: Database) -> None:
    assert (await store.verify()).whole
    await asyncio.gather(*(acted(own_database, 5) for _ in range(4)))
    found = await store.verify()
    assert (found.whole, found.rows, found.first, found.last) == (True, 20, 1, 20)


@pytest.mark.parametrize(
    ("tampering", "broken_at"),
    [
        ("UPDATE audit_log SET who = 'x' WHERE chain = 3", 3),
        ("UPDATE audit_log SET at = at + interval '1 second' WHERE chain = 5", 5),
        ("UPDATE audit_log SET after = NULL WHERE chain = 1", 1),
        ("DELETE FROM audit_log WHERE chain = 4", 5),
        ("DELETE FROM audit_log WHERE chain <= 2", 3),
        ("UPDATE audit_log SET hash = sha256('x') WHERE chain = 6", 6),
        ("UPDATE audit_log SET chain = 99 WHERE chain = 10", 99),
    ],
)
async def test_s36_tampering_is_found(
    store: AuditStore, own_database: Database, own_sql: Sql, tampering: str, broken_at: int
) -> None:
    await acted(own_database, 10)
    own_sql(WITHOUT_GUARD)
    own_sql(tampering)
    own_sql("ALTER TABLE audit_log ENABLE TRIGGER USER")
    found = await store.verify()
    assert (found.whole, found.broken_at) == (False, broken_at)
    assert found.why


async def test_s36_retention_keeps_180_days_and_the_chain_whole(
    store: AuditStore, own_database: Database, own_sql: Sql
) -> None:
    await acted(own_database, 3)
    assert await store.trim(1) == 0
    own_sql("ALTER TABLE audit_log DISABLE TRIGGER only_grows")
    own_sql("TRUNCATE audit_log")
    own_sql(
        "INSERT INTO audit_log (at, who, role, what, whence, object)"
        " SELECT now() - n * interval '100 days', 'a', 'b', 'c', 'd', 'e'"
        " FROM generate_series(3, 0, -1) n"
    )
    own_sql("ALTER TABLE audit_log ENABLE TRIGGER only_grows")
    assert (await store.verify()).whole
    assert await store.trim(250) == 1
    assert await store.trim(1) == 1
    found = await store.verify()
    assert (found.whole, found.rows, found.first) == (True, 2, 3)


async def test_acts_are_found_by_who_what_object_and_time(
    store: AuditStore, own_database: Database
) -> None:
    await acted(own_database, 3)
    (act,) = await store.newest(10, wanted=Wanted(object="object 1"))
    assert (act.object, act.before) == ("object 1", {"n": 1})
    assert len(await store.newest(10, wanted=Wanted(who="asha", what="test"))) == 3
    assert await store.newest(10, wanted=Wanted(who="ravi")) == []
    assert await store.newest(10, wanted=Wanted(until_at=act.at)) == []
    assert len(await store.newest(10, wanted=Wanted(from_at=act.at))) == 3
