"""`ic3 status`: one row a part of the running server, each with its state and age."""

import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ic3.cli import PROBLEM, UNREACHABLE, app
from ic3.cli.read import AsJson
from ic3.errors import ClientError, InputError, ServerAway
from ic3.settings import Settings, load

if TYPE_CHECKING:  # loaded where it is used, so that other commands start fast
    from ic3.cli.client import Client

PLANTS: Final = {
    "simulated": ("SIMULATED PLANT", "every reading is made up"),
    "real": ("real", "read through REDIS_API_BASE"),
}
GATEWAY: Final = ("gateway", "breaker", "next_try_at", "last_good_at", "error")
REDRAWN_S: Final = 1.0
BARS: Final = "▁▂▃▄▅▆▇█"
FAILED_MARK: Final = "✕"
GLYPHS: Final = {"1": "■", "2": "▲", "3": "▼", "4": "◆"}
HEADINGS: Final = ["part", "state", "detail", "age"]
LATE_S: Final = 60.0
QUIET: Final = frozenset({"fresh", "never_seen"})

Rows = list[list[str]]


@app.command()
def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Draw anew every second until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Whether the server runs and is ready: gateway, ingest, database, live clients, alarms."""
    settings = load()
    from ic3.cli.connect import put_json, put_table, run

    if watch:
        _watch(settings)
        return
    found = run(read(settings))
    if as_json:
        put_json(_document(found))
    else:
        put_table(HEADINGS, rows(found))
    if found["server"] != "running":
        raise typer.Exit(UNREACHABLE)
    if not found["ready"]:
        raise typer.Exit(PROBLEM)


def _watch(settings: Settings) -> None:
    if not sys.stdout.isatty():
        raise InputError("status: --watch draws on a terminal; for programs there is --json")
    from rich.live import Live

    from ic3.cli.connect import run, table

    with Live(auto_refresh=False) as screen:
        while True:
            screen.update(table(HEADINGS, rows(run(read(settings)))), refresh=True)
            time.sleep(REDRAWN_S)


async def read(settings: Settings) -> dict[str, Any]:
    """What the running server says of its parts; a part that cannot be read is None."""
    from ic3.cli.client import client

    found: dict[str, Any] = {
        "server": "not running", "address": None, "ready": False, "reasons": [],
        "plant": "simulated" if settings.simulated else "real",
    }  # fmt: skip
    try:
        async with client(settings) as server:
            found["address"] = server.address
            ready = await server.readiness()
            found |= {"server": "running", **ready}
            found |= await _parts(server)
    except ServerAway as error:
        found["reasons"] = [str(error)]
    return found


async def _parts(server: "Client") -> dict[str, Any]:
    async def part(path: str) -> Any:
        try:
            return await server.get(path)
        except ClientError:
            return None

    stats = await part("/api/stats")
    progress = await part("/api/monitoring/progress")
    return {
        "runs": progress["runs"] if progress else [],
        "system": await part("/api/admin/system"),
        "alarms": await part("/api/alarms?limit=1"),
        "assets": stats and stats["states"],
        "gateway": stats and {name: stats[name] for name in GATEWAY},
    }


def _document(found: dict[str, Any]) -> dict[str, Any]:
    runs = found.get("runs") or []
    return {
        "server": found["server"], "ready": found["ready"], "reasons": found["reasons"],
        "plant": found["plant"], "last_run": runs[0] if runs else None,
        "address": found["address"], "gateway": found.get("gateway"), "runs": runs,
        "assets": found.get("assets"),
        "alarms": (found.get("alarms") or {}).get("counts"), "system": found.get("system"),
    }  # fmt: skip


def rows(found: dict[str, Any]) -> Rows:
    """State, detail and age of each part; capitals are what is abnormal."""
    reasons = "; ".join(found["reasons"])
    if found["server"] != "running":
        return [["server", "NOT RUNNING", reasons, ""]]
    return [
        ["server", "running", _version(found), _age((found["system"] or {}).get("started_at"))],
        ["readiness", "ready" if found["ready"] else "NOT READY", reasons, ""],
        ["plant", *PLANTS[found["plant"]], ""],
        _gateway(found["gateway"]),
        *_runs(found["runs"]),
        *_system(found["system"]),
        _assets(found["assets"]),
        _alarms(found["alarms"]),
    ]


def _version(found: dict[str, Any]) -> str:
    version = (found["system"] or {}).get("version")
    return f"{found['address']}, version {version}" if version else str(found["address"])


def _gateway(gateway: dict[str, Any] | None) -> list[str]:
    if gateway is None:
        return ["gateway", "UNKNOWN", "the server could not say", ""]
    asked = gateway["breaker"] == "closed"
    state = "FAILED" if asked and gateway["error"] else "ok" if asked else "LEFT ALONE"
    words = "; ".join(filter(None, (gateway["gateway"], gateway["error"])))
    if gateway["next_try_at"]:
        words += f"; asked again at {gateway['next_try_at']}"
    return ["gateway", state, words, _age(gateway["last_good_at"])]


def _runs(runs: list[dict[str, Any]]) -> Rows:
    if not runs:
        return [["ingest", "UNKNOWN", "no run is known yet", ""]]
    last = runs[0]
    failed = last.get("error_msg")
    words = (
        f"keys={last['keys_scanned']} matched={last['matched']} unmatched={last['unmatched']}"
        f" inserted={last['rows_inserted']} skipped={last['tags_skipped']}"
    )
    longest = max(1, *(each["duration_ms"] for each in runs))
    spark = "".join(
        FAILED_MARK if each.get("error_msg") else BARS[each["duration_ms"] * 7 // longest]
        for each in reversed(runs)
    )
    row = ["ingest", "FAILED" if failed else "ok", failed or words, _age(last["run_at"])]
    return [row, [f"{len(runs)} runs", spark, f"highest {longest:,} ms, newest on the right", ""]]


def _system(system: dict[str, Any] | None) -> Rows:
    if system is None:
        return [["database", "UNKNOWN", "the server could not say", ""]]
    database, hub = system["database"], system["hub"]
    clients = hub["plain"] + hub["numbered"]
    slow = hub["slow"] or hub["frames_dropped"]
    known = [] if database is None else [
        f"{database['size_bytes'] / 1e9:.1f} GB, PostgreSQL {database['server_version']},"
        f" spool {system['spool_share']:.0%} full"
    ]  # fmt: skip
    checks = [
        [each["name"], each["state"].upper(), f"{each['detail']}; fix: {each['fix']}", ""]
        for each in system["checks"] if each["state"] != "pass"
    ]  # fmt: skip
    return [
        ["database", "ok" if known else "AWAY", "".join(known), ""],
        ["live clients", "SLOW" if slow else "ok",
         f"{clients} of {hub['allowed']}, slow {hub['slow']}, frames dropped"
         f" {hub['frames_dropped']}", ""],
        *checks,
    ]  # fmt: skip


def _assets(counts: dict[str, int] | None) -> list[str]:
    if counts is None:
        return ["assets", "UNKNOWN", "the server could not say", ""]
    words = ", ".join(f"{number:,} {state.replace('_', ' ')}" for state, number in counts.items())
    odd = sum(
        number or 0 for state, number in counts.items() if state not in {"fresh", "never_seen"}
    )
    return ["assets", f"{odd:,} SILENT" if odd else "ok", words, ""]


def _alarms(alarms: dict[str, Any] | None) -> list[str]:
    if alarms is None or alarms["evaluated_age_s"] is None:
        return ["alarms", "UNKNOWN", "not judged yet", ""]
    age_s = alarms["evaluated_age_s"]
    waiting = alarms["counts"]["unacknowledged"]
    total = sum(waiting.values())
    words = " ".join(f"{GLYPHS[priority]} {number}" for priority, number in waiting.items())
    state = "LATE" if age_s > LATE_S else f"{total} UNACKNOWLEDGED" if total else "none waits"
    return ["alarms", state, words, f"{age_s:.0f} s"]


def _age(at: str | None) -> str:
    from ic3.cli.connect import age
    from ic3.clock import Clock

    if at is None:
        return ""
    return age((Clock().now() - datetime.fromisoformat(at)).total_seconds())
