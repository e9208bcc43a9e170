"""What the instruments of each kind of asset measure, and how well."""

from dataclasses import dataclass
from typing import Final

NEVER: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag code and its parameter.

    Attributes:
        low: Least the instrument can show; `high` the greatest.
        noise: Standard deviation in the tag's unit; `noise_share` of the reading besides.
        limits: Low-low, low, high, high-high alarm; NaN where there is none.
    """

    code: str
    name: str
    unit: str | None
    kind: str
    low: float
    high: float
    decimals: int
    noise: float = 0.0
    noise_share: float = 0.0
    limits: tuple[float, float, float, float] = (NEVER, NEVER, NEVER, NEVER)


def _phase_voltage(code: str, name: str) -> Tag:
    return Tag(code, name, "V", "gauge", 0, 300, 1, 0.3, 0, (180, 205, 262, 275))


TAGS: Final = {
    tag.code: tag
    for tag in (
        Tag("HEALTH_SCORE", "Health score", "%", "gauge", 0, 100, 1, 0.1),
        Tag("LAST_INSP_DT", "Last inspection", None, "date", 0, 100, 2),
        Tag("MAINT_FLAG", "Maintenance flag", None, "state", 0, 1, 0),
        Tag("VLV_MAN_STS", "Valve manual status", None, "gauge", 0, 100, 2, 0.15),
        Tag("WO_STS", "Work order status", None, "gauge", 0, 100, 2),
        _phase_voltage("VOLT_R", "Voltage R phase"),
        _phase_voltage("VOLT_Y", "Voltage Y phase"),
        _phase_voltage("VOLT_B", "Voltage B phase"),
        Tag("CURR_R", "Current R phase", "A", "gauge", 0, 400, 1, 0.1, 0.004),
        Tag("CURR_Y", "Current Y phase", "A", "gauge", 0, 400, 1, 0.1, 0.004),
        Tag("CURR_B", "Current B phase", "A", "gauge", 0, 400, 1, 0.1, 0.004),
        Tag("KW", "Active power", "kW", "gauge", 0, 250, 1, 0.05, 0.005),
        Tag("LOAD_PCT", "Load", "%", "gauge", 0, 160, 1, 0.1, 0.005, (NEVER, NEVER, 100, 120)),
        Tag("OIL_TEMP", "Oil temperature", "degC", "gauge", -10, 140, 1, 0.1, 0,
            (NEVER, NEVER, 90, 100)),
        Tag("WDG_TEMP", "Winding temperature", "degC", "gauge", -10, 180, 1, 0.1, 0,
            (NEVER, NEVER, 105, 118)),
        Tag("OIL_LVL", "Oil level", "%", "gauge", 0, 100, 1, 0.1, 0, (45, 55, NEVER, NEVER)),
        Tag("TAP_POS", "Tap position", None, "state", 1, 17, 0),
        Tag("PUMP_FLOW", "Pump flow", "m3/h", "gauge", 0, 900, 1, 0.2, 0.006),
        Tag("SUC_PRES", "Suction pressure", "bar", "gauge", -1, 3, 3, 0.002),
        Tag("DIS_PRES", "Discharge pressure", "bar", "gauge", 0, 10, 2, 0.012),
        Tag("PUMP_KW", "Pump power", "kW", "gauge", 0, 200, 1, 0.05, 0.006),
        Tag("PUMP_CURR", "Pump current", "A", "gauge", 0, 350, 1, 0.1, 0.004),
        Tag("PUMP_VOLT", "Pump voltage", "V", "gauge", 0, 500, 1, 0.5, 0, (330, 373, 453, 470)),
        Tag("PUMP_SPEED", "Pump speed", "rpm", "gauge", 0, 1600, 0, 0.6),
        Tag("VIB_DE", "Vibration, drive end", "mm/s", "gauge", 0, 25, 2, 0.04, 0.015,
            (NEVER, NEVER, 4.2, 6.6)),
        Tag("VIB_NDE", "Vibration, non-drive end", "mm/s", "gauge", 0, 25, 2, 0.04, 0.015,
            (NEVER, NEVER, 4.2, 6.6)),
        Tag("BRG_TEMP", "Bearing temperature", "degC", "gauge", -10, 150, 1, 0.15, 0,
            (NEVER, NEVER, 80, 95)),
        Tag("MTR_WDG_TEMP", "Motor winding temperature", "degC", "gauge", -10, 200, 1, 0.15, 0,
            (NEVER, NEVER, 130, 145)),
        Tag("PUMP_STS", "Pump running", None, "state", 0, 1, 0),
        Tag("FLOW_RATE", "Flow", "m3/h", "gauge", -4000, 4000, 1, 0.15, 0.004),
        Tag("TOTALISER", "Totalised volume", "m3", "counter", 0, 10_000_000, 2),
        Tag("VELOCITY", "Flow velocity", "m/s", "gauge", -5, 5, 3, 0.001, 0.004),
        Tag("PIPE_STS", "Pipe status", None, "text", 0, 1, 0),
        Tag("BATT_V", "Battery voltage", "V", "gauge", 0, 5, 3, 0.002, 0, (3.0, 3.2, NEVER, NEVER)),
        Tag("PRESSURE", "Pressure", "bar", "gauge", 0, 10, 3, 0.006, 0, (0.35, 0.9, 4.6, 5.5)),
        Tag("LEVEL", "Level", "m", "gauge", 0, 10, 3, 0.004, 0, (0.5, 0.9, NEVER, NEVER)),
        Tag("CL2_RES", "Residual chlorine", "mg/L", "gauge", 0, 5, 3, 0.008, 0,
            (0.1, 0.2, 2.0, 3.0)),
        Tag("WATER_TEMP", "Water temperature", "degC", "gauge", 0, 50, 2, 0.05),
        Tag("TURBIDITY", "Turbidity", "NTU", "gauge", 0, 50, 3, 0.01, 0.01,
            (NEVER, NEVER, 2.0, 5.0)),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """Assets with the same tags; `missing` of them are not in the register.

    Attributes:
        infix: What stands between area and number in the serial number.
        unfed: How many are in the register and never on the feed.
        sources: The signal behind each tag, in the order of `tags`.
    """

    category: str
    infix: str
    count: int
    tags: str
    sources: str
    missing: int = 0
    unfed: int = 0
    rating: str | None = None

    @property
    def tag_list(self) -> tuple[Tag, ...]:
        """Its tags."""
        return tuple(TAGS[code] for code in self.tags.split())


KINDS: Final = (
    Kind("sluice valve", "SV", 180, "HEALTH_SCORE LAST_INSP_DT MAINT_FLAG VLV_MAN_STS WO_STS",
         "sv_health sv_inspected sv_flag sv_open sv_order", missing=11, unfed=1700,
         rating="200 mm"),
    Kind("LT panel", "LT Panel", 70, "HEALTH_SCORE VOLT_R VOLT_Y VOLT_B CURR_R CURR_Y CURR_B KW",
         "lt_health volt_r volt_y volt_b curr_r curr_y curr_b panel_kw", missing=5, unfed=160,
         rating="400 A"),
    Kind("transformer", "Trans", 40,
         "LOAD_PCT OIL_TEMP WDG_TEMP OIL_LVL VOLT_R VOLT_Y VOLT_B TAP_POS",
         "load_pct oil_temp wdg_temp oil_lvl tx_volt_r tx_volt_y tx_volt_b tap_pos", unfed=60,
         rating="400 kVA"),
    Kind("pump", "Pump", 40,
         "PUMP_FLOW SUC_PRES DIS_PRES PUMP_KW PUMP_CURR PUMP_VOLT PUMP_SPEED VIB_DE VIB_NDE"
         " BRG_TEMP MTR_WDG_TEMP PUMP_STS",
         "pump_flow suc_pres dis_pres pump_kw pump_curr pump_volt pump_speed vib_de vib_nde"
         " brg_temp mtr_wdg_temp pump_sts", rating="45 kW"),
    Kind("pump", "Small Pump", 20, "PUMP_STS PUMP_CURR", "small_sts small_curr", unfed=150,
         rating="7.5 kW"),
    Kind("bulk flow meter", "BFM", 60, "FLOW_RATE TOTALISER VELOCITY PIPE_STS BATT_V",
         "meter_flow meter_total meter_velocity meter_full battery", unfed=140, rating="300 mm"),
    Kind("pressure transmitter", "PT", 75, "PRESSURE BATT_V", "pressure battery", unfed=110),
    Kind("level transmitter", "LIT", 32, "LEVEL BATT_V", "level battery", unfed=50),
    Kind("chlorine analyser", "CL2", 24, "CL2_RES BATT_V WATER_TEMP", "cl2 battery water_c",
         unfed=26),
    Kind("turbidity analyser", "TURB", 16, "TURBIDITY BATT_V", "ntu battery", unfed=20),
)  # fmt: skip
"""In the order in which the gateway lists them."""
