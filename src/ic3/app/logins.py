"""The first login, and the secret that signs all others."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ic3.api.auth import Passwords
from ic3.domain.addresses import is_loopback
from ic3.domain.users import Role
from ic3.errors import StartError
from ic3.settings import Settings
from ic3.store.pool import Database
from ic3.store.users import UserStore

SECRET_BYTES: Final = 32
JWT_SECRET_FILE: Final = "jwt.secret"  # noqa: S105  a file name


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """Shown once, when the first user is made.

    Attributes:
        password: None where it was given by IC3_ADMIN_PASSWORD.
    """

    username: str
    password: str | None


async def ensure_admin(
    settings: Settings, requests: Database, show_login: Callable[[FirstLogin], None]
) -> None:
    users = UserStore(requests)
    if await users.has_admin():
        return
    given = settings.admin_password
    if given is not None and len(given) < 12 and not is_loopback(settings.host):
        raise StartError(
            "login: IC3_ADMIN_PASSWORD is shorter than 12 characters, which is refused where the"
            " server listens for other machines; choose a longer one"
        )
    password = given or secrets.token_urlsafe(12)
    await users.add(
        "admin", await Passwords().hash(password), Role.ADMIN, must_change=given is None
    )
    show_login(FirstLogin("admin", None if given else password))


def jwt_secret(settings: Settings) -> str:
    if settings.jwt_secret is not None:
        if len(settings.jwt_secret.encode()) < SECRET_BYTES:
            raise StartError(f"login: IC3_JWT_SECRET is shorter than {SECRET_BYTES} bytes")
        return settings.jwt_secret
    path = settings.data_dir / JWT_SECRET_FILE
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(".new")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            temporary.rename(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StartError(
            f"login: {path} cannot be used: {error.strerror}; set IC3_DATA_DIR or IC3_JWT_SECRET"
        ) from None
