"""The hub with writers of the test: who gets what, what is kept, and for how long."""

import asyncio
import json
import random

import pytest
from patience import PATIENCE_S
from serving import Site, StillClock, envelope, envelopes
from websockets.asyncio.client import ClientConnection

from ic3.domain.envelope import Envelope
from ic3.hub import local
from ic3.hub.local import BUFFERED_LIMIT_BYTES, Client, LocalHub, text_frame
from ic3.hub.places import Places
from ic3.observations import ClientClosed, Observation

ASSETS = [f"asset {number}" for number in range(20)]


class Writer:
    """The server's end of a wire whose client takes what the test says."""

    def __init__(self) -> None:
        self.sent = b""
        self.waiting = 0
        self.takes = True
        self.closed: tuple[int, str] | None = None

    def write(self, frames: bytes) -> None:
        self.sent += frames
        if not self.takes:
            self.waiting += len(frames)

    def buffered(self) -> int:
        return self.waiting

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def resume(self) -> None:
        self.takes, self.waiting = True, 0

    def texts(self) -> list[str]:
        return texts_of(self.sent)


def texts_of(wire: bytes) -> list[str]:
    """The text messages in bytes from a server, by the letter of RFC 6455."""
    found, at = [], 0
    while at < len(wire):
        assert wire[at] == 0x81
        size, at = wire[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, at = int.from_bytes(wire[at : at + width], "big"), at + width
        found.append(wire[at : at + size].decode())
        at += size
    assert at == len(wire)
    return found


def hub_of(
    clock: StillClock, told: list[Observation], *, most: int = 10, per_user: int = 10
) -> LocalHub:
    places = Places(max_clients=most, max_per_user=per_user)
    return LocalHub(clock=clock, observe=told.append, places=places)


def joined(hub: LocalHub, user: str = "asha") -> Writer:
    writer = Writer()
    hub.join(Client(writer, user))
    return writer


def sweep(number: int, *, size: int = 30_000) -> list[Envelope]:
    return envelopes(ASSETS, number, size=size)


def test_a_client_that_keeps_up_gets_every_envelope_as_the_source_wrote_it() -> None:
    hub = hub_of(StillClock(), [])
    writers = [joined(hub), joined(hub)]
    sent = [envelope("a", 1, note="½ पम्प 😀"), envelope("b", 2), envelope("c", 3)]
    hub.publish(sent[:2])
    hub.publish(iter(sent[2:]))
    for writer in writers:
        assert writer.texts() == [each.frame for each in sent]
    assert hub.sent == 6


def test_f28_a_frame_is_encoded_once_however_many_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[bytes] = []

    def text_frame_noted(payload: bytes) -> bytes:
        encoded.append(payload)
        return text_frame(payload)

    monkeypatch.setattr(local, "text_frame", text_frame_noted)
    hub = hub_of(StillClock(), [], most=10_000, per_user=10_000)
    writers = [joined(hub) for _ in range(2000)]
    sent = envelopes(ASSETS)
    hub.publish(sent)
    assert len(encoded) == len(sent)
    assert {len(writer.texts()) for writer in writers} == {len(sent)}
    first = writers[0].sent
    assert all(writer.sent == first for writer in writers)


def test_nothing_is_encoded_where_nobody_listens() -> None:
    hub = hub_of(StillClock(), [])
    hub.publish([envelope("a")])
    writer = joined(hub)
    hub.publish([])
    assert (hub.sent, writer.sent) == (0, b"")


def test_f27_a_client_that_is_behind_is_kept_the_newest_of_each_asset() -> None:
    clock, told = StillClock(), list[Observation]()
    hub = hub_of(clock, told)
    slow, quick = joined(hub), joined(hub)
    slow.takes = False
    for number in range(1, 31):
        hub.publish(sweep(number))
        clock.advance(0.2)
    written = len(slow.sent)
    assert written < BUFFERED_LIMIT_BYTES + 700_000
    assert len(quick.texts()) == 30 * 20
    slow.resume()
    hub.check()
    late = [json.loads(text) for text in texts_of(slow.sent[written:])]
    assert [each["asset_id"] for each in late] == ASSETS
    assert {each["record_id"] for each in late} == {"r-30"}
    hub.publish([envelope("a", 31)])
    assert slow.texts()[-1] == envelope("a", 31).frame
    assert not told


def test_what_is_kept_is_not_overtaken_by_what_is_new() -> None:
    clock = StillClock()
    hub = hub_of(clock, [])
    slow = joined(hub)
    slow.takes = False
    for number in range(1, 5):
        hub.publish(sweep(number))
    slow.resume()
    # It takes again, but what was kept for it has not gone out yet.
    hub.publish([envelope(ASSETS[0], 5)])
    hub.check()
    numbers = [
        json.loads(text)["record_id"]
        for text in slow.texts()
        if json.loads(text)["asset_id"] == ASSETS[0]
    ]
    assert numbers == sorted(numbers)
    assert numbers[-1] == "r-5"


def test_f27_a_client_that_stalls_for_ten_seconds_is_closed_with_1013() -> None:
    clock, told = StillClock(), list[Observation]()
    hub = hub_of(clock, told, per_user=2)
    slow, quick = joined(hub), joined(hub)
    slow.takes = False
    for number in range(1, 4):
        hub.publish(sweep(number))
    assert hub.refusal("asha") is not None
    clock.advance(10)
    hub.check()
    assert (slow.closed, hub.clients) == (None, 2)
    clock.advance(0.1)
    hub.check()
    assert slow.closed == (1013, "too slow; connect again")
    assert (quick.closed, hub.clients, told) == (None, 1, [ClientClosed("stalled")])
    assert hub.refusal("asha") is None
    written = len(slow.sent)
    hub.publish([envelope("a")])
    hub.check()
    assert len(slow.sent) == written
    assert len(told) == 1


def test_a_client_that_catches_up_in_time_starts_with_ten_new_seconds() -> None:
    clock, told = StillClock(), list[Observation]()
    hub = hub_of(clock, told)
    slow = joined(hub)
    for _ in range(5):
        slow.takes = False
        for number in range(1, 4):
            hub.publish(sweep(number))
        clock.advance(9)
        hub.check()
        slow.resume()
        hub.check()
    assert (hub.clients, told) == (1, [])


def test_a_client_with_a_full_buffer_and_no_news_is_left_to_the_ping() -> None:
    clock = StillClock()
    hub = hub_of(clock, [])
    writer = joined(hub)
    writer.waiting = 2 * BUFFERED_LIMIT_BYTES
    clock.advance(100)
    hub.check()
    assert hub.clients == 1


def test_f28_f29_limits_hold_for_a_user_and_for_all() -> None:
    hub = hub_of(StillClock(), [], most=3, per_user=2)
    one, two = Client(Writer(), "asha"), Client(Writer(), "asha")
    hub.join(one)
    assert hub.refusal("asha") is None
    hub.join(two)
    assert hub.refusal("asha") == "2 clients of this user are connected, which is the limit"
    assert hub.refusal("ben") is None
    hub.join(Client(Writer(), "ben"))
    assert hub.refusal("ben") == "3 clients are connected, which is the limit"
    hub.leave(one)
    hub.leave(one)
    assert hub.clients == 2
    assert hub.refusal("asha") is None


async def test_at_the_end_every_client_is_told_and_nobody_joins() -> None:
    hub = hub_of(StillClock(), [])
    writers = [joined(hub) for _ in range(3)]
    running = asyncio.create_task(hub.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert {writer.closed for writer in writers} == {(1001, "the server is stopping")}
    assert hub.clients == 0
    assert hub.refusal("asha") == "the server is stopping"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 65_537, 1_000_000])
def test_a_frame_says_its_size_in_the_shortest_way(size: int) -> None:
    frame = text_frame(b"x" * size)
    width = 2 if size < 126 else 4 if size < 65_536 else 10
    assert len(frame) == width + size
    assert texts_of(frame) == ["x" * size]


async def sent_and_taken(site: Site, client: ClientConnection, texts: list[str]) -> list[str]:
    whole = envelope("a")
    for number, text in enumerate(texts):
        site.hub.publish(
            [Envelope(**{name: getattr(whole, name) for name in Envelope.__struct_fields__}
                      | {"asset_id": f"a{number}", "frame": text})]
        )  # fmt: skip
    return [str(await client.recv()) for _ in texts]


async def test_frames_of_any_size_are_what_another_library_reads(site: Site) -> None:
    dice = random.Random(20260615)
    edges = [125, 126, 65_535, 65_536]
    sizes = [edge + step for edge in edges for step in (-1, 0, 1)] + [0, 1, 200_000]
    sizes += [dice.randrange(1, 2000) for _ in range(200)]
    sizes += [dice.choice(edges) + dice.randrange(-3, 4) for _ in range(60)]
    letters = ["x", "½", "प", "😀", "\n", '"']
    texts = []
    for size in sizes:
        letter = dice.choice(letters)
        count = size // len(letter.encode())
        texts.append(letter * count + "y" * (size - count * len(letter.encode())))
    assert [len(text.encode()) for text in texts] == sizes
    client = await site.live()
    async with asyncio.timeout(PATIENCE_S):
        for begin in range(0, len(texts), 20):
            some = texts[begin : begin + 20]
            assert await sent_and_taken(site, client, some) == some
    await client.close()
