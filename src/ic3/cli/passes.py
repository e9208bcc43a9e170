"""One pass over the gateway for `ic3 poll`."""

from contextlib import AsyncExitStack
from typing import Any

from ic3.app import gateway_client, plant, refuse_mixing
from ic3.cli.connect import opened
from ic3.clock import Clock
from ic3.domain.latest import LatestReadings
from ic3.domain.mapping import Register, map_envelopes
from ic3.domain.runs import RecentRuns
from ic3.domain.status import Feed
from ic3.domain.sweeps import Sweep
from ic3.errors import GatewayError
from ic3.gateway.sweep import Sweeper
from ic3.hub.local import LocalHub
from ic3.observations import Observation
from ic3.settings import Settings
from ic3.store.inbox import InboxStore
from ic3.store.migrate import migrate
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore
from ic3.workers.monitoring import EndedSweeps, Monitoring
from ic3.workers.poll import SWEEP_SHARE, Poll


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
        dsn, pool = await stack.enter_async_context(opened(settings))
        if write:
            await migrate(dsn, adopt_zone=settings.adopt_zone)
            await PartitionStore(pool, raw_days=settings.raw_days).make(clock.now().date())
            await refuse_mixing(settings, pool)
        base = await stack.enter_async_context(plant(settings, pool, _quiet, fill=write))
        client = gateway_client(settings, base, clock)
        stack.push_async_callback(client.aclose)
        sweeper = Sweeper(client, simulated=settings.simulated, clock=clock)
        if write:
            return await _write(settings, sweeper, pool, clock)
        return await _try(settings, sweeper, pool, clock)


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
    registers = RegisterStore(pool)
    hub = LocalHub(clock=clock, observe=_quiet, max_clients=0, max_per_user=0)
    feed = Feed(interval_s=settings.poll_interval_s)
    await Poll(
        sweeper=sweeper, store=TelemetryStore(pool), registers=registers, hub=hub, feed=feed,
        latest=latest, ended=ended, interval_s=settings.poll_interval_s, clock=clock,
        observe=_quiet,
    ).step()  # fmt: skip
    sweep = (await ended.first()).sweep
    await Monitoring(
        ended=ended, store=MonitoringStore(pool), registers=registers, inbox=InboxStore(pool),
        latest=latest, runs=runs, interval_s=settings.poll_interval_s, clock=clock, observe=_quiet,
    ).step()  # fmt: skip
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
        "deferred": sweep.deferred, "rows": rows, "tags_skipped": tags_skipped,
        "failed": sweep.failed, "quarantined": sweep.quarantined,
        "tags_rejected": sweep.tags_rejected, "list_rejected": sweep.list_rejected,
        "error": sweep.error,
    }  # fmt: skip


def _quiet(_: Observation) -> None:
    """A command says its outcome itself."""
