"""Roles, and who is asking."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CONFIRMED_FOR_S: Final = 300
# The login of a token that the command line makes for itself; see `ic3.cli.client`.
TERMINAL: Final = "terminal"


class Role(StrEnum):
    """What a user may do; each role contains the one before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


def shows_alarm(domains: frozenset[str] | None, source_kind: str, domain: str | None) -> bool:
    """Whether an alarm is in a scope; those of the program itself concern everybody."""
    return domains is None or source_kind == "system" or domain in domains


@dataclass(frozen=True, slots=True)
class Principal:
    """A user whose token has been verified.

    Attributes:
        expires_s: When the token ends, seconds since 1970.
        domains: What rows it may see; None is all.
        login: Of which login the token is; None for a key of a program.
        epoch: Of the user when the token was made.
        confirmed_s: When the password was last given, seconds since 1970.
    """

    username: str
    role: Role
    expires_s: float
    domains: frozenset[str] | None = None
    login: str | None = None
    epoch: int = 1
    confirmed_s: float = 0.0

    def confirmed(self, now_s: float) -> bool:
        """Whether the password was given within the last five minutes."""
        return now_s - self.confirmed_s <= CONFIRMED_FOR_S

    def sees_alarm_of(self, source_kind: str, domain: str | None) -> bool:
        """Whether an alarm is in scope."""
        return shows_alarm(self.domains, source_kind, domain)

    def sees(self, domain: str | None) -> bool:
        """Whether a row of this domain is in scope; one without a domain is nobody's but all's."""
        return self.domains is None or domain in self.domains

    def scope(self) -> list[str] | None:
        """The domains as a query takes them; None is all."""
        return None if self.domains is None else sorted(self.domains)
