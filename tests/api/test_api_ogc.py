"""The map's layers by OGC API Features: the rules of the standard, and GDAL where it is there."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import quote, urlsplit

import pytest
from plants import ODD, fill_map
from serving import Answer, Site, serving

from ic3.domain.layers import KINDS

GDAL = shutil.which("ogrinfo")
HOSTILE = [
    "%00", "a%00b", "%F0%9F%98%80", "%ED%A0%80", "%FF", "../../etc/passwd", "';DROP%20TABLE%20x--",
    "%3Cscript%3E", "-1", "0", "1e400", "nan", "inf", "9" * 400, "1,2,3", "1,2,3,4,5", ",,,",
    "nan,nan,nan,nan", "9,9,1,1", "2026-13-45T99:00:00Z", "../..", "/", "2026-06-15",
    "2026-06-15T00:00:00", "%0d%0aSet-Cookie:x", "=1+1", "%E2%80%AE", "{}", "[]", "x" * 2000,
]  # fmt: skip
BAD = [
    "colour=red", "limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=%D9%A1", "bbox=1,2,3",
    "bbox=a,b,c,d", "bbox=nan,1,2,3", "bbox=1,5,2,3", "datetime=today", "datetime=../..",
    "datetime=2026-06-16T00:00:00Z/2026-06-15T00:00:00Z", "datetime=2026-06-15T00:00:00",
    "f=html", "cursor=%21", "limit=1&limit=2", "kind=a&kind=b",
]  # fmt: skip


@pytest.fixture
async def plant(fresh_dsn: str) -> AsyncIterator[Site]:
    async with serving(fresh_dsn) as site:
        await fill_map(site)
        yield site


async def ask(site: Site, path: str, *, name: str = "asha") -> Answer:
    token = site.token(name=name)
    return await site.ask("GET", f"/api/ogc{path}", token=token)


async def found(site: Site, path: str, **more: Any) -> Any:
    answer = await ask(site, path, **more)
    assert answer.status == 200, answer.body
    return answer.json()


async def change(site: Site, statement: LiteralString) -> None:
    async with site.database.connection() as connection:
        await connection.execute(statement)


def link(document: Any, rel: str) -> str | None:
    hrefs = [each["href"] for each in document["links"] if each["rel"] == rel]
    assert len(hrefs) <= 1
    return hrefs[0] if hrefs else None


def below(href: str) -> str:
    parts = urlsplit(href)
    return parts.path.removeprefix("/api/ogc") + (f"?{parts.query}" if parts.query else "")


async def test_every_link_of_the_landing_page_leads_somewhere(plant: Site) -> None:
    page = await found(plant, "")
    assert {each["rel"] for each in page["links"]} == {
        "self",
        "service-desc",
        "conformance",
        "data",
    }
    for each in page["links"]:
        assert each["href"].startswith(f"http://127.0.0.1:{plant.port}/api/ogc")
        answer = await ask(plant, below(each["href"]))
        assert answer.status == 200
        assert answer.header("content-type") == each["type"]


async def test_three_conformance_classes_are_declared(plant: Site) -> None:
    classes = (await found(plant, "/conformance"))["conformsTo"]
    assert [each.rpartition("/")[2] for each in classes] == ["core", "oas30", "geojson"]


async def test_the_definition_is_openapi_3_0_and_names_every_path(plant: Site) -> None:
    definition = await found(plant, "/api")
    assert definition["openapi"].startswith("3.0")
    for name, kind in KINDS.items():
        parameters = definition["paths"][f"/collections/{name}/items"]["get"]["parameters"]
        names = {each.get("name") or each["$ref"].rpartition("/")[2] for each in parameters}
        assert names == {"bbox", "datetime", "limit", "cursor", "f", *kind.chosen_by}
    assert definition["components"]["parameters"]["limit"]["schema"]["maximum"] == 1000


async def test_collections_say_where_and_when_their_features_are(plant: Site) -> None:
    document = await found(plant, "/collections")
    assert [each["id"] for each in document["collections"]] == list(KINDS)
    for each in document["collections"]:
        assert link(each, "items")
        [[west, south, east, north]] = each["extent"]["spatial"]["bbox"]
        assert 77 < west <= east < 78
        assert 28 < south <= north < 29
        assert await found(plant, f"/collections/{each['id']}") == each
    assert document["collections"][0]["extent"]["temporal"]["interval"][0][0].startswith("2026")


async def test_items_are_a_feature_collection_with_counts_and_a_time(plant: Site) -> None:
    answer = await ask(plant, "/collections/nodes/items?limit=3")
    assert answer.header("content-type") == "application/geo+json"
    page = answer.json()
    assert (page["type"], page["numberMatched"], page["numberReturned"]) == (
        "FeatureCollection",
        8,
        3,
    )
    assert page["timeStamp"] == "2026-06-15T01:42:00.000000Z"
    assert "crs" not in page
    assert len(page["features"]) == 3
    first = page["features"][0]
    assert first["geometry"] == {"type": "Point", "coordinates": [77.1, 28.6]}
    assert first["properties"]["node_id"] == first["id"] == "J1"


async def pages(site: Site, href: str) -> list[str]:
    """The names on all pages, by the next links."""
    seen, matched = list[str](), 0
    following: str | None = href
    while following is not None:
        page = await found(site, below(following))
        assert page["numberReturned"] == len(page["features"])
        seen += [each["id"] for each in page["features"]]
        matched, following = page["numberMatched"], link(page, "next")
    assert len(seen) == matched > 0
    return seen


async def test_the_next_links_give_each_feature_once(plant: Site) -> None:
    for name in KINDS:
        for limit in (1, 2, 3, 1000):
            seen = await pages(plant, f"/api/ogc/collections/{name}/items?limit={limit}")
            assert seen == sorted(set(seen))
    chosen = await pages(plant, "/api/ogc/collections/pipes/items?kind=pipe&limit=2")
    assert chosen == ["P1", "P2", "P3", "P4", "P5", "P6", "P7"]


async def test_a_page_follows_its_place_also_where_features_come_and_go(plant: Site) -> None:
    page = await found(plant, "/collections/nodes/items?limit=2")
    following = link(page, "next")
    assert following is not None
    await change(plant, "UPDATE ic3_network_node SET elevation_m = 9 WHERE node_id = 'J1'")
    await change(plant, "INSERT INTO ic3_network_node VALUES ('J0', 'junction', 77.1, 28.6)")
    page = await found(plant, below(following))
    assert [each["id"] for each in page["features"]] == ["J3", "J4"]


async def test_a_box_chooses_what_it_meets(plant: Site) -> None:
    inside = await found(plant, "/collections/nodes/items?bbox=77.095,28.595,77.115,28.605")
    assert [each["id"] for each in inside["features"]] == ["J1", "J2"]
    passing = await found(plant, "/collections/pipes/items?bbox=77.101,28.5999,77.102,28.61")
    assert [each["id"] for each in passing["features"]] == ["P2"]
    six = await found(plant, "/collections/nodes/items?bbox=77.095,28.595,0,77.115,28.605,9")
    assert six["numberMatched"] == 2
    whole = await found(plant, "/collections/dmas/items?bbox=77.1,28.5901,77.1001,28.5902")
    assert [each["id"] for each in whole["features"]] == ["D2"]


async def test_a_time_chooses_what_is_of_it(plant: Site) -> None:
    for text, number in (
        ("2026-06-15T01:42:00Z", 2), ("2026-06-15T01:42:00Z/..", 2), ("../2026-06-15T01:41:00Z", 0),
        ("2026-06-15T07:12:00%2B05:30/2026-06-16T00:00:00Z", 2), ("/2030-01-01T00:00:00Z", 2),
    ):  # fmt: skip
        page = await found(plant, f"/collections/alarms/items?datetime={text}")
        assert page["numberMatched"] == number, text
    # What is of no time is of every time.
    page = await found(plant, "/collections/nodes/items?datetime=1999-01-01T00:00:00Z")
    assert page["numberMatched"] == 8


async def test_properties_choose(plant: Site) -> None:
    page = await found(plant, "/collections/pipes/items?kind=pipe&status=closed")
    assert [each["id"] for each in page["features"]] == ["P7"]
    page = await found(plant, f"/collections/assets/items?serial_number={quote(ODD)}")
    assert [each["id"] for each in page["features"]] == [ODD]
    page = await found(plant, "/collections/pipes/items?kind=nothing")
    assert (page["numberMatched"], page["features"]) == (0, [])


async def test_one_feature_has_its_links_and_its_name_may_be_anything(plant: Site) -> None:
    feature = await found(plant, f"/collections/assets/items/{quote(ODD, safe='')}")
    assert (feature["type"], feature["id"]) == ("Feature", ODD)
    own = link(feature, "self")
    assert own is not None
    assert (await found(plant, below(own)))["id"] == ODD
    assert link(feature, "collection")
    assert (await ask(plant, "/collections/assets/items/nothing")).status == 404
    assert (await ask(plant, "/collections/nothing")).status == 404
    assert (await ask(plant, "/collections/nothing/items")).status == 404


async def test_a_bad_parameter_is_400(plant: Site) -> None:
    for query in BAD:
        answer = await ask(plant, f"/collections/nodes/items?{query}")
        assert answer.status == 400, query
        assert answer.header("content-type") == "application/problem+json"


async def test_s25_a_limit_beyond_the_greatest_is_the_greatest(plant: Site) -> None:
    assert (await ask(plant, "/collections/nodes/items?limit=100000")).status == 200
    assert (await ask(plant, "/conformance?limit=1")).status == 400
    assert (await ask(plant, "/conformance?f=json")).status == 200


async def test_s24_hostile_words_are_never_an_error_of_ours(plant: Site) -> None:
    for word in HOSTILE:
        for path in (
            *(f"/collections/assets/items?{name}={word}"
              for name in ("bbox", "datetime", "limit", "cursor", "f", "serial_number", word)),
            f"/collections/{quote(word)}", f"/collections/{word}/items",
            f"/collections/assets/items/{word}",
            f"/collections/assets/items/{quote(word, safe='')}",
        ):  # fmt: skip
            answer = await ask(plant, path)
            assert answer.status < 500, path
            assert answer.header("set-cookie") is None


async def test_a_host_that_is_none_comes_back_in_no_link(plant: Site) -> None:
    for host in ("evil.example/<script>", 'evil"x', "evil example", "evil@x"):
        answer = await plant.get("/api/ogc", headers=[("Host", host)])
        assert answer.status < 500
        assert b"evil" not in answer.body


async def test_s20_a_user_of_one_domain_sees_one_domain(plant: Site) -> None:
    plant.scopes["asha"] = frozenset({"DEL-D02"})
    for name, ids in {
        "assets": [ODD], "pipes": ["P6", "PRV1"], "nodes": ["J4", "J5", "J6"], "dmas": ["D2"],
        "valves": [], "alarms": ["2"],
    }.items():  # fmt: skip
        page = await found(plant, f"/collections/{name}/items")
        assert [each["id"] for each in page["features"]] == ids
        assert page["numberMatched"] == len(ids)
    extent = (await found(plant, "/collections/nodes"))["extent"]["spatial"]["bbox"][0]
    assert extent == [77.11, 28.59, 77.12, 28.59]


async def test_s19_a_foreign_feature_looks_like_one_that_is_not(plant: Site) -> None:
    plant.scopes["asha"] = frozenset({"DEL-D02"})
    foreign = await ask(plant, "/collections/nodes/items/J1")
    unknown = await ask(plant, "/collections/nodes/items/J999")

    def plain(answer: Answer) -> Any:
        return {name: each for name, each in answer.json().items() if name != "request_id"}

    assert foreign.status == unknown.status == 404
    assert plain(foreign) == plain(unknown)


@pytest.mark.skipif(GDAL is None, reason="ogrinfo of gdal-bin is not installed")
async def test_gdal_opens_it_and_reads_several_pages(plant: Site, tmp_path: Path) -> None:
    token = plant.token()
    address = f"OAPIF:http://127.0.0.1:{plant.port}/api/ogc"
    options = ["--config", "GDAL_HTTP_HEADERS", f"Authorization: Bearer {token}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    async def run(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environment,
        )  # fmt: skip
        told = (await process.communicate())[0].decode()
        assert process.returncode == 0, told
        return told

    listing = await run("ogrinfo", "-al", "-so", address, *options)
    for name in KINDS:
        assert f"Layer name: {name}" in listing
    assert "Feature Count: 8" in listing
    target = tmp_path / "nodes.geojson"
    await run(
        "ogr2ogr", "-f", "GeoJSON", str(target), address, "nodes", "-oo", "PAGE_SIZE=3", *options
    )
    document = json.loads(target.read_text())
    assert sorted(each["properties"]["node_id"] for each in document["features"]) == [
        "J1", "J2", "J3", "J4", "J5", "J6", "R1", "T1",
    ]  # fmt: skip
