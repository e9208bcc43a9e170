"""What people do about alarms: in memory at once, in the database as soon as it can be."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from ic3.api.callers import actor_of, principal_of
from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.alarm_history import BEGINNING
from ic3.domain.alarm_journal import AlarmJournal
from ic3.domain.alarm_view import AlarmView, view_of
from ic3.domain.alarms import (
    Alarm,
    Alarms,
    AlarmState,
    Hold,
    HoldKind,
    SourceKind,
    UnknownAlarmError,
)
from ic3.domain.envelope import time_text
from ic3.domain.users import Principal, Role
from ic3.errors import ApiError, DatabaseAway
from ic3.store.alarms import AlarmStore

STORED_WITHIN_S: Final = 2.0
OPERATOR_MINUTES: Final = 8 * 60
LONGEST_MINUTES: Final = 90 * 24 * 60
MINUTE_US: Final = 60_000_000
NO_NUL: Final = r"^[^\x00]*$"

Note = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=NO_NUL)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=NO_NUL)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
Minutes = Annotated[int, msgspec.Meta(ge=1, le=LONGEST_MINUTES)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
AlarmId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
AlarmIds = Annotated[list[AlarmId], msgspec.Meta(min_length=1, max_length=1000)]


class AckRequest(msgspec.Struct, forbid_unknown_fields=True):
    """That somebody knows; with a word about it."""

    note: Note | None = None


class AckManyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Alarms to acknowledge, 1,000 at most."""

    ids: AlarmIds
    note: Note | None = None


class CommentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Something about an alarm."""

    note: Note


class ShelveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Not to be called by an alarm for some minutes: an operator up to 8 h, others 90 days."""

    minutes: Minutes
    reason: Reason


class OutOfServiceRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Not to be called by an alarm until somebody ends it."""

    reason: Reason


class HoldRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A maintenance window: what matches every selector that is given calls nobody meanwhile.

    `from` is now where it is left out.
    """

    reason: Reason
    until: Moment
    from_: Moment | None = msgspec.field(name="from", default=None)
    source_kind: SourceKind | None = None
    source: Name | None = None
    condition: Name | None = None
    domain: Name | None = None
    dma_id: Name | None = None


class Outcome(StrEnum):
    """What became of one acknowledgement of many."""

    ACKNOWLEDGED = "acknowledged"
    ALREADY = "already acknowledged"
    UNKNOWN = "not open"


class AlarmDone(msgspec.Struct):
    """The alarm afterwards.

    Attributes:
        stored: Whether it is in the database; if not, the alarm may call again after a crash.
    """

    alarm: AlarmView
    stored: bool


class Acknowledged(msgspec.Struct):
    """What became of one of many."""

    id: int
    outcome: Outcome


class ManyDone(msgspec.Struct):
    """What became of each, in the order asked for; `stored` as for one."""

    results: list[Acknowledged]
    stored: bool


class HoldView(msgspec.Struct):
    """What keeps alarms from calling; a selector that is null matches everything."""

    id: int
    kind: HoldKind
    reason: str
    who: str
    from_at: str
    until_at: str | None
    source_kind: SourceKind | None
    source: str | None
    condition: str | None
    domain: str | None
    dma_id: str | None
    ended_at: str | None
    ended_by: str | None


class HoldDone(msgspec.Struct):
    """The hold afterwards; `stored` as for an alarm."""

    hold: HoldView
    stored: bool


class Holds(msgspec.Struct):
    """The holds that stand, and those that begin later, by number."""

    count: int
    holds: list[HoldView]


@dataclass(frozen=True, slots=True)
class AlarmDesk:
    """Acts of people on alarms and holds.

    Attributes:
        store: Asked only what became of an alarm that is not open.
    """

    alarms: Alarms
    journal: AlarmJournal
    store: AlarmStore
    clock: Clock

    async def acknowledge(self, actor: Actor, alarm_id: int, note: str | None) -> AlarmDone:
        """Somebody knows; a second time changes nothing."""
        await self._open(alarm_id)
        with self.journal.by(actor):
            changed = self.alarms.acknowledge(
                alarm_id, who=actor.who, at_us=self.clock.now_us(), note=note
            )
        return AlarmDone(view_of(changed), await self._stored())

    async def acknowledge_many(
        self, actor: Actor, principal: Principal, alarm_ids: list[int], note: str | None
    ) -> ManyDone:
        """Each for itself."""
        self._check_room()
        at_us = self.clock.now_us()
        results = []
        with self.journal.by(actor):
            for number in alarm_ids:
                try:
                    if not self._shows(principal, number):
                        raise UnknownAlarmError(number)
                    known = self.alarms.get(number).state is AlarmState.ACKNOWLEDGED
                    self.alarms.acknowledge(number, who=actor.who, at_us=at_us, note=note)
                    outcome = Outcome.ALREADY if known else Outcome.ACKNOWLEDGED
                except UnknownAlarmError:
                    outcome = Outcome.UNKNOWN
                results.append(Acknowledged(number, outcome))
        return ManyDone(results, await self._stored())

    async def comment(self, actor: Actor, alarm_id: int, note: str) -> AlarmDone:
        """Somebody says something."""
        await self._open(alarm_id)
        with self.journal.by(actor):
            changed = self.alarms.comment(
                alarm_id, note, who=actor.who, at_us=self.clock.now_us()
            )  # fmt: skip
        return AlarmDone(view_of(changed), await self._stored())

    async def hold_one(
        self, actor: Actor, alarm_id: int, kind: HoldKind, reason: str, minutes: int | None
    ) -> AlarmDone:
        """Keep one condition of one source from calling.

        Raises:
            ApiError: It is held already.
        """
        alarm = await self._open(alarm_id)
        if alarm.held is not None:
            raise ApiError(
                409, "already held", f"hold {alarm.hold_id} keeps it from calling; end that first"
            )
        now_us = self.clock.now_us()
        wanted = Hold(
            id=0, kind=kind, reason=reason, who=actor.who, from_us=now_us,
            until_us=None if minutes is None else now_us + minutes * MINUTE_US,
            source_kind=alarm.source_kind, source=alarm.source, condition=alarm.condition,
            domain=alarm.domain,
        )  # fmt: skip
        self._make(actor, wanted, now_us)
        return AlarmDone(view_of(self.alarms.get(alarm_id)), await self._stored())

    async def end_of_one(self, actor: Actor, alarm_id: int, kind: HoldKind) -> AlarmDone:
        """Let one alarm call again.

        Raises:
            ApiError: It is not held so.
        """
        alarm = await self._open(alarm_id)
        if alarm.held is not kind or alarm.hold_id is None:
            words = "nothing keeps it" if alarm.held is None else f"hold {alarm.hold_id} keeps it"
            raise ApiError(409, f"not {kind.value.replace('_', ' ')}", f"{words} from calling")
        with self.journal.by(actor):
            self.alarms.release(alarm.hold_id, who=actor.who, at_us=self.clock.now_us())
        return AlarmDone(view_of(self.alarms.get(alarm_id)), await self._stored())

    async def make_window(self, actor: Actor, data: HoldRequest) -> HoldDone:
        """A maintenance window.

        Raises:
            ApiError: It would hold everything, nothing, or too long.
        """
        now_us = self.clock.now_us()
        from_us = now_us if data.from_ is None else _us(data.from_)
        until_us = _us(data.until)
        if not (data.source or data.condition or data.domain or data.dma_id):
            raise ApiError(422, "too wide", "name a source, a condition, a domain or a dma_id")
        if until_us <= max(from_us, now_us):
            raise ApiError(422, "empty span", "until is to be after from, and in the future")
        if until_us - now_us > LONGEST_MINUTES * MINUTE_US:
            raise ApiError(422, "too long", "a maintenance window ends within 90 days")
        self._check_room()
        wanted = Hold(
            id=0, kind=HoldKind.SUPPRESSED, reason=data.reason, who=actor.who, from_us=from_us,
            until_us=until_us, source_kind=data.source_kind, source=data.source,
            condition=data.condition, domain=data.domain, dma_id=data.dma_id,
        )  # fmt: skip
        made = self._make(actor, wanted, now_us)
        return HoldDone(_view(made), await self._stored())

    async def end_hold(self, actor: Actor, hold_id: int) -> HoldDone:
        """End a hold of any kind.

        Raises:
            ApiError: There is none.
        """
        self._check_room()
        try:
            with self.journal.by(actor):
                ended = self.alarms.release(
                    hold_id, who=actor.who, at_us=self.clock.now_us()
                )  # fmt: skip
        except UnknownAlarmError:
            raise ApiError(404, "hold not found", f"no hold {hold_id} stands") from None
        return HoldDone(_view(ended), await self._stored())

    def _make(self, actor: Actor, wanted: Hold, now_us: int) -> Hold:
        try:
            with self.journal.by(actor):
                return self.alarms.hold(wanted, at_us=now_us)
        except ValueError as error:
            raise ApiError(409, "too many holds", str(error)) from None

    def check_scope(self, principal: Principal, alarm_id: int) -> None:
        """Let only acts on what the caller may see pass; the rest is as what does not exist.

        Raises:
            ApiError: It is another domain's. One that is no longer open is asked of the database.
        """
        if not self._shows(principal, alarm_id):
            raise _unknown(alarm_id)

    def _shows(self, principal: Principal, alarm_id: int) -> bool:
        try:
            alarm: Alarm | None = self.alarms.get(alarm_id)
        except UnknownAlarmError:
            alarm = self.journal.newest_of(alarm_id)
        return alarm is None or principal.sees_alarm_of(alarm.source_kind, alarm.domain)

    async def _open(self, alarm_id: int) -> Alarm:
        """The open alarm, and room for an act on it."""
        self._check_room()
        try:
            return self.alarms.get(alarm_id)
        except UnknownAlarmError:
            known = self.journal.newest_of(alarm_id)
        with suppress(DatabaseAway):
            known = known or await self.store.alarm(alarm_id)
        if known is not None:
            raise ApiError(409, "alarm is closed", f"alarm {alarm_id} was cleared meanwhile")
        raise _unknown(alarm_id)

    def _check_room(self) -> None:
        if self.journal.full:
            raise ApiError(
                503, "too many acts wait", "the database has been away for too long",
                headers={"Retry-After": "30"},
            )  # fmt: skip

    async def _stored(self) -> bool:
        """Whether what was done is in the database, for which it has a moment."""
        stored = asyncio.Event()
        self.journal.when_stored(stored.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(STORED_WITHIN_S):
                await stored.wait()
        return stored.is_set()


async def acknowledge(
    alarm_id: FromPath[int], data: JSONBody[AckRequest], alarm_desk: NamedDependency[AlarmDesk],
    request: Request[Any, Any, Any],
) -> AlarmDone:  # fmt: skip
    """Say that somebody knows of an alarm; a second time changes nothing."""
    alarm_desk.check_scope(principal_of(request), alarm_id)
    return await alarm_desk.acknowledge(actor_of(request), alarm_id, data.note)


async def acknowledge_many(
    data: JSONBody[AckManyRequest], alarm_desk: NamedDependency[AlarmDesk],
    request: Request[Any, Any, Any],
) -> ManyDone:  # fmt: skip
    """The same of up to 1,000 alarms, each for itself."""
    principal = principal_of(request)
    return await alarm_desk.acknowledge_many(actor_of(request), principal, data.ids, data.note)


async def comment(
    alarm_id: FromPath[int], data: JSONBody[CommentRequest],
    alarm_desk: NamedDependency[AlarmDesk], request: Request[Any, Any, Any],
) -> AlarmDone:  # fmt: skip
    """Say something about an open alarm."""
    alarm_desk.check_scope(principal_of(request), alarm_id)
    return await alarm_desk.comment(actor_of(request), alarm_id, data.note)


async def shelve(
    alarm_id: FromPath[int], data: JSONBody[ShelveRequest],
    alarm_desk: NamedDependency[AlarmDesk], request: Request[Any, Any, Any],
) -> AlarmDone:  # fmt: skip
    """Keep an alarm from calling for some minutes; longer than 8 h needs an engineer."""
    alarm_desk.check_scope(principal_of(request), alarm_id)
    role = principal_of(request).role
    if data.minutes > OPERATOR_MINUTES and not role.covers(Role.ENGINEER):
        raise ApiError(
            403, "forbidden", f"to shelve for more than {OPERATOR_MINUTES} minutes the role"
            " engineer is needed",
        )  # fmt: skip
    return await alarm_desk.hold_one(
        actor_of(request), alarm_id, HoldKind.SHELVED, data.reason, data.minutes
    )


async def unshelve(
    alarm_id: FromPath[int], alarm_desk: NamedDependency[AlarmDesk],
    request: Request[Any, Any, Any],
) -> AlarmDone:  # fmt: skip
    """Let a shelved alarm call again."""
    alarm_desk.check_scope(principal_of(request), alarm_id)
    return await alarm_desk.end_of_one(actor_of(request), alarm_id, HoldKind.SHELVED)


async def out_of_service(
    alarm_id: FromPath[int], data: JSONBody[OutOfServiceRequest],
    alarm_desk: NamedDependency[AlarmDesk], request: Request[Any, Any, Any],
) -> AlarmDone:  # fmt: skip
    """Keep an alarm from calling until somebody puts it back into service."""
    alarm_desk.check_scope(principal_of(request), alarm_id)
    return await alarm_desk.hold_one(
        actor_of(request), alarm_id, HoldKind.OUT_OF_SERVICE, data.reason, None
    )


async def in_service(
    alarm_id: FromPath[int], alarm_desk: NamedDependency[AlarmDesk],
    request: Request[Any, Any, Any],
) -> AlarmDone:  # fmt: skip
    """Put an alarm back into service."""
    alarm_desk.check_scope(principal_of(request), alarm_id)
    return await alarm_desk.end_of_one(actor_of(request), alarm_id, HoldKind.OUT_OF_SERVICE)


async def holds(alarm_desk: NamedDependency[AlarmDesk], request: Request[Any, Any, Any]) -> Holds:
    """Shelves, maintenance windows and what is out of service."""
    sees = principal_of(request).sees
    found = [_view(each) for each in alarm_desk.alarms.holds if sees(each.domain)]
    return Holds(len(found), found)


async def make_window(
    data: JSONBody[HoldRequest], alarm_desk: NamedDependency[AlarmDesk],
    request: Request[Any, Any, Any],
) -> HoldDone:  # fmt: skip
    """A maintenance window by domain, DMA, source or condition; 90 days at most."""
    principal = principal_of(request)
    if not principal.sees(data.domain):
        raise ApiError(403, "forbidden", "name a domain of your scope")
    return await alarm_desk.make_window(actor_of(request), data)


async def end_hold(
    hold_id: FromPath[int], alarm_desk: NamedDependency[AlarmDesk],
    request: Request[Any, Any, Any],
) -> HoldDone:  # fmt: skip
    """End a hold of any kind; what it held and is still active calls again."""
    standing = next((each for each in alarm_desk.alarms.holds if each.id == hold_id), None)
    if standing is not None and not principal_of(request).sees(standing.domain):
        raise ApiError(404, "hold not found", f"no hold {hold_id} stands")
    return await alarm_desk.end_hold(actor_of(request), hold_id)


def _unknown(alarm_id: int) -> ApiError:
    return ApiError(404, "alarm not found", f"there is no alarm {alarm_id}")


def _view(hold: Hold) -> HoldView:
    return HoldView(
        hold.id, hold.kind, hold.reason, hold.who, time_text(hold.from_us), _time(hold.until_us),
        hold.source_kind, hold.source, hold.condition, hold.domain, hold.dma_id,
        _time(hold.ended_us), hold.ended_by,
    )  # fmt: skip


def _time(us: int | None) -> str | None:
    return None if us is None else time_text(us)


def _us(at: datetime) -> int:
    return (at - BEGINNING) // timedelta(microseconds=1)
