"""The API's tests run on the event loop that the product runs on."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from serving import Site, serving

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server whose database is away."""
    async with serving() as site:
        yield site


@pytest.fixture
async def stored(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with a database of this test's own."""
    async with serving(fresh_dsn) as site:
        yield site
