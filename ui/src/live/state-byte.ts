/** The state of an asset in one byte, as the server sets it. */

export type Priority = 0 | 1 | 2 | 3 | 4;
export const LIVES = ["fresh", "stale", "unreachable", "vanished", "clock_wrong", "never_seen"] as const;
export type Life = (typeof LIVES)[number];

/** Worst active priority; 0 where there is none. */
export const priorityOf = (byte: number) => (byte & 7) as Priority;
export const lifeOf = (byte: number): Life => LIVES[(byte >> 3) & 7] ?? "never_seen";
export const isFresh = (byte: number) => (byte & 0b111000) === 0;
export const isBad = (byte: number) => (byte & 64) !== 0;
export const isUnacknowledged = (byte: number) => (byte & 128) !== 0;
