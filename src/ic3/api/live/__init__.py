"""Live connections: `/ws` of the contract, `/ws/v1`, its twin `/api/stream`, and the snapshot."""

from ic3.api.live.admission import Admission, is_here
from ic3.api.live.numbered import NumberedSocket
from ic3.api.live.plain import LiveSocket
from ic3.api.live.snapshot import SnapshotReader, snapshot
from ic3.api.live.stream import Streams, stream
from ic3.api.live.wire import FrameProtocol, StreamProtocol

__all__ = [
    "Admission",
    "FrameProtocol",
    "LiveSocket",
    "NumberedSocket",
    "SnapshotReader",
    "StreamProtocol",
    "Streams",
    "is_here",
    "snapshot",
    "stream",
]
