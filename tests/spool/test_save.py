"""The save worker on a real spool, with a database that goes away."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from ic3.domain.envelope import Envelope, parse
from ic3.domain.sweeps import Sweep
from ic3.errors import DatabaseAway
from ic3.gateway.sweep import content_hash_of
from ic3.spool import Spool
from ic3.store.telemetry import TelemetryStore
from ic3.workers.monitoring import EndedSweeps
from ic3.workers.save import Save, UnsavedSweeps

TEXT = (
    '{"record_id":"r-1","asset_id":"A","occurred_at":"2026-06-15T01:41:43.267609313Z",'
    '"values":{"FLOW":1.5}}'
)


class Failing(TelemetryStore):
    """Away at the first try; notes what it was given."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None))
        self.saved: list[tuple[Sweep, bool]] = []

    async def save(self, sweep: Sweep, *, uncertain: bool = False, **_: object) -> None:
        self.saved.append((sweep, uncertain))
        sweep.sweep_id, sweep.stored = 5, sweep.accepted
        if len(self.saved) == 1:
            raise DatabaseAway("database: gone")


async def test_after_an_outage_a_sweep_is_stored_from_the_spool(tmp_path: Path, clock: Any) -> None:
    spool = Spool(tmp_path, cap_bytes=1 << 30, age_cap_s=1e6, clock=clock, observe=lambda _: None)
    await spool.open()
    unsaved, store, ended = UnsavedSweeps(), Failing(), EndedSweeps(lambda _: None)
    save = Save(
        unsaved=unsaved, spool=spool, store=store, gaps=cast("Any", None), ended=ended,
        clock=clock, observe=lambda _: None,
    )  # fmt: skip
    sweep = Sweep(begun_at=clock.now(), ended_at=clock.now(), started=0.0, simulated=True)
    sweep.take(envelope(clock))
    accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    unsaved.put(sweep, accepted)
    sweep.spool_id = await spool.accept(sweep.record(), sweep.accepted_texts())
    accepted.set_result(True)

    with pytest.raises(DatabaseAway):
        await save.step()
    waiting = await unsaved.first()
    assert (waiting.sweep, waiting.spool_id) == (None, sweep.spool_id)
    assert spool.level.envelopes == 1
    await save.step()

    (_, first_uncertain), (again, uncertain) = store.saved
    assert (first_uncertain, uncertain) == (False, True)
    assert again is not sweep
    assert again.spool_id == sweep.spool_id
    assert (len(unsaved), spool.level.envelopes) == (0, 0)
    assert [each.stored.result() for each in (await ended.first(),)] == [False]
    await spool.close()


def envelope(clock: Any) -> Envelope:
    return parse("A", TEXT, received_us=clock.now_us(), content_hash=content_hash_of(TEXT))
