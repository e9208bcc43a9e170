import { describe, expect, test } from "vitest";
import { LiveState } from "../src/live/state";
import { classesOf, NO_CLASS } from "../src/map/classes";
import { placed } from "../src/map/labels";
import { ALL, bytesOf, inOrder, layerOf, near, Points, rankOf, shownOf } from "../src/map/points";
import { fit, isSomewhere, latitudeOf, longitudeOf, NOWHERE, panned, toScreen, toWorld, united, viewOf, viewText, worldX, worldY, zoomed } from "../src/map/projection";
import { filterOf } from "../src/map/query";

const size = { width: 800, height: 600 };
const delhi = { x: worldX(77.21), y: worldY(28.64) };

describe("projection", () => {
  test("a place comes back from the world", () => {
    expect(longitudeOf(worldX(77.21))).toBeCloseTo(77.21, 10);
    expect(latitudeOf(worldY(28.64))).toBeCloseTo(28.64, 10);
  });
  test("a view shows all of its bounds inside of the margin", () => {
    const bounds = { left: 0.7, top: 0.4, right: 0.71, bottom: 0.42 };
    const view = fit(bounds, size, 20);
    const corner = toScreen({ x: bounds.left, y: bounds.top }, view, size);
    const other = toScreen({ x: bounds.right, y: bounds.bottom }, view, size);
    expect(corner.y).toBeCloseTo(20, 6);
    expect(other.y).toBeCloseTo(580, 6);
    expect(corner.x).toBeGreaterThanOrEqual(20);
    expect(other.x).toBeLessThanOrEqual(780);
  });
  test("one place alone can be fitted", () =>
    expect(fit({ left: 0.7, top: 0.4, right: 0.7, bottom: 0.4 }, size).scale).toBeGreaterThan(0));
  test("zooming keeps what is under the pointer", () => {
    const view = { ...delhi, scale: 1e6 };
    const at = { x: 700, y: 100 };
    const under = toWorld(at, view, size);
    const moved = toScreen(under, zoomed(view, 2, at, size), size);
    expect(moved.x).toBeCloseTo(at.x, 5);
    expect(moved.y).toBeCloseTo(at.y, 5);
  });
  test("panning by pixels moves what is seen by as many", () => {
    const view = { ...delhi, scale: 1e6 };
    expect(toScreen(delhi, panned(view, 80, -40), size)).toEqual({ x: expect.closeTo(320, 4), y: expect.closeTo(340, 4) });
  });
  test("a view comes back from the address", () => {
    const view = viewOf(viewText({ ...delhi, scale: 256 * 2 ** 12.5 }))!;
    expect(view.scale).toBeCloseTo(256 * 2 ** 12.5, 0);
    expect(view.x).toBeCloseTo(delhi.x, 7);
  });
  test.each([null, "", "77,28", "a,b,c", "77,,3", "777,28,3", "77,89,3"])("%s is no view", (text) => expect(viewOf(text)).toBeNull());
});

describe("points", () => {
  const live = new LiveState();
  live.take({
    op: "snapshot", seq: 1, t: 0, epoch: 1, alarms: [], runs: [],
    assets: [
      [0, "fresh", "sluice valve", "A", 77.2, 28.6, 0], [1, "acknowledged critical", "pump", "A", 77.2, 28.6, 1],
      [2, "waiting low", "pump", "B", 77.3, 28.6, 4 | 128], [3, "stale", "bulk flow meter", "B", 77.4, 28.6, 8],
      [4, "no place", "pump", "B", null, null, 0], [5, "off the world", "pump", "B", 777, 28.6, 0],
      [6, "outside", "pump", "B", 12, 28.6, 0], [7, "never", null, null, 77.5, 28.6, 40 | 64],
    ],
  });
  const points = new Points(live, new Set(["outside"]));
  const all = bytesOf([]);
  const names = (indexes: number[]) => indexes.map((index) => live.serials[index]);

  test("what cannot be drawn is listed", () => expect(names(points.placeless)).toEqual(["no place", "off the world", "outside"]));
  test("those on one spot are known", () => expect([...points.stacks]).toEqual([[0, [0, 1]]]));
  test("the table begins with what waits", () =>
    expect(names(inOrder(live.states, shownOf(live, points, ALL), all))).toEqual(["waiting low", "acknowledged critical", "stale", "fresh", "never"]));
  test("picking gives the worst of a spot first", () =>
    expect(names(near(points, live.states, shownOf(live, points, ALL), all, { x: worldX(77.2), y: worldY(28.6) }, 1e-5))).toEqual(["acknowledged critical", "fresh"]));
  test("what is filtered away cannot be picked", () =>
    expect(near(points, live.states, shownOf(live, points, { ...ALL, dmas: ["B"] }), all, { x: worldX(77.2), y: worldY(28.6) }, 1e-5)).toEqual([]));
  test("layers, words, kinds and states filter together", () => {
    const filter = filterOf(new URLSearchParams("q=WAIT&kind=pump&dma=B&state=alarm&hide=valves&state=nonsense"));
    expect(names(inOrder(live.states, shownOf(live, points, filter), bytesOf(filter.conditions)))).toEqual(["waiting low"]);
  });
  test("never seen is neither stale nor of bad quality", () => {
    expect(bytesOf(["stale", "bad"])[40 | 64]).toBe(0);
    expect(bytesOf(["never"])[40 | 64]).toBe(1);
  });
  test("a stale alarm comes before all that has none", () => expect(rankOf(3 | 8)).toBeLessThan(rankOf(8)));
  test.each([["sluice valve", "valves"], ["pump", "pumps"], ["pressure transmitter", "meters"], ["LT panel", "others"], [null, "others"]])(
    "%s belongs to %s", (kind, layer) => expect(layerOf(kind)).toBe(layer));
});

describe("classes", () => {
  const classed = { edges: [2, 4, 8], values: { low: 1, edge: 4, high: 99 } };
  test("are told by how many edges a value reaches; without a value there is none", () =>
    expect([...classesOf(["low", "edge", "high", "none"], classed)]).toEqual([0, 2, 3, NO_CLASS]));
  test("an asset named like a property of every object has no value", () =>
    expect([...classesOf(["constructor", "__proto__"], classed)]).toEqual([NO_CLASS, NO_CLASS]));
});

describe("labels", () => {
  const screen = { x: 0, y: 0, width: 400, height: 300 };
  const area = { x: 100, y: 100, width: 80, height: 40 };
  const label = { text: "DMA 1", area, width: 60, height: 16 };
  test("stand above the upper edge of their area", () => {
    const [found] = placed([label], [], screen);
    expect(found!.y + found!.height).toBeLessThanOrEqual(area.y);
  });
  test("give way to an alarm", () => {
    const [found] = placed([label], [{ x: 90, y: 80, width: 100, height: 20 }], screen);
    expect(found!.y).toBeGreaterThan(area.y + area.height);
  });
  test("that find no room are left out", () =>
    expect(placed([label], [{ x: 0, y: 0, width: 400, height: 300 }], screen)).toEqual([]));
  test("never lie on each other", () => {
    const both = placed([label, { ...label, text: "DMA 2" }], [], screen);
    expect(both).toHaveLength(2);
    expect(both[0]!.y).not.toBe(both[1]!.y);
  });
  test("outside of the screen are left out", () => expect(placed([{ ...label, area: { ...area, x: 900 } }], [], screen)).toEqual([]));
});

describe("bounds", () => {
  const some = { left: 0.1, top: 0.2, right: 0.3, bottom: 0.4 };
  test("are not widened by what is nowhere", () => {
    expect(united(some, NOWHERE)).toEqual(some);
    expect(united(NOWHERE, some)).toEqual(some);
    expect(isSomewhere(united(NOWHERE, NOWHERE))).toBe(false);
  });
});
