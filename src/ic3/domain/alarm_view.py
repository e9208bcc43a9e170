"""An alarm as it is shown: one form for the API, the live protocol and exports."""

from typing import Any

import msgspec

from ic3.domain.alarms import Alarm, AlarmState, HoldKind, SourceKind
from ic3.domain.envelope import time_text


class AlarmView(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm; instants are RFC 3339 text in UTC.

    Attributes:
        priority: 1 critical, 2 high, 3 medium, 4 low.
        value: When it was raised; `limit` is what it crossed, both in `unit`.
        flaps: How often it became active again while it was open.
        comments: How many there are.
        held: Why it calls nobody; null where it calls. `hold_id` is the hold.
        version: Grows by one with each change.
    """

    id: int
    source_kind: SourceKind
    source: str
    condition: str
    priority: int
    state: AlarmState
    active: bool
    text: str
    domain: str | None
    dma_id: str | None
    tag: str | None
    value: float | None
    limit: float | None
    unit: str | None
    rule_id: int | None
    raised_at: str
    returned_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None
    cleared_at: str | None
    flaps: int
    comments: int
    held: HoldKind | None
    hold_id: int | None
    evidence: dict[str, Any] | None
    version: int


def view_of(alarm: Alarm) -> AlarmView:
    """What is shown of an alarm."""
    return AlarmView(
        id=alarm.id, source_kind=alarm.source_kind, source=alarm.source,
        condition=alarm.condition, priority=int(alarm.priority), state=alarm.state,
        active=alarm.active, text=alarm.text, domain=alarm.domain, dma_id=alarm.dma_id,
        tag=alarm.tag, value=alarm.value, limit=alarm.limit, unit=alarm.unit,
        rule_id=alarm.rule_id, raised_at=time_text(alarm.raised_us),
        returned_at=_time(alarm.returned_us), acknowledged_at=_time(alarm.acknowledged_us),
        acknowledged_by=alarm.acknowledged_by, cleared_at=_time(alarm.cleared_us),
        flaps=alarm.flaps, comments=alarm.comments, held=alarm.held, hold_id=alarm.hold_id,
        evidence=alarm.evidence, version=alarm.version,
    )  # fmt: skip


def _time(us: int | None) -> str | None:
    return None if us is None else time_text(us)
