"""The pipe network in the database: replaced whole, or not at all."""

import asyncio
from itertools import pairwise

import pytest

from ic3.domain.acts import Actor
from ic3.domain.inp import read_inp
from ic3.domain.network import Network
from ic3.store import network as tables
from ic3.store.audit import AuditStore
from ic3.store.network import NetworkStore
from ic3.store.pool import Database

ASHA = Actor("asha", "engineer", "127.0.0.1")
BAD_AREAS = """
INSERT INTO ic3_dma (dma_id, boundary) VALUES ('D', '{"type": "Point"}'), ('E', '3')
"""


def street(*names: str, pipe: str = "P") -> Network:
    """A reservoir and junctions in a row."""
    nodes = "\n".join(f"{name} 1" for name in names)
    row = ("R", *names)
    pipes = "\n".join(
        f"{pipe}{number} {start} {end} 10 100 100"
        for number, (start, end) in enumerate(pairwise(row))
    )
    text = f"[JUNCTIONS]\n{nodes}\n[RESERVOIRS]\nR 9\n[PIPES]\n{pipes}\n[OPTIONS]\nUNITS CMH\n"
    return read_inp(text.encode())


async def names(store: NetworkStore) -> tuple[set[str], set[str]]:
    network = await store.current()
    return set(network.nodes), set(network.links)


async def test_a_network_replaces_the_one_before(database: Database) -> None:
    store = NetworkStore(database)
    assert await store.is_empty()
    await store.replace(ASHA, street("A", "B", "C"), hydraulic=True)
    done = await store.replace(ASHA, street("B", "C", "D"), hydraulic=True)
    assert (done.nodes.added_names, done.nodes.removed_names) == (["D"], ["A"])
    assert (done.links.changed, done.links.unchanged) == (3, 0)
    assert await names(store) == ({"R", "B", "C", "D"}, {"P0", "P1", "P2"})
    assert not await store.is_empty()
    acts = await AuditStore(database).newest(5)
    assert [each.what for each in acts] == ["network imported"] * 2


async def test_nothing_changes_where_the_last_step_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = NetworkStore(database)
    await store.replace(ASHA, street("A"), hydraulic=True)
    before = await store.current()

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("here")

    monkeypatch.setattr(tables, "record", fail)
    with pytest.raises(RuntimeError, match="here"):
        await store.replace(ASHA, street("B", "C"), hydraulic=True)
    assert await store.current() is before


async def test_two_imports_at_once_leave_one_whole_network(database: Database) -> None:
    store = NetworkStore(database)
    some, others = [f"A{n}" for n in range(300)], [f"B{n}" for n in range(300)]
    await asyncio.gather(
        store.replace(ASHA, street(*some, pipe="X"), hydraulic=True),
        store.replace(ASHA, street(*others, pipe="Y"), hydraulic=True),
    )
    nodes, links = await names(NetworkStore(database))
    assert nodes - {"R"} in ({*some}, {*others})
    assert len(links) == 300


async def test_it_is_read_again_only_after_a_change_also_of_an_area(database: Database) -> None:
    store = NetworkStore(database)
    await store.replace(ASHA, street("A"), hydraulic=True)
    first = await store.current()
    assert await store.current() is first
    async with database.connection() as connection:
        await connection.execute("INSERT INTO ic3_dma (dma_id, domain) VALUES ('D', 'DEL-D01')")
    second = await store.current()
    assert second is not first
    assert second.areas["D"].domain == "DEL-D01"


async def test_a_boundary_that_is_none_is_no_area_on_the_map(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(BAD_AREAS)
    network = await NetworkStore(database).current()
    assert [each.polygons for each in network.areas.values()] == [(), ()]
