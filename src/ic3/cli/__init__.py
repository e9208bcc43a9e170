"""The command line: data on stdout, talk on stderr."""

import logging
import sys
from importlib import import_module
from typing import Annotated, Final, NoReturn

import typer

from ic3 import __version__
from ic3.errors import (
    DatabaseAway,
    GatewayError,
    IC3Error,
    LoginError,
    ServerAway,
    SettingsError,
)

OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2
WARNINGS: Final = 3
LOGIN: Final = 4
UNREACHABLE: Final = 5
INTERRUPTED: Final = 130

app = typer.Typer(
    name="ic3",
    help="Control-room platform of a water utility. Start with: ic3 demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _version(*, value: bool) -> None:
    if value:
        print(f"ic3 {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> NoReturn:
    """Run a command; every foreseeable fault is one line and an exit code."""
    for name in (
        "run", "status", "read", "setup", "plant", "tags", "export", "assets", "alarms", "tail",
        "network", "orders", "backup", "evaluate", "incident", "analytics",
    ):  # fmt: skip
        import_module(f"ic3.cli.{name}")
    # What the driver meets is told by the store in our words; its own lines have no stamp.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    try:
        app(standalone_mode=True)
    except IC3Error as error:
        if "--debug" in sys.argv:
            raise
        print(f"ic3: {error}{_next_step(error)}", file=sys.stderr)
        sys.exit(_code_of(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.exit(OK)
    sys.exit(OK)


def _next_step(error: IC3Error) -> str:
    """What the layer below cannot know: where a command finds its database."""
    if isinstance(error, DatabaseAway):
        return "; check DATABASE_URL, and that the server runs and lets this user in"
    return ""


def _code_of(error: IC3Error) -> int:
    match error:
        case DatabaseAway() | GatewayError() | ServerAway():
            return UNREACHABLE
        case LoginError():
            return LOGIN
        case SettingsError():
            return USAGE
        case _:
            return PROBLEM
