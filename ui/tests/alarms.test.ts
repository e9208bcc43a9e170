import { expect, test } from "vitest";
import type { Alarm } from "../src/live/frames";
import { countNew, newest, rowsOf } from "../src/pages/alarms/shown";

const alarm = (id: number, version = 1, more: Partial<Alarm> = {}) =>
  ({ id, version, state: "unacknowledged", cleared_at: null, held: null, ...more }) as Alarm;

test("rows keep the order in which they were taken, whatever the server lists", () => {
  const rows = rowsOf([alarm(1), alarm(2)], [alarm(3), alarm(2), alarm(1)], null);
  expect(rows.map(({ id }) => id)).toEqual([1, 2]);
});

test("a row shows the newest that is known of its alarm", () => {
  const open = new Map([[1, alarm(1, 3, { state: "acknowledged" })]]);
  expect(rowsOf([alarm(1)], [alarm(1, 2)], open)[0]!.state).toBe("acknowledged");
  expect(rowsOf([alarm(1)], [alarm(1, 4, { state: "returned" })], open)[0]!.state).toBe("returned");
});

test("an alarm that is neither open nor listed is over and keeps its row", () => {
  const rows = rowsOf([alarm(1), alarm(2)], [alarm(2)], new Map([[2, alarm(2)]]));
  expect(rows.map(({ over }) => over)).toEqual([true, false]);
});

test("before the live state is there nothing is called over", () => {
  expect(rowsOf([alarm(1)], [], null)[0]!.over).toBe(false);
});

test("alarms that came later are counted, not shown", () => {
  expect(countNew([alarm(1)], [alarm(3), alarm(1), alarm(2)])).toBe(2);
});

test("the newest of what is known of an alarm has the greatest version", () => {
  expect(newest(alarm(1, 2), undefined, alarm(1, 5), alarm(1, 4)).version).toBe(5);
});
