"""Plans of preventive maintenance: lists, one plan, and what engineers change."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import FromQuery, HeaderParameter, JSONBody, PathParameter, QueryParameter

from ic3.api.callers import actor_of, principal_of
from ic3.api.lists import begin_of, paged, seen_as
from ic3.clock import Clock
from ic3.domain.alarms import Priority
from ic3.domain.cursors import CURSOR_LIMIT, cursor_of
from ic3.domain.plans import Basis, Plan, RunHours, Unit, next_due
from ic3.errors import ApiError
from ic3.store.plans import NewPlan, PlanStore, add_plan, change_plan, plan_etag

ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
MANY_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
NO_NUL: Final = r"^[^\x00]*$"
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

Title = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=ONE_LINE)]
Serial = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=NO_NUL)]
Body = Annotated[str, msgspec.Meta(max_length=10_000, pattern=MANY_LINES)]
Checklist = Annotated[list[Title], msgspec.Meta(max_length=200)]
PriorityNumber = Annotated[int, msgspec.Meta(ge=1, le=4)]
Days = Annotated[int, msgspec.Meta(ge=0, le=366)]
Place: Any = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Number = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
IfMatch = Annotated[str | None, HeaderParameter(name="If-Match", max_length=1000)]


class NewPlanRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Make a plan.

    By calendar it has `every` and `unit`; `starts_at` is its first due, whose time of day on the
    plant's clocks all others have. By run hours it has `every` hours and `tag_code`, the tag that
    is 1 while the asset runs; they are counted from `starts_at`.
    """

    title: Title
    basis: Basis
    every: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    unit: Unit | None = None
    tag_code: Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_NUL)] | None = (
        None
    )
    lead_days: Days = 7
    description: Body = ""
    serial_number: Serial | None = None
    domain: Name | None = None
    priority: PriorityNumber = 3
    team: Name | None = None
    assignee: Name | None = None
    checklist: Checklist = []


class PlanChanges(msgspec.Struct, forbid_unknown_fields=True):
    """Fields to change; those that are absent stay."""

    active: bool | msgspec.UnsetType = msgspec.UNSET
    title: Title | msgspec.UnsetType = msgspec.UNSET
    description: Body | msgspec.UnsetType = msgspec.UNSET
    priority: PriorityNumber | msgspec.UnsetType = msgspec.UNSET
    team: Name | msgspec.UnsetType | None = msgspec.UNSET
    assignee: Name | msgspec.UnsetType | None = msgspec.UNSET
    checklist: Checklist | msgspec.UnsetType = msgspec.UNSET
    lead_days: Days | msgspec.UnsetType = msgspec.UNSET


class PlanView(msgspec.Struct):
    """A plan and when it is due.

    Attributes:
        next_due_at: Of the next order that is not made; by run hours as the last seven days let
            expect. Null where that cannot be told, or the plan makes none.
        run_hours: The newest count; null by calendar, or before the first count.
    """

    plan: Plan
    next_due_at: datetime | None
    run_hours: RunHours | None


class PlanPage(msgspec.Struct):
    """A page of plans by number; ask on with `cursor=next`, null where there is none."""

    plans: list[PlanView]
    next: str | None


@dataclass(frozen=True, slots=True)
class PlanDesk:
    """What the routes of plans are made of.

    Attributes:
        zone: The plant's.
    """

    store: PlanStore
    zone: ZoneInfo
    clock: Clock

    async def views(self, plans: list[Plan]) -> list[PlanView]:
        """Plans with their dues."""
        hours = await self.store.newest_hours([each.id for each in plans])
        return [self._view(each, hours.get(each.id)) for each in plans]

    def _view(self, plan: Plan, hours: RunHours | None) -> PlanView:
        due = next_due(plan, self.zone, hours) if plan.active else None
        return PlanView(plan, None if due is None else due.at, hours)


async def listed(
    request: Request[Any, Any, Any],
    plan_desk: NamedDependency[PlanDesk],
    serial_number: Annotated[str | None, QueryParameter(max_length=1024, pattern=NO_NUL)] = None,
    active: FromQuery[bool | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    cursor: Annotated[str, QueryParameter(max_length=CURSOR_LIMIT)] = "",
) -> Response[PlanPage]:
    """Plans by number, with what is due next."""
    after = begin_of(cursor, Place) if cursor else 0
    plans = await plan_desk.store.page(
        principal_of(request).scope(), limit=limit, after=after, serial=serial_number, active=active
    )
    onward = cursor_of(plans[-1].id) if len(plans) == limit else None
    return paged(request, PlanPage(await plan_desk.views(plans), onward), onward)


async def one(
    request: Request[Any, Any, Any], plan_desk: NamedDependency[PlanDesk], plan_id: Number
) -> Response[PlanView]:
    """A plan and when it is due next."""
    plan = await plan_desk.store.one(plan_id, principal_of(request).scope())
    return await _answer(plan_desk, plan)


async def add(
    data: JSONBody[NewPlanRequest],
    request: Request[Any, Any, Any],
    plan_desk: NamedDependency[PlanDesk],
) -> Response[PlanView]:
    """Make a plan."""
    _check_basis(data)
    new = NewPlan(
        data.title, data.description, data.serial_number, data.domain, Priority(data.priority),
        data.team, data.assignee, data.checklist, data.basis, data.every, data.unit,
        data.tag_code, data.starts_at.astimezone(UTC), data.lead_days,
    )  # fmt: skip
    async with plan_desk.store.database.connection() as connection:
        plan = await add_plan(
            connection, actor_of(request), principal_of(request).scope(), new,
            at=plan_desk.clock.now(),
        )  # fmt: skip
    return await _answer(plan_desk, plan, status=201)


async def patch(
    data: JSONBody[PlanChanges],
    request: Request[Any, Any, Any],
    plan_desk: NamedDependency[PlanDesk],
    plan_id: Number,
    if_match: IfMatch = None,
) -> Response[PlanView]:
    """Change fields of a plan, if it is still as it was seen (If-Match)."""
    seen = seen_as(if_match, "plan")
    given = {name: getattr(data, name) for name in data.__struct_fields__}
    fields = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if "priority" in fields:
        fields["priority"] = Priority(fields["priority"])
    async with plan_desk.store.database.connection() as connection:
        plan = await change_plan(
            connection, actor_of(request), principal_of(request).scope(), plan_id, seen, fields
        )
    return await _answer(plan_desk, plan)


def _check_basis(data: NewPlanRequest) -> None:
    """Whether it has what its basis needs, and nothing of the other."""
    if data.basis is Basis.CALENDAR and (data.unit is None or data.tag_code is not None):
        raise ApiError(422, "unclear", "a plan by calendar has a unit and no tag_code")
    if data.basis is Basis.RUN_HOURS:
        if data.tag_code is None or data.serial_number is None or data.unit is not None:
            raise ApiError(
                422, "unclear", "a plan by run hours has serial_number and tag_code and no unit"
            )
    elif data.every > 1000:
        raise ApiError(422, "too long", "every: at most 1,000 days, weeks or months")
    if not EARLIEST <= data.starts_at < LATEST:
        raise ApiError(422, "bad time", "starts_at: must lie between the years 2000 and 2200")


async def _answer(desk: PlanDesk, plan: Plan, *, status: int = 200) -> Response[PlanView]:
    [view] = await desk.views([plan])
    return Response(view, status_code=status, headers={"etag": plan_etag(plan)})
