"""The gateway in front of a real Redis server gives the same telemetry as from memory."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from driven import free_port
from patience import PATIENCE_S

from ic3.gateway.client import RedisRESTClient
from ic3.simulator.clock import SECOND_NS, PlantClock
from ic3.simulator.gateway import PlantGateway
from ic3.simulator.plant import Plant
from ic3.simulator.redis_source import RedisSource

SERVER = shutil.which("redis-server")
pytestmark = pytest.mark.skipif(
    SERVER is None, reason="redis-server is not installed; apt-get install it"
)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of this module's own."""
    assert SERVER is not None
    place: Path = tmp_path_factory.mktemp("redis")
    port = free_port()
    process = subprocess.Popen(
        [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(place)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ready to accept connections" in line:
            break
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.stdout.close()
    process.wait(PATIENCE_S)


@asynccontextmanager
async def serving(source: RedisSource | None) -> AsyncIterator[tuple[PlantGateway, str]]:
    plant = Plant()
    plant.begin(1_781_487_000, warm_up=())
    # Both plants stand at one moment, whenever the test runs.
    clock = PlantClock(wall_ns=lambda: 1_781_487_000 * SECOND_NS)
    gateway = PlantGateway(plant, interval_s=0, source=source, clock=clock)
    server = await gateway.listen("127.0.0.1", 0)
    try:
        yield gateway, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        gateway.close(server)
        plant.close()


async def swept(source: RedisSource | None, mget_path: str | None = None) -> dict[str, str]:
    async with serving(source) as (_, base):
        client = RedisRESTClient(base, mget_path=mget_path)
        values = await client.mget_all(await client.scan_keys("ic3:latest:*"))
        await client.aclose()
    return values


async def test_run_from_a_real_redis_gives_the_same_telemetry(redis_url: str) -> None:
    from_memory = await swept(None)
    assert len(from_memory) == 557
    assert await swept(RedisSource(redis_url)) == from_memory
    assert await swept(RedisSource(redis_url), "/api/redis/mget") == from_memory


async def test_other_types_and_missing_keys_are_said(redis_url: str) -> None:
    source = RedisSource(redis_url)
    source.publish([("Only here", "{}")])
    async with serving(source) as (gateway, base):
        gateway._source._redis.delete("ic3:latest:list")  # type: ignore[union-attr]
        gateway._source._redis.lpush("ic3:latest:list", "x")  # type: ignore[union-attr]
        client = RedisRESTClient(base)
        keys = ["ic3:latest:Only here", "ic3:latest:list", "ic3:latest:nobody"]
        values: dict[str, str] = {}
        failures = await client.read_all(keys, values.__setitem__, deadline_s=5)
        listed = await client.scan_keys("ic3:latest:*")
        await client.aclose()
    assert values == {keys[0]: "{}"}
    assert {key: error.reason for key, error in failures.items()} == {
        keys[1]: "wrong_type",
        keys[2]: "http_404",
    }
    assert set(keys[:2]) <= set(listed)
