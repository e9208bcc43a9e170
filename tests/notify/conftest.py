"""These tests run on the event loop that the product runs on."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from receivers import Receiver, SmtpReceiver

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver of webhooks."""
    async with Receiver().serving() as found:
        yield found


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpReceiver]:
    """A mail server."""
    async with SmtpReceiver().serving() as found:
        yield found
