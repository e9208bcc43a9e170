"""A network small enough to be traced by hand.

```
R1 -P1- J1 -[SV1]P2- J2 -[SV2]P3- J3 -P4- T1
                      |            :
                   [SV3]P5        P7 closed
                      |            :
                     J4 -PRV1- J5 -P6- J6
```
"""

from ic3.domain.geo import polygons_of
from ic3.domain.inp import read_inp
from ic3.domain.network import Area, Network, Valve

INP = """
[TITLE]
Small ; kept as it is
[JUNCTIONS]
J1 10 1
J2 10 2
J3 10 3
J4 10 4
J5 10 5
J6 10 6 PAT
[RESERVOIRS]
R1 60
[TANKS]
T1 40 2 0 4 10 0
[PIPES]
P1 R1 J1 100 300 130 0
P2 J1 J2 100 200 130 0 OPEN
P3 J2 J3 100 200 130
P4 J3 T1 100 200 130 0
P5 J2 J4 100 150 130 0
P6 J5 J6 100 150 130 0
P7 J3 J6 100 150 130 0 CLOSED
[VALVES]
PRV1 J4 J5 150 PRV 20 0
[PATTERNS]
PAT 1.0 0.5
[OPTIONS]
UNITS CMH
HEADLOSS H-W
[TIMES]
DURATION 4:00
[COORDINATES]
J1 77.10 28.60
J2 77.11 28.60
J3 77.12 28.60
J4 77.11 28.59
J5 77.111 28.59
J6 77.12 28.59
R1 77.09 28.60
T1 77.13 28.60
[VERTICES]
P2 77.105 28.601
[END]
"""
NORTH = {
    "type": "Polygon",
    "coordinates": [[[77.095, 28.595], [77.125, 28.595], [77.125, 28.605], [77.095, 28.605],
                     [77.095, 28.595]]],
}  # fmt: skip
# Clockwise and not closed, as drawings come.
SOUTH = {
    "type": "Polygon",
    "coordinates": [[[77.095, 28.585], [77.095, 28.595], [77.125, 28.595], [77.125, 28.585]]],
}
VALVES = {
    each.valve_id: each
    for each in (
        Valve(valve_id="SV1", link_id="P2", node_id="J1", asset_serial="sluice 1"),
        Valve(valve_id="SV2", link_id="P3", node_id="J2"),
        Valve(valve_id="SV3", link_id="P5", node_id="J2"),
    )
}
AREAS = {
    "D1": Area("D1", "North", "DEL-D01", polygons_of(NORTH), connections=60),
    "D2": Area("D2", "South", "DEL-D02", polygons_of(SOUTH), connections=150),
}


def small() -> Network:
    """The network of the drawing, with valves; its areas are not told yet."""
    network = read_inp(INP.encode())
    network.valves = dict(VALVES)
    network.areas = dict(AREAS)
    return network
