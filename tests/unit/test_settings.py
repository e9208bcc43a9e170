"""Every setting is parsed or refused by its name; secrets are not shown."""

import os
from pathlib import Path

import pytest

from ic3.errors import SettingsError
from ic3.settings import (
    Settings,
    default_data_dir,
    environment_without_secrets,
    load,
    options,
)

SECRETS = [
    "REDIS_API_TOKEN", "DATABASE_URL", "IC3_CMMS_TOKEN", "IC3_ADMIN_PASSWORD", "IC3_JWT_SECRET",
    "IC3_JWT_SECRET_PREVIOUS", "IC3_SMTP_URL",
]  # fmt: skip
HIDDEN = "s3cr3t-" + "x" * 40
PARSED: list[tuple[str, str, str, object]] = [
    ("REDIS_API_BASE", "http://127.0.0.1:8181", "redis_api_base", "http://127.0.0.1:8181"),
    ("REDIS_API_MAX_IN_FLIGHT", "1", "redis_api_max_in_flight", 1),
    ("REDIS_API_MAX_IN_FLIGHT", "10000", "redis_api_max_in_flight", 10_000),
    ("REDIS_API_TIMEOUT", "0.05", "redis_api_timeout_s", 0.05),
    ("REDIS_API_TIMEOUT", "300", "redis_api_timeout_s", 300.0),
    ("REDIS_API_CA_FILE", "/etc/ca.pem", "redis_api_ca_file", Path("/etc/ca.pem")),
    ("REDIS_API_TOKEN", HIDDEN, "redis_api_token", HIDDEN),
    ("MONITORING_POLL_INTERVAL", "0.2", "poll_interval_s", 0.2),
    ("MONITORING_POLL_INTERVAL", "3600", "poll_interval_s", 3600.0),
    ("DATABASE_URL", "postgresql://ic3@db/ic3", "database_url", "postgresql://ic3@db/ic3"),
    ("IC3_HOST", "::", "host", "::"),
    ("IC3_PORT", "0", "port", 0),
    ("IC3_PORT", "65535", "port", 65535),
    ("IC3_DATA_DIR", "/srv/ic3", "data_dir", Path("/srv/ic3")),
    ("IC3_ADMIN_PASSWORD", HIDDEN, "admin_password", HIDDEN),
    ("IC3_JWT_SECRET", HIDDEN, "jwt_secret", HIDDEN),
    ("IC3_TOKEN_MINUTES", "1440", "token_minutes", 1440),
    ("IC3_JWT_SECRET_PREVIOUS", HIDDEN, "jwt_secret_previous", HIDDEN),
    ("IC3_LOGIN_DAYS", "0.5", "login_days", 0.5),
    ("IC3_AUDIT_DAYS", "180", "audit_days", 180),
    ("IC3_RATE_PER_MINUTE", "0", "rate_per_minute", 0),
    ("IC3_CORS_ORIGINS", " https://a , https://b,, ", "cors_origins", ("https://a", "https://b")),
    ("IC3_WS_CLIENTS", "1", "ws_clients", 1),
    ("IC3_WS_CLIENTS_PER_USER", "100000", "ws_clients_per_user", 100_000),
    ("IC3_WS_INSECURE", "1", "ws_insecure", True),
    ("IC3_WS_INSECURE", "TRUE", "ws_insecure", True),
    ("IC3_WS_INSECURE", "off", "ws_insecure", False),
    ("IC3_RAW_DAYS", "3650", "raw_days", 3650),
    ("IC3_ROLLUP_DAYS", "30", "rollup_days", 30),
    ("IC3_ATTACHMENTS_MAX_MIB", "1", "attachments_max_mib", 1),
    ("IC3_ZONE", "Asia/Kathmandu", "zone", "Asia/Kathmandu"),
    ("IC3_WATER_VALUE", "24.5", "water_value_per_m3", 24.5),
    ("IC3_ADOPT_ZONE", "UTC", "adopt_zone", "UTC"),
    ("IC3_SERVICE_AREA", "76.8,28.4,77.4,28.9", "service_area", (76.8, 28.4, 77.4, 28.9)),
    ("IC3_PUBLIC_URL", "https://ic3.example.org/", "public_url", "https://ic3.example.org"),
    ("IC3_PLANT_SEED", "0", "plant_seed", 0),
    ("IC3_PLANT_SPEED", "60", "plant_speed", 60.0),
    ("IC3_SPOOL_MAX_MIB", "1", "spool_max_mib", 1),
    ("IC3_SPOOL_MAX_HOURS", "0.5", "spool_max_hours", 0.5),
    ("REDIS_API_MGET_PATH", "/api/redis/mget", "redis_api_mget_path", "/api/redis/mget"),
    ("IC3_CMMS_BASE", "https://cmms", "cmms_base", "https://cmms"),
    ("IC3_CMMS_PATH", "/v2/{serial}/full", "cmms_path", "/v2/{serial}/full"),
    ("IC3_CMMS_TOKEN", HIDDEN, "cmms_token", HIDDEN),
    ("IC3_CMMS_RATE_PER_S", "0.5", "cmms_rate_per_s", 0.5),
    ("IC3_CMMS_TIMEOUT", "30", "cmms_timeout_s", 30.0),
    ("IC3_CMMS_CA_FILE", "/etc/cmms.pem", "cmms_ca_file", Path("/etc/cmms.pem")),
    ("IC3_WEBHOOK_ALLOW_PRIVATE", "1", "webhook_allow_private", True),
    ("IC3_SMTP_URL", HIDDEN, "smtp_url", HIDDEN),
    ("IC3_SMTP_FROM", "ic3@water.example", "smtp_from", "ic3@water.example"),
    ("IC3_LOG_FORMAT", "json", "log_format", "json"),
]
REFUSED = [
    ("REDIS_API_MAX_IN_FLIGHT", "0", "must be between 1 and 10000"),
    ("REDIS_API_MAX_IN_FLIGHT", "2.5", "must be a number, not '2.5'"),
    ("REDIS_API_MAX_IN_FLIGHT", "9" * 5000, "must be a number"),
    ("REDIS_API_TIMEOUT", "0", "must be between 0.05 and 300"),
    ("REDIS_API_TIMEOUT", "nan", "must be between 0.05 and 300"),
    ("REDIS_API_TIMEOUT", "inf", "must be between 0.05 and 300"),
    ("MONITORING_POLL_INTERVAL", "15s", "must be a number, not '15s'"),
    ("MONITORING_POLL_INTERVAL", "0.1", "must be between 0.2 and 3600"),
    ("MONITORING_POLL_INTERVAL", "-15", "must be between 0.2 and 3600"),
    ("IC3_PORT", "65536", "must be between 0 and 65535"),
    ("IC3_PORT", "http", "must be a number, not 'http'"),
    ("IC3_TOKEN_MINUTES", "0", "must be between 1 and 1440"),
    ("IC3_LOGIN_DAYS", "0", "must be between 0.01 and 90"),
    ("IC3_AUDIT_DAYS", "179", "must be between 180 and"),
    ("IC3_RATE_PER_MINUTE", "-1", "must be between 0 and"),
    ("IC3_WS_CLIENTS", "0", "must be between 1 and 100000"),
    ("IC3_WS_CLIENTS_PER_USER", "many", "must be a number, not 'many'"),
    ("IC3_WS_INSECURE", "maybe", "must be 1 or 0"),
    ("IC3_RAW_DAYS", "0", "must be between 1 and 3650"),
    ("IC3_ROLLUP_DAYS", "0", "must be between 1 and"),
    ("IC3_WATER_VALUE", "-1", "must be between 0 and"),
    ("IC3_ATTACHMENTS_MAX_MIB", "0", "must be between 1 and"),
    ("IC3_ZONE", "Delhi", "must be a zone such as Asia/Kolkata"),
    ("IC3_ADOPT_ZONE", "Delhi", "must be a zone such as Asia/Kolkata"),
    ("IC3_ADOPT_ZONE", "../../etc/passwd", "must be a zone such as Asia/Kolkata"),
    ("IC3_SERVICE_AREA", "77,28,78", "must be west,south,east,north in degrees"),
    ("IC3_SERVICE_AREA", "77,29,78,28", "must be west,south,east,north in degrees, south below"),
    ("IC3_SERVICE_AREA", "nan,28,78,29", "must be west,south,east,north in degrees"),
    ("IC3_PUBLIC_URL", "ic3.example.org", "must be an address such as https://ic3.example.org"),
    ("IC3_PUBLIC_URL", "https://a:b@c", "must be an address such as https://ic3.example.org"),
    ("IC3_PUBLIC_URL", "https://ic3.example.org/x", "must have no path"),
    ("IC3_PLANT_SEED", "-1", "must be between 0 and"),
    ("IC3_PLANT_SPEED", "0.5", "must be between 1 and 3600"),
    ("IC3_SPOOL_MAX_MIB", "0", "must be between 1 and"),
    ("IC3_SPOOL_MAX_HOURS", "0", "must be between 0.01 and"),
    ("REDIS_API_MGET_PATH", "mget", "must be a path that begins with /"),
    ("REDIS_API_MGET_PATH", "/m get", "must be a path that begins with /"),
    ("IC3_CMMS_PATH", "/api/assets", "must have {serial} in one place"),
    ("IC3_CMMS_PATH", "api/{serial}", "must be a path that begins with /"),
    ("IC3_CMMS_RATE_PER_S", "0", "must be between 0.01 and 1000"),
    ("IC3_CMMS_TIMEOUT", "0", "must be between 0.05 and 300"),
    ("IC3_WEBHOOK_ALLOW_PRIVATE", "maybe", "must be 1 or 0"),
    ("IC3_SMTP_FROM", "IC3 <ic3@water.example>", "must be an address such as"),
    ("IC3_SMTP_FROM", "a@b\r\nBcc: c@d", "must be an address such as"),
    ("IC3_LOG_FORMAT", "JSON", "must be one of text, json"),
]
# Any text is good for these: an address, a path, a word the next layer checks.
FREE_TEXT = {
    "REDIS_API_BASE", "REDIS_API_CA_FILE", "REDIS_API_TOKEN", "DATABASE_URL", "IC3_HOST",
    "IC3_CMMS_BASE", "IC3_CMMS_TOKEN", "IC3_CMMS_CA_FILE", "IC3_DATA_DIR", "IC3_ADMIN_PASSWORD",
    "IC3_JWT_SECRET", "IC3_JWT_SECRET_PREVIOUS", "IC3_CORS_ORIGINS", "IC3_SMTP_URL",
}  # fmt: skip


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and an environment without any setting."""
    monkeypatch.chdir(tmp_path)
    for row in options():
        monkeypatch.delenv(row["name"], raising=False)
        monkeypatch.delenv(row["name"] + "_FILE", raising=False)
    return tmp_path


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{HIDDEN}\n")
    path.chmod(0o600)
    return path


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environment)
    return str(caught.value)


def test_empty_environment_has_the_documented_defaults() -> None:
    found = load({})

    assert found == Settings(data_dir=default_data_dir(), sources={})
    assert (found.poll_interval_s, found.redis_api_max_in_flight) == (15.0, 20)
    assert (found.redis_api_timeout_s, found.host, found.port) == (10.0, "127.0.0.1", 9090)
    assert found.adopt_zone == "Asia/Kolkata"
    assert found.sources == {}


def test_no_address_is_compiled_in() -> None:
    assert load({}).redis_api_base is None
    assert load({}).simulated
    assert not load({"REDIS_API_BASE": "http://127.0.0.1:1"}).simulated


@pytest.mark.parametrize(("name", "text", "field", "value"), PARSED)
def test_setting_is_parsed(name: str, text: str, field: str, value: object) -> None:
    found = load({name: text})

    assert getattr(found, field) == value
    assert type(getattr(found, field)) is type(value)
    assert found.sources == {name: "environment"}


@pytest.mark.parametrize(("name", "text", "words"), REFUSED)
def test_bad_setting_is_refused_by_its_name(name: str, text: str, words: str) -> None:
    message = refusal({name: text})

    assert message.startswith(f"settings: {name}: {words}")
    assert len(message) < 200


def test_every_option_is_tried_good_and_bad() -> None:
    names = {row["name"] for row in options()}

    assert {name for name, *_ in PARSED} == names
    assert {name for name, *_ in REFUSED} == names - FREE_TEXT


def test_every_option_has_a_sentence_and_a_field() -> None:
    for row in options():
        assert row["help"].endswith(".")
        assert hasattr(load({}), row["field"])


@pytest.mark.parametrize("row", options(), ids=lambda row: str(row["name"]))
def test_empty_text_counts_as_unset(row: dict[str, object]) -> None:
    assert load({str(row["name"]): ""}) == load({})


def test_all_problems_are_told_at_once() -> None:
    message = refusal({"IC3_PORT": "x", "IC3_RAW_DAYS": "0", "IC3_LOG_FORMAT": "xml"})

    assert message == (
        "settings: IC3_PORT: must be a number, not 'x'; "
        "IC3_RAW_DAYS: must be between 1 and 3650; IC3_LOG_FORMAT: must be one of text, json"
    )


def test_secret_options_are_the_known_ones() -> None:
    assert [row["name"] for row in options() if row["secret"]] == SECRETS


@pytest.mark.parametrize("name", SECRETS)
def test_s33_secret_is_not_in_the_representation(name: str) -> None:
    found = load({name: HIDDEN})

    assert HIDDEN in vars_of(found)
    assert HIDDEN not in repr(found)
    assert HIDDEN not in f"{found}"


def vars_of(found: Settings) -> list[object]:
    return [getattr(found, row["field"]) for row in options()]


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_not_in_a_message_about_another_setting(name: str) -> None:
    assert HIDDEN not in refusal({name: HIDDEN, "IC3_PORT": "x"})


@pytest.mark.parametrize("name", SECRETS)
def test_secret_is_read_from_its_file(name: str, secret_file: Path) -> None:
    found = load({name + "_FILE": str(secret_file)})

    assert HIDDEN in vars_of(found)
    assert found.sources == {name: f"environment, {name}_FILE"}


@pytest.mark.parametrize("name", SECRETS)
def test_secret_and_its_file_together_are_refused(name: str, secret_file: Path) -> None:
    message = refusal({name: HIDDEN, name + "_FILE": str(secret_file)})

    assert message == f"settings: {name}: set it or {name}_FILE, not both"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o610, 0o660, 0o777])
def test_s33_secret_file_open_to_others_is_refused(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)

    message = refusal({"IC3_JWT_SECRET_FILE": str(secret_file)})

    assert message.startswith("settings: IC3_JWT_SECRET: file ")
    assert message.endswith(f"is open to others: chmod 600 {secret_file}")
    assert HIDDEN not in message


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_secret_file_of_ones_own_is_taken(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)

    assert load({"IC3_JWT_SECRET_FILE": str(secret_file)}).jwt_secret == HIDDEN


def test_missing_secret_file_is_refused(tmp_path: Path) -> None:
    message = refusal({"IC3_JWT_SECRET_FILE": str(tmp_path / "none")})

    assert message.startswith("settings: IC3_JWT_SECRET: file ")
    assert message.endswith("cannot be read: No such file or directory")


def test_directory_is_no_secret_file(tmp_path: Path) -> None:
    assert "cannot be read" in refusal({"IC3_JWT_SECRET_FILE": str(tmp_path)})


def test_secret_file_that_is_not_text_is_refused(secret_file: Path) -> None:
    secret_file.write_bytes(b"\xff\xfe")

    assert refusal({"IC3_JWT_SECRET_FILE": str(secret_file)}).startswith("settings: IC3_JWT_SECRET")


def test_setting_that_is_no_secret_has_no_file(secret_file: Path) -> None:
    assert load({"IC3_HOST_FILE": str(secret_file)}).host == "127.0.0.1"


def test_env_file_counts_where_the_environment_is_silent(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / ".env").write_text(
        "# the plant\n\nIC3_PORT=1234\n IC3_HOST = 'two words' \nIC3_RAW_DAYS=\"7\"\n"
        "#IC3_TOKEN_MINUTES=1\n  # IC3_TOKEN_MINUTES=1\nDATABASE_URL=postgresql://db/x?a=b\nnoise\n"
    )
    monkeypatch.setenv("IC3_PORT", "4321")

    found = load()

    assert (found.port, found.host, found.raw_days) == (4321, "two words", 7)
    assert found.database_url == "postgresql://db/x?a=b"
    assert found.token_minutes == 15
    assert found.sources == {
        "DATABASE_URL": ".env",
        "IC3_HOST": ".env",
        "IC3_PORT": "environment",
        "IC3_RAW_DAYS": ".env",
    }


def test_secret_of_the_environment_wins_over_a_file_of_env(
    directory: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / ".env").write_text(f"IC3_JWT_SECRET_FILE={secret_file}\n")
    assert load().jwt_secret == HIDDEN

    monkeypatch.setenv("IC3_JWT_SECRET", "the environment's")
    assert load().jwt_secret == "the environment's"


def test_bad_setting_of_env_is_refused_by_its_name(directory: Path) -> None:
    (directory / ".env").write_text("IC3_PORT=x\n")

    with pytest.raises(SettingsError, match="IC3_PORT: must be a number"):
        load()


def test_env_file_is_not_needed(directory: Path) -> None:
    assert load() == load({})
    (directory / ".env").mkdir()
    assert load() == load({})


@pytest.mark.usefixtures("directory")
def test_data_directory_is_of_the_system_for_root_and_of_the_user_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/ic3")

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/home/x/data")
    assert default_data_dir() == Path("/home/x/data/ic3")

    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert default_data_dir() == Path("/home/x/.local/share/ic3")


@pytest.mark.usefixtures("directory")
def test_children_do_not_inherit_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*SECRETS, "IC3_PORT"]:
        monkeypatch.setenv(name, HIDDEN)

    inherited = environment_without_secrets()

    assert inherited["IC3_PORT"] == HIDDEN
    assert not set(SECRETS) & set(inherited)
