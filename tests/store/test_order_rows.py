"""What only the database decides: once each, under races; figures against plain Python."""

import asyncio
import random
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from samples import NOW, Sql

from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.alarms import Alarms, Finding, Priority
from ic3.domain.plans import Basis, Plan, RunHours, Unit, next_due
from ic3.domain.reliability import By, figures
from ic3.domain.returns import Returns
from ic3.domain.work_orders import Order, State
from ic3.errors import ApiError, Contended, StoreError, TooSlow
from ic3.observations import Observation, PlanFailed, PlannedOrders
from ic3.store import idempotency
from ic3.store.attachment_files import AttachmentFiles
from ic3.store.attachments import AttachmentStore
from ic3.store.idempotency import Claim, claim_key, free_key, keep_answer, trim_keys
from ic3.store.plans import NewPlan, PlanStore, add_plan
from ic3.store.pool import Database
from ic3.store.reliability import ReliabilityStore
from ic3.store.work_orders import NewOrder, WorkOrderStore, create
from ic3.workers.plans import Plans

ASHA = Actor("asha", "engineer", "127.0.0.1")
DELHI = ZoneInfo("Asia/Kolkata")
PUMP = "A Block_Pump_1"
FAILURE = """
INSERT INTO ic3_work_order (kind, state, priority, title, serial, category, domain, created_at,
    created_by, updated_at, start_due_at, due_at, failed_at, source, condition,
    returned_at, done_at)
VALUES (%s, %s, 3, 'x', %s, %s, %s, %s, 'asha', %s, %s, %s, %s, %s, %s, %s, %s)
"""


@pytest.fixture
def plant(own_sql: Sql) -> Sql:
    own_sql(
        "INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain)"
        " SELECT n, 'A Block_Pump_' || n, CASE WHEN n > 6 THEN 'valve' ELSE 'pump' END,"
        " 'DEL-D0' || n % 3 FROM generate_series(1, 9) n"
    )
    return own_sql


@pytest.fixture
async def worker_parts(own_database: Database, clock: Clock, tmp_path: Path) -> dict[str, Any]:
    return {
        "plans": PlanStore(own_database), "orders": WorkOrderStore(own_database),
        "attachments": AttachmentStore(own_database, cap_bytes=1 << 20),
        "files": AttachmentFiles(tmp_path / "attachments"), "zone": DELHI, "clock": clock,
    }  # fmt: skip


def worker(parts: dict[str, Any], told: list[Observation], alarms: Alarms | None = None) -> Plans:
    return Plans(
        **parts, returns=Returns(Alarms() if alarms is None else alarms), observe=told.append
    )


async def order(database: Database, new: NewOrder, at: datetime = NOW) -> Order:
    async with database.connection() as connection:
        return await create(connection, ASHA, None, new, at=at)


async def plan(database: Database, **more: Any) -> Plan:
    new = NewPlan(
        title="Oil", description="", serial=PUMP, domain=None, priority=Priority.LOW, team=None,
        assignee=None, checklist=["Drain", "Fill"], basis=Basis.CALENDAR, every=1,
        unit=Unit.MONTH, tag_code=None, starts_at=NOW, lead_days=7,
    )._replace(**more)  # fmt: skip
    async with database.connection() as connection:
        return await add_plan(connection, ASHA, None, new, at=NOW)


async def test_of_two_at_the_same_time_one_makes_the_order_of_an_alarm(
    own_database: Database, plant: Sql
) -> None:
    new = NewOrder(
        "Hot", Priority.HIGH, State.OPEN, serial=PUMP, from_alarm=(7, "asset", PUMP, "high")
    )
    made = await asyncio.gather(
        *(order(own_database, new) for _ in range(3)), return_exceptions=True
    )
    refused = [each for each in made if isinstance(each, ApiError)]
    assert [each.status for each in refused] == [409, 409]
    assert plant("SELECT count(*) FROM ic3_work_order") == [(1,)]
    assert plant("SELECT count(*) FROM audit_log") == [(1,)]
    assert plant("SELECT count(*) FROM ic3_work_order_event") == [(1,)]


async def test_a_key_is_taken_once_and_gives_its_answer(own_database: Database) -> None:
    claim = Claim("asha", "k", "hash", NOW)
    taken = await asyncio.gather(
        *(claim_key(own_database, claim) for _ in range(3)), return_exceptions=True
    )
    assert taken.count(None) == 1
    assert [each.status for each in taken if isinstance(each, ApiError)] == [409, 409]
    await keep_answer(own_database, claim, b"done")
    assert await claim_key(own_database, claim) == b"done"
    await free_key(own_database, claim)
    assert await claim_key(own_database, claim) == b"done"


async def test_a_key_whose_act_did_nothing_is_free_again(own_database: Database) -> None:
    claim = Claim("asha", "k", "hash", NOW)
    assert await claim_key(own_database, claim) is None
    await free_key(own_database, claim)
    assert await claim_key(own_database, claim) is None


async def test_keys_are_kept_for_a_day_and_to_a_number(
    own_database: Database, plant: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "KEPT_KEYS", 10)
    plant(
        "INSERT INTO ic3_idempotency_key (who, key, request_hash, at) SELECT 'asha', n::text, 'x',"
        " %s::timestamptz - n * interval '2 hours' FROM generate_series(0, 30) n",
        NOW,
    )
    await trim_keys(own_database, NOW)
    assert plant("SELECT count(*), max(at) FROM ic3_idempotency_key") == [(10, NOW)]


async def test_a_plan_makes_each_of_its_orders_exactly_once(
    own_database: Database, plant: Sql, worker_parts: dict[str, Any], clock: Any
) -> None:
    told: list[Observation] = []
    made = await plan(own_database, starts_at=NOW + timedelta(days=10))
    await worker(worker_parts, told).step()
    assert plant("SELECT count(*) FROM ic3_work_order") == [(0,)]
    clock.advance(3 * 86400)
    # Two processes at the same time, then one that begins anew.
    await asyncio.gather(*(worker(worker_parts, told).step() for _ in range(2)))
    await worker(worker_parts, told).step()
    rows = plant(
        "SELECT kind, state, serial, domain, plan_due, due_at, created_by FROM ic3_work_order"
    )
    assert rows == [
        ("preventive", "open", PUMP, "DEL-D01", "2026-06-25", NOW + timedelta(days=10), "plans")
    ]  # fmt: skip
    assert plant("SELECT text FROM ic3_work_order_check ORDER BY id") == [("Drain",), ("Fill",)]
    assert told == [PlannedOrders(1)]
    due = next_due(await worker_parts["plans"].one(made.id, None), DELHI, None)
    assert due is not None
    assert due.word == "2026-07-25"
    # A counter that was set back, as by a restored backup, makes no second order.
    plant("UPDATE ic3_maintenance_plan SET made_number = 0")
    await worker(worker_parts, told).step()
    assert plant("SELECT count(*) FROM ic3_work_order") == [(1,)]
    assert plant("SELECT made_number FROM ic3_maintenance_plan") == [(1,)]
    assert [each[0] for each in plant("SELECT what FROM audit_log ORDER BY id")] == [
        "maintenance plan created", "work order created"
    ]  # fmt: skip


async def test_a_plan_without_its_asset_fails_alone(
    own_database: Database, plant: Sql, worker_parts: dict[str, Any]
) -> None:
    told: list[Observation] = []
    lost = await plan(own_database)
    await plan(own_database, serial="A Block_Pump_2")
    plant("DELETE FROM ic3_asset_master WHERE serialnumber = %s", PUMP)
    await worker(worker_parts, told).step()
    assert next(each for each in told if isinstance(each, PlanFailed)).plan == lost.id
    assert plant("SELECT serial FROM ic3_work_order") == [("A Block_Pump_2",)]


@pytest.mark.parametrize("kind", [TooSlow, Contended])
async def test_a_plan_that_the_database_does_not_serve_in_time_fails_alone(
    own_database: Database, plant: Sql, worker_parts: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch, kind: type[StoreError],
) -> None:  # fmt: skip
    slow = await plan(own_database, basis=Basis.RUN_HOURS, every=10, unit=None, tag_code="PUMP_STS")
    await plan(own_database)

    async def count(store: PlanStore, which: Plan, now: datetime) -> RunHours:
        raise kind(f"database: plan {which.id} took too long")

    monkeypatch.setattr(PlanStore, "count_hours", count)
    told: list[Observation] = []
    await worker(worker_parts, told).step()
    assert told == [
        PlanFailed(slow.id, f"database: plan {slow.id} took too long"), PlannedOrders(1),
    ]  # fmt: skip


async def test_run_hours_are_those_of_the_hours_that_are_rolled_up(
    own_database: Database, plant: Sql, worker_parts: dict[str, Any]
) -> None:
    starts = NOW - timedelta(days=40)
    plant(
        "INSERT INTO ic3_rollup_1h (bucket_at, asset_id, tag_code, param_id, row_count, good_count,"
        " used_count, value_sum, resets)"
        " SELECT at, 1, tag, 1, 4, 4, CASE WHEN n %% 10 = 9 THEN 0 ELSE 4 END,"
        " CASE WHEN n %% 4 = 0 THEN 0 WHEN n %% 4 = 1 THEN 2 ELSE 4 END, 0"
        " FROM generate_series(-10, 959) n, unnest(ARRAY['PUMP_STS', 'PUMP_CURR']) tag,"
        " LATERAL (SELECT date_trunc('hour', %s::timestamptz) + n * interval '1 hour' AS at) t",
        starts + timedelta(hours=1),
    )
    made = await plan(
        own_database, basis=Basis.RUN_HOURS, unit=None, tag_code="PUMP_STS", every=250,
        starts_at=starts,
    )  # fmt: skip
    told: list[Observation] = []
    await worker(worker_parts, told).step()
    shares = [(0.0, 0.5, 1.0, 1.0)[n % 4] for n in range(959) if n % 10 != 9]
    counted = plant(
        "SELECT run_hours, measured_hours, order_id IS NOT NULL FROM ic3_plan_run_hours"
    )
    # The hour that goes on is not counted, nor are those before the plan.
    assert counted == [(sum(shares), len(shares), True)]
    # 540 h were run: 250 was missed, 500 is made; 750 is more than seven days away.
    assert plant("SELECT plan_due FROM ic3_work_order") == [("500 h",)]
    kept = await worker_parts["plans"].newest_hours([made.id])
    due = next_due(await worker_parts["plans"].one(made.id, None), DELHI, kept[made.id])
    assert due is not None
    assert due.number == 3
    assert due.at > NOW + timedelta(days=7)


async def test_the_worker_writes_when_a_value_returned(
    own_database: Database, plant: Sql, worker_parts: dict[str, Any], clock: Any
) -> None:
    alarms, told = Alarms(), list[Observation]()
    at_us = clock.now_us()
    hot = Finding(source_kind="asset", source=PUMP, condition="high", active=True)
    plans = worker(worker_parts, told, alarms)
    alarms.report(hot, at_us=at_us)
    new = NewOrder("Hot", Priority.HIGH, State.OPEN, serial=PUMP,
                   from_alarm=(1, "asset", PUMP, "high"))  # fmt: skip
    made = await order(own_database, new)
    await plans.step()
    assert plant("SELECT returned_at FROM ic3_work_order") == [(None,)]
    cold = Finding(source_kind="asset", source=PUMP, condition="high", active=False)
    alarms.report(cold, at_us=at_us + 60_000_000)
    clock.advance(300)
    await plans.step()
    returned = plant("SELECT returned_at, version FROM ic3_work_order")
    assert returned == [(NOW + timedelta(minutes=1), made.version)]
    plant("UPDATE ic3_work_order SET state = 'verified'")
    alarms.report(hot, at_us=at_us + 400_000_000)
    await plans.step()
    assert plant("SELECT returned_at, version FROM ic3_work_order") == returned


async def test_files_without_a_row_are_deleted_after_an_hour(
    own_database: Database, plant: Sql, worker_parts: dict[str, Any], clock: Any
) -> None:
    files: AttachmentFiles = worker_parts["files"]
    place = await files.keep(b"x", "ab" * 32)
    now_s = clock.now_us() / 1e6
    real_s = Clock().now_us() / 1e6
    assert await files.orphans(set(), now_s=real_s) == []
    assert await files.orphans({place}, now_s=real_s + 7200) == []
    assert await files.orphans(set(), now_s=real_s + 7200) == [place]
    clock.advance(real_s - now_s + 7200)
    await worker(worker_parts, []).step()
    with pytest.raises(FileNotFoundError):
        await files.read(place)


# -- figures


def failures(seed: int) -> list[dict[str, Any]]:
    """Orders of every sort around a span of ten days."""
    chance = random.Random(seed)
    rows = []
    for _ in range(300):
        number = chance.randrange(1, 13)
        failed = NOW + timedelta(minutes=chance.randrange(-5 * 1440, 12 * 1440))
        measured = chance.random() < 0.6
        done = chance.random() < 0.7
        state = chance.choice(["verified", "closed", "done"] if done else
                              ["draft", "open", "assigned", "cancelled", "on_hold"])  # fmt: skip
        rows.append({
            "kind": "preventive" if chance.random() < 0.1 else "corrective", "state": state,
            "serial": None if number > 9 else f"A Block_Pump_{number}",
            "category": None if number > 9 else "valve" if number > 6 else "pump",
            "domain": f"DEL-D0{number % 3}", "failed": failed,
            "source": "x" if measured else None,
            "returned": failed + timedelta(minutes=chance.randrange(3000))
            if measured and chance.random() < 0.7 else None,
            "done": failed + timedelta(minutes=chance.randrange(4000)) if done else None,
        })  # fmt: skip
    return rows


def ended(row: dict[str, Any]) -> datetime | None:
    if row["source"] is None:
        return row["done"]  # type: ignore[no-any-return]
    if row["returned"] is not None:
        return row["returned"]  # type: ignore[no-any-return]
    return row["done"] if row["state"] in {"verified", "closed"} else None


def minutes_down(spans: list[tuple[datetime, datetime]]) -> set[int]:
    """Every minute of downtime, one by one."""
    return {
        minute
        for start, end in spans
        for minute in range(int((start - NOW).total_seconds()) // 60,
                            int((end - NOW).total_seconds()) // 60)
    }  # fmt: skip


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("domains", [None, ["DEL-D01"]])
async def test_figures_are_those_of_the_raw_rows(
    own_database: Database, plant: Sql, by: By, domains: list[str] | None
) -> None:
    rows = failures(7)
    for row in rows:
        at = row["failed"]
        plant(
            FAILURE, row["kind"], row["state"], row["serial"], row["category"], row["domain"], at,
            at, at, at, at, row["source"], row["source"], row["returned"], row["done"],
        )  # fmt: skip
    begin, until = NOW, NOW + timedelta(days=10)
    found = await ReliabilityStore(own_database).measured(
        by, from_at=begin, until_at=until, domains=domains, limit=1000
    )
    named: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    column = {"asset": "serial", "kind": "category", "domain": "domain"}[by]
    for row in rows:
        end = ended(row)
        if (
            row["kind"] == "corrective" and row["state"] not in {"draft", "cancelled"}
            and (domains is None or row["domain"] in domains)
            and row["failed"] < until and (end is None or end >= begin)
        ):  # fmt: skip
            named[row[column]].append(row)
    assert {each.name for each in found} == set(named)
    for each in found:
        of_it = named[each.name]
        repaired = [row for row in of_it if ended(row) is not None and ended(row) < until]  # type: ignore[operator]
        things: dict[Any, list[tuple[datetime, datetime]]] = defaultdict(list)
        for row in of_it:
            span = (max(row["failed"], begin), min(ended(row) or until, until))
            things[row["serial"] or id(row)].append(span)
        assert each.failures == sum(row["failed"] >= begin for row in of_it)
        assert each.repairs == len(repaired)
        spent = sum((ended(row) - row["failed"]).total_seconds() for row in repaired)
        assert each.repair_s == pytest.approx(spent)
        down = 60 * sum(len(minutes_down(spans)) for spans in things.values())
        assert each.downtime_s == pytest.approx(down)
        shown = figures(each, 864_000)
        if each.repairs:
            assert shown.mttr_h == pytest.approx(spent / each.repairs / 3600, abs=1e-3)
        assert 0 <= shown.availability <= 1
    if by is By.KIND and domains is None:
        sizes = {each.name: each.assets for each in found}
        assert (sizes["pump"], sizes["valve"]) == (6, 3)


# -- row security


async def test_the_role_of_the_api_sees_the_orders_of_its_domains_and_what_belongs_to_them(
    own_database: Database, plant: Sql
) -> None:
    for serial in (PUMP, "A Block_Pump_2"):
        new = NewOrder("Leak", Priority.LOW, State.OPEN, serial=serial, checklist=["Look"])
        await order(own_database, new)
        await plan(own_database, serial=serial)

    def seen(domains: str) -> list[int]:
        plant("BEGIN")
        plant("SELECT set_config('role', 'ic3_api', true), set_config('ic3.domains', %s, true)",
              domains)  # fmt: skip
        counts = [
            plant("SELECT count(*) FROM ic3_work_order")[0][0],
            plant("SELECT count(*) FROM ic3_work_order_event")[0][0],
            plant("SELECT count(*) FROM ic3_work_order_check")[0][0],
            plant("SELECT count(*) FROM ic3_maintenance_plan")[0][0],
        ]
        plant("ROLLBACK")
        return counts

    assert seen("*") == [2, 2, 2, 2]
    assert seen("DEL-D01") == [1, 1, 1, 1]
    assert seen("DEL-D01,DEL-D02") == [2, 2, 2, 2]
    assert seen("DEL-D09") == [0, 0, 0, 0]
    assert seen("") == [0, 0, 0, 0]
    rights = plant(
        "SELECT has_table_privilege('ic3_api', 'ic3_work_order_event', right_) FROM"
        " unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) right_"
    )
    assert [each[0] for each in rights] == [True, False, False]
