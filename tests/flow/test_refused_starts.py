"""What keeps the program from starting: one clear line, an exit code, no traceback, no secret."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from driven import Gateway, Product, alive, children, ic3, ic3_here, place, until
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SECRET = "hush-hush-planted-secret-of-this-test"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as found:
        yield found


def _one_line(ended: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    everything = ended.stdout + ended.stderr
    assert "Traceback" not in everything, everything
    assert SECRET not in everything
    assert ended.returncode == code, everything
    lines = [line for line in ended.stderr.splitlines() if line.startswith("ic3: ")]
    assert len(lines) == 1, everything
    assert ended.stderr.splitlines()[-1] == lines[0]
    for word in words:
        assert word in lines[0], lines[0]


CASES = {
    "refused": (
        {"DATABASE_URL": f"postgresql://u:{SECRET}@127.0.0.1:9/x"}, 5, ["database:", "DATABASE_URL"]
    ),
    "not a url": ({"DATABASE_URL": f"{SECRET} is not a url"}, 2, ["DATABASE_URL"]),
    "sign": ({"DATABASE_URL": f"postgresql://u:%{SECRET}@h/x"}, 2, ["DATABASE_URL", "%25"]),
    "slash": ({"DATABASE_URL": f"postgresql://u:{SECRET}/x@h/x"}, 2, ["DATABASE_URL"]),
    "several": (
        {"IC3_PORT": "70000", "MONITORING_POLL_INTERVAL": "often"}, 2,
        ["IC3_PORT", "MONITORING_POLL_INTERVAL"],
    ),
    "gateway password": (
        {"REDIS_API_BASE": f"http://user:{SECRET}@127.0.0.1:9"}, 2, ["gateway:", "token"],
    ),
    "gateway brackets": ({"REDIS_API_BASE": "http://[::1"}, 2, ["gateway:"]),
    "authority": (
        {"REDIS_API_BASE": "https://127.0.0.1:9", "REDIS_API_CA_FILE": "/none.pem"}, 2,
        ["none.pem"],
    ),
    "host": ({"IC3_HOST": "203.0.113.9"}, 1, ["203.0.113.9"]),
    "data directory": ({"IC3_DATA_DIR": "/proc/ic3-data"}, 1, ["/proc"]),
}  # fmt: skip


def test_a_wrong_setting_is_one_line_and_an_exit_code(
    own_place: Path, pool: ThreadPoolExecutor
) -> None:
    ended = {
        name: pool.submit(ic3, own_place, "serve", **settings)
        for name, (settings, _, _) in CASES.items()
    }
    wrong = {}
    for name, (_, code, words) in CASES.items():
        try:
            _one_line(ended[name].result(), code, *words)
        except AssertionError as error:
            wrong[name] = str(error)[:600]
    assert wrong == {}


def test_a_command_without_its_database_is_one_line_as_well(
    own_place: Path, pool: ThreadPoolExecutor
) -> None:
    url = f"postgresql://u:{SECRET}@127.0.0.1:9/x"
    commands = ["runs"], ["poll", "--test"], ["migrate"], ["doctor"]
    *others, doctor = pool.map(lambda each: ic3(own_place, *each, DATABASE_URL=url), commands)
    for ended in others:
        _one_line(ended, 5, "database:")
    assert (doctor.returncode, doctor.stderr) == (1, "")
    assert "FAIL" in doctor.stdout
    assert SECRET not in doctor.stdout


def test_a_wrong_password_is_told_without_the_password(own_place: Path, fresh_dsn: str) -> None:
    _one_line(
        ic3(own_place, "serve", DATABASE_URL=make_conninfo(fresh_dsn, password=SECRET)),
        *(5, "password authentication failed"),
    )


def test_a_file_where_the_data_directory_belongs_is_told(own_place: Path) -> None:
    (own_place / "data").write_text("")
    _one_line(ic3(own_place, "serve"), 1, "data")


def test_a_secret_too_short_is_told_though_the_database_is_embedded(own_place: Path) -> None:
    ended = ic3(own_place, "serve", IC3_JWT_SECRET="short")
    _one_line(ended, 1, "IC3_JWT_SECRET is shorter than 32 bytes")
    assert not (own_place / "data" / "postgres" / "postmaster.pid").exists()


def test_a_schema_newer_than_the_program_is_refused(
    own_place: Path, fresh_dsn: str, pool: ThreadPoolExecutor
) -> None:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES (9999, 'future', 'x')"
        )
    for ended in pool.map(
        lambda command: ic3(own_place, *command, DATABASE_URL=fresh_dsn), (["serve"], ["migrate"])
    ):
        _one_line(ended, 1, "9999", "newer")


@pytest.mark.parametrize("command", ["doctor", "runs", "poll --test", "migrate --dry-run"])
def test_looking_at_a_data_directory_that_is_not_there_makes_nothing(
    own_place: Path, command: str
) -> None:
    ended = ic3_here(own_place, *command.split())
    assert ended.returncode == 1
    words = f"no IC³ data in {own_place / 'data'}; start ic3 demo or set IC3_DATA_DIR"
    assert words in ended.stdout + ended.stderr
    assert not (own_place / "data").exists()


@pytest.mark.parametrize(
    "command", [["runs"], ["poll", "--once"], ["migrate"], ["user", "add", "x"]]
)
def test_a_database_that_refuses_names_the_setting_and_a_next_step(
    own_place: Path, command: list[str]
) -> None:
    ended = ic3_here(own_place, *command, DATABASE_URL="postgresql://ic3:x@127.0.0.1:1/ic3")
    last = ended.stderr.splitlines()[-1]
    assert ended.returncode == 5
    assert last.startswith("ic3: database: ")
    assert "Connection refused" in last
    assert "check DATABASE_URL" in last


def test_a_data_directory_that_cannot_be_used_names_its_setting(
    own_place: Path, fresh_dsn: str
) -> None:
    words = "set IC3_DATA_DIR to one that can be used"
    given = {"IC3_DATA_DIR": "/dev/null/data"}
    _one_line(ic3_here(own_place, "user", "add", "x", **given), 1, words)
    given["DATABASE_URL"] = fresh_dsn
    _one_line(ic3_here(own_place, "poll", "--test", **given), 1, words)


def test_an_altered_migration_is_refused(own_place: Path, fresh_dsn: str) -> None:
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1")
    _one_line(ic3(own_place, "serve", DATABASE_URL=fresh_dsn), 1, "another text")


def test_the_simulated_plant_never_joins_a_real_one(own_place: Path, fresh_dsn: str) -> None:
    gateway = Gateway()
    try:
        ended = ic3(
            own_place, "poll", "--once", DATABASE_URL=fresh_dsn, REDIS_API_BASE=gateway.base,
            MONITORING_POLL_INTERVAL="5",
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
    finally:
        gateway.close()
    with psycopg.connect(fresh_dsn, autocommit=True) as connection:
        count = "SELECT count(*) FROM telemetry"
        before = connection.execute(count).fetchone()
        assert before == (557,)
        for command in (["serve"], ["poll", "--once"]):
            _one_line(
                ic3(own_place, *command, DATABASE_URL=fresh_dsn),
                1,
                "real gateway",
                "REDIS_API_BASE",
            )
        assert connection.execute(count).fetchone() == before
        assert connection.execute("SELECT count(*) FROM ic3_asset_master").fetchone() == (0,)


def _environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")


def _command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


def test_s33_no_secret_leaves_the_program_embedded(own_place: Path) -> None:
    """S33: nothing in the output, in command lines, or in what the children inherit."""
    with Product(own_place, IC3_JWT_SECRET=SECRET, IC3_ADMIN_PASSWORD=SECRET) as product:
        product.start().until_ready()
        below = until(lambda: [pid for pid in children(product.pid) if alive(pid)])
        assert len(below) > 2
        for pid in below:
            assert SECRET not in _command_of(pid)
            assert SECRET not in _environment_of(pid)
        password = (own_place / "data" / "postgres.password").read_text().strip()
        assert password
        for pid in [product.pid, *below]:
            assert password not in _command_of(pid)
        assert product.stop() == 0
        assert SECRET not in "\n".join(product.lines)
        assert password not in "\n".join(product.lines)


def test_s33_no_secret_leaves_the_program_with_a_database_and_a_gateway_of_its_own(
    fresh_dsn: str,
) -> None:
    parts = conninfo_to_dict(fresh_dsn)
    if "password" not in parts:
        pytest.skip("the test database has no password")
    password = str(parts["password"])
    gateway = Gateway()
    try:
        with (
            place() as found,
            Product(
                found, DATABASE_URL=fresh_dsn, REDIS_API_BASE=gateway.base, REDIS_API_TOKEN=SECRET
            ) as product,
        ):
            product.start().until_ready()
            gateway.fault("status", status=401)
            product.after_next_sweep()
            text = f"{product.get('/api/stats')} {product.get('/api/monitoring/progress')}"
            text += str(product.get("/api/openapi.json"))
            assert product.stop() == 0
            text += "\n".join(product.lines)
            assert SECRET not in text
            assert password not in text
            shown = ic3(
                found, "config", "show", DATABASE_URL=fresh_dsn, REDIS_API_TOKEN=SECRET,
                IC3_ADMIN_PASSWORD=SECRET,
            )  # fmt: skip
            assert shown.returncode == 0
            assert "present" in shown.stdout
            assert SECRET not in shown.stdout + shown.stderr
            assert password not in shown.stdout + shown.stderr
    finally:
        gateway.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_cannot_be_written_is_told(own_place: Path) -> None:
    own_place.chmod(0o555)
    try:
        _one_line(ic3(own_place, "serve"), 1, "data")
    finally:
        own_place.chmod(0o755)
