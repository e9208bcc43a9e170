"""How a command reaches the embedded PostgreSQL that a running server owns."""

import socket
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_NAME = "ic3"
_LIBPQ = {
    "host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER",
    "password": "PGPASSWORD", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
}  # fmt: skip


def is_there(data_dir: Path) -> bool:
    """Whether an embedded database was made in this directory."""
    return (data_dir / "postgres").is_dir()


def dsn_of_running(data_dir: Path) -> str | None:
    """The DSN of the server that runs on this data directory, or None where none does.

    The command must be run as the user the server runs as: password and socket are its own.
    The lock of the data directory is left alone: to try it would disturb a server just starting.
    """
    try:
        password = (data_dir / "postgres.password").read_text(encoding="ascii").strip()
        note = data_dir / "postgres.socket_dir"
        noted = note.read_text(encoding="utf-8").strip() if note.exists() else ""
        socket_dir = noted or str(data_dir.resolve() / "run")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            probe.connect(f"{socket_dir}/.s.PGSQL.5432")
    except OSError:
        return None
    return make_conninfo(host=socket_dir, port=5432, dbname=_NAME, user=_NAME, password=password)


def libpq_environment(dsn: str) -> dict[str, str]:
    """What the programs of PostgreSQL read instead of a command line that others could read."""
    given = conninfo_to_dict(dsn)
    return {_LIBPQ[name]: str(value) for name, value in given.items() if name in _LIBPQ and value}
