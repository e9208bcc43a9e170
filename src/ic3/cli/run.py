"""Commands that run or prepare the product: demo, serve, migrate."""

import logging
import sys
from typing import Annotated

import typer

from ic3 import __version__
from ic3.cli import app
from ic3.settings import Settings, load

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell the plan.")]


@app.command()
def serve() -> None:
    """Run everything: database, gateway or simulated plant, workers, API, WebSocket."""
    _serve(demo=False)


@app.command()
def demo() -> None:
    """The same as serve, with faults of the simulated plant; shows the first login."""
    _serve(demo=True)


@app.command()
def migrate(dry_run: DryRun = False) -> None:
    """Bring the database to this version's schema; adopts one of the original backend."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.store import migrate as migrations

    async def work() -> list[str]:
        async with opened(settings, only_look=dry_run) as (dsn, _):
            return await migrations.migrate(dsn, adopt_zone=settings.adopt_zone, dry_run=dry_run)

    steps = run(work())
    for step in steps:
        print(f"{'would ' if dry_run else ''}{step}")
    if not steps:
        say("the schema is up to date")


def _serve(*, demo: bool) -> None:
    settings = load()
    # First line before the heavy imports: a person sees at once that something happens.
    # The address may hold a password, which the client refuses below.
    plant = (settings.redis_api_base or "simulated plant").rpartition("@")[2]
    _say(f"ic3 {__version__} starting on http://{settings.host}:{settings.port} — gateway: {plant}")
    import uvloop

    from ic3.app.serve import serve as run_product
    from ic3.clock import Clock
    from ic3.observers import LibraryHandler, LogObserver

    logging.getLogger().addHandler(LibraryHandler(LogObserver(settings.log_format)))
    talker = Talker(settings, demo=demo)
    uvloop.run(
        run_product(
            settings,
            clock=Clock(),
            observe=talker.tell,
            show_login=talker.login,
            scenario="demo" if demo else "none",
        )
    )
    _say("stopped")


class Talker:
    """Tells a person at the terminal what happens at start."""

    def __init__(self, settings: Settings, *, demo: bool) -> None:
        self._settings = settings
        self._demo = demo
        self._login = ""

    def tell(self, observation: object) -> None:
        """Show where the product is once it serves."""
        from ic3.observations import Serving

        if isinstance(observation, Serving) and self._demo:
            _say("")
            _say(f"  IC³ is running:  {observation.address}")
            _say(f"  {self._login or 'login: as before (ic3 user add makes another)'}")
            _say("  stop with Ctrl-C")
            _say("")

    def login(self, first: object) -> None:
        """Show the first login once."""
        from ic3.app.logins import FirstLogin

        assert isinstance(first, FirstLogin)
        if first.password is None:
            words = "with the password of IC3_ADMIN_PASSWORD"
        else:
            words = f"{first.password}   (shown only now)"
        self._login = f"first login:     {first.username}  {words}"
        if not self._demo:
            _say(self._login)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
