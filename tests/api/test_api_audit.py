"""What the audit log has beside acts: exports, refusals and failed logins, bounded."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from serving import Site, serving

from ic3.api import ROUTES
from ic3.domain.access import PENDING_LIMIT, Event, PendingEvents
from ic3.domain.acts import Actor
from ic3.domain.users import Role
from ic3.store.access import AccessStore
from ic3.store.audit import AuditStore
from ic3.workers.access import AccessWorker

EXPORTS: Final = {
    "/api/monitoring/history": (
        "serial_number=x&tag_code=F&from=2026-06-15T00:00:00Z&to=2026-06-15T01:00:00Z&format=csv"
    ),
    "/api/alarms.csv": "",
    "/api/alarm-rules.csv": "",
    "/api/gis/network/export": "format=geojson",
    "/api/register/export": "table=register",
    "/api/work-orders.csv": "state=open",
    "/api/assets/states.csv": "",
    "/api/ai/anomalies.csv": "",
    "/api/ai/nrw.csv": "",
    "/api/ai/pump-health.csv": "",
}
# Of one pump or district: told in the tests that have some.
OF_ONE: Final = {
    "/api/ai/nrw/{dma_id:str}/history.csv", "/api/ai/pump-health/{serial_number:str}/history.csv"
}  # fmt: skip
ASHA: Final = Actor("asha", "viewer", "127.0.0.1")


@pytest.fixture
async def plant(fresh_dsn: str) -> AsyncIterator[Site]:
    async with serving(fresh_dsn, scopes={"ravi": frozenset({"DEL-D01"})}) as site:
        yield site


def told(site: Site) -> list[tuple[str, str, str, str, int]]:
    """What waits to be written, in short."""
    return [
        (each.actor.who, each.what, each.object, each.detail, each.count)
        for each in site.events.waiting
    ]


async def test_s36_every_export_is_a_row(plant: Site) -> None:
    assert set(EXPORTS) | OF_ONE == {each.path for each in ROUTES if each.exports}
    for path, query in EXPORTS.items():
        plant.events.waiting.clear()
        answer = await plant.get(f"{path}?{query}" if query else path)
        assert answer.status == 200, (answer.body, plant.told)
        assert told(plant) == [("asha", "export", f"GET {path}", query, 1)]


async def test_s36_what_is_no_file_is_no_export(plant: Site) -> None:
    query = EXPORTS["/api/monitoring/history"].replace("csv", "json")
    assert (await plant.get(f"/api/monitoring/history?{query}")).status == 200
    assert (await plant.get("/api/register/export?table=nothing")).status == 422
    assert told(plant) == []


async def test_s36_refusals_by_role_and_by_scope_are_a_row_a_minute(plant: Site) -> None:
    for _ in range(3):
        assert (await plant.get("/api/users")).status == 403
        export = "/api/gis/network/export?format=inp"
        scoped = await plant.ask("GET", export, token=plant.token(name="ravi"))
        assert scoped.status == 403
    route = "GET /api/users"
    scope = "GET /api/gis/network/export"
    why = "an INP file holds the whole network; ask for format=geojson"
    assert told(plant) == [
        ("asha", "refused", route, "the role admin is needed", 1),
        ("ravi", "refused", scope, why, 1),
    ]
    plant.events.waiting.clear()
    plant.clock.advance(61)
    plant.events.settle(plant.clock.monotonic())
    assert told(plant) == [
        ("asha", "refused", route, "the role admin is needed", 2),
        ("ravi", "refused", scope, why, 2),
    ]


async def test_s36_failed_logins_are_a_row_a_minute(plant: Site) -> None:
    for _ in range(3):
        assert (await plant.login("nobody", "wrong")).status == 401
    assert told(plant) == [("nobody", "login refused", "nobody", "wrong user or password", 1)]


async def test_s36_what_waits_is_written_with_how_often_it_happened(plant: Site) -> None:
    for _ in range(3):
        await plant.get("/api/users")
    audits = AuditStore(plant.database)
    worker = AccessWorker(
        access=plant.access, events=plant.events, audits=audits, audit_days=180, clock=plant.clock,
        store=AccessStore(plant.database, token_life_s=600, clock=plant.clock),
    )  # fmt: skip
    await worker.step()
    plant.clock.advance(61)
    await worker.step()
    acts = await audits.newest(10)
    assert [(each.who, each.what, each.object, each.after) for each in acts] == [
        ("asha", "refused", "GET /api/users", {"detail": "the role admin is needed", "count": n})
        for n in (2, 1)
    ]
    assert [each.role for each in acts] == [Role.VIEWER, Role.VIEWER]


def test_s36_a_flood_of_names_is_bounded_and_quiet_kinds_are_forgotten() -> None:
    events = PendingEvents()
    for number in range(PENDING_LIMIT + 5):
        events.tally(Event(ASHA, "login refused", str(number), "wrong"), 0.0)
    assert (len(events.waiting), events.left_out) == (PENDING_LIMIT, 5)
    events.waiting.clear()
    events.settle(60.0)
    events.tally(Event(ASHA, "login refused", "one more", "wrong"), 61.0)
    assert len(events.waiting) == 1
