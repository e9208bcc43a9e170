"""The synchronisation with the CMMS over HTTP, against the simulated plant's stub."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from typing import Any

import psycopg
import pytest
from patience import PATIENCE_S
from serving import Answer, Site, serving

from ic3.domain.acts import Actor
from ic3.domain.users import Role
from ic3.errors import Contended, StoreError, TooSlow
from ic3.gateway import innomaint
from ic3.gateway.innomaint import InnomaintClient
from ic3.observations import CmmsSynchronised
from ic3.simulator.cmms import Cmms, Troubled
from ic3.store.cmms import CmmsStore
from ic3.store.register import RegisterStore

ROWS: list[dict[str, object]] = [
    {"serialnumber": f"Block {number}/Pump_{number}", "domain": f"DEL-D{number % 2 + 1:02}",
     "criticality": "High", "status": "Active"}
    for number in range(30)
]  # fmt: skip
COUNTS = ("total", "success", "failed", "skipped")
SYNC = "/api/admin/cmms/sync"


@asynccontextmanager
async def stub(cmms: Cmms) -> AsyncIterator[str]:
    """The stub on a port of its own; its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, target, _ = head.decode("latin-1").split(" ", 2)
                wait_s, content = cmms.answer(method, target)
                await asyncio.sleep(wait_s)
                writer.write(content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    with closing(listening):
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/cmms"


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(innomaint, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def cmms() -> Cmms:
    """A CMMS that knows all assets but the last, and one that the register lacks."""
    return Cmms([*ROWS[:-1], {"serialnumber": "known there alone", "status": "Active"}])


@pytest.fixture
def timeout_s() -> float:
    """How long an answer of the CMMS may take; short only where one does not come."""
    return PATIENCE_S


@pytest.fixture
async def site(fresh_dsn: str, cmms: Cmms, timeout_s: float) -> AsyncIterator[Site]:
    """A server with thirty assets, and the CMMS."""
    async with (
        stub(cmms) as address,
        serving(
            fresh_dsn, cmms=lambda: InnomaintClient(address, rate_per_s=10_000, timeout_s=timeout_s)
        ) as site,
    ):
        await RegisterStore(site.database).import_rows({"register": ROWS})
        yield site


@pytest.fixture
def sql(fresh_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        yield connection


async def sync(site: Site, query: str = "", role: Role = Role.ADMIN) -> Answer:
    return await site.ask("POST", f"{SYNC}{query}", token=site.token(role))


def counts(answer: Answer) -> tuple[int, ...]:
    assert answer.status == 200, answer.body
    body = answer.json()
    assert list(body) == [*COUNTS, "errors", "duration_ms"]
    assert body["total"] == body["success"] + body["failed"] + body["skipped"]
    return tuple(body[name] for name in COUNTS)


async def test_a_batch_fills_the_register_as_the_contract_maps_it(
    site: Site, cmms: Cmms, sql: psycopg.Connection[Any]
) -> None:
    assert counts(await sync(site, "?batch=10&offset=0")) == (10, 10, 0, 0)
    assert set(cmms.requests) == {
        f"GET /cmms/api/assets/Block%20{number}%2FPump_{number}" for number in range(10)
    }
    row = sql.execute(
        "SELECT cmms_asset_id, traceability_id, barcode, ticketcount IS NOT NULL, in_charge_person"
        " IS NOT NULL, updated_by FROM ic3_asset_master WHERE serialnumber = 'Block 0/Pump_0'"
    ).fetchone()
    assert row == ("Block 0/Pump_0", "70001", "IC3-070001", True, True, "asha")
    assert sql.execute(
        "SELECT count(*) FROM ic3_asset_master WHERE traceability_id IS NULL"
    ).fetchone() == (20,)


async def test_without_an_offset_each_call_goes_on_until_the_register_is_through(
    site: Site, cmms: Cmms
) -> None:
    assert counts(await sync(site, "?batch=20")) == (20, 20, 0, 0)
    last = await sync(site, "?batch=20")
    assert counts(last) == (10, 9, 1, 0)
    told = [each for each in site.told if isinstance(each, CmmsSynchronised)]
    assert [(each.success, each.failed, each.skipped) for each in told] == [(20, 0, 0), (9, 1, 0)]
    assert told[1].first_error == "Block 29/Pump_29: it does not know the asset"
    assert last.json()["errors"] == ["Block 29/Pump_29: it does not know the asset"]
    # Through: the next one begins anew.
    assert counts(await sync(site, "?batch=20")) == (20, 20, 0, 0)
    assert counts(await sync(site, "?batch=20&offset=25")) == (5, 4, 1, 0)
    assert counts(await sync(site, "?batch=20&offset=500")) == (0, 0, 0, 0)


async def test_a_second_time_nothing_is_written(
    site: Site, cmms: Cmms, sql: psycopg.Connection[Any]
) -> None:
    version = "SELECT version FROM ic3_registry_version"
    await sync(site, "?offset=0")
    before = sql.execute(version).fetchone()
    await sync(site, "?offset=0")
    assert sql.execute(version).fetchone() == before


async def test_nothing_that_a_person_entered_is_overwritten(
    site: Site, sql: psycopg.Connection[Any]
) -> None:
    answer = await site.ask(
        "PATCH", "/api/assets/Block%203%2FPump_3", token=site.token(Role.ENGINEER),
        headers=[("Content-Type", "application/json"), ("If-Match", "*")],
        body=json.dumps({"barcode": "by hand", "in_charge_person": None}).encode(),
    )  # fmt: skip
    assert answer.status == 200
    for _ in range(2):
        assert counts(await sync(site, "?offset=0&batch=10")) == (10, 10, 0, 0)
    row = sql.execute(
        "SELECT barcode, in_charge_person, traceability_id FROM ic3_asset_master"
        " WHERE serialnumber = 'Block 3/Pump_3'"
    ).fetchone()
    assert row == ("by hand", None, "70004")
    found = await site.ask(
        "GET", "/api/register/conflicts", token=site.token(Role.ENGINEER)
    )  # fmt: skip
    shown = {each["field"]: each["offered"] for each in found.json()["conflicts"]}
    assert set(shown) == {"barcode", "in_charge_person"}
    assert shown["barcode"] == "IC3-070004"
    assert {(each["source"], each["times"]) for each in found.json()["conflicts"]} == {("cmms", 2)}


async def test_failing_at_random_it_never_stops_and_the_rest_is_right(
    site: Site, cmms: Cmms, sql: psycopg.Connection[Any]
) -> None:
    cmms.trouble(Troubled(share=0.5, seed=7, kinds=("500", "404", "html", "wrong_json", "renamed")))
    total, success, failed, skipped = counts(await sync(site, "?offset=0&batch=30"))
    assert (total, skipped) == (30, 0)
    assert success > 5
    assert failed > 5
    right = sql.execute(
        "SELECT count(*) FROM ic3_asset_master WHERE traceability_id IS NOT NULL"
        " AND barcode = 'IC3-' || lpad(traceability_id, 6, '0')"
    ).fetchone()
    assert right == (success,)
    cmms.trouble(Troubled())
    assert counts(await sync(site, "?offset=0&batch=30")) == (30, 29, 1, 0)


@pytest.mark.parametrize("kind", [Contended, TooSlow])
async def test_an_asset_that_the_register_does_not_take_in_time_stops_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, kind: type[StoreError]
) -> None:
    settle = CmmsStore.settle

    async def slow(store: CmmsStore, actor: Actor, fields: Any, **more: Any) -> int:
        if fields is not None and fields["serialnumber"] == "Block 3/Pump_3":
            raise kind("database: canceling statement due to statement timeout")
        return await settle(store, actor, fields, **more)

    monkeypatch.setattr(CmmsStore, "settle", slow)
    answer = await sync(site, "?batch=10&offset=0")
    assert counts(answer) == (10, 9, 1, 0)
    assert answer.json()["errors"][0].startswith("Block 3/Pump_3: the register was being changed")


@pytest.mark.parametrize("timeout_s", [0.5])
async def test_where_the_cmms_is_away_the_rest_is_skipped_and_asked_next_time(
    site: Site, cmms: Cmms
) -> None:
    cmms.trouble(Troubled(share=1, kinds=("slow",), slow_s=5))
    answer = await sync(site, "?batch=20&offset=0")
    assert counts(answer) == (20, 0, 3, 17)
    assert answer.json()["errors"][-1] == ("the CMMS does not answer: 17 assets were not asked for")
    cmms.trouble(Troubled())
    assert counts(await sync(site, "?batch=10")) == (10, 10, 0, 0)
    assert "GET /cmms/api/assets/Block%2012%2FPump_12" in cmms.requests


async def test_cut_off_in_the_middle_it_goes_on_where_it_was(
    fresh_dsn: str, site: Site, cmms: Cmms, sql: psycopg.Connection[Any]
) -> None:
    cmms.trouble(Troubled(share=0.5, kinds=("slow",), slow_s=0.1, seed=3))
    under_way = asyncio.ensure_future(sync(site, "?batch=30&offset=0"))
    moved = "SELECT success + failed FROM ic3_cmms_sync"
    while (sql.execute(moved).fetchone() or (0,))[0] < 8:  # noqa: ASYNC110  another process tells
        await asyncio.sleep(0.005)
    # As a kill does: what is under way is never heard of again.
    for task in list(site.http.server_state.tasks):
        task.cancel()
    await asyncio.wait([under_way])
    [(success, failed, ended)] = sql.execute(
        "SELECT success, failed, ended_at FROM ic3_cmms_sync"
    ).fetchall()
    assert ended is None
    done = success + failed
    assert 8 <= done < 30
    cmms.requests.clear()
    cmms.trouble(Troubled())
    async with stub(cmms) as address, serving(
        fresh_dsn, cmms=lambda: InnomaintClient(address, rate_per_s=10_000, timeout_s=PATIENCE_S)
    ) as again:  # fmt: skip
        assert counts(await sync(again, "?batch=30")) == (30 - done, 30 - done - 1, 1, 0)
    assert len(cmms.requests) == 30 - done
    assert sql.execute(
        "SELECT count(*) FROM ic3_asset_master WHERE traceability_id IS NOT NULL"
    ).fetchone() == (29 - failed,)


async def test_one_asset_is_refreshed_or_added(site: Site, sql: psycopg.Connection[Any]) -> None:
    assert counts(await sync(site, "/Block%203%2FPump_3")) == (1, 1, 0, 0)
    assert counts(await sync(site, "/known%20there%20alone")) == (1, 1, 0, 0)
    answer = await sync(site, "/stranger")
    assert counts(answer) == (1, 0, 1, 0)
    assert answer.json()["errors"] == ["stranger: it does not know the asset"]
    found = sql.execute("SELECT serialnumber FROM ic3_asset_master WHERE barcode IS NOT NULL")
    assert {row[0] for row in found} == {"Block 3/Pump_3", "known there alone"}


async def test_one_synchronisation_at_a_time_and_its_progress(site: Site, cmms: Cmms) -> None:
    token = site.token(Role.ADMIN)
    assert (await site.ask("GET", SYNC, token=token)).json() == {"running": False, "progress": None}
    cmms.trouble(Troubled(share=1, kinds=("slow",), slow_s=0.15))
    under_way = asyncio.ensure_future(sync(site, "?batch=4&offset=0"))
    while not (await site.ask("GET", SYNC, token=token)).json()["running"]:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    assert (await sync(site)).status == 409
    assert (await sync(site, "/x")).status == 409
    assert counts(await under_way)[0] == 4
    progress = (await site.ask("GET", SYNC, token=token)).json()["progress"]
    assert (progress["total"], progress["success"], progress["begun_by"]) == (4, 4, "asha")
    assert progress["ended_at"] is not None


async def test_each_synchronisation_is_an_act_of_the_audit_log(
    site: Site, sql: psycopg.Connection[Any]
) -> None:
    await sync(site, "?batch=3&offset=28")
    await sync(site, "/Block%203%2FPump_3")
    acts = sql.execute("SELECT who, what, object, after FROM audit_log ORDER BY id").fetchall()
    assert [row[:3] for row in acts] == [
        ("asha", "cmms synchronised", "2 assets"),
        ("asha", "cmms synchronised", "asset 'Block 3/Pump_3'"),
    ]
    assert (acts[0][3]["success"], acts[0][3]["failed"]) == (1, 1)


async def test_only_an_admin_may_synchronise(site: Site, cmms: Cmms) -> None:
    for role in (Role.VIEWER, Role.OPERATOR, Role.ENGINEER):
        for query in ("", "/x"):
            assert (await sync(site, query, role)).status == 403
    assert cmms.requests == {}


async def test_bad_questions_are_refused(site: Site) -> None:
    for query in ("?batch=0", "?batch=1001", "?offset=-1", "?batch=x", "?offset=99999999999",
                  "/%00", "/%0a", "/%20", "/" + "x" * 1001):  # fmt: skip
        assert (await sync(site, query)).status == 422, query


async def test_without_a_cmms_it_is_said_what_to_set(fresh_dsn: str) -> None:
    async with serving(fresh_dsn) as site:
        for query in ("", "/x"):
            answer = await sync(site, query)
            assert (answer.status, answer.json()["error"]) == (503, "cmms not configured")
            assert "IC3_CMMS_BASE" in answer.json()["detail"]
