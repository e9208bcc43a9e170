import { beforeEach, describe, expect, test } from "vitest";
import type { Alarm, AssetRow, Frame, Run } from "../src/live/frames";
import { LiveState } from "../src/live/state";
import { isBad, isFresh, isUnacknowledged, lifeOf, priorityOf } from "../src/live/state-byte";

const rows: AssetRow[] = [[0, "A", "pump", "D1", 77.1, 28.6, 0], [1, "B/1", null, null, null, null, 0b1000_1001], [2, "नल", "valve", "D2", 77.2, 28.7, 0b0100_0000]];
const alarm = (id: number, more: Partial<Alarm> = {}): Alarm =>
  ({ id, priority: 3, state: "unacknowledged", held: null, raised_at: `2026-06-15T00:00:0${id}Z`, cleared_at: null, ...more }) as Alarm;
const run = (id: number): Run => ({ id }) as Run;
const snapshot = (more: object = {}): Frame => ({ op: "snapshot", seq: 10, t: 0, epoch: 1, assets: rows, alarms: [alarm(1)], runs: [run(2), run(1)], ...more }) as Frame;
const state = (seq: number, ...s: [number, number][]): Frame => ({ op: "state", seq, t: 0, s });
const told = (seq: number, of: Alarm): Frame => ({ op: "alarm", seq, t: 0, what: "new", alarm: of, who: null, note: null });

let live: LiveState;
beforeEach(() => {
  live = new LiveState();
  live.take(snapshot());
});

describe("the state byte", () => {
  test("holds priority, life, quality and who knows", () => {
    const byte = 0b1110_1010;
    expect([priorityOf(byte), lifeOf(byte), isBad(byte), isUnacknowledged(byte), isFresh(byte)]).toEqual([2, "never_seen", true, true, false]);
  });
  test("0 is fresh, good and quiet", () =>
    expect([priorityOf(0), lifeOf(0), isBad(0), isUnacknowledged(0), isFresh(0)]).toEqual([0, "fresh", false, false, true]));
});

describe("a snapshot", () => {
  test("is there by index and by serial number", () => {
    expect(live.serials).toEqual(["A", "B/1", "नल"]);
    expect(live.indexOf("नल")).toBe(2);
    expect(live.longitudes[1]).toBeNaN();
  });
  test("of a scope has gaps in the server's numbers and none here", () => {
    const scoped: AssetRow[] = [[7, "A", "pump", "D1", 77.1, 28.6, 0], [300, "B/1", null, null, null, null, 1]];
    live.take(snapshot({ assets: scoped }));
    expect([live.serials, [...live.states], live.numberOf("B/1")]).toEqual([["A", "B/1"], [0, 1], 300]);
    live.take(state(11, [300, 2], [5, 3]));
    live.take({ op: "asset", seq: 11, t: 0, i: 300, occurred_at: null, received_at: "", quality: null, alarm: null, values: { P: 1 } });
    expect([[...live.states], live.counts().assets, live.watched.get(1)?.values]).toEqual([[0, 2], 2, { P: 1 }]);
  });
  test("of another epoch forgets what was watched", () => {
    live.take({ op: "asset", seq: 10, t: 0, i: 0, occurred_at: null, received_at: "", quality: null, alarm: null, values: {}, limits: {} });
    live.take(snapshot({ epoch: 2 }));
    expect([live.watched.size, live.limits.size]).toEqual([0, 0]);
  });
});

describe("shared frames", () => {
  test("the next one is taken", () => {
    expect(live.take(state(11, [0, 1]))).toBe("taken");
    expect(live.states[0]).toBe(1);
  });
  test("one that was there is not taken again", () => {
    live.take(state(11, [0, 1]));
    expect(live.take(state(11, [0, 0]))).toBe("old");
    expect(live.states[0]).toBe(1);
  });
  test("one too far is a gap and changes nothing", () => {
    expect(live.take(state(12, [0, 1]))).toBe("gap");
    expect([live.states[0], live.seq]).toEqual([0, 10]);
  });
  test("a run stands first, once, with its phases", () => {
    live.take({ op: "run", seq: 11, t: 0, run: run(3), phases: { list: 4 } });
    live.take({ op: "run", seq: 12, t: 0, run: run(3), phases: { list: 5 } });
    expect(live.runs.map((each) => each.id)).toEqual([3, 2, 1]);
    expect(live.phases.get(3)).toEqual({ list: 5 });
  });
  test("an alarm that was cleared is gone", () => {
    live.take(told(11, alarm(1, { cleared_at: "2026-06-15T00:01:00Z" })));
    expect(live.openAlarms()).toEqual([]);
  });
});

describe("counts", () => {
  test("staleness hides no alarm", () => {
    expect(live.counts()).toEqual({ assets: 3, inAlarm: 1, stale: 1, neverSeen: 0, badQuality: 1, unacknowledged: [1, 0, 0, 1, 0] });
  });
  test("follow what comes", () => {
    live.counts();
    live.take(told(11, alarm(2, { priority: 1 })));
    expect(live.counts().unacknowledged).toEqual([2, 1, 0, 1, 0]);
  });
  test("an alarm that is held calls nobody", () => {
    live.take(told(11, alarm(1, { held: "shelved" })));
    expect(live.counts().unacknowledged[0]).toBe(0);
    expect(live.openAlarms()).toEqual([]);
  });
});

test("alarms stand in one order: unacknowledged, worst, newest", () => {
  live.take(told(11, alarm(2, { priority: 1, state: "acknowledged" })));
  live.take(told(12, alarm(3)));
  live.take(told(13, alarm(4, { priority: 2, state: "returned" })));
  expect(live.openAlarms().map((each) => each.id)).toEqual([4, 3, 1, 2]);
});
