import { expect, test } from "vitest";
import { byTag, placeOf, withRest } from "../src/pages/ingest/runs";

test("unmapped tags are counted by tag, the most frequent first, whatever serial numbers hold", () =>
  expect(byTag(["a\nX", "b\n2\nY", "c\nY"])).toEqual([["Y", ["b\n2", "c"]], ["X", ["a"]]]));

test("what is not measured of a run is mapping and writing", () =>
  expect(withRest({ list: 5, read: 90 }, 200)).toEqual([["list", 5], ["read", 90], ["map_and_write", 105]]));

test("a run without phases has none, not one that takes all", () => expect(withRest({}, 200)).toEqual([]));

test("phases that took longer than the run leave nothing", () =>
  expect(withRest({ read: 300 }, 200)).toEqual([["read", 300], ["map_and_write", 0]]));

test("a moment on the edge is in the part that begins there", () =>
  expect([placeOf(1000, 0, 500), placeOf(999, 0, 500)]).toEqual([2, 1]));
