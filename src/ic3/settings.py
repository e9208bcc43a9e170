"""Every setting: one typed field each, whose metadata is its documentation.

This is the only module that reads the environment. Parts receive values, not the object.
"""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ic3.errors import SettingsError


def option(
    name: str,
    default: Any,
    help_text: str,
    *,
    parse: Callable[[str], Any] = str,
    secret: bool = False,
    shown: str = "",
) -> Any:
    """A field of `Settings`.

    Args:
        name: Environment variable.
        default: Value when it is unset.
        help_text: One sentence for the reference page.
        parse: Turns the text into the value; raises ValueError with the reason.
        secret: Never printed; `NAME_FILE` may name a file that holds it.
        shown: How the default reads in the documentation where it is computed.
    """
    metadata = {"name": name, "help": help_text, "parse": parse, "secret": secret, "shown": shown}
    return field(default=default, metadata=metadata, repr=not secret)


def between(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], Any]:
    """A parser for a number within limits, both included."""

    def parse(text: str) -> int | float:
        try:
            number = kind(text)
        except ValueError:
            raise ValueError(f"must be a number, not {text[:40]!r}") from None
        if not low <= number <= high:
            raise ValueError(f"must be between {low:g} and {high:g}")
        return number

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """A parser for one word of a list."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return parse


def absolute_path(text: str) -> str:
    """The path of an address."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("must be a path that begins with /")
    return text


def root_address(text: str) -> str:
    """An address of a server without a path."""
    parts = urlsplit(text)
    root = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise ValueError("must be an address such as https://ic3.example.org")
    if text.rstrip("/") != root or not text.isascii() or not text.isprintable():
        raise ValueError("must have no path, as in https://ic3.example.org")
    return root


def four_degrees(text: str) -> tuple[float, float, float, float]:
    """West, south, east, north."""
    try:
        west, south, east, north = (float(each) for each in text.split(","))
    except ValueError:
        raise ValueError("must be west,south,east,north in degrees") from None
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south < north <= 90):
        raise ValueError("must be west,south,east,north in degrees, south below north")
    return west, south, east, north


def cmms_path(text: str) -> str:
    """A path with one place for a serial number."""
    absolute_path(text)
    if text.count("{serial}") != 1:
        raise ValueError("must have {serial} in one place")
    return text


def words(text: str) -> tuple[str, ...]:
    """Words separated by commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def switch(text: str) -> bool:
    """`1`, `true`, `yes`, `on` or their opposites."""
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("must be 1 or 0")


def zone_name(text: str) -> str:
    """A zone of the IANA database."""
    try:
        ZoneInfo(text)
    except (OSError, ValueError, LookupError):
        raise ValueError("must be a zone such as Asia/Kolkata") from None
    return text


def mail_address(text: str) -> str:
    """A plain address of mail, without a name."""
    local, at, domain = text.partition("@")
    good = at and local and domain and "@" not in domain and text.isascii() and text.isprintable()
    if not good or any(mark in text for mark in ' <>,;:"()[]\\'):
        raise ValueError("must be an address such as ic3@example.org")
    return text


def default_data_dir() -> Path:
    """`/var/lib/ic3` for root, otherwise a folder of the user's own."""
    if os.geteuid() == 0:
        return Path("/var/lib/ic3")
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "ic3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says, checked."""

    redis_api_base: str | None = option(
        "REDIS_API_BASE", None,
        "Address of the Redis REST gateway; unset: the bundled simulated plant on loopback.",
    )  # fmt: skip
    redis_api_max_in_flight: int = option(
        "REDIS_API_MAX_IN_FLIGHT", 20,
        "Requests written to the gateway and not yet answered, over all connections.",
        parse=between(1, 10_000, int),
    )  # fmt: skip
    redis_api_timeout_s: float = option(
        "REDIS_API_TIMEOUT", 10.0, "Total seconds one request to the gateway may take.",
        parse=between(0.05, 300, float),
    )  # fmt: skip
    redis_api_ca_file: Path | None = option(
        "REDIS_API_CA_FILE", None,
        "File with the authority that signed the gateway's certificate, PEM.", parse=Path,
    )  # fmt: skip
    redis_api_token: str | None = option(
        "REDIS_API_TOKEN", None, "Bearer token for the gateway.", secret=True
    )
    redis_api_mget_path: str | None = option(
        "REDIS_API_MGET_PATH", None,
        "Path of the gateway's batch form, such as /api/redis/mget; unset: one key a request.",
        parse=absolute_path,
    )  # fmt: skip
    poll_interval_s: float = option(
        "MONITORING_POLL_INTERVAL", 15.0, "Seconds between the starts of two sweeps.",
        parse=between(0.2, 3600, float),
    )  # fmt: skip
    database_url: str | None = option(
        "DATABASE_URL", None,
        "PostgreSQL 15 or newer, as a libpq URL; unset: the embedded PostgreSQL.", secret=True,
    )  # fmt: skip
    host: str = option("IC3_HOST", "127.0.0.1", "Address the server listens on.")
    port: int = option(
        "IC3_PORT", 9090, "Port the server listens on.", parse=between(0, 65535, int)
    )
    cmms_base: str | None = option(
        "IC3_CMMS_BASE", None,
        "Address of the external CMMS (Innomaint); unset: no synchronisation, or the stub of the"
        " simulated plant where that runs.",
    )  # fmt: skip
    cmms_path: str = option(
        "IC3_CMMS_PATH", "/api/assets/{serial}",
        "Path of one asset behind it; {serial} stands for the serial number.", parse=cmms_path,
    )  # fmt: skip
    cmms_token: str | None = option(
        "IC3_CMMS_TOKEN", None, "Bearer token for the CMMS.", secret=True
    )
    cmms_rate_per_s: float = option(
        "IC3_CMMS_RATE_PER_S", 5.0, "Requests a second to the CMMS at most, tries again included.",
        parse=between(0.01, 1000, float),
    )  # fmt: skip
    cmms_timeout_s: float = option(
        "IC3_CMMS_TIMEOUT", 10.0, "Total seconds one request to the CMMS may take.",
        parse=between(0.05, 300, float),
    )  # fmt: skip
    cmms_ca_file: Path | None = option(
        "IC3_CMMS_CA_FILE", None,
        "File with the authority that signed the CMMS's certificate, PEM.", parse=Path,
    )  # fmt: skip
    data_dir: Path = option(
        "IC3_DATA_DIR", None,
        "Where the embedded PostgreSQL and generated secrets live.", parse=Path,
        shown="/var/lib/ic3 for root, otherwise ~/.local/share/ic3",
    )  # fmt: skip
    admin_password: str | None = option(
        "IC3_ADMIN_PASSWORD", None,
        "First start: password of user admin; unset: random, printed once.", secret=True,
    )  # fmt: skip
    jwt_secret: str | None = option(
        "IC3_JWT_SECRET", None,
        "Signs the access tokens, 32 bytes or more; unset: generated, kept in the data directory.",
        secret=True,
    )  # fmt: skip
    token_minutes: int = option(
        "IC3_TOKEN_MINUTES", 15, "Life of an access token in minutes.",
        parse=between(1, 1440, int),
    )  # fmt: skip
    jwt_secret_previous: str | None = option(
        "IC3_JWT_SECRET_PREVIOUS", None,
        "The key before IC3_JWT_SECRET: its tokens count until this is unset again.", secret=True,
    )  # fmt: skip
    login_days: float = option(
        "IC3_LOGIN_DAYS", 7.0, "Days without use after which a login ends.",
        parse=between(0.01, 90, float),
    )  # fmt: skip
    rate_per_minute: int = option(
        "IC3_RATE_PER_MINUTE", 3000,
        "Requests one caller may make a minute; answers from memory do not count. 0: no limit.",
        parse=between(0, 1_000_000, int),
    )  # fmt: skip
    audit_days: int = option(
        "IC3_AUDIT_DAYS", 180, "Days the audit log is kept, 180 at least.",
        parse=between(180, 36_500, int),
    )  # fmt: skip
    cors_origins: tuple[str, ...] = option(
        "IC3_CORS_ORIGINS", (), "Origins whose pages may call the API, separated by commas.",
        parse=words, shown="none",
    )  # fmt: skip
    ws_clients: int = option(
        "IC3_WS_CLIENTS", 1000, "WebSocket clients at once, all users together.",
        parse=between(1, 100_000, int),
    )  # fmt: skip
    ws_clients_per_user: int = option(
        "IC3_WS_CLIENTS_PER_USER", 10, "WebSocket clients at once of one user.",
        parse=between(1, 100_000, int),
    )  # fmt: skip
    ws_insecure: bool = option(
        "IC3_WS_INSECURE", False,
        "Allow WebSockets without TLS from other machines (a proxy in front ends the TLS).",
        parse=switch, shown="0",
    )  # fmt: skip
    raw_days: int = option(
        "IC3_RAW_DAYS", 30, "Days raw telemetry and monitoring rows are kept.",
        parse=between(1, 3650, int),
    )  # fmt: skip
    spool_max_mib: int = option(
        "IC3_SPOOL_MAX_MIB", 2048,
        "Accepted envelopes that wait for the database, in MiB; beyond it they are thinned, then"
        " dropped, each counted.",
        parse=between(1, 1_000_000, int),
    )  # fmt: skip
    spool_max_hours: float = option(
        "IC3_SPOOL_MAX_HOURS", 168.0, "Longest an accepted envelope waits for the database.",
        parse=between(0.01, 8760, float),
    )  # fmt: skip
    rollup_days: int = option(
        "IC3_ROLLUP_DAYS", 400,
        "Days roll-ups of five minutes are kept, at least IC3_RAW_DAYS; those of an hour stay.",
        parse=between(1, 36_500, int),
    )  # fmt: skip
    attachments_max_mib: int = option(
        "IC3_ATTACHMENTS_MAX_MIB", 10_240,
        "Files at work orders, all together, in MiB; beyond it no more are taken.",
        parse=between(1, 10_000_000, int),
    )  # fmt: skip
    zone: str = option(
        "IC3_ZONE", "Asia/Kolkata",
        "The plant's zone: in it hours, days, weeks and months of the history begin.",
        parse=zone_name,
    )  # fmt: skip
    water_value_per_m3: float | None = option(
        "IC3_WATER_VALUE", None,
        "What 1 m3 of water is worth, in the utility's currency: what a loss costs a day is told"
        " by it; unset: it is not told.",
        parse=between(0, 1_000_000, float),
    )  # fmt: skip
    webhook_allow_private: bool = option(
        "IC3_WEBHOOK_ALLOW_PRIVATE", False,
        "Let webhooks call this machine and private networks; link-local and metadata addresses"
        " never.",
        parse=switch, shown="0",
    )  # fmt: skip
    smtp_url: str | None = option(
        "IC3_SMTP_URL", None,
        "Mail server for notifications, smtp://user:password@host:port (with STARTTLS, which only"
        " a server on this machine may lack) or smtps://…; unset: no mail.",
        secret=True,
    )  # fmt: skip
    smtp_from: str = option(
        "IC3_SMTP_FROM", "ic3@localhost", "Address that mail comes from.", parse=mail_address
    )
    adopt_zone: str = option(
        "IC3_ADOPT_ZONE", "Asia/Kolkata",
        "Zone of the zoneless run times in a database of the original backend.", parse=zone_name,
    )  # fmt: skip
    service_area: tuple[float, float, float, float] | None = option(
        "IC3_SERVICE_AREA", None,
        "Where the plant is: west,south,east,north in degrees. Assets outside are listed, not"
        " drawn. Unset: half a degree around the areas and the pipe network.", parse=four_degrees,
    )  # fmt: skip
    public_url: str = option(
        "IC3_PUBLIC_URL", "",
        "Address by which others reach the server, for links in answers; unset: as each request"
        " says. Set it behind a proxy that ends TLS.", parse=root_address,
    )  # fmt: skip
    plant_seed: int = option(
        "IC3_PLANT_SEED", 1, "Seed of the simulated plant.", parse=between(0, 2**31, int)
    )
    plant_speed: float = option(
        "IC3_PLANT_SPEED", 1.0,
        "Above 1: the simulated plant plays its last day so many times faster, then goes on live.",
        parse=between(1, 3600, float),
    )  # fmt: skip
    log_format: str = option(
        "IC3_LOG_FORMAT", "text", "`text` for people or `json` for machines; on stderr.",
        parse=one_of("text", "json"),
    )  # fmt: skip
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def simulated(self) -> bool:
        """Whether the readings come from the bundled plant."""
        return self.redis_api_base is None


def options() -> list[dict[str, Any]]:
    """Name, default as text, help and secrecy of each setting, in the order of the table."""
    rows = []
    for each in fields(Settings):
        if not each.metadata:
            continue
        default = each.metadata["shown"] or ("" if each.default is None else str(each.default))
        rows.append({**each.metadata, "field": each.name, "default": default})
    return rows


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    A file `.env` in the working directory counts where the environment is silent.

    Args:
        environment: Instead of the process's own, for tests; then no `.env` is read.

    Raises:
        SettingsError: Something is wrong; names every wrong setting at once.
    """
    layers = [("environment", environment)] if environment is not None else _default_layers()
    values: dict[str, Any] = {"data_dir": default_data_dir()}
    sources: dict[str, str] = {}
    problems: list[str] = []
    for row in options():
        try:
            text, source = _lookup(row, layers)
            if text:
                values[row["field"]] = row["parse"](text)
                sources[row["name"]] = source
        except ValueError as error:
            problems.append(f"{row['name']}: {error}")
    if problems:
        raise SettingsError("settings: " + "; ".join(problems))
    return Settings(**values, sources=sources)


def environment_without_secrets() -> dict[str, str]:
    """The environment for child processes."""
    secrets = {row["name"] for row in options() if row["secret"]}
    return {name: text for name, text in os.environ.items() if name not in secrets}


def _default_layers() -> list[tuple[str, Mapping[str, str]]]:
    path = Path(".env")
    if path.is_file() and not os.access(path, os.R_OK):
        raise SettingsError("settings: .env in this directory cannot be read; chmod or remove it")
    layers: list[tuple[str, Mapping[str, str]]] = [("environment", os.environ)]
    if path.is_file():
        pairs = (
            line.partition("=")
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
            if "=" in line and not line.lstrip().startswith("#")
        )
        layers.append(
            (".env", {name.strip(): text.strip().strip("'\"") for name, _, text in pairs})
        )
    return layers


def _lookup(
    row: Mapping[str, Any], layers: Sequence[tuple[str, Mapping[str, str]]]
) -> tuple[str, str]:
    for source, layer in layers:
        text = layer.get(row["name"], "")
        file_name = layer.get(row["name"] + "_FILE", "") if row["secret"] else ""
        if text and file_name:
            raise ValueError(f"set it or {row['name']}_FILE, not both")
        if file_name:
            return _read_secret(Path(file_name)), f"{source}, {row['name']}_FILE"
        if text:
            return text, source
    return "", "default"


def _read_secret(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and stat.S_ISREG(mode):
            raise ValueError(f"file {path} is open to others: chmod 600 {path}")
        secret = path.read_text(encoding="utf-8").strip()
        if not secret:
            raise ValueError(f"file {path} is empty")
        return secret
    except UnicodeDecodeError:
        raise ValueError(f"file {path} is not UTF-8") from None
    except OSError as error:
        raise ValueError(f"file {path} cannot be read: {error.strerror}") from None
