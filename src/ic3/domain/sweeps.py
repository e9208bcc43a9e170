"""One pass over the gateway: what it brought and what became of every key."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ic3.domain.envelope import Envelope

KEPT_REJECTS = 1000
BATCH_ENVELOPES = 400


class Origin(StrEnum):
    """How readings came: swept now, history sent afterwards, or taken again from quarantine."""

    LIVE = "live"
    BACKFILL = "backfill"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something not taken, with its bytes.

    Attributes:
        scope: `list`, `outer`, `inner`, `envelope` or `tag`.
        raw: The bytes as read, possibly cut; `raw_length` is their full number.
    """

    scope: str
    reason: str
    key: str
    raw: bytes
    raw_length: int
    detail: str = ""


@dataclass(slots=True)
class Sweep:
    """What one pass over the gateway brought.

    `keys_scanned` = unchanged + accepted + failed + quarantined + deferred, always.

    Attributes:
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
    ended_at: datetime | None = None
    keys_scanned: int = 0
    matched: int = 0
    unmatched: int = 0
    unchanged: int = 0
    stored: int = 0
    duplicate: int = 0
    deferred: int = 0
    list_duplicates: int = 0
    list_rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    tags_rejected: Counter[str] = field(default_factory=Counter)
    phase_ms: dict[str, float] = field(default_factory=dict)
    envelopes: list[Envelope] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    error: str | None = None
    origin: Origin = Origin.LIVE
    listed: Mapping[str, str] | None = None
    unread: list[str] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    server_date: datetime | None = None

    @property
    def accepted(self) -> int:
        """Envelopes taken."""
        return len(self.envelopes)

    def reject(self, item: Rejected) -> None:
        """Keep something not taken; beyond the bound it is only counted."""
        if len(self.rejected) < KEPT_REJECTS:
            self.rejected.append(item)

    def balance(self) -> tuple[int, int]:
        """Both sides of the equation of conservation; they must be equal."""
        places = self.unchanged + self.accepted + self.deferred
        return self.keys_scanned, places + self.failed.total() + self.quarantined.total()


def batches(envelopes: Sequence[Envelope]) -> Iterator[Sequence[Envelope]]:
    """Envelopes in the portions in which they are mapped, encoded and sent."""
    for start in range(0, len(envelopes), BATCH_ENVELOPES):
        yield envelopes[start : start + BATCH_ENVELOPES]
