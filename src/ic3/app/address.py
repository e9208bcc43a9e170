"""Where commands of this machine find the running server."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from ic3.settings import Settings

SERVER_ADDRESS_FILE: Final = "server.address"


def note_address(settings: Settings, host: str, port: int) -> Path:
    """Leave in the data directory where commands of this machine find the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not bound
    shown = f"[{host}]" if ":" in host else host
    path = settings.data_dir / SERVER_ADDRESS_FILE
    with suppress(OSError):  # commands then go by IC3_HOST and IC3_PORT
        path.write_text(f"http://{shown}:{port}\n", encoding="ascii")
    return path
