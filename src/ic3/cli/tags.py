"""Commands about what nothing maps: tags, assets, replays, quarantine."""

import csv
import getpass
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from ic3.cli import PROBLEM, app
from ic3.errors import InputError
from ic3.settings import load

AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="CSV on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would add, write nothing.")]
NoReplay = Annotated[bool, typer.Option("--no-replay", help="Leave the past as it is.")]
Since = Annotated[
    str | None, typer.Option("--since", help="Fill the past from this UTC day, YYYY-MM-DD.")
]
Limit = Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many.")]
PAGE: Final = 1000

tags_app = typer.Typer(help="Tags and assets that nothing maps yet.", no_args_is_help=True)
app.add_typer(tags_app, name="tags")
replay_app = typer.Typer(
    help="Map stored telemetry again; the running server does it.", no_args_is_help=True
)
app.add_typer(replay_app, name="replay")
quarantine_app = typer.Typer(help="What was not taken, with its bytes.", no_args_is_help=True)
app.add_typer(quarantine_app, name="quarantine")


@tags_app.command()
def unmapped(limit: Limit = 1000, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Tags of registered assets without a parameter."""
    _list_lines("tag", limit, as_json=as_json, as_csv=as_csv)


@tags_app.command()
def assets(limit: Limit = 1000, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Assets on the feed that are not in the register."""
    _list_lines("asset", limit, as_json=as_json, as_csv=as_csv)


@tags_app.command("map")
def map_one(
    serial: Annotated[str, typer.Argument(help="Serial number.")],
    tag: Annotated[str, typer.Argument(help="Tag as the feed spells it.")],
    param: Annotated[str, typer.Argument(help="Code of the parameter.")],
    dry_run: DryRun = False,
    no_replay: NoReplay = False,
    since: Since = None,
) -> None:
    """Give a tag of one asset a parameter, and fill its past."""
    _map(
        lambda store, **wanted: store.map_tag(
            serial=_clean(serial), tag_code=_clean(tag), **wanted
        ),
        param, since, preview=dry_run, replay=not no_replay,
    )  # fmt: skip


@tags_app.command()
def map_kind(
    category: Annotated[str, typer.Argument(help="Category in the register.")],
    tag: Annotated[str, typer.Argument(help="Tag as the feed spells it.")],
    param: Annotated[str, typer.Argument(help="Code of the parameter.")],
    dry_run: DryRun = False,
    no_replay: NoReplay = False,
    since: Since = None,
) -> None:
    """Give a tag of all assets of a category a parameter, unless it has another one."""
    _map(
        lambda store, **wanted: store.map_kind(
            category=_clean(category), tag_code=_clean(tag), **wanted
        ),
        param, since, preview=dry_run, replay=not no_replay,
    )  # fmt: skip


@tags_app.command()
def unmap(
    serial: Annotated[str, typer.Argument(help="Serial number.")],
    tag: Annotated[str, typer.Argument(help="Tag as the feed spells it.")],
) -> None:
    """Undo a mapping; what is stored stays."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.store.mappings import MappingStore

    async def work() -> bool:
        async with opened(settings) as (_, pool):
            return await MappingStore(pool).unmap_tag(
                _actor(), serial=_clean(serial), tag_code=_clean(tag)
            )

    if not run(work()):
        raise InputError(f"map: tag {tag!r} of {serial!r} has no mapping")
    say("map: the mapping was taken away; what is stored stays")


@tags_app.command()
def ignore(
    serial: Annotated[str, typer.Argument(help="Serial number.")],
    tag: Annotated[str, typer.Argument(help="Tag; left out for the asset itself.")] = "",
    because: Annotated[str, typer.Option("--because", help="Why it may be left alone.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Heed it again.")] = False,
) -> None:
    """Leave a line of the two lists alone, with a reason."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.domain.inbox import Key, Kind
    from ic3.store.inbox import InboxStore

    if not undo and not because:
        raise InputError("inbox: say why with --because")
    key = Key(Kind.TAG if tag else Kind.ASSET, _clean(serial), _clean(tag))

    async def work() -> None:
        async with opened(settings) as (_, pool):
            store = InboxStore(pool)
            if undo:
                await store.heed(_actor(), key)
            else:
                await store.ignore(_actor(), key, _clean(because)[:500])

    run(work())
    say("inbox: the line is heeded again" if undo else "inbox: the line is ignored")


@replay_app.command("list")
def list_replays(limit: Limit = 20, as_json: AsJson = False) -> None:
    """Jobs with their progress, newest first."""
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.domain.replays import Job
    from ic3.store.replays import ReplayStore

    async def work() -> list[Job]:
        async with opened(settings) as (_, pool):
            return await ReplayStore(pool).jobs(limit)

    jobs = run(work())
    if as_json:
        put_json({"replays": [{**_fields(each), "share_done": each.share_done} for each in jobs]})
        return
    rows = [
        [
            str(each.id), each.state, f"{each.share_done:.0%}", str(each.envelopes_done),
            str(each.rows_done), each.created_by, each.reason, each.error or "",
        ]
        for each in jobs
    ]  # fmt: skip
    headings = ["job", "state", "done", "envelopes", "rows", "who", "why", ""]
    put_table(headings, rows, right={0, 2, 3, 4})


@replay_app.command("start")
def start_replay(
    because: Annotated[str, typer.Option("--because", help="Why.")],
    serial: Annotated[list[str] | None, typer.Option("--serial", help="Only this asset.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only this tag.")] = None,
    since: Since = None,
    remap: Annotated[
        bool, typer.Option("--re-map", help="Also correct the parameter of rows that are there.")
    ] = False,
) -> None:
    """Map stored telemetry again with the tag map as it is now."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.domain.mapping import Register
    from ic3.domain.replays import JobKind, Scope
    from ic3.store.register import RegisterStore
    from ic3.store.replays import ReplayStore

    async def work() -> int:
        async with opened(settings) as (_, pool):
            ids = None
            if serial:
                register = await RegisterStore(pool).load_if_changed(Register())
                unknown = [each for each in serial if each not in register.assets]
                if unknown:
                    raise InputError(f"replay: {unknown[0]!r} is not in the register")
                ids = sorted(register.assets[each].register_id for each in serial)
            scope = Scope(ids, [_clean(each) for each in tag] if tag else None, _day(since))
            kind = JobKind.REMAP if remap else JobKind.MAP
            return await ReplayStore(pool).start(_actor(), kind, scope, _clean(because)[:500])

    say(f"replay: job {run(work())} waits; the running server does it")


@replay_app.command("cancel")
def cancel_replay(number: Annotated[int, typer.Argument(help="Number of the job.")]) -> None:
    """End a job that waits or runs; what it has done stays."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.store.replays import ReplayStore

    async def work() -> bool:
        async with opened(settings) as (_, pool):
            return await ReplayStore(pool).cancel(_actor(), number)

    if not run(work()):
        raise InputError(f"replay: no job {number} waits or runs")
    say(f"replay: job {number} is cancelled")


@quarantine_app.command("list")
def list_quarantine(
    reason: Annotated[str | None, typer.Option("--reason", help="Only this reason.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Counts by reason, and the newest items."""
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.store.quarantine import QuarantineStore

    async def work() -> tuple[Any, Any]:
        async with opened(settings) as (_, pool):
            store = QuarantineStore(pool)
            items = await store.page(scope=None, reason=reason, limit=limit, below=None)
            return await store.counts(), items

    counts, items = run(work())
    if as_json:
        put_json({"counts": counts, "items": items})
        return
    put_table(
        ["scope", "reason", "items", "seen", "replayed", "meaning"],
        [
            [each.scope, each.reason, str(each.items), str(each.times_seen), str(each.replayed),
             each.words]
            for each in counts
        ],
        right={2, 3, 4},
    )  # fmt: skip
    print()
    put_table(
        ["item", "reason", "key", "last seen (UTC)", "seen", "bytes"],
        [
            [str(each.id), each.reason, each.key, f"{each.last_seen_at:%Y-%m-%d %H:%M:%S}Z",
             str(each.times_seen), str(each.raw_length)]
            for each in items
        ],
        right={0, 4, 5},
    )  # fmt: skip


@quarantine_app.command("show")
def show_item(
    number: Annotated[int, typer.Argument(help="Number of the item.")], as_json: AsJson = False
) -> None:
    """One item with its bytes, what cannot be shown escaped."""
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.domain.quarantine import in_base64, readable
    from ic3.store.quarantine import QuarantineStore

    async def work() -> Any:
        async with opened(settings) as (_, pool):
            return await QuarantineStore(pool).item(number)

    found = run(work())
    if found is None:
        raise InputError(f"quarantine: there is no item {number}; it was purged or fell out")
    item, raw, _ = found
    if as_json:
        put_json({**_fields(item), "raw_base64": in_base64(raw), "raw_text": readable(raw)})
        return
    put_table(
        ["field", "value"],
        [[name, "" if value is None else str(value)] for name, value in _fields(item).items()],
    )
    print(readable(raw))


@quarantine_app.command("replay")
def replay_items(
    number: Annotated[list[int] | None, typer.Argument(help="Numbers of items.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="All of this reason.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take items again after a fix; what is still refused says why."""
    settings = load()
    from ic3.api.quarantine import Quarantine
    from ic3.cli.connect import opened, put_json, put_table, run, say
    from ic3.clock import Clock
    from ic3.domain.latest import LatestReadings
    from ic3.domain.mapping import Register
    from ic3.store.quarantine import Choice, QuarantineStore
    from ic3.store.register import RegisterStore
    from ic3.store.telemetry import TelemetryStore

    if not number and reason is None:
        raise InputError("quarantine: name items, or a reason with --reason")

    async def work() -> Any:
        async with opened(settings) as (_, pool):
            latest = LatestReadings()
            latest.register = await RegisterStore(pool).load_if_changed(Register())
            again = Quarantine(
                QuarantineStore(pool), TelemetryStore(pool), latest, Clock(),
                simulated=settings.simulated,
            )  # fmt: skip
            choice = Choice(number or None, None, reason)
            done = page = await again.replay(_actor(), choice)
            while page.items and not number:
                page = await again.replay(_actor(), choice, after=page.items[-1].id)
                done.stored += page.stored
                done.duplicate += page.duplicate
                done.refused += page.refused
                done.replay_id = page.replay_id or done.replay_id
                done.items += page.items
            return done

    done = run(work())
    if as_json:
        put_json(done)
    else:
        put_table(
            ["item", "outcome", "why"],
            [[str(each.id), each.outcome, each.words or ""] for each in done.items],
            right={0},
        )
        say(
            f"quarantine: {done.stored} stored, {done.duplicate} were there, {done.refused} refused"
        )
    if done.refused:
        raise typer.Exit(PROBLEM)


def _list_lines(kind: str, limit: int, *, as_json: bool, as_csv: bool) -> None:
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.domain.inbox import Key, Kind, State
    from ic3.store.inbox import InboxRow, InboxStore

    async def work() -> list[InboxRow]:
        found: list[InboxRow] = []
        async with opened(settings) as (_, pool):
            store, after = InboxStore(pool), None
            while len(found) < limit:
                page = await store.page(
                    kind=Kind(kind), state=State.OPEN, limit=min(PAGE, limit - len(found)),
                    after=after,
                )  # fmt: skip
                if not page:
                    break
                found += page
                after = Key(Kind(kind), page[-1].serial, page[-1].tag_code)
        return found

    lines = run(work())
    if as_json:
        put_json({"lines": lines})
        return
    headings = ["serial", "tag_code", "domain", "type", "times_seen", "first_seen", "last_seen"]
    rows = [
        [
            each.serial, each.tag_code, each.domain or "", each.value_type or "",
            str(each.times_seen), f"{each.first_seen_at:%Y-%m-%d %H:%M}Z",
            f"{each.last_seen_at:%Y-%m-%d %H:%M}Z",
        ]
        for each in lines
    ]  # fmt: skip
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(headings)
        writer.writerows([_cell(cell) for cell in row] for row in rows)
        return
    put_table(headings, rows, right={4})


def _cell(text: str) -> str:
    """A spreadsheet takes text that begins so for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r", "\0")) else text


def _map(
    act: Callable[..., Awaitable[Any]], param: str, since: str | None, *, preview: bool,
    replay: bool,
) -> None:  # fmt: skip
    """Map to the parameter of this code, and say what was done."""
    settings = load()
    from ic3.cli.connect import opened, run
    from ic3.clock import Clock
    from ic3.store.mappings import MappingStore

    async def work() -> Any:
        async with opened(settings) as (_, pool):
            store = MappingStore(pool)
            return await act(
                store, actor=_actor(), param_id=await store.parameter_of_code(_clean(param)),
                wish=_wish(since, preview=preview, replay=replay), now_us=Clock().now_us(),
            )  # fmt: skip

    _say_effect(run(work()))


def _say_effect(effect: Any) -> None:
    from ic3.cli.connect import say

    verb = "would be mapped" if effect.preview else "mapped"
    say(f"map: {effect.added} assets {verb}, {effect.changed} anew, {effect.kept} kept as they are")
    if effect.preview:
        since = f" since {effect.since:%Y-%m-%d %H:%M}Z" if effect.since else ""
        about = "" if effect.exact else "about "
        rows = f"{about}{effect.rows or 0:,} rows{since}"
        say(f"map: the past would bring {rows}; nothing was written")
    elif effect.replay_id is not None:
        say(f"map: job {effect.replay_id} fills the past; see ic3 replay list")


def _actor() -> Any:
    from ic3.domain.acts import Actor

    return Actor.at_the_terminal(getpass.getuser())


def _wish(since: str | None, *, preview: bool, replay: bool) -> Any:
    from ic3.domain.acts import Past, Wish

    return Wish(preview, Past.MISSING if replay else Past.NONE, _day(since))


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InputError(f"--since: {text!r} is no day; write YYYY-MM-DD") from None


def _clean(text: str) -> str:
    """Text that PostgreSQL can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError("an argument is not UTF-8") from None
    if "\0" in text:
        raise InputError("an argument holds a NUL")
    return text


def _fields(document: Any) -> dict[str, Any]:
    import msgspec

    return dict(msgspec.to_builtins(document))
