"""What the flow tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from driven import place


@pytest.fixture
def own_place() -> Iterator[Path]:
    """A directory of this test's own."""
    with place() as found:
        yield found


@pytest.fixture(scope="module")
def module_place() -> Iterator[Path]:
    """A directory of this module's own."""
    with place() as found:
        yield found
