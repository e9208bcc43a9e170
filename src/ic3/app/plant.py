"""The simulated plant, where there is no gateway."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ic3.domain.inp import read_inp
from ic3.domain.network import described
from ic3.errors import SettingsError, StartError
from ic3.observations import Observe, Starting
from ic3.settings import Settings, environment_without_secrets
from ic3.store.network import NetworkStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

PLANT_STATE_FILE: Final = "plant.json"
PLANT_ADDRESS_FILE: Final = "plant.address"
STREAM_LIMIT_BYTES: Final = 1 << 20


@asynccontextmanager
async def plant(
    settings: Settings, ingest: Database, tell: Observe, *, fill: bool = True,
    scenario: str = "none",
) -> AsyncIterator[str]:  # fmt: skip
    """The gateway's address: the configured one, or the simulated plant's while it runs.

    Args:
        settings: What the environment says.
        ingest: Whose empty register is filled with the simulated plant's.
        tell: Told each step.
        fill: Whether it may be filled.
        scenario: Of faults; `none`, `demo` or a file.

    Raises:
        SettingsError: There is neither a gateway nor a simulated plant.
        StartError: The plant does not start.
    """
    if settings.redis_api_base is not None:
        yield settings.redis_api_base
        return
    _check_simulator()
    if fill:
        await fill_register(settings, ingest, tell)
        await fill_network(settings, ingest, tell)
    tell(Starting("plant", "simulated plant on loopback"))
    _make_data_dir(settings)
    process = await plant_process(
        settings, "--watch-parent", "--interval", f"{settings.poll_interval_s:g}",
        "--speed", f"{settings.plant_speed:g}", "--scenario", scenario,
        "--address-file", str(settings.data_dir / PLANT_ADDRESS_FILE),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode().strip()
        if "http://" not in line:
            raise StartError("plant: the simulated plant did not start; see the lines above")
        yield "http://" + line.rpartition("http://")[2]
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(1):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def plant_process(settings: Settings, *arguments: str) -> asyncio.subprocess.Process:
    """A process of the simulated plant, with the plant's state in the data directory."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ic3.simulator", "--seed", str(settings.plant_seed),
        "--state", str(settings.data_dir / PLANT_STATE_FILE), *arguments,
        stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
        env=environment_without_secrets(), start_new_session=True, limit=STREAM_LIMIT_BYTES,
    )  # fmt: skip


async def fill_register(settings: Settings, ingest: Database, tell: Observe) -> None:
    """Fill an empty register with the simulated plant's."""
    registers = RegisterStore(ingest)
    if await registers.count():
        return
    # An extra: imported only where it is used.
    from ic3.simulator.plant import Plant

    tell(Starting("register", "filling the empty register with the simulated plant's"))
    await registers.import_rows(Plant(settings.plant_seed).tables())


async def fill_network(settings: Settings, ingest: Database, tell: Observe) -> None:
    """Fill an empty pipe network with the simulated plant's."""
    networks = NetworkStore(ingest)
    if not await networks.is_empty():
        return
    from ic3.simulator.plant import Plant

    tell(Starting("network", "filling the empty pipe network with the simulated plant's"))
    file, tables = Plant(settings.plant_seed).network_tables()
    network = described(read_inp(file.encode(), "simulated plant"), tables)
    await networks.replace(None, network, hydraulic=False)


async def refuse_mixing(settings: Settings, ingest: Database) -> None:
    """Simulated readings never join those of a real plant.

    Raises:
        StartError: They would.
    """
    if settings.simulated and await TelemetryStore(ingest).holds_a_real_plant():
        raise StartError(
            "plant: this database holds telemetry of a real gateway, which the simulated plant"
            " never joins; set REDIS_API_BASE to that gateway, or IC3_DATA_DIR or DATABASE_URL to"
            " another database"
        )


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"plant: {settings.data_dir}: {error.strerror}; set IC3_DATA_DIR to one that can be"
            " used"
        ) from None


def _check_simulator() -> None:
    if importlib.util.find_spec("epanet_plus") is None:
        raise SettingsError(
            "settings: REDIS_API_BASE is unset and the simulated plant is not installed;"
            " install ic3[sim]"
        )
