"""Envelopes, readings and sweeps for the tests of the domain."""

from datetime import UTC, datetime

from ic3.domain.envelope import Envelope, Reject, Value, parse
from ic3.domain.mapping import Parameter, Reading, RegisteredAsset
from ic3.domain.sweeps import Sweep

NOW = datetime(2026, 6, 15, 1, 42, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 1_000_000
SECOND_US = 1_000_000
STARTED = 1000.0
VALVE = "Patel Road_Baljeet Nagar_SV_92"
PANEL = "C Block Ranjeet Nagar_LT Panel_19"
HEALTH = Parameter(1, "Health score", "HEALTH_SCORE", "%")
STATUS = Parameter(2, "Status", "STATUS", None)


def sent(**raw: str | None) -> str:
    """The text of an envelope; each field is JSON text, None leaves it out."""
    fields: dict[str, str | None] = {
        "record_id": '"r-1"',
        "asset_id": '"S"',
        "occurred_at": '"2026-06-15T01:41:43.267609313Z"',
        "values": '{"B":1}',
        **raw,
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in fields.items() if text) + "}"


def read(text: str, serial: str = "S") -> Envelope:
    """Parse as a sweep does."""
    return parse(serial, text, received_us=NOW_US, content_hash=b"h")


def envelope(
    serial: str = VALVE,
    values: dict[str, Value] | None = None,
    *,
    occurred_us: int = NOW_US,
    received_us: int = NOW_US,
    alarm: str | None = "NORMAL",
    rejected: dict[str, Reject] | None = None,
    record_id: str = "r-1",
) -> Envelope:
    """An accepted envelope."""
    return Envelope(
        serial, record_id, None, "DEL-D08", "rest", occurred_us, 0, values or {}, rejected or {},
        "GOOD", alarm, received_us, b"h", "{}", "{}",
    )  # fmt: skip


def reading(
    tag: str = "HEALTH_SCORE",
    number: float | None = 94.8,
    *,
    at_us: int = NOW_US,
    register_id: int = 12,
    param_id: int = 1,
    text: str | None = None,
) -> Reading:
    """A monitoring row."""
    return Reading(register_id, tag, param_id, number, text, at_us)


def registered(serial: str, register_id: int) -> RegisteredAsset:
    """An asset of the register with two mapped tags."""
    return RegisteredAsset(register_id, serial, {"HEALTH_SCORE": HEALTH, "STATUS": STATUS})


def sweep(
    *envelopes: Envelope,
    error: str | None = None,
    ended_at: datetime | None = NOW,
    begun_at: datetime = NOW,
    started: float = STARTED,
) -> Sweep:
    """A sweep that has ended."""
    return Sweep(
        begun_at=begun_at,
        started=started,
        simulated=True,
        ended_at=ended_at,
        envelopes=list(envelopes),
        accepted=len(envelopes),
        error=error,
    )
