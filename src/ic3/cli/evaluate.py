"""`ic3 eval`: the analytics scored on labelled data."""

from pathlib import Path
from typing import Annotated

import typer

from ic3.cli import app
from ic3.evaluation.report import DEFAULT_DATA, HEADINGS, NUMBERS


@app.command("eval")
def evaluate(
    data: Annotated[
        Path, typer.Option("--data", help="Folder with labelled files, searched to its bottom.")
    ] = DEFAULT_DATA,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for eval.json, eval.md and figures; default: none."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on standard output.")] = False,
) -> None:
    """Score anomaly detection, pump health and water balance, beside blind baselines."""
    from tempfile import TemporaryDirectory

    from ic3.cli.connect import put_json, put_table, say
    from ic3.clock import Clock
    from ic3.evaluation.report import rows, write
    from ic3.evaluation.run import run

    with TemporaryDirectory() as nowhere:
        report = run(data, out=out or Path(nowhere), clock=Clock(), say=say)
    if out is not None:
        write(report, out)
    if as_json:
        put_json(report)
    else:
        put_table(HEADINGS, rows(report.scores), right=NUMBERS)
