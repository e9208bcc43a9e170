"""Alarms about the program itself: one table of what is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ic3.domain.alarms import OPEN_LIMIT, Finding, Priority

DATABASE_AWAY_S: Final = 30.0
OVERDUE_INTERVALS: Final = 3
EVENT_LASTS_S: Final = 600.0
FILLING_SHARE: Final = 0.5
NEARLY_FULL_SHARE: Final = 0.8
LIST_SHARE: Final = 0.9
CLOCK_OFFSET_S: Final = 5.0
Event = str


@dataclass(slots=True)
class Facts:
    """What is known of the program at one moment.

    Attributes:
        database_away_s: 0 where it answers.
        run_age_s: Since the last good run, the start, or the end of what has an alarm of its own:
            the gateway lost, the database away.
        spool_share: 0 to 1 of what it may hold.
        own_clock: What makes our own clock a suspect.
        clock_offset_s: Our clock less the gateway's; None where it sends no Date.
        open_alarms: How many alarms are open.
        events: What was told in the last ten minutes, newest words of each.
    """

    gateway_lost: bool
    gateway_error: str | None
    database_away_s: float
    database_error: str
    run_age_s: float
    interval_s: float
    spool_share: float
    own_clock: str | None
    clock_offset_s: float | None
    open_alarms: int
    events: dict[Event, str]


Said = tuple[Priority, str] | None


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table: source and condition of the alarm, and what it is by."""

    source: str
    condition: str
    look: Callable[[Facts], Said]


def _gateway(facts: Facts) -> Said:
    why = facts.gateway_error or "no answer"
    return (Priority.HIGH, f"No reading arrives: {why}") if facts.gateway_lost else None


def _database(facts: Facts) -> Said:
    if facts.database_away_s <= DATABASE_AWAY_S:
        return None
    return Priority.HIGH, f"Database away, readings wait in the spool: {facts.database_error}"


def _runs(facts: Facts) -> Said:
    limit_s = OVERDUE_INTERVALS * facts.interval_s
    if facts.run_age_s <= limit_s:
        return None
    return Priority.MEDIUM, f"No good run for more than {limit_s:.0f} s"


def _spool(facts: Facts) -> Said:
    percent = f"The spool is {100 * facts.spool_share:.0f} % full"
    if facts.spool_share >= 1:
        return Priority.CRITICAL, f"{percent}: readings are given up"
    if facts.spool_share >= NEARLY_FULL_SHARE:
        return Priority.HIGH, percent
    return (Priority.MEDIUM, percent) if facts.spool_share >= FILLING_SHARE else None


def _own_clock(facts: Facts) -> Said:
    return None if facts.own_clock is None else (Priority.HIGH, facts.own_clock)


def _clock_offset(facts: Facts) -> Said:
    offset_s = facts.clock_offset_s
    if offset_s is None or abs(offset_s) <= CLOCK_OFFSET_S:
        return None
    words = f"This machine's clock is {offset_s:+.0f} s from the gateway's"
    return Priority.MEDIUM, f"{words}: times of logs and audit do not match others'"


def _alarm_list(facts: Facts) -> Said:
    if facts.open_alarms < LIST_SHARE * OPEN_LIMIT:
        return None
    return Priority.HIGH, f"{facts.open_alarms:,} alarms are open; beyond {OPEN_LIMIT:,} none is"


def _event(name: Event, priority: Priority) -> Callable[[Facts], Said]:
    def look(facts: Facts) -> Said:
        words = facts.events.get(name)
        return None if words is None else (priority, words)

    return look


CHECKS: Final = (
    Check("gateway", "unreachable", _gateway),
    Check("database", "away", _database),
    Check("runs", "overdue", _runs),
    Check("spool", "filling", _spool),
    Check("clock", "own_clock", _own_clock),
    Check("clock", "offset", _clock_offset),
    Check("alarms", "list_full", _alarm_list),
    Check("spool", "dropped", _event("dropped", Priority.CRITICAL)),
    Check("spool", "salvaged", _event("salvaged", Priority.HIGH)),
    Check("storer", "paused", _event("storer", Priority.HIGH)),
    Check("runs", "failed", _event("run_failed", Priority.MEDIUM)),
    Check("conservation", "broken", _event("conservation", Priority.HIGH)),
)


class SystemWatch:
    """Goes through the table; what has changed comes out."""

    def __init__(self) -> None:
        self._standing: dict[tuple[str, str], Priority] = {}

    def restore(self, standing: dict[tuple[str, str], Priority]) -> None:
        """Take what an earlier process told: source and condition to priority."""
        known = {(each.source, each.condition) for each in CHECKS}
        self._standing = {key: each for key, each in standing.items() if key in known}

    def evaluate(self, facts: Facts) -> list[Finding]:
        """What begins, becomes worse or is over."""
        found = []
        for check in CHECKS:
            key, said = (check.source, check.condition), check.look(facts)
            before = self._standing.get(key)
            if said is None:
                if self._standing.pop(key, None) is not None:
                    found.append(_finding(check, active=False))
            elif before is None or said[0] < before:
                self._standing[key] = said[0]
                found.append(_finding(check, active=True, priority=said[0], text=said[1]))
        return found


def _finding(
    check: Check, *, active: bool, priority: Priority = Priority.MEDIUM, text: str = ""
) -> Finding:
    return Finding(
        source_kind="system", source=check.source, condition=check.condition, active=active,
        priority=priority, text=text,
    )  # fmt: skip
