from decimal import Decimal

import pytest
from samples import Sql

from ic3.domain.imports import read_csv
from ic3.domain.mapping import Parameter, Register
from ic3.errors import StoreError
from ic3.store.pool import Database
from ic3.store.register import Imported, RegisterStore

PUMP = "C Block_Pump_1"


@pytest.fixture
def store(database: Database) -> RegisterStore:
    return RegisterStore(database)


async def _fill(store: RegisterStore) -> None:
    await store.import_rows(
        {
            "register": [{"serialnumber": PUMP, "name": "Pump 1", "ticketcount": 3}],
            "parameters": [
                {"param_tag_code": "P", "parameter_name": "Pressure", "unit": "m"},
                {"param_tag_code": "Q", "parameter_name": "Flow"},
            ],
            "tagmap": [{"serialnumber": PUMP, "tag_code": "PT 1", "param_tag_code": "P"}],
        }
    )


async def test_an_empty_register_is_fine(store: RegisterStore) -> None:
    register = await store.load_if_changed(Register())
    assert register.assets == {}
    assert await store.count() == 0
    assert await store.load_if_changed(register) is register


async def test_what_was_imported_is_loaded(store: RegisterStore) -> None:
    await _fill(store)
    register = await store.load_if_changed(Register())
    asset = register.assets[PUMP]
    assert asset.serial == PUMP
    [pressure] = asset.parameters.values()
    assert asset.parameters == {"PT 1": Parameter(pressure.param_id, "Pressure", "P", "m")}
    assert {each.tag_code: each.unit for each in register.parameters.values()} == {
        "P": "m",
        "Q": None,
    }
    assert register.count_matched([PUMP, "stranger"]) == 1
    assert await store.count() == 1


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO ic3_asset_master (serialnumber) VALUES ('by hand')",
        "UPDATE ic3_asset_master SET serialnumber = 'renamed'",
        "DELETE FROM ic3_asset_master",
        "TRUNCATE ic3_asset_master",
        "UPDATE ic3_parameter_master SET unit = 'bar'",
        "DELETE FROM ic3_asset_tag_map",
        "UPDATE ic3_asset_tag_map SET tag_code = 'PT 2'",
    ],
)
async def test_a_change_by_plain_sql_is_seen(store: RegisterStore, sql: Sql, change: str) -> None:
    await _fill(store)
    before = await store.load_if_changed(Register())
    sql(change)
    after = await store.load_if_changed(before)
    assert after is not before
    assert after.version > before.version
    assert (after.assets, after.parameters) != (before.assets, before.parameters)
    assert await store.load_if_changed(after) is after


async def test_map_rows_of_unknown_assets_or_parameters_are_passed_over(
    store: RegisterStore, sql: Sql
) -> None:
    await _fill(store)
    sql("INSERT INTO ic3_asset_tag_map VALUES (999, 'x', 1)")
    sql("INSERT INTO ic3_asset_tag_map SELECT asset_id, 'y', 999 FROM ic3_asset_master")
    register = await store.load_if_changed(Register())
    assert list(register.assets[PUMP].parameters) == ["PT 1"]


async def test_an_import_is_all_or_nothing(store: RegisterStore) -> None:
    with pytest.raises(StoreError, match="22003"):
        await store.import_rows(
            {
                "parameters": [{"param_tag_code": "P", "parameter_name": "Pressure"}],
                "register": [
                    {"serialnumber": "good"},
                    {"serialnumber": "bad", "ticketcount": 2**40},
                ],
            }
        )
    register = await store.load_if_changed(Register())
    assert (register.assets, register.parameters) == ({}, {})


async def test_a_mapping_of_an_unknown_code_is_not_written(store: RegisterStore) -> None:
    await _fill(store)
    rows = [{"serialnumber": "stranger", "tag_code": "t", "param_tag_code": "P"}]
    assert await store.import_rows({"tagmap": rows}) == Imported(added=0, updated=0)


async def test_an_update_keeps_cells_that_the_file_leaves_empty(store: RegisterStore) -> None:
    await _fill(store)
    done = await store.import_rows(
        {
            "register": [
                {"serialnumber": PUMP, "name": None, "ticketcount": None, "status": "In use"},
                {"serialnumber": "new", "longitude": 77.2},
            ],
            "parameters": [{"param_tag_code": "P", "parameter_name": "Head", "unit": None}],
        }
    )
    assert done == Imported(added=1, updated=2)
    kept = await store.asset(PUMP)
    assert kept is not None
    assert (kept["name"], kept["ticketcount"], kept["status"]) == ("Pump 1", 3, "In use")
    register = await store.load_if_changed(Register())
    [pressure] = register.assets[PUMP].parameters.values()
    assert (pressure.name, pressure.unit) == ("Head", "m")


async def test_mapping_a_tag_anew_replaces_its_parameter(store: RegisterStore) -> None:
    await _fill(store)
    rows = [{"serialnumber": PUMP, "tag_code": "PT 1", "param_tag_code": "Q"}]
    assert await store.import_rows({"tagmap": rows}) == Imported(added=0, updated=1)
    register = await store.load_if_changed(Register())
    assert register.assets[PUMP].parameters["PT 1"].name == "Flow"


async def test_a_checked_csv_file_can_be_imported_as_it_is(store: RegisterStore) -> None:
    parsed = read_csv(
        "register",
        "serialnumber,longitude,latitude,ticketcount,name\nपंप १,77.2,28.6,4,पंप\nB,,,,\n".encode(),
    )
    assert parsed.problems == []
    assert await store.import_rows({"register": parsed.rows}) == Imported(added=2, updated=0)
    asset = await store.asset("पंप १")
    assert asset is not None
    assert (asset["longitude"], asset["latitude"], asset["ticketcount"]) == (77.2, 28.6, 4)


async def test_an_asset_has_all_fields_of_the_contract(store: RegisterStore) -> None:
    await _fill(store)
    asset = await store.asset(PUMP)
    assert asset is not None
    assert isinstance(asset.pop("asset_id"), int)
    assert asset == {
        "serialnumber": PUMP, "cmms_asset_id": None, "traceability_id": None, "barcode": None,
        "criticality": None, "capacity_rating": None, "in_charge_person": None, "status": None,
        "asset_live_status": None, "ticketcount": 3, "schedulecount": None, "category": None,
        "dma_id": None, "name": "Pump 1", "domain": None, "longitude": None, "latitude": None,
    }  # fmt: skip
    assert await store.asset("stranger") is None
    assert await store.asset(PUMP.lower()) is None


async def test_numeric_columns_of_an_adopted_register_answer_plain_numbers(
    own_database: Database, own_sql: Sql
) -> None:
    store, sql = RegisterStore(own_database), own_sql
    sql("ALTER TABLE ic3_asset_master ALTER ticketcount TYPE numeric")
    sql("ALTER TABLE ic3_asset_master ALTER schedulecount TYPE text")
    sql("ALTER TABLE ic3_asset_master ALTER longitude TYPE numeric(10, 7)")
    sql("ALTER TABLE ic3_asset_master ALTER traceability_id TYPE bigint USING NULL")
    await store.import_rows(
        {
            "register": [
                {
                    "serialnumber": PUMP, "ticketcount": 3, "schedulecount": 2, "longitude": 77.2,
                    "traceability_id": "73841",
                }
            ]
        }
    )  # fmt: skip
    assert sql("SELECT ticketcount, longitude FROM ic3_asset_master") == [
        (Decimal(3), Decimal("77.2000000"))
    ]
    asset = await store.asset(PUMP)
    assert asset is not None
    assert (asset["ticketcount"], type(asset["ticketcount"])) == (3, int)
    assert (asset["longitude"], type(asset["longitude"])) == (77.2, float)
    assert (asset["schedulecount"], asset["traceability_id"]) == ("2", 73841)


async def test_unknown_codes_are_those_the_tables_lack(store: RegisterStore) -> None:
    await _fill(store)
    assert await store.unknown_codes(serials=[PUMP, "x"], tag_codes=["P", "Q", "y"]) == (
        {"x"},
        {"y"},
    )
    assert await store.unknown_codes(serials=[], tag_codes=[]) == (set(), set())
