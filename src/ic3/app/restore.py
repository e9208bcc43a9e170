"""What an earlier process left, taken up before anything new happens."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from ic3.clock import Clock
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_rules import Rule, RuleTable
from ic3.domain.alarms import Alarm, Alarms, Change, What
from ic3.domain.sweeps import Sweep
from ic3.hub.notices import Notices
from ic3.observations import Observe, Starting
from ic3.settings import Settings
from ic3.spool import Spool
from ic3.store.alarm_rules import RuleStore
from ic3.store.alarms import AlarmStore
from ic3.store.pool import Database
from ic3.workers.notify import GIVEN_UP_AFTER
from ic3.workers.save import UnsavedSweeps

UNTOLD_LIMIT: Final = 1000


async def restore_rules(rules: RuleTable, database: Database, *, defaults: Sequence[Rule]) -> None:
    """Take up the rules; a new installation begins with the defaults."""
    store = RuleStore(database)
    await store.insert_defaults(defaults)
    rules.replace([each.rule for each in await store.all()])


async def restore_alarms(
    alarms: Alarms, journal: AlarmJournal, notices: Notices, database: Database, clock: Clock
) -> None:
    """Take up the alarms as they were left, before anything is judged.

    Args:
        alarms: Empty.
        journal: Follows them from then on.
        notices: Likewise; also told of what an earlier process may have had no time to tell.
        database: Where they are stored.
        clock: Says which holds are over.
    """
    known = await AlarmStore(database).restore()
    alarms.restore(
        known.alarms, known.holds, last_id=known.last_id, last_hold_id=known.last_hold_id
    )
    journal.follow(alarms)
    for change in untold(alarms.open, clock.now_us()):
        notices.put(change)
    alarms.listen(notices.put)
    alarms.settle(clock.now_us())


def untold(alarms: Iterable[Alarm], now_us: int) -> list[Change]:
    """Calls that a killed process may have stored and not put into the outbox, oldest first.

    The outbox takes each once. One that anything has happened to since was there long enough.
    """
    since_us = now_us - int(GIVEN_UP_AFTER.total_seconds() * 1e6)
    found = [
        Change(What.NEW, each, each.raised_us)
        for each in alarms
        if each.version == 1 and each.calls and each.raised_us >= since_us
    ]
    return sorted(found, key=lambda change: change.alarm.id)[-UNTOLD_LIMIT:]


def open_spool(settings: Settings, clock: Clock, tell: Observe) -> Spool:
    """The spool of the data directory, not yet opened."""
    return Spool(
        settings.data_dir / "spool", cap_bytes=settings.spool_max_mib << 20,
        age_cap_s=settings.spool_max_hours * 3600, clock=clock, observe=tell,
    )  # fmt: skip


async def reopen(
    spool: Spool, unsaved: UnsavedSweeps, *, simulated: bool, clock: Clock, tell: Observe
) -> None:
    """Open the spool, and take up what an earlier process left in it."""
    opened = await spool.open()
    unsaved.restore(opened.waiting)
    if opened.waiting:
        number = sum(each.envelopes for each in opened.waiting)
        tell(Starting("spool", f"{number:,} accepted envelopes wait to be stored"))
    if opened.interrupted_us is not None:
        broken = Sweep(
            begun_at=datetime.fromtimestamp(opened.interrupted_us / 1e6, UTC),
            started=clock.monotonic(), simulated=simulated, error="interrupted",
        )  # fmt: skip
        broken.spool_id = await spool.accept(broken.record(), [])
        accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        accepted.set_result(True)
        unsaved.put(broken, accepted)
