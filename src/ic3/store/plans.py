"""Plans of preventive maintenance, the run hours they go by, and the orders they make."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.domain.acts import Actor
from ic3.domain.alarms import Priority
from ic3.domain.etags import still_so
from ic3.domain.plans import RECENT_DAYS, Basis, Due, Plan, RunHours, Unit
from ic3.domain.work_orders import OrderKind, State
from ic3.errors import ApiError
from ic3.store.assignees import check_assignee
from ic3.store.audit import record
from ic3.store.pool import Connection, Database
from ic3.store.work_orders import NewOrder, asset_of, create, unknown_asset

WORKER: Final = Actor("plans", "worker", "worker")

PLANS: Final = """
SELECT id, version, active, title, description, serial, category, domain, priority, team, assignee,
    checklist, basis, every, unit, tag_code, starts_at, lead_days, made_number, created_at,
    created_by
FROM ic3_maintenance_plan
WHERE id > %(after)s AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
    AND (%(serial)s::text IS NULL OR serial = %(serial)s::text)
    AND (%(active)s::boolean IS NULL OR active = %(active)s::boolean)
ORDER BY id LIMIT %(limit)s
"""
LOCK_PLAN: Final = """
SELECT id, version, active, title, description, serial, category, domain, priority, team, assignee,
    checklist, basis, every, unit, tag_code, starts_at, lead_days, made_number, created_at,
    created_by
FROM ic3_maintenance_plan
WHERE id = %(id)s AND (%(domains)s::text[] IS NULL OR domain = ANY(%(domains)s::text[]))
FOR UPDATE
"""
COUNT_PLANS: Final = "SELECT count(*) FROM ic3_maintenance_plan"
INSERT_PLAN: Final = """
INSERT INTO ic3_maintenance_plan (title, description, serial, category, domain, priority, team,
    assignee, checklist, basis, every, unit, tag_code, starts_at, lead_days, created_at, created_by)
VALUES (%(title)s, %(description)s, %(serial)s, %(category)s, %(domain)s, %(priority)s, %(team)s,
    %(assignee)s, %(checklist)s, %(basis)s, %(every)s, %(unit)s, %(tag_code)s, %(starts_at)s,
    %(lead_days)s, %(at)s, %(created_by)s)
RETURNING id
"""
SAVE_PLAN: Final = """
UPDATE ic3_maintenance_plan SET version = version + 1, active = %(active)s, title = %(title)s,
    description = %(description)s, priority = %(priority)s, team = %(team)s,
    assignee = %(assignee)s, checklist = %(checklist)s, lead_days = %(lead_days)s
WHERE id = %(id)s
"""
SET_MADE: Final = """
UPDATE ic3_maintenance_plan SET made_number = greatest(made_number, %(number)s) WHERE id = %(id)s
"""
# A state is 0 or 1, so the mean of an hour is the share of it that the asset ran.
RUN_HOURS: Final = """
SELECT coalesce(sum(r.share), 0)::double precision, count(*)::double precision,
    coalesce(sum(r.share) FILTER (WHERE r.bucket_at >= %(recent_at)s), 0)::double precision
FROM (SELECT h.bucket_at, least(greatest(h.value_sum / h.used_count, 0), 1) AS share
    FROM ic3_rollup_1h h JOIN ic3_asset_master a ON a.asset_id = h.asset_id
    WHERE a.serialnumber = %(serial)s AND h.tag_code = %(tag_code)s AND h.used_count > 0
        AND h.bucket_at >= %(from_at)s AND h.bucket_at <= %(last_at)s) r
"""
KEEP_HOURS: Final = """
INSERT INTO ic3_plan_run_hours (plan_id, counted_to, run_hours, measured_hours, recent_hours,
    order_id)
VALUES (%(plan_id)s, %(counted_to)s, %(run_hours)s, %(measured_hours)s, %(recent_hours)s,
    %(order_id)s)
ON CONFLICT (plan_id, counted_to) DO UPDATE SET run_hours = excluded.run_hours,
    measured_hours = excluded.measured_hours, recent_hours = excluded.recent_hours,
    order_id = coalesce(excluded.order_id, ic3_plan_run_hours.order_id)
"""
# Only the newest count, and those that made an order, are kept.
TRIM_HOURS: Final = """
DELETE FROM ic3_plan_run_hours
WHERE plan_id = %(plan_id)s AND order_id IS NULL AND counted_to < %(counted_to)s
"""
NEWEST_HOURS: Final = """
SELECT DISTINCT ON (plan_id) plan_id, counted_to, run_hours, measured_hours, recent_hours
FROM ic3_plan_run_hours WHERE plan_id = ANY(%(ids)s::bigint[])
ORDER BY plan_id, counted_to DESC
"""

PLANS_LIMIT: Final = 100_000
COLUMNS: Final = tuple(each.name for each in msgspec.structs.fields(Plan))


class NewPlan(NamedTuple):
    """A plan to be made."""

    title: str
    description: str
    serial: str | None
    domain: str | None
    priority: Priority
    team: str | None
    assignee: str | None
    checklist: list[str]
    basis: Basis
    every: int
    unit: Unit | None
    tag_code: str | None
    starts_at: datetime
    lead_days: int


class PlanStore:
    """Reads and changes plans, counts run hours, makes orders."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def page(
        self, domains: list[str] | None, *, limit: int, after: int = 0, serial: str | None = None,
        active: bool | None = None,
    ) -> list[Plan]:  # fmt: skip
        """Plans by number."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                PLANS,
                {
                    "domains": domains, "limit": limit, "after": after, "serial": serial,
                    "active": active,
                },
            )  # fmt: skip
            return [_plan(row) for row in await cursor.fetchall()]

    async def one(self, plan_id: int, domains: list[str] | None) -> Plan:
        """A plan.

        Raises:
            ApiError: 404: there is none, or not for this user.
        """
        found = await self.page(domains, limit=1, after=plan_id - 1)
        if not found or found[0].id != plan_id:
            raise _unknown()
        return found[0]

    async def newest_hours(self, ids: list[int]) -> Mapping[int, RunHours]:
        """Plan to its newest count."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(NEWEST_HOURS, {"ids": ids})
            return {row[0]: RunHours(*row[1:]) for row in await cursor.fetchall()}

    async def count_hours(self, plan: Plan, now: datetime) -> RunHours:
        """Count how long a plan's asset ran, from the hours that are rolled up, and keep it."""
        counted_to = now.replace(minute=0, second=0, microsecond=0)
        async with self.database.connection() as connection:
            cursor = await connection.execute(
                RUN_HOURS,
                {
                    "serial": plan.serial, "tag_code": plan.tag_code, "from_at": plan.starts_at,
                    "last_at": now - timedelta(hours=1),
                    "recent_at": counted_to - timedelta(days=RECENT_DAYS),
                },
            )  # fmt: skip
            row = await cursor.fetchone()
            assert row is not None
            hours = RunHours(counted_to, *row)
            await _keep_hours(connection, plan.id, hours, None)
            await connection.execute(
                TRIM_HOURS, {"plan_id": plan.id, "counted_to": hours.counted_to}
            )
        return hours

    async def make_order(
        self, plan: Plan, due: Due, hours: RunHours | None, *, at: datetime
    ) -> int | None:
        """Make the order of a due, once; None where it is there already.

        Args:
            plan: As it was read.
            due: Which.
            hours: The count that it goes by.
            at: Now.
        """
        async with self.database.connection() as connection:
            locked = await _locked(connection, plan.id, None)
            if not locked.active or locked.made_number >= due.number:
                return None
            try:
                async with connection.transaction():
                    order = await create(connection, WORKER, None, _order(locked, due), at=at)
                    number: int | None = order.id
            except ApiError as error:
                if error.status == 404:
                    raise
                number = None
            if hours is not None:
                await _keep_hours(connection, plan.id, hours, number)
            await connection.execute(SET_MADE, {"id": plan.id, "number": due.number})
        return number


async def add_plan(
    connection: Connection, actor: Actor, domains: list[str] | None, new: NewPlan, *, at: datetime
) -> Plan:
    """Make a plan.

    Raises:
        ApiError: 404: the asset is unknown, or not for this user. 409: there are too many.
            422: it would be in nobody's domain, or given to nobody who may act on it.
    """
    domain, category = new.domain, None
    if new.serial is not None:
        row = await asset_of(connection, new.serial)
        if row is None or (domains is not None and row[0] not in domains):
            raise unknown_asset()
        domain, category = row
    elif domains is not None and domain not in domains:
        raise ApiError(422, "domain required", "name a serial_number, or a domain that is yours")
    await check_assignee(connection, new.assignee, domain)
    count = await (await connection.execute(COUNT_PLANS)).fetchone()
    if count is not None and count[0] >= PLANS_LIMIT:
        raise ApiError(409, "too many plans", f"there are {PLANS_LIMIT:,}")
    cursor = await connection.execute(
        INSERT_PLAN,
        {
            **new._asdict(), "domain": domain, "category": category,
            "checklist": Jsonb(new.checklist), "at": at, "created_by": actor.who,
        },
    )  # fmt: skip
    made = await cursor.fetchone()
    assert made is not None
    plan = await _locked(connection, made[0], None)
    await record(
        connection, actor, "maintenance plan created", f"maintenance plan {plan.id}",
        after=msgspec.to_builtins(plan),
    )  # fmt: skip
    return plan


async def change_plan(
    connection: Connection, actor: Actor, domains: list[str] | None, plan_id: int, if_match: str,
    fields: Mapping[str, Any],
) -> Plan:  # fmt: skip
    """Change fields of a plan; what it goes by stays, so that no due changes its name.

    Raises:
        ApiError: 404; 412: it is another by now; 422: nobody of this name may be given work.
    """
    before = await _locked(connection, plan_id, domains)
    if not still_so(if_match, plan_etag(before)):
        raise ApiError(412, "changed meanwhile", f"plan {plan_id} has changed; read it again")
    if "assignee" in fields:
        await check_assignee(connection, fields["assignee"], before.domain)
    changed = msgspec.structs.replace(before, **fields, version=before.version + 1)
    values = msgspec.structs.asdict(changed)
    await connection.execute(SAVE_PLAN, {**values, "checklist": Jsonb(changed.checklist)})
    was, now = msgspec.to_builtins(before), msgspec.to_builtins(changed)
    await record(
        connection, actor, "maintenance plan changed", f"maintenance plan {plan_id}",
        before={name: was[name] for name in fields}, after={name: now[name] for name in fields},
    )  # fmt: skip
    return changed


def plan_etag(plan: Plan) -> str:
    """The entity tag of a plan: it stands for what people change."""
    return f'"{plan.version}"'


async def _locked(connection: Connection, plan_id: int, domains: list[str] | None) -> Plan:
    cursor = await connection.execute(LOCK_PLAN, {"id": plan_id, "domains": domains})
    row = await cursor.fetchone()
    if row is None:
        raise _unknown()
    return _plan(row)


def _unknown() -> ApiError:
    return ApiError(404, "maintenance plan not found", "there is no such plan")


def _order(plan: Plan, due: Due) -> NewOrder:
    named = plan.assignee is not None or plan.team is not None
    return NewOrder(
        plan.title, plan.priority, State.ASSIGNED if named else State.OPEN,
        kind=OrderKind.PREVENTIVE, description=plan.description, serial=plan.serial,
        domain=plan.domain, assignee=plan.assignee, team=plan.team, due_at=due.at,
        of_plan=(plan.id, due.word), checklist=plan.checklist,
    )  # fmt: skip


async def _keep_hours(
    connection: Connection, plan_id: int, hours: RunHours, order_id: int | None
) -> None:
    await connection.execute(
        KEEP_HOURS, {**msgspec.structs.asdict(hours), "plan_id": plan_id, "order_id": order_id}
    )


def _plan(row: Any) -> Plan:
    return msgspec.convert(dict(zip(COLUMNS, row, strict=True)), Plan)
