"""Write docs/reference/ and .env.example from the code; with --check only compare."""

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Final, get_args

import checklist

from ic3.api import ROUTES, asyncapi
from ic3.api.openapi import CONVENTIONS
from ic3.domain.envelope import REJECT_WORDS
from ic3.gateway import errors as gateway_errors
from ic3.observations import Observation
from ic3.settings import options
from ic3.store import migrate
from ic3.workers import WORKERS

ROOT: Final = Path(__file__).resolve().parent.parent
MIGRATIONS: Final = ROOT / "src" / "ic3" / "store" / "migrations"
NOTE: Final = "<!-- written by `make docs`; do not edit -->"
# The address of the deployment; commented out, so that nothing here ever asks it.
DEPLOYMENT: Final = {"REDIS_API_BASE": "http://3.108.55.133:8181"}
_TABLE_COMMENT = re.compile(r"COMMENT ON (TABLE|VIEW) (\w+) IS '((?:[^']|'')*)'")
_COLUMN_COMMENT = re.compile(r"COMMENT ON COLUMN (\w+)\.(\w+) IS '((?:[^']|'')*)'")
_STATEMENT = re.compile(
    r"^(?:CREATE TABLE(?: IF NOT EXISTS)?|ALTER TABLE) (\w+)\s(.*?);$", re.MULTILINE | re.DOTALL
)
_COLUMN = re.compile(
    r"^\s+(?:ADD COLUMN(?: IF NOT EXISTS)? )?(\w+) "
    r"(double precision|timestamptz|bigserial|bigint|smallint|boolean|jsonb|json|bytea|text|int)\b"
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view as its migrations describe it.

    Attributes:
        columns: Name, type and comment of each column.
    """

    name: str
    kind: str
    comment: str
    columns: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Duties:
    """What a worker does about each duty: what was done, or `exempt` with its reason."""

    run_log: str
    back_off: str
    stop: str
    metrics: str
    docs: str


STOPS: Final = "done: cancelled at once; what is not committed is rolled back"
DUTY_NAMES: Final = {"run_log": "run log", "back_off": "back-off", "stop": "stop within 5 s"}
DUTIES: Final = {
    "poll": Duties(
        run_log="done: every sweep, failed ones included, is handed to `monitoring`, which logs it",
        back_off="exempt: its interval is its pause; a failed sweep is followed by the next tick",
        stop=STOPS,
        metrics="done: `ic3_envelopes`, `ic3_keys_failed`, `ic3_quarantined`,"
        " `ic3_values_rejected`, `ic3_rows_written`, `ic3_ingest_run_duration_seconds`,"
        " `ic3_ticks_skipped`, `ic3_conservation_errors`, `ic3_worker_failures`",
        docs="done: [architecture](../architecture.md#the-life-of-a-sweep)",
    ),
    "alarms": Duties(
        run_log="exempt: it makes no run; what it finds is in the list of alarms",
        back_off="done: half a second doubling to 30 s, with jitter; the newest news wait",
        stop=STOPS,
        metrics="done: `ic3_worker_failures`",
        docs="done: [which alarms there are](../howto/set-alarm-rules.md)",
    ),
    "save": Duties(
        run_log="exempt: it hands each sweep to `monitoring`, which logs it",
        back_off="done: half a second doubling to the interval, with jitter; the sweep stays first",
        stop="done: has a moment to empty the spool, then is cancelled; the rest stays there",
        metrics="done: `ic3_spool_rows`, `ic3_spool_bytes`, `ic3_spool_oldest_age_seconds`,"
        " `ic3_envelopes`, `ic3_conservation_errors`, `ic3_worker_failures`",
        docs="done: [architecture](../architecture.md#the-life-of-a-sweep)",
    ),
    "monitoring": Duties(
        run_log="done: one row of `ic3_ingest_run_log` a sweep; while the database is away at most"
        " 1,000 wait in memory",
        back_off="done: half a second doubling to 30 s, with jitter; the sweep stays first",
        stop=STOPS,
        metrics="done: `ic3_ingest_runs`, `ic3_keys`, `ic3_rows_written`,"
        " `ic3_last_success_timestamp_seconds`, `ic3_worker_failures`",
        docs="done: [architecture](../architecture.md#the-life-of-a-sweep)",
    ),
    "replay": Duties(
        run_log="exempt: it makes no run; a job has its own row in `ic3_replay`, with its progress",
        back_off="done: half a second doubling to 30 s, with jitter; between batches it rests as"
        " long as it worked",
        stop=STOPS,
        metrics="done: `ic3_rows_written`, `ic3_worker_failures`",
        docs="done: [map what is new](../howto/map-what-is-new.md#the-past)",
    ),
    "retention": Duties(
        run_log="exempt: it reads no telemetry; what it made and dropped is a log line",
        back_off="exempt: its interval of 15 minutes is its pause; partitions are made two days"
        " ahead",
        stop=STOPS,
        metrics="done: `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [architecture](../architecture.md#state)",
    ),
    "pump_health": Duties(
        run_log="done: one row of `ic3_analytics_run` a round, failed ones included",
        back_off="exempt: its interval of a minute is its pause; what a round missed the next one"
        " takes up",
        stop=STOPS,
        metrics="done: `ic3_analytics_runs`, `ic3_analytics_run_duration_seconds`, `ic3_findings`,"
        " `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [analytics](../howto/analytics.md)",
    ),
    "anomaly": Duties(
        run_log="done: one row of `ic3_analytics_run` a round, failed ones included",
        back_off="exempt: its interval of a minute is its pause; what a round missed the next"
        " one takes up",
        stop=STOPS,
        metrics="done: `ic3_analytics_runs`, `ic3_analytics_run_duration_seconds`, `ic3_findings`,"
        " `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [analytics](../howto/analytics.md)",
    ),
    "nrw": Duties(
        run_log="done: one row of `ic3_analytics_run` a round, failed ones included",
        back_off="exempt: its interval of a minute is its pause; what a round missed the next one"
        " takes up",
        stop=STOPS,
        metrics="done: `ic3_analytics_runs`, `ic3_analytics_run_duration_seconds`, `ic3_findings`,"
        " `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [analytics](../howto/analytics.md)",
    ),
    "rollup": Duties(
        run_log="exempt: it reads no telemetry; what is to be rolled up stands in"
        " `ic3_rollup_dirty` until it is",
        back_off="exempt: its interval of 15 s is its pause; what was marked stays marked",
        stop=STOPS,
        metrics="done: `ic3_rows_written`, `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [0018](../decisions/0018-roll-ups.md)",
    ),
    "alarm_log": Duties(
        run_log="exempt: it reads no telemetry; it writes the history of alarms itself",
        back_off="done: half a second doubling to 30 s, with jitter; what was not confirmed is"
        " sent again",
        stop="done: has a moment to write what waits, then is cancelled",
        metrics="done: `ic3_alarm_changes_waiting`, `ic3_alarm_changes_lost`,"
        " `ic3_worker_failures`",
        docs="done: [alarms](../howto/alarms.md#when-the-database-is-away)",
    ),
    "alarm_rules": Duties(
        run_log="exempt: it reads no telemetry",
        back_off="exempt: its interval of 5 s is its pause",
        stop=STOPS,
        metrics="done: `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [rules](../howto/alarms.md#rules)",
    ),
    "plans": Duties(
        run_log="exempt: it makes no run; what it makes is a work order",
        back_off="exempt: its interval of a minute is its pause; what is due stays due",
        stop=STOPS,
        metrics="done: `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [work orders](../howto/work-orders.md#preventive-maintenance)",
    ),
    "states": Duties(
        run_log="exempt: it reads no telemetry; what happened is a row of `ic3_feed_event`",
        back_off="exempt: its interval is its pause; what could not be written waits in memory,"
        " at most 100,000 events",
        stop=STOPS,
        metrics="done: `ic3_assets`, `ic3_assets_stale`, `ic3_clock_offset_seconds`,"
        " `ic3_feed_events`, `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [quality and freshness](../howto/read-quality-and-freshness.md)",
    ),
    "access": Duties(
        run_log="exempt: it reads no telemetry; what people did is in `audit_log`",
        back_off="exempt: its interval of 2 s is its pause; while the database is away what was"
        " last read stays in force",
        stop=STOPS,
        metrics="done: `ic3_ticks_skipped`, `ic3_worker_failures`",
        docs="done: [users and keys](../howto/users-and-keys.md)",
    ),
    "notify": Duties(
        run_log="exempt: it reads no telemetry; each telling is a row of `ic3_delivery`",
        back_off="done: a try 1 s doubling to an hour, with jitter, for a day; a second while the"
        " database is away",
        stop="done: cancelled at once; a try that was not noted is made again at the next start",
        metrics="done: `ic3_notifications`, `ic3_worker_failures`",
        docs="done: [notifications](../howto/notifications.md)",
    ),
}


def page(title: str, introduction: str, *blocks: str) -> str:
    """A Markdown page."""
    return (
        "\n\n".join([NOTE, f"# {title}", introduction, *(each for each in blocks if each)]) + "\n"
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def settings_page() -> str:
    """Every setting: name, default, whether it is secret, what it does."""
    rows = [
        [f"`{row['name']}`", _default(row), _secrecy(row), row["help"]]
        for row in options()
    ]  # fmt: skip
    return page(
        "Settings",
        "Each is an environment variable. Where the environment is silent, a file `.env` in the\n"
        "working directory counts. An empty text counts as unset. A wrong value stops the program\n"
        "at start; the message names every wrong setting at once. `ic3 config show` prints each\n"
        "setting, its value and where it came from.",
        table(["setting", "default", "secret", "meaning"], rows),
        "A secret is never printed. Instead of `NAME`, `NAME_FILE` may name a file that holds it.\n"
        "Such a file must be closed to other users (`chmod 600`). Setting both is an error.",
    )


def env_example() -> str:
    """The same as a file to copy to .env."""
    blocks = ["# Copy to .env and take the # away from what you set. `make docs` writes this file."]
    for row in options():
        example = DEPLOYMENT.get(row["name"], _example(row))
        lines = [f"# {row['help']}", f"# {row['name']}={example}"]
        if row["shown"] and not example:
            lines.insert(1, f"# Default: {row['shown']}.")
        if row["secret"]:
            lines.append(f"# {row['name']}_FILE=")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def routes_page() -> str:
    """Every route of the table, and what is served beside it."""
    rows = []
    for route in ROUTES:
        role = "everybody" if route.role is None else route.role.value
        if route.local:
            role += "; on this machine everybody"
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        rows.append([route.method, f"`{path}`", role, _first_line(route.handler)])
    rows.append(
        [
            "WebSocket", "`/ws`", "viewer",
            "Every changed envelope, once it is durable; nothing at connect.",
        ]
    )  # fmt: skip
    rows.append(
        [
            "WebSocket", "`/ws/v1`", "viewer",
            "A snapshot, then numbered frames of what changed; values of what is watched.",
        ]
    )  # fmt: skip
    rows += [
        ["GET", "`/_ui/{file}`", "everybody", "Scripts, styles and fonts of the dashboard."],
        ["GET", "`/`", "everybody", "The dashboard; a browser gets it at every other address too."],
    ]
    return page(
        "Routes",
        "The role is the least one that may call. Each role contains the one before it: viewer,\n"
        "operator, engineer, admin. Send `Authorization: Bearer TOKEN` with a token from\n"
        "`/api/auth/login`. The full description of bodies is `/api/openapi.json`;"
        " the dashboard shows it to read at `/reference`.",
        table(["method", "path", "role", "what it does"], rows),
        '"On this machine" means: the caller is on loopback and the request carries none of the\n'
        "headers `Forwarded`, `X-Forwarded-For` and `X-Real-IP`.",
        *CONVENTIONS,
        "`/ws`, `/ws/v1` and `/api/stream` also take a single-use ticket:"
        " see [read the live feed](../howto/read-the-live-feed.md).",
    )


def observations_page() -> str:
    """Everything the program can state about itself."""
    rows = []
    for event in get_args(Observation):
        parts = ", ".join(f"`{each.name}` {_type_text(each.type)}" for each in fields(event))
        rows.append([f"`{event.__name__}`", inspect.getdoc(event) or "", parts])
    return page(
        "Observations",
        "What the program can state about itself. Log lines and metrics are made of these and of\n"
        "nothing else.",
        table(["observation", "meaning", "fields"], rows),
    )


def rejects_page() -> str:
    """Every reason for which something is not taken."""
    taken_apart = [[f"`{reason.value}`", words] for reason, words in REJECT_WORDS.items()]
    kinds = []
    for kind in _gateway_kinds():
        if kind is gateway_errors.Deferred:
            words = gateway_errors.DEFERRED_WORDS
            kinds += [[f"`{reason}`", "deferred", text] for reason, text in words.items()]
            continue
        quarantined = issubclass(kind, gateway_errors.ContentError)
        counted = "quarantined" if quarantined else "failed"
        kinds.append([f"`{_reason(kind)}`", counted, _first_line(kind)])
    not_asked = gateway_errors.NotAsked
    kinds.append([f"`{not_asked.reason}`", "the whole sweep fails", _first_line(not_asked)])
    return page(
        "Reject reasons",
        "Trouble with one key, one envelope or one tag is counted under a word and the sweep goes\n"
        "on. The counts stand in the sweep's row (`ic3_sweep`) and in the metrics. What is\n"
        "quarantined is kept in `dead_letter` with its first 16 KiB; a text met again is the same\n"
        "row with a higher `times_seen`. At most 1,000 of a sweep and 100,000 in all are kept.",
        "## Keys, envelopes and tags",
        "A reason about a key strikes the entry of the list. One about a value or a tag's name\n"
        "costs that tag only. All others cost the envelope. `bad_unicode` costs the tag where it\n"
        "is met in one, otherwise the envelope.",
        table(["reason", "meaning"], taken_apart),
        "An entry of the key list that is not text is counted as `not_text`.",
        "## The gateway's answers",
        "`failed`: no answer that can be used; nothing is kept. `quarantined`: an answer came and\n"
        "its content is wrong. `deferred`: left for the next sweep, which asks for it first.",
        table(["reason", "counted as", "meaning"], kinds),
        "In a sweep that was read and then could not be stored, the envelopes are counted as\n"
        "`failed` under `not_stored`. The next sweep reads what is newest at the gateway by then.",
    )


def tables_page() -> str:
    """Every table and view with its columns."""
    blocks = []
    for each in read_tables():
        blocks.append(f"## {each.name}")
        blocks.append(each.comment + (" A view." if each.kind == "VIEW" else ""))
        rows = [[f"`{name}`", kind, comment] for name, kind, comment in each.columns]
        blocks.append(table(["column", "type", "meaning"], rows) if rows else "")
    return page(
        "Tables",
        "Every time is `timestamptz`. `telemetry` and `ic3_asset_monitoring_data` have one\n"
        "partition a day, by UTC, and a default partition for times outside the kept days.",
        *blocks,
    )


def workers_page() -> str:
    """The checklist of the workers."""
    blocks = []
    for make in WORKERS:
        name = make.__name__.strip("_")
        worker: Any = getattr(import_module(f"ic3.workers.{name}"), name.title().replace("_", ""))
        duties = DUTIES[name]
        rows = [
            [DUTY_NAMES.get(each.name, each.name), getattr(duties, each.name)]
            for each in fields(duties)
        ]
        blocks += [f"## {name}", _first_line(worker), table(["duty", "state"], rows)]
    return page(
        "Workers",
        "Each worker against its duties: done, or exempt with a reason. All of them are run by\n"
        "`ic3.workers.runner`: on the monotonic clock, never two rounds at once; an error ends\n"
        "the round, not the worker.",
        *blocks,
    )


def security_page() -> str:
    """The security checklist against the tests."""
    return page(
        "Security checklist",
        "Each requirement with the tests that carry its number; what has none is not proved.",
        table(["item", "requirement", "tests"], checklist.rows()),
    )


def read_tables() -> list[Table]:
    """Tables and views in the order of the migrations, from their comments."""
    files = [path.read_text(encoding="utf-8") for path in sorted(MIGRATIONS.glob("*.sql"))]
    log_of_migrations = [migrate.CREATE_LOG.strip() + ";", migrate.COMMENT_LOG]
    sql = "\n".join([*files, *log_of_migrations])
    types: dict[tuple[str, str], str] = {}
    for name, body in _STATEMENT.findall(sql):
        for line in body.splitlines():
            if found := _COLUMN.match(line):
                types[name, found[1]] = found[2]
    comments: dict[str, dict[str, str]] = {}
    for name, column, words in _COLUMN_COMMENT.findall(sql):
        comments.setdefault(name, {})[column] = words.replace("''", "'")
    found_tables = []
    for kind, name, words in _TABLE_COMMENT.findall(sql):
        columns = comments.get(name, {})
        rows = [
            (column, types.get((name, column), ""), comment) for column, comment in columns.items()
        ]
        found_tables.append(Table(name, kind, words.replace("''", "'"), rows))
    return found_tables


PAGES_WRITTEN: Final[dict[str, Callable[[], str]]] = {
    ".env.example": env_example,
    "docs/reference/settings.md": settings_page,
    "docs/reference/routes.md": routes_page,
    "docs/reference/observations.md": observations_page,
    "docs/reference/asyncapi.json": lambda: asyncapi.text().decode(),
    "docs/reference/rejects.md": rejects_page,
    "docs/reference/security.md": security_page,
    "docs/reference/tables.md": tables_page,
    "docs/reference/workers.md": workers_page,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with --check say which are stale: 1 where one is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name stale files")
    check = parser.parse_args(arguments).check
    stale = [name for name, make in PAGES_WRITTEN.items() if _read(name) != make()]
    for name in stale:
        if check:
            sys.stdout.write(f"{name} is stale; run make docs\n")
            continue
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES_WRITTEN[name](), encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")
    return 1 if check and stale else 0


def _read(name: str) -> str:
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n\n")[0]


def _default(row: dict[str, Any]) -> str:
    if row["shown"] and not _example(row):
        return str(row["shown"])
    return f"`{row['default']}`" if row["default"] else "unset"


def _secrecy(row: dict[str, Any]) -> str:
    return f"yes; or `{row['name']}_FILE`" if row["secret"] else ""


def _example(row: dict[str, Any]) -> str:
    """The default as it would be written; nothing where it is described in words."""
    described = any(letter.isalpha() for letter in row["shown"])
    return "" if described else str(row["default"])


def _type_text(kind: object) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else _short(str(kind))


def _short(text: str) -> str:
    return re.sub(r"\b[a-z_.]+\.([A-Z]\w+)", r"\1", text)


def _gateway_kinds() -> list[type[gateway_errors.AnswerError]]:
    """The kinds of failure in the order of their module, branches left out."""
    return [
        each
        for each in vars(gateway_errors).values()
        if isinstance(each, type)
        and issubclass(each, gateway_errors.AnswerError)
        and ("reason" in vars(each) or each is gateway_errors.BadStatus)
    ]


def _reason(kind: type[gateway_errors.AnswerError]) -> str:
    return "http_<status>" if kind is gateway_errors.BadStatus else kind.reason


if __name__ == "__main__":
    sys.exit(main())
