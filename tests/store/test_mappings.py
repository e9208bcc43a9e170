"""Acts on the inbox: previews that write nothing, acts that do what the preview said, audited."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from samples import NOW, NOW_US, Sql, envelope, save

from ic3.domain.acts import Actor, Effect, Wish
from ic3.domain.envelope import time_text
from ic3.domain.inbox import Inbox, Key, Kind, Line, State, Taken
from ic3.errors import InputError
from ic3.store import mappings
from ic3.store.audit import AuditStore
from ic3.store.inbox import InboxStore, write_taken
from ic3.store.mappings import MappingStore, NewParameter
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

ASHA = Actor("asha", "engineer", "10.1.2.3")
PUMPS = ("A_Pump_1", "B_Pump_2", "C_Pump_3")
EVERYTHING = """
SELECT (SELECT count(*) FROM ic3_asset_tag_map), (SELECT count(*) FROM ic3_replay),
    (SELECT max(id) FROM audit_log), (SELECT version FROM ic3_registry_version),
    (SELECT count(*) FROM ic3_asset_master), (SELECT string_agg(state, ' ') FROM ic3_inbox)
"""
FROM_REGISTER = """
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
SELECT asset_id, 'P1', %s FROM ic3_asset_master WHERE serialnumber = %s RETURNING asset_id
"""
LAST_ACT = """
SELECT who, role, what, whence, object, before, after FROM audit_log
WHERE what NOT LIKE 'replay%%' ORDER BY id DESC LIMIT 1
"""


@pytest.fixture
def store(database: Database) -> MappingStore:
    return MappingStore(database)


@pytest.fixture
async def numbers(database: Database, sql: Sql) -> dict[str, int]:
    """Three pumps and a valve; P1 on the third pump is mapped to another parameter already."""
    await RegisterStore(database).import_rows(
        {
            "register": [
                *({"serialnumber": each, "category": "pump"} for each in PUMPS),
                {"serialnumber": "D_SV_4", "category": "sluice valve"},
            ],
            "parameters": [
                {"param_tag_code": each, "parameter_name": each} for each in ("P1", "P2")
            ],
            "tagmap": [{"serialnumber": PUMPS[2], "tag_code": "P1", "param_tag_code": "P2"}],
        }
    )
    lines = [
        Line(Key(Kind.TAG, each, "P1"), "DEL-D08", "number", NOW_US, NOW_US, 40, (1,))
        for each in PUMPS[:2]
    ]
    lines.append(Line(Key(Kind.ASSET, "New_Pump_5", ""), None, None, NOW_US, NOW_US, 1, ()))
    async with database.connection() as connection:
        await write_taken(connection, Taken(lines))
    found = sql("SELECT param_tag_code, param_id FROM ic3_parameter_master")
    return dict(found)


async def past(database: Database) -> datetime:
    """Ten envelopes with the tag and one without; answers the time of the first."""
    telemetry = TelemetryStore(database)
    for number in range(11):
        at_us = NOW_US - 60_000_000 * number
        values: dict[str, object] = {"P1": number} if number < 10 else {"other": 1}
        await save(
            telemetry, envelope(PUMPS[0], record=str(number), at=time_text(at_us), values=values)
        )
    return NOW - timedelta(minutes=9)


async def map_one(
    store: MappingStore, param_id: int, serial: str = PUMPS[0], **wish: Any
) -> Effect:
    return await store.map_tag(
        ASHA, serial=serial, tag_code="P1", param_id=param_id, wish=Wish(**wish), now_us=NOW_US
    )


async def map_pumps(store: MappingStore, param_id: int, **wish: Any) -> Effect:
    return await store.map_kind(
        ASHA, category="pump", tag_code="P1", param_id=param_id, wish=Wish(**wish), now_us=NOW_US
    )


async def test_a_preview_says_what_the_past_would_bring_and_writes_nothing(
    store: MappingStore, numbers: dict[str, int], database: Database, sql: Sql
) -> None:
    first = await past(database)
    before = sql(EVERYTHING)
    effect = await map_one(store, numbers["P1"], preview=True)
    assert effect == Effect(True, 1, 1, 0, 0, rows=10, since=first, exact=True)
    later = NOW - timedelta(minutes=2)
    assert (await map_one(store, numbers["P1"], preview=True, from_at=later)).rows == 3
    assert (await map_pumps(store, numbers["P1"], preview=True)).rows == 10
    assert sql(EVERYTHING) == before


async def test_a_mapping_is_a_row_an_audit_line_a_settled_line_and_a_job(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    effect = await map_one(store, numbers["P1"])
    assert (effect.added, effect.changed, effect.replay_id is not None) == (1, 0, True)
    assert sql("SELECT envelopes_total FROM ic3_replay") == [(40,)]
    assert sql(LAST_ACT) == [
        ("asha", "engineer", "tag mapped", "10.1.2.3", f"tag 'P1' of {PUMPS[0]!r}", None,
         {"param_id": numbers["P1"], "param_tag_code": "P1"}),
    ]  # fmt: skip
    assert sql("SELECT state, changed_by FROM ic3_inbox WHERE serial = %s", PUMPS[0]) == [
        ("mapped", "asha")
    ]
    again = await map_one(store, numbers["P2"])
    assert (again.added, again.changed) == (0, 1)
    assert sql(LAST_ACT)[0][5] == {"param_id": numbers["P1"]}


async def test_mapping_by_kind_takes_all_of_the_kind_and_keeps_what_is_mapped_otherwise(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    preview = await map_pumps(store, numbers["P1"], preview=True)
    done = await map_pumps(store, numbers["P1"])
    assert (preview.assets, preview.added, preview.kept) == (2, 2, 1)
    assert (done.assets, done.added, done.kept) == (2, 2, 1)
    assert sql("SELECT count(*) FROM ic3_asset_tag_map WHERE param_id = %s", numbers["P2"]) == [
        (1,)
    ]
    undone = await store.unmap_kind(ASHA, category="pump", tag_code="P1", param_id=numbers["P1"])
    assert undone == 2
    assert sql("SELECT state FROM ic3_inbox WHERE kind = 'tag'") == [("open",), ("open",)]


async def test_undoing_a_mapping_by_kind_keeps_what_the_register_brought(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    sql(FROM_REGISTER, numbers["P1"], PUMPS[0])
    assert (await map_pumps(store, numbers["P1"])).added == 1
    undone = await store.unmap_kind(ASHA, category="pump", tag_code="P1", param_id=numbers["P1"])
    assert undone == 1
    assert sql("SELECT set_by FROM ic3_asset_tag_map WHERE param_id = %s", numbers["P1"]) == [
        (None,)
    ]


async def test_what_is_unknown_is_refused_in_one_line_and_nothing_is_written(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    before = sql(EVERYTHING)
    with pytest.raises(InputError, match="not in the register; register the asset first"):
        await map_one(store, numbers["P1"], "nobody")
    with pytest.raises(InputError, match="no parameter 4711; create it first"):
        await map_one(store, 4711)
    with pytest.raises(InputError, match="no asset of the register is of category 'ship'"):
        await store.map_kind(ASHA, category="ship", tag_code="P1", param_id=numbers["P1"],
                             wish=Wish(), now_us=NOW_US)  # fmt: skip
    with pytest.raises(InputError, match="'A_Pump_1' is in the register already"):
        await store.register(
            ASHA, serial=PUMPS[0], name=None, category=None, domain=None, preview=False
        )
    with pytest.raises(InputError, match="the code 'P1' is taken"):
        await store.add_parameter(ASHA, NewParameter("P1", "x"), now_us=NOW_US)
    assert sql(EVERYTHING) == before


async def test_a_parameter_is_made_and_mapped_or_neither(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    new = NewParameter("P3", "Third", "bar", "gauge", range_low=0, range_high=16)
    with pytest.raises(InputError):
        await store.add_parameter(ASHA, new, map_to=("nobody", "P3"), now_us=NOW_US)
    assert sql("SELECT count(*) FROM ic3_parameter_master") == [(2,)]
    number, effect = await store.add_parameter(ASHA, new, map_to=(PUMPS[0], "P3"), now_us=NOW_US)
    assert effect is not None
    assert effect.added == 1
    assert sql("SELECT unit, range_high FROM ic3_parameter_master WHERE param_id = %s", number) == [
        ("bar", 16.0)
    ]


async def test_an_asset_is_registered_and_its_line_settled(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    fields = {"name": "Fifth", "category": "pump", "domain": "DEL-D08"}
    before = sql(EVERYTHING)
    await store.register(ASHA, serial="New_Pump_5", preview=True, **fields)
    assert sql(EVERYTHING) == before
    number = await store.register(ASHA, serial="New_Pump_5", preview=False, **fields)
    assert sql("SELECT state FROM ic3_inbox WHERE kind = 'asset'") == [("mapped",)]
    assert sql(LAST_ACT)[0][6] == {"asset_id": number, "serial": "New_Pump_5", **fields}


async def test_ignoring_has_a_reason_and_an_end(
    database: Database, numbers: dict[str, int], sql: Sql
) -> None:
    inbox, key = InboxStore(database), Key(Kind.TAG, PUMPS[0], "P1")
    await inbox.ignore(ASHA, key, "a spare channel")
    with pytest.raises(InputError, match="no open line for tag 'P1' of 'A_Pump_1'"):
        await inbox.ignore(ASHA, key, "twice")
    (line,) = await inbox.page(kind=None, state=State.IGNORED, limit=10, after=None)
    assert (line.note, line.changed_by) == ("a spare channel", "asha")
    await inbox.heed(ASHA, key)
    assert await inbox.page(kind=None, state=State.IGNORED, limit=10, after=None) == []
    assert [act.what for act in await AuditStore(database).newest(2)] == [
        "line heeded", "line ignored"
    ]  # fmt: skip


async def test_lines_are_paged_and_counted(database: Database, numbers: dict[str, int]) -> None:
    inbox = InboxStore(database)
    first = await inbox.page(kind=None, state=None, limit=2, after=None)
    last = Key(Kind(first[-1].kind), first[-1].serial, first[-1].tag_code)
    rest = await inbox.page(kind=None, state=None, limit=2, after=last)
    assert [each.serial for each in (*first, *rest)] == ["New_Pump_5", *PUMPS[:2]]
    counts = await inbox.counts()
    assert (counts["tag"]["open"], counts["asset"]["open"], counts["tag"]["mapped"]) == (2, 1, 0)


async def test_a_line_met_again_adds_up_and_keeps_its_first_sight(
    database: Database, numbers: dict[str, int], sql: Sql
) -> None:
    key = Key(Kind.TAG, PUMPS[0], "P1")
    again = Line(key, None, None, NOW_US + 9, NOW_US + 9, 2, (3, 1))
    async with database.connection() as connection:
        await write_taken(connection, Taken([again]))
    lines = {line.key: line for line, _ in await InboxStore(database).all_lines()}
    assert lines[key] == Line(key, "DEL-D08", "number", NOW_US, NOW_US + 9, 42, (3, 1))
    restored = Inbox()
    restored.restore(await InboxStore(database).all_lines())
    assert len(restored) == 3


async def test_sisters_of_the_same_kind_say_what_a_tag_means(
    store: MappingStore, numbers: dict[str, int]
) -> None:
    found = await store.sisters(PUMPS[0], "P1")
    assert [(each.param_tag_code, each.assets) for each in found] == [("P2", 1)]
    elsewhere = await store.sisters("D_SV_4", "P1")
    assert [each.param_tag_code for each in elsewhere] == ["P2"]
    assert await store.sisters(PUMPS[0], "P9") == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET who = 'somebody'",
        "DELETE FROM audit_log",
        "DELETE FROM audit_log WHERE false",
        "TRUNCATE audit_log",
    ],
)
async def test_the_audit_log_only_grows(
    store: MappingStore, numbers: dict[str, int], sql: Sql, statement: str
) -> None:
    await map_one(store, numbers["P1"])
    before = sql("SELECT * FROM audit_log")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="audit_log only grows"):
        sql(statement)
    assert sql("SELECT * FROM audit_log") == before


async def test_an_act_and_its_line_of_the_audit_log_are_one_transaction(
    store: MappingStore, numbers: dict[str, int], sql: Sql
) -> None:
    sql("ALTER TABLE audit_log ADD CONSTRAINT refused CHECK (who <> 'asha') NOT VALID")
    try:
        with pytest.raises(Exception, match="refused"):
            await map_one(store, numbers["P1"])
    finally:
        sql("ALTER TABLE audit_log DROP CONSTRAINT refused")
    assert sql("SELECT count(*) FROM ic3_asset_tag_map") == [(1,)]


async def test_a_count_that_takes_too_long_is_answered_by_what_the_inbox_has_seen(
    store: MappingStore, numbers: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mappings, "COUNT_LIMIT", "SET LOCAL statement_timeout = 20")
    monkeypatch.setattr(mappings, "PAST_ROWS", "SELECT pg_sleep(10), %(tag_code)s")
    effect = await map_pumps(store, numbers["P1"], preview=True)
    assert (effect.rows, effect.since, effect.exact) == (80, NOW, False)
