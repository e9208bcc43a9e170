"""Export: what is stored, as CSV on standard output."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from ic3.cli import app
from ic3.errors import InputError
from ic3.settings import load

export_app = typer.Typer(help="Write out what is stored.", no_args_is_help=True)
app.add_typer(export_app, name="export")


@export_app.command("telemetry")
def export_telemetry(
    asset: Annotated[str, typer.Option("--asset", help="Serial number.")],
    begin: Annotated[
        str, typer.Option("--from", help="Begin, such as 2026-06-15T00:00:00+05:30; inside.")
    ],
    end: Annotated[str, typer.Option("--to", help="End, likewise; outside.")],
    tags: Annotated[str, typer.Option("--tag", help="Tags, separated by commas.")] = "",
    bucket: Annotated[
        str, typer.Option("--bucket", help="raw, 5m, 1h, day, week or month.")
    ] = "raw",
    aggregates: Annotated[
        str, typer.Option("--agg", help="Of a bucket: mean, min, max, last, increase and others.")
    ] = "mean,min,max",
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, the only form there is.")] = True,
) -> None:
    """The readings of an asset as CSV, with the columns of /api/monitoring/history."""
    settings = load()
    from zoneinfo import ZoneInfo

    from ic3.cli.connect import opened, run
    from ic3.clock import Clock
    from ic3.domain.history import DEFAULT_POINTS, ask, csv_headings, csv_rows
    from ic3.domain.spreadsheets import csv_text
    from ic3.store.history import HistoryStore

    query = ask(
        serial=asset, tags=tags, begin=begin, end=end, bucket=bucket, aggregates=aggregates,
        max_points=DEFAULT_POINTS, zone=ZoneInfo(settings.zone),
    )  # fmt: skip

    async def work() -> None:
        async with opened(settings) as (_, pool):
            store = HistoryStore(pool, zone=settings.zone)
            register_id = await store.register_id(query.serial)
            if register_id is None:
                raise InputError(f"export: {asset!r} is not in the register; check the spelling")
            parameters = await store.parameters()
            sys.stdout.write(csv_text([csv_headings(query)]))
            async for page in store.pages(register_id, query, now_us=Clock().now_us()):
                sys.stdout.write(csv_text(csv_rows(query, page, parameters)))

    run(work())


class TableName(StrEnum):
    """What the register consists of."""

    REGISTER = "register"
    PARAMETERS = "parameters"
    TAGMAP = "tagmap"
    DMAS = "dmas"


@export_app.command("register")
def export_register(
    table: Annotated[TableName, typer.Argument(help="Which table.")] = TableName.REGISTER,
) -> None:
    """A table of the register as CSV, in the form that `ic3 import` takes."""
    settings = load()
    from ic3.cli.connect import opened, run
    from ic3.domain.imports import COLUMNS, cells
    from ic3.domain.spreadsheets import csv_text
    from ic3.store.exports import ExportStore

    async def work() -> None:
        async with opened(settings, only_look=True) as (_, pool):
            sys.stdout.write(csv_text([list(COLUMNS[table.value])]))
            async for page in ExportStore(pool).pages(table.value, None):
                sys.stdout.write(csv_text(cells(table.value, row) for row in page))

    run(work())
