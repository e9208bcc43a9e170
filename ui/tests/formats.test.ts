import { describe, expect, test } from "vitest";
import { countWords, durationWords, instantWords, numberWords } from "../src/formats";
import { match, pathTo, safeNext } from "../src/paths";
import { moved, windowOf } from "../src/windows";

describe("numbers", () => {
  test.each([
    [1234567, undefined, "12,34,567"], [-4.5, 1, "−4.5"], [0.012345, undefined, "0.0123"], [38.246, undefined, "38.2"],
    [5.2, 2, "5.20"], [NaN, undefined, "–"], [null, undefined, "–"], [999.6, undefined, "1,000"], [-0.04, 1, "0.0"], [-0.05, 2, "−0.05"],
  ])("%s with %s decimals is %s", (value, decimals, words) => {
    expect(numberWords(value, "en", decimals)).toBe(words);
  });
  test("Hindi has the same digits", () => expect(countWords(1234567, "hi")).toBe("12,34,567"));
});

describe("ages", () => {
  test.each([
    [-5, "0 s"], [12_345, "12 s"], [83 * 60e3, "1 h 23 min"], [17 * 60e3, "17 min"], [2 * 36e5, "2 h"], [76 * 36e5, "3 d 4 h"],
  ])("%d ms is %s", (ms, words) => expect(durationWords(ms, "en")).toBe(words));
});

describe("instants", () => {
  const at = Date.parse("2026-06-15T02:43:49Z");
  test("carry their zone", () =>
    expect(instantWords(at, { zone: "Asia/Kolkata", language: "en", today: at })).toBe("08:13:49 IST"));
  test("carry their day where it is another", () =>
    expect(instantWords(at, { zone: "UTC", language: "en", today: at + 864e5 })).toBe("15 Jun 2026, 02:43:49 UTC"));
});

describe("paths", () => {
  test.each(["Patel Road_SV_92", "a/b", "50 %", "x?y#z", "नल-१", "..", "a\u202eb"])("%s comes through", (serial) =>
    expect(match("/assets/:serial", pathTo("assets", serial))).toEqual({ serial }));
  test("a path that cannot be decoded fits nothing", () => expect(match("/assets/:serial", "/assets/%zz")).toBeNull());
  test.each([
    ["/alarms?pri=1", "/alarms?pri=1"], ["//elsewhere", "/"], ["/\\elsewhere", "/"], ["https://x", "/"], [null, "/"], ["/login?next=/", "/"],
  ])("after the login %s leads to %s", (next, path) => expect(safeNext(next)).toBe(path));
});

describe("windows", () => {
  const now = Date.parse("2026-06-15T00:00:00Z");
  test("the last day where the query says none", () =>
    expect(windowOf(new URLSearchParams(), now)).toEqual({ from: now - 864e5, to: now }));
  test("ISO 8601 needs an offset", () =>
    expect(windowOf(new URLSearchParams("from=2026-06-14T00:00:00&to=now"), now).from).toBe(now - 864e5));
  test("a window that ends before it begins is the last day before its end", () =>
    expect(windowOf(new URLSearchParams("from=now&to=-1h"), now)).toEqual({ from: now - 25 * 36e5, to: now - 36e5 }));
  test("moving on stops at now", () =>
    expect(moved({ from: now - 4 * 36e5, to: now - 36e5 }, 1, now)).toEqual({
      from: "2026-06-14T21:00:00.000Z", to: "2026-06-15T00:00:00.000Z",
    }));
});
