/** Where assets stand on the map, which of them are shown, and which share a spot. */

import type { LiveState } from "../live/state";
import { isBad, isFresh, isUnacknowledged, lifeOf, priorityOf } from "../live/state-byte";
import { type Bounds, canBeDrawn, NOWHERE, type Point, worldX, worldY } from "./projection";

export const LAYERS = ["areas", "pipes", "valves", "pumps", "meters", "others"] as const;
export type LayerName = (typeof LAYERS)[number];
export const CONDITIONS = ["alarm", "waiting", "stale", "bad", "never"] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Filter {
  /** Part of a serial number. */
  words: string;
  dmas: readonly string[];
  kinds: readonly string[];
  /** Any of them; none is all. */
  conditions: readonly Condition[];
  hidden: readonly LayerName[];
}
export const ALL: Filter = { words: "", dmas: [], kinds: [], conditions: [], hidden: [] };

/** The layer of an asset by the register's word for what it is. */
export function layerOf(kind: string | null): LayerName {
  if (kind === null) return "others";
  if (/valve/i.test(kind)) return "valves";
  if (/pump/i.test(kind)) return "pumps";
  return /meter|transmitter|analyser|sensor|logger/i.test(kind) ? "meters" : "others";
}

export function meets(byte: number, condition: Condition): boolean {
  const life = lifeOf(byte);
  switch (condition) {
    case "alarm": return priorityOf(byte) > 0;
    case "waiting": return isUnacknowledged(byte);
    case "stale": return !isFresh(byte) && life !== "never_seen";
    case "bad": return isBad(byte) && life !== "never_seen";
    case "never": return life === "never_seen";
  }
}

/** Which state bytes a filter lets through. */
export function bytesOf(conditions: readonly Condition[]): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    bytes[byte] = conditions.length === 0 || conditions.some((each) => meets(byte, each)) ? 1 : 0;
  }
  return bytes;
}

/** Lower is what wants to be seen first: unacknowledged, by priority, other alarms, what is not well, the rest. */
export function rankOf(byte: number): number {
  const priority = priorityOf(byte);
  if (priority) return (isUnacknowledged(byte) ? 0 : 4) + priority;
  if (lifeOf(byte) === "never_seen") return 12;
  return isFresh(byte) ? (isBad(byte) ? 10 : 11) : 9;
}

/** Positions in units of the world; made anew with each list of assets. */
export class Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
  bounds: Bounds = NOWHERE;
  /** Indexes that share a spot, by the first of them. */
  readonly stacks = new Map<number, number[]>();
  /** Registered or heard, but nowhere to be drawn. */
  readonly placeless: number[] = [];

  constructor(state: LiveState, missing: ReadonlySet<string>) {
    const size = state.serials.length;
    this.x = new Float64Array(size).fill(NaN);
    this.y = new Float64Array(size).fill(NaN);
    let { left, top, right, bottom } = NOWHERE;
    const first = new Map<number, number>();
    for (let index = 0; index < size; index += 1) {
      const longitude = state.longitudes[index]!;
      const latitude = state.latitudes[index]!;
      if (!canBeDrawn(longitude, latitude) || missing.has(state.serials[index]!)) {
        this.placeless.push(index);
        continue;
      }
      const x = (this.x[index] = worldX(longitude));
      const y = (this.y[index] = worldY(latitude));
      left = Math.min(left, x);
      top = Math.min(top, y);
      right = Math.max(right, x);
      bottom = Math.max(bottom, y);
      this.stack(spotOf(longitude, latitude), index, first);
    }
    this.bounds = { left, top, right, bottom };
  }

  private stack(key: number, index: number, first: Map<number, number>): void {
    const under = first.get(key);
    if (under === undefined) {
      first.set(key, index);
      return;
    }
    const together = this.stacks.get(under);
    if (together) together.push(index);
    else this.stacks.set(under, [under, index]);
  }
}

/** A metre of the earth as one number: text of 100,000 places would take seconds. */
const spotOf = (longitude: number, latitude: number): number =>
  (Math.round(longitude * 1e5) + 18e6) * 2 ** 25 + Math.round(latitude * 1e5) + 9e6;

/** Which assets a filter shows, whatever their state. */
export function shownOf(state: LiveState, points: Points, filter: Filter): Uint8Array {
  const shown = new Uint8Array(state.serials.length);
  const words = filter.words.trim().toLowerCase();
  const wanted = new Map<string | null, boolean>();
  for (const kind of new Set(state.kinds)) {
    wanted.set(kind, !filter.hidden.includes(layerOf(kind)) && (filter.kinds.length === 0 || filter.kinds.includes(kind ?? "")));
  }
  for (let index = 0; index < shown.length; index += 1) {
    const fits =
      !Number.isNaN(points.x[index]!) && wanted.get(state.kinds[index]!) &&
      (filter.dmas.length === 0 || filter.dmas.includes(state.dmas[index] ?? "")) &&
      (!words || state.serials[index]!.toLowerCase().includes(words));
    shown[index] = fits ? 1 : 0;
  }
  return shown;
}

/** Indexes of what is shown, the worst first and by serial number: the order of the table. */
export function inOrder(states: Uint8Array, shown: Uint8Array, bytes: Uint8Array): number[] {
  const byRank: number[][] = Array.from({ length: 13 }, () => []);
  for (let index = 0; index < shown.length; index += 1) {
    const byte = states[index]!;
    if (shown[index] && bytes[byte]) byRank[rankOf(byte)]!.push(index);
  }
  return byRank.flat();
}

/** Those within `reach` of a place of the world, the worst first; for more than a few the nearest spot. */
export function near(points: Points, states: Uint8Array, shown: Uint8Array, bytes: Uint8Array, at: Point, reach: number): number[] {
  const found: { index: number; away: number }[] = [];
  for (let index = 0; index < shown.length; index += 1) {
    if (!shown[index] || !bytes[states[index]!]) continue;
    const away = Math.hypot(points.x[index]! - at.x, points.y[index]! - at.y);
    if (away <= reach) found.push({ index, away });
  }
  return found
    .sort((a, b) => rankOf(states[a.index]!) - rankOf(states[b.index]!) || a.away - b.away)
    .map(({ index }) => index);
}
