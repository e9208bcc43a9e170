"""A small plant on the map: the network of the unit tests, a few assets, readings and alarms."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from psycopg.types.json import Jsonb
from serving import NOW, NOW_US, Site, add, envelope

from ic3.domain.alarms import Finding, Priority
from ic3.domain.mapping import Parameter, Reading, Register, RegisteredAsset
from ic3.domain.network import Area
from ic3.domain.sweeps import Sweep
from ic3.turns import at_once

ODD = "पम्प घर/१ +%"
PANEL = "J2 panel"
LOST, SWAPPED = "lost", "swapped"


def _networks() -> ModuleType:
    """The unit tests' module: their folder is no package."""
    path = Path(__file__).parents[1] / "unit" / "networks.py"
    spec = importlib.util.spec_from_file_location("networks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


networks = _networks()

INSERT_DMA = """
INSERT INTO ic3_dma (dma_id, name, domain, boundary, connections)
VALUES (%(dma_id)s, %(name)s, %(domain)s, %(boundary)s, %(connections)s)
"""


async def fill_map(site: Site) -> None:
    """Areas and network in the database; register, readings and alarms in memory."""
    boundaries = {"D1": networks.NORTH, "D2": networks.SOUTH}
    areas: dict[str, Area] = networks.AREAS
    async with site.database.connection() as connection:
        for area in areas.values():
            row: dict[str, Any] = {
                "dma_id": area.dma_id, "name": area.name, "domain": area.domain,
                "boundary": Jsonb(boundaries[area.dma_id]), "connections": area.connections,
            }  # fmt: skip
            await connection.execute(INSERT_DMA, row)
    await site.networks.replace(None, networks.small(), hydraulic=True)
    fill_register(site)
    fill_alarms(site)


def fill_register(site: Site) -> None:
    """Two assets with readings, two that nobody can draw."""
    parameters = {
        1: Parameter(1, "Flow", "FLOW", "m³/h"),
        2: Parameter(2, "Mode", "MODE", None),
    }
    assets = [
        RegisteredAsset(1, PANEL, {}, "DEL-D01", "panel", "D1", "Panel", 77.1101, 28.6),
        RegisteredAsset(2, ODD, {}, "DEL-D02", "pump", "D2", None, 77.12, 28.5901),
        RegisteredAsset(3, LOST, {}, "DEL-D01", "pump", "D1", None, None, None),
        RegisteredAsset(4, SWAPPED, {}, "DEL-D02", "pump", "D2", None, 28.59, 77.12),
    ]
    site.latest.register = Register(1, {each.serial: each for each in assets}, parameters)
    add(
        site.latest,
        Reading(1, "FLOW", 1, 12.5, None, NOW_US, 1, "rate"),
        Reading(1, "MODE", 2, None, "Auto", NOW_US - 5_000_000),
    )
    sweep = Sweep(begun_at=NOW, started=site.clock.monotonic(), simulated=False, ended_at=NOW)
    sweep.envelopes = [envelope(PANEL)]
    at_once(site.feed.taking(sweep))


def fill_alarms(site: Site) -> None:
    """One on an asset, one on an area, one of an asset nobody can draw, one of the program."""
    for kind, source, domain in (
        ("asset", PANEL, "DEL-D01"), ("dma", "D2", "DEL-D02"), ("asset", LOST, "DEL-D01"),
        ("system", "gateway", None),
    ):  # fmt: skip
        finding = Finding(
            source_kind=kind, source=source, condition="high", active=True,  # type: ignore[arg-type]
            priority=Priority.HIGH, domain=domain, text="<b>high</b>",
        )  # fmt: skip
        site.alarms.report(finding, at_us=NOW_US)
