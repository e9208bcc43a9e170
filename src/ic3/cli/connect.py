"""What commands share: settings, a database to talk to, output."""

import sys
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from ic3.clock import Clock
from ic3.errors import StartError
from ic3.settings import Settings
from ic3.store.pool import Database
from ic3.store.roles import MIGRATE, held

T = TypeVar("T")
PIPED_WIDTH: Final = 100_000


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work to its end."""
    return uvloop.run(work)


@asynccontextmanager
async def opened(
    settings: Settings, *, only_look: bool = False
) -> AsyncIterator[tuple[str, Database]]:
    """DSN and pool of the configured database.

    The embedded server is used where it runs, and started for the command where it does not.

    Args:
        settings: What the environment says.
        only_look: Never make a new embedded database.

    Raises:
        StartError: There is none to look at.
    """
    from ic3.app.database import database
    from ic3.embedded.running import dsn_of_running, is_there

    if only_look and settings.database_url is None and not is_there(settings.data_dir):
        raise StartError(f"no IC³ data in {settings.data_dir}; start ic3 demo or set IC3_DATA_DIR")
    async with AsyncExitStack() as stack:
        dsn = None if settings.database_url else dsn_of_running(settings.data_dir)
        if dsn is None:
            dsn = await stack.enter_async_context(database(settings, lambda _: None))
        # What a command makes has the owner of what the server makes.
        role = MIGRATE if MIGRATE in await held(dsn) else None
        pool = Database(
            dsn, name="ic3 cli", size=2, statement_timeout_s=60, clock=Clock(), role=role
        )
        await pool.open()
        stack.push_async_callback(pool.close)
        yield dsn, pool


def say(text: str) -> None:
    """Talk, on stderr."""
    print(text, file=sys.stderr)


def put_json(document: object) -> None:
    """Data, on stdout."""
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def put_table(headings: list[str], rows: list[list[str]], *, right: Collection[int] = ()) -> None:
    """A table without borders, on stdout; uncoloured unless something is abnormal."""
    # Where a program reads, one row is one line.
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    console = Console(highlight=False, markup=False, soft_wrap=False, width=width)
    console.print(table(headings, rows, right=right))


def table(headings: list[str], rows: list[list[str]], *, right: Collection[int] = ()) -> Table:
    """A table without borders."""
    made = Table(box=None, pad_edge=False, show_edge=False)
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_safe(cell) for cell in row))
    return made


def age(seconds: float) -> str:
    """An age as people say it."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _safe(text: str) -> str:
    """Control characters and bidi marks from telemetry never reach a terminal."""
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)
