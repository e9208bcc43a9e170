"""The embedded PostgreSQL, with real servers and real kills."""

import asyncio
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ic3.embedded import postgres
from ic3.embedded.postgres import EmbeddedPostgres
from ic3.errors import EmbeddedError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")

OWNER = """
import asyncio, pathlib, sys
from ic3.embedded.postgres import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), shared_buffers_mib=16)
    dsn = await server.start()
    print(server.pid, dsn, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""

ONE_LIFE = """
import asyncio, pathlib, sys
from ic3.embedded.postgres import EmbeddedPostgres

async def main():
    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), shared_buffers_mib=16)
    await server.start()
    await server.stop()

asyncio.run(main())
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """A directory every account can pass, which pytest's own is not."""
    path = Path(tempfile.mkdtemp(prefix="ic3-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def data_dir(base: Path) -> Path:
    return base / "data"


def embedded(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, shared_buffers_mib=16)


def run_sql(dsn: str, sql: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(sql.encode())


def count(dsn: str, table: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row is not None
    return int(row[0])


async def life_with_a_row(data_dir: Path) -> None:
    """First start, one committed row, stop."""
    server = embedded(data_dir)
    run_sql(await server.start(), "CREATE TABLE kept AS SELECT 1 AS n")
    await server.stop()


async def rows_after_a_new_start(data_dir: Path) -> int:
    server = embedded(data_dir)
    try:
        return count(await server.start(), "kept")
    finally:
        await server.stop()


def start_owner(data_dir: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(data_dir)], stdout=subprocess.PIPE, text=True
    )


def first_words(owner: "subprocess.Popen[str]") -> tuple[int, str]:
    """Process id of its postmaster, connection string."""
    assert owner.stdout is not None
    pid, _, dsn = owner.stdout.readline().strip().partition(" ")
    return int(pid), dsn


def kill_owner(owner: "subprocess.Popen[str]") -> None:
    owner.kill()
    owner.wait()
    assert owner.stdout is not None
    owner.stdout.close()


def exists(path: Path) -> bool:
    return path.exists()


def names_in(directory: Path, pattern: str) -> list[str]:
    return [path.name for path in directory.glob(pattern)]


def open_dir(path: Path) -> None:
    """Make a directory every account can pass."""
    path.mkdir(parents=True)
    path.chmod(0o755)


def run_shell(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout


def start_unrelated(arguments: list[str], executable: str, uid: int) -> "subprocess.Popen[bytes]":
    user = uid if os.geteuid() == 0 else None
    return subprocess.Popen(arguments, executable=executable, stdin=subprocess.PIPE, user=user)


def hide_wheel(target: Path) -> None:
    """Copy the wheel to where only root may look."""
    package = postgres._newest_install().root.parent
    for source in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("pginstall"))
    target.chmod(0o700)


async def kill_postmaster(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    while server.pid is not None:  # noqa: ASYNC110  nothing else tells
        await asyncio.sleep(0.01)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def cluster_owner(data_dir: Path) -> int:
    return (data_dir / "postgres").stat().st_uid


async def test_data_survive_a_restart(data_dir: Path) -> None:
    await life_with_a_row(data_dir)
    assert await rows_after_a_new_start(data_dir) == 1


async def test_the_same_object_starts_again_after_stop(data_dir: Path) -> None:
    server = embedded(data_dir)
    await server.start()
    await server.stop()
    assert "not running" in server.connection_hint
    run_sql(await server.start(), "SELECT 1")
    await server.stop()
    assert server.pid is None


class KilledOnce(EmbeddedPostgres):
    """Whose first server is killed as soon as it runs."""

    killed = False

    def _spawn_server(self, *given: Any) -> "subprocess.Popen[bytes]":
        process = super()._spawn_server(*given)
        if not self.killed:
            self.killed = True
            process.kill()
        return process


async def test_a_server_that_is_killed_while_it_starts_is_started_again(data_dir: Path) -> None:
    await life_with_a_row(data_dir)
    server = KilledOnce(data_dir, shared_buffers_mib=16)
    run_sql(await server.start(), "SELECT 1")
    assert server.killed
    await server.stop()
    assert await rows_after_a_new_start(data_dir) == 1


async def test_s35_secrets_and_cluster_are_closed_to_others(data_dir: Path) -> None:
    server = embedded(data_dir)
    dsn = await server.start()
    try:
        assert mode_of(data_dir / "postgres") == 0o700
        assert mode_of(data_dir / "run") == 0o700
        assert mode_of(data_dir / "postgres.password") == 0o600
        assert mode_of(data_dir / "ic3.lock") == 0o600
        assert cluster_owner(data_dir) != 0
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(dsn, password="guessed")
        with psycopg.connect(dsn) as connection:
            row = connection.execute(
                "SELECT current_setting('listen_addresses'), current_setting('data_checksums'),"
                " current_setting('server_encoding'), current_setting('timezone')"
            ).fetchone()
        assert row == ("", "on", "UTF8", "UTC")
    finally:
        await server.stop()
    assert names_in(data_dir, ".ic3-*") == []


async def test_password_stays_out_of_the_hint_and_the_repr(data_dir: Path) -> None:
    server = embedded(data_dir)
    await server.start()
    try:
        password = (data_dir / "postgres.password").read_text().strip()
        assert password not in server.connection_hint + repr(vars(server))
        assert run_shell(f"{server.connection_hint} -Atc 'SELECT 42'") == "42\n"
    finally:
        await server.stop()


async def test_a_deleted_password_is_replaced(data_dir: Path) -> None:
    await life_with_a_row(data_dir)
    old = (data_dir / "postgres.password").read_text()
    (data_dir / "postgres.password").unlink()
    assert await rows_after_a_new_start(data_dir) == 1
    assert (data_dir / "postgres.password").read_text() != old


async def test_second_instance_on_the_directory_is_refused(data_dir: Path) -> None:
    server = embedded(data_dir)
    dsn = await server.start()
    try:
        with pytest.raises(EmbeddedError) as refused:
            await embedded(data_dir).start()
        assert str(refused.value) == (
            f"embedded PostgreSQL: data directory {data_dir} is in use by process {os.getpid()}; "
            "stop it or set another IC3_DATA_DIR"
        )
        run_sql(dsn, "SELECT 1")
    finally:
        await server.stop()


async def test_second_process_on_the_directory_is_refused(data_dir: Path) -> None:
    owner = start_owner(data_dir)
    try:
        first_words(owner)
        with pytest.raises(EmbeddedError, match=f"in use by process {owner.pid};"):
            await embedded(data_dir).start()
    finally:
        kill_owner(owner)
    server = embedded(data_dir)
    await server.start()
    await server.stop()


async def test_killed_postmaster_recovers_with_its_committed_rows(data_dir: Path) -> None:
    server = embedded(data_dir)
    dsn = await server.start()
    run_sql(dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    busy = await psycopg.AsyncConnection.connect(dsn)
    await kill_postmaster(server)
    await busy.close()
    try:
        assert count(await server.start(), "kept") == 1
    finally:
        await server.stop()


async def test_killed_program_takes_the_server_along_and_recovers(data_dir: Path) -> None:
    owner = start_owner(data_dir)
    pid, dsn = first_words(owner)
    run_sql(dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    kill_owner(owner)
    assert await rows_after_a_new_start(data_dir) == 1
    assert not exists(Path(f"/proc/{pid}/exe"))


async def test_orphaned_server_is_stopped_at_the_next_start(
    data_dir: Path,
) -> None:
    await life_with_a_row(data_dir)
    lost = embedded(data_dir)
    dsn = await lost.start()
    run_sql(dsn, "INSERT INTO kept VALUES (2)")
    server = lost._server
    assert server is not None
    assert lost._lock_fd is not None
    os.close(lost._lock_fd)  # as if its program had died and the kernel had told nobody
    reaper = asyncio.create_task(asyncio.to_thread(server.process.wait))
    assert await rows_after_a_new_start(data_dir) == 2
    assert await reaper == 0


async def test_stop_ends_in_time_with_clients_connected(data_dir: Path) -> None:
    server = embedded(data_dir)
    dsn = await server.start()
    client = await psycopg.AsyncConnection.connect(dsn)
    await client.execute("SELECT 1")
    begun = time.monotonic()
    await server.stop()
    assert time.monotonic() - begun < 20
    with pytest.raises(psycopg.OperationalError):
        await client.execute("SELECT 1")
    await client.close()


async def test_stop_ends_in_time_with_a_server_that_hangs(data_dir: Path) -> None:
    server = embedded(data_dir)
    await server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    begun = time.monotonic()
    await server.stop()
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("arguments", "executable"),
    [
        (["sleep", "30"], "/bin/sleep"),
        (["postgres", "-c", "read line", "-D", "/elsewhere"], "/bin/sh"),
    ],
)
async def test_reused_pid_of_an_unrelated_process_is_left_alone(
    data_dir: Path, arguments: list[str], executable: str
) -> None:
    await life_with_a_row(data_dir)
    uid = cluster_owner(data_dir)
    unrelated = start_unrelated(arguments, executable, uid)
    assert unrelated.stdin is not None
    try:
        for name in ("postgres/postmaster.pid", "run/.s.PGSQL.5432.lock"):
            stale = data_dir / name
            stale.write_text(f"{unrelated.pid}\n{data_dir}/postgres\n1\n5432\n\n\n")
            stale.chmod(0o600)
            os.chown(stale, uid, -1)
        assert await rows_after_a_new_start(data_dir) == 1
        assert unrelated.poll() is None
    finally:
        unrelated.stdin.close()
        unrelated.kill()
        unrelated.wait()


async def test_half_made_cluster_is_made_anew(data_dir: Path) -> None:
    open_dir(data_dir)
    open_dir(data_dir / ".new-abc")
    (data_dir / ".new-abc" / "PG_VERSION").write_text("18\n")
    await life_with_a_row(data_dir)
    assert not exists(data_dir / ".new-abc")


async def test_failed_first_start_leaves_no_cluster(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_NAME", "pg_reserved")
    with pytest.raises(EmbeddedError, match="pg_") as failed:
        await embedded(data_dir).start()
    assert "\n" not in str(failed.value)
    assert not exists(data_dir / "postgres")
    monkeypatch.undo()
    await life_with_a_row(data_dir)


async def test_cluster_of_another_major_version_is_refused(data_dir: Path) -> None:
    await life_with_a_row(data_dir)
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 17; this program brings 18:"):
        await embedded(data_dir).start()


async def test_foreign_directory_in_the_clusters_place_is_refused(data_dir: Path) -> None:
    open_dir(data_dir)
    open_dir(data_dir / "postgres")
    with pytest.raises(EmbeddedError, match="is not a PostgreSQL cluster"):
        await embedded(data_dir).start()


async def test_failing_server_is_told_in_its_own_words(data_dir: Path) -> None:
    await life_with_a_row(data_dir)
    shutil.rmtree(data_dir / "postgres" / "pg_wal")
    with pytest.raises(EmbeddedError, match=r"pg_wal.*; log: /.*") as failed:
        await embedded(data_dir).start()
    assert "\n" not in str(failed.value)


async def test_unusable_data_directory_is_told_in_one_line(base: Path) -> None:
    (base / "file").touch()
    with pytest.raises(EmbeddedError) as failed:
        await embedded(base / "file" / "data").start()
    place = base / "file" / "data"
    assert str(failed.value).startswith(f"embedded PostgreSQL: {place}: Not a directory; ")
    assert str(failed.value).endswith("set IC3_DATA_DIR to one that can be used")


async def test_long_path_gets_a_short_socket_directory_that_is_removed(base: Path) -> None:
    data_dir = base / ("d" * 100) / "data"
    server = embedded(data_dir)
    dsn = await server.start()
    socket_dir = Path((data_dir / "postgres.socket_dir").read_text().strip())
    assert mode_of(socket_dir) == 0o700
    run_sql(dsn, "SELECT 1")
    await server.stop()
    assert not exists(socket_dir)
    assert not exists(data_dir / "postgres.socket_dir")


async def test_short_socket_directory_of_a_killed_program_is_removed(base: Path) -> None:
    data_dir = base / ("d" * 100) / "data"
    owner = start_owner(data_dir)
    first_words(owner)
    socket_dir = Path((data_dir / "postgres.socket_dir").read_text().strip())
    kill_owner(owner)
    assert exists(socket_dir)
    server = embedded(data_dir)
    await server.start()
    await server.stop()
    assert not exists(socket_dir)


async def test_cancelled_start_leaves_nothing_running(data_dir: Path) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await embedded(data_dir).start()
    await life_with_a_row(data_dir)
    assert names_in(data_dir, ".*") == []


async def test_uvloop_runs_it_as_well(data_dir: Path) -> None:
    code = "import uvloop, asyncio\nasyncio.run = uvloop.run\n" + ONE_LIFE
    run_shell(shlex.join([sys.executable, "-c", code, str(data_dir)]))


@as_root
async def test_unreachable_parent_is_named_with_user_and_fix(base: Path) -> None:
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError) as failed:
        await embedded(closed / "data").start()
    assert f"directory {closed} does not let user " in str(failed.value)
    assert "set IC3_DATA_DIR to e.g. /var/lib/ic3" in str(failed.value)
    assert mode_of(closed) == 0o700


@as_root
async def test_unreachable_binaries_are_copied_once(
    base: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = postgres._newest_install().version
    hide_wheel(base / "hidden")
    monkeypatch.syspath_prepend(base / "hidden")
    await life_with_a_row(data_dir)
    copy = data_dir / ("postgresql-" + ".".join(str(number) for number in version))
    made_at_ns = copy.stat().st_mtime_ns
    assert await rows_after_a_new_start(data_dir) == 1
    assert copy.stat().st_mtime_ns == made_at_ns
    assert names_in(data_dir, ".new-*") == []


@as_root
async def test_account_is_made_or_the_error_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_SYSTEM_PATH", "/nonexistent")
    with pytest.raises(EmbeddedError, match="useradd --system --user-group ic3"):
        postgres._make_account()


@as_root
def test_unprivileged_user_runs_it_as_itself(base: Path) -> None:
    python = reachable_python()
    if python is None:
        pytest.skip("no python that an unprivileged user may run")
    nobody = pwd.getpwnam("nobody")
    os.chown(base, nobody.pw_uid, nobody.pw_gid)
    subprocess.run(
        [python, "-c", ONE_LIFE, str(base / "data")],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        check=True,
    )
    assert cluster_owner(base / "data") == nobody.pw_uid
    assert mode_of(base / "data") == 0o700


@as_root
def test_unprivileged_user_hears_of_an_unwritable_directory_in_one_line(base: Path) -> None:
    python = reachable_python()
    if python is None:
        pytest.skip("no python that an unprivileged user may run")
    refused = subprocess.run(
        [python, "-c", ONE_LIFE, str(base / "data")],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        user="nobody",
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.stderr.splitlines()[-1].startswith(
        f"ic3.errors.EmbeddedError: embedded PostgreSQL: {base / 'data'}: Permission denied; "
    )


def reachable_python() -> str | None:
    """A Python of our version, with our packages, that the user nobody may run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{name}"):
        with_packages = [python, "-c", "import psycopg, ic3.embedded.postgres"]
        try:
            subprocess.run(
                with_packages,
                env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
                cwd="/",
                user="nobody",
                extra_groups=[],
                capture_output=True,
                check=True,
            )
        except (PermissionError, FileNotFoundError, subprocess.CalledProcessError):
            continue
        return python
    return None
