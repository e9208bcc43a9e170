"""Commands that set a plant up: import of CSV files, users."""

import getpass
import secrets
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ic3.cli import PROBLEM, app
from ic3.domain.users import Role
from ic3.errors import InputError
from ic3.settings import load

user_app = typer.Typer(help="People and programs that may log in.", no_args_is_help=True)
app.add_typer(user_app, name="user")


class TableName(StrEnum):
    """What a file can hold."""

    REGISTER = "register"
    PARAMETERS = "parameters"
    TAGMAP = "tagmap"
    DMAS = "dmas"


@app.command("import")
def import_file(
    table: Annotated[TableName, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="CSV with a header line, UTF-8.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and show the difference, write nothing.")
    ] = False,
) -> None:
    """Import register, parameters, tag map or areas from CSV: all or nothing, a line a problem."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.domain.acts import Actor
    from ic3.domain.imports import FileImport, read_csv
    from ic3.store.mappings import FileDone, MappingStore
    from ic3.store.register import RegisterStore

    try:
        parsed = read_csv(table.value, file.read_bytes())
    except OSError as error:
        raise InputError(f"import: {file} cannot be read: {error.strerror}") from None

    async def work(found: FileImport) -> FileDone | None:
        async with opened(settings, only_look=dry_run) as (_, pool):
            store = RegisterStore(pool)
            serials, codes = await store.unknown_codes(
                serials=found.serials(), tag_codes=found.codes()
            )
            found.check_references(serials, codes)
            if found.problems:
                return None
            actor = Actor.at_the_terminal(getpass.getuser())
            return await MappingStore(pool).import_file(
                actor, table.value, found.rows, dry_run=dry_run
            )

    done = run(work(parsed))
    for problem in parsed.problems:
        print(problem)
    if done is None:
        say(f"import: {len(parsed.problems)} problems in {file}; nothing was written")
        raise typer.Exit(PROBLEM)
    found = done.difference
    if dry_run:
        _show(found)
        say(f"import: {len(parsed.rows)} rows are good; nothing was written (dry run)")
    would = "would be " if dry_run else ""
    say(
        f"import: {found.added} rows {would}added, {found.changed} {would}updated,"
        f" {found.same} are the same"
    )
    if found.conflicts:
        say(
            f"import: {found.conflicts} fields differ from what a person entered and stay as they"
            " are; see /api/register/conflicts"
        )
    if done.replay_id is not None:
        say(f"import: the running server maps the past of them again, as job {done.replay_id}")


def _show(found: Any) -> None:
    """The difference on stdout, a line a field."""
    from ic3.cli.connect import put_table
    from ic3.domain.diffs import SHOWN, Outcome

    lines = []
    for change in found.changes[:SHOWN]:
        key = " ".join(change.key)
        pairs = [(change.outcome.value, name, *pair) for name, pair in change.fields.items()]
        pairs += [("conflict, stays", name, *pair) for name, pair in change.conflicts.items()]
        if change.outcome is Outcome.ADDED:  # all its fields would be a wall
            pairs = [(change.outcome.value, "", None, None)]
        lines += [
            [key, word, name, _cell(before), _cell(after)] for word, name, before, after in pairs
        ]
    if lines:
        put_table(["key", "", "field", "before", "after"], lines)
    more = found.added + found.changed - SHOWN
    if more > 0:
        print(f"and {more} more rows")


def _cell(value: object) -> str:
    return "" if value is None else str(value)[:200]


@user_app.command("add")
def add_user(
    username: Annotated[str, typer.Argument(help="Name to log in with.")],
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.VIEWER,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    domain: Annotated[
        list[str] | None, typer.Option(help="A domain the user may see; none given: all.")
    ] = None,
) -> None:
    """Add a user; a random password is printed once unless one is given."""
    settings = load()
    from ic3.api.auth import Passwords
    from ic3.cli.connect import opened, run, say
    from ic3.domain.acts import Actor
    from ic3.domain.passwords import weakness
    from ic3.store.users import UserStore

    given = sys.stdin.readline().rstrip("\n") if password_stdin else None
    weak = None if given is None else weakness(given, username)
    if weak is not None:
        raise InputError(f"user: the password is not taken: {weak}")
    if role is Role.ADMIN and domain:
        raise InputError("user: an administrator sees all domains; leave --domain out")
    if not username.isprintable() or not 1 <= len(username) <= 200:
        raise InputError("user: the name needs 1 to 200 printable characters")
    password = given or secrets.token_urlsafe(12)

    async def work() -> bool:
        async with opened(settings) as (_, pool):
            hashed = await Passwords().hash(password)
            actor = Actor.at_the_terminal(getpass.getuser())
            return await UserStore(pool).add(
                username, hashed, role, domains=sorted(set(domain)) if domain else None,
                must_change=given is None, actor=actor,
            )  # fmt: skip

    if not run(work()):
        raise InputError(f"user: {username} exists already; choose another name")
    say(f"user {username} added as {role.value}")
    if given is None:
        print(password)
