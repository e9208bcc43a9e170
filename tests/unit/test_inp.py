"""EPANET files read and written."""

import msgspec
import pytest
from networks import AREAS, INP, VALVES, small

from ic3.domain.inp import read_inp, write_inp
from ic3.domain.network import (
    LinkStatus,
    Network,
    NodeKind,
    completed,
    difference,
    warnings_of,
)
from ic3.domain.network_geojson import read_geojson, write_geojson
from ic3.errors import InputError


def again(text: str) -> Network:
    return read_inp(write_inp(read_inp(text.encode())).encode())


def test_what_the_tables_hold_is_read() -> None:
    network = small()
    assert len(network.nodes) == 8
    tank = network.nodes["T1"]
    assert (tank.kind, tank.elevation_m, tank.position) == (NodeKind.TANK, 40, (77.13, 28.6))
    assert network.nodes["J6"].details == {"pattern": "PAT"}
    pipe = network.links["P2"]
    assert (pipe.length_m, pipe.diameter_mm, pipe.roughness) == (100, 200, 130)
    assert pipe.vertices == ((77.105, 28.601),)
    assert network.links["P7"].status is LinkStatus.CLOSED
    assert network.links["PRV1"].valve_type == "PRV"
    assert network.line_of(pipe) == ((77.1, 28.6), (77.105, 28.601), (77.11, 28.6))


def test_what_no_table_holds_is_kept_line_by_line() -> None:
    sections = small().source.sections
    assert sections["TITLE"] == ["Small ; kept as it is"]
    assert sections["TIMES"] == ["DURATION 4:00"]
    assert "VERTICES" not in sections


def test_written_and_read_again_it_is_the_same() -> None:
    first = read_inp(INP.encode())
    second = again(INP)
    assert (second.nodes, second.links, second.source) == (first.nodes, first.links, first.source)


def test_feet_inches_and_gallons_become_metres_and_come_back() -> None:
    text = (
        "[JUNCTIONS]\nA 100 500\nB 90\n[RESERVOIRS]\nC 200\n[PIPES]\n1 A B 1000 12 100\n"
        "2 C A 1 8 100\n[OPTIONS]\nUnits GPM\n"
    )
    network = read_inp(text.encode())
    assert network.nodes["A"].elevation_m == pytest.approx(30.48)
    assert network.nodes["A"].demand_m3_h == pytest.approx(113.562, abs=0.001)
    assert network.links["1"].length_m == pytest.approx(304.8)
    assert network.links["1"].diameter_mm == pytest.approx(304.8)
    written = write_inp(network)
    assert "A 100 500" in written
    assert "1 A B 1000 12 100" in written


def test_gallons_are_the_units_where_a_file_names_none() -> None:
    assert read_inp(b"[JUNCTIONS]\nA 0\n").source.units == "GPM"


def test_demands_by_category_are_added_up_and_kept() -> None:
    text = INP + "[DEMANDS]\nJ1 7\nJ1 3 PAT\n"
    network = read_inp(text.replace("[END]", "").encode())
    assert network.nodes["J1"].demand_m3_h == 10
    written = write_inp(network)
    assert "J1 7\n" in written
    assert "J1 3 PAT\n" in written
    assert read_inp(written.encode()).nodes == network.nodes


def test_states_of_valves_and_pumps_come_and_go() -> None:
    text = INP.replace("[END]", "[STATUS]\nPRV1 CLOSED\n")
    assert read_inp(text.encode()).links["PRV1"].status is LinkStatus.CLOSED
    assert again(text).links["PRV1"].status is LinkStatus.CLOSED
    fixed = again(INP.replace("[END]", "[STATUS]\nPRV1 OPEN\n"))
    assert "PRV1 OPEN" in write_inp(fixed)
    kept = again(INP.replace("[END]", "[STATUS]\nPRV1 12.5\n"))
    assert kept.source.sections["STATUS"] == ["PRV1 12.5"]


def test_a_plan_in_metres_is_not_taken_for_degrees() -> None:
    text = INP.replace("J1 77.10 28.60", "J1 713000 3160000")
    network = read_inp(text.encode())
    assert {each.position for each in network.nodes.values()} == {None}
    assert any("no longitude and latitude" in each for each in warnings_of(network))
    assert "J1 713000 3160000" in write_inp(network)
    assert again(text).nodes == network.nodes
    assert again(text).source.sections["VERTICES"] == ["P2 77.105 28.601"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("P1 R1 J1 100", "P1 R1 J1 wide", "[PIPES] P1 has 'wide' where a number belongs"),
        ("P1 R1 J1", "P1 R1 NOWHERE", "its node NOWHERE is not there"),
        ("P1 R1 J1 100 300 130 0", "P1 R1", "has 2 of at least 6 fields"),
        ("J2 10 2", "J1 10 2", "[JUNCTIONS] J1 stands there twice"),
        ("J2 10 2", "J2 nan 2", "a figure is not finite"),
        ("UNITS CMH", "UNITS BARRELS", "UNITS BARRELS is not known"),
        ("P1 R1 J1", "P1 R1 R1", "begins and ends at R1"),
        ("P1 R1 J1 100", "P1 R1 J1 -5", "above zero"),
    ],
)
def test_a_bad_line_is_named(before: str, after: str, words: str) -> None:
    with pytest.raises(InputError, match="nothing was written") as caught:
        read_inp(INP.replace(before, after).encode())
    assert words in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe", b"hello", b"[", b"{}", b"[JUNCTIONS" * 99])
def test_no_bytes_are_a_crash(content: bytes) -> None:
    with pytest.raises(InputError):
        read_inp(content)
    with pytest.raises(InputError):
        read_geojson(content)


def test_a_name_that_epanet_does_not_take_is_named() -> None:
    network = small()
    network.nodes["Karol Bagh"] = msgspec.structs.replace(network.nodes["J1"], node_id="Karol Bagh")
    with pytest.raises(InputError, match="'Karol Bagh'"):
        write_inp(network)


def test_an_epanet_file_leaves_alone_what_it_does_not_know() -> None:
    old = completed(small(), Network(areas=AREAS))
    old.nodes["J2"] = msgspec.structs.replace(old.nodes["J2"], connections=40)
    old.links["PRV1"] = msgspec.structs.replace(old.links["PRV1"], stuck=True, asset_serial="prv")
    new = completed(read_inp(INP.replace("P3 J2 J3 100 200 130\n", "").encode()), old)
    assert new.nodes == old.nodes
    assert new.links["PRV1"] == old.links["PRV1"]
    assert set(new.valves) == {"SV1", "SV3"}
    assert difference(old.links, new.links).removed_names == ["P3"]


def test_areas_are_told_by_their_boundaries() -> None:
    found = completed(small(), Network(areas=AREAS))
    areas = {name: node.dma_id for name, node in found.nodes.items()}
    assert areas == {
        "J1": "D1", "J2": "D1", "J3": "D1", "J4": "D2", "J5": "D2", "J6": "D2", "R1": None,
        "T1": None,
    }  # fmt: skip
    assert (found.links["P2"].dma_id, found.links["P5"].dma_id) == ("D1", None)
    assert found.domain_of("D2") == "DEL-D02"
    assert found.domain_of(None) is None


def test_a_main_that_is_of_no_area_stays_so() -> None:
    old = completed(small(), Network(areas=AREAS))
    old.nodes["J2"] = msgspec.structs.replace(old.nodes["J2"], dma_id=None)
    old.links["P2"] = msgspec.structs.replace(old.links["P2"], dma_id=None)
    new = completed(read_inp(INP.encode()), old)
    assert (new.nodes, new.links) == (old.nodes, old.links)


def test_where_nothing_had_an_area_all_are_told() -> None:
    old = completed(small(), Network())
    old.areas = dict(AREAS)
    new = completed(read_inp(INP.encode()), old)
    assert (new.nodes["J1"].dma_id, new.links["P2"].dma_id) == ("D1", "D1")


def test_geojson_brings_everything_back() -> None:
    network = completed(small(), Network(areas=AREAS))
    network.valves = dict(VALVES)
    found = read_geojson(write_geojson(network))
    assert (found.nodes, found.links, found.valves) == (
        network.nodes, network.links, network.valves,
    )  # fmt: skip
    assert found.source.sections == network.source.sections


def test_geojson_of_some_areas_has_no_half_pipe_and_no_lines_of_the_whole() -> None:
    network = completed(small(), Network(areas=AREAS))
    document = msgspec.json.decode(write_geojson(network, [AREAS["D2"]]))
    names = {each["id"] for each in document["features"]}
    assert names == {"J4", "J5", "J6", "PRV1", "P6"}
    assert "epanet" not in document


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ({"element": "node", "node_id": "A", "colour": "red"}, "unknown field `colour`"),
        ({"element": "node", "node_id": "A", "connections": 10**12}, "connections"),
        ({"element": "node", "node_id": ""}, "a name has"),
        ({"element": "well", "node_id": "A"}, "node, link or valve"),
        ({"element": "link", "link_id": "L", "from_node": "A", "to_node": "B"}, "not there"),
        ({"element": "valve", "valve_id": "V", "link_id": "L", "node_id": "A"}, "not there"),
        (
            {"element": "node", "node_id": "A", "details": {"pattern": "1\n[OPTIONS]"}},
            "junction A: a detail holds a line break",
        ),
        ({"element": "node"}, "missing required field `node_id`"),
    ],
)
def test_a_bad_feature_is_named(feature: dict[str, object], words: str) -> None:
    document = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": None, "properties": feature}],
    }
    with pytest.raises(InputError) as caught:
        read_geojson(msgspec.json.encode(document))
    assert words in str(caught.value)


def test_another_reference_system_and_a_nul_are_refused() -> None:
    with pytest.raises(InputError, match="not WGS 84"):
        read_geojson(
            b'{"type":"FeatureCollection","features":[],"crs":{"properties":{"name":"EPSG:32643"}}}'
        )
    with pytest.raises(InputError, match="NUL"):
        read_geojson(b'{"type":"FeatureCollection","features":[],"name":"a\\u0000"}')
    crs = b'"crs":{"properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}}'
    assert read_geojson(b'{"type":"FeatureCollection","features":[],' + crs + b"}").nodes == {}
