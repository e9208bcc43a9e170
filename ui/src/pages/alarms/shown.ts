/** The rows of the active alarms: they stay where they are; what is new waits until it is asked for. */

import type { Alarm } from "../../live/frames";

export interface Row extends Alarm {
  /** Whether it is over; the row stays until the list is taken anew. */
  over: boolean;
}

/** The state of an alarm that is known last. */
export const newest = (...known: (Alarm | undefined)[]): Alarm =>
  known.reduce((best, each) => (each && (!best || each.version > best.version) ? each : best))!;

/**
 * The rows in the order in which they were taken, as they are now.
 *
 * @param taken the alarms as they were taken
 * @param answer what the server said last of the same list
 * @param open all open alarms of the live state; null before there is one
 */
export function rowsOf(taken: readonly Alarm[], answer: readonly Alarm[], open: ReadonlyMap<number, Alarm> | null): Row[] {
  const answered = new Map(answer.map((each) => [each.id, each]));
  return taken.map((each) => {
    const now = newest(each, answered.get(each.id), open?.get(each.id));
    const gone = open !== null && !open.has(each.id) && !answered.has(each.id);
    return { ...now, over: now.cleared_at !== null || gone };
  });
}

/** How many alarms the server lists that were not there when the rows were taken. */
export function countNew(taken: readonly Alarm[], answer: readonly Alarm[]): number {
  const known = new Set(taken.map(({ id }) => id));
  return answer.filter(({ id }) => !known.has(id)).length;
}
