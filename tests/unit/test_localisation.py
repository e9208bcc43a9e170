"""Signatures of leaks matched with changes of pressure."""

import numpy as np
import pytest

from ic3.analytics.inflow import Floats
from ic3.analytics.localisation import locate, signature_library
from ic3.errors import InputError

POINTS = np.array([0.0, 100.0, 200.0, 300.0])
PLACES = {"J0": 0.0, "J1": 100.0, "J2": 150.0, "J3": 300.0}
BASE = np.array([40.0, 39.0, 38.0, 37.0])


def pressures(node: str | None, size: float = 1.0) -> Floats:
    """A leak lowers a point by the nearness to it."""
    if node is None:
        return BASE.copy()
    return BASE - size * np.exp(-np.abs(POINTS - PLACES[node]) / 100)


def nights(node: str | None, size: float) -> Floats:
    noise = np.random.default_rng(4).normal(0, 0.01, (7, 4))
    return pressures(node, size) + noise


def test_leak_of_any_size_is_placed() -> None:
    library = signature_library(list(PLACES), pressures)
    best = locate(library, nights(None, 0), nights("J2", 0.4))[0]
    assert best.node == "J2"
    assert best.match > 0.99


def test_area_holds_all_that_match_nearly_as_well() -> None:
    library = signature_library(list(PLACES), pressures)
    found = locate(library, nights(None, 0), nights("J2", 0.4), near_share=0.8)
    assert [each.node for each in found] == ["J2", "J1"]


def test_point_that_is_not_read_is_left_out() -> None:
    library = signature_library(list(PLACES), pressures)
    after = nights("J3", 0.4)
    after[:, 1] = np.nan
    assert locate(library, nights(None, 0), after)[0].node == "J3"


def test_too_few_points_name_no_place() -> None:
    library = signature_library(list(PLACES), pressures)
    after = nights("J3", 0.4)
    after[:, 1:3] = np.nan
    with pytest.raises(InputError, match=r"2 pressure points .* only the DMA can be named"):
        locate(library, nights(None, 0), after)


def test_pressure_that_rises_is_no_leak_anywhere() -> None:
    library = signature_library(list(PLACES), pressures)
    after = BASE + 0.5 + np.zeros((7, 1))
    assert locate(library, nights(None, 0), after) == []
