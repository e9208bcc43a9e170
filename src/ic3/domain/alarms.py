"""Alarms after ISA-18.2: what is open, who knows of it, what is held back; one owner, in memory.

```
            raise                     acknowledge
  normal ----------> unacknowledged --------------> acknowledged
    ^                  ^    | return                     | return
    |            raise |    v                            v
    +---- acknowledge - returned                      (cleared)
```

A held alarm (shelved, suppressed, out of service) calls nobody; when it returns it is cleared.
When its hold ends while it is active, it calls as if it were new.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final, Literal, get_args

import msgspec

OPEN_LIMIT: Final = 100_000
HOLDS_LIMIT: Final = 10_000

SourceKind = Literal["asset", "dma", "system"]
SOURCE_KINDS: Final[tuple[SourceKind, ...]] = get_args(SourceKind)
Source = tuple[SourceKind, str]


class Priority(IntEnum):
    """How soon somebody must act; the smaller the sooner."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class AlarmState(StrEnum):
    """Where an alarm stands in the diagram."""

    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    CLEARED = "cleared"


class What(StrEnum):
    """What happened to an alarm."""

    NEW = "new"
    ACK = "ack"
    RETURN = "return"
    CLEAR = "clear"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    COMMENT = "comment"


class HoldKind(StrEnum):
    """Why an alarm calls nobody."""

    SHELVED = "shelved"
    SUPPRESSED = "suppressed"
    OUT_OF_SERVICE = "out_of_service"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule, the feed or an analysis says of a condition: the one way to an alarm.

    Attributes:
        source: Serial number, DMA id, or the part of the program.
        condition: Short and stable; with the source it names the alarm.
        active: Whether it holds now.
        text: For people, one line.
        value: What was measured, in `unit`; `limit` is what it crossed.
        notify: Names of the routes that are told; empty where the routes themselves choose.
        evidence: What the source wants to show with it, at most 4 KiB of JSON.
    """

    source_kind: SourceKind
    source: str
    condition: str
    active: bool
    priority: Priority = Priority.MEDIUM
    text: str = ""
    domain: str | None = None
    dma_id: str | None = None
    tag: str | None = None
    value: float | None = None
    limit: float | None = None
    unit: str | None = None
    rule_id: int | None = None
    notify: tuple[str, ...] = ()
    evidence: dict[str, Any] | None = None


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence of a condition, from raise to clear.

    Attributes:
        value: When it was raised; `limit` is what it crossed, both in `unit`.
        flaps: How often it became active again while it was open.
        active: Whether the condition holds now.
        held: Why it calls nobody; null where it calls.
        version: Grows by one with each change; the first is 1.
    """

    id: int
    source_kind: SourceKind
    source: str
    condition: str
    priority: Priority
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
    notify: tuple[str, ...]
    evidence: dict[str, Any] | None
    raised_us: int
    returned_us: int | None = None
    acknowledged_us: int | None = None
    acknowledged_by: str | None = None
    cleared_us: int | None = None
    flaps: int = 0
    comments: int = 0
    held: HoldKind | None = None
    hold_id: int | None = None
    version: int = 1

    @property
    def key(self) -> tuple[Source, str]:
        """What there is at most one open alarm of."""
        return (self.source_kind, self.source), self.condition

    @property
    def calls(self) -> bool:
        """Whether somebody must look at it: not held, and active or not acknowledged."""
        return self.held is None and self.state is not AlarmState.CLEARED


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps alarms from calling; an absent selector matches everything.

    Attributes:
        until_us: None for out of service, which a person ends.
    """

    id: int
    kind: HoldKind
    reason: str
    who: str
    from_us: int
    until_us: int | None
    source_kind: SourceKind | None = None
    source: str | None = None
    condition: str | None = None
    domain: str | None = None
    dma_id: str | None = None
    ended_us: int | None = None
    ended_by: str | None = None

    def covers(self, alarm: Alarm, at_us: int) -> bool:
        """Whether it keeps this alarm from calling at a time."""
        return (
            self.ended_us is None
            and self.from_us <= at_us
            and (self.until_us is None or at_us < self.until_us)
            and self.source_kind in {None, alarm.source_kind}
            and self.source in {None, alarm.source}
            and self.condition in {None, alarm.condition}
            and self.domain in {None, alarm.domain}
            and self.dma_id in {None, alarm.dma_id}
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to an alarm: a row of its history.

    Attributes:
        alarm: As it stands afterwards.
        who: A user; None where it was the plant or the clock.
        note: What they said.
    """

    what: What
    alarm: Alarm
    at_us: int
    who: str | None = None
    note: str | None = None


class UnknownAlarmError(LookupError):
    """No open alarm has this number."""


class Alarms:
    """Every open alarm and every hold. All of it is told to those that listen, in order.

    Args:
        last_id: The greatest number an alarm ever had.
        last_hold_id: Likewise of holds.

    Attributes:
        revision: Grows whenever an open alarm changes.
    """

    def __init__(self, *, last_id: int = 0, last_hold_id: int = 0) -> None:
        self._last_id = last_id
        self._last_hold_id = last_hold_id
        self._open: dict[int, Alarm] = {}
        self._keys: dict[tuple[Source, str], int] = {}
        self._sources: dict[Source, set[int]] = {}
        self._holds: dict[int, Hold] = {}
        self._listeners: list[Callable[[Change], None]] = []
        self._hold_listeners: list[Callable[[Hold], None]] = []
        self._expired_us = 0
        self.evaluated_us: int | None = None
        self.refused = 0
        self.revision = 0

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Tell of every change from now on; must not raise, must not wait."""
        self._listeners.append(listener)

    def listen_to_holds(self, listener: Callable[[Hold], None]) -> None:
        """Tell of every hold that is made or ended."""
        self._hold_listeners.append(listener)

    def restore(
        self, alarms: Iterable[Alarm], holds: Iterable[Hold], *, last_id: int, last_hold_id: int
    ) -> None:
        """Take what the database knows."""
        self._last_id, self._last_hold_id = last_id, last_hold_id
        self.revision += 1
        self._open.clear()
        self._keys.clear()
        self._sources.clear()
        for alarm in alarms:
            self._keep(alarm)
        self._holds = {each.id: each for each in holds}

    def settle(self, at_us: int) -> None:
        """Bring what was restored to what the holds say now.

        A process that was killed may have stored the end of a hold and not what it freed.
        """
        self.expire(at_us)
        self._apply_holds(list(self._open.values()), at_us, who=None, note=None)

    def __len__(self) -> int:
        return len(self._open)

    @property
    def open(self) -> list[Alarm]:
        """Every open alarm, worst first: unacknowledged, priority, newest; held ones last."""
        return sorted(self._open.values(), key=worst_first)

    def each(self) -> Iterable[Alarm]:
        """Every open alarm, in no order."""
        return self._open.values()

    @property
    def holds(self) -> list[Hold]:
        """Every hold that has not ended, by number."""
        return list(self._holds.values())

    def get(self, alarm_id: int) -> Alarm:
        """An open alarm.

        Raises:
            UnknownAlarmError: None has this number.
        """
        alarm = self._open.get(alarm_id)
        if alarm is None:
            raise UnknownAlarmError(alarm_id)
        return alarm

    def of(self, kind: SourceKind, source: str) -> Sequence[Alarm]:
        """The open alarms of a source."""
        return [self._open[number] for number in self._sources.get((kind, source), ())]

    def find(self, kind: SourceKind, source: str, condition: str) -> Alarm | None:
        """The open alarm of a condition."""
        number = self._keys.get(((kind, source), condition))
        return None if number is None else self._open[number]

    def report(self, finding: Finding, *, at_us: int) -> None:
        """Take a finding: it raises, returns, changes or confirms an alarm."""
        before = self.find(finding.source_kind, finding.source, finding.condition)
        if before is None:
            if finding.active:
                self._raise(finding, at_us)
        elif finding.active:
            self._again(before, finding, at_us)
        elif before.active:
            self._return(before, at_us)

    def acknowledge(self, alarm_id: int, *, who: str, at_us: int, note: str | None = None) -> Alarm:
        """Somebody knows; a second time changes nothing.

        Raises:
            UnknownAlarmError: None has this number.
        """
        alarm = self.get(alarm_id)
        if alarm.acknowledged_us is not None and alarm.state is AlarmState.ACKNOWLEDGED:
            return alarm
        changes = {"acknowledged_us": at_us, "acknowledged_by": who}
        if alarm.state is AlarmState.RETURNED:
            changed = self._moved(alarm, state=AlarmState.CLEARED, cleared_us=at_us, **changes)
        else:
            changed = self._moved(alarm, state=AlarmState.ACKNOWLEDGED, **changes)
        self._tell(Change(What.ACK, changed, at_us, who, note))
        return changed

    def comment(self, alarm_id: int, note: str, *, who: str, at_us: int) -> Alarm:
        """Somebody says something about it.

        Raises:
            UnknownAlarmError: None has this number.
        """
        alarm = self.get(alarm_id)
        changed = self._moved(alarm, comments=alarm.comments + 1)
        self._tell(Change(What.COMMENT, changed, at_us, who, note))
        return changed

    def hold(self, wanted: Hold, *, at_us: int) -> Hold:
        """Keep alarms from calling; its number is given here.

        Raises:
            ValueError: There are too many.
        """
        if len(self._holds) >= HOLDS_LIMIT:
            raise ValueError(f"{HOLDS_LIMIT:,} holds are open, which is the limit; end some first")
        self._last_hold_id += 1
        made = msgspec.structs.replace(wanted, id=self._last_hold_id)
        self._holds[made.id] = made
        for listener in self._hold_listeners:
            listener(made)
        self._apply_holds(self._covered(made, at_us), at_us, who=made.who, note=made.reason)
        return made

    def release(self, hold_id: int, *, who: str | None, at_us: int) -> Hold:
        """End a hold.

        Raises:
            UnknownAlarmError: None has this number.
        """
        held = self._holds.pop(hold_id, None)
        if held is None:
            raise UnknownAlarmError(hold_id)
        ended = msgspec.structs.replace(held, ended_us=at_us, ended_by=who)
        for listener in self._hold_listeners:
            listener(ended)
        freed = [each for each in self._within(held) if each.hold_id == hold_id]
        self._apply_holds(freed, at_us, who=who, note=None)
        return ended

    def expire(self, at_us: int) -> None:
        """End the holds whose time is over, begin those whose time has come."""
        over = [
            each.id
            for each in self._holds.values()
            if each.until_us is not None and each.until_us <= at_us
        ]
        for hold_id in over:
            self.release(hold_id, who=None, at_us=at_us)
        begun = [each for each in self._holds.values() if self._expired_us < each.from_us <= at_us]
        self._expired_us = at_us
        for hold in begun:
            self._apply_holds(self._covered(hold, at_us), at_us, who=None, note=None)

    def _covered(self, hold: Hold, at_us: int) -> list[Alarm]:
        """The open alarms that call and that a hold keeps from it."""
        return [
            each for each in self._within(hold) if each.held is None and hold.covers(each, at_us)
        ]

    def _within(self, hold: Hold) -> list[Alarm]:
        """The open alarms among which are all that a hold may cover: of one source few."""
        if hold.source is None:
            return list(self._open.values())
        kinds = SOURCE_KINDS if hold.source_kind is None else (hold.source_kind,)
        return [alarm for kind in kinds for alarm in self.of(kind, hold.source)]

    def _raise(self, finding: Finding, at_us: int) -> None:
        if len(self._open) >= OPEN_LIMIT:
            self.refused += 1
            return
        self._last_id += 1
        alarm = Alarm(
            id=self._last_id, source_kind=finding.source_kind, source=finding.source,
            condition=finding.condition, priority=finding.priority,
            state=AlarmState.UNACKNOWLEDGED, active=True, text=finding.text,
            domain=finding.domain, dma_id=finding.dma_id, tag=finding.tag, value=finding.value,
            limit=finding.limit, unit=finding.unit, rule_id=finding.rule_id,
            notify=finding.notify, evidence=finding.evidence, raised_us=at_us,
        )  # fmt: skip
        hold = self._hold_of(alarm, at_us)
        if hold is not None:
            alarm = msgspec.structs.replace(alarm, held=hold.kind, hold_id=hold.id)
        self._keep(alarm)
        self._tell(Change(What.NEW, alarm, at_us))

    def _again(self, before: Alarm, finding: Finding, at_us: int) -> None:
        """A condition that holds (again) of an alarm that is open."""
        if before.active and finding.priority >= before.priority:
            return  # a milder one does not calm what was said
        changed = self._moved(
            before, state=AlarmState.UNACKNOWLEDGED, active=True, returned_us=None,
            priority=min(finding.priority, before.priority), acknowledged_us=None,
            acknowledged_by=None, text=finding.text or before.text, value=finding.value,
            limit=finding.limit, flaps=before.flaps + (not before.active),
        )  # fmt: skip
        self._tell(Change(What.NEW, changed, at_us))

    def _return(self, alarm: Alarm, at_us: int) -> None:
        if alarm.state is AlarmState.UNACKNOWLEDGED and alarm.held is None:
            changed = self._moved(alarm, state=AlarmState.RETURNED, active=False, returned_us=at_us)
            self._tell(Change(What.RETURN, changed, at_us))
        else:
            changed = self._moved(
                alarm, state=AlarmState.CLEARED, active=False, returned_us=at_us,
                cleared_us=at_us,
            )  # fmt: skip
            self._tell(Change(What.CLEAR, changed, at_us))

    def _apply_holds(
        self, alarms: Sequence[Alarm], at_us: int, *, who: str | None, note: str | None
    ) -> None:
        """Bring open alarms to what the holds say now.

        Only those that can change: all alarms with all holds take seconds where there are many.
        """
        for alarm in alarms:
            hold = self._hold_of(alarm, at_us)
            if hold is not None and hold.id != alarm.hold_id:
                changed = self._moved(alarm, held=hold.kind, hold_id=hold.id)
                self._tell(Change(What.SHELVE, changed, at_us, who, note))
            elif hold is None and alarm.held is not None:
                self._unhold(alarm, at_us, who)

    def _unhold(self, alarm: Alarm, at_us: int, who: str | None) -> None:
        """An alarm whose hold has ended calls again where it is active."""
        state = AlarmState.UNACKNOWLEDGED if alarm.active else alarm.state
        changed = self._moved(
            alarm, held=None, hold_id=None, state=state,
            acknowledged_us=None if alarm.active else alarm.acknowledged_us,
            acknowledged_by=None if alarm.active else alarm.acknowledged_by,
        )  # fmt: skip
        self._tell(Change(What.UNSHELVE, changed, at_us, who))

    def _hold_of(self, alarm: Alarm, at_us: int) -> Hold | None:
        """The first that covers it; an alarm stays with its own while that lasts."""
        own = self._holds.get(alarm.hold_id or 0)
        if own is not None and own.covers(alarm, at_us):
            return own
        return next((each for each in self._holds.values() if each.covers(alarm, at_us)), None)

    def _moved(self, alarm: Alarm, **changes: Any) -> Alarm:
        """An alarm with changes, kept; one that is cleared is no longer open."""
        changed = msgspec.structs.replace(alarm, version=alarm.version + 1, **changes)
        if changed.state is AlarmState.CLEARED:
            self._forget(changed)
        else:
            self._keep(changed)
        return changed

    def _keep(self, alarm: Alarm) -> None:
        source, _ = alarm.key
        self.revision += 1
        self._open[alarm.id] = alarm
        self._keys[alarm.key] = alarm.id
        self._sources.setdefault(source, set()).add(alarm.id)

    def _forget(self, alarm: Alarm) -> None:
        source, _ = alarm.key
        self.revision += 1
        del self._open[alarm.id], self._keys[alarm.key]
        self._sources[source].discard(alarm.id)
        if not self._sources[source]:
            del self._sources[source]

    def _tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)


def worst_first(alarm: Alarm) -> tuple[bool, bool, int, int, int]:
    """Sort key of the fixed order: held last, unacknowledged first, priority, newest."""
    seen = alarm.state is AlarmState.ACKNOWLEDGED
    return alarm.held is not None, seen, alarm.priority, -alarm.raised_us, -alarm.id


def worst_of(alarms: Iterable[Alarm]) -> tuple[int, bool]:
    """Worst priority among those that call and are active, 0 where none; any unacknowledged."""
    worst, unacknowledged = 0, False
    for alarm in alarms:
        if not alarm.calls:
            continue
        if alarm.active:
            worst = alarm.priority if worst == 0 else min(worst, alarm.priority)
        unacknowledged |= alarm.state is not AlarmState.ACKNOWLEDGED
    return worst, unacknowledged
