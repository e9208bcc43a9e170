"""The content of attachments: files of our own naming in the data directory."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

CHUNK_BYTES: Final = 256 * 1024
# A file without a row that is younger may be one whose row is being written.
ORPHAN_AGE_S: Final = 3600.0


class AttachmentFiles:
    """Files below one folder, which no route serves by path.

    Args:
        folder: Made when the first file is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, content: bytes, sha256: str) -> str:
        """Write content durably; answers its place.

        Raises:
            OSError: It cannot be written.
        """
        return await asyncio.to_thread(self._keep, content, sha256)

    async def read(self, place: str) -> AsyncIterator[bytes]:
        """The content at a place, piece by piece; it is opened before this returns.

        Raises:
            OSError: It cannot be read.
        """
        opened = await asyncio.to_thread(self._path(place).open, "rb")
        return _pieces(opened)

    async def drop(self, place: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            await asyncio.to_thread(self._path(place).unlink)

    async def orphans(self, known: Collection[str], *, now_s: float) -> list[str]:
        """Places of files that have no row and are older than an hour."""
        return await asyncio.to_thread(self._orphans, known, now_s)

    def _keep(self, content: bytes, sha256: str) -> str:
        prefix = self._folder / sha256[:2]
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        prefix.mkdir(mode=0o700, exist_ok=True)
        name = secrets.token_hex(16)
        temporary = prefix / f"{name}.part"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
                new.write(content)
                new.flush()
                os.fsync(new.fileno())
            temporary.rename(prefix / name)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
        for folder in (prefix, self._folder):
            _sync(folder)
        return f"{sha256[:2]}/{name}"

    def _path(self, place: str) -> Path:
        prefix, _, name = place.partition("/")
        if not (prefix.isalnum() and name.isalnum()):
            raise FileNotFoundError(place)
        return self._folder / prefix / name

    def _orphans(self, known: Collection[str], now_s: float) -> list[str]:
        found = []
        for path in self._folder.glob("*/*"):
            place = f"{path.parent.name}/{path.name}"
            with suppress(FileNotFoundError):
                if place not in known and path.stat().st_mtime < now_s - ORPHAN_AGE_S:
                    found.append(place)
        return found

    async def sweep(self, places: Collection[str]) -> None:
        """Delete files that have no row."""
        await asyncio.to_thread(self._sweep, places)

    def _sweep(self, places: Collection[str]) -> None:
        for place in places:
            with suppress(FileNotFoundError):
                (self._folder / place).unlink()


def _sync(folder: Path) -> None:
    """Make a new name durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _pieces(opened: BinaryIO) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(opened.read, CHUNK_BYTES):
            yield piece
    finally:
        opened.close()
