"""`make bench-orders`: what a list of work orders costs, far down and among many.

On an embedded PostgreSQL of its own. A list of 100,000 orders is walked to its 1,000th page of a
hundred; then the first and that page are read in turns, so that both meet the same weather. The
same for 1,000 and 100,000 orders. Last, the whole server on loopback answers four connections.
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
from typing import Any, Final

import uvloop

from ic3.api import work_orders
from ic3.api.live import StreamProtocol
from ic3.api.once import Once
from ic3.api.server import Route, build, listen, server
from ic3.api.work_orders import OrderDesk
from ic3.clock import Clock
from ic3.dashboard import Dashboard, StaticFile
from ic3.domain.access import PendingEvents
from ic3.domain.alarms import Alarms
from ic3.domain.latest import LatestReadings
from ic3.domain.users import Principal, Role
from ic3.domain.work_orders import OrderQuery, Place, Sort
from ic3.embedded.postgres import EmbeddedPostgres
from ic3.store.migrate import migrate
from ic3.store.pool import Database
from ic3.store.reliability import ReliabilityStore
from ic3.store.work_orders import WorkOrderStore, place_of

RESULTS: Final = Path(__file__).resolve().parent.parent / "docs" / "results"
MANY: Final = 100_000
FEW: Final = 1000
PAGE: Final = 100
TURNS: Final = 200
CONNECTIONS: Final = 4
REQUESTS: Final = 250
FILL: Final = """
INSERT INTO ic3_work_order (kind, state, priority, title, serial, category, domain, assignee,
    created_at, created_by, updated_at, start_due_at, due_at, failed_at, done_at, returned_at)
SELECT 'corrective', (ARRAY['open', 'assigned', 'in_progress', 'closed', 'closed'])[n %% 5 + 1],
    n %% 4 + 1, 'Leak at the gland of pump ' || n, 'A Block_Pump_' || n %% 3000, 'pump',
    'DEL-D' || lpad((n %% 20 + 1)::text, 2, '0'), 'user ' || n %% 40, at, 'asha',
    at + interval '1 hour', at + interval '1 hour', at + interval '1 day', at,
    at + interval '8 hours', at + interval '7 hours'
FROM generate_series(1, %(rows)s) n,
    LATERAL (SELECT now() - (%(rows)s - n) * interval '5 minutes' AS at) t
"""


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def in_turns(
    one: Callable[[], Awaitable[Any]], other: Callable[[], Awaitable[Any]]
) -> tuple[float, float]:
    """Lower deciles in ms: what else the machine does is no part of what a page costs."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        times[0].append(await timed(one))
        times[1].append(await timed(other))
    first, second = (statistics.quantiles(each, n=10)[0] for each in times)
    return first, second


async def deep(store: WorkOrderStore, now: datetime) -> dict[str, dict[str, float]]:
    """Page 1 against page 1,000, for each sort."""
    found = {}
    for sort in Sort:
        wanted = OrderQuery(sort=sort)
        place: Place | None = None
        for _ in range(MANY // PAGE - 1):
            page = await store.page(wanted, now=now, limit=PAGE, after=place)
            place = place_of(page[-1], sort)

        def read(after: Place | None, wanted: OrderQuery = wanted) -> Awaitable[Any]:
            return store.page(wanted, now=now, limit=PAGE, after=after)

        last = place
        assert len(await read(last)) == PAGE
        first_ms, last_ms = await in_turns(lambda: read(None), lambda: read(last))  # noqa: B023  at once
        found[sort.value] = {"page 1": first_ms, "page 1,000": last_ms, "ratio": last_ms / first_ms}
    return found


async def broad(few: WorkOrderStore, many: WorkOrderStore, now: datetime) -> dict[str, Any]:
    """The first page of 1,000 orders against that of 100,000."""
    found = {}
    for name, wanted in (
        ("newest", OrderQuery()), ("of one asset", OrderQuery(serial="A Block_Pump_7")),
        ("of one domain", OrderQuery(scope=["DEL-D07"])),
        ("soonest due, open", OrderQuery(sort=Sort.DUE, states=["open"])),
    ):  # fmt: skip

        def read(store: WorkOrderStore, wanted: OrderQuery = wanted) -> Awaitable[Any]:
            return store.page(wanted, now=now, limit=PAGE, after=None)

        few_ms, many_ms = await in_turns(lambda: read(few), lambda: read(many))
        found[name] = {"1,000": few_ms, "100,000": many_ms, "ratio": many_ms / few_ms}
    return found


async def served(pool: Database) -> dict[str, dict[str, float]]:
    """What four connections at once meet, over HTTP."""
    clock, alarms = Clock(), Alarms()
    desk = OrderDesk(
        WorkOrderStore(pool), ReliabilityStore(pool), alarms, LatestReadings(), clock
    )  # fmt: skip
    routes = [
        Route("GET", "/api/work-orders", work_orders.listed, Role.VIEWER),
        Route("GET", "/api/work-orders/{order_id:int}", work_orders.one, Role.VIEWER),
        Route("GET", "/api/work-orders/kpi", work_orders.kpi, Role.VIEWER),
    ]
    application = build(
        routes, dependencies={"order_desk": desk}, hot={}, sockets={},
        dashboard=Dashboard(StaticFile(b"", "text/html")), once=Once(pool, clock),
        verify=lambda _: Principal("bench", Role.VIEWER, 2e9), origins=(), observe=print,
        clock=clock, events=PendingEvents(),
    )  # fmt: skip
    bound = listen("127.0.0.1", 0)
    http = server(application, http=StreamProtocol, websocket=object)
    http.config.ws = "none"
    port = bound.getsockname()[1]
    found = {}
    async with asyncio.TaskGroup() as group:
        group.create_task(http.serve(sockets=[bound]))
        while not http.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)
        for name, target in (
            ("list of 100", "/api/work-orders"), ("one order", "/api/work-orders/50000"),
            ("figures by kind, 30 days", "/api/work-orders/kpi"),
        ):  # fmt: skip
            asked = await asyncio.gather(*(ask(port, target) for _ in range(CONNECTIONS)))
            times = sorted(each for connection in asked for each in connection)
            found[name] = {
                "p50": statistics.median(times), "p99": times[int(len(times) * 0.99)],
            }  # fmt: skip
        http.should_exit = True
    return found


async def ask(port: int, target: str) -> list[float]:
    """One connection that asks again and again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n".encode()
    times = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        assert head.startswith("http/1.1 200"), head
        await reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
        times.append((time.perf_counter() - began) * 1000)
    writer.close()
    return times


async def filled(postgres_dsn: str, rows: int) -> Database:
    """A pool, as the API's is, on a database with so many orders."""
    await migrate(postgres_dsn, adopt_zone="Asia/Kolkata")
    pool = Database(postgres_dsn, name="bench", size=5, statement_timeout_s=60, clock=Clock())
    await pool.open()
    async with pool.connection() as connection:
        await connection.execute(FILL, {"rows": rows})
    async with pool.connection() as connection:
        await connection.execute("ANALYZE ic3_work_order")
    return pool


async def measure(place: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    few, many = (EmbeddedPostgres(place / name) for name in ("few", "many"))
    try:
        small, large = await filled(await few.start(), FEW), await filled(await many.start(), MANY)
        now = datetime.now(UTC)
        found["deep"] = await deep(WorkOrderStore(large), now)
        found["broad"] = await broad(WorkOrderStore(small), WorkOrderStore(large), now)
        found["served"] = await served(large)
        for pool in (small, large):
            await pool.close()
    finally:
        await few.stop()
        await many.stop()
    return found


def table(found: dict[str, dict[str, float]]) -> list[str]:
    headings = ["", *next(iter(found.values()))]
    return [
        "| " + " | ".join(headings) + " |", "|" + "---|" * len(headings),
        *(
            f"| {name} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |"
            for name, row in found.items()
        ),
    ]  # fmt: skip


def page_of(found: dict[str, Any]) -> str:
    lines = [
        "# Work orders", "",
        f"Of {found['at']}, {found['machine']}. Milliseconds, lower deciles of {TURNS} turns; pages"
        f" of {PAGE}. Written by `make bench-orders`.", "",
        "## Page 1 and page 1,000 of 100,000 orders", "",
        "Bound: 1.2 times.", "", *table(found["deep"]), "",
        "## The first page of 1,000 and of 100,000 orders", "", *table(found["broad"]), "",
        f"## Over HTTP, {CONNECTIONS} connections, 100,000 orders", "", *table(found["served"]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="ic3-bench-"))
    place.chmod(0o755)
    try:
        found = uvloop.run(measure(place))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    found["at"] = datetime.now(UTC).isoformat(timespec="seconds")
    found["machine"] = f"{os.cpu_count()} shared cores, {platform.machine()}"
    arguments.results.mkdir(parents=True, exist_ok=True)
    (arguments.results / "orders.json").write_text(json.dumps(found, indent=1) + "\n")
    (arguments.results / "orders.md").write_text(page_of(found))
    print(page_of(found))
    return int(any(row["ratio"] > 1.2 for row in found["deep"].values()))


if __name__ == "__main__":
    raise SystemExit(main())
