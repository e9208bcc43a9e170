"""One command that gathers what a notice of an incident needs, within the six hours it has."""

import getpass
import hashlib
import json
import os
import platform
import socket
import zipfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ic3 import __version__
from ic3.cli import app
from ic3.clock import Clock
from ic3.domain.history import instant
from ic3.errors import IC3Error, InputError
from ic3.settings import Settings, load

MANIFEST: Final = "manifest.json"
PIECE_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Bundle:
    """A ZIP file that is being written; each file in it is hashed on the way.

    Attributes:
        lacking: What could not be read, and why.
    """

    file: zipfile.ZipFile
    lacking: list[str] = field(default_factory=list)
    written: list[dict[str, Any]] = field(default_factory=list)

    async def add(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Write one file."""
        digest, size = hashlib.sha256(), 0
        with self.file.open(name, "w", force_zip64=True) as place:
            async for piece in pieces:
                digest.update(piece)
                size += len(piece)
                place.write(piece)
        self.written.append({"name": name, "bytes": size, "sha256": digest.hexdigest()})

    async def add_json(self, name: str, document: object) -> None:
        """Write one document."""
        await self.add(name, _whole(json.dumps(document, indent=2, ensure_ascii=False)))


@app.command("incident-bundle")
def incident_bundle(
    begin: Annotated[
        str, typer.Option("--from", help="Begin, such as 2026-06-15T00:00:00+05:30; inside.")
    ],
    out: Annotated[Path, typer.Option("--out", help="ZIP file to make; must not exist.")],
    end: Annotated[str, typer.Option("--until", help="End, likewise; outside. Absent: now.")] = "",
    logs: Annotated[
        list[Path] | None,
        typer.Option("--log", help="A log file to put in, such as the journal's. Repeatable."),
    ] = None,
) -> None:
    """Gather audit log, logins, runs, alarms, settings and logs of a span into one ZIP file."""
    settings = load()
    from ic3.cli.connect import run, say

    begin_at = _moment("--from", begin)
    end_at = _moment("--until", end) if end else Clock().now()
    if begin_at >= end_at:
        raise InputError("incident: --from is not before --until")
    unfinished = out.with_name(out.name + ".part")
    try:
        if out.exists():
            raise InputError(f"incident: {out} exists already; name another file")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with (
            open(descriptor, "wb") as place,
            zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file,
        ):
            bundle = Bundle(file)
            run(_fill(bundle, settings, begin_at, end_at, logs or []))
        unfinished.rename(out)
    except OSError as error:
        raise InputError(f"incident: {error.filename or out}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    for words in bundle.lacking:
        say(f"incident: lacking: {words}")
    say(f"incident: {out} holds {len(bundle.written)} files; secrets are not in it")
    print(hashlib.sha256(out.read_bytes()).hexdigest())


async def _fill(
    bundle: Bundle, settings: Settings, begin: datetime, end: datetime, logs: Iterable[Path]
) -> None:
    from ic3.cli.read import examine, setting_rows

    try:
        await _add_rows(bundle, settings, begin, end)
    except IC3Error as error:
        # An incident may well be that it is away: the rest counts all the more.
        bundle.lacking.append(str(error))
    await bundle.add_json("settings.json", setting_rows(settings))
    await bundle.add_json("doctor.json", [asdict(each) for each in await examine(settings)])
    await bundle.add_json("programs.json", _programs())
    for path in (*_server_logs(settings, begin), *logs):
        await bundle.add(f"logs/{len(bundle.written):03d}_{path.name}", _pieces(path))
    manifest = {
        "program": f"ic3 {__version__}", "host": socket.gethostname(),
        "by": getpass.getuser(),
        "made_at": Clock().now().isoformat(timespec="seconds"), "from": begin.isoformat(),
        "until": end.isoformat(), "lacking": bundle.lacking,
        "files": bundle.written,
    }  # fmt: skip
    bundle.file.writestr(MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


async def _add_rows(bundle: Bundle, settings: Settings, begin: datetime, end: datetime) -> None:
    from ic3.cli.connect import opened
    from ic3.domain.acts import Actor
    from ic3.store.audit import AuditStore, Wanted
    from ic3.store.incident import PARTS, IncidentStore

    async with opened(settings, only_look=True) as (_, pool):
        actor = Actor.at_the_terminal(getpass.getuser())
        await AuditStore(pool).note_export(actor, Wanted(from_at=begin, until_at=end))
        store = IncidentStore(pool)
        for part in PARTS:
            await bundle.add(f"{part}.jsonl", _encoded(store.lines(part, begin, end)))


def _programs() -> dict[str, Any]:
    """What runs here, to be compared with advisories."""
    packages = {each.name: each.version for each in metadata.distributions()}
    return {
        "ic3": __version__, "python": platform.python_version(), "system": platform.platform(),
        "packages": dict(sorted(packages.items())),
    }  # fmt: skip


def _server_logs(settings: Settings, begin: datetime) -> list[Path]:
    """Logs of the embedded PostgreSQL that were written since the span began."""
    found = [*settings.data_dir.glob("postgres.log"), *settings.data_dir.glob("postgres/log/*")]
    return sorted(each for each in found if each.stat().st_mtime >= begin.timestamp())


def _moment(name: str, text: str) -> datetime:
    return datetime.fromtimestamp(instant(name, text) / 1e6, UTC)


async def _encoded(lines: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for line in lines:
        yield line.encode() + b"\n"


async def _whole(text: str) -> AsyncIterator[bytes]:
    yield text.encode() + b"\n"


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
