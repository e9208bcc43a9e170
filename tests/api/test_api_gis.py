"""The map as GeoJSON, the network in and out, the trace: as a client sees them."""

import gzip
import json
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest
from plants import LOST, ODD, PANEL, SWAPPED, fill_map, networks
from serving import NOW_US, Answer, Site, add, serving

from ic3.domain.mapping import Reading
from ic3.domain.users import Role

HOSTILE = [
    "%00", "a%00b", "%F0%9F%98%80", "%ED%A0%80", "%FF", "../../etc/passwd", "';DROP%20TABLE%20x--",
    "%3Cscript%3E", "-1", "1e400", "nan,nan", "nan,nan,nan,nan", "9" * 400, "1,2,3", ",", "181,1",
    "9,9,1,1", "%0d%0aSet-Cookie:x", "%E2%80%AE", "{}", "[]", "x" * 3000,
]  # fmt: skip
LAYERS = ("assets", "pipes", "dmas", "alarms")


@pytest.fixture
async def plant(fresh_dsn: str) -> AsyncIterator[Site]:
    async with serving(fresh_dsn) as site:
        await fill_map(site)
        yield site


async def layer(site: Site, name: str, query: str = "") -> Any:
    answer = await site.get(f"/api/gis/{name}{query}")
    assert answer.status == 200, answer.body
    assert answer.header("content-type") == "application/geo+json"
    return answer.json()


def ids(document: Any) -> list[str]:
    return [each["id"] for each in document["features"]]


async def trace(site: Site, query: str) -> Any:
    answer = await site.get(f"/api/gis/trace?{query}")
    assert answer.status == 200, answer.body
    return answer.json()


async def hand_in(site: Site, query: str, body: bytes, role: Role = Role.ENGINEER) -> Answer:
    target = f"/api/gis/network/import?{query}"
    return await site.ask("POST", target, token=site.token(role), body=body)


def positions(geometry: Any) -> Iterable[list[float]]:
    def walk(node: Any) -> Iterable[list[float]]:
        if isinstance(node[0], list):
            for each in node:
                yield from walk(each)
        else:
            yield node

    return walk(geometry["coordinates"])


async def test_assets_are_shown_with_all_that_is_live(plant: Site) -> None:
    document = await layer(plant, "assets")
    assert ids(document) == [PANEL, ODD]
    feature = document["features"][0]
    assert feature["geometry"] == {"type": "Point", "coordinates": [77.1101, 28.6]}
    assert feature["properties"] == {
        "serial_number": PANEL, "name": "Panel", "kind": "panel", "domain": "DEL-D01",
        "dma_id": "D1", "state": "fresh", "since": "2026-06-15T01:42:00.000000Z",
        "last_value_at": "2026-06-15T01:41:59.123456Z", "quality": "UNCERTAIN", "worst_alarm": 2,
        "unacknowledged": True,
        "readings": {
            "FLOW": {"value": 12.5, "unit": "m³/h", "quality": "UNCERTAIN",
                     "at": "2026-06-15T01:42:00.000000Z"},
            "MODE": {"value": "Auto", "unit": None, "quality": "GOOD",
                     "at": "2026-06-15T01:41:55.000000Z"},
        },
    }  # fmt: skip
    silent = document["features"][1]["properties"]
    assert (silent["state"], silent["quality"], silent["worst_alarm"]) == ("never_seen", None, None)


async def test_what_cannot_be_drawn_is_listed_with_its_reason(plant: Site) -> None:
    assert (await layer(plant, "assets"))["not_on_map"] == {
        "count": 2,
        "items": [
            {"id": LOST, "reason": "no coordinates"},
            {"id": SWAPPED, "reason": "outside the service area"},
        ],
    }
    assert (await layer(plant, "alarms"))["not_on_map"]["items"] == [
        {"id": "4", "reason": "system without a place"}, {"id": "3", "reason": "no coordinates"},
    ]  # fmt: skip


async def test_every_layer_keeps_to_rfc_7946(plant: Site) -> None:
    for name in LAYERS:
        document = await layer(plant, name)
        assert (document["type"], document["count"]) == ("FeatureCollection", len(ids(document)))
        assert "crs" not in document
        for feature in document["features"]:
            assert feature["type"] == "Feature"
            for longitude, latitude in positions(feature["geometry"]):
                assert 77 < longitude < 78
                assert 28 < latitude < 29


async def test_areas_run_counter_clockwise_and_say_what_is_wrong_in_them(plant: Site) -> None:
    document = await layer(plant, "dmas")
    for feature in document["features"]:
        [ring] = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(ring)) > 0
    north, south = (each["properties"] for each in document["features"])
    assert (north["assets"], north["in_alarm"], north["worst_alarm"]) == (2, 2, 2)
    assert (south["assets"], south["in_alarm"], south["worst_alarm"]) == (2, 0, 2)


async def test_pipes_carry_the_readings_of_what_stands_on_them(plant: Site) -> None:
    async with plant.database.connection() as connection:
        await connection.execute(
            "UPDATE ic3_network_link SET asset_serial = 'J2 panel' WHERE link_id = 'P2'"
        )
    pipes = {each["id"]: each for each in (await layer(plant, "pipes"))["features"]}
    assert pipes["P2"]["geometry"]["coordinates"] == [[77.1, 28.6], [77.105, 28.601], [77.11, 28.6]]
    assert pipes["P2"]["properties"]["readings"]["FLOW"]["value"] == 12.5
    assert pipes["P2"]["properties"]["worst_alarm"] == 2
    assert "readings" not in pipes["P1"]["properties"]
    assert pipes["P7"]["properties"]["status"] == "closed"


async def test_alarms_stand_where_their_asset_or_area_is(plant: Site) -> None:
    document = await layer(plant, "alarms")
    assert [each["properties"]["source"] for each in document["features"]] == [PANEL, "D2"]
    assert document["features"][1]["geometry"]["coordinates"] == [77.11, 28.59]
    assert document["features"][0]["properties"]["text"] == "<b>high</b>"


async def test_a_box_leaves_the_rest_out(plant: Site) -> None:
    assert ids(await layer(plant, "assets", "?bbox=77.1,28.599,77.13,28.7")) == [PANEL]
    assert ids(await layer(plant, "pipes", "?bbox=77.101,28.5999,77.102,28.61")) == ["P2"]


async def test_an_empty_box_lists_what_has_no_place_and_the_whole_stays_whole(plant: Site) -> None:
    nothing = await layer(plant, "assets", "?bbox=0,0,0,0")
    assert ids(nothing) == []
    whole = await layer(plant, "assets")
    assert ids(whole) == [PANEL, ODD]
    assert whole["not_on_map"] == nothing["not_on_map"]
    assert nothing["not_on_map"]["count"] > 0
    assert (await layer(plant, "assets", "?bbox=77.1,28.599,77.13,28.7"))["features"] == [
        whole["features"][0]
    ]


async def test_the_answer_stands_until_something_changes(plant: Site) -> None:
    for name in LAYERS:
        first = await plant.get(f"/api/gis/{name}")
        etag = first.header("etag")
        assert etag is not None
        again = await plant.get(f"/api/gis/{name}", headers=[("If-None-Match", etag)])
        assert (again.status, again.body) == (304, b"")
    tag = (await plant.get("/api/gis/assets")).header("etag")
    add(plant.latest, Reading(1, "FLOW", 1, 13.5, None, NOW_US + 1))
    changed = await plant.get("/api/gis/assets", headers=[("If-None-Match", tag or "")])
    assert changed.status == 200
    assert changed.json()["features"][0]["properties"]["readings"]["FLOW"]["value"] == 13.5


async def test_states_alarms_and_network_change_the_answer(plant: Site) -> None:
    before = (await plant.get("/api/gis/assets")).header("etag")
    plant.clock.advance(60)
    document = await layer(plant, "assets")
    assert document["features"][0]["properties"]["state"] == "stale"
    plant.alarms.acknowledge(1, who="asha", at_us=NOW_US)
    document = await layer(plant, "assets")
    assert document["features"][0]["properties"]["unacknowledged"] is False
    assert (await plant.get("/api/gis/assets")).header("etag") != before
    async with plant.database.connection() as connection:
        await connection.execute("UPDATE ic3_dma SET name = 'Nord' WHERE dma_id = 'D1'")
    assert (await layer(plant, "dmas"))["features"][0]["properties"]["name"] == "Nord"


async def test_whoever_reads_gzip_gets_it(plant: Site) -> None:
    plain = await plant.get("/api/gis/pipes")
    zipped = await plant.get("/api/gis/pipes", headers=[("Accept-Encoding", "br, gzip;q=0.8")])
    assert zipped.header("content-encoding") == "gzip"
    assert zipped.header("vary") == "Accept-Encoding"
    assert gzip.decompress(zipped.body) == plain.body
    refused = await plant.get("/api/gis/pipes", headers=[("Accept-Encoding", "gzip;q=0")])
    assert refused.header("content-encoding") is None


async def test_trace_says_what_to_shut_and_who_is_cut_off(plant: Site) -> None:
    found = await trace(plant, "pipe=P2")
    assert [each["valve"] for each in found["shut"]] == ["SV1", "SV2", "SV3"]
    assert found["shut"][0]["asset_serial"] == "sluice 1"
    assert found["shut"][0]["position"] == pytest.approx([77.1005, 28.6001])
    assert (found["complete"], found["stuck"], found["already_shut"]) == (True, [], [])
    cut = found["cut_off"]
    assert cut["nodes"] == ["J2", "J4", "J5", "J6"]
    assert cut["beyond"] == ["J4", "J5", "J6"]
    assert cut["demand_m3_h"] == 17
    assert (cut["connections"], cut["connections_estimated"]) == (170, True)
    assert cut["dmas"] == [
        {"dma_id": "D1", "name": "North", "nodes": 1, "of_nodes": 3, "demand_m3_h": 2.0,
         "connections": 20},
        {"dma_id": "D2", "name": "South", "nodes": 3, "of_nodes": 3, "demand_m3_h": 15.0,
         "connections": 150},
    ]  # fmt: skip
    assert cut["assets"] == [PANEL, ODD]
    assert (found["on_tanks"], found["openable"]) == (["J3"], ["P7"])
    [instead] = [each for each in found["alternatives"] if each["valve"] == "SV3"]
    assert instead == {"valve": "SV3", "instead": ["PRV1"], "more_nodes": 0, "more_demand_m3_h": 0}


async def test_trace_goes_past_what_is_known_to_be_stuck(plant: Site) -> None:
    async with plant.database.connection() as connection:
        await connection.execute("UPDATE ic3_network_valve SET stuck = true WHERE valve_id = 'SV3'")
    found = await trace(plant, "pipe=P2")
    assert [each["valve"] for each in found["stuck"]] == ["SV3"]
    assert [each["valve"] for each in found["shut"]] == ["PRV1", "SV1", "SV2"]
    assert found["shut"][0]["is_link"] is True


async def test_counted_connections_go_before_estimates(plant: Site) -> None:
    async with plant.database.connection() as connection:
        await connection.execute("UPDATE ic3_network_node SET connections = 7")
    cut = (await trace(plant, "pipe=P2"))["cut_off"]
    assert (cut["connections"], cut["connections_estimated"]) == (28, False)


async def test_a_point_finds_the_nearest_pipe(plant: Site) -> None:
    assert (await trace(plant, "point=77.115,28.6001"))["pipe"] == "P3"
    assert (await plant.get("/api/gis/trace?point=77.5,28.6")).status == 404
    for query in ("", "?pipe=P2&point=77.1,28.6", "?point=77.1", "?point=a,b", "?point=28.6,177.1"):
        assert (await plant.get(f"/api/gis/trace{query}")).status == 422


async def test_an_inp_file_goes_in_and_comes_out_as_it_was(plant: Site) -> None:
    changed = networks.INP.replace("P3 J2 J3 100 200 130", "P3 J2 J3 120 200 130")
    body = changed.replace("J1 10 1\n", "J1 10 1\nJ7 9 0\n").encode()
    tried = await hand_in(plant, "format=inp&dry_run=true&name=plan.inp", body)
    assert tried.status == 200, tried.body
    told = tried.json()
    assert (told["dry_run"], told["nodes"]["added_names"], told["links"]["changed_names"]) == (
        True, ["J7"], ["P3"],
    )  # fmt: skip
    assert (await layer(plant, "pipes"))["features"][2]["properties"]["length_m"] == 100
    done = await hand_in(plant, "format=inp&name=plan.inp", body)
    assert done.json() == {**told, "dry_run": False}
    assert (await layer(plant, "pipes"))["features"][2]["properties"]["length_m"] == 120
    assert (await trace(plant, "pipe=P2"))["shut"][0]["asset_serial"] == "sluice 1"
    written = await plant.get("/api/gis/network/export?format=inp")
    assert written.header("content-type") == "text/plain; charset=utf-8"
    assert b"PAT 1.0 0.5" in written.body
    again = (await hand_in(plant, "format=inp", written.body)).json()
    for kind in ("nodes", "links", "valves"):
        assert (again[kind]["added"], again[kind]["changed"], again[kind]["removed"]) == (0, 0, 0)
    acts = (await plant.ask("GET", "/api/audit", token=plant.token(Role.ADMIN))).json()
    act = (acts if isinstance(acts, list) else acts["acts"])[1]
    assert (act["what"], act["object"], act["who"]) == ("network imported", "plan.inp", "asha")
    assert act["after"]["nodes"] == {"added": 1, "changed": 0, "removed": 0}


async def test_geojson_goes_in_and_comes_out_as_it_was(plant: Site) -> None:
    written = (await plant.get("/api/gis/network/export")).body
    document = json.loads(written)
    valve = next(each for each in document["features"] if each["id"] == "SV2")
    valve["properties"]["stuck"] = True
    document["features"] = [each for each in document["features"] if each["id"] != "SV1"]
    done = await hand_in(plant, "format=geojson", json.dumps(document).encode())
    assert done.status == 200, done.body
    assert done.json()["valves"]["changed_names"] == ["SV2"]
    assert done.json()["valves"]["removed_names"] == ["SV1"]
    assert [each["valve"] for each in (await trace(plant, "pipe=P2"))["stuck"]] == ["SV2"]
    assert b"PAT 1.0 0.5" in (await plant.get("/api/gis/network/export?format=inp")).body


async def test_a_bad_file_changes_nothing_and_says_where(plant: Site) -> None:
    before = (await plant.get("/api/gis/network/export")).body
    body = networks.INP.replace("P3 J2 J3 100", "P3 J2 NOWHERE far").encode()
    answer = await hand_in(plant, "format=inp", body)
    assert answer.status == 422
    assert "P3 has 'far' where a number belongs" in answer.json()["detail"]
    assert (await plant.get("/api/gis/network/export")).body == before


async def test_s24_hostile_files_are_refused_not_met_with_an_error_of_ours(plant: Site) -> None:
    for body in (
        b"", b"\0" * 100, b"\xff" * 100, b"[JUNCTIONS]\n\0 1\n", b"{" * 10_000, b"[" * 10_000,
        b'{"type":"FeatureCollection","features":[' + b"[" * 5000,
        b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,'
        b'"properties":{"element":"node","node_id":"\\ud800"}}]}',
        b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,'
        b'"properties":{"element":"node","node_id":"A","elevation_m":1e999}}]}',
        "[JUNCTIONS]\n\u202e 1e999 nan\n[PIPES]\n\u202e a b 1 1 1\n".encode(),
    ):  # fmt: skip
        for form in ("inp", "geojson"):
            answer = await hand_in(plant, f"format={form}&dry_run=true", body)
            assert answer.status in {400, 422}, (form, body[:60], answer.body)
    for query in ("", "format=shp", "format=inp&dry_run=maybe", "format=inp&name=%00"):
        assert (await hand_in(plant, query, networks.INP.encode())).status in {400, 422}


async def test_s25_a_file_may_be_larger_than_other_bodies_and_no_larger_than_25_mib(
    plant: Site,
) -> None:
    padded = networks.INP.encode() + b"\n; ".ljust(2 << 20, b"x")
    assert (await hand_in(plant, "format=inp&dry_run=true", padded)).status == 200
    headers = [("Content-Length", str((25 << 20) + 1))]
    token = plant.token(Role.ENGINEER)
    target = "/api/gis/network/import?format=inp"
    answer = await plant.ask("POST", target, token=token, headers=headers)
    assert answer.status == 413


async def test_s25_a_compressed_body_is_refused(plant: Site) -> None:
    token = plant.token(Role.ENGINEER)
    answer = await plant.ask(
        "POST", "/api/gis/network/import?format=inp", token=token,
        headers=[("Content-Encoding", "gzip")], body=gzip.compress(networks.INP.encode()),
    )  # fmt: skip
    assert answer.status == 415


async def test_only_an_engineer_of_all_domains_imports(plant: Site) -> None:
    body = networks.INP.encode()
    assert (await hand_in(plant, "format=inp", body, Role.OPERATOR)).status == 403
    plant.scopes["asha"] = frozenset({"DEL-D01", "DEL-D02"})
    assert (await hand_in(plant, "format=inp", body)).status == 403


async def test_s20_a_user_of_one_domain_sees_one_domain(plant: Site) -> None:
    plant.scopes["asha"] = frozenset({"DEL-D02"})
    shown = {name: await layer(plant, name) for name in LAYERS}
    assert {name: ids(each) for name, each in shown.items()} == {
        "assets": [ODD], "pipes": ["P6", "PRV1"], "dmas": ["D2"], "alarms": ["2"],
    }  # fmt: skip
    assert shown["assets"]["not_on_map"]["items"] == [
        {"id": SWAPPED, "reason": "outside the service area"}
    ]
    assert shown["alarms"]["not_on_map"] == {"count": 0, "items": []}
    assert "DEL-D01" not in json.dumps(shown)
    exported = json.loads((await plant.get("/api/gis/network/export")).body)
    assert {each["id"] for each in exported["features"]} == {"J4", "J5", "J6", "PRV1", "P6"}
    assert (await plant.get("/api/gis/network/export?format=inp")).status == 403


async def test_s20_a_scope_is_not_served_from_what_was_made_for_another(plant: Site) -> None:
    whole = ids(await layer(plant, "assets"))
    plant.scopes["asha"] = frozenset({"DEL-D02"})
    assert ids(await layer(plant, "assets")) == [ODD] != whole
    plant.scopes["asha"] = frozenset({"DEL-D01"})
    assert ids(await layer(plant, "assets")) == [PANEL]
    plant.scopes["asha"] = frozenset()
    assert ids(await layer(plant, "assets")) == []


async def test_s20_trace_keeps_to_the_scope_and_says_that_it_is_not_all(plant: Site) -> None:
    plant.scopes["asha"] = frozenset({"DEL-D02"})
    found = await trace(plant, "pipe=P6")
    assert found["complete"] is False  # P7, between the areas, is nobody's
    assert [each["valve"] for each in found["shut"]] == ["PRV1"]
    assert found["cut_off"]["nodes"] == ["J5", "J6"]
    assert found["cut_off"]["assets"] == [ODD]
    foreign = await plant.get("/api/gis/trace?pipe=P2")
    unknown = await plant.get("/api/gis/trace?pipe=P999")
    assert foreign.status == unknown.status == 404
    assert {**foreign.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert (await plant.get("/api/gis/trace?point=77.105,28.601")).status == 404


async def test_s20_an_asset_of_another_domain_is_not_named(plant: Site) -> None:
    async with plant.database.connection() as connection:
        await connection.execute(
            "UPDATE ic3_network_link SET asset_serial = 'J2 panel' WHERE link_id = 'P6'"
        )
        await connection.execute(
            "INSERT INTO ic3_network_valve VALUES ('SV6', 'P6', 'J6', 'J2 panel')"
        )
    plant.scopes["asha"] = frozenset({"DEL-D02"})
    for path in (
        "/api/gis/pipes", "/api/gis/trace?pipe=P6", "/api/gis/network/export",
        "/api/ogc/collections/valves/items",
    ):  # fmt: skip
        answer = await plant.get(path)
        assert answer.status == 200
        assert b"P6" in answer.body
        assert PANEL.encode() not in answer.body


async def test_s24_hostile_words_are_never_an_error_of_ours(plant: Site) -> None:
    for word in HOSTILE:
        for path in (
            *(f"/api/gis/{name}?bbox={word}" for name in LAYERS), f"/api/gis/assets?{word}={word}",
            f"/api/gis/trace?pipe={word}", f"/api/gis/trace?point={word}",
            f"/api/gis/network/export?format={word}", f"/api/gis/{quote(word)}",
            "/api/gis/assets?bbox=1,2,3,4&bbox=" + word,
        ):  # fmt: skip
            answer = await plant.get(path)
            assert answer.status < 500, path
            assert answer.header("set-cookie") is None


async def test_with_the_database_away_the_map_is_as_it_was_last_known(plant: Site) -> None:
    before = await layer(plant, "pipes")
    await plant.database.close()
    assert (await layer(plant, "pipes")) == before


async def test_with_no_network_ever_read_the_database_is_said_to_be_away(site: Site) -> None:
    assert (await site.get("/api/gis/pipes")).status == 503


async def test_s20_the_network_that_is_kept_is_not_that_of_who_asked_first(plant: Site) -> None:
    plant.scopes["asha"] = frozenset({"DEL-D99"})
    async with plant.database.connection() as connection:
        await connection.execute("UPDATE ic3_network SET version = version + 1")
    assert (await plant.get("/api/gis/dmas")).json()["features"] == []
    plant.scopes.pop("asha")
    assert (await plant.get("/api/gis/dmas")).json()["features"] != []
