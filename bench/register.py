"""`make bench-register`: an import of 10,000 rows, and what the last page of a list costs.

All on an embedded PostgreSQL of its own, through the parts that the API uses. A list is walked to
its 1,000th page of ten; then the first and the last page are read in turns, so that both meet the
same weather.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ic3.clock import Clock
from ic3.domain.acts import Actor
from ic3.domain.imports import COLUMNS, cells, read_csv
from ic3.domain.register import AssetQuery, Place, Sort
from ic3.domain.spreadsheets import csv_text
from ic3.embedded.postgres import EmbeddedPostgres
from ic3.store.assets import AssetStore
from ic3.store.exports import ExportStore
from ic3.store.mappings import MappingStore
from ic3.store.migrate import migrate
from ic3.store.pool import Database
from ic3.store.register import RegisterStore

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
ACTOR = Actor("bench", "account", "cli")
ROWS = 10_000
PAGE = 10
CATEGORIES = ("pump", "sluice valve", "LT panel", "flow meter", "level transmitter")


def file_of(rows: int, *, changed: bool = False) -> bytes:
    """A register as its file, every cell of every row filled."""
    lines = []
    for number in range(rows):
        row: dict[str, object] = dict.fromkeys(COLUMNS["register"]) | {
            "serialnumber": f"Block {number % 97} Ranjeet Nagar_{number:05}",
            "name": f"Asset {number * 7919 % rows}", "category": CATEGORIES[number % 5],
            "domain": f"DEL-D{number % 20 + 1:02}", "dma_id": f"DEL-D{number % 20 + 1:02}-A1",
            "longitude": 77 + number / 1e5, "latitude": 28 + number / 1e5,
            "criticality": ("High", "Medium", "Low")[number % 3], "status": "Active",
            "capacity_rating": "400 kVA", "in_charge_person": "R. Verma",
            "asset_live_status": "Live", "cmms_asset_id": str(number), "barcode": f"IC3-{number}",
            "traceability_id": str(70_000 + number), "ticketcount": number % 4,
            "schedulecount": 2 if changed else 1, "site": f"Site {number % 200}",
            "external_ids": [{"system": "gis", "id": str(number)}],
        }  # fmt: skip
        lines.append(cells("register", row))
    return csv_text([list(COLUMNS["register"]), *lines]).encode()


async def timed(work: Callable[[], Awaitable[Any]]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = await work()
    return time.perf_counter() - began, found


async def imports(database: Database) -> dict[str, float]:
    """Seconds of each kind of import, from the bytes of the file to the commit."""
    store = MappingStore(database)

    async def load(body: bytes, *, dry_run: bool) -> Any:
        parsed = await asyncio.to_thread(read_csv, "register", body)
        assert not parsed.problems
        return await store.import_file(ACTOR, "register", parsed.rows, dry_run=dry_run)

    first, second = file_of(ROWS), file_of(ROWS, changed=True)
    found = {}
    for name, body, dry_run in (
        ("dry run, all new", first, True), ("import, all new", first, False),
        ("import, all the same", first, False), ("dry run, all changed", second, True),
        ("import, all changed", second, False),
    ):  # fmt: skip
        found[name], _ = await timed(lambda body=body, dry=dry_run: load(body, dry_run=dry))  # type: ignore[misc]
    return found


async def ratios(read: Callable[[Any], Awaitable[Any]], last: Any) -> dict[str, float]:
    """Lower deciles of the first and of the last page, read in turns, in ms.

    Not medians: what else the machine does is no part of what a page costs.
    """
    first_s, last_s = [], []
    for _ in range(300):
        first_s.append((await timed(lambda: read(None)))[0])
        last_s.append((await timed(lambda: read(last)))[0])
    first, end = (statistics.quantiles(each, n=10)[0] * 1000 for each in (first_s, last_s))
    return {"page 1, ms": first, "page 1,000, ms": end, "ratio": end / first}


async def lists(database: Database) -> dict[str, dict[str, float]]:
    """The lists of the register, each walked to its last page."""
    assets, registers = AssetStore(database), RegisterStore(database)
    found = {}
    for sort in Sort:

        def page(place: Place | None, sort: Sort = sort) -> Awaitable[Any]:
            return assets.page(AssetQuery(), sort=sort, limit=PAGE, after=place)

        place: Place | None = None
        for _ in range(ROWS // PAGE - 1):
            _, place = await page(place)
        rows, more = await page(place)
        assert (len(rows), more) == (PAGE, None)
        found[f"assets by {sort.value}"] = await ratios(page, place)

    def of_cmms(after: str | None) -> Awaitable[Any]:
        return registers.assets(None, limit=PAGE, after=after or "")

    after = ""
    for _ in range(ROWS // PAGE - 1):
        after = str((await of_cmms(after))[-1]["serialnumber"])
    found["assets of the CMMS"] = await ratios(of_cmms, after)
    return found


async def measure(place: Path) -> dict[str, Any]:
    postgres = EmbeddedPostgres(place / "data")
    try:
        dsn = await postgres.start()
        await migrate(dsn, adopt_zone="Asia/Kolkata")
        # As the API's pool is: no statement longer than a request may take.
        pool = Database(dsn, name="bench", size=2, statement_timeout_s=5, clock=Clock())
        await pool.open()
        seconds = await imports(pool.limited(120))
        async with pool.connection() as connection:
            await connection.execute("ANALYZE ic3_asset_master")
        pages = await lists(pool)

        async def export() -> int:
            return sum([len(page) async for page in ExportStore(pool).pages("register", None)])

        seconds["export"], rows = await timed(export)
        assert rows == ROWS
        await pool.close()
        return {"imports_s": seconds, "lists": pages}
    finally:
        await postgres.stop()


def page_of(found: dict[str, Any]) -> str:
    lines = [
        "# The register at 10,000 rows", "",
        f"Of {found['at']}, on {found['machine']}. Every cell is filled. Bounds: an import 5 s;"
        " page 1,000", "of a list 1.2 times page 1. Written by `make bench-register`.", "",
        "| work | seconds |", "|---|---|",
        *(f"| {name} | {seconds:.2f} |" for name, seconds in found["imports_s"].items()), "",
        "| list, ten rows a page | page 1, ms | page 1,000, ms | ratio |", "|---|---|---|---|",
        *(
            f"| {name} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |"
            for name, row in found["lists"].items()
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="ic3-bench-"))
    place.chmod(0o755)
    found = asyncio.run(measure(place))
    shutil.rmtree(place, ignore_errors=True)
    found["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    found["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    (arguments.results / "register.json").write_text(json.dumps(found, indent=1) + "\n")
    text = page_of(found)
    (arguments.results / "register.md").write_text(text)
    print(text)
    worst = max(row["ratio"] for row in found["lists"].values())
    return 0 if worst <= 1.2 and max(found["imports_s"].values()) <= 5 else 1


if __name__ == "__main__":
    raise SystemExit(main())
