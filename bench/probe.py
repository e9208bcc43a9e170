"""Our side of the bench: one measurement as one process, one JSON line on stdout."""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from typing import Any
from urllib.request import urlopen

import uvloop

from ic3.api import ROUTES
from ic3.api.auth import Tickets, Tokens
from ic3.api.live import Admission, FrameProtocol, LiveSocket, StreamProtocol
from ic3.api.monitoring import MonitoringReads
from ic3.api.once import Once
from ic3.api.server import HotRead, build, listen, server
from ic3.clock import Clock
from ic3.dashboard import Dashboard, StaticFile
from ic3.domain.access import Access, PendingEvents
from ic3.domain.envelope import Envelope, EnvelopeRejected, parse, serial_of_key
from ic3.domain.latest import LatestReadings, Movement
from ic3.domain.mapping import Register
from ic3.domain.runs import RecentRuns, Run
from ic3.domain.scope import AssetScope
from ic3.domain.status import Feed
from ic3.domain.users import Role
from ic3.gateway.client import RedisRESTClient
from ic3.gateway.sweep import Sweeper
from ic3.hub.local import LocalHub
from ic3.hub.places import Places
from ic3.store.monitoring import MonitoringStore
from ic3.store.partitions import PartitionStore
from ic3.store.pool import Database
from ic3.store.register import RegisterStore
from ic3.store.telemetry import TelemetryStore

SECRET = "bench-secret-of-more-than-32-bytes"


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def ask(url: str) -> None:
    with urlopen(url, timeout=60) as answer:
        answer.read()


async def fetch(options: argparse.Namespace) -> dict[str, Any]:
    """List, read and decode every key; the first cycle, which learns the gateway, is left out."""
    client = RedisRESTClient(options.gateway, max_in_flight=options.in_flight, timeout_s=60)
    if not options.pipelining:
        client.abandon_pipelining("bench")
    ask(f"{options.gateway}/admin/n?n={options.keys}")
    walls, cpus = [], []
    listed: list[str] = []
    serials: dict[str, str] = {}
    for _ in range(options.cycles + 1):
        taken: list[Envelope] = []
        begun, cpu = time.perf_counter(), cpu_s()
        keys = await client.scan_keys("ic3:latest:*")
        if keys != listed:  # as the sweep does
            listed, serials = keys, {key: serial_of_key(key) for key in keys}

        def receive(
            key: str, text: str, taken: list[Envelope] = taken, serials: dict[str, str] = serials
        ) -> None:
            taken.append(parse(serials[key], text, received_us=0, content_hash=b""))

        failed = await client.read_all(keys, receive, deadline_s=60)
        walls.append(time.perf_counter() - begun)
        cpus.append(cpu_s() - cpu)
        assert not failed, next(iter(failed.values()))
        assert len(taken) == options.keys
    await client.aclose()
    return {
        "cycle_ms": 1000 * statistics.median(walls[1:]),
        "cpu_ms_per_1000": 1e6 * statistics.median(cpus[1:]) / options.keys,
    }


async def sweep(options: argparse.Namespace) -> dict[str, Any]:
    """The whole sweep, everything durable: as the workers do it, the monitoring rows beside."""
    clock = Clock()
    database = Database(options.dsn, name="ic3 bench", size=4, statement_timeout_s=120, clock=clock)
    await database.open()
    await PartitionStore(database, raw_days=1).make(clock.now().date())
    client = RedisRESTClient(options.gateway, max_in_flight=options.in_flight, timeout_s=60)
    ask(f"{options.gateway}/admin/n?n={options.keys}")
    register = await RegisterStore(database).load_if_changed(Register())
    latest = LatestReadings()
    latest.register = register
    latest.replace(await MonitoringStore(database).all_latest())
    sweeper = Sweeper(client, simulated=True, clock=clock)
    telemetry, monitoring = TelemetryStore(database), MonitoringStore(database)
    walls, cpus, phases = [], [], []
    for _ in range(options.cycles + 1):
        begun, cpu = time.perf_counter(), cpu_s()
        one = sweeper.begin()
        await sweeper.run(one, register, deadline_s=60)
        read = time.perf_counter()
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def monitor(one: Any = one, stored: asyncio.Future[bool] = stored) -> Run | None:
            movement = Movement(latest, one.envelopes, now_us=clock.now_us())
            run = await monitoring.save(one, movement, measure_ms=lambda: 1, stored=stored)
            latest.apply(movement.moved, movement.repeated)
            return run

        async with asyncio.TaskGroup() as group:
            task = group.create_task(monitor())
            await telemetry.save(one, now_us=clock.now_us())
            stored.set_result(True)
        walls.append(time.perf_counter() - begun)
        cpus.append(cpu_s() - cpu)
        phases.append(read - begun)
        run = task.result()
        assert one.stored == options.keys, (one.stored, one.failed, one.quarantined)
        assert run is not None
        assert run.rows_inserted == 5 * options.keys, run
        sweeper.accept(one.envelopes)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    await client.aclose()
    await database.close()
    return {
        "cycle_ms": 1000 * statistics.median(walls[1:]),
        "fetch_ms": 1000 * statistics.median(phases[1:]),
        "cpu_ms_per_1000": 1e6 * statistics.median(cpus[1:]) / options.keys,
        "peak_mib": peak_mib,
    }


async def register(options: argparse.Namespace) -> dict[str, Any]:
    """Fill register, parameters and tag map from the gateway's keys."""
    clock = Clock()
    database = Database(options.dsn, name="ic3 bench", size=2, statement_timeout_s=600, clock=clock)
    await database.open()
    client = RedisRESTClient(options.gateway, timeout_s=60)
    ask(f"{options.gateway}/admin/n?n={options.keys}")
    keys = await client.scan_keys("ic3:latest:*")
    assets, tags, names = [], [], {}

    def receive(key: str, text: str) -> None:
        serial = serial_of_key(key)
        assets.append({"serialnumber": serial})
        for tag in parse(serial, text, received_us=0, content_hash=b"").values:
            names[tag] = {"param_tag_code": tag, "parameter_name": tag.title(), "unit": "%"}
            tags.append({"serialnumber": serial, "tag_code": tag, "param_tag_code": tag})

    try:
        await client.read_all(keys, receive, deadline_s=120)
    except EnvelopeRejected as error:
        sys.exit(f"the gateway's envelopes are not taken: {error}")
    store = RegisterStore(database)
    await store.import_rows(
        {"register": assets, "parameters": list(names.values()), "tagmap": tags}
    )
    await client.aclose()
    await database.close()
    return {"assets": len(assets)}


async def serve(options: argparse.Namespace) -> dict[str, Any]:
    """Serve the hot reads and `/ws`; with --publish a sweep of envelopes again and again."""
    clock = Clock()
    latest, runs = LatestReadings(), RecentRuns()
    if options.dsn:
        database = Database(
            options.dsn, name="ic3 bench", size=2, statement_timeout_s=600, clock=clock
        )
        await database.open()
        store = MonitoringStore(database)
        latest.register = await RegisterStore(database).load_if_changed(Register())
        latest.replace(await store.all_latest())
        runs.replace(await store.recent_runs())
    tokens = Tokens(SECRET, life_s=3600, clock=clock)
    tickets = Tickets(clock)
    places = Places(max_clients=20_000, max_per_user=20_000)
    hub = LocalHub(clock=clock, observe=lambda _: None, places=places)
    reads = MonitoringReads(latest, runs)
    admission = Admission(
        verify=tokens.verify,
        use_ticket=tickets.use,
        origins=(),
        insecure=False,
        access=Access(),
        observe=lambda _: None,
    )
    socket_app = LiveSocket(hub=hub, admission=admission, clock=clock, observe=lambda _: None)
    hot = {
        "/api/monitoring/progress": HotRead(reads.progress),
        "/api/monitoring/live": HotRead(reads.live, "serial_number"),
    }
    # None of the routes acts, so none asks it.
    unasked = Once(Database("", name="bench", size=1, statement_timeout_s=5, clock=clock), clock)
    application = build(
        [each for each in ROUTES if each.path in hot],
        dependencies={"reads": reads, "asset_scope": AssetScope(latest, Feed(interval_s=15))},
        hot=hot,
        sockets={"/ws": socket_app},
        dashboard=Dashboard(StaticFile(b"", "text/html")),
        once=unasked,
        verify=tokens.verify,
        origins=(),
        observe=lambda _: None,
        clock=clock,
        events=PendingEvents(),
    )
    http = server(application, http=StreamProtocol, websocket=FrameProtocol)
    bound = listen("127.0.0.1", 0)
    ready = {"port": bound.getsockname()[1], "token": tokens.make("bench", Role.VIEWER)}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as group:
        group.create_task(http.serve(sockets=[bound]))
        group.create_task(hub.run())
        if options.publish:
            group.create_task(publish(hub, options.publish, options.keys))
    return {}


async def publish(hub: LocalHub, clients: int, keys: int) -> None:
    """Once all are there: a sweep, and the next as soon as the loop comes round."""
    frame = "x" * 300
    sweep = [
        Envelope(
            f"asset {number}", "", None, None, None, 0, 0, {}, {}, None, None, 0, b"", frame, frame
        )
        for number in range(keys)
    ]
    while hub.clients < clients:  # noqa: ASYNC110  the hub has no event for it, nor needs one
        await asyncio.sleep(0.02)
    while True:
        hub.publish(sweep)
        hub.check()
        await asyncio.sleep(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", choices=["fetch", "sweep", "register", "serve"])
    parser.add_argument("--gateway", default="")
    parser.add_argument("--dsn", default="")
    parser.add_argument("--keys", type=int, default=557)
    parser.add_argument("--cycles", type=int, default=10)
    parser.add_argument("--in-flight", type=int, default=20)
    parser.add_argument("--no-pipelining", dest="pipelining", action="store_false")
    parser.add_argument("--publish", type=int, default=0)
    options = parser.parse_args()
    work = {"fetch": fetch, "sweep": sweep, "register": register, "serve": serve}[options.work]
    sys.stdout.write(json.dumps(uvloop.run(work(options))) + "\n")


if __name__ == "__main__":
    main()
