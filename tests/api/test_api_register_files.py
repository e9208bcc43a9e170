"""Files of the register over HTTP: dry run and difference, all or nothing, conflicts, export."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from serving import Answer, Site, serving

from ic3.domain.users import Role
from ic3.store.register import RegisterStore

PUMP = "A_Pump_1"
ROWS: list[dict[str, object]] = [
    {"serialnumber": PUMP, "name": "Pump", "domain": "DEL-D01", "category": "pump"},
    {"serialnumber": "B_SV_2", "name": "Valve", "domain": "DEL-D02"},
]
EVERYTHING = """
SELECT (SELECT string_agg(a::text, '' ORDER BY asset_id) FROM ic3_asset_master a),
    (SELECT count(*) FROM ic3_register_conflict), (SELECT count(*) FROM audit_log),
    (SELECT version FROM ic3_registry_version)
"""


@pytest.fixture
async def site(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with two assets, two parameters and a tag; user `one` sees DEL-D01 alone."""
    async with serving(fresh_dsn, scopes={"one": frozenset({"DEL-D01"})}) as site:
        await RegisterStore(site.database).import_rows(
            {
                "register": ROWS,
                "parameters": [
                    {"param_tag_code": "FLOW", "parameter_name": "Flow", "unit": "m³/h"},
                    {"param_tag_code": "P/1", "parameter_name": "Pressure"},
                ],
                "tagmap": [{"serialnumber": PUMP, "tag_code": "F", "param_tag_code": "FLOW"}],
                "dmas": [{"dma_id": "D2", "domain": "DEL-D02"}],
            }
        )
        yield site


@pytest.fixture
def sql(fresh_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        yield connection


async def load(
    site: Site, table: str, text: str | bytes, *, dry_run: bool = False, name: str = "asha",
    kind: str = "text/csv",
) -> Answer:  # fmt: skip
    body = text.encode() if isinstance(text, str) else text
    target = f"/api/register/import?table={table}&dry_run={str(dry_run).lower()}"
    return await site.ask(
        "POST", target, token=site.token(Role.ENGINEER, name), headers=[("Content-Type", kind)],
        body=body,
    )  # fmt: skip


async def ask(site: Site, target: str, name: str = "asha", role: Role = Role.ENGINEER) -> Answer:
    return await site.ask("GET", target, token=site.token(role, name))


async def send(
    site: Site, method: str, target: str, body: object, name: str = "asha", tag: str = "*"
) -> Answer:
    headers = [("Content-Type", "application/json"), ("If-Match", tag)]
    return await site.ask(
        method, target, token=site.token(Role.ENGINEER, name), headers=headers,
        body=json.dumps(body).encode(),
    )  # fmt: skip


async def test_a_dry_run_says_what_the_import_then_does(
    site: Site, sql: psycopg.Connection[Any]
) -> None:
    text = f"serialnumber,name,site\n{PUMP},Pump 1,North\nB_SV_2,Valve,\nC_SV_3,New,\n"
    before = sql.execute(EVERYTHING).fetchall()
    dry = await load(site, "register", text, dry_run=True)
    assert dry.status == 200, dry.body
    assert sql.execute(EVERYTHING).fetchall() == before
    assert dry.json() == {
        "table": "register", "dry_run": True, "rows": 3, "added": 1, "changed": 1, "same": 1,
        "conflicts": 0, "replay_id": None,
        "changes": [
            {"key": [PUMP], "outcome": "changed", "conflicts": {},
             "fields": {"name": ["Pump", "Pump 1"], "site": [None, "North"]}},
            {"key": ["C_SV_3"], "outcome": "added", "conflicts": {},
             "fields": {"name": [None, "New"]}},
        ],
    }  # fmt: skip
    done = await load(site, "register", text)
    assert done.json() == {**dry.json(), "dry_run": False}
    again = (await load(site, "register", text)).json()
    assert (again["added"], again["changed"], again["same"]) == (0, 0, 3)


async def test_one_bad_line_and_nothing_is_written(
    site: Site, sql: psycopg.Connection[Any]
) -> None:
    before = sql.execute(EVERYTHING).fetchall()
    answer = await load(site, "register", "serialnumber,longitude\nX,77\nY,200\nZ,a\n")
    assert (answer.status, answer.header("content-type")) == (422, "application/problem+json")
    assert answer.json()["problems"] == [
        "line 3: longitude must be between -180 and 180",
        "line 4: longitude is not a number: 'a'",
    ]
    answer = await load(site, "tagmap", f"serialnumber,tag_code,param_tag_code\n{PUMP},x,NO\n")
    assert answer.json()["problems"] == ["line 2: param_tag_code 'NO' is not a parameter"]
    assert sql.execute(EVERYTHING).fetchall() == before


async def test_what_a_person_entered_stays_until_an_engineer_takes_the_offer(site: Site) -> None:
    await send(site, "PATCH", f"/api/assets/{PUMP}", {"name": "Ours", "site": None})
    text = f"serialnumber,name,site,status\n{PUMP},Theirs,West,Active\n"
    done = (await load(site, "register", text)).json()
    assert (done["changed"], done["conflicts"]) == (1, 2)
    kept = (await ask(site, f"/api/assets/{PUMP}")).json()
    assert (kept["name"], kept["site"], kept["status"]) == ("Ours", None, "Active")
    listed = (await ask(site, "/api/register/conflicts")).json()
    assert listed["open"] == 2
    shown = {each["field"]: (each["kept"], each["offered"]) for each in listed["conflicts"]}
    assert shown == {"name": ("Ours", "Theirs"), "site": (None, "West")}
    number = {each["field"]: each["id"] for each in listed["conflicts"]}
    place = "/api/register/conflicts/{}"
    taken = await send(site, "POST", place.format(number["name"]), {"decision": "take"})
    assert taken.json() == {"id": number["name"], "state": "taken"}
    await send(site, "POST", place.format(number["site"]), {"decision": "keep"})
    found = (await ask(site, f"/api/assets/{PUMP}")).json()
    assert (found["name"], found["site"], set(found["entered"])) == ("Theirs", None, {"site"})
    twice = await send(site, "POST", place.format(number["site"]), {"decision": "take"})
    assert twice.status == 422
    # Decided is decided, until something else is offered.
    await load(site, "register", text)
    assert (await ask(site, "/api/register/conflicts")).json()["open"] == 0
    await load(site, "register", f"serialnumber,site\n{PUMP},East\n")
    assert (await ask(site, "/api/register/conflicts")).json()["open"] == 1
    assert (await send(site, "POST", place.format(10**6), {"decision": "take"})).status == 404
    assert (await send(site, "POST", place.format(1), {"decision": "burn"})).status in {400, 422}


async def test_a_tag_mapped_by_a_person_is_not_mapped_anew_by_a_file(site: Site) -> None:
    number = (await ask(site, "/api/parameters/FLOW")).json()["param_id"]
    body = {"serial": PUMP, "tag_code": "G", "param_id": number}
    assert (await send(site, "POST", "/api/inbox/map", body)).status == 200
    text = f"serialnumber,tag_code,param_tag_code\n{PUMP},G,P/1\n{PUMP},F,P/1\n"
    done = (await load(site, "tagmap", text)).json()
    assert (done["changed"], done["conflicts"]) == (1, 1)
    tags = (await ask(site, f"/api/assets/{PUMP}/tags")).json()["tags"]
    assert {each["tag_code"]: (each["param_tag_code"], each["set_by"]) for each in tags} == {
        "F": ("P/1", None), "G": ("FLOW", "asha"),
    }  # fmt: skip
    [conflict] = (await ask(site, "/api/register/conflicts")).json()["conflicts"]
    await send(site, "POST", f"/api/register/conflicts/{conflict['id']}", {"decision": "take"})
    tags = (await ask(site, f"/api/assets/{PUMP}/tags")).json()["tags"]
    assert {each["param_tag_code"] for each in tags} == {"P/1"}


@pytest.mark.parametrize("table", ["register", "parameters", "tagmap", "dmas"])
async def test_an_export_is_a_file_that_changes_nothing(site: Site, table: str) -> None:
    answer = await ask(site, f"/api/register/export?table={table}", role=Role.VIEWER)
    assert (answer.status, answer.header("content-type")) == (200, "text/csv; charset=utf-8")
    assert f'filename="{table}.csv"' in (answer.header("content-disposition") or "")
    back = (await load(site, table, answer.body)).json()
    assert (back["added"], back["changed"], back["conflicts"]) == (0, 0, 0)
    assert back["same"] == back["rows"] > 0


async def test_an_export_runs_nothing_in_a_spreadsheet(site: Site) -> None:
    evil = "=cmd|'/c calc'!A1"
    await send(site, "PATCH", f"/api/assets/{PUMP}", {"name": evil, "site": "@x"})
    text = (await ask(site, "/api/register/export?table=register")).body.decode()
    assert ",'" + evil in text
    assert ",'@x" in text


async def test_a_file_of_many_pages_is_exported_whole(site: Site) -> None:
    rows = "".join(f"X{number:05},DEL-D01\n" for number in range(2500))
    assert (await load(site, "register", "serialnumber,domain\n" + rows)).json()["added"] == 2500
    text = (await ask(site, "/api/register/export?table=register")).body.decode()
    assert len(text.splitlines()) == 1 + 2502


async def test_who_sees_one_domain_imports_and_exports_that_alone(
    site: Site, sql: psycopg.Connection[Any]
) -> None:
    before = sql.execute(EVERYTHING).fetchall()
    for text, problem in [
        # What is another's is as what does not exist.
        ("serialnumber,name\nB_SV_2,x\n", "line 2: domain is empty; a new row needs one of yours"),
        (f"serialnumber,domain\n{PUMP},DEL-D02\n", "line 2: domain 'DEL-D02' is none of yours"),
        (f"serialnumber,dma_id\n{PUMP},D2\n", "line 2: dma_id 'D2' is not in your domains"),
        ("serialnumber\nnew\n", "line 2: domain is empty; a new row needs one of yours"),
    ]:
        answer = await load(site, "register", text, name="one")
        assert (answer.status, answer.json()["problems"]) == (422, [problem])
    text = "serialnumber,tag_code,param_tag_code\nB_SV_2,x,FLOW\n"
    answer = await load(site, "tagmap", text, name="one")
    assert answer.json()["problems"] == ["line 2: serialnumber 'B_SV_2' is not in the register"]
    assert (await load(site, "dmas", "dma_id,name\nD2,x\n", name="one")).status == 422
    assert sql.execute(EVERYTHING).fetchall() == before
    done = await load(site, "register", f"serialnumber,name\n{PUMP},x\n", name="one")
    assert (done.status, done.json()["changed"]) == (200, 1)
    for table, count in (("register", 1), ("tagmap", 1), ("dmas", 0), ("parameters", 2)):
        text = (await ask(site, f"/api/register/export?table={table}", "one")).body.decode()
        assert len(text.splitlines()) == 1 + count, table


async def test_who_sees_one_domain_decides_no_conflict_of_another(site: Site) -> None:
    await send(site, "PATCH", "/api/assets/B_SV_2", {"name": "Ours"})
    await load(site, "register", "serialnumber,name\nB_SV_2,Theirs\n")
    [conflict] = (await ask(site, "/api/register/conflicts")).json()["conflicts"]
    foreign = (await ask(site, "/api/register/conflicts", "one")).json()
    assert (foreign["open"], foreign["conflicts"]) == (0, [])
    target = f"/api/register/conflicts/{conflict['id']}"
    assert (await send(site, "POST", target, {"decision": "take"}, "one")).status == 404


async def test_hostile_files_are_refused_with_a_word(site: Site) -> None:
    for body in [
        b"", b"\xff\xfe", b"serialnumber\n\0\n", b"serialnumber\na\r\nb\0c\n", b'serialnumber\n"a',
        b"serialnumber,serialnumber\na,b\n", b"=cmd\n1\n", b"a\n" * 1000, b"serialnumber,x\na,b\n",
        b"serialnumber\n" + b"x" * 2_000_000 + b"\n", b"serialnumber\na,b,c\n",
    ]:  # fmt: skip
        for table in ("register", "parameters", "tagmap", "dmas"):
            answer = await load(site, table, body)
            assert answer.status == 422, (table, body[:30], answer.body)
            assert answer.json()["problems"]
    for table in ("users", "", "register%00"):
        assert (await load(site, table, "a\n")).status == 422
    for kind in ("application/json", "text/html", ""):
        assert (await load(site, "register", "serialnumber\na\n", kind=kind)).status == 415
    answer = await ask(site, "/api/register/export?table=ic3_user")
    assert answer.status == 422


async def test_a_file_may_have_25_mib_and_another_body_one(site: Site) -> None:
    long = "serialnumber,name\n" + "".join(f"S{n},{'x' * 900}\n" for n in range(3000))
    assert len(long) > 2 << 20
    assert (await load(site, "register", long, dry_run=True)).json()["added"] == 3000
    token = site.token(Role.ENGINEER)
    head = [("Content-Type", "text/csv"), ("Content-Length", str(26 << 20))]
    lines = [f"{name}: {value}" for name, value in [*head, ("Authorization", f"Bearer {token}")]]
    request = "POST /api/register/import?table=register HTTP/1.1\r\nHost: x\r\n"
    answer = await site.exchange((request + "\r\n".join(lines) + "\r\n\r\n").encode())
    assert answer.status == 413
    body = {"serialnumber": "x", "name": "x" * (1 << 20)}
    assert (await send(site, "POST", "/api/assets", body)).status == 413


# Parameters.


async def test_parameters_are_listed_read_and_changed_with_their_tag(site: Site) -> None:
    page = (await ask(site, "/api/parameters?limit=1", role=Role.VIEWER)).json()
    assert [each["param_tag_code"] for each in page["parameters"]] == ["FLOW"]
    rest = (await ask(site, f"/api/parameters?limit=1&cursor={page['next']}")).json()
    assert ([each["param_tag_code"] for each in rest["parameters"]], rest["next"]) == (
        ["P/1"],
        None,
    )
    assert len((await ask(site, "/api/parameters?q=pressure")).json()["parameters"]) == 1
    read = await ask(site, "/api/parameters/P%2F1")
    tag = read.header("etag") or ""
    assert (await site.get("/api/parameters/P%2F1", headers=[("If-None-Match", tag)])).status == 304
    body = {"name_hi": "दाब", "ucum_code": "m[H2O]", "unit": "m", "range_low": 0, "range_high": 90}
    changed = await send(site, "PATCH", "/api/parameters/P%2F1", body, tag=tag)
    assert changed.status == 200, changed.body
    found = changed.json()
    assert {name: found[name] for name in body} == body
    assert set(found["entered"]) == set(body)
    assert (await send(site, "PATCH", "/api/parameters/P%2F1", body, tag=tag)).status == 412
    text = "param_tag_code,parameter_name,unit\nP/1,Pressure,bar\n"
    assert (await load(site, "parameters", text)).json()["conflicts"] == 1
    assert (await ask(site, "/api/parameters/P%2F1")).json()["unit"] == "m"


async def test_parameters_that_must_not_be_are_refused(site: Site) -> None:
    for body in [
        {}, [], {"param_id": 1}, {"param_tag_code": "x"}, {"parameter_name": None}, {"name_hi": ""},
        {"ucum_code": "NTU"}, {"ucum_code": "m³"}, {"kind": "colour"}, {"decimals": 13},
        {"range_low": 5, "range_high": 5}, {"rate_max_per_s": 0}, {"unit": "x" * 51},
        {"name_hi": "a\0"}, {"name_hi": "a\nb"},
    ]:  # fmt: skip
        answer = await send(site, "PATCH", "/api/parameters/FLOW", body)
        assert answer.status in {400, 422}, (body, answer.body)
    assert (await send(site, "PATCH", "/api/parameters/nothing", {"unit": "m"})).status == 404
    token = site.token(Role.ENGINEER)
    headers = [("Content-Type", "application/json")]
    answer = await site.ask(
        "PATCH", "/api/parameters/FLOW", token=token, headers=headers, body=b'{"unit":"m"}'
    )
    assert answer.status == 428
    assert (await ask(site, "/api/parameters/FLOW")).json()["entered"] == {}
