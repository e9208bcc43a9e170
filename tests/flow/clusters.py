"""PostgreSQL clusters on TCP ports, run by the plain tools: nothing restarts or cleans them up."""

import os
import signal
import subprocess
from pathlib import Path

import psycopg
from driven import alive, free_port, until
from patience import PATIENCE_S
from psycopg.conninfo import make_conninfo

from ic3.embedded import postgres

PLAIN = {
    "unix_socket_directories": "", "listen_addresses": "127.0.0.1", "shared_buffers": "32MB",
    "max_wal_senders": "4", "hot_standby": "on", "jit": "off", "wal_receiver_timeout": "5s",
}  # fmt: skip


class Cluster:
    """One cluster and its server, which runs as an unprivileged account where we are root."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        self._account = postgres._choose_account(place)
        self._bin = postgres._usable_install(place.parent, self._account).bin_dir
        self.dsn = make_conninfo(host="127.0.0.1", port=self.port, user="ic3", dbname="postgres")

    def make(self) -> "Cluster":
        """A new cluster that trusts this machine."""
        self._make_place()
        self._run(
            "initdb", "-D", str(self.place), "-U", "ic3", "--auth=trust", "--encoding=UTF8",
            "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        return self

    def copy_of(self, primary: "Cluster", *, name: str) -> "Cluster":
        """A standby: the base backup of a running server, which it will follow by this name."""
        self._make_place()
        source = make_conninfo(primary.dsn, application_name=name)
        self._run(
            "pg_basebackup", "-D", str(self.place), "-d", source, "--checkpoint=fast",
            "--wal-method=stream", "--write-recovery-conf", "--no-sync",
        )  # fmt: skip
        return self

    def start(self) -> "Cluster":
        settings = " ".join(f"-c {name}='{text}'" for name, text in PLAIN.items())
        self._ctl("start", "-w", "-l", str(self.place / "log"), "-o", f"-p {self.port} {settings}")
        return self

    def promote(self) -> None:
        self._ctl("promote", "-w")

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return int((self.place / "postmaster.pid").read_text().split("\n", 1)[0])

    def kill(self) -> None:
        """kill -9 of the postmaster; on return nothing listens there."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: not alive(pid), what="its end")

    def stop(self) -> None:
        """Be gone, in whatever state it is."""
        if (self.place / "postmaster.pid").exists() and alive(self.pid):
            self._ctl("stop", "-m", "immediate", "-w")

    def sql(self, statement: str, *, options: str = "") -> list[tuple[object, ...]]:
        with psycopg.connect(self.dsn, autocommit=True, options=options) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _make_place(self) -> None:
        self.place.mkdir(mode=0o700)
        if self._account.switch:
            os.chown(self.place, self._account.uid, self._account.gid)

    def _ctl(self, act: str, *more: str) -> None:
        self._run("pg_ctl", act, "-D", str(self.place), "-t", f"{PATIENCE_S:.0f}", *more)

    def _run(self, tool: str, *arguments: str) -> None:
        who = self._account
        # Not captured: the server that pg_ctl leaves behind would hold the pipe open.
        with (self.place.parent / f"{self.place.name}-{tool}.log").open("ab") as log:
            subprocess.run(
                [str(self._bin / tool), *arguments], cwd="/", check=True, timeout=PATIENCE_S,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, user=who.uid if who.switch else None,
                group=who.gid if who.switch else None, extra_groups=[] if who.switch else None,
            )  # fmt: skip
