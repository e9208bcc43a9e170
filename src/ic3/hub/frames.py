"""What is said over `/ws/v1` and `/api/stream`: a struct encodes and describes each frame."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ic3.domain.alarm_view import AlarmView
from ic3.domain.alarms import What
from ic3.domain.board import AssetRow, Limits
from ic3.domain.envelope import Value
from ic3.domain.runs import Run
from ic3.domain.users import Role
from ic3.hub.local import text_frame

PROTOCOL: Final = 1
WATCHED_LIMIT: Final = 50

StateByte = Annotated[int, msgspec.Meta(ge=0, le=255)]


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """What every frame of the server has.

    Attributes:
        seq: Number of a shared frame; a frame for one client has the number it is true for.
        t: The server's wall clock, milliseconds since 1970.
    """

    seq: int
    t: int


class Hello(Frame, frozen=True, kw_only=True, tag="hello"):
    """The first frame of a connection; a `seq` as asked for says that it is resumed.

    Attributes:
        poll_s: Seconds between two sweeps.
        tz: The plant's zone.
        scope: What this user may see.
        epoch: The list of assets; an index is good within one.
        alarms_evaluated_at: As in every ping; null where they never were since the start.
    """

    proto: int
    version: str
    build: str
    poll_s: float
    tz: str
    plant: Literal["simulated", "real"]
    role: Role
    scope: str
    epoch: int
    alarms_evaluated_at: str | None


class Snapshot(Frame, frozen=True, kw_only=True, tag="snapshot"):
    """All there is to know; `url` says where to fetch it where it is too large for a frame."""

    epoch: int
    assets: list[AssetRow] | UnsetType = UNSET
    url: str | UnsetType = UNSET
    alarms: list[AlarmView]
    runs: list[Run]


class StateFrame(Frame, frozen=True, kw_only=True, tag="state"):
    """Index and state byte of each asset whose byte has changed."""

    s: list[tuple[int, StateByte]]


class AssetFrame(Frame, frozen=True, kw_only=True, tag="asset"):
    """The newest values of an asset that this client watches.

    Attributes:
        i: Its index.
        occurred_at: The source's time; null where it is not known.
        values: Tag to value.
        limits: Tag to lowest and highest plausible value; left out where they are as before.
    """

    i: int
    occurred_at: str | None
    received_at: str
    quality: str | None
    alarm: str | None
    values: Mapping[str, Value]
    limits: Limits | UnsetType = UNSET


class RunFrame(Frame, frozen=True, kw_only=True, tag="run"):
    """A run that has ended; `phases` are milliseconds."""

    run: Run
    phases: dict[str, float]


class AlarmFrame(Frame, frozen=True, kw_only=True, tag="alarm"):
    """What happened to an alarm, and the alarm as it stands afterwards."""

    what: What
    alarm: AlarmView
    who: str | None
    note: str | None


class Ping(Frame, frozen=True, kw_only=True, tag="ping"):
    """Every 5 s, even where nothing has changed."""

    alarms_evaluated_at: str | None
    last_run_at: str | None


class Sub(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="sub"):
    """Watch these assets instead of those before; their present values follow at once."""

    assets: Annotated[
        list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=WATCHED_LIMIT)
    ]
    page: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Resync(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", tag="resync"):
    """A shared frame was missed: send what came after `have`, or a snapshot."""

    have: int
    epoch: int


Told = Hello | Snapshot | StateFrame | AssetFrame | RunFrame | AlarmFrame | Ping
Asked = Sub | Resync

encode: Final = msgspec.json.Encoder().encode
decode_asked: Final = msgspec.json.Decoder(Asked).decode


class Encoded:
    """A frame as bytes, made once for everybody.

    Attributes:
        wire: A whole WebSocket frame.
    """

    __slots__ = ("_event", "epoch", "op", "payload", "seq", "wire")

    def __init__(self, frame: Frame, epoch: int) -> None:
        self.op = str(frame.__struct_config__.tag)
        self.seq = frame.seq
        self.epoch = epoch
        self.payload = encode(frame)
        self.wire = text_frame(self.payload)
        self._event: bytes | None = None

    @property
    def event(self) -> bytes:
        """The same as a server-sent event."""
        if self._event is None:
            # One that is cut off between the greeting and its snapshot has nothing to go on from.
            number = "" if self.op == "hello" else f"id: {self.epoch}-{self.seq}\n"
            head = f"{number}event: {self.op}\ndata: ".encode()
            self._event = head + self.payload + b"\n\n"
        return self._event
