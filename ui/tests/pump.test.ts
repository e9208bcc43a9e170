import { expect, test } from "vitest";
import { linesOf } from "../src/parts/evidence";
import { curvePoints, roundStep } from "../src/pages/pump/assessment";

const CURVE = { nominal_rpm: 1480, head0_m: 40, head_fall: 0.0004, lowest_flow_m3_h: 50, highest_flow_m3_h: 250, days: 30 };

test("a curve begins at shut-off head and ends where the head does", () => {
  const points = curvePoints(CURVE, 1000);
  expect(points[0]).toEqual([0, 40]);
  expect(points.at(-1)![0]).toBeCloseTo(Math.sqrt(40 / 0.0004));
  expect(points.at(-1)![1]).toBeCloseTo(0);
});

test("a curve goes no further than asked", () => expect(curvePoints(CURVE, 100).at(-1)).toEqual([100, 36]));

test.each([[100, 5, 20], [360, 6, 100], [0.9, 5, 0.2], [0, 5, 1]])("%d in %d parts is cut every %d", (span, most, step) =>
  expect(roundStep(span, most)).toBeCloseTo(step));

test("evidence is named by its way and by the names in it", () =>
  expect(linesOf({ worst: "x", sub_score: { value: 3, inputs: [{ name: "flow", value: 5 }] }, none: null })).toEqual([
    ["worst", "x"], ["sub score · value", 3], ["sub score · inputs · flow · value", 5], ["none", null],
  ]));
