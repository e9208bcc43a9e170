"""Commands that look: runs, doctor, poll, config."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ic3.cli import PROBLEM, WARNINGS, app
from ic3.errors import GatewayError, IC3Error, InputError
from ic3.settings import Settings, load, options

if TYPE_CHECKING:  # loaded where it is used, so that other commands start fast
    from ic3.clock import Clock
    from ic3.domain.checks import Check
    from ic3.gateway.client import RedisRESTClient
    from ic3.store.runs import ExplainedRun

SAMPLED_KEYS: Final = 200

AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output.")]

config_app = typer.Typer(help="What the settings are.", no_args_is_help=True)
app.add_typer(config_app, name="config")


runs_app = typer.Typer(help="The last monitoring runs, newest first; or one of them whole.")
app.add_typer(runs_app, name="runs")


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The last monitoring runs, newest first; or one of them whole."""
    if context.invoked_subcommand is not None:
        return
    settings = load()
    from ic3.cli.connect import opened, put_json, put_table, run
    from ic3.domain.runs import Run
    from ic3.store.monitoring import MonitoringStore

    async def work() -> list[Run]:
        async with opened(settings, only_look=True) as (_, pool):
            return await MonitoringStore(pool).recent_runs(limit)

    found = run(work())
    if as_json:
        put_json({"runs": found})
        return
    headings = ["run", "at (UTC)", "keys", "matched", "unmatched", "inserted", "skipped", "ms", ""]
    rows = [
        [
            str(each.id), f"{each.run_at:%Y-%m-%d %H:%M:%S}Z", str(each.keys_scanned),
            str(each.matched), str(each.unmatched), str(each.rows_inserted),
            str(each.tags_skipped), str(each.duration_ms),
            each.error_msg if isinstance(each.error_msg, str) else "",
        ]
        for each in found
    ]  # fmt: skip
    put_table(headings, rows, right={0, 2, 3, 4, 5, 6, 7})


@runs_app.command("show")
def runs_show(
    run_id: Annotated[int, typer.Argument(help="As ic3 runs lists it.")], as_json: AsJson = False
) -> None:
    """One run: what became of every key, and which they were."""
    settings = load()
    from ic3.api.runs import view
    from ic3.cli.connect import opened, put_json, run
    from ic3.store.runs import ExplainedRun, RunStore

    async def work() -> ExplainedRun | None:
        async with opened(settings) as (_, pool):
            return await RunStore(pool).explain(run_id)

    found = run(work())
    if found is None:
        raise InputError(f"runs: there is no run {run_id}; ic3 runs lists the last ones")
    if as_json:
        put_json(view(found))
    else:
        _show_run(found)


def _show_run(found: "ExplainedRun") -> None:
    from ic3.cli.connect import put_table, say

    words = found.error_msg or "ok"
    say(f"run {found.id} at {found.run_at:%Y-%m-%d %H:%M:%S}Z, {found.duration_ms} ms: {words}")
    if not found.counters:
        say("nothing more is known of it: it is of the original backend, or its sweep is trimmed")
        return
    put_table(["", "number"], [[k, str(v)] for k, v in found.counters.items()], right={1})
    both = [
        [each.name, each.says, f"{each.left} {'=' if each.holds else 'IS NOT'} {each.right}"]
        for each in found.equations
    ]
    put_table(["", "equation", ""], both)
    reasons = [[name, reason, str(number)] for name, each in found.reasons.items()
               for reason, number in sorted(each.items())]  # fmt: skip
    if reasons:
        put_table(["", "reason", "number"], reasons, right={2})
    if found.keys is None:
        say("its keys are not kept: nothing was odd, or it is older than 48 h")
    for why, keys in sorted((found.keys or {}).items()):
        put_table([f"{why} ({len(keys)})"], [[key.replace("\n", "  ")] for key in keys])


@app.command()
def doctor(
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings give exit code 3.")] = False,
) -> None:
    """Read-only checks, each problem with its fix."""
    settings = load()
    from ic3.cli.connect import put_json, put_table, run

    checks = run(examine(settings))
    if as_json:
        put_json({"checks": [asdict(each) for each in checks]})
    else:
        rows = [
            [each.name, each.state if each.state == "pass" else each.state.upper(),
             each.detail, f"fix: {each.fix}" if each.fix else ""]
            for each in checks
        ]  # fmt: skip
        put_table(["check", "state", "detail", ""], rows)
    states = {each.state for each in checks}
    if "fail" in states:
        raise typer.Exit(PROBLEM)
    if strict and "warn" in states:
        raise typer.Exit(WARNINGS)


@app.command()
def poll(
    test: Annotated[bool, typer.Option("--test", help="Write nothing.")] = False,
    once: Annotated[bool, typer.Option("--once", help="One real run.")] = False,
    as_json: AsJson = False,
) -> None:
    """One pass over the gateway: --test says what would be written, --once writes it."""
    if test == once:
        raise typer.BadParameter("choose --test or --once")
    settings = load()
    from ic3.cli.connect import put_json, run, say
    from ic3.cli.passes import one_pass

    outcome = run(one_pass(settings, write=once))
    if as_json:
        put_json(outcome)
    else:
        for part in ("failed", "quarantined", "tags_rejected", "list_rejected"):
            for reason, number in outcome[part].items():
                say(f"{part}: {number} × {reason}")
        verb = "wrote" if once else "would write"
        print(
            f"{verb} {outcome['rows']:,} rows, {outcome['unmatched']:,} unmatched"
            f" of {outcome['keys_scanned']:,} keys, {outcome['tags_skipped']:,} tags unmapped"
        )
    if outcome["error"]:
        raise GatewayError(outcome["error"])


@config_app.command("show")
def show_config(as_json: AsJson = False) -> None:
    """Each setting, its value and where it came from; secrets as present or absent."""
    settings = load()
    from ic3.cli.connect import put_json, put_table

    rows = setting_rows(settings)
    if as_json:
        put_json(rows)
    else:
        put_table(["setting", "value", "source"], [list(row.values()) for row in rows])


def setting_rows(settings: Settings) -> list[dict[str, str]]:
    """Name, value and source of each setting; of a secret only whether it is there."""
    rows = []
    for row in options():
        value = getattr(settings, row["field"])
        if row["secret"]:
            shown = "present" if value else "absent"
        else:
            shown = ", ".join(value) if isinstance(value, tuple) else str(value)
            shown = "" if value is None else shown
        source = settings.sources.get(row["name"], "default")
        rows.append({"name": row["name"], "value": shown, "source": source})
    return rows


async def examine(settings: Settings) -> list["Check"]:
    """All checks of the doctor; they write nothing."""
    from ic3.domain.checks import Check

    checks = await _survey(settings)
    if settings.redis_api_base is None:
        checks.append(Check("gateway", "pass", "unset: the simulated plant on loopback"))
    else:
        checks += await _check_gateway(settings)
    return checks


async def _survey(settings: Settings) -> list["Check"]:
    from ic3.app.doctor import check_machine, survey
    from ic3.cli.connect import opened
    from ic3.clock import Clock
    from ic3.domain.checks import Check

    try:
        async with opened(settings, only_look=True) as (_, pool):
            return (await survey(settings, pool, Clock())).checks
    except IC3Error as error:
        fix = "check DATABASE_URL or IC3_DATA_DIR"
        return [*check_machine(settings), Check("database", "fail", str(error), fix)]


async def _check_gateway(settings: Settings) -> list["Check"]:
    from ic3.app.clients import gateway_client
    from ic3.clock import Clock
    from ic3.domain.checks import Check

    clock = Clock()
    try:
        client = gateway_client(settings, settings.redis_api_base or "", clock)
    except IC3Error as error:
        return [Check("gateway", "fail", str(error), "correct REDIS_API_BASE")]
    try:
        listed = await client.list_keys("ic3:latest:*")
        in_time = await _check_in_flight(settings, client, listed.keys, clock)
    except GatewayError as error:
        return [Check("gateway", "fail", str(error), "check REDIS_API_BASE and the network")]
    finally:
        await client.aclose()
    checks = [Check("gateway", "pass", f"{len(listed.keys)} keys"), *in_time]
    if listed.server_date is not None:
        offset_s = (clock.now() - listed.server_date).total_seconds()
        detail = f"this clock is {offset_s:+.0f} s from the gateway's"
        state = "warn" if abs(offset_s) > 5 else "pass"
        fix = "set both by network time" if state == "warn" else ""
        checks.append(Check("clock", state, detail, fix))
    return checks


async def _check_in_flight(
    settings: Settings, client: "RedisRESTClient", keys: list[str], clock: "Clock"
) -> list["Check"]:
    """Whether all keys can be read in the time of a sweep, judged by reading a few of them."""
    from ic3.domain.checks import Check
    from ic3.gateway.pace import in_flight_needed
    from ic3.workers.poll import SWEEP_SHARE

    if settings.redis_api_mget_path is not None:
        return []
    within_s = SWEEP_SHARE * settings.poll_interval_s
    sample = keys[:SAMPLED_KEYS]
    begun = clock.monotonic()
    failures = await client.read_all(sample, lambda key, text: None, deadline_s=within_s)
    read = len(sample) - len(failures)
    if not read:
        return []
    needed = in_flight_needed(
        keys=len(keys), read=read, limit=client.pace.limit,
        share=(clock.monotonic() - begun) / within_s,
    )  # fmt: skip
    if needed <= settings.redis_api_max_in_flight:
        return []
    words = f"{len(keys)} keys in {within_s:g} s need about {needed} requests in flight"
    fix = "raise REDIS_API_MAX_IN_FLIGHT if the gateway's owner agrees, or the interval"
    return [Check("gateway", "warn", words, fix)]
