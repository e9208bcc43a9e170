"""A plant that has begun, shared where a test only looks."""

from collections.abc import Iterator

import pytest

from ic3.simulator.plant import Plant

AT_S = 1_781_487_000 // 300 * 300


@pytest.fixture(scope="session")
def settled() -> Iterator[Plant]:
    """A plant at AT_S, read once; nobody may move it."""
    plant = Plant()
    plant.begin(AT_S)
    plant.read(at_ns=AT_S * 10**9, tick=AT_S // 15)
    yield plant
    plant.close()


@pytest.fixture
def plant() -> Iterator[Plant]:
    """A plant of the test's own at AT_S."""
    made = Plant()
    made.begin(AT_S)
    yield made
    made.close()
