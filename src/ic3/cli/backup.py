"""Commands that keep a copy of all there is, and bring it back."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ic3 import __version__
from ic3.cli import app
from ic3.clock import Clock
from ic3.errors import InputError, StartError
from ic3.settings import Settings, load

DUMP: Final = "database.dump"
SPOOL_COPY: Final = "spool.db"
ATTACHMENTS: Final = "attachments"
MANIFEST: Final = "backup.json"


@app.command("backup")
def backup(
    directory: Annotated[Path, typer.Argument(help="Directory to make; must not exist.")],
) -> None:
    """Copy database, spool and attachments, also while the server runs."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.spool import copy_spool

    try:
        directory.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise InputError(f"backup: {directory} cannot be made: {error.strerror}") from None

    async def work() -> None:
        async with opened(settings, only_look=True) as (dsn, _):
            # The spool first: what is stored in the meantime is in both, and counts once.
            has_spool = copy_spool(settings.data_dir / "spool", directory / SPOOL_COPY)
            say(f"backup: {'spool copied' if has_spool else 'there is no spool'}")
            say("backup: the database is written")
            _postgres_tool(
                dsn, "pg_dump", "--format=custom", "--no-owner", "--no-privileges",
                f"--file={directory / DUMP}",
            )  # fmt: skip

    run(work())
    files = settings.data_dir / ATTACHMENTS
    if files.is_dir():
        shutil.copytree(files, directory / ATTACHMENTS)
        say("backup: attachments copied")
    manifest = {
        "version": __version__, "at": Clock().now().isoformat(timespec="seconds"),
        "database_sha256": _sha256(directory / DUMP),
    }  # fmt: skip
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    size_mib = (directory / DUMP).stat().st_size / (1 << 20)
    say(f"backup: {directory} holds it, the database {size_mib:,.1f} MiB; secrets are not in it")


@app.command("restore")
def restore(
    directory: Annotated[Path, typer.Argument(help="What ic3 backup made.")],
) -> None:
    """Bring a backup back, into a data directory or database that is empty."""
    settings = load()
    from ic3.cli.connect import opened, run, say
    from ic3.store import roles
    from ic3.store.migrate import migrate

    manifest = _manifest(directory)
    _require_nothing(settings)

    async def work() -> None:
        async with opened(settings) as (dsn, pool):
            async with pool.connection() as connection:
                found = await (await connection.execute(TABLES)).fetchone()
            if found and found[0]:
                raise InputError(f"restore: the database holds {found[0]} tables already")
            async with pool.connection() as connection:
                await roles.make(connection)  # policies name them
            say(f"restore: the database of {manifest['at']} is read")
            _postgres_tool(
                dsn, "pg_restore", "--no-owner", "--no-privileges", "--exit-on-error",
                "--single-transaction", f"--dbname={_name_of(dsn)}", str(directory / DUMP),
            )  # fmt: skip
            await migrate(dsn, adopt_zone=settings.adopt_zone, say=say)

    run(work())
    if (directory / SPOOL_COPY).is_file():
        (settings.data_dir / "spool").mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(directory / SPOOL_COPY, settings.data_dir / "spool" / SPOOL_COPY)
    if (directory / ATTACHMENTS).is_dir():
        shutil.copytree(directory / ATTACHMENTS, settings.data_dir / ATTACHMENTS)
    say("restore: done; start ic3 serve. Logins go on, access tokens do not: their key is new")


TABLES: Final = """
SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
"""


def _manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        if manifest["database_sha256"] != _sha256(directory / DUMP):
            raise InputError(f"restore: {directory / DUMP} is not what was written; it is damaged")
    except OSError as error:
        raise InputError(f"restore: {error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError):
        raise InputError(f"restore: {directory / MANIFEST} is not of ic3 backup") from None
    return manifest


def _require_nothing(settings: Settings) -> None:
    """A backup is never mixed with what is there."""
    from ic3.embedded.running import is_there

    if settings.database_url is None and is_there(settings.data_dir):
        raise InputError(
            f"restore: {settings.data_dir} holds a database already; set IC3_DATA_DIR to another"
        )
    if (settings.data_dir / "spool" / SPOOL_COPY).exists():
        raise InputError(f"restore: {settings.data_dir} holds a spool already; move it away")


def _postgres_tool(dsn: str, name: str, *arguments: str) -> None:
    """Run a program of PostgreSQL to its end; the password is in its environment alone."""
    from ic3.embedded.postgres import tool
    from ic3.embedded.running import libpq_environment

    command = [str(tool(name)), "--no-password", *arguments]
    done = subprocess.run(  # noqa: S603  the wheel's binary
        command, env=libpq_environment(dsn),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise StartError(f"{name}: {lines[0]}")


def _name_of(dsn: str) -> str:
    from ic3.embedded.running import libpq_environment

    return libpq_environment(dsn).get("PGDATABASE", "postgres")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
