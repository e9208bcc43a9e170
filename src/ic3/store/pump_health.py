"""Health of pumps: as they are now, day by day, and what their plates say."""

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from ic3.analytics.pump_limits import limits_for
from ic3.analytics.pump_samples import PumpNameplate
from ic3.domain.acts import Actor
from ic3.domain.etags import still_so
from ic3.domain.pumps import PumpDay, PumpFigures, PumpTrend, figures_of
from ic3.errors import ApiError
from ic3.store.audit import record
from ic3.store.pool import Connection, Database

EXPORT_PAGE: Final = 400
DEFAULT_CLASS: Final = "category I"

KEEP: Final = """
INSERT INTO ic3_pump_health AS kept (asset_id, assessed_at, from_at, until_at, health, coverage,
    worst, assessment, trend)
SELECT asset_id, assessed_at, from_at, until_at, health, coverage, worst, assessment, trend
FROM jsonb_to_recordset(%(rows)s) AS given (asset_id int, assessed_at timestamptz,
    from_at timestamptz, until_at timestamptz, health double precision, coverage double precision,
    worst text, assessment jsonb, trend jsonb)
ORDER BY asset_id
ON CONFLICT (asset_id) DO UPDATE SET assessed_at = excluded.assessed_at,
    from_at = excluded.from_at, until_at = excluded.until_at, health = excluded.health,
    coverage = excluded.coverage, worst = excluded.worst, assessment = excluded.assessment,
    trend = excluded.trend
WHERE kept.until_at <= excluded.until_at
"""
KEEP_DAYS: Final = """
INSERT INTO ic3_pump_day AS kept (asset_id, day, health, coverage, head_percent,
    efficiency_percent, vibration_mm_s, sec_kwh_m3, run_h, known_h, starts, worst, provisional,
    computed_at)
SELECT asset_id, day, health, coverage, head_percent, efficiency_percent, vibration_mm_s,
    sec_kwh_m3, run_h, known_h, starts, worst, provisional, computed_at
FROM jsonb_to_recordset(%(rows)s) AS given (asset_id int, day date, health double precision,
    coverage double precision, head_percent double precision, efficiency_percent double precision,
    vibration_mm_s double precision, sec_kwh_m3 double precision, run_h double precision,
    known_h double precision, starts int, worst text, provisional boolean, computed_at timestamptz)
ORDER BY asset_id, day
ON CONFLICT (asset_id, day) DO UPDATE SET health = excluded.health, coverage = excluded.coverage,
    head_percent = excluded.head_percent, efficiency_percent = excluded.efficiency_percent,
    vibration_mm_s = excluded.vibration_mm_s, sec_kwh_m3 = excluded.sec_kwh_m3,
    run_h = excluded.run_h, known_h = excluded.known_h, starts = excluded.starts,
    worst = excluded.worst, provisional = excluded.provisional, computed_at = excluded.computed_at
"""
# The least healthy first, those whose health was not computed last.
LIST: Final = """
SELECT h.asset_id, m.serialnumber, m.name, m.domain, h.from_at, h.until_at, h.assessed_at,
    h.health, h.coverage, h.worst, h.assessment, h.trend
FROM ic3_pump_health h JOIN ic3_asset_master m ON m.asset_id = h.asset_id
WHERE (coalesce(h.health, 101), h.asset_id) > (%(health)s::float8, %(after)s::int)
    AND (%(serial)s::text IS NULL OR m.serialnumber = %(serial)s::text)
    AND (%(domain)s::text IS NULL OR m.domain = %(domain)s::text)
    AND (%(below)s::float8 IS NULL OR h.health < %(below)s::float8)
    AND (%(scope)s::text[] IS NULL OR m.domain = ANY(%(scope)s::text[]))
ORDER BY coalesce(h.health, 101), h.asset_id LIMIT %(limit)s
"""
DAYS: Final = """
SELECT day, health, coverage, head_percent, efficiency_percent, vibration_mm_s, sec_kwh_m3, run_h,
    known_h, starts, worst, provisional, computed_at
FROM ic3_pump_day
WHERE asset_id = %(asset_id)s AND day < %(before)s AND day >= %(from_day)s
ORDER BY day DESC LIMIT %(limit)s
"""
INDICES: Final = """
SELECT asset_id, day, head_percent, efficiency_percent FROM ic3_pump_day
WHERE asset_id = ANY(%(asset_ids)s::int[]) AND day > %(after)s AND day <= %(until)s
ORDER BY asset_id, day
"""
PLATES: Final = """
SELECT asset_id, version, plate, vibration_class, overhauled_at, changed_at, changed_by
FROM ic3_pump_plate WHERE %(asset_id)s::int IS NULL OR asset_id = %(asset_id)s::int
"""
RATINGS: Final = """
SELECT asset_id, capacity_rating, criticality FROM ic3_asset_master
WHERE asset_id = ANY(%(asset_ids)s::int[])
"""
KEEP_PLATE: Final = """
INSERT INTO ic3_pump_plate AS kept (asset_id, version, plate, vibration_class, overhauled_at,
    changed_at, changed_by)
VALUES (%(asset_id)s, %(version)s, %(plate)s, %(vibration_class)s, %(overhauled_at)s, %(at)s,
    %(who)s)
ON CONFLICT (asset_id) DO UPDATE SET version = excluded.version, plate = excluded.plate,
    vibration_class = excluded.vibration_class, overhauled_at = excluded.overhauled_at,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by
WHERE kept.version = excluded.version - 1
RETURNING version
"""
PUMP: Final = """
SELECT m.asset_id FROM ic3_asset_master m
WHERE m.serialnumber = %(serial)s AND m.category = 'pump'
    AND (%(scope)s::text[] IS NULL OR m.domain = ANY(%(scope)s::text[]))
"""


class Plate(msgspec.Struct, frozen=True, kw_only=True):
    """What the maker says of a pump and its motor, as engineers entered it.

    Attributes:
        version: 0 where nobody has entered anything.
        vibration_class: Whose zones its vibration is judged by.
        overhauled_at: Last recorded overhaul; its reference is learned anew from then.
    """

    version: int
    plate: PumpNameplate
    vibration_class: str = DEFAULT_CLASS
    overhauled_at: datetime | None = None
    changed_at: datetime | None = None
    changed_by: str | None = None


class PumpPlace(NamedTuple):
    """Where a page of pumps begins: behind this health and register id."""

    health: float
    asset_id: int


FIRST: Final = PumpPlace(-1.0, 0)


class PumpRow(NamedTuple):
    """The health of a pump to be stored; `assessment` is a `PumpAssessment` as JSON."""

    asset_id: int
    assessed_at: datetime
    from_at: datetime
    until_at: datetime
    health: float | None
    coverage: float
    worst: str
    assessment: Any
    trend: PumpTrend


class OnePump(msgspec.Struct, frozen=True):
    """A pump's figures, the whole assessment that they are taken from, and its plate."""

    figures: PumpFigures
    assessment: Any
    plate: Plate


class DailyIndex(NamedTuple):
    """Indices of a pump's day; None where they were not computed."""

    day: date
    head_percent: float | None
    efficiency_percent: float | None


class PumpStore:
    """Reads and writes the health of pumps."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def keep(self, rows: Sequence[PumpRow]) -> None:
        """Write the newest health of pumps."""
        async with self.database.connection() as connection:
            await connection.execute(KEEP, {"rows": _json([each._asdict() for each in rows])})

    async def keep_days(self, rows: Sequence[tuple[int, PumpDay]]) -> None:
        """Write days of pumps by register id."""
        given = [{**msgspec.structs.asdict(each), "asset_id": asset_id} for asset_id, each in rows]
        async with self.database.connection() as connection:
            await connection.execute(KEEP_DAYS, {"rows": _json(given)})

    async def page(
        self, scope: list[str] | None, *, now: datetime, limit: int,
        after: PumpPlace = FIRST, domain: str | None = None, below: float | None = None,
    ) -> list[PumpFigures]:  # fmt: skip
        """Pumps by health, the least first; those without one last.

        Args:
            scope: Domains that may be seen; None is all.
            now: Says how old the figures are.
            limit: How many at most.
            after: Place of the last of the page before.
            domain: Only those of this domain.
            below: Only those of less health.
        """
        asked = {
            "scope": scope, "limit": limit, "health": after.health, "after": after.asset_id,
            "domain": domain, "below": below, "serial": None,
        }  # fmt: skip
        async with self.database.connection() as connection:
            rows = await (await connection.execute(LIST, asked)).fetchall()
        return [_figures(row, now) for row in rows]

    async def pages(
        self, scope: list[str] | None, *, now: datetime, domain: str | None, below: float | None
    ) -> AsyncIterator[list[PumpFigures]]:
        """All of them, a page at a time."""
        after, full = FIRST, True
        while full:
            page = await self.page(
                scope, now=now, limit=EXPORT_PAGE, after=after, domain=domain, below=below
            )
            yield page
            full = len(page) == EXPORT_PAGE
            after = place_of(page[-1]) if page else after

    async def one(self, scope: list[str] | None, serial: str, *, now: datetime) -> OnePump:
        """One pump.

        Raises:
            ApiError: 404: there is none that was assessed, or not for this user.
        """
        asked = {
            "scope": scope, "limit": 1, "health": -1, "after": 0, "domain": None, "below": None,
            "serial": serial,
        }  # fmt: skip
        async with self.database.connection() as connection:
            row = await (await connection.execute(LIST, asked)).fetchone()
            if row is None:
                raise ApiError(404, "pump not found", "no such pump was assessed")
            plates = await _plates(connection, row[0])
        return OnePump(
            _figures(row, now), row[10], plates.get(row[0], Plate(version=0, plate=PumpNameplate()))
        )

    async def days(
        self, asset_id: int, *, from_day: date, before: date, limit: int
    ) -> list[PumpDay]:
        """Days of a pump, newest first; `before` is outside."""
        asked = {"asset_id": asset_id, "from_day": from_day, "before": before, "limit": limit}
        async with self.database.connection() as connection:
            rows = await (await connection.execute(DAYS, asked)).fetchall()
        names = PumpDay.__struct_fields__
        return [PumpDay(**dict(zip(names, row, strict=True))) for row in rows]

    async def indices(
        self, asset_ids: Sequence[int], *, after: date, until: date
    ) -> dict[int, list[DailyIndex]]:
        """Daily indices of pumps, oldest first; `after` is outside, `until` inside."""
        asked = {"asset_ids": list(asset_ids), "after": after, "until": until}
        found: dict[int, list[DailyIndex]] = {each: [] for each in asset_ids}
        async with self.database.connection() as connection:
            for asset_id, *rest in await (await connection.execute(INDICES, asked)).fetchall():
                found[asset_id].append(DailyIndex(*rest))
        return found

    async def plates(self) -> dict[int, Plate]:
        """What engineers entered, by register id."""
        async with self.database.connection() as connection:
            return await _plates(connection, None)

    async def ratings(self, asset_ids: Sequence[int]) -> dict[int, tuple[str | None, str | None]]:
        """Capacity rating and criticality as the register spells them, by register id."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(RATINGS, {"asset_ids": list(asset_ids)})
            return {each: (rating, critical) for each, rating, critical in await cursor.fetchall()}


def place_of(pump: PumpFigures) -> PumpPlace:
    """Where the page behind a pump begins."""
    return PumpPlace(101.0 if pump.health is None else pump.health, pump.asset_id)


async def set_plate(
    connection: Connection, actor: Actor, scope: list[str] | None, serial: str, new: Plate,
    if_match: str | None, *, at: datetime,
) -> Plate:  # fmt: skip
    """Enter what the maker says of a pump.

    Args:
        connection: Of the transaction.
        actor: Who enters it.
        scope: Domains that they may change; None is all.
        serial: Of the pump.
        new: What it says; its version is given here.
        if_match: Entity tags of what they saw; None only where nothing was entered yet.
        at: Now.

    Raises:
        ApiError: 404: no such pump. 412, 428: it is another than they saw.
        InputError: No such vibration or insulation class.
    """
    limits_for(new.plate, vibration_class=new.vibration_class)
    row = await (
        await connection.execute(PUMP, {"serial": serial, "scope": scope})
    ).fetchone()  # fmt: skip
    if row is None:
        raise ApiError(404, "pump not found", "there is no such pump in the register")
    before = (await _plates(connection, row[0])).get(row[0])
    if before is not None and if_match is None:
        raise ApiError(428, "precondition required", "send If-Match with the ETag of the plate")
    if before is not None and not still_so(if_match or "", plate_etag(before)):
        raise ApiError(412, "changed meanwhile", "the plate has changed; read it again")
    made = msgspec.structs.replace(
        new, version=1 if before is None else before.version + 1, changed_at=at,
        changed_by=actor.who,
    )  # fmt: skip
    cursor = await connection.execute(
        KEEP_PLATE,
        {
            "asset_id": row[0], "version": made.version, "plate": _json(made.plate),
            "vibration_class": made.vibration_class, "overhauled_at": made.overhauled_at,
            "at": at, "who": actor.who,
        },
    )  # fmt: skip
    if await cursor.fetchone() is None:
        raise ApiError(412, "changed meanwhile", "the plate has changed; read it again")
    await record(
        connection, actor, "pump plate changed", f"asset {serial}",
        before=None if before is None else msgspec.to_builtins(before),
        after=msgspec.to_builtins(made),
    )  # fmt: skip
    return made


def plate_etag(plate: Plate) -> str:
    """The entity tag of a plate."""
    return f'"{plate.version}"'


async def _plates(connection: Connection, asset_id: int | None) -> dict[int, Plate]:
    cursor = await connection.execute(PLATES, {"asset_id": asset_id})
    return {
        row[0]: Plate(
            version=row[1], plate=msgspec.convert(row[2], PumpNameplate), vibration_class=row[3],
            overhauled_at=row[4], changed_at=row[5], changed_by=row[6],
        )
        for row in await cursor.fetchall()
    }  # fmt: skip


def _figures(row: Sequence[Any], now: datetime) -> PumpFigures:
    names = (
        "asset_id", "serial_number", "name", "domain", "from_at", "until_at", "assessed_at",
        "health", "coverage", "worst",
    )  # fmt: skip
    given = dict(zip(names, row[:10], strict=True))
    return figures_of(given, row[10], msgspec.convert(row[11], PumpTrend), now=now)


def _json(content: object) -> Jsonb:
    """As JSON, what is not a number as null."""
    return Jsonb(msgspec.json.decode(msgspec.json.encode(content)))
