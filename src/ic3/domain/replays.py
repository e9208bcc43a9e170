"""Jobs that map stored telemetry again."""

from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import msgspec

from ic3.domain.mapping import Register, RegisteredAsset

Each = TypeVar("Each", int, str)


class JobKind(StrEnum):
    """`map` adds what is missing, `re-map` also corrects the parameter of what is there."""

    MAP = "map"
    REMAP = "re-map"


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Scope(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a job maps again; None is no bound.

    Attributes:
        from_at: First time of the source; None is from first sight.
        until_at: Time of the source it ends before; None is up to now.
    """

    register_ids: list[int] | None = None
    tag_codes: list[str] | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None

    def joined(self, other: "Scope") -> "Scope":
        """The least scope that holds both of the same span."""
        return Scope(
            _union(self.register_ids, other.register_ids),
            _union(self.tag_codes, other.tag_codes),
            self.from_at,
            self.until_at,
        )

    def narrowed(self, register: Register) -> Register:
        """The register as if it held only what is in scope."""
        wanted_ids = None if self.register_ids is None else set(self.register_ids)
        wanted_tags = None if self.tag_codes is None else set(self.tag_codes)
        assets = {}
        for serial, asset in register.assets.items():
            if wanted_ids is not None and asset.register_id not in wanted_ids:
                continue
            parameters = {
                tag: parameter
                for tag, parameter in asset.parameters.items()
                if wanted_tags is None or tag in wanted_tags
            }
            if parameters:
                assets[serial] = RegisteredAsset(asset.register_id, serial, parameters)
        return Register(register.version, assets, register.parameters)


class Job(msgspec.Struct, frozen=True):
    """One job as stored."""

    id: int
    kind: JobKind
    state: JobState
    created_at: datetime
    created_by: str
    reason: str
    scope: Scope
    registry_version: int
    began_at: datetime | None
    from_at: datetime | None
    until_at: datetime | None
    cursor_at: datetime | None
    cursor_serial: str | None
    cursor_record: str | None
    rows_done: int
    envelopes_done: int
    envelopes_total: int | None
    error: str | None
    finished_at: datetime | None

    @property
    def share_done(self) -> float:
        """How far the cursor has come through the span, 0 to 1."""
        if self.state is JobState.DONE:
            return 1.0
        if self.cursor_at is None or self.from_at is None or self.until_at is None:
            return 0.0
        whole = (self.until_at - self.from_at).total_seconds()
        done = (self.cursor_at - self.from_at).total_seconds()
        return min(1.0, max(0.0, done / whole)) if whole > 0 else 1.0


def _union(one: list[Each] | None, two: list[Each] | None) -> list[Each] | None:
    return None if one is None or two is None else sorted(set(one) | set(two))
