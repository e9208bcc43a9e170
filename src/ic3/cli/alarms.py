"""Commands about alarms; the running server owns them, so it is asked."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from ic3.cli import PROBLEM, app
from ic3.errors import InputError
from ic3.settings import load

PAGE: Final = 1000
WORDS: Final = {1: "critical", 2: "high", 3: "medium", 4: "low"}
# Later than this nothing was judged lately: an empty list says nothing.
LATE_S: Final = 60.0

AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, write nothing.")]
Number = Annotated[int, typer.Argument(help="Number of the alarm.", min=1)]

alarms_app = typer.Typer(help="Open alarms, worst first; acknowledge, shelve, rules, figures.")
app.add_typer(alarms_app, name="alarms")
rules_app = typer.Typer(help="Rules of alarms.", no_args_is_help=True)
alarms_app.add_typer(rules_app, name="rules")


@alarms_app.callback(invoke_without_command=True)
def alarms(
    context: typer.Context,
    state: Annotated[str, typer.Option(help="open, shelved or history.")] = "open",
    priority: Annotated[list[int] | None, typer.Option(help="1 to 4; repeatable.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="Repeatable.")] = None,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="How many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Open alarms, worst first; acknowledge, shelve, rules, figures."""
    if context.invoked_subcommand is not None:
        return
    from ic3.cli.connect import put_json

    found = _asked(_read(state, priority or [], domain or [], limit))
    if as_json:
        put_json(found)
    else:
        _put_alarms(found, state)


@alarms_app.command()
def ack(
    numbers: Annotated[list[int], typer.Argument(help="Numbers of alarms.", min=1)],
    note: Annotated[str | None, typer.Option(help="A word about it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say that somebody knows of alarms."""
    from ic3.cli.connect import put_json, say

    done = _asked(_send("POST", "/api/alarms/ack", {"ids": numbers, "note": note}))
    if as_json:
        put_json(done)
    else:
        for each in done["results"]:
            print(f"alarm {each['id']}: {each['outcome']}")
    _say_stored(done)
    if any(each["outcome"] == "not open" for each in done["results"]):
        say("alarms: some are not open; see ic3 alarms --state history")
        raise typer.Exit(PROBLEM)


@alarms_app.command()
def shelve(
    number: Number,
    minutes: Annotated[int, typer.Option(min=1, help="For how long, 90 days at most.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    as_json: AsJson = False,
) -> None:
    """Keep an alarm from calling for some minutes."""
    body = {"minutes": minutes, "reason": reason}
    _one_done(number, "shelve", body, as_json=as_json, words=f"shelved for {minutes} minutes")


@alarms_app.command()
def unshelve(number: Number, as_json: AsJson = False) -> None:
    """Let a shelved alarm call again."""
    _one_done(number, "unshelve", None, as_json=as_json, words="calls again")


@alarms_app.command()
def comment(
    number: Number,
    note: Annotated[str, typer.Argument(help="What is to be said.")],
    as_json: AsJson = False,
) -> None:
    """Say something about an open alarm."""
    _one_done(number, "comment", {"note": note}, as_json=as_json, words="commented")


@alarms_app.command()
def kpi(
    begin: Annotated[str | None, typer.Option("--from", help="RFC 3339 with a zone.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339 with a zone.")] = None,
    operators: Annotated[int, typer.Option(min=1, help="How many share the calls.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Figures of alarm management of the last 7 days, or of a span."""
    from ic3.cli.connect import put_json

    asked = {"from": begin, "until": until, "operators": operators}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    found = _asked(_get(f"/api/alarms/kpi?{query}"))
    if as_json:
        put_json(found)
    else:
        _put_kpi(found)


@rules_app.command("import")
def import_rules(
    file: Annotated[Path, typer.Argument(help="CSV; its columns are those of the export.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put the rules of a file beside those that are stored, by name; all or nothing."""
    from ic3.cli.connect import put_json, say

    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    path = f"/api/alarm-rules/import?dry_run={'true' if dry_run else 'false'}"
    done = _asked(_upload(path, data))
    if as_json:
        put_json(done)
    if "problems" in done:
        if not as_json:
            print("\n".join(done["problems"]))
        say(f"rules: {len(done['problems'])} problems in {file}; nothing was written")
        raise typer.Exit(PROBLEM)
    diff = done["diff"]
    if not as_json:
        _put_diff(diff)
    verb = "would be " if dry_run else ""
    say(
        f"rules: {len(diff['added'])} {verb}added, {len(diff['changed'])} {verb}changed,"
        f" {diff['same']} as they were, {diff['untouched']} not in the file"
    )


@rules_app.command("export")
def export_rules() -> None:
    """The rules as CSV, to be changed and imported again."""
    print(_asked(_text("/api/alarm-rules.csv")), end="")


async def _read(state: str, priorities: list[int], domains: list[str], limit: int) -> Any:
    """Pages of a list, put together."""
    from ic3.cli.client import client

    asked: list[tuple[str, str | int]] = [("state", state)]
    asked += [("priority", each) for each in priorities] + [("domain", each) for each in domains]
    async with client(load()) as server:
        found = await server.get(f"/api/alarms?{urlencode([*asked, ('limit', min(limit, PAGE))])}")
        while found["cursor"] is not None and len(found["alarms"]) < limit:
            more = [("limit", min(limit - len(found["alarms"]), PAGE)), ("cursor", found["cursor"])]
            page = await server.get(f"/api/alarms?{urlencode([*asked, *more])}")
            found["alarms"] += page["alarms"]
            found["next"] = found["cursor"] = page["cursor"]
    return found


async def _get(path: str) -> Any:
    from ic3.cli.client import client

    async with client(load()) as server:
        return await server.get(path)


async def _text(path: str) -> str:
    from ic3.cli.client import client

    async with client(load()) as server:
        return await server.text(path)


async def _send(method: str, path: str, body: object) -> Any:
    from ic3.cli.client import client

    async with client(load()) as server:
        return await server.send(method, path, body)


async def _upload(path: str, data: bytes) -> Any:
    from ic3.cli.client import client

    async with client(load()) as server:
        return await server.upload(path, data)


def _asked(work: Any) -> Any:
    from ic3.cli.connect import run

    return run(work)


def _one_done(number: int, act: str, body: object, *, as_json: bool, words: str) -> None:
    from ic3.cli.connect import put_json

    done = _asked(_send("POST", f"/api/alarms/{number}/{act}", body))
    if as_json:
        put_json(done)
    else:
        print(f"alarm {number}: {words}")
    _say_stored(done)


def _say_stored(done: Any) -> None:
    from ic3.cli.connect import say

    if not done["stored"]:
        say("alarms: done, but not stored yet; after a crash the alarm calls again")


def _put_alarms(found: Any, state: str) -> None:
    from ic3.cli.connect import age, put_table, say
    from ic3.clock import Clock

    now = Clock().now()
    rows = [
        [
            f"{each['priority']} {WORDS[each['priority']]}", str(each["id"]),
            each["held"] or each["state"],
            age((now - datetime.fromisoformat(each["raised_at"])).total_seconds()),
            each["source"], each["dma_id"] or "", each["condition"], each["text"],
        ]
        for each in found["alarms"]
    ]  # fmt: skip
    headings = ["priority", "alarm", "state", "since", "source", "dma", "condition", ""]
    if rows:
        put_table(headings, rows, right={1, 3})
    left = found["count"] - len(rows)
    if left > 0 and state != "history":
        say(f"alarms: {left} more; ask for them with -n")
    if found["refused"]:
        say(f"alarms: {found['refused']} more were left out, since too many are open")
    if state == "open":
        say(_judged(found, empty=not rows))


def _judged(found: Any, *, empty: bool) -> str:
    """How much the list says: nothing, where nothing was judged lately."""
    from ic3.cli.connect import age

    seconds = found["evaluated_age_s"]
    if seconds is None:
        return "alarms: UNKNOWN: nothing was judged since the server started"
    if seconds > LATE_S:
        return f"alarms: UNKNOWN: they were last judged {age(seconds)} ago"
    none = "no open alarm; " if empty else ""
    return f"alarms: {none}last judged {age(seconds)} ago"


def _put_diff(diff: Any) -> None:
    for name in diff["added"]:
        print(f"+ {name}")
    for each in diff["changed"]:
        for field, after in each["after"].items():
            print(f"~ {each['name']}: {field} {each['before'][field]!r} -> {after!r}")


def _put_kpi(found: Any) -> None:
    from ic3.cli.connect import put_table

    rate, standing, acks = found["per_10_min"], found["standing"], found["acknowledgement"]
    seconds = {name: acks[name] for name in ("median_s", "p90_s")}
    shown = {name: "–" if value is None else f"{value:,.0f} s" for name, value in seconds.items()}
    mix = ", ".join(
        f"{each['priority']}: {each['calls']:,} ({_percent(each['share'])})"
        for each in found["priorities"]
    )
    rows = [
        ["span", f"{found['from']} to {found['until']}"],
        ["calls", f"{found['calls']:,}"],
        ["per 10 min", f"{rate['mean']:.2f} on average, {rate['max']:,} at most"],
        ["floods", f"{rate['flood_slots']:,} of {rate['slots']:,} slots"
         f" ({_percent(rate['flood_share'])})"],
        ["per operator and hour", f"{found['per_operator_hour']:.2f}"],
        ["by priority", mix],
        ["standing over 24 h", f"{standing['count']:,} of {standing['open']:,} open"
         f" ({_percent(standing['share'])})"],
        ["chattering conditions", f"{found['chattering']['count']:,}"],
        ["acknowledged", f"{acks['acknowledged']:,} of {acks['alarms']:,},"
         f" never {acks['never']:,}"],
        ["time to acknowledge", f"median {shown['median_s']}, nine of ten within {shown['p90_s']}"],
    ]  # fmt: skip
    put_table(["figure", "value"], rows)
    if found["worst"]:
        print()
        put_table(
            ["source", "condition", "calls"],
            [[each["source"], each["condition"], f"{each['calls']:,}"] for each in found["worst"]],
            right={2},
        )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
