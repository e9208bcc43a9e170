"""What is asked of the history of alarms, and how a row of it is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import msgspec

from ic3.domain.alarms import Alarm, Change
from ic3.domain.envelope import time_text
from ic3.domain.spreadsheets import Cell
from ic3.domain.users import shows_alarm

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
END: Final = datetime(9999, 12, 31, tzinfo=UTC)
CSV_HEADINGS: Final = (
    "time_utc", "time_local", "alarm", "priority", "state", "source_kind", "source", "condition",
    "text", "domain", "dma_id", "tag", "value", "limit", "unit", "returned_utc",
    "acknowledged_utc", "acknowledged_by", "cleared_utc", "flaps", "comments", "held",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFilter:
    """Which alarms; an empty list is no bound.

    Attributes:
        scope: Domains that the caller may see; None is all. Alarms of the program are everybody's.
        text: In source, condition or text, without case.
        from_at: Raised then or later; `until_at` before that.
    """

    priorities: Sequence[int] = ()
    domains: Sequence[str] = ()
    dma_ids: Sequence[str] = ()
    sources: Sequence[str] = ()
    conditions: Sequence[str] = ()
    text: str = ""
    from_at: datetime = BEGINNING
    until_at: datetime = END
    scope: frozenset[str] | None = None

    @property
    def takes_all(self) -> bool:
        """Whether no open alarm is left out."""
        return self.scope is None and not (
            self.priorities or self.domains or self.dma_ids or self.sources or self.conditions
            or self.text
        )  # fmt: skip

    def takes(self, alarm: Alarm) -> bool:
        """Whether an open alarm is asked for; of open ones any time is."""
        return (
            (not self.priorities or alarm.priority in self.priorities)
            and (not self.domains or alarm.domain in self.domains)
            and (not self.dma_ids or alarm.dma_id in self.dma_ids)
            and (not self.sources or alarm.source in self.sources)
            and (not self.conditions or alarm.condition in self.conditions)
            and (not self.text or self.text.lower() in searched(alarm))
            and self.shows(alarm)
        )

    def shows(self, alarm: Alarm) -> bool:
        """Whether the caller may see an alarm."""
        return shows_alarm(self.scope, alarm.source_kind, alarm.domain)


def searched(alarm: Alarm) -> str:
    """Where a text is looked for."""
    return f"{alarm.source} {alarm.condition} {alarm.text}".lower()


class AlarmEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to an alarm.

    Attributes:
        what: `new` (it calls, also again), `ack`, `return`, `clear`, `shelve`, `unshelve` or
            `comment`.
        who: A user; null where it was the plant or the clock.
    """

    version: int
    at: str
    what: str
    state: str
    active: bool
    priority: int
    value: float | None
    held: str | None
    hold_id: int | None
    who: str | None
    note: str | None


def event_of(change: Change) -> AlarmEvent:
    """A change as a row of the history."""
    alarm = change.alarm
    return AlarmEvent(
        version=alarm.version, at=time_text(change.at_us), what=change.what, state=alarm.state,
        active=alarm.active, priority=int(alarm.priority), value=alarm.value, held=alarm.held,
        hold_id=alarm.hold_id, who=change.who, note=change.note,
    )  # fmt: skip


def csv_rows(alarms: Iterable[Alarm], zone: tzinfo) -> Iterable[list[Cell]]:
    """One row an alarm, under CSV_HEADINGS; the time is that of the raise."""
    for each in alarms:
        local = (BEGINNING + timedelta(microseconds=each.raised_us)).astimezone(zone)
        yield [
            time_text(each.raised_us), local.isoformat(timespec="microseconds"), each.id,
            int(each.priority), each.state.value, each.source_kind, each.source, each.condition,
            each.text, each.domain, each.dma_id, each.tag, each.value, each.limit, each.unit,
            _time(each.returned_us), _time(each.acknowledged_us), each.acknowledged_by,
            _time(each.cleared_us), each.flaps, each.comments, each.held,
        ]  # fmt: skip


def _time(us: int | None) -> str | None:
    return None if us is None else time_text(us)
