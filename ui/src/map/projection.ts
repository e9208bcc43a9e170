/** Web Mercator in Float64: the world is the unit square, x to the east, y to the south. */

export interface Point {
  x: number;
  y: number;
}
export interface Bounds {
  left: number;
  top: number;
  right: number;
  bottom: number;
}
/** What of the world is seen: its middle, and pixels a unit. */
export interface View extends Point {
  scale: number;
}
export interface Size {
  width: number;
  height: number;
}

/** Beyond it Web Mercator has no place. */
export const MAX_LATITUDE = 85.051128779806589;
const TILE = 256;
const LEAST_ZOOM = 2;
const MOST_ZOOM = 21;

export const worldX = (longitude: number): number => longitude / 360 + 0.5;
export function worldY(latitude: number): number {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}
export const longitudeOf = (x: number): number => (x - 0.5) * 360;
export const latitudeOf = (y: number): number => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
export const canBeDrawn = (longitude: number, latitude: number): boolean =>
  Math.abs(longitude) <= 180 && Math.abs(latitude) <= MAX_LATITUDE;

export const toScreen = ({ x, y }: Point, view: View, { width, height }: Size): Point => ({
  x: (x - view.x) * view.scale + width / 2,
  y: (y - view.y) * view.scale + height / 2,
});
export const toWorld = ({ x, y }: Point, view: View, { width, height }: Size): Point => ({
  x: (x - width / 2) / view.scale + view.x,
  y: (y - height / 2) / view.scale + view.y,
});

/** The view that shows all of the bounds with a margin of pixels. */
export function fit({ left, top, right, bottom }: Bounds, { width, height }: Size, margin = 28): View {
  const wide = Math.max(1, width - 2 * margin);
  const high = Math.max(1, height - 2 * margin);
  const scale = Math.min(wide / Math.max(right - left, 1e-9), high / Math.max(bottom - top, 1e-9));
  return { x: (left + right) / 2, y: (top + bottom) / 2, scale: within(scale) };
}

/** The view moved by pixels: what was right of the edge comes in where `right` is positive. */
export const panned = (view: View, right: number, down: number): View => ({
  ...view, x: view.x + right / view.scale, y: view.y + down / view.scale,
});

/** The view nearer by a factor; what lies at `at` of the screen stays there. */
export function zoomed(view: View, by: number, at: Point, size: Size): View {
  const fixed = toWorld(at, view, size);
  const scale = within(view.scale * by);
  return { x: fixed.x - (at.x - size.width / 2) / scale, y: fixed.y - (at.y - size.height / 2) / scale, scale };
}

const within = (scale: number): number =>
  Math.min(TILE * 2 ** MOST_ZOOM, Math.max(TILE * 2 ** LEAST_ZOOM, scale));

/** A view as a query has it: "77.21,28.64,11.5". */
export const viewText = (view: View): string =>
  `${longitudeOf(view.x).toFixed(5)},${latitudeOf(view.y).toFixed(5)},${Math.log2(view.scale / TILE).toFixed(2)}`;

/** The view of such a text; null where it is none. */
export function viewOf(text: string | null): View | null {
  const parts = (text ?? "").split(",").map((each) => (each.trim() === "" ? NaN : Number(each)));
  const [longitude, latitude, zoom] = parts as [number, number, number];
  if (parts.length !== 3 || !parts.every(Number.isFinite) || !canBeDrawn(longitude, latitude)) return null;
  return { x: worldX(longitude), y: worldY(latitude), scale: within(TILE * 2 ** zoom) };
}

export const NOWHERE: Bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
export const grown = (bounds: Bounds, x: number, y: number): Bounds => ({
  left: Math.min(bounds.left, x), top: Math.min(bounds.top, y),
  right: Math.max(bounds.right, x), bottom: Math.max(bounds.bottom, y),
});
export const united = (a: Bounds, b: Bounds): Bounds => ({
  left: Math.min(a.left, b.left), top: Math.min(a.top, b.top),
  right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom),
});
export const isSomewhere = ({ left, right }: Bounds): boolean => left <= right;
