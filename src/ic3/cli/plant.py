"""Commands for the simulated plant: its faults and its history."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ic3.cli import app
from ic3.errors import GatewayError, InputError
from ic3.settings import Settings, load

AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]

plant_app = typer.Typer(
    help="The simulated plant: start and end its faults, write its history.", no_args_is_help=True
)
app.add_typer(plant_app, name="plant")
faults_app = typer.Typer(
    help="Faults of the simulated plant. For example:\n\n"
    "  ic3 plant faults kinds\n\n"
    "  ic3 plant faults start leak 'Kirti Nagar' --magnitude 30 --minutes 60\n\n"
    "  ic3 plant faults list\n\n"
    "  ic3 plant faults end 12",
    no_args_is_help=True,
)
plant_app.add_typer(faults_app, name="faults")
TIMEOUT_S: Final = 10


@faults_app.command("kinds")
def kinds(as_json: AsJson = False) -> None:
    """What faults there are, what they are played on, and their usual size."""
    settings = load()
    from ic3.cli.connect import put_json, put_table

    found = _ask(settings, "GET", "/plant/kinds")
    if as_json:
        put_json(found)
        return
    put_table(
        ["kind", "played on", "usual", "minutes", "what happens"],
        [
            [each["name"], each["target"],
             f"{each['usual']:g} {each['unit']}" if each["unit"] else "",
             f"{each['minutes']:g}", each["what"]]
            for each in found
        ],
        right={3},
    )  # fmt: skip


@faults_app.command("list")
def faults_list(
    everything: Annotated[bool, typer.Option("--all", help="What is planned later, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What goes on, and what comes in the next two hours."""
    settings = load()
    from ic3.cli.connect import age, put_json, put_table, say

    document = _ask(settings, "GET", "/plant/faults")
    now_s = document["at_s"]
    found = [e for e in document["faults"] if everything or e["begins_s"] < now_s + 7200]
    if as_json:
        put_json({**document, "faults": found})
        return
    if not found:
        say("nothing goes on or is planned; start something: ic3 plant faults start --help")
        return
    put_table(
        ["number", "fault", "where", "size", "state", "by"],
        [
            [str(e["number"]), e["kind"], e["where"],
             f"{e['magnitude']:g} {e['unit']}" if e["unit"] else "",
             f"on, ends in {age(e['ends_s'] - now_s)}" if e["begins_s"] <= now_s
             else f"begins in {age(e['begins_s'] - now_s)}", e["by"]]
            for e in sorted(found, key=lambda each: (each["begins_s"], each["number"]))
        ],
        right={0},
    )  # fmt: skip


@faults_app.command("start")
def faults_start(
    kind: Annotated[str, typer.Argument(help="See: ic3 plant faults kinds")],
    where: Annotated[
        str,
        typer.Argument(help="DMA, serial number, SERIAL:TAG, station, or gateway (the default)."),
    ] = "gateway",
    minutes: Annotated[float | None, typer.Option(min=0.01, help="How long.")] = None,
    magnitude: Annotated[float | None, typer.Option(help="In the kind's unit.")] = None,
    after: Annotated[float, typer.Option(min=0, help="Begin in so many minutes.")] = 0,
) -> None:
    """Start a fault now, or in a while."""
    settings = load()
    from ic3.cli.connect import say

    event = _ask(
        settings, "POST", "/plant/faults",
        {"kind": kind, "where": where, "minutes": minutes, "magnitude": magnitude,
         "after_min": after},
    )  # fmt: skip
    print(event["number"])
    say(f"{event['kind']} at {event['where']}; end it with: ic3 plant faults end {event['number']}")


@faults_app.command("end")
def faults_end(
    number: Annotated[int, typer.Argument(help="As ic3 plant faults list says.")],
) -> None:
    """End a fault now."""
    settings = load()
    from ic3.cli.connect import say

    event = _ask(settings, "POST", "/plant/faults/end", {"number": number})
    say(f"{event['kind']} at {event['where']} has ended")


@plant_app.command()
def backfill(
    days: Annotated[
        float, typer.Option(min=0.01, help="How many days before the first reading.")
    ] = 30,
    scenario: Annotated[
        str, typer.Option(help="Faults in it: history, none, or a JSON file.")
    ] = "history",
    as_json: AsJson = False,
) -> None:
    """Write history: every 5 minutes, in the last hour every 15 s, up to the first live reading."""
    settings = load()
    from ic3.cli.backfill import Progress, fill_history
    from ic3.cli.connect import put_json, say

    if scenario not in ("history", "none") and not Path(scenario).is_file():
        raise InputError(f"backfill: {scenario} is no file; or say history or none")
    from ic3.cli.connect import run

    with Progress() as progress:
        outcome = run(fill_history(settings, days=days, scenario=scenario, progress=progress))
    if as_json:
        put_json(outcome)
        return
    say(
        f"{outcome['stored']:,} envelopes and {outcome['rows']:,} monitoring rows of"
        f" {outcome['steps']:,} moments in {outcome['seconds']:.0f} s;"
        f" {outcome['duplicate']:,} envelopes were there already"
    )


def _ask(settings: Settings, method: str, path: str, content: object = None) -> Any:
    """Ask the running plant.

    Raises:
        GatewayError: None runs.
        InputError: It refused, and said why.
    """
    if settings.redis_api_base is not None:
        raise InputError(
            "plant: REDIS_API_BASE names a real gateway; only the simulated plant has faults"
        )
    from ic3.app.plant import PLANT_ADDRESS_FILE

    try:
        base = (settings.data_dir / PLANT_ADDRESS_FILE).read_text(encoding="ascii").strip()
        request = urllib.request.Request(  # noqa: S310  loopback, from our own file
            base + path, method=method,
            data=None if content is None else json.dumps(content).encode(),
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise InputError(f"plant: {json.load(error)['error']}") from None
    except (OSError, ValueError):
        raise GatewayError(
            f"plant: no simulated plant runs with the data directory {settings.data_dir};"
            " start it with ic3 demo"
        ) from None
