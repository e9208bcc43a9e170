"""Start the demo gateway: `python -m ic3.simulator`."""

import argparse
import asyncio
import os
import signal
import sys
from ipaddress import ip_address

import uvloop

from ic3.simulator.gateway import DemoGateway
from ic3.simulator.plant import DemoPlant


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ic3.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--interval", type=float, default=15.0, help="seconds a tick; 0: by hand")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replicate", type=int, default=1, help="copies of every asset")
    parser.add_argument("--bare-list", action="store_true", help="list the keys without a wrapper")
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


async def _serve(arguments: argparse.Namespace, parent: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    plant = DemoPlant(arguments.seed, arguments.replicate)
    gateway = DemoGateway(plant, interval_s=arguments.interval, bare_list=arguments.bare_list)
    server = await gateway.listen(arguments.host, arguments.port)
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"ic3 simulator listening on http://{host}:{port}\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(gateway.run_ticks())]
        if arguments.watch_parent:
            watch = tasks.create_task(_outlived_parent(parent))
            watch.add_done_callback(lambda _: stop.set())
            running.append(watch)
        await stop.wait()
        for task in running:
            task.cancel()
    gateway.close(server)


def main() -> int:
    """Serve until SIGTERM, SIGINT or, if asked to watch it, the end of the parent."""
    parent = os.getppid()
    arguments = _arguments()
    if not _is_loopback(arguments.host):
        sys.stderr.write(f"ic3 simulator: {arguments.host} is not a loopback address\n")
        return 2
    try:
        uvloop.run(_serve(arguments, parent))
    except (OSError, OverflowError) as error:
        sys.stderr.write(f"ic3 simulator: cannot listen: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
