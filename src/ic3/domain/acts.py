"""What people do to the register, and who they are."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

import msgspec

from ic3.domain.users import Principal

ACCOUNT_ROLE = "account"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts.

    Attributes:
        whence: Address of the caller, or `cli`.
    """

    who: str
    role: str
    whence: str

    @classmethod
    def calling(cls, principal: Principal, address: str) -> Self:
        """A user of the API."""
        return cls(principal.username, principal.role.value, address)

    @classmethod
    def at_the_terminal(cls, account: str) -> Self:
        """Somebody who may read the database's address on this machine."""
        return cls(account, ACCOUNT_ROLE, "cli")


class Past(StrEnum):
    """What a mapping does to what was stored before it."""

    MISSING = "missing"
    REMAP = "re-map"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Wish:
    """How an act is to be done.

    Attributes:
        preview: Say what it would do, do nothing.
        past: Whether the past is filled from telemetry.
        from_at: From when; None is from first sight.
    """

    preview: bool = False
    past: Past = Past.MISSING
    from_at: datetime | None = None


class Effect(msgspec.Struct, frozen=True):
    """What an act did, or would do.

    Attributes:
        assets: Assets whose tag is mapped by it, newly or anew.
        added: New rows of the tag map.
        changed: Rows of the tag map that had another parameter.
        kept: Assets left as they are, since their tag has another parameter.
        rows: Monitoring rows that the past holds for it, by count.
        since: The source's time of the oldest.
        exact: Whether `rows` was counted; otherwise it is what the inbox has seen.
        replay_id: The job that fills the past; None where there is none.
    """

    preview: bool
    assets: int
    added: int
    changed: int
    kept: int
    rows: int | None = None
    since: datetime | None = None
    exact: bool = True
    replay_id: int | None = None
