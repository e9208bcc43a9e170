"""History of the simulated plant through the same parser and stores as live readings."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ic3.app.plant import fill_register, plant_process, refuse_mixing
from ic3.cli.connect import opened
from ic3.clock import Clock
from ic3.domain.envelope import time_text
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Register
from ic3.domain.sweeps import Sweep
from ic3.errors import InputError
from ic3.gateway.history import HistoryReader
from ic3.observations import Observation
from ic3.settings import Settings
from ic3.store.migrate import migrate
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

AHEAD: Final = 3  # frames read and parsed while one is stored


class Progress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("the plant is computed", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._bar.stop()

    def show(self, done: int, total: int, at_s: int) -> None:
        """So many of so many moments are stored, up to this one."""
        words = time_text(at_s * 1_000_000)[:16].replace("T", " ")
        self._bar.update(self._task, completed=done, total=total, description=f"stored to {words}Z")


async def fill_history(
    settings: Settings, *, days: float, scenario: str, progress: Progress
) -> dict[str, Any]:
    """Compute the history and store it; doing it again adds nothing twice.

    Args:
        settings: What the environment says.
        days: How many days before the first live reading.
        scenario: Of the faults in it.
        progress: Told after each moment.

    Raises:
        InputError: It cannot be done for these settings.
    """
    if settings.redis_api_base is not None:
        raise InputError("backfill: REDIS_API_BASE names a real gateway; only the simulated plant"
                         " has a history to write")  # fmt: skip
    if days > settings.raw_days:
        raise InputError(
            f"backfill: {days:g} days are more than IC3_RAW_DAYS={settings.raw_days} keeps;"
            " ask for less or raise it"
        )
    clock = Clock()
    began = clock.monotonic()
    async with AsyncExitStack() as stack:
        dsn, pool = await stack.enter_async_context(opened(settings))
        await migrate(dsn, adopt_zone=settings.adopt_zone)
        await refuse_mixing(settings, pool)
        await fill_register(settings, pool, _quiet)
        await PartitionStore(pool, raw_days=settings.raw_days).make(clock.now().date())
        filler = _Filler(TelemetryStore(pool), MonitoringStore(pool), RegisterStore(pool), clock)
        await filler.begin()
        process = await plant_process(
            settings, "--history-days", f"{days:g}", "--scenario", scenario
        )
        try:
            assert process.stdout is not None
            reader = HistoryReader(process.stdout, simulated=True, clock=clock)
            await filler.run(reader, progress)
            await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await filler.end()
    return {**filler.outcome(), "seconds": round(clock.monotonic() - began, 1)}


class _Filler:
    """Reads ahead, stores one moment after the other."""

    def __init__(
        self, telemetry: TelemetryStore, monitoring: MonitoringStore, registers: RegisterStore,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._telemetry = telemetry
        self._monitoring = monitoring
        self._registers = registers
        self._clock = clock
        self._latest = LatestReadings()
        self._moved: dict[int, Any] = {}
        self._counts = {"steps": 0, "stored": 0, "duplicate": 0, "rows": 0, "rejected": 0}

    async def begin(self) -> None:
        self._latest.register = await self._registers.load_if_changed(Register())
        self._latest.replace(await self._monitoring.all_latest())

    async def run(self, reader: HistoryReader, progress: Progress) -> None:
        coming = await reader.coming()
        queue: asyncio.Queue[tuple[int, Sweep] | None] = asyncio.Queue(AHEAD)

        async def read() -> None:
            async for found in reader.sweeps(coming.steps):
                await queue.put(found)
            await queue.put(None)

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(read())
                while (found := await queue.get()) is not None:
                    at_s, sweep = found
                    await self._store(sweep)
                    self._counts["steps"] += 1
                    progress.show(self._counts["steps"], coming.steps, at_s)
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def end(self) -> None:
        await self._monitoring.merge_latest(self._moved)

    def outcome(self) -> dict[str, Any]:
        return dict(self._counts)

    async def _store(self, sweep: Sweep) -> None:
        """One moment: telemetry and monitoring rows side by side, the latter committed after."""
        register = self._latest.register
        sweep.matched = register.count_matched(each.asset_id for each in sweep.envelopes)
        sweep.unmatched = sweep.keys_scanned - sweep.matched
        movement = Movement(self._latest, sweep.envelopes, now_us=self._clock.now_us())
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def save() -> None:
            try:
                await self._telemetry.save(sweep, now_us=self._clock.now_us())
            except BaseException:
                stored.set_result(False)
                raise
            stored.set_result(True)

        async with asyncio.TaskGroup() as group:
            group.create_task(save())
            rows = group.create_task(self._monitoring.fill(sweep, movement, stored=stored))
        self._latest.apply(movement.moved, movement.repeated)
        self._moved.update(movement.moved)
        self._counts["stored"] += sweep.stored
        self._counts["duplicate"] += sweep.duplicate
        self._counts["rows"] += rows.result()
        self._counts["rejected"] += sweep.quarantined.total()


def _quiet(_: Observation) -> None:
    """The command says its outcome itself."""
