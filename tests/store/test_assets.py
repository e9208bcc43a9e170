"""The register as people change it, on real tables: two at once, other types, conflicts."""

import asyncio

import psycopg
import pytest
from original import VARIED
from samples import Sql

from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.register import AssetQuery, Sort
from ic3.errors import ChangedMeanwhile, InputError, UnknownHere
from ic3.store.assets import AssetStore, add, tag_of
from ic3.store.cmms import CmmsStore
from ic3.store.conflicts import ConflictStore
from ic3.store.exports import ExportStore
from ic3.store.mappings import MappingStore
from ic3.store.migrate import migrate
from ic3.store.parameters import ParameterStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore

ASHA = Actor("asha", "engineer", "10.1.2.3")
RAVI = Actor("ravi", "engineer", "10.1.2.4")
PUMP = "C Block_Pump_1"
CHANGES = [
    "SELECT what FROM audit_log",
    "SELECT version FROM ic3_registry_version",
    "SELECT * FROM ic3_asset_master",
    "SELECT * FROM ic3_register_conflict",
]


@pytest.fixture
async def store(database: Database) -> AssetStore:
    found = AssetStore(database)
    pump = {"serialnumber": PUMP, "name": "Pump", "domain": "DEL-D01"}
    async with database.connection() as connection:
        await add(connection, ASHA, pump, None)
    return found


async def test_of_two_changes_at_once_one_is_told_to_read_again(store: AssetStore) -> None:
    seen = await store.one(PUMP, None)
    assert seen is not None
    outcomes = await asyncio.gather(
        *(
            store.change(actor, PUMP, {"name": actor.who}, if_match=tag_of(seen), scope=None)
            for actor in (ASHA, RAVI)
        ),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in outcomes) == ["Asset", "ChangedMeanwhile"]


async def test_what_is_refused_leaves_nothing(store: AssetStore, sql: Sql) -> None:
    before = [sql(statement) for statement in CHANGES]
    with pytest.raises(ChangedMeanwhile):
        async with store.database.connection() as connection:
            await add(connection, RAVI, {"serialnumber": PUMP}, None)
    with pytest.raises(ChangedMeanwhile):
        await store.change(RAVI, PUMP, {"name": "x"}, if_match='"x"', scope=None)
    with pytest.raises(UnknownHere):
        await store.change(RAVI, PUMP, {"name": "x"}, if_match="*", scope=["DEL-D02"])
    with pytest.raises(InputError):
        await store.change(RAVI, PUMP, {"dma_id": "nowhere"}, if_match="*", scope=None)
    assert [sql(statement) for statement in CHANGES] == before


async def test_an_asset_that_the_inbox_registered_counts_as_entered(
    database: Database, store: AssetStore
) -> None:
    mappings = MappingStore(database)
    await mappings.register(
        RAVI, serial="N", name="New", category=None, domain="DEL-D01", preview=False
    )
    found = await store.one("N", None)
    assert found is not None
    assert ({each["by"] for each in found.entered.values()}, set(found.entered)) == (
        {"ravi"}, {"name", "domain"},
    )  # fmt: skip
    rows = [{"serialnumber": "N", "name": "Other", "category": "pump"}]
    done = await mappings.import_file(ASHA, "register", rows)
    assert (done.difference.conflicts, done.difference.changed) == (1, 1)


async def test_entering_what_was_offered_ends_the_conflict(
    database: Database, store: AssetStore
) -> None:
    conflicts = ConflictStore(database)
    rows = [{"serialnumber": PUMP, "name": "Theirs"}]
    await MappingStore(database).import_file(RAVI, "register", rows)
    assert await conflicts.count_open(None) == 1
    await store.change(ASHA, PUMP, {"name": "Theirs"}, if_match="*", scope=None)
    assert await conflicts.count_open(None) == 0


async def test_an_offer_that_agrees_again_ends_the_conflict(
    database: Database, store: AssetStore
) -> None:
    conflicts, mappings = ConflictStore(database), MappingStore(database)
    await mappings.import_file(RAVI, "register", [{"serialnumber": PUMP, "name": "Theirs"}])
    await mappings.import_file(RAVI, "register", [{"serialnumber": PUMP, "name": "Pump"}])
    assert await conflicts.count_open(None) == 0


async def test_a_parameters_name_can_be_taken_over(database: Database, store: AssetStore) -> None:
    parameters, mappings = ParameterStore(database), MappingStore(database)
    row = {"param_tag_code": "P", "parameter_name": "Pressure", "unit": "m"}
    await mappings.import_file(RAVI, "parameters", [row])
    await parameters.change(ASHA, "P", {"parameter_name": "Head"}, if_match="*")
    await mappings.import_file(RAVI, "parameters", [{**row, "unit": "bar"}])
    found = await parameters.one("P")
    assert found is not None
    assert (found.parameter_name, found.unit) == ("Head", "bar")
    [conflict] = await ConflictStore(database).page(state="open", scope=[], limit=9, after=0)
    await ConflictStore(database).decide(ASHA, conflict.id, "take", [])
    found = await parameters.one("P")
    assert found is not None
    assert (found.parameter_name, found.entered) == ("Pressure", {})


async def test_an_adopted_register_of_other_types_is_read_and_changed(
    empty_dsn: str, clock: Clock
) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute(VARIED.encode())
    await migrate(empty_dsn, adopt_zone="Asia/Kolkata")
    pool = Database(empty_dsn, name="ic3 test", size=2, statement_timeout_s=20, clock=clock)
    await pool.open()
    try:
        store = AssetStore(pool)
        for sort in Sort:
            found, _ = await store.page(
                AssetQuery(dmas=["4"], q="a"), sort=sort, limit=5, after=None
            )  # fmt: skip
            assert [each.serialnumber for each in found] == ["A"]
        assert [each.dmas[0].dma_id for each in await store.tree(None)] == ["4"]
        changed = await store.change(
            ASHA, "A", {"barcode": "b", "longitude": 77.25}, if_match="*", scope=None
        )
        assert (changed.longitude, changed.traceability_id, changed.ticketcount) == (
            77.25,
            73841,
            3,
        )
        fields = {"serialnumber": "A", "traceability_id": "73841", "ticketcount": 3, "status": "In"}
        assert await CmmsStore(pool).settle(ASHA, fields, asset_id=None) == 0
        after = await RegisterStore(pool).asset("A")
        assert after is not None
        assert (after["status"], after["traceability_id"]) == ("In", 73841)
        for table in ("register", "parameters", "tagmap", "dmas"):
            rows = [row async for page in ExportStore(pool).pages(table, None) for row in page]
            assert len(rows) == (0 if table == "dmas" else 1), table
    finally:
        await pool.close()
