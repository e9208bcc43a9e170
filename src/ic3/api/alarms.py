"""Alarms to read: those that are open, from memory; the past, from the database."""

import heapq
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from ic3.api.callers import principal_of
from ic3.api.csv_files import csv_file
from ic3.api.lists import begin_of, paged
from ic3.clock import Clock
from ic3.domain.alarm_history import (
    BEGINNING,
    CSV_HEADINGS,
    END,
    AlarmEvent,
    AlarmFilter,
    csv_rows,
    event_of,
)
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_kpi import AlarmKpi, figures
from ic3.domain.alarm_view import AlarmView, view_of
from ic3.domain.alarms import Alarm, Alarms, Priority, UnknownAlarmError, worst_first
from ic3.domain.cursors import cursor_of
from ic3.domain.envelope import time_text
from ic3.domain.history import instant
from ic3.domain.spreadsheets import csv_text
from ic3.domain.users import Principal
from ic3.errors import ApiError, DatabaseAway, InputError, TooSlow
from ic3.store.alarm_kpi import KpiStore
from ic3.store.alarms import AlarmStore

NO_NUL: Final = r"^[^\x00]*$"
CSV_PAGE: Final = 1000
WORDS_LIMIT: Final = 100
KPI_DAYS: Final = 400
NOBODY: Final = "shelved"
FIRST_PAGE: Final = (END, 2**63 - 1)
_Key = tuple[bool, bool, int, int, int]

Words = list[Annotated[str, msgspec.Meta(max_length=1024, pattern=NO_NUL)]]
Priorities = list[Annotated[int, msgspec.Meta(ge=1, le=4)]]


class Which(StrEnum):
    """Which alarms a list holds."""

    OPEN = "open"
    SHELVED = "shelved"
    HISTORY = "history"


class AlarmList(msgspec.Struct):
    """A page of alarms. An empty list says nothing unless `evaluated_at` is new.

    Attributes:
        count: How many are asked for; of the history those of this page.
        counts: State to priority to number, of all open alarms; `shelved` are those held back.
        evaluated_at: When alarms were last judged; null where they never were since the start.
        evaluated_age_s: Seconds since then.
        refused: Alarms that were left out, since too many are open.
        stored: Whether all of it is in the database.
        next: Asks for the next page, as `cursor`; null where there is none.
        cursor: The same.
    """

    alarms: list[AlarmView]
    count: int
    counts: dict[str, dict[str, int]]
    evaluated_at: str | None
    evaluated_age_s: float | None
    refused: int
    stored: bool
    next: str | None
    cursor: str | None


class OneAlarm(msgspec.Struct):
    """An alarm and what happened to it, oldest first.

    Attributes:
        complete: Whether the database was asked; otherwise only what it has not got yet is here.
    """

    alarm: AlarmView
    events: list[AlarmEvent]
    complete: bool


@dataclass(frozen=True, slots=True)
class AlarmsReader:
    """Answers questions about alarms.

    Attributes:
        zone: The plant's.
    """

    alarms: Alarms
    journal: AlarmJournal
    store: AlarmStore
    clock: Clock
    zone: str

    def open(
        self, wanted: AlarmFilter, *, shelved: bool, limit: int, after: _Key | None
    ) -> AlarmList:
        """Open alarms, worst first."""
        chosen = [each for each in self.alarms.each() if (each.held is not None) is shelved]
        if not wanted.takes_all:
            chosen = [each for each in chosen if wanted.takes(each)]
        count = len(chosen)
        if after is not None:
            chosen = [each for each in chosen if worst_first(each) > after]
        page = heapq.nsmallest(limit, chosen, key=worst_first)
        cursor = cursor_of(worst_first(page[-1])) if len(chosen) > limit else None
        return self._listed(page, count, cursor, wanted)

    async def history(
        self, wanted: AlarmFilter, *, limit: int, before: tuple[datetime, int]
    ) -> AlarmList:
        """Stored alarms, newest raise first."""
        page = await self.store.page(wanted, limit=limit, before=before)
        cursor = cursor_of(_place(page[-1])) if len(page) == limit else None
        return self._listed(page, len(page), cursor, wanted)

    async def one(self, alarm_id: int, principal: Principal) -> OneAlarm:
        """An alarm, open or closed.

        Raises:
            ApiError: There is none.
        """
        try:
            alarm: Alarm | None = self.alarms.get(alarm_id)
        except UnknownAlarmError:
            alarm = self.journal.newest_of(alarm_id)
        events: list[AlarmEvent] = []
        complete = True
        try:
            alarm = alarm or await self.store.alarm(alarm_id)
            events = await self.store.events(alarm_id)
        except DatabaseAway:
            if alarm is None:
                raise
            complete = False
        if alarm is None or not principal.sees_alarm_of(alarm.source_kind, alarm.domain):
            raise ApiError(404, "alarm not found", f"there is no alarm {alarm_id}")
        known = {each.version for each in events}
        waiting = [event_of(each) for each in self.journal.waiting_of(alarm_id)]
        events += [each for each in waiting if each.version not in known]
        return OneAlarm(view_of(alarm), events, complete)

    async def csv(self, wanted: AlarmFilter) -> AsyncIterator[str]:
        """The history as CSV, piece by piece; the first is read before this returns."""
        first = await self.store.page(wanted, limit=CSV_PAGE, before=FIRST_PAGE)
        return self._as_csv(wanted, first)

    async def _as_csv(self, wanted: AlarmFilter, page: list[Alarm]) -> AsyncIterator[str]:
        zone = ZoneInfo(self.zone)
        yield csv_text([CSV_HEADINGS])
        while page:
            yield csv_text(csv_rows(page, zone))
            if len(page) < CSV_PAGE:
                break
            at_us, number = _place(page[-1])
            page = await self.store.page(wanted, limit=CSV_PAGE, before=(_moment(at_us), number))

    def _listed(
        self, page: list[Alarm], count: int, cursor: str | None, wanted: AlarmFilter
    ) -> AlarmList:
        evaluated_us = self.alarms.evaluated_us
        age_s = None
        if evaluated_us is not None:
            age_s = round((self.clock.now_us() - evaluated_us) / 1e6, 3)
        return AlarmList(
            alarms=[view_of(each) for each in page], count=count, counts=self._counts(wanted),
            evaluated_at=None if evaluated_us is None else time_text(evaluated_us),
            evaluated_age_s=age_s, refused=self.alarms.refused, stored=len(self.journal) == 0,
            next=cursor, cursor=cursor,
        )  # fmt: skip

    def _counts(self, wanted: AlarmFilter) -> dict[str, dict[str, int]]:
        counts = {
            state: {str(int(each)): 0 for each in Priority}
            for state in ("unacknowledged", "acknowledged", "returned", NOBODY)
        }
        for alarm in self.alarms.each():
            if not wanted.shows(alarm):
                continue
            state = alarm.state.value if alarm.held is None else NOBODY
            counts[state][str(int(alarm.priority))] += 1
        return counts


async def listed(
    alarms_reader: NamedDependency[AlarmsReader],
    request: Request[Any, Any, Any],
    which: Annotated[
        Which, QueryParameter(name="state", description="open, shelved or history.")
    ] = Which.OPEN,
    priority: Annotated[Priorities | None, QueryParameter(description="1 to 4.")] = None,
    domain: Annotated[Words | None, QueryParameter()] = None,
    dma: Annotated[Words | None, QueryParameter()] = None,
    source: Annotated[Words | None, QueryParameter(description="Serial number.")] = None,
    condition: Annotated[Words | None, QueryParameter()] = None,
    q: Annotated[
        str, QueryParameter(max_length=200, pattern=NO_NUL, description="Part of a word.")
    ] = "",
    begin: Annotated[str, QueryParameter(name="from", description="Of the history; inside.")] = "",
    end: Annotated[str, QueryParameter(name="until", description="Outside.")] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=200)] = "",
) -> Response[AlarmList]:
    """Open alarms, worst first; or those held back; or the history, newest first."""
    scope = principal_of(request).domains
    wanted = replace(_wanted(priority, domain, dma, source, condition, q, begin, end), scope=scope)
    if which is Which.HISTORY:
        before = FIRST_PAGE
        if cursor:
            at_us, number = _read_cursor(cursor, tuple[int, int])
            before = (_moment(at_us), number)
        page = await alarms_reader.history(wanted, limit=limit, before=before)
    else:
        after = _read_cursor(cursor, _Key) if cursor else None
        page = alarms_reader.open(wanted, shelved=which is Which.SHELVED, limit=limit, after=after)
    return paged(request, page, page.next)


async def one(
    alarms_reader: NamedDependency[AlarmsReader], alarm_id: FromPath[int],
    request: Request[Any, Any, Any],
) -> OneAlarm:  # fmt: skip
    """One alarm, open or closed, and what happened to it."""
    return await alarms_reader.one(alarm_id, principal_of(request))


async def csv(
    alarms_reader: NamedDependency[AlarmsReader],
    request: Request[Any, Any, Any],
    priority: Annotated[Priorities | None, QueryParameter(description="1 to 4.")] = None,
    domain: Annotated[Words | None, QueryParameter()] = None,
    dma: Annotated[Words | None, QueryParameter()] = None,
    source: Annotated[Words | None, QueryParameter(description="Serial number.")] = None,
    condition: Annotated[Words | None, QueryParameter()] = None,
    q: Annotated[
        str, QueryParameter(max_length=200, pattern=NO_NUL, description="Part of a word.")
    ] = "",
    begin: Annotated[str, QueryParameter(name="from", description="Raised then or later.")] = "",
    end: Annotated[str, QueryParameter(name="until", description="Raised before.")] = "",
) -> Response[Any]:
    """The history as CSV, newest first, with the filters of the list."""
    scope = principal_of(request).domains
    wanted = replace(_wanted(priority, domain, dma, source, condition, q, begin, end), scope=scope)
    return csv_file(await alarms_reader.csv(wanted), "alarms.csv")


async def kpi(
    kpi_store: NamedDependency[KpiStore],
    clock: NamedDependency[Clock],
    begin: Annotated[
        str, QueryParameter(name="from", description="Inside; 7 days before the end.")
    ] = "",
    end: Annotated[str, QueryParameter(name="until", description="Outside; now.")] = "",
    operators: Annotated[
        int, QueryParameter(ge=1, le=1000, description="How many share the calls.")
    ] = 1,
) -> AlarmKpi:
    """Figures of alarm management: rate, floods, priorities, standing, chattering, the worst."""
    until_at = _time_in("until", end) or clock.now()
    from_at = _time_in("from", begin) or until_at - timedelta(days=7)
    if not timedelta(0) < until_at - from_at <= timedelta(days=KPI_DAYS):
        raise ApiError(422, "bad span", f"from is to be before until, by {KPI_DAYS} days at most")
    try:
        counted = await kpi_store.count(from_at, until_at)
    except TooSlow:
        raise ApiError(422, "too much history", "ask for fewer days") from None
    return figures(counted, from_at=from_at, until_at=until_at, operators=operators)


def _wanted(
    priorities: list[int] | None, domains: list[str] | None, dma_ids: list[str] | None,
    sources: list[str] | None, conditions: list[str] | None, text: str, begin: str, end: str,
) -> AlarmFilter:  # fmt: skip
    from_at = _time_in("from", begin) or BEGINNING
    until_at = _time_in("until", end) or END
    for words in (priorities, domains, dma_ids, sources, conditions):
        if words is not None and len(words) > WORDS_LIMIT:
            raise ApiError(422, "too many words", f"a filter may be given {WORDS_LIMIT} times")
    if from_at >= until_at:
        raise ApiError(422, "empty span", "from is to be before until")
    return AlarmFilter(
        priorities=priorities or (), domains=domains or (), dma_ids=dma_ids or (),
        sources=sources or (), conditions=conditions or (), text=text, from_at=from_at,
        until_at=until_at,
    )  # fmt: skip


def _time_in(name: str, text: str) -> datetime | None:
    try:
        return _moment(instant(name, text)) if text else None
    except InputError as error:
        raise ApiError(422, "bad time", str(error)) from None


def _place(alarm: Alarm) -> tuple[int, int]:
    """Where an alarm stands in the history."""
    return alarm.raised_us, alarm.id


def _moment(us: int) -> datetime:
    return BEGINNING + timedelta(microseconds=us)


def _read_cursor(cursor: str, form: Any) -> Any:
    place = begin_of(cursor, form)
    if len(place) == 2 and not (0 <= place[0] < 2**57 and 0 <= place[1] < 2**63):
        raise ApiError(422, "bad cursor", "send what the page before answered as next")
    return place
