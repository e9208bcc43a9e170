"""Sweep the gateway once an interval, make it durable, then broadcast."""

import asyncio
from typing import Protocol

from ic3.clock import Clock
from ic3.domain.latest import LatestReadings
from ic3.domain.status import AssetState, Feed
from ic3.domain.sweeps import Sweep
from ic3.errors import DatabaseAway, GatewayError, StoreError
from ic3.gateway.sweep import Sweeper
from ic3.hub.local import LocalHub
from ic3.observations import ConservationBroken, Observe, SweepEnded
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

SWEEP_SHARE = 0.8


class Ended(Protocol):
    """Where ended sweeps wait for the monitoring worker."""

    def put(self, sweep: Sweep, stored: asyncio.Future[bool]) -> None:
        """Hand over a sweep that has been read; never waits.

        Args:
            sweep: What was read.
            stored: Ends once the sweep is durable (True) or has failed (False).
        """


class Poll:
    """One round is one sweep, whatever becomes of it.

    The order is the promise: durable first, then broadcast. `TelemetryStore.save` is the point
    where a reading is accepted; the durable spool will stand there.
    """

    name = "poll"

    def __init__(
        self,
        *,
        sweeper: Sweeper,
        store: TelemetryStore,
        registers: RegisterStore,
        hub: LocalHub,
        feed: Feed,
        latest: LatestReadings,
        ended: Ended,
        interval_s: float,
        clock: Clock,
        observe: Observe,
    ) -> None:
        self.every_s: float | None = interval_s
        self._deadline_s = SWEEP_SHARE * interval_s
        self._sweeper = sweeper
        self._store = store
        self._registers = registers
        self._hub = hub
        self._feed = feed
        self._latest = latest
        self._ended = ended
        self._clock = clock
        self._observe = observe

    async def step(self) -> None:
        """Sweep, save, broadcast, hand over."""
        sweep = self._sweeper.begin()
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        try:
            try:
                await self._read(sweep)
            finally:
                # Mapping and copying may go on beside the save; their commit waits for `stored`.
                self._ended.put(sweep, stored)
            begun = self._clock.monotonic()
            await self._store.save(sweep, now_us=self._clock.now_us())
            sweep.phase_ms["store"] = round((self._clock.monotonic() - begun) * 1000, 3)
        except (GatewayError, StoreError) as error:
            _fail(sweep, error)
            stored.set_result(False)
        except Exception as error:
            # A fault of ours: its run is logged, and nobody waits for ever for its outcome.
            _fail(sweep, StoreError(f"unforeseen: {type(error).__name__}"))
            stored.set_result(False)
            raise
        except BaseException:
            stored.cancel()
            raise
        else:
            self._sweeper.accept(sweep.envelopes)
            self._hub.publish(sweep.envelopes)
            stored.set_result(True)
        self._feed.take(sweep)
        self._tell(sweep)

    async def _read(self, sweep: Sweep) -> None:
        if not self._feed.restored:
            await self._restore()
        register = await self._registers.load_if_changed(self._latest.register)
        self._latest.register = register
        await self._sweeper.run(sweep, register, deadline_s=self._deadline_s)
        self._check(sweep)
        self._feed.judge_times(sweep)

    async def _restore(self) -> None:
        """Know again what an earlier process accepted, so that nothing old is taken for new."""
        known = await self._store.known_assets()
        for asset in known:
            self._sweeper.remember(asset.serial, asset.content_hash)
        states = (
            (each.serial, AssetState(each.received_us, each.quality, each.alarm, each.occurred_us))
            for each in known
        )
        self._feed.restore(states, await self._store.newest(500))

    def _check(self, sweep: Sweep) -> None:
        scanned, accounted = sweep.balance()
        if scanned != accounted:
            self._observe(ConservationBroken(sweep.sweep_id, scanned, accounted))

    def _tell(self, sweep: Sweep) -> None:
        outcomes = {
            "unchanged": sweep.unchanged,
            "stored": sweep.stored,
            "duplicate": sweep.duplicate,
            "deferred": sweep.deferred,
        }
        self._observe(
            SweepEnded(
                sweep.sweep_id, outcomes, sweep.failed, sweep.quarantined, sweep.tags_rejected,
                {name: ms / 1000 for name, ms in sweep.phase_ms.items()}, sweep.error,
            )
        )  # fmt: skip


def _fail(sweep: Sweep, error: GatewayError | StoreError) -> None:
    """Nothing of it was stored: what was read is at the gateway still and is read again."""
    if sweep.envelopes:
        sweep.failed["not_stored"] += len(sweep.envelopes)
    sweep.error = str(error)
    sweep.sweep_id = None
    sweep.stored = sweep.duplicate = 0
    sweep.envelopes = []
    if isinstance(error, DatabaseAway):
        sweep.rejected = []
