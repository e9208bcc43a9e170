"""A made-up plant: which assets report, what they measure, and one envelope an asset and tick."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from random import Random
from uuid import UUID

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag code and its parameter; the range is what the instrument can plausibly show."""

    code: str
    name: str
    unit: str | None
    kind: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Kind:
    """Some assets with the same tags; `missing` of them are not in the register."""

    category: str
    infix: str
    count: int
    tags: str
    missing: int = 0
    unfed: int = 0  # in the register, never on the feed
    rating: str | None = None


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset on the feed; its values swing about `centres` together, with `phase`."""

    serial: str
    kind: Kind
    domain: str
    tags: tuple[Tag, ...]
    centres: tuple[float, ...]
    phase: float
    missing: bool
    unmapped: frozenset[str]


TAGS = {
    tag.code: tag
    for tag in (
        Tag("HEALTH_SCORE", "Health score", "%", "gauge", 60, 100, 1),
        Tag("LAST_INSP_DT", "Last inspection", None, "date", 0, 100, 2),
        Tag("MAINT_FLAG", "Maintenance flag", None, "state", 0, 1, 0),
        Tag("VLV_MAN_STS", "Valve manual status", None, "gauge", 0, 100, 2),
        Tag("WO_STS", "Work order status", None, "gauge", 0, 100, 2),
        Tag("VOLT_R", "Voltage R phase", "V", "gauge", 200, 260, 1),
        Tag("VOLT_Y", "Voltage Y phase", "V", "gauge", 200, 260, 1),
        Tag("VOLT_B", "Voltage B phase", "V", "gauge", 200, 260, 1),
        Tag("CURR_AVG", "Average current", "A", "gauge", 0, 400, 1),
        Tag("CURR_N", "Neutral current", "A", "gauge", 0, 40, 2),
        Tag("KW", "Active power", "kW", "gauge", 0, 250, 1),
        Tag("PF", "Power factor", None, "gauge", 0.7, 1, 3),
        Tag("LOAD_PCT", "Load", "%", "gauge", 0, 120, 1),
        Tag("OIL_TEMP", "Oil temperature", "degC", "gauge", 20, 95, 1),
        Tag("WDG_TEMP", "Winding temperature", "degC", "gauge", 20, 110, 1),
        Tag("OIL_LVL", "Oil level", "%", "gauge", 40, 100, 1),
        Tag("TAP_POS", "Tap position", None, "state", 1, 17, 0),
        Tag("PUMP_FLOW", "Pump flow", "m3/h", "gauge", 0, 900, 1),
        Tag("SUC_PRES", "Suction pressure", "bar", "gauge", 0, 3, 3),
        Tag("DIS_PRES", "Discharge pressure", "bar", "gauge", 0, 10, 2),
        Tag("PUMP_KW", "Pump power", "kW", "gauge", 0, 200, 1),
        Tag("PUMP_CURR", "Pump current", "A", "gauge", 0, 350, 1),
        Tag("PUMP_VOLT", "Pump voltage", "V", "gauge", 380, 440, 1),
        Tag("PUMP_SPEED", "Pump speed", "rpm", "gauge", 1300, 1500, 0),
        Tag("VIB_DE", "Vibration, drive end", "mm/s", "gauge", 0, 8, 2),
        Tag("VIB_NDE", "Vibration, non-drive end", "mm/s", "gauge", 0, 8, 2),
        Tag("BRG_TEMP", "Bearing temperature", "degC", "gauge", 20, 95, 1),
        Tag("MTR_WDG_TEMP", "Motor winding temperature", "degC", "gauge", 20, 130, 1),
        Tag("PUMP_STS", "Pump running", None, "state", 0, 1, 0),
        Tag("FLOW_RATE", "Flow", "m3/h", "gauge", 0, 1200, 1),
        Tag("TOTALISER", "Totalised volume", "m3", "counter", 0, 10_000_000, 2),
        Tag("VELOCITY", "Flow velocity", "m/s", "gauge", 0, 3, 3),
        Tag("PIPE_STS", "Pipe status", None, "text", 0, 1, 0),
        Tag("BATT_V", "Battery voltage", "V", "gauge", 3, 4, 3),
        Tag("PRESSURE", "Pressure", "bar", "gauge", 0, 6, 3),
        Tag("LEVEL", "Level", "m", "gauge", 0, 6, 3),
        Tag("CL2_RES", "Residual chlorine", "mg/L", "gauge", 0, 2, 3),
        Tag("WATER_TEMP", "Water temperature", "degC", "gauge", 5, 40, 2),
        Tag("TURBIDITY", "Turbidity", "NTU", "gauge", 0, 5, 3),
    )
}
# A state is its low value, or one more while the asset's slow wave is above the second figure.
STATES = {"MAINT_FLAG": (0, 0.97), "TAP_POS": (8, 0.0), "PUMP_STS": (0, -0.9)}

VALVE_TAGS = "HEALTH_SCORE LAST_INSP_DT MAINT_FLAG VLV_MAN_STS WO_STS"
PANEL_TAGS = "HEALTH_SCORE VOLT_R VOLT_Y VOLT_B CURR_AVG CURR_N KW PF"
TRANSFORMER_TAGS = "LOAD_PCT OIL_TEMP WDG_TEMP OIL_LVL VOLT_R VOLT_Y VOLT_B TAP_POS"
PUMP_TAGS = (
    "PUMP_FLOW SUC_PRES DIS_PRES PUMP_KW PUMP_CURR PUMP_VOLT PUMP_SPEED"
    " VIB_DE VIB_NDE BRG_TEMP MTR_WDG_TEMP PUMP_STS"
)
METER_TAGS = "FLOW_RATE TOTALISER VELOCITY PIPE_STS BATT_V"
KINDS = (
    Kind("sluice valve", "SV", 180, VALVE_TAGS, missing=11, unfed=1700, rating="200 mm"),
    Kind("LT panel", "LT Panel", 70, PANEL_TAGS, missing=5, unfed=160, rating="400 A"),
    Kind("transformer", "Trans", 40, TRANSFORMER_TAGS, unfed=60, rating="400 kVA"),
    Kind("pump", "Pump", 40, PUMP_TAGS, rating="160 kW"),
    Kind("pump", "Small Pump", 20, "PUMP_STS PUMP_CURR", unfed=150, rating="15 kW"),
    Kind("bulk flow meter", "BFM", 60, METER_TAGS, unfed=140, rating="300 mm"),
    Kind("pressure transmitter", "PT", 75, "PRESSURE BATT_V", unfed=110),
    Kind("level transmitter", "LIT", 32, "LEVEL BATT_V", unfed=50),
    Kind("chlorine analyser", "CL2", 24, "CL2_RES BATT_V WATER_TEMP", unfed=26),
    Kind("turbidity analyser", "TURB", 16, "TURBIDITY BATT_V", unfed=20),
)
UNMAPPED_TAGS = 89
# The contract's examples: in the register, with all of their tags mapped.
EXAMPLES = frozenset({"Patel Road_Baljeet Nagar_SV_92", "C Block Ranjeet Nagar_LT Panel_19"})
# Two areas a domain, in the order of the domains. One has the characters that URLs trip over.
AREA_NAMES = (
    "Narela Sector A-6;Bawana Road;Rohini Sector 8/9;Pitampura AU+BU Block;Model Town;Azadpur;"
    "Civil Lines;Timarpur;Karol Bagh;Dev Nagar;Chandni Chowk;Daryaganj;Paharganj;Jhandewalan;"
    "Patel Road_Baljeet Nagar;Shadipur;Moti Nagar;Kirti Nagar;Rajouri Garden;Tilak Nagar;"
    "West Patel Nagar;C Block Ranjeet Nagar;Janakpuri;Uttam Nagar;Dwarka Sector 10;Palam Colony;"
    "Vasant Kunj;Munirka;R K Puram;Sarojini Nagar;Hauz Khas;Green Park;Lajpat Nagar;Defence Colony;"
    "Greater Kailash;Kalkaji;Okhla Phase II;Sarita Vihar;Mayur Vihar;Laxmi Nagar"
)
AREAS = AREA_NAMES.split(";")
FEW = 300  # of 65,536: the share of assets with an odd quality, or an alarm, at a time


def _digest(*parts: object) -> bytes:
    return blake2b(":".join(map(str, parts)).encode()).digest()


@lru_cache(maxsize=4)
def _iso_ns(at_ns: int) -> str:
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def _place(kind: Kind, number: int) -> tuple[str, str]:
    area = (number + 2) % len(AREAS)  # brings both examples to their areas
    return f"{AREAS[area]}_{kind.infix}_{number}", f"DEL-D{area // 2 + 1:02d}"


def _centre(tag: Tag, share: float) -> float:
    return tag.low + (tag.high - tag.low) * (0.35 + 0.3 * share)


def _value_text(
    tag: Tag, *, centre: float, wave: float, noise: float, at_s: float, tick: int
) -> str:
    if tag.kind == "state":
        low, threshold = STATES[tag.code]
        return str(low + (wave > threshold))
    if tag.kind == "text":
        return '"FULL"' if wave > -0.95 else '"PART"'
    if tag.kind == "counter":
        rate_m3_s = 0.05 + 0.25 * centre / tag.high
        return repr(round(at_s * rate_m3_s % tag.high, tag.decimals))
    span = tag.high - tag.low
    scale = 10**tag.decimals
    scaled = round((centre + span * (0.2 * wave + 0.01 * noise)) * scale)
    scaled ^= (scaled ^ tick) & 1  # the last digit's parity is the tick's: every value moves
    return repr(scaled / scale) if tag.decimals else str(scaled)


def _reporting(seed: int) -> list[Asset]:
    random = Random(seed)
    places = [(*_place(kind, n), kind) for kind in KINDS for n in range(1, kind.count + 1)]
    ordinary = [place for place in places if place[0] not in EXAMPLES]
    missing = {
        serial
        for kind in KINDS
        for serial in random.sample([p[0] for p in ordinary if p[2] is kind], kind.missing)
    }
    mappable = [(p[0], code) for p in ordinary if p[0] not in missing for code in p[2].tags.split()]
    unmapped: dict[str, set[str]] = {}
    for serial, code in random.sample(mappable, UNMAPPED_TAGS):
        unmapped.setdefault(serial, set()).add(code)
    return [
        _asset(seed, *place, missing=place[0] in missing, unmapped=unmapped.get(place[0], set()))
        for place in places
    ]


def _asset(
    seed: int, serial: str, domain: str, kind: Kind, *, missing: bool, unmapped: set[str]
) -> Asset:
    random = Random(f"{seed}:{serial}")
    tags = tuple(TAGS[code] for code in kind.tags.split())
    return Asset(
        serial=serial,
        kind=kind,
        domain=domain,
        tags=tags,
        centres=tuple(_centre(tag, random.random()) for tag in tags),
        phase=random.random() * math.tau,
        missing=missing,
        unmapped=frozenset(unmapped),
    )


def _register_row(serial: str, domain: str, kind: Kind, *, live: bool) -> Row:
    random = Random(serial)
    row, column = divmod(int(domain[-2:]) - 1, 5)
    return {
        "serialnumber": serial,
        "name": serial.replace("_", " "),
        "category": kind.category,
        "domain": domain,
        "longitude": round(77.00 + 0.07 * (column + random.random()), 6),
        "latitude": round(28.75 - 0.06 * (row + random.random()), 6),
        "criticality": random.choice(("High", "Medium", "Low")),
        "capacity_rating": kind.rating,
        "in_charge_person": None,
        "status": "Active",
        "asset_live_status": "Live" if live else "Not connected",
    }


def _parameter_row(tag: Tag) -> Row:
    ranged = tag.kind not in ("text", "date")
    # A gauge may cross 5 % of its range in a second; 0.3 m3/s is the fastest totaliser here.
    rate_max_per_s = {"gauge": (tag.high - tag.low) / 20, "counter": 1.0}.get(tag.kind)
    return {
        "param_tag_code": tag.code,
        "parameter_name": tag.name,
        "unit": tag.unit,
        "kind": tag.kind,
        "range_low": tag.low if ranged else None,
        "range_high": tag.high if ranged else None,
        "rate_max_per_s": rate_max_per_s,
        "decimals": tag.decimals,
    }


class DemoPlant:
    """557 reporting assets of a seeded plant, and the register rows that go with them.

    Args:
        seed: The same seed gives the same plant and, tick by tick, the same envelopes.
        replicate: Copies of the reporting assets, under suffixed names, for load tests.
    """

    def __init__(self, seed: int = 1, replicate: int = 1) -> None:
        self.seed = seed
        once = _reporting(seed)
        self.assets = once + [
            replace(asset, serial=f"{asset.serial} copy {number}")
            for number in range(2, replicate + 1)
            for asset in once
        ]
        self.serials = [asset.serial for asset in self.assets]

    def envelope(self, index: int, tick: int, at_ns: int) -> bytes:
        """Render the inner JSON text of one asset at a tick.

        Args:
            index: Position in `assets` and `serials`.
            tick: Number of the tick; gives the record_id and the noise.
            at_ns: Wall time of the tick, ns since 1970; gives occurred_at and the slow swing.
        """
        asset = self.assets[index]
        draw = _digest(self.seed, index, tick)
        at_s = at_ns / 1e9
        wave = math.sin(at_s * math.tau / 86_400 + asset.phase)
        values = ",".join(
            f'"{tag.code}":'
            + _value_text(
                tag, centre=centre, wave=wave, noise=byte / 127.5 - 1, at_s=at_s, tick=tick
            )
            for tag, centre, byte in zip(asset.tags, asset.centres, draw[16:], strict=False)
        )
        # An odd quality or alarm lasts 40 ticks: an alarm that lasts one is noise on the page.
        mood = _digest(self.seed, index, (tick + index) // 40, "mood")
        odd, alarm = int.from_bytes(mood[:2]), int.from_bytes(mood[2:4])
        return (
            f'{{"record_id":"{UUID(bytes=draw[:16], version=4)}",'
            f'"system_id":"{asset.serial.replace(" ", "_")}","asset_id":"{asset.serial}",'
            f'"domain":"{asset.domain}","protocol":"rest","occurred_at":"{_iso_ns(at_ns)}",'
            f'"values":{{{values}}},"quality":"{"UNCERTAIN" if odd < FEW else "GOOD"}",'
            f'"alarm":"{("HIGH" if alarm % 3 else "LOW") if alarm < FEW else "NORMAL"}"}}'
        ).encode()

    def register(self) -> list[Row]:
        """Rows of the asset register: reporting assets that are in it, then those never fed."""
        fed = [
            _register_row(asset.serial, asset.domain, asset.kind, live=True)
            for asset in self.assets
            if not asset.missing
        ]
        unfed = [
            _register_row(*_place(kind, number), kind, live=False)
            for kind in KINDS
            for number in range(kind.count + 1, kind.count + kind.unfed + 1)
        ]
        return fed + unfed

    def parameters(self) -> list[Row]:
        """Rows of the parameter master, one a tag code."""
        return [_parameter_row(tag) for tag in TAGS.values()]

    def tagmap(self) -> list[Row]:
        """Rows of the tag map: every tag of every registered reporting asset but 89."""
        return [
            {"serialnumber": asset.serial, "tag_code": tag.code, "param_tag_code": tag.code}
            for asset in self.assets
            if not asset.missing
            for tag in asset.tags
            if tag.code not in asset.unmapped
        ]
