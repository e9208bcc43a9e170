/** What is said over `/ws/v1`: docs/reference/asyncapi.json describes each frame. */

import type { components } from "../api";

export type Alarm = components["schemas"]["AlarmView"];
export type Run = components["schemas"]["Run"];
export type Role = "viewer" | "operator" | "engineer" | "admin";
export type AssetRow = [
  number: number, serial: string, kind: string | null, dma: string | null,
  longitude: number | null, latitude: number | null, state: number,
];
export type Value = number | string | boolean | null;
export type Limits = Record<string, [low: number | null, high: number | null]>;

interface Numbered {
  seq: number;
  t: number;
}
export interface Hello extends Numbered {
  op: "hello";
  proto: number;
  version: string;
  build: string;
  poll_s: number;
  tz: string;
  plant: "simulated" | "real";
  role: Role;
  scope: string;
  epoch: number;
  alarms_evaluated_at: string | null;
}
export interface Snapshot extends Numbered {
  op: "snapshot";
  epoch: number;
  assets?: AssetRow[];
  url?: string;
  alarms: Alarm[];
  runs: Run[];
}
export interface StateFrame extends Numbered {
  op: "state";
  s: [number: number, state: number][];
}
export interface AssetFrame extends Numbered {
  op: "asset";
  i: number;
  occurred_at: string | null;
  received_at: string;
  quality: string | null;
  alarm: string | null;
  values: Record<string, Value>;
  limits?: Limits;
}
export interface RunFrame extends Numbered {
  op: "run";
  run: Run;
  phases: Record<string, number>;
}
export interface AlarmFrame extends Numbered {
  op: "alarm";
  what: "new" | "ack" | "return" | "clear" | "shelve" | "unshelve" | "comment";
  alarm: Alarm;
  who: string | null;
  note: string | null;
}
export interface Ping extends Numbered {
  op: "ping";
  alarms_evaluated_at: string | null;
  last_run_at: string | null;
}
export type Shared = StateFrame | RunFrame | AlarmFrame | Ping;
export type Frame = Hello | Snapshot | AssetFrame | Shared;
