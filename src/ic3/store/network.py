"""The pipe network: loading it whole, replacing it whole."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.geo import polygons_of
from ic3.domain.network import (
    Area,
    Difference,
    Element,
    Link,
    Network,
    Node,
    Source,
    Valve,
    completed,
    difference,
)
from ic3.errors import DatabaseAway
from ic3.store.audit import record
from ic3.store.pool import Connection, Database
from ic3.store.scope import for_everybody

VERSION: Final = "SELECT version FROM ic3_network"
SOURCE: Final = "SELECT version, source, form, units, sections FROM ic3_network"
# Waits for an import that goes on: two at once would mix their networks.
LOCK: Final = "SELECT version FROM ic3_network FOR UPDATE"
NODES: Final = """
SELECT node_id, kind, longitude, latitude, elevation_m, demand_m3_h, connections, dma_id, details
FROM ic3_network_node ORDER BY node_id COLLATE "C"
"""
LINKS: Final = """
SELECT link_id, kind, from_node, to_node, length_m, diameter_mm, roughness, status, valve_type,
    vertices, dma_id, asset_serial, stuck, details
FROM ic3_network_link ORDER BY link_id COLLATE "C"
"""
VALVES: Final = """
SELECT valve_id, link_id, node_id, asset_serial, stuck
FROM ic3_network_valve ORDER BY valve_id COLLATE "C"
"""
AREAS: Final = """
SELECT dma_id, name, domain, boundary, connections, population, mains_km, supply_hours, billed_m3_d
FROM ic3_dma ORDER BY dma_id COLLATE "C"
"""
COUNT_NODES: Final = "SELECT count(*) FROM ic3_network_node"

KEEP_NODES: Final = """
INSERT INTO ic3_network_node (node_id, kind, longitude, latitude, elevation_m, demand_m3_h,
    connections, dma_id, details)
SELECT node_id, kind, longitude, latitude, elevation_m, demand_m3_h, connections, dma_id, details
FROM jsonb_populate_recordset(NULL::ic3_network_node, %(rows)s) ORDER BY node_id
ON CONFLICT (node_id) DO UPDATE SET
    kind = excluded.kind, longitude = excluded.longitude, latitude = excluded.latitude,
    elevation_m = excluded.elevation_m, demand_m3_h = excluded.demand_m3_h,
    connections = excluded.connections, dma_id = excluded.dma_id, details = excluded.details
"""
KEEP_LINKS: Final = """
INSERT INTO ic3_network_link (link_id, kind, from_node, to_node, length_m, diameter_mm, roughness,
    status, valve_type, vertices, dma_id, asset_serial, stuck, details)
SELECT link_id, kind, from_node, to_node, length_m, diameter_mm, roughness,
    status, valve_type, vertices, dma_id, asset_serial, stuck, details
FROM jsonb_populate_recordset(NULL::ic3_network_link, %(rows)s) ORDER BY link_id
ON CONFLICT (link_id) DO UPDATE SET
    kind = excluded.kind, from_node = excluded.from_node, to_node = excluded.to_node,
    length_m = excluded.length_m, diameter_mm = excluded.diameter_mm,
    roughness = excluded.roughness, status = excluded.status, valve_type = excluded.valve_type,
    vertices = excluded.vertices, dma_id = excluded.dma_id, asset_serial = excluded.asset_serial,
    stuck = excluded.stuck, details = excluded.details
"""
KEEP_VALVES: Final = """
INSERT INTO ic3_network_valve (valve_id, link_id, node_id, asset_serial, stuck)
SELECT valve_id, link_id, node_id, asset_serial, stuck
FROM jsonb_populate_recordset(NULL::ic3_network_valve, %(rows)s) ORDER BY valve_id
ON CONFLICT (valve_id) DO UPDATE SET
    link_id = excluded.link_id, node_id = excluded.node_id, asset_serial = excluded.asset_serial,
    stuck = excluded.stuck
"""
DROP_NODES: Final = "DELETE FROM ic3_network_node WHERE node_id = ANY(%(names)s)"
DROP_LINKS: Final = "DELETE FROM ic3_network_link WHERE link_id = ANY(%(names)s)"
DROP_VALVES: Final = "DELETE FROM ic3_network_valve WHERE valve_id = ANY(%(names)s)"
KEEP_SOURCE: Final = """
UPDATE ic3_network SET source = %(source)s, form = %(form)s, units = %(units)s,
    sections = %(sections)s, imported_at = now(), imported_by = %(who)s
"""
BATCH: Final = 5000


class Imported(msgspec.Struct):
    """What an import changed, or would change."""

    dry_run: bool
    nodes: Difference
    links: Difference
    valves: Difference
    warnings: list[str] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class _Shelf:
    """The latest network that was loaded, shared by all who ask."""

    network: Network | None = None


class NetworkStore:
    """Reads the network, which it keeps in memory, and replaces it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shelf = _Shelf()
        self._loading = asyncio.Lock()

    async def current(self) -> Network:
        """The network as it is; as it was last known where the database is away.

        Raises:
            DatabaseAway: It is away, and nothing was loaded before.
        """
        try:
            async with self._database.connection() as connection:
                version = await _version(connection)
        except DatabaseAway:
            if self._shelf.network is None:
                raise
            return self._shelf.network
        async with self._loading:
            known = self._shelf.network
            if known is None or known.version != version:
                known = self._shelf.network = await self._load()
        return known

    async def is_empty(self) -> bool:
        """Whether there is no network at all."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(COUNT_NODES)).fetchone()
            return not row or row[0] == 0

    async def replace(
        self, actor: Actor | None, wanted: Network, *, hydraulic: bool, dry_run: bool = False
    ) -> Imported:
        """Make the network what a checked file says, all or nothing.

        Args:
            actor: Who does it; None where it is no person's act.
            wanted: The whole network.
            hydraulic: Whether the file knows hydraulics only; the rest then stays as it is.
            dry_run: Only say what it would do.
        """
        async with self._database.connection() as connection:
            await connection.execute(LOCK)
            known = await _read(connection)
            if hydraulic:
                wanted = await asyncio.to_thread(completed, wanted, known)
            outcome = await asyncio.to_thread(_outcome, known, wanted, dry_run=dry_run)
            if not dry_run:
                await _write(connection, known, wanted)
                await _keep_source(connection, wanted.source, actor)
                if actor is not None:
                    await record(
                        connection, actor, "network imported", wanted.source.name or "network",
                        after=_counts(outcome),
                    )  # fmt: skip
        return outcome

    async def _load(self) -> Network:
        """All tables in one snapshot."""
        # The areas of the caller alone would be kept as if they were all.
        with for_everybody():
            return await self._load_all()

    async def _load_all(self) -> Network:
        async with self._database.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return await _read(connection)


async def _version(connection: Connection) -> int:
    row = await (await connection.execute(VERSION)).fetchone()
    return int(row[0]) if row else 0


async def _read(connection: Connection) -> Network:
    row = await (await connection.execute(SOURCE)).fetchone()
    version, name, form, units, sections = row or (0, "", "", "CMH", {})
    nodes = await _structs(connection, NODES, Node)
    links = await _structs(connection, LINKS, Link)
    valves = await _structs(connection, VALVES, Valve)
    areas = {}
    for dma_id, title, domain, boundary, *figures in await (
        await connection.execute(AREAS)
    ).fetchall():
        areas[dma_id] = Area(dma_id, title, domain, polygons_of(boundary), *figures)
    return Network(
        version, {each.node_id: each for each in nodes}, {each.link_id: each for each in links},
        {each.valve_id: each for each in valves}, areas, Source(name, form, units, sections),
    )  # fmt: skip


async def _structs(
    connection: Connection, statement: LiteralString, kind: type[Element]
) -> list[Element]:
    cursor = await connection.execute(statement)
    names = [each.name for each in cursor.description or ()]
    rows = await cursor.fetchall()
    # Large networks take a while; requests go on meanwhile.
    return await asyncio.to_thread(
        lambda: [msgspec.convert(dict(zip(names, row, strict=True)), kind) for row in rows]
    )


async def _write(connection: Connection, known: Network, wanted: Network) -> None:
    for keep, before, after in (
        (KEEP_NODES, known.nodes, wanted.nodes),
        (KEEP_LINKS, known.links, wanted.links),
        (KEEP_VALVES, known.valves, wanted.valves),
    ):
        await _keep(connection, keep, before, after)
    for drop, old, new in (
        (DROP_VALVES, known.valves, wanted.valves),
        (DROP_LINKS, known.links, wanted.links),
        (DROP_NODES, known.nodes, wanted.nodes),
    ):
        gone = sorted(set(old) - set(new))
        if gone:
            await connection.execute(drop, {"names": gone})


async def _keep(
    connection: Connection, statement: LiteralString, before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:  # fmt: skip
    moved = [each for name, each in after.items() if before.get(name) != each]
    for start in range(0, len(moved), BATCH):
        rows = [msgspec.to_builtins(each) for each in moved[start : start + BATCH]]
        await connection.execute(statement, {"rows": Jsonb(rows)})


def _outcome(known: Network, wanted: Network, *, dry_run: bool) -> Imported:
    return Imported(
        dry_run, difference(known.nodes, wanted.nodes), difference(known.links, wanted.links),
        difference(known.valves, wanted.valves),
    )  # fmt: skip


def _counts(outcome: Imported) -> dict[str, dict[str, int]]:
    kinds = {"nodes": outcome.nodes, "links": outcome.links, "valves": outcome.valves}
    return {
        kind: {"added": each.added, "changed": each.changed, "removed": each.removed}
        for kind, each in kinds.items()
    }


async def _keep_source(connection: Connection, source: Source, actor: Actor | None) -> None:
    sections = {name: list(lines) for name, lines in source.sections.items()}
    await connection.execute(
        KEEP_SOURCE,
        {
            "source": source.name, "form": source.form, "units": source.units,
            "sections": Jsonb(sections), "who": actor and actor.who,
        },
    )  # fmt: skip
