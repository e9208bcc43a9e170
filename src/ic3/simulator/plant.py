"""The plant: physics, machines, instruments and faults, moved on from moment to moment."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ic3.simulator import noise
from ic3.simulator.assets import (
    Asset,
    Row,
    dma_rows,
    equip,
    link_rows,
    node_rows,
    panel_loads,
    parameter_rows,
    places,
    register_rows,
    tagmap_rows,
    valve_rows,
)
from ic3.simulator.controls import Controls
from ic3.simulator.demand import DAY_S, Consumption
from ic3.simulator.faults import Event, Faults
from ic3.simulator.hydraulics import Hydraulics
from ic3.simulator.inp import inp
from ic3.simulator.instruments import Instruments
from ic3.simulator.machines import Machines, ambient_c
from ic3.simulator.network import DMA, Pipe, generate
from ic3.simulator.noise import Floats
from ic3.simulator.quality import Quality

COARSE_S: Final = 300
# Next to nothing of the start is left: levels differ by up to 5 cm from those of a run of a week.
WARM_UP_S: Final = ((44 * 3600, 600), (6 * 3600, COARSE_S))
SHUT_PRV_M: Final = 0.5
LEAK_HEAD_M: Final = 25.0
ORIFICE: Final = 0.6 * math.sqrt(2 * 9.81)
FULL_ABOVE_BAR: Final = 0.12
METER_ROLLOVER_M3: Final = 10_000_000.0

State = dict[str, list[float]]


@dataclass(slots=True)
class Balance:
    """Volumes since the start, m3: what came in is what went out, leaked or is stored."""

    inflow: float = 0.0
    delivered: float = 0.0
    leaked: float = 0.0
    stored: float = 0.0

    @property
    def error(self) -> float:
        """What does not add up, as a share of the inflow."""
        return abs(self.inflow - self.delivered - self.leaked - self.stored) / max(self.inflow, 1.0)


class Plant:
    """A water utility that runs. Same seed, start and steps: the same plant, to the bit.

    Args:
        seed: Draws the network, the assets and all noise.
        replicate: Copies of the reporting assets, under suffixed names, for load tests.

    Attributes:
        assets: On the feed, in the order of the list; copies are not among them.
        serials: Of all assets on the feed, copies included.
        faults: What is planned and what goes on.
        balance: Volumes since `begin`.
    """

    def __init__(self, seed: int = 1, replicate: int = 1) -> None:
        self.seed = seed
        self.network = generate(seed)
        self.assets: list[Asset] = equip(self.network, seed=seed)
        self.faults = Faults(self.network, self.assets)
        self._suffixes = ["", *(f" copy {number}" for number in range(2, replicate + 1))]
        self.serials = [each.serial + suffix for suffix in self._suffixes for each in self.assets]
        self._water: Hydraulics | None = None
        self.at_s = 0
        self._silent: dict[int, str] = {}
        self._has_read = False

    # rows of the register

    def tables(self) -> dict[str, list[Row]]:
        """Rows of `register`, `parameters`, `tagmap` and `dmas`."""
        register = register_rows(self.network, self.assets)
        tagmap = tagmap_rows(self.assets)
        reporting = [row for row in register if row["asset_live_status"] == "Live"]
        copies = self._suffixes[1:]
        return {
            "register": register + _copied(reporting, copies),
            "parameters": parameter_rows(),
            "tagmap": tagmap + _copied(tagmap, copies),
            "dmas": dma_rows(self.network),
        }

    def network_tables(self) -> tuple[str, dict[str, list[Row]]]:
        """The pipe network: an EPANET file, and rows of `nodes`, `links` and `valves` beside it."""
        return inp(self.network), {
            "nodes": node_rows(self.network),
            "links": link_rows(self.network, self.assets),
            "valves": valve_rows(self.network, self.assets),
        }

    # life

    def begin(self, at_s: int, warm_up: Sequence[tuple[int, int]] = WARM_UP_S) -> None:
        """Start afresh.

        Args:
            at_s: The first moment.
            warm_up: Seconds before it and step from there on, so that next to nothing of the
                start is left.
        """
        self._build()
        self.at_s = at_s - (warm_up[0][0] if warm_up else 0)
        self._solve(0)
        ends = [at_s - before_s for before_s, _ in warm_up[1:]] + [at_s]
        for (_, step_s), end_s in zip(warm_up, ends, strict=False):
            self.run_to(end_s, step_s)
        self.balance = Balance()

    def set_totals(self, total_m3: Sequence[float]) -> None:
        """What the meters have counted so far."""
        self.total_m3 = np.array(total_m3, dtype=float)

    def run_to(self, at_s: int, step_s: int = COARSE_S) -> None:
        """Run in coarse steps, without readings."""
        while self.at_s < at_s:
            self.move(min(step_s, at_s - self.at_s))

    def move(self, step_s: int) -> None:
        """Let `step_s` pass: what was solved holds over the step, then all is solved anew."""
        water = self._engine
        if step_s > 0:
            water.pass_time(step_s)
            self._count(step_s)
            self.at_s += step_s
        self._solve(step_s)

    def read(self, *, at_ns: int, tick: int) -> None:
        """Let the instruments read; the envelopes are of this moment from here on."""
        active = self.faults.active(at_ns / 1e9)
        silent = self.instruments.silent(active) if self._has_read else set()
        self._silent = {
            at: self._silent.get(at) or self.instruments.envelope(at) for at in sorted(silent)
        }
        self.instruments.measure(self._signals(), at_ns=at_ns, tick=tick, faults=active)
        self._has_read = True

    def envelope(self, index: int) -> str:
        """The JSON text of the asset at this place of `serials`; a silent one's last."""
        copy, base = divmod(index, len(self.assets))
        kept = self._silent.get(index)
        return kept or self.instruments.envelope(base, self._suffixes[copy])

    def fresh(self) -> Iterator[tuple[str, str]]:
        """Serial number and text of each asset that has news, copies left out."""
        for at, asset in enumerate(self.assets):
            if at not in self._silent:
                yield asset.serial, self.instruments.envelope(at)

    def close(self) -> None:
        """Give the engine's memory back."""
        if self._water is not None:
            self._water.close()
            self._water = None

    # what is true

    def truth(self) -> dict[str, object]:
        """Events, true values and volumes: for tests and for scoring, never for the product."""
        water = self._engine
        leak = self.dma_leakage_m3_h()
        return {
            "at_s": self.at_s,
            "events": self.faults.events,
            "true": {
                name: float(self.instruments.true[at])
                for name, at in self.instruments.place.items()
            },
            "leakage_m3_h": {dma.dma_id: leak[dma.number] for dma in self.network.dmas},
            "inflow_m3_h": float(water.out_of_reservoirs_m3_h.sum()),
            "balance_m3": {
                "inflow": self.balance.inflow, "delivered": self.balance.delivered,
                "leaked": self.balance.leaked, "stored": self.balance.stored,
            },
        }  # fmt: skip

    def dma_leakage_m3_h(self) -> list[float]:
        """True leakage of each DMA now."""
        leaks = self._engine.leakage_m3_h
        return [float(leaks[at].sum()) for at in self._nodes_of_dma]

    def dma_delivered_m3_h(self) -> list[float]:
        """What the customers of each DMA get now."""
        delivered = self._engine.delivered_m3_h
        return [float(delivered[at].sum()) for at in self._nodes_of_dma]

    # state

    def state(self) -> State:
        """All that must be kept for the plant to go on without a jump."""
        parts = {
            "levels_m": self._engine.levels_m, "roof_m3": self.consumption.roof_m3,
            "total_m3": self.total_m3, **self.machines.state(), **self.quality.state(),
            "works_on": np.array(self.controls.works_on, dtype=float),
            "reserve_on": np.array(self.controls.reserve_on, dtype=float),
        }  # fmt: skip
        return {name: part.tolist() for name, part in parts.items()}

    def restore(self, state: Mapping[str, Sequence[float]], *, at_s: int) -> None:
        """Go on from what `state` gave at `at_s`."""
        self._build()
        parts = {name: np.array(part, dtype=float) for name, part in state.items()}
        self._engine.restore(parts["levels_m"])
        self._levels = parts["levels_m"]
        self.consumption.roof_m3 = parts["roof_m3"]
        self.total_m3 = parts["total_m3"]
        self.machines.restore(parts)
        self.quality.restore(parts)
        self.controls.works_on = [int(on) for on in parts["works_on"]]
        self.controls.reserve_on = [bool(on) for on in parts["reserve_on"]]
        self.at_s = at_s
        self._solve(0)

    # inside

    @property
    def _engine(self) -> Hydraulics:
        assert self._water is not None, "begin or restore first"
        return self._water

    def _build(self) -> None:
        self.close()
        network, seed = self.network, self.seed
        self._water = water = Hydraulics(network)
        self.consumption = Consumption(network, seed=seed)
        self.controls = Controls(network)
        self.machines = Machines(network, water, seed=seed, panel_of=panel_loads(network))
        self.quality = Quality(network, water, seed=seed)
        self.instruments = Instruments(network, self.assets, seed=seed)
        self.balance = Balance()
        self._levels = np.array([tank.initial_m for tank in network.tanks])
        self._wear_efficiency = np.ones(len(network.pumps))
        index = {node.name: at for at, node in enumerate(network.junctions)}
        self._nodes_of_dma = [
            np.array([index[node.name] for node in dma.nodes]) for dma in network.dmas
        ]
        tanks = {tank.node.name: at for at, tank in enumerate(network.tanks)}
        self._zone_tanks = [
            (tanks[zone.ugr.node.name], tanks[zone.oht.node.name]) for zone in network.zones
        ]
        self._tank_area = np.array([tank.area_m2 for tank in network.tanks])
        self._places = places(network)
        self._look_up(water)
        self._draw(seed)
        self._extra: dict[str, float] = {}
        self._dry: set[int] = set()
        self._pipes = {pipe.name: pipe for pipe in network.pipes}
        self._by_serial = {asset.serial: asset for asset in self.assets}
        self._closed: set[str] = set()

    def _look_up(self, water: Hydraulics) -> None:
        """Where in EPANET's arrays the instruments look."""
        meters = self._places["BFM"]
        self._meter_links = np.array([water.link(place.of) for place in meters])
        self._meter_nodes = np.array([water.node(place.node.name) for place in meters])
        pipes = {pipe.name: pipe.diameter_mm for pipe in self.network.pipes}
        valves = {valve.name: valve.diameter_mm for valve in self.network.valves}
        diameters = np.array([{**pipes, **valves}[place.of] for place in meters]) / 1000
        self._meter_area = math.pi / 4 * diameters**2
        self._pressure_nodes = np.array([water.node(p.node.name) for p in self._places["PT"]])
        levels = self._places["LIT"]
        tanks = {tank.node.name: at for at, tank in enumerate(self.network.tanks)}
        self._level_tanks = np.array([tanks.get(place.of, -1) for place in levels])

    def _draw(self, seed: int) -> None:
        """What differs from asset to asset and hardly changes."""
        valves = noise.keys(seed, [f"valve:{n}" for n in range(len(self._places["SV"]))])
        self._valve_health = 72 + 26 * noise.uniform(valves, 0)
        self._valve_inspected = 100 * noise.uniform(valves, 1)
        self._valve_flag = (noise.uniform(valves, 2) < 0.05).astype(float)
        self._valve_open = np.where(noise.uniform(valves, 3) < 0.7, 100.0,
                                    40 + 60 * noise.uniform(valves, 4))  # fmt: skip
        self._valve_order = 100 * noise.uniform(valves, 5)
        panels = noise.keys(seed, [f"health:{n}" for n in range(len(self._places["LT Panel"]))])
        self._panel_health = 78 + 20 * noise.uniform(panels, 0)
        batteries = sum(len(self._places[infix]) for infix in ("BFM", "PT", "LIT", "CL2", "TURB"))
        self._battery = 3.45 + 0.2 * noise.uniform(
            noise.keys(seed, [f"battery:{n}" for n in range(batteries)]), 0
        )
        meters = noise.keys(seed, [f"meter:{n}" for n in range(len(self._places["BFM"]))])
        self._meter_factor = 1 + 0.006 * noise.normal(meters, 0)
        self.total_m3 = np.round(9e6 * noise.uniform(meters, 1), 2)
        works = [f"cwr:{n}" for n in range(len(self.network.works))]
        self._clear_water = noise.Wander(noise.keys(seed, works), 21_600)
        self._weather = noise.Wander(noise.keys(seed, ["weather"]), DAY_S)

    def _solve(self, step_s: int) -> None:
        """Set what controls and faults ask for, and find the new state."""
        at_s, water, network = self.at_s, self._engine, self.network
        active = self.faults.active(at_s)
        powered = self._powered(active)
        speeds = self._set_pumps(at_s, powered)
        wear = self._set_wear(active, at_s)
        shut = self._set_inlets(active, at_s)
        self._set_leaks(active, at_s, shut)
        request = self.consumption.request_m3_h(at_s)
        for dma in network.dmas:
            if dma.number in shut:
                request[self._nodes_of_dma[dma.number]] = 0.0
        water.ask(request)
        water.solve()
        self._levels = water.levels_m
        air_c = ambient_c(at_s, float(self._weather.at(at_s)[0]))
        self.machines.advance(
            water, speeds, at_s=at_s, step_s=step_s, powered=powered, wear=wear, air_c=air_c
        )
        self.quality.advance(water, at_s=at_s, step_s=step_s, air_c=air_c)

    def _count(self, step_s: int) -> None:
        """Add up the step that has passed."""
        water, hours = self._engine, step_s / 3600
        self.consumption.settle(water.delivered_m3_h, step_s)
        passed = np.abs(water.flow_m3_h[self._meter_links]) * self._meter_factor
        self.total_m3 = (self.total_m3 + passed * hours) % METER_ROLLOVER_M3
        self.balance.inflow += float(water.out_of_reservoirs_m3_h.sum()) * hours
        self.balance.delivered += float(water.delivered_m3_h.sum()) * hours
        self.balance.leaked += float(water.leakage_m3_h.sum()) * hours
        self.balance.stored += float(water.into_tanks_m3_h.sum()) * hours

    def _powered(self, active: Sequence[Event]) -> Floats:
        dark = {event.where for event in active if event.kind == "power_failure"}
        return np.array([float(station.name not in dark) for station in self.network.stations])

    def _set_pumps(self, at_s: int, powered: Floats) -> Floats:
        water, network, controls = self._engine, self.network, self.controls
        works, zones = len(network.works), network.zones
        able = [[bool(on)] * len(s.pumps)
                for on, s in zip(powered, network.stations, strict=True)]  # fmt: skip
        wanted = 0.0
        speeds: list[list[float]] = []
        for number, (zone, (ugr, oht)) in enumerate(zip(zones, self._zone_tanks, strict=True)):
            fill = controls.fill_m3_h(zone, float(self._levels[ugr]))
            wanted += fill
            water.set_valve(zone.ugr_inlet.name, fill)
            level = float(self._levels[oht])
            speeds.append(controls.zone_speeds(number, level, at_s, able[works + number]))
        speeds = [*controls.works_speeds(wanted, at_s, able[:works]), *speeds]
        flat = [speed for station in speeds for speed in station]
        for pump, speed in zip(network.pumps, flat, strict=True):
            water.set_speed(pump, speed)
        return np.array(flat)

    def _set_wear(self, active: Sequence[Event], at_s: int) -> dict[str, Floats]:
        count = len(self.network.pumps)
        wear = {"efficiency": np.ones(count), "imbalance_mm_s": np.zeros(count),
                "bearing": np.zeros(count)}  # fmt: skip
        head = np.ones(count)
        for event in active:
            asset = self._by_serial.get(event.where)
            if asset is None:
                continue
            level = event.level(at_s)
            match event.kind:
                case "worn_pump":
                    head[asset.number] *= 1 - min(level, 90) / 100
                    # A worn ring or impeller costs efficiency as well.
                    wear["efficiency"][asset.number] *= 1 - min(level, 90) / 100 * 0.6
                case "imbalance":
                    wear["imbalance_mm_s"][asset.number] += level
                case "rough_bearing":
                    wear["bearing"][asset.number] += level
                case _:
                    pass
        for pump, share in zip(self.network.pumps, head.tolist(), strict=True):
            self._engine.set_wear(pump, share)
        return wear

    def _set_inlets(self, active: Sequence[Event], at_s: int) -> set[int]:
        """Turns of supply and valves; answers the DMAs that get nothing.

        EPANET converges badly on a district without any source: a shut one is held at next to no
        pressure, and nothing is taken from it.
        """
        water, network = self._engine, self.network
        closed, stuck = set(), set()
        for event in active:
            if event.kind == "valve_closed":
                closed.add(self._by_serial[event.where].place.of)
            elif event.kind == "valve_stuck_open":
                stuck.add(self._by_serial[event.where].place.of)
        shut = set()
        drift = {event.where: event.level(at_s) for event in active if event.kind == "prv_drift"}
        for dma, turn in zip(network.dmas, self.controls.turns(at_s), strict=True):
            fed = (turn or dma.inlet.name in stuck) and dma.inlet.name not in closed
            if not fed:
                shut.add(dma.number)
            extra = drift.get(dma.name, drift.get(dma.dma_id, 0.0))
            water.set_valve(dma.prv.name, dma.prv.setting + extra if fed else SHUT_PRV_M)
        inlets = {dma.inlet.name for dma in network.dmas}
        for name in (closed | self._closed) - inlets:
            water.set_open(self._pipes[name], is_open=name not in closed)
        self._closed = closed
        return shut

    def _set_leaks(self, active: Sequence[Event], at_s: int, shut: set[int]) -> None:
        extra: dict[str, float] = {}
        for event in active:
            if event.kind in ("leak", "burst"):
                pipe = self.leaking_pipe(event)
                area_mm2 = event.level(at_s) / 3600 / (ORIFICE * math.sqrt(LEAK_HEAD_M)) * 1e6
                extra[pipe.name] = extra.get(pipe.name, 0.0) + area_mm2
        changed = (shut ^ self._dry) | {self._pipes[name].dma for name in extra | self._extra}
        for number in changed:
            for pipe in self.network.dmas[number].pipes:
                background = pipe.leak_area_mm2 * pipe.length_m / 100
                area = 0.0 if number in shut else background + extra.get(pipe.name, 0.0)
                self._engine.set_leak(pipe, area)
        self._dry, self._extra = shut, extra

    def leaking_pipe(self, event: Event) -> Pipe:
        """The pipe on which a leak of this event is."""
        dma = self._dma(event.where)
        return dma.pipes[int(event.begins_s) * 7 % len(dma.pipes)]

    def _dma(self, name: str) -> DMA:
        return next(dma for dma in self.network.dmas if name in (dma.dma_id, dma.name))

    def _signals(self) -> dict[str, Floats]:
        water = self._engine
        flow = water.flow_m3_h[self._meter_links]
        at_pipe = np.maximum(water.pressure_m[self._meter_nodes], 0.0) / 10.197
        level = np.where(self._level_tanks >= 0, self._levels[self._level_tanks], 0.0)
        clear = 3.4 + 0.25 * self._clear_water.at(self.at_s)
        level[self._level_tanks < 0] = np.repeat(clear, 2)
        quality = self.quality.signals
        dmas = {infix: [p.dma for p in self._places[infix] if p.dma is not None]
                for infix in ("CL2", "TURB")}  # fmt: skip
        return {
            **self.machines.signals,
            **self._valves(),
            "lt_health": self._panel_health,
            "meter_flow": flow * self._meter_factor,
            "meter_total": self.total_m3,
            "meter_velocity": flow / 3600 / self._meter_area,
            "meter_full": (at_pipe > FULL_ABOVE_BAR).astype(float),
            "pressure": np.maximum(water.pressure_m[self._pressure_nodes], 0.0) / 10.197,
            "level": level,
            "battery": self._battery,
            "water_c": quality["water_c"],
            "cl2": np.concatenate(
                [quality["works_cl2"], quality["ugr_cl2"], quality["dma_cl2"][dmas["CL2"]]]
            ),
            "ntu": np.concatenate(
                [quality["works_ntu"], quality["ugr_ntu"], quality["dma_ntu"][dmas["TURB"]]]
            ),
        }

    def _valves(self) -> dict[str, Floats]:
        opening = self._valve_open.copy()
        inlets = {dma.inlet.name: dma.number for dma in self.network.dmas}
        for at, place in enumerate(self._places["SV"]):
            if place.of in inlets:
                opening[at] = 0.0 if inlets[place.of] in self._dry else 100.0
            elif place.of in self._closed:
                opening[at] = 0.0
        return {
            "sv_health": self._valve_health, "sv_inspected": self._valve_inspected,
            "sv_flag": self._valve_flag, "sv_open": opening, "sv_order": self._valve_order,
        }  # fmt: skip


def _copied(rows: Sequence[Row], suffixes: Sequence[str]) -> list[Row]:
    """The rows of copies of assets."""
    return [
        {**row, "serialnumber": f"{row['serialnumber']}{suffix}"}
        for suffix in suffixes
        for row in rows
    ]
