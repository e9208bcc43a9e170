"""The numbered protocol with writers of the test: what is told, to whom, and how much."""

import asyncio
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from following import Follower
from test_api_hub import Writer, texts_of
from world import World, world

from ic3.domain.users import Role
from ic3.hub.channel import KEPT_S
from ic3.hub.frames import Told
from ic3.hub.live import Point
from ic3.hub.viewer import QUEUED_LIMIT, WRITTEN_LIMIT_BYTES, Viewer
from ic3.observations import ClientClosed, FramesDropped, Observation, Resynced

GOLDEN = Path(__file__).parent / "golden"
ASSETS = [f"asset {number}" for number in range(8)]


class Client:
    """A viewer, its wire, and how far it has read."""

    def __init__(self, made: World, *, point: Point | None = None, user: str = "asha") -> None:
        self.writer: Writer = Writer()
        self.viewer = Viewer(self.writer, user)
        self.hub = made.hub
        self.hub.join(self.viewer, role=Role.VIEWER, point=point)

    def read(self) -> list[dict[str, Any]]:
        """What came since the last call."""
        found = [json.loads(text) for text in texts_of(self.writer.sent)]
        self.writer.sent = b""
        return found

    def states(self) -> dict[int, int]:
        """The state bytes that came since the last call."""
        frames = [each["s"] for each in self.read() if each["op"] == "state"]
        return {index: state for frame in frames for index, state in frame}

    def ops(self) -> list[str]:
        return [each["op"] for each in self.read()]


def test_a_client_is_greeted_and_sent_a_snapshot() -> None:
    made = world(None, "a", "b")
    made.alarm("b", priority=1)
    made.run()
    made.settle()
    hello, snapshot = Client(made).read()
    epoch = hello["epoch"]
    del hello["version"], hello["t"]
    assert hello == {
        "op": "hello", "seq": snapshot["seq"], "proto": 1, "build": "build 1", "poll_s": 15.0,
        "tz": "Asia/Kolkata", "plant": "real", "role": "viewer", "scope": "all", "epoch": epoch,
        "alarms_evaluated_at": None,
    }  # fmt: skip
    assert snapshot["epoch"] == epoch
    assert snapshot["assets"] == [
        [0, "a", None, None, None, None, 0], [1, "b", None, None, None, None, 129],
    ]  # fmt: skip
    assert [each["source"] for each in snapshot["alarms"]] == ["b"]
    assert [each["id"] for each in snapshot["runs"]] == [1]


def test_the_state_byte_has_each_bit_where_the_protocol_says() -> None:
    made = world(None, "a", "b")
    made.register("a", "b", "never seen")
    made.settle()
    assert made.states() == {"a": 0, "b": 0, "never seen": 5 * 8 + 64}
    client = Client(made)
    client.read()
    made.sweep("a", quality=None)
    made.alarm("b", priority=3)
    made.settle()
    assert client.states() == {0: 64, 1: 128 + 3}
    made.alarms.acknowledge(1, who="asha", at_us=made.clock.now_us())
    made.clock.advance(46)
    made.judge()
    made.settle()
    assert client.states() == {0: 64 + 8, 1: 8 + 3}


def test_frames_are_written_to_the_letter() -> None:
    made = world(None, "a")
    client = Client(made)
    epoch = client.read()[0]["epoch"]
    made.alarms.evaluated_us = made.clock.now_us()
    made.hub.watch(client.viewer, [0])
    made.sweep("a", quality="BAD")
    made.run(read=88.5)
    made.alarm("a")
    made.clock.advance(5)
    made.hub.tick()
    texts = texts_of(client.writer.sent)
    golden = (GOLDEN / "live_v1.txt").read_text(encoding="utf-8").splitlines()
    assert texts == golden
    assert epoch == 1781487720001


def test_shared_frames_are_numbered_without_a_gap_and_never_hold_values() -> None:
    made, dice = world(None, *ASSETS), random.Random(1)
    client = Client(made)
    client.hub.watch(client.viewer, [0, 1])
    for _ in range(300):
        made.change(dice)
    told = client.read()
    shared = [each for each in told if each["op"] in {"state", "run", "alarm", "ping"}]
    assert len(shared) > 100
    for frame in shared:
        assert "values" not in frame
    seen = told[0]["seq"]
    for frame in told[1:]:
        if frame in shared:
            assert frame["seq"] == seen + 1
        seen = frame["seq"]


def test_every_frame_is_read_by_the_strict_reader_of_its_struct() -> None:
    made, dice = world(None, *ASSETS), random.Random(2)
    client = Client(made)
    client.hub.watch(client.viewer, range(8))
    for _ in range(400):
        made.change(dice)
    read = msgspec.json.Decoder(Told, strict=True)
    ops = set()
    for text in texts_of(client.writer.sent):
        frame = read.decode(text)
        assert json.loads(msgspec.json.encode(frame)) == json.loads(text)
        ops.add(json.loads(text)["op"])
    assert ops == {"hello", "snapshot", "state", "asset", "run", "alarm", "ping"}


def test_state_frames_come_at_most_four_times_a_second_and_the_newest_byte_wins() -> None:
    made = world(None, "a")
    client = Client(made)
    client.read()
    frames = []
    for number in range(1, 101):
        made.clock.advance(0.02)
        made.sweep("a", quality="BAD" if number % 2 else "GOOD")
        if number % 12 == 0:
            made.hub.tick()
        frames += [each for each in client.read() if each["op"] == "state"]
    made.settle()
    frames += [each for each in client.read() if each["op"] == "state"]
    assert 2 <= len(frames) <= 9
    times = [each["t"] for each in frames]
    assert min(b - a for a, b in pairwise(times)) >= 250


def test_a_byte_that_moved_and_came_back_within_a_quarter_second_is_not_told() -> None:
    made = world(None, "a")
    client = Client(made)
    made.sweep("a", quality="BAD")
    client.read()
    made.sweep("a", quality="GOOD")
    made.sweep("a", quality="BAD")
    made.clock.advance(0.25)
    made.hub.tick()
    assert client.ops() == []


def test_a_sweep_that_changes_no_state_tells_only_those_who_watch() -> None:
    made = world(None, "a", "b")
    idle, watching = Client(made), Client(made, user="ben")
    watching.hub.watch(watching.viewer, [1])
    idle.read()
    present = watching.read()[-1]
    assert (present["op"], present["i"], present["values"]) == ("asset", 1, {"FLOW": 12.5})
    assert present["limits"] == {}
    made.sweep("a", "b", flow=13.5)
    made.clock.advance(0.25)
    made.hub.tick()
    assert idle.ops() == []
    (frame,) = watching.read()
    assert (frame["op"], frame["i"], frame["values"]) == ("asset", 1, {"FLOW": 13.5})
    assert "limits" not in frame
    assert len(json.dumps(frame)) < 250


def test_a_new_list_of_watched_assets_replaces_the_one_before() -> None:
    made = world(None, "a", "b", "c")
    client = Client(made)
    client.read()
    made.hub.watch(client.viewer, [0, 1, 99])
    assert [each["i"] for each in client.read()] == [0, 1]
    made.hub.watch(client.viewer, [2, 2])
    assert [each["i"] for each in client.read()] == [2]
    made.sweep("a", "b", "c")
    assert [each["i"] for each in client.read()] == [2]
    made.hub.leave(client.viewer)
    assert not made.hub._watchers


def test_a_late_record_tells_nobody() -> None:
    made = world(None, "a")
    client = Client(made)
    made.hub.watch(client.viewer, [0])
    late = made.envelope("a")
    made.clock.advance(5)
    made.sweep("a", flow=20.0)
    client.read()
    made.swept([late])
    assert client.ops() == []


def test_alarms_and_runs_go_at_once() -> None:
    made = world(None, "a")
    client = Client(made)
    client.read()
    made.alarm("a")
    made.alarms.acknowledge(1, who="asha", at_us=made.clock.now_us(), note="on my way")
    made.run(read=88.5, store=12.0)
    raised, seen, run = client.read()
    assert (raised["what"], raised["alarm"]["id"], raised["who"]) == ("new", 1, None)
    assert (seen["what"], seen["who"], seen["note"]) == ("ack", "asha", "on my way")
    assert run["run"]["id"] == 1
    assert run["phases"] == {"read": 88.5, "store": 12.0}


def test_a_ping_comes_every_five_seconds_with_the_age_of_what_was_checked() -> None:
    made = world(None, "a")
    client = Client(made)
    made.run()
    made.alarms.evaluated_us = made.clock.now_us()
    client.read()
    for _ in range(60):
        made.clock.advance(0.25)
        made.hub.tick()
    pings = client.read()
    assert [each["op"] for each in pings] == ["ping"] * 3
    assert pings[0]["alarms_evaluated_at"] == "2026-06-15T01:42:03.000000Z"
    assert pings[0]["last_run_at"] == "2026-06-15T01:42:15.000000Z"


def test_all_of_a_scope_share_the_same_bytes() -> None:
    made = world(None, "a")
    sent: list[list[bytes]] = [[], []]

    class Keeping(Writer):
        def __init__(self, kept: list[bytes]) -> None:
            super().__init__()
            self.kept = kept

        def write(self, frames: bytes) -> None:
            self.kept.append(frames)

    for kept in sent:
        made.hub.join(Viewer(Keeping(kept), "asha"), role=Role.VIEWER)
    made.alarm("a")
    assert sent[0][-1] is sent[1][-1]


def test_resuming_within_the_window_sends_what_is_missing_and_beyond_it_a_snapshot() -> None:
    told: list[Observation] = []
    made = world(told, "a")
    hello, snapshot = Client(made).read()
    point = Point(snapshot["seq"], hello["epoch"])
    made.alarm("a")
    made.run()
    resumed = Client(made, point=point).read()
    assert [each["op"] for each in resumed] == ["hello", "alarm", "run"]
    assert [each["seq"] for each in resumed] == [point.have, point.have + 1, point.have + 2]
    assert [each["op"] for each in Client(made, point=Point(point.have + 9, point.epoch)).read()]
    made.clock.advance(KEPT_S + 1)
    made.run()
    late = Client(made, point=point).read()
    assert [each["op"] for each in late] == ["hello", "snapshot"]
    assert late[1]["seq"] == point.have + 3
    assert [each.how for each in told if isinstance(each, Resynced)] == [
        "resumed", "snapshot", "snapshot",
    ]  # fmt: skip


@pytest.mark.parametrize("have", [-1, 10**9, -(10**9)])
def test_a_point_that_never_was_gets_a_snapshot(have: int) -> None:
    made = world(None, "a")
    epoch = Client(made).read()[0]["epoch"]
    assert Client(made, point=Point(have, epoch)).ops() == ["hello", "snapshot"]


def test_another_list_of_assets_is_another_epoch_and_a_snapshot_for_everybody() -> None:
    made = world(None, "a", "c")
    client = Client(made)
    made.hub.watch(client.viewer, [1])
    before = client.read()[0]["epoch"]
    made.sweep("a", "b", "c")
    made.settle()
    after = client.read()
    (snapshot,) = [each for each in after if each["op"] == "snapshot"]
    assert snapshot["epoch"] > before
    assert [row[:2] for row in snapshot["assets"]] == [[0, "a"], [1, "b"], [2, "c"]]
    # The asset it watches has another index now.
    assert [each["i"] for each in after if each["op"] == "asset"][-1] == 2
    assert Client(made, point=Point(snapshot["seq"], before)).ops()[:2] == ["hello", "snapshot"]


def test_the_same_list_in_a_new_register_is_no_new_epoch() -> None:
    made = world(None, "a")
    made.register("a")
    made.settle()
    epoch = Client(made).read()[0]["epoch"]
    made.register("a")
    made.settle()
    assert Client(made).read()[0]["epoch"] == epoch


def stall(client: Client) -> None:
    client.writer.takes, client.writer.waiting = False, WRITTEN_LIMIT_BYTES + 1


def test_a_slow_client_loses_its_queue_and_gets_one_snapshot() -> None:
    told: list[Observation] = []
    made = world(told, *ASSETS)
    slow, quick = Client(made), Client(made, user="ben")
    made.hub.watch(slow.viewer, [3])
    slow.read(), quick.read()
    stall(slow)
    for number in range(QUEUED_LIMIT + 40):
        made.alarm(ASSETS[number % 8], active=number // 8 % 2 == 0)
    assert slow.writer.sent == b""
    assert len(quick.ops()) == QUEUED_LIMIT + 40
    assert FramesDropped("overflow", QUEUED_LIMIT + 1) in told
    assert made.hub.slow == 1
    slow.writer.resume()
    made.settle()
    frames = slow.read()
    assert [each["op"] for each in frames][:2] == ["snapshot", "asset"]
    assert frames[0]["seq"] >= QUEUED_LIMIT + 40
    assert (made.hub.slow, made.hub.clients) == (0, 2)


def test_a_short_pause_loses_nothing() -> None:
    made = world(None, "a")
    client = Client(made)
    client.read()
    stall(client)
    made.alarm("a")
    made.run()
    assert client.ops() == []
    client.writer.resume()
    made.alarm("a", active=False)
    made.hub.tick()
    frames = client.read()
    assert [each["op"] for each in frames][:3] == ["alarm", "run", "alarm"]
    numbers = [each["seq"] for each in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_large_frames_fill_a_queue_by_their_bytes() -> None:
    told: list[Observation] = []
    made = world(told, *[f"{number:04} {'x' * 300}" for number in range(4000)])
    client = Client(made)
    stall(client)
    for _ in range(8):
        made.hub.watch(client.viewer, range(50))
    assert any(isinstance(each, FramesDropped) for each in told)
    assert client.viewer._queued_bytes <= 1 << 20


def test_who_takes_nothing_for_ten_seconds_is_closed_with_1013_and_nobody_else_waits() -> None:
    told: list[Observation] = []
    made = world(told, *ASSETS)
    slow, quick = Client(made), Client(made, user="ben")
    stall(slow)
    for number in range(QUEUED_LIMIT + 8):
        made.alarm(ASSETS[number % 8], active=number // 8 % 2 == 0)
    made.clock.advance(10)
    made.hub.tick()
    assert (slow.writer.closed, made.hub.clients) == (None, 2)
    made.clock.advance(0.1)
    made.hub.tick()
    assert slow.writer.closed == (1013, "too slow; connect again")
    assert ClientClosed("stalled") in told
    assert (made.hub.clients, quick.writer.closed) == (1, None)


def test_f27_one_stalled_client_of_500_delays_nobody_and_costs_little() -> None:
    made = world(None, *ASSETS)
    clients = [Client(made, user=f"user {number}") for number in range(500)]
    for each in clients:
        each.read()
    slow, others = clients[0], clients[1:]
    stall(slow)
    before = slow.viewer._queued_bytes
    for number in range(2 * QUEUED_LIMIT):
        made.alarm(ASSETS[number % 8], active=number // 8 % 2 == 0)
        assert all(each.writer.sent for each in others)
        told = {each.writer.sent for each in others}
        assert len(told) == 1  # the same bytes for all, at once
        for each in others:
            each.writer.sent = b""
    assert slow.writer.sent == b""
    assert slow.viewer._queued_bytes - before < 2 << 20
    slow.writer.resume()
    made.hub.tick()
    assert slow.ops()[0] == "snapshot"


def test_a_resync_of_a_client_that_takes_nothing_waits_for_it() -> None:
    made = world(None, "a")
    client = Client(made)
    point = Point(client.read()[1]["seq"], client.hub._channel_of(None).epoch)
    stall(client)
    made.alarm("a")
    for _ in range(50):
        made.hub.resync(client.viewer, point)
    assert client.writer.sent == b""
    client.writer.resume()
    made.hub.tick()
    assert client.ops()[0] == "snapshot"


def test_a_snapshot_is_made_once_for_all_who_come_at_the_same_time() -> None:
    made = world(None, *ASSETS)
    first = made.hub.snapshot()
    assert made.hub.snapshot() is first
    made.run()
    # Young enough: the run follows as a frame of its own.
    assert Client(made).ops() == ["hello", "snapshot", "run"]
    made.clock.advance(1)
    assert made.hub.snapshot() is not first
    assert Client(made).ops() == ["hello", "snapshot"]
    second = made.hub.snapshot()
    made.clock.advance(60)
    made.hub.tick()
    assert made.hub.snapshot() is second
    assert Client(made).ops() == ["hello", "snapshot", "ping"]


def test_one_changed_state_of_a_hundred_at_100_000_assets_is_a_small_frame() -> None:
    serials = [f"asset {number:06}" for number in range(20_000)]
    made = world(None, *serials)
    client = Client(made)
    snapshot = client.read()[1]
    assert "assets" in snapshot
    made.sweep(*serials[::100], quality="BAD")
    (state,) = client.read()
    assert state["op"] == "state"
    assert len(json.dumps(state, separators=(",", ":"))) * 5 < 15_000


def test_above_two_mebibytes_a_snapshot_says_where_it_is() -> None:
    made = world(None, *[f"{number:06} {'x' * 100}" for number in range(20_000)])
    hello, snapshot = Client(made).read()
    assert snapshot["url"] == "/api/ui/snapshot"
    assert "assets" not in snapshot
    assert snapshot["epoch"] == hello["epoch"]
    body = json.loads(made.hub.snapshot().body)
    assert len(body["assets"]) == 20_000
    assert body["seq"] == snapshot["seq"]


async def test_at_the_end_every_client_is_told_and_nobody_joins() -> None:
    made = world(None, "a")
    clients = [Client(made) for _ in range(3)]
    running = asyncio.create_task(made.hub.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    assert {each.writer.closed for each in clients} == {(1001, "the server is stopping")}
    assert made.hub.refusal("asha") == "the server is stopping"


@pytest.mark.parametrize("seed", range(5))
def test_a_client_that_is_cut_off_two_hundred_times_ends_with_the_servers_state(seed: int) -> None:
    dice = random.Random(seed)
    made = world(None, *ASSETS)
    follower = Follower()
    cuts = 0
    while cuts < 200:
        point = Point(follower.seq, follower.epoch) if dice.random() < 0.9 else None
        client = Client(made, point=point)
        follower.connected()
        for _ in range(dice.randrange(8)):
            live(made, client, follower, dice)
        # Of what is on the way a part arrives; the rest is lost with the socket.
        texts = texts_of(client.writer.sent)
        for text in texts[: dice.randrange(len(texts) + 1)]:
            follower.take(text)
        made.hub.leave(client.viewer)
        cuts += 1
        for _ in range(dice.randrange(4)):
            made.change(dice)
    client = Client(made, point=Point(follower.seq, follower.epoch))
    follower.connected()
    made.settle()
    hear(made, client, follower)
    assert follower.assets == made.states()
    assert follower.alarms == made.open_alarms()
    assert follower.runs == made.last_runs()
    assert follower.snapshots < cuts


def live(made: World, client: Client, follower: Follower, dice: random.Random) -> None:
    """One moment of a connection: it may stall, miss a frame, or follow."""
    match dice.randrange(8):
        case 0:
            stall(client)
        case 1:
            client.writer.resume()
            made.hub.tick()
        case 2:
            texts = texts_of(client.writer.sent)
            if len(texts) > 2:
                client.writer.sent = b""
                lost = dice.randrange(len(texts))
                say(made, client, follower, texts[:lost] + texts[lost + 1 :])
        case 3:
            hear(made, client, follower)
        case _:
            made.change(dice)


def hear(made: World, client: Client, follower: Follower) -> None:
    while client.writer.sent:
        texts = texts_of(client.writer.sent)
        client.writer.sent = b""
        say(made, client, follower, texts)


def say(made: World, client: Client, follower: Follower, texts: list[str]) -> None:
    for text in texts:
        asked = follower.take(text)
        if asked is not None:
            made.hub.resync(client.viewer, Point(asked["have"], asked["epoch"]))
