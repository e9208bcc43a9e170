"""Who is told of which change of an alarm: filters, quiet hours, and calm while it flaps."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ic3.domain.alarm_view import view_of
from ic3.domain.alarms import Alarm, Change, Priority, What
from ic3.domain.envelope import time_text

FLAP_WINDOW_US: Final = 10 * 60 * 1_000_000
REMEMBERED_LIMIT: Final = 50_000
EVENT_SOURCE: Final = "/ic3/alarms"
ENDINGS: Final = frozenset({What.RETURN, What.CLEAR})


class RouteKind(StrEnum):
    """How a route tells."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A way by which people or programs are told of alarms; an empty filter lets all through.

    Attributes:
        address: Scheme, host and port of a webhook; its URL and secret are kept apart.
        least_priority: Alarms of it and more urgent ones.
        quiet_from: Minute of the day in the plant's zone at which the quiet hours begin.
        quiet_until: The first minute after them; before `quiet_from` it is of the next day.
        quiet_priority: Alarms of it and more urgent ones are told also then.
    """

    id: int
    name: str
    kind: RouteKind
    address: str = ""
    recipients: tuple[str, ...] = ()
    enabled: bool = True
    least_priority: Priority = Priority.LOW
    domains: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    changes: tuple[What, ...] = (What.NEW, What.RETURN, What.CLEAR)
    quiet_from: int | None = None
    quiet_until: int | None = None
    quiet_priority: Priority | None = None
    version: int = 1

    def selects(self, alarm: Alarm) -> bool:
        """Whether its filters let an alarm through."""
        return (
            alarm.priority <= self.least_priority
            and (not self.domains or alarm.domain in self.domains)
            and (not self.sources or alarm.source in self.sources)
            and (not self.conditions or alarm.condition in self.conditions)
        )

    def is_quiet(self, priority: Priority, at_us: int, zone: ZoneInfo) -> bool:
        """Whether an alarm of this priority waits for nobody now.

        The wall clock of the zone decides, so an hour that a change of it repeats is quiet twice.
        """
        if self.quiet_from is None or self.quiet_until is None:
            return False
        if self.quiet_priority is not None and priority <= self.quiet_priority:
            return False
        local = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(zone)
        minute = local.hour * 60 + local.minute
        if self.quiet_from <= self.quiet_until:
            return self.quiet_from <= minute < self.quiet_until
        return minute >= self.quiet_from or minute < self.quiet_until


@dataclass(slots=True)
class _Told:
    """What a route was last told of a condition that became active.

    Attributes:
        held_back: A later call that was not told, for it came too soon.
    """

    at_us: int
    priority: Priority
    held_back: Change | None = None


class Router:
    """Chooses the routes of each change.

    A condition that flaps calls a route once in ten minutes, unless it becomes more urgent. What
    was held back is told when the time is over and it still holds.

    Attributes:
        suppressed: Calls and their ends that were held back, since the start.
        quiet: Tellings that fell into quiet hours, since the start.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._routes: dict[int, Route] = {}
        self._told: OrderedDict[tuple[int, object], _Told] = OrderedDict()
        self.suppressed = 0
        self.quiet = 0

    @property
    def routes(self) -> dict[int, Route]:
        """Number to route."""
        return self._routes

    def use(self, routes: list[Route]) -> None:
        """Take the routes as they are now."""
        self._routes = {each.id: each for each in routes}

    def routes_for(self, change: Change) -> list[Route]:
        """Whom to tell of a change, by number; remembers that they were told."""
        if change.alarm.held is not None:
            self._forget_held_back(change.alarm)
            return []
        wanted = calls_as(change)
        chosen = [
            each for each in self._candidates(change.alarm)
            if each.enabled and not {wanted, change.what}.isdisjoint(each.changes)
        ]  # fmt: skip
        admitted = [each for each in chosen if self._admits(each, change, wanted)]
        if change.what is What.ACK or not change.alarm.active:
            self._forget_held_back(change.alarm)  # somebody knows, or it is over
        return admitted

    def due(self, now_us: int) -> list[tuple[Route, Change]]:
        """What was held back and is told now: the time is over and the condition still holds."""
        found = []
        while self._told:
            key, told = next(iter(self._told.items()))
            if told.at_us + FLAP_WINDOW_US > now_us and len(self._told) <= REMEMBERED_LIMIT:
                break
            del self._told[key]
            route = self._routes.get(key[0])
            if told.held_back is None or route is None or not route.enabled:
                continue
            if route.is_quiet(told.held_back.alarm.priority, now_us, self._zone):
                self.quiet += 1
                continue
            self._told[key] = _Told(now_us, told.held_back.alarm.priority)
            found.append((route, told.held_back))
        return found

    def next_due_us(self) -> int | None:
        """When `due` is to be asked again; None where nothing was held back."""
        times = [each.at_us for each in self._told.values() if each.held_back is not None]
        return min(times) + FLAP_WINDOW_US if times else None

    def _forget_held_back(self, alarm: Alarm) -> None:
        for number in self._routes:
            told = self._told.get((number, alarm.key))
            if told is not None:
                told.held_back = None

    def _candidates(self, alarm: Alarm) -> list[Route]:
        """The routes its rule names; where none of those is there, all that select it."""
        routes = [self._routes[number] for number in sorted(self._routes)]
        named = [each for each in routes if each.name in alarm.notify]
        # A name that was deleted must not make an alarm silent.
        return named or [each for each in routes if each.selects(alarm)]

    def _admits(self, route: Route, change: Change, wanted: What) -> bool:
        alarm, key = change.alarm, (route.id, change.alarm.key)
        told = self._told.get(key)
        recent = told is not None and change.at_us < told.at_us + FLAP_WINDOW_US
        if told is not None and recent:
            if wanted is What.NEW and alarm.priority >= told.priority:
                told.held_back = change
                self.suppressed += 1
                return False
            if wanted in ENDINGS and told.held_back is not None:
                # It ended before it was told, and the end before it was.
                told.held_back = None
                self.suppressed += 1
                return False
        if route.is_quiet(alarm.priority, change.at_us, self._zone):
            self.quiet += 1
            return False
        if wanted is What.NEW:
            self._told.pop(key, None)
            self._told[key] = _Told(change.at_us, alarm.priority)
        return True


def calls_as(change: Change) -> What:
    """What a change means to those who are called: an alarm let go while active is new to them."""
    if change.what is What.UNSHELVE and change.alarm.active:
        return What.NEW
    return change.what


def event_of(change: Change) -> str:
    """A change as CloudEvents 1.0 in JSON; the same change is the same text.

    The raise is a part of its id: an alarm that was told while the database was away and that a
    crash then took along leaves its number to another one.

    Source: CloudEvents 1.0.2, JSON event format.
    """
    alarm = change.alarm
    event = {
        "specversion": "1.0",
        "id": f"{alarm.id}-{alarm.version}-{alarm.raised_us}",
        "source": EVENT_SOURCE,
        "type": f"ic3.alarm.{change.what.value}",
        "subject": f"{alarm.source_kind}/{alarm.source}/{alarm.condition}",
        "time": time_text(change.at_us),
        "datacontenttype": "application/json",
        "data": view_of(alarm),
    }
    return msgspec.json.encode(event).decode()


def test_event(route: Route, now_us: int) -> str:
    """An event that says that it is none."""
    event = {
        "specversion": "1.0",
        "id": f"test-{route.id}-{now_us}",
        "source": EVENT_SOURCE,
        "type": "ic3.alarm.test",
        "subject": f"system/notify/{route.name}",
        "time": time_text(now_us),
        "datacontenttype": "application/json",
        "data": {
            "priority": int(Priority.LOW), "source_kind": "system", "source": "notify",
            "condition": "test", "text": f"A test of the route {route.name}; nothing has happened.",
        },
    }  # fmt: skip
    return msgspec.json.encode(event).decode()
