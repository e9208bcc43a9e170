"""Commands for the pipe network: in, out, and which valves to shut."""

import getpass
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ic3.cli import app
from ic3.errors import InputError
from ic3.settings import load

if TYPE_CHECKING:
    from ic3.domain.outage import Trace, ValveView
    from ic3.store.network import Imported

SHOWN: Final = 20
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]

network_app = typer.Typer(
    help="The pipe network. For example:\n\n"
    "  ic3 network import plan.inp --dry-run\n\n"
    "  ic3 network export plan.geojson\n\n"
    "  ic3 network trace D01P02",
    no_args_is_help=True,
)
app.add_typer(network_app, name="network")


class Form(StrEnum):
    """What a file is."""

    INP = "inp"
    GEOJSON = "geojson"


AsForm = Annotated[Form | None, typer.Option("--format", help="inp or geojson; as the name ends.")]


@network_app.command("import")
def import_network(
    file: Annotated[Path, typer.Argument(help="EPANET or GeoJSON file of the whole network.")],
    form: AsForm = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the network what a file says, all or nothing."""
    settings = load()
    from ic3.cli.connect import opened, put_json, run
    from ic3.domain.acts import Actor
    from ic3.domain.inp import read_inp
    from ic3.domain.network import warnings_of
    from ic3.domain.network_geojson import read_geojson
    from ic3.store.network import NetworkStore

    form = form or _form_of(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"network: {file} cannot be read: {error.strerror}") from None
    wanted = (read_inp if form is Form.INP else read_geojson)(content, file.name)

    async def work() -> "Imported":
        async with opened(settings, only_look=dry_run) as (_, pool):
            actor = Actor.at_the_terminal(getpass.getuser())
            store = NetworkStore(pool)
            return await store.replace(actor, wanted, hydraulic=form is Form.INP, dry_run=dry_run)

    done = run(work())
    done.warnings = warnings_of(wanted)
    if as_json:
        put_json(done)
    else:
        _tell(done)


@network_app.command("export")
def export_network(
    file: Annotated[Path | None, typer.Argument(help="Where to; standard output if none.")] = None,
    form: AsForm = None,
) -> None:
    """Write the network for EPANET or as GeoJSON."""
    settings = load()
    from ic3.cli.connect import opened, run
    from ic3.domain.inp import write_inp
    from ic3.domain.network_geojson import write_geojson
    from ic3.store.network import NetworkStore

    form = form or (Form.GEOJSON if file is None else _form_of(file))

    async def work() -> bytes:
        async with opened(settings, only_look=True) as (_, pool):
            network = await NetworkStore(pool).current()
        return write_inp(network).encode() if form is Form.INP else write_geojson(network)

    content = run(work())
    if file is None:
        sys.stdout.write(content.decode())
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"network: {file} cannot be written: {error.strerror}") from None


@network_app.command()
def trace(
    pipe: Annotated[str, typer.Argument(help="Name of the pipe, as GeoJSON and EPANET have it.")],
    as_json: AsJson = False,
) -> None:
    """Which valves shut a pipe off, and who is then without water."""
    settings = load()
    from ic3.cli.connect import opened, put_json, run
    from ic3.domain.isolation import ValveGraph
    from ic3.domain.mapping import Register
    from ic3.domain.outage import Outage
    from ic3.domain.users import Principal, Role
    from ic3.store.layers import nearest_nodes
    from ic3.store.network import NetworkStore
    from ic3.store.register import RegisterStore

    everything = Principal("cli", Role.ADMIN, 0)

    async def work() -> "Trace":
        async with opened(settings, only_look=True) as (_, pool):
            network = await NetworkStore(pool).current()
            register = await RegisterStore(pool).load_if_changed(Register())
        if pipe not in network.links:
            raise InputError(f"network: there is no pipe {pipe!r}; ic3 network export lists them")
        graph = ValveGraph(network)
        outage = Outage(network, graph, graph.isolate(pipe), everything)
        return outage.trace(nearest_nodes(network, register), register)

    found = run(work())
    if as_json:
        put_json(found)
    else:
        _show(found)


def _form_of(file: Path) -> Form:
    match file.suffix.lower():
        case ".inp":
            return Form.INP
        case ".geojson" | ".json":
            return Form.GEOJSON
        case _:
            raise InputError(f"network: {file}: say --format inp or --format geojson")


def _tell(done: "Imported") -> None:
    from ic3.cli.connect import put_table, say

    kinds = (("nodes", done.nodes), ("links", done.links), ("valves", done.valves))
    put_table(
        ["", "added", "changed", "removed", "as before"],
        [
            [kind, *(f"{n:,}" for n in (it.added, it.changed, it.removed, it.unchanged))]
            for kind, it in kinds
        ],
        right={1, 2, 3, 4},
    )
    for kind, each in kinds:
        for what, names in (
            ("added", each.added_names), ("changed", each.changed_names),
            ("removed", each.removed_names),
        ):  # fmt: skip
            if names:
                say(f"{kind} {what}: {_some(names)}")
    for warning in done.warnings:
        say(f"network: {warning}")
    say("network: nothing was written (dry run)" if done.dry_run else "network: imported")


def _show(found: "Trace") -> None:
    from ic3.cli.connect import put_table, say

    def rows(valves: "list[ValveView]", what: str) -> list[list[str]]:
        return [[what, each.valve, each.link, each.node, each.asset_serial or ""]
                for each in valves]  # fmt: skip

    put_table(
        ["", "valve", "on link", "next to", "asset"],
        [
            *rows(found.shut, "shut"), *rows(found.already_shut, "is shut"),
            *rows(found.stuck, "STUCK"),
        ],
    )  # fmt: skip
    cut = found.cut_off
    about = "about " if cut.connections_estimated else ""
    customers = "" if cut.connections is None else f", {about}{cut.connections:,} connections"
    say(f"emptied: {len(found.pipes):,} links, {found.pipes_m:,.0f} m")
    say(f"without water: {len(cut.nodes):,} nodes{customers}, {cut.demand_m3_h:,.1f} m3/h")
    for area in cut.dmas:
        say(f"  {area.dma_id} {area.name or ''}: {area.nodes} of {area.of_nodes} nodes")
    if cut.assets:
        say(f"assets: {_some(cut.assets)}")
    if found.openable:
        say(f"opening one of these brings water beyond: {_some(found.openable)}")
    for each in found.alternatives:
        instead = _some(each.instead) or "nothing else shuts it off"
        say(f"where {each.valve} does not shut: {instead}; {each.more_nodes} nodes more")


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
