"""What is found where the product looks at itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the doctor.

    Attributes:
        state: `pass`, `warn` or `fail`.
        fix: What to do; empty where nothing is.
    """

    name: str
    state: str
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """How much room there is and how fast it is taken.

    Attributes:
        free_bytes: On the disk of the data directory.
        total_bytes: Size of that disk.
        days: Whole days of telemetry that are stored.
        day_bytes: Largest of the last seven of them; None before the first.
        days_left: Days that still fit; None where that is not known, or where the database lies on
            another disk.
    """

    free_bytes: int
    total_bytes: int
    days: int
    day_bytes: int | None
    days_left: float | None


@dataclass(frozen=True, slots=True)
class Survey:
    """What the running server finds by itself.

    Attributes:
        room: None where the schema is not up to date.
        roles: Roles of the database that the login may enter.
    """

    room: Room | None
    roles: list[str]
    checks: list[Check]
