/** What the server has told, in typed arrays and plain maps: no part of it is reactive. */

import type { Alarm, AlarmFrame, AssetFrame, Frame, Hello, Limits, Run, Shared, Snapshot } from "./frames";
import { isBad, isFresh, lifeOf, priorityOf } from "./state-byte";

const RUNS = 20;

/** What became of a frame: taken, not needed, or a frame before it is missing. */
export type Taken = "taken" | "old" | "gap";

export interface Counts {
  assets: number;
  /** Assets with an active alarm, stale ones too. */
  inAlarm: number;
  /** Assets that have spoken and are not fresh now. */
  stale: number;
  /** Assets of the register that have never spoken; they are neither stale nor of bad quality. */
  neverSeen: number;
  badQuality: number;
  /** Alarms that wait for somebody: all, then of each priority from 1. */
  unacknowledged: [all: number, p1: number, p2: number, p3: number, p4: number];
}

export class LiveState {
  hello: Hello | null = null;
  /** When the alarms were judged last; null where they never were since the server's start. */
  alarmsEvaluatedAt: string | null = null;
  lastRunAt: string | null = null;
  /** Server time of the newest frame, ms. */
  heardAt = 0;
  epoch = -1;
  seq = -1;
  /** Grows with everything that is taken. */
  version = 0;
  serials: string[] = [];
  kinds: (string | null)[] = [];
  dmas: (string | null)[] = [];
  /** Degrees, NaN where the register has none. */
  longitudes = new Float64Array(0);
  latitudes = new Float64Array(0);
  states = new Uint8Array(0);
  /** Grows where the list of assets is another: indexes are good within one. */
  listVersion = 0;
  readonly alarms = new Map<number, Alarm>();
  /** Newest first. */
  runs: Run[] = [];
  /** Milliseconds of each phase by run id, of runs that ended since the page was opened. */
  readonly phases = new Map<number, Record<string, number>>();
  readonly watched = new Map<number, AssetFrame>();
  readonly limits = new Map<number, Limits>();
  private readonly indexes = new Map<string, number>();
  /** The server's number of each asset: who may see some domains has gaps in them, the lists here have none. */
  private numbers = new Uint32Array(0);
  private readonly places = new Map<number, number>();
  private counted: { version: number; counts: Counts } | null = null;
  private sorted: { version: number; alarms: Alarm[] } | null = null;

  /** Takes one frame. A snapshot must hold its assets. */
  take(frame: Frame): Taken {
    this.heardAt = frame.t;
    if (frame.op === "hello") this.greeted(frame);
    else if (frame.op === "snapshot") this.takeSnapshot(frame);
    else if (frame.op === "asset") this.takeAsset(frame);
    else {
      if (frame.seq <= this.seq) return "old";
      if (frame.seq !== this.seq + 1) return "gap";
      this.seq = frame.seq;
      this.takeShared(frame);
    }
    this.version += 1;
    return "taken";
  }

  indexOf(serial: string): number | undefined {
    return this.indexes.get(serial);
  }

  /** By which the server knows an asset. */
  numberOf(serial: string): number | undefined {
    const index = this.indexes.get(serial);
    return index === undefined ? undefined : this.numbers[index];
  }

  counts(): Counts {
    if (this.counted?.version !== this.version) {
      this.counted = { version: this.version, counts: this.count() };
    }
    return this.counted.counts;
  }

  /** Open alarms that call, in the one order there is: unacknowledged, worst, newest. */
  openAlarms(): Alarm[] {
    if (this.sorted?.version !== this.version) {
      const alarms = [...this.alarms.values()].filter((each) => each.held === null);
      this.sorted = { version: this.version, alarms: alarms.sort(inOrder) };
    }
    return this.sorted.alarms;
  }

  private greeted(hello: Hello): void {
    this.hello = hello;
    this.alarmsEvaluatedAt = hello.alarms_evaluated_at;
  }

  private takeSnapshot({ epoch, seq, assets = [], alarms, runs }: Snapshot): void {
    if (epoch !== this.epoch || assets.length !== this.serials.length) {
      this.watched.clear();
      this.limits.clear();
    }
    this.epoch = epoch;
    this.seq = seq;
    this.listVersion += 1;
    const size = assets.length;
    this.serials = new Array<string>(size);
    this.kinds = new Array<string | null>(size);
    this.dmas = new Array<string | null>(size);
    this.longitudes = new Float64Array(size);
    this.latitudes = new Float64Array(size);
    this.states = new Uint8Array(size);
    this.numbers = new Uint32Array(size);
    this.indexes.clear();
    this.places.clear();
    for (const [index, [number, serial, kind, dma, longitude, latitude, state]] of assets.entries()) {
      this.serials[index] = serial;
      this.kinds[index] = kind;
      this.dmas[index] = dma;
      this.longitudes[index] = longitude ?? NaN;
      this.latitudes[index] = latitude ?? NaN;
      this.states[index] = state;
      this.numbers[index] = number;
      this.indexes.set(serial, index);
      this.places.set(number, index);
    }
    this.alarms.clear();
    for (const alarm of alarms) this.alarms.set(alarm.id, alarm);
    this.runs = runs.slice(0, RUNS);
  }

  private takeAsset(frame: AssetFrame): void {
    const index = this.places.get(frame.i);
    if (index === undefined) return;
    this.watched.set(index, frame);
    if (frame.limits) this.limits.set(index, frame.limits);
  }

  private takeShared(frame: Shared): void {
    switch (frame.op) {
      case "state":
        for (const [number, state] of frame.s) {
          const index = this.places.get(number);
          if (index !== undefined) this.states[index] = state;
        }
        break;
      case "run":
        this.takeRun(frame.run, frame.phases);
        break;
      case "alarm":
        this.takeAlarm(frame);
        break;
      case "ping":
        this.alarmsEvaluatedAt = frame.alarms_evaluated_at;
        this.lastRunAt = frame.last_run_at;
    }
  }

  private takeRun(run: Run, phases: Record<string, number>): void {
    const others = this.runs.filter((each) => each.id !== run.id);
    this.runs = [run, ...others].sort((a, b) => b.id - a.id).slice(0, RUNS);
    this.phases.set(run.id, phases);
    for (const id of this.phases.keys()) {
      if (this.phases.size > RUNS) this.phases.delete(id);
    }
  }

  private takeAlarm({ alarm }: AlarmFrame): void {
    if (alarm.cleared_at !== null) this.alarms.delete(alarm.id);
    else this.alarms.set(alarm.id, alarm);
  }

  private count(): Counts {
    const counts: Counts = {
      assets: this.states.length, inAlarm: 0, stale: 0, neverSeen: 0, badQuality: 0, unacknowledged: [0, 0, 0, 0, 0],
    };
    for (const state of this.states) {
      if (priorityOf(state)) counts.inAlarm += 1;
      if (lifeOf(state) === "never_seen") {
        counts.neverSeen += 1;
        continue;
      }
      if (!isFresh(state)) counts.stale += 1;
      if (isBad(state)) counts.badQuality += 1;
    }
    for (const alarm of this.openAlarms()) {
      if (!waits(alarm)) continue;
      counts.unacknowledged[0] += 1;
      counts.unacknowledged[alarm.priority as 1 | 2 | 3 | 4] += 1;
    }
    return counts;
  }
}

/** Whether an alarm waits for somebody: also one that has returned and that nobody has seen. */
export const waits = (alarm: Alarm): boolean =>
  alarm.held === null && (alarm.state === "unacknowledged" || alarm.state === "returned");

function inOrder(a: Alarm, b: Alarm): number {
  return (
    Number(waits(b)) - Number(waits(a)) ||
    a.priority - b.priority ||
    (a.raised_at < b.raised_at ? 1 : a.raised_at > b.raised_at ? -1 : b.id - a.id)
  );
}
