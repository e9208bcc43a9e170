"""What EPANET does not tell: power, current, voltage, temperature and vibration of the machines."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from ic3.simulator import noise
from ic3.simulator.demand import DAY_S, HOTTEST_DAY, LOCAL_OFFSET_S
from ic3.simulator.hydraulics import Hydraulics
from ic3.simulator.network import Network
from ic3.simulator.noise import Floats

NOMINAL_RPM: Final = 1480.0
LINE_V: Final = 415.0
POWER_FACTOR: Final = 0.86
KW_A_M3_H_M: Final = 1 / 367.2  # rho * g / 3.6e6, water
MOTOR_EFFICIENCY: Final = 0.93
NPSH_REQUIRED_M: Final = 3.0
ATMOSPHERE_M: Final = 10.1
VAPOUR_M: Final = 0.4
BEARING_TAU_S, WINDING_TAU_S, OIL_TAU_S = 1800.0, 2400.0, 9000.0
SMALL_PUMPS: Final = 20
SMALL_PUMP_KW: Final = 7.5
IDLE_KW: Final = 1.2  # lights and instruments on a panel


def ambient_c(at_s: float, wander: float) -> float:
    """Air temperature: season and hour of the day in Delhi, and weather."""
    day, second = divmod(at_s + LOCAL_OFFSET_S, DAY_S)
    season = math.cos(2 * math.pi * (day % 365.2425 - HOTTEST_DAY) / 365.2425)
    hour = math.cos(2 * math.pi * (second - 15 * 3600) / DAY_S)
    return 25.0 + 8.5 * season + 5.5 * hour + 1.5 * wander


def approach(now: Floats, goal: Floats, step_s: float, tau_s: float) -> Floats:
    """A first-order lag, exact for a goal that holds over the step."""
    nearer: Floats = goal + (now - goal) * math.exp(-step_s / tau_s)
    return nearer


class Machines:
    """Pumps, small pumps, LT panels and transformers.

    Attributes:
        signals: Name to float64 array, as of the last `advance`.
    """

    def __init__(
        self, network: Network, water: Hydraulics, *, seed: int, panel_of: tuple[int, ...]
    ) -> None:
        """Draw what differs from machine to machine.

        Args:
            network: Whose pumps they are.
            water: Where their flows and heads are found.
            seed: Of the plant.
            panel_of: For each panel the load behind it: pumps first, then small pumps, then
                stations, then others.
        """
        pumps = network.pumps
        self._links = np.array([water.link(pump.name) for pump in pumps])
        self._starts = np.array([water.node(pump.start.name) for pump in pumps])
        self._ends = np.array([water.node(pump.end.name) for pump in pumps])
        place = {load: at for at, load in enumerate(panel_of)}
        self._pump_panels = np.array([place[at] for at in range(len(pumps))])
        self._panel_of = np.array(panel_of)
        self._best_flow = np.array([pump.flow_m3_h for pump in pumps])
        self._efficiency = np.array([pump.efficiency * MOTOR_EFFICIENCY for pump in pumps])
        self._rated_kw = np.array([pump.rated_kw for pump in pumps])
        self._station_of = np.array(
            [at for at, station in enumerate(network.stations) for _ in station.pumps]
        )
        count, panels, stations = len(pumps), len(panel_of), len(network.stations)
        self._stations = stations
        streams = noise.keys(seed, [f"machine:{pump.name}" for pump in pumps])
        self._roughness = noise.Wander(streams, 7200)
        self._base_mm_s = 1.1 + 0.7 * noise.uniform(streams, 0)
        self._imbalance_mm_s = 0.5 * noise.uniform(streams, 1)
        small = noise.keys(seed, [f"small:{n}" for n in range(SMALL_PUMPS)])
        self._small_period_s = 1800 + 3600 * noise.uniform(small, 0)
        self._small_phase = noise.uniform(small, 1)
        self._small_duty = 0.25 + 0.3 * noise.uniform(small, 2)
        self._small_load = noise.Wander(small, 600)
        panel = noise.keys(seed, [f"panel:{n}" for n in range(panels)])
        self._unbalance = 0.012 * np.stack([noise.normal(panel, n) for n in range(3)])
        self._feeder = noise.Wander(noise.keys(seed, [f"feeder:{n}" for n in range(panels)]), 1800)
        transformers = 2 * stations + SMALL_PUMPS + 2
        streams = noise.keys(seed, [f"transformer:{n}" for n in range(transformers)])
        self._street = noise.Wander(streams, 3600)
        self._mains = noise.Wander(~streams, 1800)
        self._oil_level = 82 + 6 * noise.uniform(streams, 0)
        self._tap = 7.0 + np.floor(4 * noise.uniform(streams, 1))
        self._rating_kva = np.where(np.arange(transformers) < 2 * stations, 400.0, 160.0)
        self.bearing_c, self.winding_c = np.full(count, 38.0), np.full(count, 40.0)
        self.oil_c = np.full(transformers, 45.0)
        self.signals: Mapping[str, Floats] = {}

    def restore(self, state: Mapping[str, Floats]) -> None:
        """Take the temperatures of an earlier plant."""
        self.bearing_c, self.winding_c = state["bearing_c"], state["winding_c"]
        self.oil_c = state["oil_c"]

    def state(self) -> dict[str, Floats]:
        """What `restore` takes."""
        return {"bearing_c": self.bearing_c, "winding_c": self.winding_c, "oil_c": self.oil_c}

    def advance(
        self, water: Hydraulics, speeds: Floats, *, at_s: int, step_s: float, powered: Floats,
        wear: Mapping[str, Floats], air_c: float,
    ) -> None:  # fmt: skip
        """Follow the hydraulics of a step.

        Args:
            water: Solved for this moment.
            speeds: float64 (pumps,), share of the nominal speed, 0 where off.
            at_s: The moment, seconds since 1970 UTC.
            step_s: Length of the step that ends now.
            powered: float64 (stations,), 1 where mains power is there.
            wear: `efficiency` (share kept), `imbalance_mm_s` and `bearing` (heat times), (pumps,).
            air_c: Temperature around.
        """
        pump = self._pump_signals(water, speeds, at_s, step_s, wear, air_c)
        small_on, small_kw = self._small_pumps(at_s)
        panel = self._panels(pump["pump_kw"], small_kw, at_s, powered)
        line_v = math.sqrt(3) * (panel["volt_r"] + panel["volt_y"] + panel["volt_b"]) / 3
        pump_v = line_v[self._pump_panels]
        with np.errstate(divide="ignore", invalid="ignore"):
            current = pump["pump_kw"] * 1000 / (math.sqrt(3) * pump_v * POWER_FACTOR)
        pump["pump_curr"] = np.where(pump_v > 1, current, 0.0)
        pump["pump_volt"] = pump_v
        self.signals = {
            **pump, **panel,
            "small_sts": small_on,
            "small_curr": small_kw * 1000 / (math.sqrt(3) * LINE_V * POWER_FACTOR),
            **self._transformers(pump["pump_kw"], small_kw, at_s, step_s, powered, air_c),
        }  # fmt: skip

    def _pump_signals(
        self, water: Hydraulics, speeds: Floats, at_s: int, step_s: float,
        wear: Mapping[str, Floats], air_c: float,
    ) -> dict[str, Floats]:  # fmt: skip
        links, starts, ends = self._links, self._starts, self._ends
        running = speeds > 0
        flow = np.maximum(water.flow_m3_h[links], 0.0) * running
        head = np.maximum(water.head_m[ends] - water.head_m[starts], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            load = np.where(running, flow / (self._best_flow * speeds), 0.0)
        load = np.minimum(load, 1.8)
        # Efficiency falls as a parabola beside its best point, so power stays finite at no flow.
        best = self._efficiency * wear["efficiency"]
        shaft = self._best_flow * np.maximum(speeds, 0.01) * head * KW_A_M3_H_M
        power = np.where(running, shaft / (best * (2.0 - load)), 0.0)
        suction_m = water.pressure_m[starts]
        # Source of the shape: vibration grows with the square of the distance from the best point.
        margin = suction_m + ATMOSPHERE_M - VAPOUR_M - NPSH_REQUIRED_M * (0.6 + 0.4 * load**2)
        cavitation = np.maximum(0.0, 1.5 - margin)
        off_design = 1 + 0.8 * np.minimum((load - 1) ** 2, 1.0)
        drift = 1 + 0.06 * self._roughness.at(at_s)
        vibration = running * drift * np.sqrt(
            (self._base_mm_s * off_design) ** 2
            + ((self._imbalance_mm_s + wear["imbalance_mm_s"]) * speeds**2) ** 2
            + (0.8 * wear["bearing"]) ** 2 + cavitation**2
        )  # fmt: skip
        share = power / self._rated_kw
        heat = running * (1 + 0.35 * wear["bearing"])
        self.bearing_c = approach(
            self.bearing_c, air_c + heat * (12 + 14 * speeds**2), step_s, BEARING_TAU_S
        )
        self.winding_c = approach(
            self.winding_c, air_c + running * (8 + 55 * share**1.7), step_s, WINDING_TAU_S
        )
        return {
            "pump_flow": flow, "suc_pres": suction_m / 10.197,
            "dis_pres": water.pressure_m[ends] / 10.197, "pump_kw": power,
            "pump_speed": speeds * NOMINAL_RPM, "vib_de": vibration, "vib_nde": 0.82 * vibration,
            "brg_temp": self.bearing_c, "mtr_wdg_temp": self.winding_c,
            "pump_sts": running.astype(np.float64),
        }  # fmt: skip

    def _small_pumps(self, at_s: int) -> tuple[Floats, Floats]:
        """Sump pumps: each runs a share of its own period, more when the city uses more."""
        turn = (at_s / self._small_period_s + self._small_phase) % 1.0
        on = (turn < self._small_duty).astype(np.float64)
        kw: Floats = on * SMALL_PUMP_KW * (0.72 + 0.04 * self._small_load.at(at_s))
        return on, kw

    def _panels(
        self, pump_kw: Floats, small_kw: Floats, at_s: int, powered: Floats
    ) -> dict[str, Floats]:
        station_kw = np.bincount(self._station_of, weights=pump_kw, minlength=self._stations)
        others = len(self._panel_of) - len(pump_kw) - SMALL_PUMPS - self._stations
        loads = np.concatenate([pump_kw, small_kw, 0.04 * station_kw + 3.0, np.full(others, 14.0)])
        station = np.concatenate(
            [self._station_of, np.full(SMALL_PUMPS, -1), np.arange(self._stations), [-1] * others]
        )
        power_here = np.where(station >= 0, powered[station], 1.0)[self._panel_of]
        kw = (loads[self._panel_of] + IDLE_KW) * power_here
        sag = 1 + 0.012 * self._feeder.at(at_s) - 0.00025 * kw
        volts = {}
        amps = {}
        for phase, name in enumerate("ryb"):
            volt = LINE_V / math.sqrt(3) * sag * (1 + 0.25 * self._unbalance[phase]) * power_here
            even = kw * 1000 / (3 * (LINE_V / math.sqrt(3)) * POWER_FACTOR)
            volts[f"volt_{name}"] = volt
            amps[f"curr_{name}"] = even * (1 + self._unbalance[phase]) / sag
        return {**volts, **amps, "panel_kw": kw}

    def _transformers(
        self, pump_kw: Floats, small_kw: Floats, at_s: int, step_s: float, powered: Floats,
        air_c: float,
    ) -> dict[str, Floats]:  # fmt: skip
        station_kw = np.bincount(self._station_of, weights=pump_kw, minlength=self._stations)
        halves = np.repeat(0.5 * station_kw + 6.0, 2)
        power_here = np.ones(len(self._rating_kva))
        power_here[: 2 * self._stations] = np.repeat(powered, 2)
        hour = (at_s + LOCAL_OFFSET_S) % DAY_S / 3600
        town = 38 + 22 * math.sin(2 * math.pi * (hour - 13) / 24)
        streets = np.concatenate([small_kw, [0.0, 0.0]]) + town
        wander = 1 + 0.05 * self._street.at(at_s)
        kva = np.concatenate([halves, streets]) / POWER_FACTOR * wander * power_here
        load = kva / self._rating_kva
        # Rated rises of IEC 60076-2: 60 K top oil here 45 K, winding 18 K above it; R = 6.
        rise = 45.0 * ((1 + 6 * load**2) / 7) ** 0.8
        self.oil_c = approach(self.oil_c, air_c + rise, step_s, OIL_TAU_S)
        volts = LINE_V / math.sqrt(3) * power_here * (1.01 + 0.012 * self._mains.at(at_s))
        return {
            "load_pct": 100 * load, "oil_temp": self.oil_c,
            "wdg_temp": self.oil_c + 18 * load**1.6,
            "oil_lvl": self._oil_level + 0.12 * (self.oil_c - 45),
            "tx_volt_r": volts * 1.002, "tx_volt_y": volts, "tx_volt_b": volts * 0.997,
            "tap_pos": self._tap,
        }  # fmt: skip
