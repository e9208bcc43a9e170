"""History that comes as frames on a stream: each is a sweep, by the same parser as live ones."""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from ic3.clock import Clock
from ic3.domain.envelope import serial_of_key
from ic3.domain.sweeps import Origin, Sweep
from ic3.errors import GatewayError
from ic3.gateway.sweep import content_hash_of, keep, take

MOST_FRAME_BYTES = 256 << 20


class Coming(msgspec.Struct):
    """What the stream announces: its span in seconds since 1970 UTC, frames and assets."""

    from_s: int
    to_s: int
    steps: int
    assets: int


class HistoryReader:
    """Reads the frames of a plant's history.

    Args:
        stream: A line of JSON that says what comes, then frames: a line `seconds keys bytes`, and
            so many bytes with a line each for key and envelope.
        simulated: Whether it is the bundled plant's.
        clock: Stamps what is read.
    """

    def __init__(self, stream: asyncio.StreamReader, *, simulated: bool, clock: Clock) -> None:
        self._stream = stream
        self._simulated = simulated
        self._clock = clock

    async def coming(self) -> Coming:
        """What comes.

        Raises:
            GatewayError: Nothing does.
        """
        try:
            return msgspec.json.decode(await self._stream.readline(), type=Coming)
        except msgspec.MsgspecError:
            raise GatewayError("history: the plant sent none; see the lines above") from None

    async def sweeps(self, steps: int) -> AsyncIterator[tuple[int, Sweep]]:
        """Each frame's time, seconds since 1970 UTC, and what is in it.

        Raises:
            GatewayError: The stream ended before its time.
        """
        for _ in range(steps):
            try:
                at_s, keys, size = map(int, (await self._stream.readline()).split())
                if not 0 <= size <= MOST_FRAME_BYTES:
                    raise ValueError
                body = await self._stream.readexactly(size)
            except (ValueError, asyncio.IncompleteReadError):
                raise GatewayError("history: the stream of the plant ended too early") from None
            yield at_s, self._sweep(keys, body.decode())

    def _sweep(self, keys: int, body: str) -> Sweep:
        now, received_us = self._clock.now(), self._clock.now_us()
        sweep = Sweep(
            begun_at=now, started=self._clock.monotonic(), simulated=self._simulated,
            ended_at=now, keys_listed=keys, keys_scanned=keys, origin=Origin.BACKFILL,
        )  # fmt: skip
        lines = body.split("\n")
        for key, text in zip(lines[0:-1:2], lines[1::2], strict=True):
            sweep.read_ok += 1
            envelope = take(
                sweep, serial_of_key(key), key, text, received_us=received_us,
                content_hash=content_hash_of(text),
            )  # fmt: skip
            if envelope is not None:
                keep(sweep, key, text, envelope)
        return sweep
