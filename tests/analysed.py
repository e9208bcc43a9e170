"""A small plant in the database for the analytics: assets, tags, and five-minute values."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import psycopg

from ic3.domain.mapping import Register
from ic3.store.pool import Database
from ic3.store.register import RegisterStore

STEPS_A_DAY: Final = 288
PARAMETERS: Final[Mapping[str, tuple[str, str | None]]] = {
    "PUMP_STS": ("state", None), "PUMP_FLOW": ("gauge", "m3/h"), "SUC_PRES": ("gauge", "bar"),
    "DIS_PRES": ("gauge", "bar"), "PUMP_KW": ("gauge", "kW"), "PUMP_CURR": ("gauge", "A"),
    "PUMP_SPEED": ("gauge", "rpm"), "VIB_DE": ("gauge", "mm/s"), "FLOW_RATE": ("gauge", "m3/h"),
    "PRESSURE": ("gauge", "bar"), "LEVEL": ("gauge", "m"), "BATT_V": ("gauge", "V"),
    "LAST_INSP_DT": ("date", None), "TEMP": ("gauge", "degC"),
}  # fmt: skip
INSERT_ASSET: Final = """
INSERT INTO ic3_asset_master (asset_id, serialnumber, category, domain, dma_id, capacity_rating,
    criticality)
VALUES (%s, %s, %s, %s, %s, %s, 'Medium')
"""
MAP_TAG: Final = """
INSERT INTO ic3_asset_tag_map (asset_id, tag_code, param_id)
SELECT %s, %s::text, param_id FROM ic3_parameter_master WHERE param_tag_code = %s::text
"""
COPY_VALUES: Final = """
COPY ic3_rollup_5m (bucket_at, asset_id, tag_code, param_id, row_count, good_count, used_count,
    value_sum, value_min, value_max, first_value, first_at, last_value, last_at, resets)
FROM STDIN
"""


class AnalysedPlant:
    """Fills the database of a test."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC")
        for code, (kind, unit) in PARAMETERS.items():
            self._connection.execute(
                "INSERT INTO ic3_parameter_master (parameter_name, param_tag_code, unit, kind,"
                " range_low, range_high) VALUES (%s, %s, %s, %s, -1e6, 1e6)",
                [code, code, unit, kind],
            )
        found = self._connection.execute(
            "SELECT param_tag_code, param_id FROM ic3_parameter_master"
        )
        self._numbers: dict[str, int] = dict(found.fetchall())

    def close(self) -> None:
        self._connection.close()

    def sql(self, statement: Any, *values: object) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def asset(
        self, number: int, serial: str, category: str, *tags: str, domain: str = "DEL-D01",
        dma_id: str | None = None, rating: str | None = None,
    ) -> None:  # fmt: skip
        self.sql(INSERT_ASSET, number, serial, category, domain, dma_id, rating)
        for tag in tags:
            self.sql(MAP_TAG, number, tag, tag)

    def put(self, number: int, begin: datetime, values: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Five-minute values of an asset, one after the other; NaN leaves the five minutes out."""
        steps = len(next(iter(values.values())))
        times = [(begin + step * timedelta(minutes=5)).isoformat() for step in range(steps)]
        lines = [
            f"{at}\t{number}\t{tag}\t{self._numbers[tag]}\t20\t20\t20\t{20 * value}\t{value}"
            f"\t{value}\t{value}\t{at}\t{value}\t{at}\t0\n"
            for tag, series in values.items()
            for at, value in zip(times, series.tolist(), strict=True)
            if value == value
        ]
        with self._connection.cursor() as cursor, cursor.copy(COPY_VALUES) as copy:
            copy.write("".join(lines))


async def register_of(database: Database) -> Register:
    return await RegisterStore(database).load_if_changed(Register())
