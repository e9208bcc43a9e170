"""One pass over the gateway for `ic3 poll`."""

import asyncio
import urllib.request
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus
from typing import Any, Final

from ic3.app.clients import gateway_client
from ic3.app.plant import PLANT_ADDRESS_FILE, plant, refuse_mixing
from ic3.app.restore import open_spool
from ic3.cli.connect import opened
from ic3.clock import Clock
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register, map_envelopes
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.errors import GatewayError
from ic3.gateway.sweep import Sweeper
from ic3.hub.live import unheard
from ic3.hub.local import LocalHub
from ic3.hub.places import Places
from ic3.observations import Observation
from ic3.settings import Settings
from ic3.store.gaps import GapStore
from ic3.store.inbox import InboxStore
from ic3.store.migrate import migrate
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Database
from ic3.store.presence import no_server_beside
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore
from ic3.workers.alarms import News
from ic3.workers.monitoring import EndedSweeps, Monitoring
from ic3.workers.poll import SWEEP_SHARE, Poll
from ic3.workers.save import Save, UnsavedSweeps

PLANT_ANSWERS_S: Final = 2
SERVER_RUNS: Final = (
    "poll: a server runs on this database and sweeps by itself; see ic3 runs, or stop it first"
)


async def one_pass(settings: Settings, *, write: bool) -> dict[str, Any]:
    """Sweep, parse and map once.

    Args:
        settings: What the environment says.
        write: Whether the pass is a real run; otherwise nothing is written.

    Returns:
        Counts by name, reasons by part, and `error` or None.
    """
    clock = Clock()
    async with AsyncExitStack() as stack:
        dsn, pool = await stack.enter_async_context(opened(settings, only_look=not write))
        if write:
            await stack.enter_async_context(no_server_beside(dsn, refusal=SERVER_RUNS))
            await migrate(dsn, adopt_zone=settings.adopt_zone)
            await PartitionStore(pool, raw_days=settings.raw_days).make(clock.now().date())
            await refuse_mixing(settings, pool)
        base = await asyncio.to_thread(_running_plant, settings)
        if base is None:
            base = await stack.enter_async_context(plant(settings, pool, _quiet, fill=write))
        client = gateway_client(settings, base, clock)
        stack.push_async_callback(client.aclose)
        sweeper = Sweeper(client, simulated=settings.simulated, clock=clock)
        if write:
            return await _write(settings, sweeper, pool, clock)
        return await _try(settings, sweeper, pool, clock)


def _running_plant(settings: Settings) -> str | None:
    """The address of the simulated plant that a server runs: two must not share one state."""
    if settings.redis_api_base is not None:
        return None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, ValueError):
        address = (settings.data_dir / PLANT_ADDRESS_FILE).read_text(encoding="ascii").strip()
        with opener.open(f"{address}/plant/kinds", timeout=PLANT_ANSWERS_S) as answer:
            if answer.status == HTTPStatus.OK:
                return address
    return None


async def _try(
    settings: Settings, sweeper: Sweeper, pool: Database, clock: Clock
) -> dict[str, Any]:
    register = await RegisterStore(pool).load_if_changed(Register())
    sweep = sweeper.begin()
    try:
        await sweeper.run(sweep, register, deadline_s=SWEEP_SHARE * settings.poll_interval_s)
    except GatewayError as error:
        sweep.error = str(error)
    mapped = map_envelopes(register, sweep.envelopes, now_us=clock.now_us())
    return _outcome(sweep, rows=len(mapped.readings), tags_skipped=mapped.tags_skipped)


async def _write(
    settings: Settings, sweeper: Sweeper, pool: Database, clock: Clock
) -> dict[str, Any]:
    latest, runs, ended = LatestReadings(), RecentRuns(), EndedSweeps(_quiet)
    registers, unsaved = RegisterStore(pool), UnsavedSweeps()
    feed, places = Feed(interval_s=settings.poll_interval_s), Places(max_clients=0, max_per_user=0)
    hub = LocalHub(clock=clock, observe=_quiet, places=places)
    live = unheard(feed=feed, latest=latest, runs=runs, clock=clock)
    spool = open_spool(settings, clock, _quiet)
    unsaved.restore((await spool.open()).waiting)
    left = len(unsaved)
    store = TelemetryStore(pool, spool=spool.uuid)
    save = Save(
        unsaved=unsaved, spool=spool, store=store, gaps=GapStore(pool, spool=spool.uuid),
        ended=ended, clock=clock, observe=_quiet,
    )  # fmt: skip
    monitoring = Monitoring(
        ended=ended, store=MonitoringStore(pool), registers=registers, inbox=InboxStore(pool),
        latest=latest, runs=runs, live=live,
        interval_s=settings.poll_interval_s, clock=clock, observe=_quiet,
    )  # fmt: skip
    await Poll(
        sweeper=sweeper, spool=spool, store=store, registers=registers, hub=hub, live=live,
        feed=feed, latest=latest, unsaved=unsaved, news=News(),
        interval_s=settings.poll_interval_s, clock=clock, observe=_quiet,
    ).step()  # fmt: skip
    sweep = sweeper.begin()
    for _ in range(left + 1):
        # One after the other would wait for each other: rows are committed after the telemetry.
        async with asyncio.TaskGroup() as group:
            group.create_task(save.step())
            sweep = (await ended.first()).sweep
            group.create_task(monitoring.step())
    await spool.close()
    run = runs.progress().latest
    return _outcome(
        sweep,
        rows=run.rows_inserted if run else 0,
        tags_skipped=run.tags_skipped if run else 0,
    )


def _outcome(sweep: Sweep, *, rows: int, tags_skipped: int) -> dict[str, Any]:
    return {
        "keys_scanned": sweep.keys_scanned, "matched": sweep.matched,
        "unmatched": sweep.unmatched, "unchanged": sweep.unchanged, "accepted": sweep.accepted,
        "deferred": sweep.deferred.total(), "rows": rows, "tags_skipped": tags_skipped,
        "failed": sweep.failed, "quarantined": sweep.quarantined,
        "tags_rejected": sweep.tags_rejected, "list_rejected": sweep.list_rejected,
        "error": sweep.error,
    }  # fmt: skip


def _quiet(_: Observation) -> None:
    """A command says its outcome itself."""
