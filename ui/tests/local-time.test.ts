import { expect, test } from "vitest";
import { instantOfLocal, localOf } from "../src/local-time";

test("a field shows the time of the plant", () => {
  expect(localOf("2026-11-26T18:45:10Z", "Asia/Kolkata")).toBe("2026-11-27T00:15");
  expect(localOf(null, "Asia/Kolkata")).toBe("");
});

test("what a field says is an instant of the plant", () => {
  expect(instantOfLocal("2026-11-27T00:15", "Asia/Kolkata")).toBe("2026-11-26T18:45:00.000Z");
  expect(instantOfLocal("2026-11-27T00:15", "UTC")).toBe("2026-11-27T00:15:00.000Z");
  expect(instantOfLocal("", "UTC")).toBeNull();
});

test("around a change of summer time the offset is that of the instant", () => {
  expect(instantOfLocal("2026-03-29T01:30", "Europe/Berlin")).toBe("2026-03-29T00:30:00.000Z");
  expect(instantOfLocal("2026-03-29T03:30", "Europe/Berlin")).toBe("2026-03-29T01:30:00.000Z");
});
