"""Roles, and who is asking."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Principal:
    """A user whose token has been verified.

    Attributes:
        expires_s: When the token ends, seconds since 1970.
        domains: What rows it may see; None is all.
    """

    username: str
    role: Role
    expires_s: float
    domains: frozenset[str] | None = None

    def sees(self, domain: str | None) -> bool:
        """Whether a row of this domain is in scope; one without a domain is nobody's but all's."""
        return self.domains is None or domain in self.domains

    def scope(self) -> list[str] | None:
        """The domains as a query takes them; None is all."""
        return None if self.domains is None else sorted(self.domains)
