"""Take what is accepted from the spool into PostgreSQL, in order, each sweep once."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

from ic3.clock import Clock
from ic3.domain.envelope import Envelope, Reject, parse
from ic3.domain.sweeps import Accepted, Sweep, SweepRecord
from ic3.errors import SpoolError, StoreError
from ic3.gateway.sweep import content_hash_of
from ic3.observations import ConservationBroken, Observe, SweepEnded, SweepLost
from ic3.spool import Spool, Waiting
from ic3.store.gaps import GapStore
from ic3.store.telemetry import NotAccepted, TelemetryStore

IN_MEMORY: Final = 2


@dataclass(slots=True)
class Unsaved:
    """A sweep that is not in PostgreSQL yet.

    Attributes:
        spool_id: Its number in the spool; None while the spool has not answered, or where the
            spool could not take even its counters.
        sweep: Itself, where it is still in memory.
        accepted: Ends once the spool has it (True) or could not take it (False).
        uncertain: Whether an earlier try may have stored it after all.
    """

    spool_id: int | None
    sweep: Sweep | None
    accepted: asyncio.Future[bool]
    uncertain: bool = False


class UnsavedSweeps:
    """Sweeps on their way to PostgreSQL, in order; beyond a few only their numbers are kept."""

    def __init__(self) -> None:
        self._waiting: deque[Unsaved] = deque()
        self._arrived = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether a sweep may be put before the spool has it: it is stored beside that."""
        return len(self._waiting) < IN_MEMORY

    def put(self, sweep: Sweep, accepted: asyncio.Future[bool]) -> Unsaved:
        """Hand over a sweep; never waits."""
        unsaved = Unsaved(sweep.spool_id, sweep if self.has_room else None, accepted)
        self._append(unsaved)
        return unsaved

    def restore(self, waiting: list[Waiting]) -> None:
        """Take what an earlier process had accepted; it may have stored some of it."""
        for each in waiting:
            accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            accepted.set_result(True)
            self._append(Unsaved(each.spool_id, None, accepted, uncertain=True))

    async def first(self) -> Unsaved:
        """The oldest; it stays until `done`."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting[0]

    def done(self) -> None:
        """Let the oldest go."""
        self._waiting.popleft()

    def release(self) -> None:
        """Keep of accepted sweeps only the numbers: the spool may have to thin or drop them."""
        for each in self._waiting:
            if each.sweep is not None and each.sweep.spool_id is not None:
                each.spool_id, each.sweep = each.sweep.spool_id, None

    def __len__(self) -> int:
        return len(self._waiting)

    def _append(self, unsaved: Unsaved) -> None:
        self._waiting.append(unsaved)
        self._arrived.set()


class Ended(Protocol):
    """Where sweeps wait for the monitoring worker."""

    def put(self, sweep: Sweep, stored: asyncio.Future[bool], *, as_stored: bool = False) -> None:
        """Hand over a sweep.

        Args:
            sweep: What was read.
            stored: Ends once it became durable in PostgreSQL (True) or did not (False).
            as_stored: Take what is in PostgreSQL, not what was read.
        """


class Save:
    """One round is one sweep; it stays first until PostgreSQL has it, then the spool lets go."""

    name = "save"
    every_s: float | None = None

    def __init__(
        self, *, unsaved: UnsavedSweeps, spool: Spool, store: TelemetryStore, gaps: GapStore,
        ended: Ended, clock: Clock, observe: Observe,
    ) -> None:  # fmt: skip
        self._unsaved = unsaved
        self._spool = spool
        self._store = store
        self._gaps = gaps
        self._ended = ended
        self._clock = clock
        self._observe = observe

    async def step(self) -> None:
        """Store the oldest sweep, then forget it."""
        unsaved = await self._unsaved.first()
        try:
            sweep = unsaved.sweep or await self._read(unsaved)
        except SpoolError as error:
            # A damaged row must not stop all that come after it.
            self._observe(SweepLost(unsaved.spool_id or 0, str(error)))
            self._unsaved.done()
            if unsaved.spool_id is not None:
                await self._spool.give_up(unsaved.spool_id)
            return
        if sweep is None:
            self._unsaved.done()
            return
        await self._store_it(unsaved, sweep)
        self._unsaved.done()
        if unsaved.spool_id is not None:
            await self._spool.forget(unsaved.spool_id)
        await self._keep_gaps()
        self._tell(sweep)

    async def _store_it(self, unsaved: Unsaved, sweep: Sweep) -> None:
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._ended.put(sweep, stored)
        begun = self._clock.monotonic()
        try:
            # A wait that is cancelled must not cancel the future that poll will set.
            await self._store.save(
                sweep, now_us=sweep.judged_by_us(self._clock.now_us()),
                accepted=asyncio.shield(unsaved.accepted),
                uncertain=unsaved.uncertain,
            )  # fmt: skip
        except NotAccepted:
            stored.set_result(False)
            return
        except StoreError:
            stored.set_result(False)
            await asyncio.shield(unsaved.accepted)
            unsaved.spool_id = sweep.spool_id
            unsaved.uncertain = True
            sweep.sweep_id = None
            self._unsaved.release()
            raise
        except BaseException:
            stored.set_result(False)
            raise
        unsaved.spool_id = sweep.spool_id
        sweep.phase_ms["store"] = round((self._clock.monotonic() - begun) * 1000, 3)
        if _is_as_read(sweep):
            stored.set_result(True)
        else:
            # What PostgreSQL did not take must not be mapped either.
            stored.set_result(False)
            stored = asyncio.get_running_loop().create_future()
            stored.set_result(True)
            self._ended.put(sweep, stored, as_stored=True)
        # Who maps it has them, or reads them again: a thousand whole sweeps would be too many.
        sweep.envelopes, sweep.rejected = [], []

    async def _read(self, unsaved: Unsaved) -> Sweep | None:
        """A sweep that is no longer in memory; None where the spool never took it."""
        if not await asyncio.shield(unsaved.accepted) or unsaved.spool_id is None:
            return None
        record, accepted = await self._spool.read(unsaved.spool_id)
        return restored(record, accepted, spool_id=unsaved.spool_id, clock=self._clock)

    async def _keep_gaps(self) -> None:
        gaps = await self._spool.gaps()
        if gaps:
            await self._gaps.keep(gaps)
            await self._spool.forget_gaps(gaps)

    def _tell(self, sweep: Sweep) -> None:
        equation = sweep.storing_equation()
        if not equation.holds and sweep.sweep_id is not None:
            self._observe(
                ConservationBroken(sweep.sweep_id, equation.says, equation.left, equation.right)
            )
        outcomes = {
            "unchanged": sweep.unchanged, "stored": sweep.stored, "duplicate": sweep.duplicate,
            "dead": sweep.dead, "gap": sweep.gap, "deferred": sweep.deferred.total(),
        }  # fmt: skip
        self._observe(
            SweepEnded(
                sweep.sweep_id, outcomes, sweep.failed, sweep.quarantined, sweep.tags_rejected,
                sweep.list_rejected, sweep.named,
                {name: ms / 1000 for name, ms in sweep.phase_ms.items()}, sweep.error,
            )
        )  # fmt: skip


def _is_as_read(sweep: Sweep) -> bool:
    """Whether all that was read is in telemetry, by this sweep or with the same text before it."""
    return not sweep.dead and not any(each.reason == Reject.KEY_CONFLICT for each in sweep.rejected)


def restored(
    record: SweepRecord, accepted: list[Accepted], *, spool_id: int, clock: Clock
) -> Sweep:
    """A sweep as the spool gives it back: its texts are parsed as they were the first time."""
    envelopes = [_envelope(each) for each in accepted]
    return record.sweep(envelopes, spool_id=spool_id, started=clock.monotonic())


def _envelope(accepted: Accepted) -> Envelope:
    return parse(
        accepted.serial, accepted.text, received_us=accepted.received_us,
        content_hash=content_hash_of(accepted.text),
    )  # fmt: skip
