"""The plant's network from its EPANET file to the tables and back: EPANET finds the same flows."""

import os
import re
from typing import Any

import pytest
from epanet_plus import EpanetAPI
from epanet_plus.epanet_toolkit import EpanetConstants as Constants

from ic3.app.plant import fill_network
from ic3.domain.inp import read_inp, write_inp
from ic3.domain.isolation import ValveGraph
from ic3.domain.network import NodeKind
from ic3.observations import Observation
from ic3.settings import load
from ic3.simulator.plant import Plant
from ic3.store.network import NetworkStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore

SETTINGS = load({})
WARNINGS = [1, 2, 3, 4, 5, 6]
Moment = tuple[dict[str, float], dict[str, float]]


def solved(text: str) -> list[Moment]:
    """Pressure at every node and flow in every link, at each step of a day."""
    api: Any = EpanetAPI(use_project=True, ignore_error_codes=WARNINGS)
    api.createproject()
    api.openfrombuffer(text, os.devnull, os.devnull, "")
    nodes = {n: api.getnodeid(n) for n in range(1, api.getcount(Constants.EN_NODECOUNT) + 1)}
    links = {n: api.getlinkid(n) for n in range(1, api.getcount(Constants.EN_LINKCOUNT) + 1)}
    api.openH()
    api.initH(0)
    found: list[Moment] = []
    while True:
        api.runH()
        found.append(
            (
                {name: api.getnodevalue(n, Constants.EN_PRESSURE) for n, name in nodes.items()},
                {name: api.getlinkvalue(n, Constants.EN_FLOW) for n, name in links.items()},
            )
        )
        if api.nextH() <= 0:
            break
    api.closeH()
    api.close()
    api.deleteproject()
    return found


def with_demands(text: str, rows: list[dict[str, Any]]) -> str:
    """The plant's own file, in which consumption is left to the run, with mean consumption."""
    for row in rows:
        demand = row["demand_m3_h"]
        text = re.sub(rf"^({row['node_id']} [\d.]+) 0$", rf"\1 {demand}", text, count=1, flags=re.M)
    return text


async def filled(database: Database) -> tuple[NetworkStore, Plant]:
    plant = Plant(SETTINGS.plant_seed)
    await RegisterStore(database).import_rows(plant.tables())
    told = list[Observation]()
    await fill_network(SETTINGS, database, told.append)
    await fill_network(SETTINGS, database, told.append)
    assert len(told) == 1
    return NetworkStore(database), plant


async def test_from_inp_to_tables_to_inp_gives_the_same_hydraulics(database: Database) -> None:
    store, plant = await filled(database)
    text, tables = plant.network_tables()
    given = solved(with_demands(text, tables["nodes"]).replace("DURATION 24:00", "DURATION 2:00"))
    exported = write_inp(await store.current()).replace("DURATION 24:00", "DURATION 2:00")
    back = solved(exported)
    assert len(given) == len(back) > 20
    for (pressure, flow), (pressure_again, flow_again) in zip(given, back, strict=True):
        assert pressure_again == pytest.approx(pressure, abs=0.01)
        assert flow_again == pytest.approx(flow, abs=0.1)
    assert sum(abs(each) for each in given[0][1].values()) > 1000


async def test_the_demo_has_its_plants_network_with_areas_assets_and_valves(
    database: Database,
) -> None:
    store, plant = await filled(database)
    network = await store.current()
    assert len(network.nodes) == 982
    assert len(network.links) == 1332
    assert len(network.valves) == 180
    assert len(network.areas) == 40
    serials = {row["serialnumber"] for row in plant.tables()["register"]}
    standing = {each.asset_serial for each in network.links.values()} - {None}
    assert len(standing) > 90
    assert standing | {each.asset_serial for each in network.valves.values()} - {None} <= serials
    customers = sum(each.connections or 0 for each in network.nodes.values())
    assert customers == sum(each.connections or 0 for each in network.areas.values())
    placed = [each for each in network.nodes.values() if each.dma_id is not None]
    assert len(placed) == 800
    assert {each.stuck for each in network.valves.values()} == {True, None}


async def test_what_the_demo_exports_changes_nothing_when_imported(database: Database) -> None:
    store, _ = await filled(database)
    wanted = read_inp(write_inp(await store.current()).encode())
    told = await store.replace(None, wanted, hydraulic=True, dry_run=True)
    for kind in (told.nodes, told.links, told.valves):
        assert (kind.added, kind.changed, kind.removed) == (0, 0, 0)


async def test_every_pipe_of_the_demo_can_be_shut_off_from_the_works(database: Database) -> None:
    store, _ = await filled(database)
    network = await store.current()
    graph = ValveGraph(network)
    in_dmas = [each for each in network.links.values() if each.dma_id is not None]
    for link in in_dmas:
        found = graph.isolate(link.link_id)
        kinds = {network.nodes[name].kind for name in found.segment.nodes}
        assert NodeKind.RESERVOIR not in kinds
        assert found.segment.shut
