"""The register over HTTP: pages, one asset, what people enter, and who may see what."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from serving import Answer, Site, serving

from ic3.domain.cursors import cursor_of
from ic3.domain.users import Role
from ic3.store.register import RegisterStore

PUMP = "C Block/Pump 1"
DOCUMENTS = [{"title": "Pump curve", "url": "https://papers.example.org/p1.pdf?v=2"}]
IDS = [{"system": "gis", "id": "4711"}, {"system": "scada", "id": "P-7/1"}]
ROWS: list[dict[str, object]] = [
    {"serialnumber": PUMP, "name": "Pump one", "domain": "DEL-D01", "category": "pump",
     "dma_id": "D1-A", "site": "North", "criticality": "High", "status": "Active",
     "barcode": "IC3-77", "external_ids": [{"system": "gis", "id": "g-4711"}]},
    {"serialnumber": "B_SV_2", "name": "Valve two", "domain": "DEL-D01", "category": "valve"},
    {"serialnumber": "D_SV_3", "name": "Valve three", "domain": "DEL-D02", "category": "valve",
     "dma_id": "D2-A", "site": "South", "criticality": "Low"},
    {"serialnumber": "E_Pump_4", "domain": "DEL-D02", "category": "pump", "status": "Active"},
    {"serialnumber": "F_Pump_5", "category": "pump"},
]  # fmt: skip
DMAS: list[dict[str, object]] = [
    {"dma_id": "D1-A", "name": "North area", "domain": "DEL-D01"},
    {"dma_id": "D2-A", "name": "South area", "domain": "DEL-D02"},
]
# Texts that have hurt other programs; each is taken as it is, or refused.
HOSTILE = [
    "a\0b", "a\r\nSet-Cookie: x=1", "a\u202egpj.exe", "x" * (1 << 20), "../../etc/passwd",
    "=cmd|'/c calc'!A1", "<script>alert(1)</script>", "' OR 1=1 --", "\x1b[2J", "%00", "😀",
    "\ud800",
]  # fmt: skip


@pytest.fixture
async def site(fresh_dsn: str) -> AsyncIterator[Site]:
    """A server with a small register; user `one` sees DEL-D01 alone, `none` nothing."""
    scopes = {"one": frozenset({"DEL-D01"}), "none": frozenset[str]()}
    async with serving(fresh_dsn, scopes=scopes) as site:
        await RegisterStore(site.database).import_rows({"register": ROWS, "dmas": DMAS})
        yield site


@pytest.fixture
def sql(fresh_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        yield connection


def at(serial: str) -> str:
    return f"/api/assets/{quote(serial, safe='')}"


async def ask(site: Site, target: str, name: str = "asha", role: Role = Role.VIEWER) -> Answer:
    return await site.ask("GET", target, token=site.token(role, name))


async def serials(site: Site, query: str = "", name: str = "asha") -> list[str]:
    answer = await ask(site, f"/api/assets{query}", name)
    assert answer.status == 200, answer.body
    return [each["serialnumber"] for each in answer.json()["assets"]]


async def send(
    site: Site, method: str, target: str, body: object, *, tag: str | None = None,
    name: str = "asha", role: Role = Role.ENGINEER, key: str | None = None,
) -> Answer:  # fmt: skip
    headers = [("Content-Type", "application/json")]
    if key is not None:
        headers.append(("Idempotency-Key", key))
    if tag is not None:
        headers.append(("If-Match", tag))
    return await site.ask(
        method, target, token=site.token(role, name), headers=headers,
        body=json.dumps(body).encode(),
    )  # fmt: skip


async def tag_of(site: Site, serial: str) -> str:
    tag = (await ask(site, at(serial))).header("etag")
    assert tag is not None
    return tag


async def test_assets_are_listed_by_serial_number_with_all_their_fields(site: Site) -> None:
    answer = await ask(site, "/api/assets")
    body = answer.json()
    assert [each["serialnumber"] for each in body["assets"]] == sorted(
        str(each["serialnumber"]) for each in ROWS
    )
    assert (body["total"], body["next"], answer.header("link")) == (5, None, None)
    pump = next(each for each in body["assets"] if each["serialnumber"] == PUMP)
    assert (pump["site"], pump["external_ids"], pump["documents"], pump["entered"]) == (
        "North", [{"system": "gis", "id": "g-4711"}], [], {},
    )  # fmt: skip


FILTERS = [
    ("q=pump", 3), ("q=PUMP%20ONE", 1), ("q=ic3-77", 1), ("q=G-47", 1), ("q=system", 0),
    ("q=%25", 0), ("q=_", 4), ("q=%5C", 0), ("domain=DEL-D01", 2),
    ("domain=DEL-D01&domain=DEL-D02", 4), ("domain=", 1), ("dma=D1-A", 1), ("dma=", 3),
    ("category=pump&status=Active", 2), ("criticality=High&criticality=Low", 2),
    ("status=Gone", 0), ("q=valve&domain=DEL-D02", 1),
]  # fmt: skip


async def test_search_and_filters_narrow_the_list(site: Site) -> None:
    for query, count in FILTERS:
        body = (await ask(site, f"/api/assets?{query}")).json()
        assert (len(body["assets"]), body["total"]) == (count, count), query


SORTS = ["serial", "-serial", "name", "-name", "domain", "dma", "category", "criticality",
         "status"]  # fmt: skip


async def test_pages_of_every_order_are_the_list_once(site: Site) -> None:
    for sort in SORTS:
        await _walk(site, sort)


async def _walk(site: Site, sort: str) -> None:
    whole = await serials(site, f"?sort={sort}")
    found: list[str] = []
    target = f"/api/assets?sort={sort}&limit=2&category=pump&category=valve"
    while target:
        answer = await ask(site, target)
        found += [each["serialnumber"] for each in answer.json()["assets"]]
        link = answer.header("link") or ""
        assert bool(link) == (answer.json()["next"] is not None)
        target = link.removeprefix("<").removesuffix('>; rel="next"')
    assert found == whole
    assert len(found) == len(set(found)) == 5


async def test_an_order_is_by_its_field_and_the_reverse_of_the_other_way(site: Site) -> None:
    names = [each["name"] for each in (await ask(site, "/api/assets?sort=name")).json()["assets"]]
    assert names == [None, None, "Pump one", "Valve three", "Valve two"]
    up, down = await serials(site, "?sort=serial"), await serials(site, "?sort=-serial")
    assert up == down[::-1]


BAD = [
    "limit=0", "limit=1001", "limit=x", "sort=colour", "cursor=abc", "cursor=%00", "q=%00",
    "q=", "q=" + "x" * 201, "cursor=W10=", "domain=%00", "domain=" + "x" * 1001,
    "&".join(["domain=x"] * 51),
]  # fmt: skip


async def test_bad_questions_are_refused(site: Site) -> None:
    for query in BAD:
        assert (await ask(site, f"/api/assets?{query}")).status == 422, query


async def test_a_cursor_of_another_order_is_refused(site: Site) -> None:
    following = (await ask(site, "/api/assets?sort=name&limit=1")).json()["next"]
    assert (await ask(site, f"/api/assets?sort=serial&limit=1&cursor={following}")).status == 422
    assert (await ask(site, f"/api/assets?sort=name&limit=1&cursor={following}")).status == 200


async def test_one_asset_has_a_tag_that_tells_whether_it_changed(site: Site) -> None:
    answer = await ask(site, at(PUMP))
    assert (answer.status, answer.json()["name"]) == (200, "Pump one")
    tag = answer.header("etag")
    assert tag is not None
    again = await site.get(at(PUMP), headers=[("If-None-Match", tag)])
    assert (again.status, again.body) == (304, b"")
    assert (await ask(site, "/api/assets/stranger")).status == 404


async def test_a_change_needs_the_tag_of_the_asset_as_it_is(site: Site) -> None:
    tag = await tag_of(site, PUMP)
    assert (await send(site, "PATCH", at(PUMP), {"name": "x"})).status == 428
    assert (await send(site, "PATCH", at(PUMP), {"name": "x"}, tag='"other"')).status == 412
    assert (await send(site, "PATCH", at(PUMP), {"name": "x"}, tag=f"W/{tag}")).status == 412
    changed = await send(site, "PATCH", at(PUMP), {"name": "Pump 1"}, tag=f'"a", {tag}')
    assert (changed.status, changed.json()["name"]) == (200, "Pump 1")
    stale = await send(site, "PATCH", at(PUMP), {"name": "Pump 2"}, tag=tag)
    assert (stale.status, stale.json()["error"]) == (412, "changed meanwhile")
    assert changed.header("etag") == await tag_of(site, PUMP)


async def test_a_change_is_noted_by_field_and_in_the_audit_log(
    site: Site, sql: psycopg.Connection[Any]
) -> None:
    body = {"site": "West", "documents": DOCUMENTS, "external_ids": IDS, "criticality": None}
    answer = await send(site, "PATCH", at(PUMP), body, tag=await tag_of(site, PUMP))
    found = answer.json()
    assert {name: found[name] for name in body} == body
    assert set(found["entered"]) == set(body)
    assert {each["by"] for each in found["entered"].values()} == {"asha"}
    assert found["updated_by"] == "asha"
    assert found["name"] == "Pump one"
    [act] = sql.execute("SELECT what, object, before, after FROM audit_log").fetchall()
    assert act[:2] == ("asset changed", f"asset {PUMP!r}")
    assert (act[2]["site"], act[3]["site"]) == ("North", "West")
    assert set(act[2]) == set(act[3]) == set(body)


REFUSED: list[object] = [
    {}, [], None, "x", {"domain": "DEL-D02"}, {"role": "admin"}, {"asset_id": 1}, {"id": 1},
    {"serialnumber": "x"}, {"created_by": "x"}, {"updated_by": "x"}, {"entered": {}},
    {"ticketcount": 1}, {"name": ""}, {"name": 7}, {"name": "x" * 1001}, {"longitude": 181},
    {"latitude": -91}, {"dma_id": "nowhere"},
    {"documents": [{"title": "x", "url": "javascript:alert(1)"}]},
    {"documents": [{"title": "x", "url": "https://u:p@example.org/"}]},
    {"documents": [{"title": "x", "url": "file:///etc/passwd"}]},
    {"documents": [{"title": "x", "url": "//example.org/x"}]},
    {"documents": [{"title": "x", "url": "https://exa mple.org/"}]},
    {"documents": [{"title": "x", "url": "https://example.org/\r\nX: y"}]},
    {"documents": [{"title": "", "url": "https://example.org"}]},
    {"documents": DOCUMENTS * 21}, {"documents": None}, {"documents": [{"url": "https://a"}]},
    {"external_ids": [{"system": "a b", "id": "1"}]},
    {"external_ids": [{"system": "gis", "id": "a;b"}]},
    {"external_ids": [{"system": "gis", "id": "1"}, {"system": "gis", "id": "2"}]},
]  # fmt: skip


async def test_changes_that_must_not_be_are_refused(site: Site) -> None:
    tag = await tag_of(site, PUMP)
    for body in REFUSED:
        answer = await send(site, "PATCH", at(PUMP), body, tag=tag)
        assert answer.status in {400, 422}, (body, answer.body)
    assert await tag_of(site, PUMP) == tag


async def test_an_asset_is_made_with_what_a_person_entered(site: Site) -> None:
    body = {
        "serialnumber": "New/Pump 9", "domain": "DEL-D02", "dma_id": "D2-A", "longitude": 77.2,
        "documents": DOCUMENTS,
    }  # fmt: skip
    made = await send(site, "POST", "/api/assets", body)
    assert (made.status, made.header("location")) == (201, "/api/assets/New%2FPump%209")
    assert set(made.json()["entered"]) == set(body) - {"serialnumber"}
    read = await ask(site, "/api/assets/New%2FPump%209")
    assert (read.json(), read.header("etag")) == (made.json(), made.header("etag"))
    again = await send(site, "POST", "/api/assets", body)
    assert (again.status, again.json()["error"]) == (409, "serial number taken")


async def test_an_asset_sent_twice_with_one_key_is_made_once(site: Site) -> None:
    body = {"serialnumber": "twice", "domain": "DEL-D01"}
    made = await send(site, "POST", "/api/assets", body, key="k1", name="one")
    again = await send(site, "POST", "/api/assets", body, key="k1", name="one")
    assert made.status == again.status == 201
    assert (made.body, made.header("etag")) == (again.body, again.header("etag"))
    other = await send(site, "POST", "/api/assets", {**body, "name": "x"}, key="k1", name="one")
    assert (other.status, other.json()["error"]) == (422, "key used before")
    taken = await send(site, "POST", "/api/assets", body, key="k2", name="one")
    assert taken.status == 409
    # What was refused leaves the key free.
    body = {"serialnumber": "thrice", "domain": "DEL-D01"}
    assert (await send(site, "POST", "/api/assets", body, key="k2", name="one")).status == 201


async def test_the_tree_counts_by_domain_area_and_site(site: Site) -> None:
    tree = (await ask(site, "/api/assets/tree")).json()
    assert tree["assets"] == 5
    shown = {
        each["domain"]: (each["assets"], [(dma["dma_id"], dma["name"]) for dma in each["dmas"]])
        for each in tree["domains"]
    }
    assert shown == {
        "DEL-D01": (2, [("D1-A", "North area"), (None, None)]),
        "DEL-D02": (2, [("D2-A", "South area"), (None, None)]),
        None: (1, [(None, None)]),
    }
    assert tree["domains"][0]["dmas"][0]["sites"] == [{"site": "North", "assets": 1}]


async def test_the_tags_of_an_asset_say_what_they_measure(site: Site) -> None:
    await RegisterStore(site.database).import_rows(
        {
            "parameters": [{"param_tag_code": "FLOW", "parameter_name": "Flow", "unit": "m³/h"}],
            "tagmap": [{"serialnumber": PUMP, "tag_code": "F 1", "param_tag_code": "FLOW"}],
        }
    )
    found = (await ask(site, at(PUMP) + "/tags")).json()
    [tag] = found["tags"]
    assert (tag["tag_code"], tag["parameter_name"], tag["unit"], tag["state"]) == (
        "F 1", "Flow", "m³/h", "mapped",
    )  # fmt: skip
    assert (await ask(site, "/api/assets/stranger/tags")).status == 404


async def test_an_asset_named_like_a_route_is_reached_by_its_escaped_name(site: Site) -> None:
    await send(site, "POST", "/api/assets", {"serialnumber": "tree"})
    assert "domains" in (await ask(site, "/api/assets/tree")).json()
    assert (await ask(site, "/api/assets/%74ree")).json()["serialnumber"] == "tree"


# Who sees what.


async def test_who_sees_one_domain_finds_nothing_of_the_others(site: Site) -> None:
    assert await serials(site, name="one") == ["B_SV_2", PUMP]
    assert await serials(site, "?domain=DEL-D02&domain=", name="one") == []
    assert await serials(site, name="none") == []
    body = (await ask(site, "/api/assets?q=pump", "one")).json()
    assert (len(body["assets"]), body["total"]) == (1, 1)
    tree = (await ask(site, "/api/assets/tree", "one")).json()
    assert [each["domain"] for each in tree["domains"]] == ["DEL-D01"]
    assert tree["assets"] == 2
    listed = (await ask(site, "/api/cmms/assets", "one")).json()
    assert [each["serialnumber"] for each in listed["data"]] == ["B_SV_2", PUMP]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/assets/{}"), ("GET", "/api/assets/{}/tags"), ("GET", "/api/cmms/assets/{}"),
        ("PATCH", "/api/assets/{}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("foreign", ["D_SV_3", "F_Pump_5"])
async def test_a_foreign_asset_looks_like_one_that_is_not_there(
    site: Site, method: str, path: str, foreign: str
) -> None:
    answers = [
        await send(site, method, path.format(serial), {"name": "x"}, tag="*", name="one")
        for serial in (foreign, "stranger")
    ]
    bodies = [{**each.json(), "request_id": ""} for each in answers]
    assert bodies[0] == bodies[1]
    assert {each.status for each in answers} == {404}


async def test_who_sees_one_domain_changes_what_is_in_it(site: Site) -> None:
    for dma, status in (("D1-A", 200), ("D2-A", 422), (None, 200)):
        body = {"dma_id": dma, "site": "x"}
        answer = await send(site, "PATCH", at("B_SV_2"), body, tag="*", name="one")
        assert answer.status == status, dma


async def test_who_sees_one_domain_makes_assets_there_and_nowhere_else(site: Site) -> None:
    for domain in ("DEL-D02", None):
        body = {"serialnumber": "new", "domain": domain}
        assert (await send(site, "POST", "/api/assets", body, name="one")).status == 422
    body = {"serialnumber": "new", "domain": "DEL-D01"}
    for dma in ("D2-A", "nowhere"):
        more = {**body, "dma_id": dma}
        answer = await send(site, "POST", "/api/assets", more, name="one")
        assert (answer.status, answer.json()["detail"]) == (
            422, f"dma_id: there is no district area {dma!r}; import it first",
        )  # fmt: skip
    assert (await send(site, "POST", "/api/assets", body, name="one")).status == 201


# What must never be a 500.


async def test_hostile_texts_are_taken_as_they_are_or_refused(site: Site) -> None:
    for text in HOSTILE:
        await _take(site, text)


async def _take(site: Site, text: str) -> None:
    tag = await tag_of(site, PUMP)
    for name in ("name", "site", "barcode", "in_charge_person"):
        answer = await send(site, "PATCH", at(PUMP), {name: text}, tag=tag)
        assert answer.status in {200, 400, 413, 422}, answer.body
        tag = await tag_of(site, PUMP)
        if answer.status == 200:
            assert (await ask(site, at(PUMP))).json()[name] == text
    made = await send(site, "POST", "/api/assets", {"serialnumber": text})
    assert made.status in {201, 400, 413, 422}, made.body
    segment = quote(text.encode("utf-8", "surrogatepass"), safe="")[:60_000]
    for path in (
        f"/api/assets/{segment}",
        f"/api/cmms/assets/{segment}",
        f"/api/assets?q={segment}",
    ):
        answer = await ask(site, path)
        assert answer.status in {200, 400, 404, 414, 422, 431}, (path[:50], answer.status)


SEGMENTS = ["%00", "a%00b", "%ff", "..", "%2e%2e", "%2F", "%252F", "%"]


async def test_odd_segments_are_unknown_assets(site: Site) -> None:
    for segment in SEGMENTS:
        for path in (
            "/api/assets/{}", "/api/assets/{}/tags", "/api/cmms/assets/{}", "/api/parameters/{}",
        ):  # fmt: skip
            assert (await ask(site, path.format(segment))).status in {403, 404}, (path, segment)


async def test_a_slash_in_a_serial_number_is_no_separator(site: Site) -> None:
    for path in ("/api/assets/{}", "/api/assets/{}/tags", "/api/cmms/assets/{}"):
        assert (await ask(site, path.format("C%20Block%2FPump%201"))).status == 200
        assert (await ask(site, path.format("C%20Block/Pump%201"))).status == 404


# The list of the CMMS integration.


async def test_the_cmms_list_has_the_contracts_fields_page_by_page(site: Site) -> None:
    first = (await ask(site, "/api/cmms/assets?limit=3")).json()
    assert (first["count"], first["next"]) == (3, cursor_of("D_SV_3"))
    rest = (await ask(site, f"/api/cmms/assets?limit=3&cursor={first['next']}")).json()
    assert [each["serialnumber"] for each in rest["data"]] == ["E_Pump_4", "F_Pump_5"]
    assert rest["next"] is None
    one = (await ask(site, f"/api/cmms/assets/{quote(PUMP, safe='')}")).json()
    assert one["data"] in first["data"]
    assert one["monitoring"] == []
    assert set(one["data"]) == {
        "asset_id", "serialnumber", "cmms_asset_id", "traceability_id", "barcode", "criticality",
        "capacity_rating", "in_charge_person", "status", "asset_live_status", "ticketcount",
        "schedulecount", "category", "dma_id", "name", "domain", "longitude", "latitude",
    }  # fmt: skip


async def test_without_a_database_the_register_is_away_not_empty() -> None:
    async with serving() as site:
        for path in ("/api/assets", "/api/assets/tree", "/api/assets/x", "/api/cmms/assets",
                     "/api/parameters", "/api/register/export?table=register"):  # fmt: skip
            answer = await ask(site, path)
            assert (answer.status, answer.json()["error"]) == (503, "database away"), path
