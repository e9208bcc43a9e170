"""A leak in a small network is placed by its pressures; where it cannot be, the answer says why."""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pytest

from ic3.analytics.district_model import Pipe, leak_signatures
from ic3.analytics.dma import DMA, InflowMeter, PressurePoint
from ic3.analytics.inflow import Readings
from ic3.analytics.leak_area import leak_area
from ic3.domain.network import Link, LinkKind, Network, Node
from ic3.errors import InputError

DAY: Final = 288
SINCE_S: Final = 10 * 86_400.0
UNTIL_S: Final = SINCE_S + 6 * 3600
SIDE: Final = 6
# Corners of the grid, away from where water comes in.
READ: Final = ("J5", "J30", "J35", "J14")


def link(name: str, start: int, end: int) -> Link:
    return Link(
        link_id=name, from_node=f"J{start}", to_node=f"J{end}", length_m=100.0, diameter_mm=100.0,
        roughness=110.0, dma_id="D1",
    )  # fmt: skip


def network() -> Network:
    """Six by six streets of 100 m, fed at one corner through a valve."""
    nodes = {
        f"J{at}": Node(
            node_id=f"J{at}", longitude=77.0 + 0.001 * (at % SIDE),
            latitude=28.6 + 0.001 * (at // SIDE),
            demand_m3_h=1.0, dma_id="D1",
        )
        for at in range(SIDE * SIDE)
    }  # fmt: skip
    nodes["MAIN"] = Node(node_id="MAIN", longitude=76.999, latitude=28.6)
    links = {"IN": Link(link_id="IN", kind=LinkKind.VALVE, from_node="MAIN", to_node="J0")}
    links |= {f"A{at}": link(f"A{at}", at, at + 1) for at in range(36) if at % SIDE < SIDE - 1}
    links |= {f"B{at}": link(f"B{at}", at, at + SIDE) for at in range(30)}
    return Network(nodes=nodes, links=links)


def dma(points: int = 4) -> DMA:
    return DMA(
        dma_id="D1", name="Area", valid_from=datetime(2020, 1, 1, tzinfo=UTC),
        meters=(InflowMeter(serial="BFM", tag="FLOW"),),
        pressure_points=tuple(
            PressurePoint(serial=f"PT{at}", tag="P", node=READ[at]) for at in range(points)
        ),
    )  # fmt: skip


def pipes() -> list[Pipe]:
    return [
        Pipe(each.from_node, each.to_node, 100.0, 100.0, 110.0)
        for each in network().links.values() if each.kind is LinkKind.PIPE
    ]  # fmt: skip


def readings(place: str, m3_h: float = 10.0) -> Readings:
    """Eleven days with a wave over the day; a leak at a node lowers the end of them."""
    at_s = 300 * np.arange(11 * DAY, dtype=np.int64)
    demand = dict.fromkeys(network().nodes, 0.4)
    library = leak_signatures(pipes(), demand, {"J0"}, READ)
    change = m3_h * library.change_m[library.nodes.index(place)]
    noise = np.random.default_rng(1).normal(0, 0.02, (4, len(at_s)))
    wave = 30 + np.sin(2 * np.pi * at_s / 86_400) + noise
    return Readings(
        at_s,
        {f"PT{at}:P": wave[at] + np.where(at_s >= SINCE_S, change[at], 0.0) for at in range(4)},
    )


def area(definition: DMA, given: Readings, **changed: Any) -> Any:
    asked = {"network": network(), "positions": {}, **changed}
    return leak_area(
        asked["network"], definition, given, asked["positions"], since_s=SINCE_S, until_s=UNTIL_S
    )


def test_a_leak_is_told_with_the_nodes_around_it_the_best_first() -> None:
    found = area(dma(), readings("J28"))
    assert found.reason == ""
    assert found.points == ["PT0:P", "PT1:P", "PT2:P", "PT3:P"]
    assert found.places[0].from_best_m == 0
    assert "J28" in [each.node for each in found.places[:3]]
    assert found.places[0].longitude is not None


def test_two_points_name_no_place_and_the_answer_says_how_many_are_needed() -> None:
    found = area(dma(points=2), readings("J28"))
    assert found.places == []
    assert found.reason.startswith("2 pressure points")
    assert found.reason.endswith("3 are needed")


def test_a_district_without_pipes_is_told_so() -> None:
    assert "no pipes of this district" in area(dma(), readings("J28"), network=Network()).reason


def test_a_point_without_a_node_stands_for_the_nearest_one() -> None:
    definition = dma()
    away = PressurePoint(serial="PT0", tag="P")
    definition = DMA(**{
        name: getattr(definition, name) for name in DMA.__struct_fields__
        if name != "pressure_points"
    }, pressure_points=(away, *definition.pressure_points[1:]))  # fmt: skip
    near = area(definition, readings("J28"), positions={"PT0": (77.0051, 28.6001)})
    assert near.points[0] == "PT0:P"
    far = area(definition, readings("J28"), positions={"PT0": (77.5, 28.6)})
    assert far.points == ["PT1:P", "PT2:P", "PT3:P"]


def test_pressures_that_did_not_fall_name_no_place() -> None:
    assert "not fallen" in area(dma(), readings("J28", m3_h=-10.0)).reason


def test_slopes_of_a_single_pipe_are_those_by_hand() -> None:
    pipe = Pipe("A", "B", 1000.0, 150.0, 100.0)
    library = leak_signatures([pipe], {"B": 36.0}, {"A"}, ["B"])
    by_hand = -1.852 * pipe.resistance * 0.01**0.852 / 3600
    assert library.change_m[0, 0] == pytest.approx(by_hand, rel=1e-6)
    assert pipe.resistance == pytest.approx(10.667 * 1000 / (100**1.852 * 0.15**4.871))


def test_a_node_that_nothing_feeds_is_refused() -> None:
    loose = [Pipe("A", "B", 10.0, 100.0, 100.0), Pipe("C", "D", 10.0, 100.0, 100.0)]
    with pytest.raises(InputError, match="cut off"):
        leak_signatures(loose, {}, {"A"}, ["B"])
