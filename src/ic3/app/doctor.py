"""The checks of `ic3 doctor` that need no gateway; the running server answers them too."""

import shutil
from datetime import date
from pathlib import Path
from typing import Final

from ic3.app.checks import files_needed, files_possible, warnings
from ic3.clock import Clock
from ic3.domain.checks import Check, Room, Survey
from ic3.settings import Settings
from ic3.store import roles
from ic3.store.migrate import pending
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore

# A day without a row has its empty indexes all the same.
EMPTY_DAY: Final = 1_000_000


async def survey(settings: Settings, pool: Database, clock: Clock) -> Survey:
    """Machine and database; nothing is written.

    Raises:
        StoreError: The database cannot be asked.
    """
    checks = check_machine(settings)
    async with pool.connection() as connection:
        missing = await pending(connection)
    if missing:
        words = f"{len(missing)} migrations are missing"
        return Survey(None, [], [*checks, Check("database", "fail", words, "ic3 migrate")])
    held = await roles.held(pool.dsn)
    room = await _measure_room(settings, pool, clock.now().date())
    checks += [
        Check("database", "pass", "reachable, schema up to date"),
        _check_roles(held),
        _check_growth(settings, room),
        *await _check_register(pool),
    ]
    return Survey(room, sorted(held), checks)


def check_machine(settings: Settings) -> list[Check]:
    """Settings, disk and files."""
    checks = [Check("settings", "pass", f"{len(settings.sources)} set")]
    checks += [Check("settings", "warn", text) for text in warnings(settings)]
    return [*checks, _check_disk(settings), _check_files(settings)]


def _place(settings: Settings) -> Path:
    """The data directory, or where it will be made."""
    place = settings.data_dir
    while not place.exists():
        place = place.parent
    return place


async def _measure_room(settings: Settings, pool: Database, today: date) -> Room:
    """How much is free, and how many days of telemetry that is."""
    usage = shutil.disk_usage(_place(settings))
    store = PartitionStore(pool, raw_days=settings.raw_days)
    days = [size for size in await store.sizes_bytes(today) if size > EMPTY_DAY]
    a_day = max(days[:7], default=None)
    is_same_disk = settings.database_url is None
    left = usage.free / a_day if a_day and is_same_disk else None
    return Room(usage.free, usage.total, len(days), a_day, left)


def _check_disk(settings: Settings) -> Check:
    place = _place(settings)
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total
    detail = f"{usage.free / 1e9:,.1f} GB free at {place} ({share:.0%})"
    if share < 0.1:
        return Check("disk", "warn", detail, "free space, or set IC3_RAW_DAYS lower")
    return Check("disk", "pass", detail)


def _check_files(settings: Settings) -> Check:
    limit, needed = files_possible(), files_needed(settings)
    if limit < needed:
        return Check(
            "files", "warn", f"{limit} may be open, {settings.ws_clients} live clients are allowed",
            f"ulimit -n {needed}, or set IC3_WS_CLIENTS lower",
        )  # fmt: skip
    return Check("files", "pass", f"{limit} may be open")


def _check_roles(held: frozenset[str]) -> Check:
    lacking = roles.missing(held)
    if lacking:
        return Check("roles", "warn", lacking, "docs/howto/users-and-keys.md")
    return Check("roles", "pass", "each part has the rights of its role")


def _check_growth(settings: Settings, room: Room) -> Check:
    """Judge whether the days to be kept fit on the disk, by the largest of the last seven."""
    if room.day_bytes is None:
        return Check("growth", "pass", "known after the first whole day")
    detail = (
        f"{room.day_bytes / 1e9:,.2f} GB a day, {room.days} of {settings.raw_days} days are stored"
    )
    if room.days_left is None:
        return Check("growth", "pass", f"{detail}; the disk is the database server's")
    detail += f", room for {room.days_left:,.0f} more"
    if room.days + room.days_left < settings.raw_days:
        return Check("growth", "warn", detail, "free space, or set IC3_RAW_DAYS lower")
    return Check("growth", "pass", detail)


async def _check_register(pool: Database) -> list[Check]:
    if not await RegisterStore(pool).count():
        words = "the register is empty: no reading belongs to an asset"
        return [Check("register", "warn", words, "ic3 import register FILE.csv")]
    runs = await MonitoringStore(pool).recent_runs(1000)
    good = next((each for each in runs if not isinstance(each.error_msg, str)), None)
    checks = []
    if good is not None and good.unmatched:
        words = f"{good.unmatched} of {good.keys_scanned} keys are not in the register"
        checks.append(Check("register", "warn", words, "ic3 import register FILE.csv"))
    if good is not None and good.tags_skipped:
        words = f"{good.tags_skipped} tags have no parameter"
        checks.append(Check("tag map", "warn", words, "ic3 import tagmap FILE.csv"))
    return checks
