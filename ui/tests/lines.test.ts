import { describe, expect, test } from "vitest";
import { alone, type History, lineOf } from "../src/lines";

const MINUTE = 60_000;
const from = Date.parse("2026-06-15T01:00:00Z");
const at = (minute: number) => new Date(from + minute * MINUTE).toISOString();
const history = (bucket: string, points: object[], downsampled = false): History => ({
  serial_number: "a", bucket, from: at(0), to: at(60),
  series: [{ tag_code: "FLOW", unit: null, downsampled, points: points as History["series"][number]["points"] }],
});
const values = (found: History, asked = 60) => lineOf(found, "FLOW", { gapMs: MINUTE, asked })!.values;

describe("a line", () => {
  test("is broken where nothing came for longer than the tag's limit", () =>
    expect(values(history("raw", [{ at: at(1), value_num: 1 }, { at: at(2), value_num: 2 }, { at: at(9), value_num: 3 }]))).toEqual([null, 1, 2, null, 3, null]));
  test("is broken where a bucket is missing", () =>
    expect(values(history("5m", [{ at: at(0), mean: 1 }, { at: at(5), mean: 2 }, { at: at(15), mean: 3 }]))).toEqual([null, 1, 2, null, 3, null]));
  test("of a thinned series is not broken within a slot", () =>
    expect(values(history("raw", [{ at: at(1), value_num: 1 }, { at: at(4), value_num: 2 }], true))).toEqual([null, 1, 2, null]));
  test("spans the whole window", () => {
    const { times } = lineOf(history("raw", [{ at: at(30), value_num: 1 }]), "FLOW", { gapMs: MINUTE, asked: 60 })!;
    expect([times[0], times.at(-1)]).toEqual([from, from + 60 * MINUTE]);
  });
  test("marks what the source does not vouch for", () => {
    const found = history("raw", [{ at: at(1), value_num: 1, quality: "BAD" }, { at: at(2), value_num: 2, quality: "GOOD" }]);
    expect(lineOf(found, "FLOW", { gapMs: MINUTE, asked: 60 })!.bad).toEqual([null, 1, null, null]);
  });
  test("of a tag that the answer does not have is none", () =>
    expect(lineOf(history("raw", []), "OTHER", { gapMs: MINUTE, asked: 60 })).toBeNull());
});

test("values between two gaps are alone, also at an end", () => expect(alone([5, null, 1, null, 2, 3, null, null, 4])).toEqual([0, 2, 8]));
