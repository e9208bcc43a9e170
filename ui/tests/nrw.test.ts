import { expect, test } from "vitest";
import { areasOf, byDay, classOf, fitted } from "../src/pages/nrw/report";

test.each([[null, null], [0, 0], [14.9, 0], [15, 1], [49.9, 3], [50, 4], [120, 4], [-3, 0]])("NRW of %s % is of class %s", (percent, place) =>
  expect(classOf(percent)).toBe(place));

const SQUARE = { geometry: { type: "Polygon", coordinates: [[[77, 28], [77.1, 28], [77.1, 28.1], [77, 28.1], [77, 28]]] }, properties: { dma_id: "A", name: null } };

test("an area without a name is called by its id, one without a place is left out", () =>
  expect(areasOf([SQUARE, { ...SQUARE, geometry: null }]).map(({ name }) => name)).toEqual(["A"]));

test("areas fill the width, north is up", () => {
  const { drawn, height } = fitted(areasOf([SQUARE]), 500, 20);
  expect(drawn[0]!.path.startsWith("M20.0 ")).toBe(true);
  expect(drawn[0]!.x).toBeCloseTo(250);
  expect(height).toBeGreaterThan(500);
});

test("nothing to draw takes no room", () => expect(fitted([], 500)).toEqual({ height: 0, drawn: [] }));

test("a window over midnight belongs to both days", () => {
  const hourOf = (ms: number) => ({ day: String(Math.floor(ms / 864e5)), hour: (ms % 864e5) / 36e5 });
  expect([...byDay([{ start_s: 22 * 3600, end_s: 30 * 3600 }], hourOf)]).toEqual([["0", [[22, 24]]], ["1", [[0, 6]]]]);
});
