/** Names of areas on the map: above the upper edge, out of each other's way, never over an alarm. */

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
export interface Wanted {
  text: string;
  /** The area on the screen. */
  area: Box;
  width: number;
  height: number;
}
export interface Placed extends Box {
  text: string;
}

const GAP = 4;

const overlap = (a: Box, b: Box): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
const holds = (outer: Box, inner: Box): boolean =>
  inner.x >= outer.x && inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height;

/** Places what finds room, in the order given; the others are left out. */
export function placed(wanted: readonly Wanted[], obstacles: readonly Box[], screen: Box): Placed[] {
  const taken: Placed[] = [];
  for (const { text, area, width, height } of wanted) {
    const found = places(area, width, height).find(
      (each) => holds(screen, each) && !obstacles.some((other) => overlap(each, other)) && !taken.some((other) => overlap(each, other)),
    );
    if (found) taken.push({ text, ...found });
  }
  return taken;
}

function places(area: Box, width: number, height: number): Box[] {
  const middle = area.x + (area.width - width) / 2;
  const above = area.y - height - GAP;
  const below = area.y + area.height + GAP;
  return [[middle, above], [area.x, above], [area.x + area.width - width, above], [middle, below]].map(
    ([x, y]) => ({ x: x!, y: y!, width, height }),
  );
}
