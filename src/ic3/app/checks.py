"""What is looked at before the start: settings worth a warning, files that may be open."""

import resource
import sys
from typing import Final
from urllib.parse import urlsplit

from ic3.domain.addresses import is_loopback
from ic3.observations import Observe, Warned
from ic3.settings import Settings

FILES_BESIDE_CLIENTS: Final = 200  # database, gateway, requests, files


def warnings(settings: Settings) -> list[str]:
    """What works but should not stay as it is; said at start and by `ic3 doctor`."""
    found = []
    host = _plain_host(settings.redis_api_base or "")
    if host and not is_loopback(host):
        found.append(
            f"gateway: {host} is read over plain http; anybody on the way can read and"
            " forge telemetry; use https where the gateway offers it"
        )
    cmms = _plain_host(settings.cmms_base or "")
    if cmms and not is_loopback(cmms):
        found.append(
            f"cmms: {cmms} is read over plain http; anybody on the way can read its token and forge"
            " the register; use https where it offers it"
        )
    if settings.admin_password is not None and len(settings.admin_password) < 12:
        found.append("login: IC3_ADMIN_PASSWORD is shorter than 12 characters; choose a longer one")
    if not is_loopback(settings.host):
        found.append(
            f"server: listens on {settings.host} without TLS; put a proxy that ends TLS in front"
        )
    return found


def warn(settings: Settings, tell: Observe) -> None:
    for text in warnings(settings):
        tell(Warned(text))


def files_needed(settings: Settings) -> int:
    """How many files the program may have open with all the live clients it allows."""
    return settings.ws_clients + FILES_BESIDE_CLIENTS


def files_possible() -> int:
    """How many files this process may allow itself to have open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def allow_files(settings: Settings, tell: Observe) -> None:
    """Make room for the live clients, or say that there is none for so many."""
    needed, possible = files_needed(settings), files_possible()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, possible), hard))
    if possible < needed:
        tell(
            Warned(
                f"server: {possible} files may be open, {settings.ws_clients} live clients are"
                f" allowed; ulimit -n {needed}, or set IC3_WS_CLIENTS lower"
            )
        )


def _plain_host(address: str) -> str:
    """The host that is read over plain http; empty where none is, or the address is none."""
    try:
        parts = urlsplit(address)
        return (parts.hostname or "") if parts.scheme == "http" else ""
    except ValueError:
        return ""
