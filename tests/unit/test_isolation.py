"""Which valves shut a pipe off, by hand and against another way to reckon it."""

import random
from collections.abc import Iterable

import msgspec
import pytest
from networks import small

from ic3.domain.isolation import Isolation, ValveGraph
from ic3.domain.network import Link, LinkStatus, Network, Node, NodeKind, Valve


def isolate(link: str, network: Network | None = None) -> Isolation:
    return ValveGraph(network or small()).isolate(link)


def with_stuck(*names: str) -> Network:
    network = small()
    for name in names:
        network.valves[name] = msgspec.structs.replace(network.valves[name], stuck=True)
    return network


def test_a_pipe_between_three_valves() -> None:
    found = isolate("P2")
    assert found.segment.shut == ("SV1", "SV2", "SV3")
    assert found.segment.nodes == {"J2"}
    assert found.segment.links == {"P2"}
    assert found.beyond == {"J4", "J5", "J6"}
    assert found.cut_off == {"J2", "J4", "J5", "J6"}


def test_who_lives_on_a_tank_is_said() -> None:
    assert isolate("P2").by_tank_only == {"J3"}


def test_a_closed_pipe_that_would_bring_water_is_named() -> None:
    assert isolate("P2").openable == ("P7",)
    assert isolate("P4").openable == ()


def test_a_stuck_valve_is_passed_and_the_next_ones_are_shut() -> None:
    found = isolate("P2", with_stuck("SV3"))
    assert found.segment.passed == ("SV3",)
    assert found.segment.shut == ("PRV1", "SV1", "SV2")
    assert found.segment.links == {"P2", "P5"}


def test_stuck_beyond_all_valves_empties_to_the_works() -> None:
    found = isolate("P2", with_stuck("SV1"))
    assert found.segment.passed == ("SV1",)
    assert {"R1", "J1", "J2"} <= found.segment.nodes


def test_alternatives_say_what_each_valve_that_does_not_shut_costs() -> None:
    [one] = [each for each in isolate("P2").alternatives if each.valve == "SV3"]
    assert one.instead == ("PRV1",)
    assert one.nodes == frozenset()
    [other] = [each for each in isolate("P2").alternatives if each.valve == "SV1"]
    assert other.instead == ()
    assert other.nodes == {"R1", "J1"}


def test_a_closed_pipe_is_shut_where_it_ends() -> None:
    found = isolate("P6")
    # From J6 into P7, whose shut end is there.
    assert found.segment.shut == ("P7", "PRV1")
    assert found.segment.links == {"P6", "PRV1"}


def test_a_valve_that_is_stuck_shut_still_shuts() -> None:
    network = small()
    network.links["P7"] = msgspec.structs.replace(network.links["P7"], stuck=True)
    network.valves["SV4"] = Valve(valve_id="SV4", link_id="P7", node_id="J6", stuck=True)
    found = isolate("P6", network)
    assert found.segment.shut == ("PRV1", "SV4")
    assert found.segment.passed == ()


def test_a_broken_valve_of_the_model_is_not_shut_by_itself() -> None:
    found = isolate("PRV1")
    assert found.segment.shut == ("P7", "SV3")
    assert found.segment.passed == ()
    assert found.segment.links == {"PRV1", "P5", "P6"}


def test_water_does_not_come_back_through_a_reducing_valve() -> None:
    network = small()
    network.links["P7"] = msgspec.structs.replace(network.links["P7"], status=LinkStatus.OPEN)
    # J5 and J6 are fed by P7 now; J4, behind PRV1 as water flows, is not.
    assert isolate("P5", network).beyond == {"J4"} - isolate("P5", network).segment.nodes
    assert "J5" not in isolate("P5", network).cut_off


def test_two_valves_on_one_pipe_leave_the_pipe_alone() -> None:
    network = small()
    network.valves["SV5"] = Valve(valve_id="SV5", link_id="P2", node_id="J2")
    found = isolate("P2", network)
    assert found.segment.nodes == frozenset()
    assert found.segment.shut == ("SV1", "SV5")


def test_what_had_no_water_before_is_not_cut_off() -> None:
    network = small()
    network.nodes["J9"] = Node(node_id="J9")
    network.nodes["J8"] = Node(node_id="J8")
    network.links["P9"] = Link(link_id="P9", from_node="J8", to_node="J9")
    assert not {"J8", "J9"} & isolate("P2", network).beyond


def test_a_name_that_link_and_sluice_valve_share_is_two_valves() -> None:
    network = small()
    network.valves["PRV1"] = Valve(valve_id="PRV1", link_id="P6", node_id="J5")
    assert set(ValveGraph(network).valves) >= {"PRV1", "PRV1 (link)"}


def drawn(seed: int) -> Network:
    """A random network of streets with random valves, stuck ones among them."""
    chance = random.Random(seed)
    network = Network()
    for number in range(chance.randint(2, 40)):
        kind = NodeKind.RESERVOIR if number == 0 else NodeKind.JUNCTION
        network.nodes[f"N{number}"] = Node(node_id=f"N{number}", kind=kind)
    names = list(network.nodes)
    for number in range(chance.randint(1, 70)):
        start, end = chance.sample(names, 2)
        name = f"L{number}"
        network.links[name] = Link(link_id=name, from_node=start, to_node=end)
        for node in (start, end):
            if chance.random() < 0.4:
                valve = Valve(
                    valve_id=f"{name} {node}", link_id=name, node_id=node,
                    stuck=chance.random() < 0.2,
                )  # fmt: skip
                network.valves[valve.valve_id] = valve
    return network


def parts_of(network: Network) -> dict[tuple[str, str], int]:
    """Every node and link to its segment, by merging what no good valve parts: no walk at all."""
    things = [("n", name) for name in network.nodes] + [("l", name) for name in network.links]
    part = {thing: number for number, thing in enumerate(things)}
    shut = {(v.link_id, v.node_id) for v in network.valves.values() if not v.stuck}
    joints: Iterable[tuple[str, str]] = [
        (link.link_id, node)
        for link in network.links.values()
        for node in (link.from_node, link.to_node)
        if (link.link_id, node) not in shut
    ]
    changed = True
    while changed:
        changed = False
        for link, node in joints:
            low = min(part["l", link], part["n", node])
            if (part["l", link], part["n", node]) != (low, low):
                part["l", link] = part["n", node] = low
                changed = True
    return part


@pytest.mark.parametrize("seed", range(60))
def test_segments_are_those_of_a_reckoning_without_any_walk(seed: int) -> None:
    network = drawn(seed)
    graph, part = ValveGraph(network), parts_of(network)
    for link in network.links:
        segment = graph.isolate(link).segment
        own = part["l", link]
        within = {thing for thing, its in part.items() if its == own}
        assert segment.links == {name for kind, name in within if kind == "l"}
        assert segment.nodes == {name for kind, name in within if kind == "n"}
        between = {
            valve.valve_id for valve in network.valves.values()
            if not valve.stuck
            and (part["l", valve.link_id] == own) != (part["n", valve.node_id] == own)
        }  # fmt: skip
        assert set(segment.shut) == between


@pytest.mark.parametrize("seed", range(25))
def test_who_is_cut_off_is_who_has_no_way_to_a_source(seed: int) -> None:
    network = drawn(seed)
    graph = ValveGraph(network)

    def fed(gone: frozenset[str], dead: frozenset[str]) -> set[str]:
        reached = {"N0"} - gone
        for _ in network.nodes:
            for link in network.links.values():
                ends = {link.from_node, link.to_node}
                if link.link_id not in dead and ends & reached:
                    reached |= ends - gone
        return reached

    for link in network.links:
        found = graph.isolate(link)
        before = fed(frozenset(), frozenset())
        after = fed(found.segment.nodes, found.segment.links)
        assert found.beyond == before - after - found.segment.nodes
