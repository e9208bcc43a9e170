"""What tests see of a plant: its envelopes, and single values."""

import json
from typing import Any

from ic3.simulator.plant import Plant


def sweep(plant: Plant) -> dict[str, dict[str, Any]]:
    """Every envelope by serial number."""
    found = (json.loads(plant.envelope(at)) for at in range(len(plant.serials)))
    return {envelope["asset_id"]: envelope for envelope in found}


def step(plant: Plant, seconds: int = 15) -> dict[str, dict[str, Any]]:
    """Let time pass, read, and look."""
    plant.move(seconds)
    plant.read(at_ns=plant.at_s * 10**9, tick=plant.at_s // 15)
    return sweep(plant)


def value(plant: Plant, serial: str, tag: str) -> Any:
    """One value as sent."""
    return json.loads(plant.envelope(plant.serials.index(serial)))["values"][tag]
