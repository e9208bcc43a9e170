"""Accepted but not yet stored: one SQLite file, one durable commit a sweep.

An envelope is accepted when the commit that holds it has returned. It stays here until the
transaction that stored it in PostgreSQL has returned, and is then deleted.
"""

import asyncio
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ic3.clock import Clock
from ic3.domain.gaps import Cause, Gap
from ic3.domain.sweeps import Accepted, SweepRecord
from ic3.errors import SpoolError, SpoolFull
from ic3.observations import (
    Observe,
    SpoolDamaged,
    SpoolDropped,
    SpoolFilling,
    SpoolNotBounded,
)

T = TypeVar("T")

FILE: Final = "spool.db"
RESERVE_FILE: Final = "spool.reserve"
RESERVE_BYTES: Final = 16 << 20
PART_ENVELOPES: Final = 5000
THIN_FROM_SHARE: Final = 0.9
THIN_SWEEPS: Final = 50  # thinned at one commit: an outage must not make a sweep wait
THIN_BYTES: Final = 64 << 20
FILLING_SHARES: Final = (0.5, 0.8)
MINUTE_US: Final = 60_000_000

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sweep (
    id INTEGER PRIMARY KEY AUTOINCREMENT, accepted_us INTEGER NOT NULL, envelopes INTEGER NOT NULL,
    bytes INTEGER NOT NULL, thinned INTEGER NOT NULL DEFAULT 0, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS part (
    sweep INTEGER NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (sweep, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS begun (one INTEGER PRIMARY KEY CHECK (one = 1), at_us INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gap (
    cause TEXT NOT NULL, serial TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
    readings INTEGER NOT NULL, PRIMARY KEY (cause, serial)) WITHOUT ROWID;
"""
META: Final = "SELECT value FROM meta WHERE name = ?"
SET_META: Final = "INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)"
BEGIN_SWEEP: Final = "INSERT OR REPLACE INTO begun (one, at_us) VALUES (1, ?)"
BEGUN: Final = "SELECT at_us FROM begun"
END_SWEEP: Final = "DELETE FROM begun"
ADD_SWEEP: Final = """
INSERT INTO sweep (accepted_us, envelopes, bytes, record) VALUES (?, ?, ?, ?)
"""
ADD_PART: Final = "INSERT INTO part (sweep, number, body) VALUES (?, ?, ?)"
WAITING: Final = "SELECT id, accepted_us, envelopes, bytes FROM sweep ORDER BY id"
RECORD: Final = "SELECT record FROM sweep WHERE id = ?"
SET_RECORD: Final = """
UPDATE sweep SET record = ?, envelopes = ?, bytes = ?, thinned = 1 WHERE id = ?
"""
PARTS: Final = "SELECT body FROM part WHERE sweep = ? ORDER BY number"
FORGET_SWEEP: Final = "DELETE FROM sweep WHERE id = ?"
FORGET_PARTS: Final = "DELETE FROM part WHERE sweep = ?"
TO_THIN: Final = """
SELECT id, bytes FROM sweep WHERE NOT thinned AND envelopes > 0 AND id < ? AND id <> ?
ORDER BY id LIMIT ?
"""
OLDEST_AT: Final = "SELECT min(accepted_us) FROM sweep WHERE envelopes > 0"
OLDEST_FULL: Final = """
SELECT id FROM sweep WHERE envelopes > 0 AND id < ? AND id <> ? ORDER BY id LIMIT 1
"""
HELD_BY: Final = "SELECT accepted_us, envelopes FROM sweep WHERE id = ?"
TOTAL: Final = "SELECT coalesce(sum(bytes), 0), coalesce(sum(envelopes), 0), count(*) FROM sweep"
ADD_GAP: Final = """
INSERT INTO gap (cause, serial, from_us, to_us, readings) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (cause, serial) DO UPDATE SET from_us = min(from_us, excluded.from_us),
    to_us = max(to_us, excluded.to_us), readings = readings + excluded.readings
"""
GAPS: Final = (
    "SELECT cause, serial, from_us, to_us, readings FROM gap ORDER BY cause, serial LIMIT ?"
)
FORGET_GAP: Final = "DELETE FROM gap WHERE cause = ? AND serial = ? AND readings = ?"
LAST_ID: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'sweep'"

# What a blob with other bytes than ours makes the decoder raise.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError)

_encode = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(SweepRecord).decode
_decode_part = msgspec.msgpack.Decoder(list[Accepted]).decode


class _Mood(msgspec.Struct):
    """What of an envelope decides whether thinning may drop it."""

    alarm: object = None
    quality: object = None


_decode_mood = msgspec.json.Decoder(_Mood).decode


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sweep that is accepted and not stored."""

    spool_id: int
    accepted_us: int
    envelopes: int
    bytes: int


@dataclass(slots=True)
class SpoolLevel:
    """How full the spool is; `oldest_us` is None where nothing waits."""

    sweeps: int = 0
    envelopes: int = 0
    bytes: int = 0
    oldest_us: int | None = None


@dataclass(slots=True)
class Opened:
    """What was found at start.

    Attributes:
        waiting: Oldest first.
        interrupted_us: When a sweep had begun that never ended; None where there is none.
        damaged: Where a damaged file was set aside.
    """

    waiting: list[Waiting] = field(default_factory=list)
    interrupted_us: int | None = None
    damaged: Path | None = None


class Spool:
    """One file in the data directory; all work on it is done by one thread.

    Args:
        place: Directory of the file.
        cap_bytes: Envelopes beyond this are thinned, then dropped, each counted as a gap.
        age_cap_s: Older ones are dropped likewise.
        clock: Stamps what is accepted.
        observe: Told when it fills, drops or is damaged.

    Attributes:
        uuid: Of the file; with the id of a sweep it names the sweep for good.
        level: How full it is.
    """

    def __init__(
        self, place: Path, *, cap_bytes: int, age_cap_s: float, clock: Clock, observe: Observe
    ) -> None:
        self._place = place
        self._path = place / FILE
        self._cap_bytes = cap_bytes
        self._age_cap_us = int(age_cap_s * 1_000_000)
        self._clock = clock
        self._observe = observe
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._file: sqlite3.Connection | None = None
        self._told_share = 0.0
        self._held = 0
        self.uuid = ""
        self.level = SpoolLevel()

    def share(self) -> float:
        """How full it is, of what it may hold: 0 to 1, more where nothing could be dropped."""
        return self.level.bytes / self._cap_bytes

    async def open(self) -> Opened:
        """Open the file, or set a damaged one aside and begin a new one.

        Raises:
            SpoolError: The directory cannot be used.
        """
        return await self._do(self._open)

    async def begin(self, begun_us: int) -> None:
        """Mark a sweep as begun: where it never ends, the next start says so."""
        await self._do(lambda: self._write(lambda file: file.execute(BEGIN_SWEEP, (begun_us,))))

    async def accept(self, record: SweepRecord, accepted: list[Accepted]) -> int:
        """Take a sweep for good; on return its envelopes are accepted.

        Args:
            record: What became of every key, and what was rejected.
            accepted: The envelopes, as read.

        Returns:
            The number under which it is kept here.

        Raises:
            SpoolFull: The disk is full; nothing was accepted.
            SpoolError: The file cannot be written; nothing was accepted.
        """
        return await self._do(lambda: self._accept(record, accepted))

    async def read(self, spool_id: int) -> tuple[SweepRecord, list[Accepted]]:
        """A sweep that waits; it stays whole until the next one is read or it is forgotten.

        Raises:
            SpoolError: It is not there or cannot be read.
        """

        def read() -> tuple[SweepRecord, list[Accepted]]:
            self._held = spool_id
            return self._read(spool_id)

        return await self._do(read)

    async def give_up(self, spool_id: int) -> None:
        """Delete a sweep that cannot be read; what it held is a gap."""
        await self._do(lambda: self._give_up(spool_id))

    async def forget(self, spool_id: int) -> None:
        """Delete a sweep that PostgreSQL has."""
        await self._do(lambda: self._forget(spool_id))

    async def gaps(self, limit: int = 1000) -> list[Gap]:
        """Gaps that PostgreSQL does not have yet."""
        return await self._do(
            lambda: [
                Gap(Cause(cause), serial or None, from_us, to_us, readings)
                for cause, serial, from_us, to_us, readings in self._open_file.execute(
                    GAPS, (limit,)
                )
            ]
        )

    async def add_gaps(self, gaps: Sequence[Gap]) -> None:
        """Keep gaps until PostgreSQL has them, in one commit."""

        def add(file: sqlite3.Connection) -> None:
            for gap in gaps:
                _add_gap(file, gap)

        await self._do(lambda: self._write(add))

    async def forget_gaps(self, gaps: Iterable[Gap]) -> None:
        """Delete gaps that PostgreSQL has; one that has grown meanwhile stays."""
        rows = [(gap.cause, gap.serial or "", gap.readings) for gap in gaps]
        await self._do(lambda: self._write(lambda file: file.executemany(FORGET_GAP, rows)))

    async def close(self) -> None:
        """Close the file; what waits stays in it."""
        await self._do(self._close)
        self._thread.shutdown(wait=False)

    # on the thread

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @property
    def _open_file(self) -> sqlite3.Connection:
        if self._file is None:
            raise SpoolError("spool: it is closed")
        return self._file

    def _open(self) -> Opened:
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            file, damaged = self._connect_or_set_aside()
            file.execute(SET_META, ("uuid", str(uuid.uuid4())))
            self.uuid = file.execute(META, ("uuid",)).fetchone()[0]
            begun = file.execute(BEGUN).fetchone()
            file.execute(END_SWEEP)
        except (OSError, sqlite3.Error) as error:
            raise SpoolError(f"spool: {self._path} cannot be used: {error}") from None
        self._file = file
        self._keep_reserve()
        if damaged is not None:
            self._salvage(damaged)
        waiting = [Waiting(*row) for row in file.execute(WAITING)]
        self._measure()
        return Opened(waiting, begun[0] if begun else None, damaged)

    def _connect_or_set_aside(self) -> tuple[sqlite3.Connection, Path | None]:
        try:
            return _connect(self._path), None
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and not self._path.is_file():
                raise
            aside = self._path.with_name(f"{FILE}.damaged-{self._clock.now():%Y%m%dT%H%M%SZ}")
            for suffix in ("", "-wal", "-shm"):
                beside = Path(f"{self._path}{suffix}")
                if beside.exists():
                    beside.rename(f"{aside}{suffix}")
            self._observe(SpoolDamaged(str(aside), str(error)))
            return _connect(self._path), aside

    def _salvage(self, damaged: Path) -> None:
        """Take over what a damaged file still gives; the rest is a gap of unknown size."""
        now_us = self._clock.now_us()
        gap = Gap(Cause.SPOOL_CORRUPT, None, now_us, now_us, 0)
        self._write(lambda file: _add_gap(file, gap))
        with suppress(sqlite3.Error), _reading(damaged) as old:
            row = old.execute(LAST_ID).fetchone()
            last = row[0] if row else 0
            for spool_id in range(max(1, last - 200_000), last + 1):
                with suppress(sqlite3.Error, SpoolError, *UNREADABLE):
                    sweep = _read_sweep(old, spool_id)
                    if sweep is not None:
                        self._accept(*sweep)

    def _accept(self, record: SweepRecord, accepted: list[Accepted]) -> int:
        parts = [
            _encode(accepted[at : at + PART_ENVELOPES])
            for at in range(0, len(accepted), PART_ENVELOPES)
        ]
        head = _encode(record)
        size = len(head) + sum(map(len, parts))
        now_us = self._clock.now_us()

        def add(file: sqlite3.Connection) -> int:
            row = (now_us, len(accepted), size, head)
            spool_id = file.execute(ADD_SWEEP, row).lastrowid
            assert spool_id is not None
            file.executemany(ADD_PART, [(spool_id, n, body) for n, body in enumerate(parts)])
            file.execute(END_SWEEP)
            return spool_id

        try:
            spool_id = self._write(add)
        except SpoolFull:
            self._release_reserve()
            raise
        self._grow(size, len(accepted), now_us)
        try:
            self._bound(spool_id, now_us)
        except (sqlite3.Error, SpoolError) as error:
            # The sweep is accepted, whatever becomes of older ones; the next one tries again.
            self._observe(SpoolNotBounded(str(error)))
        return spool_id

    def _read(self, spool_id: int) -> tuple[SweepRecord, list[Accepted]]:
        try:
            found = _read_sweep(self._open_file, spool_id)
        except (sqlite3.Error, *UNREADABLE) as error:
            raise SpoolError(f"spool: sweep {spool_id} cannot be read: {error}") from None
        if found is None:
            raise SpoolError(f"spool: sweep {spool_id} is not there")
        return found

    def _forget(self, spool_id: int) -> None:
        def delete(file: sqlite3.Connection) -> None:
            file.execute(FORGET_PARTS, (spool_id,))
            file.execute(FORGET_SWEEP, (spool_id,))

        self._write(delete)
        self._measure()

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """One durable commit, or nothing."""
        file = self._open_file
        try:
            file.execute("BEGIN IMMEDIATE")
            done = work(file)
            file.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                file.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise SpoolFull("spool: the disk is full; make room in IC3_DATA_DIR") from None
            raise SpoolError(f"spool: {self._path} cannot be written: {error}") from None
        return done

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    # the level, and what happens when it is high

    def _grow(self, size: int, envelopes: int, now_us: int) -> None:
        level = self.level
        level.sweeps += 1
        level.envelopes += envelopes
        level.bytes += size
        if level.oldest_us is None and envelopes:
            level.oldest_us = now_us

    def _measure(self) -> None:
        file = self._open_file
        size, envelopes, sweeps = file.execute(TOTAL).fetchone()
        (oldest_us,) = file.execute(OLDEST_AT).fetchone()
        self.level = SpoolLevel(sweeps, envelopes, size, oldest_us)
        share = size / self._cap_bytes
        if share < FILLING_SHARES[0]:
            self._told_share = 0.0

    def _bound(self, newest_id: int, now_us: int) -> None:
        share = self.level.bytes / self._cap_bytes
        for each in FILLING_SHARES:
            if share >= each > self._told_share:
                self._told_share = each
                self._observe(SpoolFilling(round(100 * share), self.level.envelopes))
        if share >= THIN_FROM_SHARE:
            self._thin(newest_id)
        while self._over(now_us) and self._drop_oldest(newest_id):
            pass

    def _over(self, now_us: int) -> bool:
        too_old = (self.level.oldest_us or now_us) < now_us - self._age_cap_us
        return self.level.bytes > self._cap_bytes or too_old

    def _thin(self, newest_id: int) -> None:
        """Keep of old sweeps one envelope an asset and minute, and every change of mood."""
        file = self._open_file
        ids: list[int] = []
        size = 0
        for spool_id, each in file.execute(TO_THIN, (newest_id, self._held, THIN_SWEEPS)):
            size += each
            if ids and size > THIN_BYTES:
                break
            ids.append(spool_id)
        if len(ids) < 3:
            return
        sweeps = {spool_id: self._read(spool_id) for spool_id in ids}
        kept, dropped = thin([accepted for _, accepted in sweeps.values()])
        lost = sum(map(len, dropped))

        def rewrite(file: sqlite3.Connection) -> None:
            for (spool_id, (record, _)), stay, gone in zip(
                sweeps.items(), kept, dropped, strict=True
            ):
                record.gap += len(gone)
                _rewrite(file, spool_id, record, stay)
            for gap in gaps_of(Cause.SPOOL_THINNED, dropped):
                _add_gap(file, gap)

        self._write(rewrite)
        self._measure()
        if lost:
            self._observe(SpoolDropped("thinned", lost))

    def _drop_oldest(self, newest_id: int) -> bool:
        """Give up the oldest sweep's envelopes; its counters stay, so that its run is told."""
        file = self._open_file
        oldest = file.execute(OLDEST_FULL, (newest_id, self._held)).fetchone()
        if oldest is None:
            return False
        try:
            record, accepted = self._read(oldest[0])
        except SpoolError:
            self._give_up(oldest[0])
            return True

        def drop(file: sqlite3.Connection) -> None:
            record.gap += len(accepted)
            record.rejected, record.keys = [], {}
            _rewrite(file, oldest[0], record, [])
            for gap in gaps_of(Cause.SPOOL_DROPPED, [accepted]):
                _add_gap(file, gap)

        self._write(drop)
        self._measure()
        self._observe(SpoolDropped("dropped", len(accepted)))
        return True

    def _give_up(self, spool_id: int) -> None:
        """Delete what cannot be read; its row still says how many envelopes it held."""

        def drop(file: sqlite3.Connection) -> None:
            row = file.execute(HELD_BY, (spool_id,)).fetchone()
            at_us, envelopes = row or (self._clock.now_us(), 0)
            _add_gap(file, Gap(Cause.SPOOL_CORRUPT, None, at_us, at_us, envelopes))
            file.execute(FORGET_PARTS, (spool_id,))
            file.execute(FORGET_SWEEP, (spool_id,))

        self._write(drop)
        self._measure()

    # the reserve: room for counters where the disk is full

    def _keep_reserve(self) -> None:
        path = self._place / RESERVE_FILE
        with suppress(OSError):
            if not path.exists() or path.stat().st_size < RESERVE_BYTES:
                with path.open("wb") as file:
                    file.write(b"\0" * RESERVE_BYTES)
                    os.fsync(file.fileno())

    def _release_reserve(self) -> None:
        with suppress(OSError):
            (self._place / RESERVE_FILE).unlink()


def thin(
    sweeps: list[list[Accepted]],
) -> tuple[list[list[Accepted]], list[list[Accepted]]]:
    """Of sweeps in order: what stays and what may go, sweep by sweep.

    The first and the last of each asset stay, one a minute, and every one whose alarm or quality
    differs from the one before it.
    """
    last_at: dict[str, int] = {}
    for number, accepted in enumerate(sweeps):
        for each in accepted:
            last_at[each.serial] = number
    seen: dict[str, tuple[int, object, object]] = {}
    kept: list[list[Accepted]] = []
    dropped: list[list[Accepted]] = []
    for number, accepted in enumerate(sweeps):
        stay: list[Accepted] = []
        gone: list[Accepted] = []
        for each in accepted:
            alarm, quality = _mood_of(each.text)
            before = seen.get(each.serial)
            minute = each.received_us // MINUTE_US
            same = before is not None and before == (minute, alarm, quality)
            (gone if same and last_at[each.serial] != number else stay).append(each)
            seen[each.serial] = (minute, alarm, quality)
        kept.append(stay)
        dropped.append(gone)
    return kept, dropped


def gaps_of(cause: Cause, dropped: list[list[Accepted]]) -> Iterator[Gap]:
    """One gap an asset."""
    spans: dict[str, tuple[int, int, int]] = {}
    for accepted in dropped:
        for each in accepted:
            first, last, count = spans.get(each.serial, (each.received_us, each.received_us, 0))
            spans[each.serial] = (
                min(first, each.received_us),
                max(last, each.received_us),
                count + 1,
            )
    for serial, (first, last, count) in spans.items():
        yield Gap(cause, serial, first, last, count)


def _mood_of(text: str) -> tuple[object, object]:
    try:
        mood = _decode_mood(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None, None
    return mood.alarm, mood.quality


def _connect(path: Path) -> sqlite3.Connection:
    """Open, check and prepare the file.

    Raises:
        sqlite3.DatabaseError: It is damaged.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.close(descriptor)
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = FULL")
        (verdict,) = file.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        file.executescript(SCHEMA)
    except sqlite3.Error:
        file.close()
        raise
    return file


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield file
    finally:
        file.close()


def _read_sweep(
    file: sqlite3.Connection, spool_id: int
) -> tuple[SweepRecord, list[Accepted]] | None:
    row = file.execute(RECORD, (spool_id,)).fetchone()
    if row is None:
        return None
    accepted: list[Accepted] = []
    for (body,) in file.execute(PARTS, (spool_id,)):
        accepted += _decode_part(body)
    return _decode_record(row[0]), accepted


def _rewrite(
    file: sqlite3.Connection, spool_id: int, record: SweepRecord, accepted: list[Accepted]
) -> None:
    parts = [
        _encode(accepted[at : at + PART_ENVELOPES])
        for at in range(0, len(accepted), PART_ENVELOPES)
    ]
    head = _encode(record)
    file.execute(FORGET_PARTS, (spool_id,))
    file.executemany(ADD_PART, [(spool_id, number, body) for number, body in enumerate(parts)])
    size = len(head) + sum(map(len, parts))
    file.execute(SET_RECORD, (head, len(accepted), size, spool_id))


def _add_gap(file: sqlite3.Connection, gap: Gap) -> None:
    row = (gap.cause, gap.serial or "", gap.from_us, gap.to_us, gap.readings)
    file.execute(ADD_GAP, row)


def copy_spool(place: Path, target: Path) -> bool:
    """Copy the spool of a data directory as it is now, also while it is written.

    Args:
        place: The directory of the spool.
        target: File to write; must not be there.

    Returns:
        Whether there was one.

    Raises:
        SpoolError: It cannot be read or written.
    """
    if not (place / FILE).is_file():
        return False
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.close(descriptor)
        with _reading(place / FILE) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except (OSError, sqlite3.Error) as error:
        raise SpoolError(f"spool: {place / FILE} cannot be copied: {error}") from None
    return True
