"""One pass over the gateway: what it brought and what became of every key."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from ic3.domain.envelope import Envelope, spelled

KEPT_REJECTS = 1000
KEPT_KEYS = 1000
NAMED_KEYS = 3
NAMED_CHARACTERS = 300
BATCH_ENVELOPES = 400


class Origin(StrEnum):
    """How readings came: swept now, history sent afterwards, or taken again from quarantine."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"


class Rejected(msgspec.Struct, frozen=True):
    """Something not taken, with its bytes.

    Attributes:
        scope: `list`, `outer`, `inner`, `envelope`, `tag` or `database`.
        raw: The bytes as read, possibly cut; `raw_length` is their full number.
        sqlstate: What PostgreSQL said, where it refused.
    """

    scope: str
    reason: str
    key: str
    raw: bytes
    raw_length: int
    detail: str = ""
    sqlstate: str | None = None


class Accepted(msgspec.Struct, frozen=True, array_like=True):
    """An envelope as the spool keeps it: all that is needed to parse it again.

    Attributes:
        received_us: When the gateway's answer was read, microseconds since 1970 UTC.
        text: As read.
    """

    serial: str
    received_us: int
    text: str


class Equation(NamedTuple):
    """One equation of conservation; both sides must be equal."""

    name: str
    says: str
    left: int
    right: int

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.left == self.right


@dataclass(slots=True)
class Sweep:
    """What one pass over the gateway brought.

    Attributes:
        sweep_id: Its row in `ic3_sweep`, once it has one.
        spool_id: Its number in the spool, once it is accepted.
        keys_listed: Entries of the gateway's list, as they came.
        read_ok: Keys that were answered, whatever the answer was worth.
        gap: Accepted envelopes that the spool had to give up.
        dead: Accepted envelopes that PostgreSQL refused, row by row.
        duplicates: Those of the envelopes that telemetry had already; known once it is stored.
        keys: Reason to keys, for who wants to know which; bounded.
        listed: Key to serial number of the list, the same object while the list stays the same;
            None where no list was read.
        unread: Keys that failed, beside their count in `failed`.
        times: Accepted envelopes that were late or of a suspect time; attributes, not places.
        server_date: The Date header of the list's answer.
    """

    begun_at: datetime
    started: float
    simulated: bool
    sweep_id: int | None = None
    spool_id: int | None = None
    ended_at: datetime | None = None
    keys_listed: int = 0
    keys_scanned: int = 0
    matched: int = 0
    unmatched: int = 0
    read_ok: int = 0
    unchanged: int = 0
    accepted: int = 0
    stored: int = 0
    duplicate: int = 0
    dead: int = 0
    gap: int = 0
    deferred: Counter[str] = field(default_factory=Counter)
    list_duplicates: int = 0
    list_rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    tags_rejected: Counter[str] = field(default_factory=Counter)
    phase_ms: dict[str, float] = field(default_factory=dict)
    envelopes: list[Envelope] = field(default_factory=list)
    duplicates: list[Envelope] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    keys: dict[str, list[str]] = field(default_factory=dict)
    error: str | None = None
    origin: Origin = Origin.LIVE
    listed: Mapping[str, str] | None = None
    unread: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    server_date: datetime | None = None

    def take(self, envelope: Envelope) -> None:
        """Take an envelope."""
        self.envelopes.append(envelope)
        self.accepted += 1

    @property
    def named(self) -> dict[str, list[str]]:
        """Reason to the first keys it struck, for the log."""
        told = ("failed", "quarantined", "dead", "rejected")
        return {
            why: keys[:NAMED_KEYS]
            for why, keys in self.keys.items()
            if why.partition(":")[0] in told
        }

    def reject(self, item: Rejected) -> None:
        """Keep something not taken; beyond the bound it is only counted."""
        if len(self.rejected) < KEPT_REJECTS:
            self.rejected.append(item)

    def name_key(self, why: str, key: str) -> None:
        """Remember which key it was; beyond the bound it is only counted."""
        if sum(map(len, self.keys.values())) < KEPT_KEYS:
            self.keys.setdefault(why, []).append(spelled(key[:NAMED_CHARACTERS]))

    def judged_by_us(self, now_us: int) -> int:
        """The wall clock at its end: drained later, a time from the future does not come true."""
        return now_us if self.ended_at is None else min(now_us, _microseconds(self.ended_at))

    def stop(self) -> None:
        """Reading was broken off: what was not read yet is put off."""
        left = self.keys_scanned - self.read_ok - self.failed.total() - self.deferred.total()
        self.deferred["stopped"] += left
        self.deferred = +self.deferred
        self.error = f"stopped after {self.read_ok} of {self.keys_scanned} keys"

    def reading_equations(self) -> list[Equation]:
        """What must hold once reading has ended."""
        rejected = self.list_rejected.total()
        return [
            Equation(
                "E1", "keys in the answer = keys_scanned + list_duplicates + list_rejected",
                self.keys_listed, self.keys_scanned + self.list_duplicates + rejected,
            ),
            Equation(
                "E2", "keys_scanned = read_ok + failed + deferred",
                self.keys_scanned, self.read_ok + self.failed.total() + self.deferred.total(),
            ),
            Equation(
                "E3", "read_ok = unchanged + quarantined + accepted",
                self.read_ok, self.unchanged + self.quarantined.total() + self.accepted,
            ),
            Equation(
                "E4", "keys_scanned = matched + unmatched",
                self.keys_scanned, self.matched + self.unmatched,
            ),
        ]  # fmt: skip

    def storing_equation(self) -> Equation:
        """What must hold once it is stored."""
        return storing_equation(self.accepted, self.stored, self.duplicate, self.dead, self.gap)

    def record(self) -> "SweepRecord":
        """The sweep without its envelopes, as the spool keeps it."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        fields |= {name: dict(getattr(self, name)) for name in _COUNTERS}
        begun_us = _microseconds(self.begun_at)
        ended_us = _microseconds(self.ended_at or self.begun_at)
        return SweepRecord(begun_us=begun_us, ended_us=ended_us, **fields)

    def accepted_texts(self) -> list[Accepted]:
        """Its envelopes, as the spool keeps them."""
        return [Accepted(each.asset_id, each.received_us, each.text) for each in self.envelopes]


class SweepRecord(msgspec.Struct, kw_only=True):
    """A sweep without its envelopes; see `Sweep`."""

    begun_us: int
    ended_us: int
    simulated: bool
    keys_listed: int
    keys_scanned: int
    matched: int
    unmatched: int
    read_ok: int
    unchanged: int
    accepted: int
    gap: int
    list_duplicates: int
    phase_ms: dict[str, float]
    rejected: list[Rejected]
    keys: dict[str, list[str]]
    error: str | None
    deferred: dict[str, int]
    list_rejected: dict[str, int]
    failed: dict[str, int]
    quarantined: dict[str, int]
    tags_rejected: dict[str, int]
    times: dict[str, int]

    def sweep(self, envelopes: list[Envelope], *, spool_id: int, started: float) -> Sweep:
        """The sweep again."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        fields |= {name: Counter(getattr(self, name)) for name in _COUNTERS}
        return Sweep(
            begun_at=_moment(self.begun_us),
            ended_at=_moment(self.ended_us),
            started=started,
            spool_id=spool_id,
            envelopes=envelopes,
            **fields,
        )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTERS = ("deferred", "list_rejected", "failed", "quarantined", "tags_rejected", "times")
_PLAIN = tuple(
    name
    for name in SweepRecord.__struct_fields__
    if name not in (*_COUNTERS, "begun_us", "ended_us")
)


def storing_equation(accepted: int, *places: int) -> Equation:
    """E5: every accepted envelope of a settled sweep is in one place; nothing is in the spool."""
    says = "accepted = stored + duplicate + dead + gap + in_spool"
    return Equation("E5", says, accepted, sum(places))


def mapping_equation(tags: int, *places: int) -> Equation:
    """E6: every tag of a matched envelope of plausible time is in one place."""
    says = "tags = rows_inserted + rows_duplicate + tags_skipped + tags_rejected"
    return Equation("E6", says, tags, sum(places))


def _microseconds(at: datetime) -> int:
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _moment(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)


def batches(envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
    """Envelopes in the portions in which they are mapped, encoded and sent."""
    for start in range(0, len(envelopes), BATCH_ENVELOPES):
        yield envelopes[start : start + BATCH_ENVELOPES]
