import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Connection, type Outside } from "../src/live/connection";
import type { Frame, Snapshot } from "../src/live/frames";
import { LiveState } from "../src/live/state";

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  readyState = 1;
  readonly said: { op: string }[] = [];
  constructor(readonly query: string) {}
  send(text: string): void {
    this.said.push(JSON.parse(text) as { op: string });
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }
  hears(...frames: object[]): void {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }
}

const hello = { op: "hello", seq: 10, t: 0, epoch: 1 };
const snapshot = { op: "snapshot", seq: 10, t: 0, epoch: 1, assets: [[0, "A", null, null, null, null, 0]], alarms: [], runs: [] };
const state = (seq: number, byte: number) => ({ op: "state", seq, t: 0, s: [[0, byte]] });

let sockets: FakeSocket[];
let links: string[];
let live: LiveState;
let connection: Connection;
let fetched: Promise<Snapshot>;
let ticket: () => Promise<{ ticket: string; life_ms: number }>;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", { OPEN: 1 });
  sockets = [];
  links = [];
  live = new LiveState();
  ticket = () => Promise.resolve({ ticket: "t/1", life_ms: 900_000 });
  const outside: Outside = {
    ticket: () => ticket(),
    fetchSnapshot: () => fetched,
    open(query) {
      const socket = new FakeSocket(query);
      sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    now: () => Date.now(),
    random: () => 1,
    taken: (_: Frame) => undefined,
    linkChanged: (link) => void links.push(link),
  };
  connection = new Connection(live, outside);
});
afterEach(() => {
  connection.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function begun(): Promise<FakeSocket> {
  connection.start();
  await vi.advanceTimersByTimeAsync(0);
  sockets[0]!.hears(hello, snapshot);
  return sockets[0]!;
}

test("the first connection asks for nothing but a snapshot", async () => {
  await begun();
  expect(sockets[0]!.query).toBe("?ticket=t%2F1");
  expect([links, live.seq]).toEqual([["live"], 10]);
});

test("a gap asks once for what is missing, and goes on with it", async () => {
  const socket = await begun();
  socket.hears(state(12, 2), state(13, 3));
  expect(socket.said).toEqual([{ op: "resync", have: 10, epoch: 1 }]);
  socket.hears(state(11, 1), state(12, 2), state(13, 3));
  expect([live.seq, live.states[0]]).toEqual([13, 3]);
});

test("a socket that closes is lost at once and comes back where it was", async () => {
  const socket = await begun();
  socket.hears(state(11, 1));
  socket.close();
  expect(links).toEqual(["live", "lost"]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sockets[1]!.query).toBe("?ticket=t%2F1&epoch=1&seq=11");
  sockets[1]!.hears({ ...hello, seq: 11 }, state(12, 5));
  expect([links.at(-1), live.states[0]]).toEqual(["live", 5]);
});

test("silence of 12 s is a loss", async () => {
  await begun();
  await vi.advanceTimersByTimeAsync(11_999);
  expect(connection.link).toBe("live");
  await vi.advanceTimersByTimeAsync(1);
  expect(connection.link).toBe("lost");
});

test("pauses grow to 30 s", async () => {
  const socket = await begun();
  ticket = () => Promise.reject(new Error("away"));
  const asked = vi.fn(ticket);
  ticket = asked;
  socket.close();
  await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000 + 8_000 + 16_000 + 30_000 + 30_000);
  expect(asked).toHaveBeenCalledTimes(7);
});

test("before the login of a socket ends another takes over without a loss", async () => {
  const socket = await begun();
  const pings = setInterval(() => socket.hears({ op: "ping", seq: live.seq + 1, t: 0 }), 5_000);
  await vi.advanceTimersByTimeAsync(840_000);
  clearInterval(pings);
  expect(sockets.length).toBe(2);
  sockets[1]!.hears({ ...hello, seq: live.seq }, state(live.seq + 1, 7));
  expect([socket.readyState, live.states[0], links]).toEqual([3, 7, ["live"]]);
});

test("a failed takeover leaves the present socket alone", async () => {
  const socket = await begun();
  const pings = setInterval(() => socket.hears({ op: "ping", seq: live.seq + 1, t: 0 }), 5_000);
  await vi.advanceTimersByTimeAsync(840_000);
  sockets[1]!.close();
  expect(links).toEqual(["live"]);
  await vi.advanceTimersByTimeAsync(2_000);
  clearInterval(pings);
  expect(sockets.length).toBe(3);
  expect(socket.readyState).toBe(1);
});

test("a large snapshot is fetched; frames that came meanwhile count after it", async () => {
  connection.start();
  await vi.advanceTimersByTimeAsync(0);
  let arrive: (snapshot: Snapshot) => void = () => undefined;
  fetched = new Promise((resolve) => (arrive = resolve));
  sockets[0]!.hears(hello, { ...snapshot, assets: undefined, url: "/api/ui/snapshot" }, state(11, 1), state(12, 2));
  expect(live.serials).toEqual([]);
  arrive({ ...snapshot, seq: 11 } as unknown as Snapshot);
  await vi.advanceTimersByTimeAsync(0);
  expect([live.seq, live.states[0]]).toEqual([12, 2]);
});

test("what is watched is watched again by the next socket", async () => {
  const socket = await begun();
  connection.watch([0]);
  expect(socket.said).toEqual([{ op: "sub", assets: [0] }]);
  socket.close();
  await vi.advanceTimersByTimeAsync(1_000);
  sockets[1]!.hears({ ...hello, seq: 10 });
  expect(sockets[1]!.said).toEqual([{ op: "sub", assets: [0] }]);
});

test("any cut ends with the state of the server", async () => {
  const bytes = [3, 0, 129, 8, 1, 64, 2, 0, 5, 16];
  const frames = bytes.map((byte, place) => state(11 + place, byte));
  for (let cut = 0; cut <= frames.length; cut += 1) {
    live = new LiveState();
    connection.stop();
    connection = new Connection(live, { ...(connection as unknown as { outside: Outside }).outside });
    sockets = [];
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    sockets[0]!.hears(hello, snapshot, ...frames.slice(0, cut));
    sockets[0]!.close();
    await vi.advanceTimersByTimeAsync(1_000);
    const have = Number(new URLSearchParams(sockets[1]!.query).get("seq"));
    sockets[1]!.hears({ ...hello, seq: have }, ...frames.slice(have - 10));
    expect([cut, live.seq, live.states[0]]).toEqual([cut, 20, 16]);
  }
});
