"""Print the OpenAPI document without a server: the dashboard's types are made of it."""

import sys
from inspect import signature
from typing import Final, cast, get_args

import msgspec
from litestar.di import NamedDependency

from ic3.api import ROUTES
from ic3.api.once import Once
from ic3.api.openapi import document
from ic3.api.server import Front, build
from ic3.clock import Clock
from ic3.dashboard import read_build
from ic3.domain.access import PendingEvents
from ic3.store.pool import Database

DEPENDENCY: Final = get_args(NamedDependency)[1]


def main() -> int:
    """Write it to standard output, indented."""
    parameters = [each for line in ROUTES for each in signature(line.handler).parameters.values()]
    parts = {each.name for each in parameters if DEPENDENCY in get_args(each.annotation)}
    # Nothing is asked: a pool that is never opened will do.
    clock = Clock()
    database = Database("", name="unopened", size=1, statement_timeout_s=1, clock=clock)
    front = build(
        ROUTES, dependencies=dict.fromkeys(parts), hot={}, sockets={},
        dashboard=read_build(), verify=lambda _: None, origins=(), observe=lambda _: None,
        clock=clock, events=PendingEvents(), once=Once(database, clock),
    )  # fmt: skip
    application = cast("Front", front).framework
    found = document(application)
    for operations in found["paths"].values():
        for operation in operations.values():
            # Every refusal is a Problem; repeated at each route they are nine tenths of the types.
            operation["responses"] = {
                status: answer
                for status, answer in operation["responses"].items()
                if status.startswith("2")
            }
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
