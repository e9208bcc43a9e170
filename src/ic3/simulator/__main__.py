"""Run the simulated plant behind its gateway, or write its history: `python -m ic3.simulator`."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import uvloop

from ic3.simulator import history, scenarios
from ic3.simulator.checkpoint import Moment, keep, load, resume, save
from ic3.simulator.clock import SECOND_NS, PlantClock
from ic3.simulator.demand import DAY_S
from ic3.simulator.faults import FaultError
from ic3.simulator.gateway import PlantGateway
from ic3.simulator.plant import Plant
from ic3.simulator.redis_source import RedisSource

KEEP_EVERY_S: Final = 300


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ic3.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="file that keeps levels and totals")
    parser.add_argument("--scenario", default="none", help="none, demo, history or a JSON file")
    parser.add_argument(
        "--history-days", type=float, help="write so much history to stdout, and end"
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--interval", type=float, default=15.0, help="seconds a tick; 0: by hand")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="play the last day so many times faster, then live"
    )
    parser.add_argument("--replicate", type=int, default=1, help="copies of every asset")
    parser.add_argument("--bare-list", action="store_true", help="list the keys without a wrapper")
    parser.add_argument("--redis", help="serve from this Redis, redis://127.0.0.1:6379/0")
    parser.add_argument("--address-file", type=Path, help="write the address there")
    parser.add_argument("--watch-parent", action="store_true", help="end when the parent is gone")
    return parser.parse_args()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


async def _outlived_parent(parent: int) -> None:
    while os.getppid() == parent:  # noqa: ASYNC110  nothing tells us; it has to be asked
        await asyncio.sleep(1)


def _begin(arguments: argparse.Namespace, clock: PlantClock) -> tuple[Plant, Moment]:
    """The plant at the last tick before now, and its first moment."""
    plant = Plant(arguments.seed, arguments.replicate)
    found = load(arguments.state, seed=arguments.seed)
    interval_ns = int((arguments.interval or 15) * SECOND_NS)
    now_ns = clock.now_ns()
    at_s = now_ns // interval_ns * interval_ns // SECOND_NS
    begun = resume(plant, found, at_s=at_s)
    # What was started by hand goes on; a timetable begins anew.
    plant.faults.restore([event for event in plant.faults.events if event.by == "hand"])
    scenarios.plan(plant.faults, arguments.scenario, from_s=now_ns / SECOND_NS)
    return plant, begun


def _keeper(path: Path | None, plant: Plant, begun: Moment) -> Callable[[], None]:
    """Keeps the plant's state every five minutes of its time."""
    kept_s = plant.at_s

    def kept() -> None:
        nonlocal kept_s
        if plant.at_s - kept_s >= KEEP_EVERY_S:
            kept_s = plant.at_s
            save(path, keep(plant, begun=begun))

    save(path, keep(plant, begun=begun))
    return kept


async def _serve(arguments: argparse.Namespace, parent: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    behind_s = DAY_S if arguments.speed > 1 else 0
    clock = PlantClock(speed=arguments.speed, behind_s=behind_s)
    plant, begun = _begin(arguments, clock)
    source = RedisSource(arguments.redis) if arguments.redis else None
    gateway = PlantGateway(
        plant, interval_s=arguments.interval, bare_list=arguments.bare_list, clock=clock,
        source=source,
    )  # fmt: skip
    server = await gateway.listen(arguments.host, arguments.port)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"http://{host}:{server.sockets[0].getsockname()[1]}"
    if arguments.address_file:
        arguments.address_file.write_text(address + "\n", encoding="ascii")
    sys.stdout.write(f"ic3 simulator listening on {address}\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as tasks:
        kept = _keeper(arguments.state, plant, begun)
        running = [tasks.create_task(gateway.run_ticks(kept))]
        if arguments.watch_parent:
            watch = tasks.create_task(_outlived_parent(parent))
            watch.add_done_callback(lambda _: stop.set())
            running.append(watch)
        await stop.wait()
        for task in running:
            task.cancel()
    gateway.close(server)
    save(arguments.state, keep(plant, begun=begun))
    if arguments.address_file:
        arguments.address_file.unlink(missing_ok=True)


def main() -> int:
    """Serve until SIGTERM, SIGINT or, if asked to watch it, the end of the parent."""
    parent = os.getppid()
    arguments = _arguments()
    if not _is_loopback(arguments.host):
        sys.stderr.write(f"ic3 simulator: {arguments.host} is not a loopback address\n")
        return 2
    try:
        if arguments.history_days is not None:
            with contextlib.suppress(BrokenPipeError):  # the reader was stopped
                history.write(
                    sys.stdout.buffer, seed=arguments.seed, days=arguments.history_days,
                    scenario=arguments.scenario, state=arguments.state,
                )  # fmt: skip
            return 0
        uvloop.run(_serve(arguments, parent))
    except FaultError as error:
        sys.stderr.write(f"ic3 simulator: {error}\n")
        return 2
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"ic3 simulator: cannot listen: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
