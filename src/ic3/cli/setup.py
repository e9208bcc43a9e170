"""Commands that set a plant up: import of CSV files, users."""

import getpass
import secrets
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

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


@app.command("import")
def import_file(
    table: Annotated[TableName, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="CSV with a header line, UTF-8.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check, write nothing.")] = False,
) -> None:
    """Import register, parameters or tag map from CSV: all or nothing, a line per problem."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.domain.acts import Actor
    from ic3.domain.imports import FileImport, read_csv
    from ic3.store.mappings import MappingStore
    from ic3.store.register import Imported, RegisterStore

    try:
        parsed = read_csv(table.value, file.read_bytes())
    except OSError as error:
        raise InputError(f"import: {file} cannot be read: {error.strerror}") from None

    async def work(found: FileImport) -> tuple[Imported, int | None] | None:
        async with opened(settings, only_look=dry_run) as (_, pool):
            store = RegisterStore(pool)
            serials, codes = await store.unknown_codes(
                serials=found.serials(), tag_codes=found.codes()
            )
            found.check_references(serials, codes)
            if found.problems or dry_run:
                return None
            actor = Actor.at_the_terminal(getpass.getuser())
            return await MappingStore(pool).import_file(actor, table.value, found.rows)

    done = run(work(parsed))
    for problem in parsed.problems:
        print(problem)
    if parsed.problems:
        say(f"import: {len(parsed.problems)} problems in {file}; nothing was written")
        raise typer.Exit(PROBLEM)
    if done is None:
        say(f"import: {len(parsed.rows)} rows are good; nothing was written (dry run)")
    else:
        imported, job = done
        say(f"import: {imported.added} rows added, {imported.updated} updated")
        if job is not None:
            say(f"import: the running server maps the past of them again, as job {job}")


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
