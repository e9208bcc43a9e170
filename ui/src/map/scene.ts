/** What stands still on the map: areas and pipes as paths, in metres from the middle of the plant. */

import { get } from "../api/client";
import { type Bounds, grown, NOWHERE, type Point, worldX, worldY } from "./projection";

/** Paths hold metres, not units of the world: a canvas reckons in Float32. */
export const METRES = 40_075_016;
const PATIENCE_MS = 60_000;

interface Feature<G, P> {
  geometry: G;
  properties: P;
}
interface Layer<G, P> {
  features: Feature<G, P>[];
  not_on_map: Missing;
}
type Ring = [longitude: number, latitude: number][];
type AreaGeometry = { type: "Polygon"; coordinates: Ring[] } | { type: "MultiPolygon"; coordinates: Ring[][] };
type AreaLayer = Layer<AreaGeometry, { dma_id: string; name: string | null }>;
type PipeLayer = Layer<{ type: "LineString"; coordinates: Ring }, { diameter_mm: number | null }>;

export interface Missing {
  count: number;
  items: { id: string; reason: string }[];
}
export interface Area {
  id: string;
  name: string;
  path: Path2D;
  bounds: Bounds;
}
export interface Pipes {
  path: Path2D;
  /** Pixels. */
  width: number;
}
export interface Areas {
  areas: Area[];
  /** Of what the paths are metres from, in units of the world. */
  origin: Point;
  bounds: Bounds;
}
export interface PipeNetwork {
  pipes: Pipes[];
  origin: Point;
  bounds: Bounds;
}

export const readAreas = async (signal: AbortSignal): Promise<Areas> =>
  areasOf(await get<AreaLayer>("/api/gis/dmas", { signal }));
export const readPipes = async (signal: AbortSignal): Promise<PipeNetwork> =>
  pipesOf(await get<PipeLayer>("/api/gis/pipes", { signal, timeoutMs: PATIENCE_MS }));
/** Assets that are listed, not drawn: a box with nothing in it answers them without the features. */
export const readMissing = async (signal: AbortSignal): Promise<Missing> =>
  (await get<Layer<unknown, unknown>>("/api/gis/assets", { signal, query: { bbox: "0,0,0,0" }, timeoutMs: PATIENCE_MS })).not_on_map;

export function areasOf({ features }: AreaLayer): Areas {
  const bounds = around(features.flatMap(({ geometry }) => ringsOf(geometry)));
  const origin = middleOf(bounds);
  return { bounds, origin, areas: features.map(({ geometry, properties }) => areaOf(geometry, properties, origin)) };
}

/** Pipes of like diameter are one path: the thicker, the wider. */
export function pipesOf({ features }: PipeLayer): PipeNetwork {
  const bounds = around(features.map(({ geometry }) => geometry.coordinates));
  const origin = middleOf(bounds);
  const paths = new Map<number, Path2D>();
  for (const { geometry, properties } of features) {
    const mm = properties.diameter_mm ?? 0;
    const width = mm >= 600 ? 3 : mm >= 300 ? 2 : 1;
    const path = paths.get(width) ?? new Path2D();
    paths.set(width, path);
    trace(path, geometry.coordinates, origin);
  }
  return { bounds, origin, pipes: [...paths].map(([width, path]) => ({ width, path })) };
}

function around(lines: readonly Ring[]): Bounds {
  let bounds = NOWHERE;
  for (const line of lines) for (const [longitude, latitude] of line) bounds = grown(bounds, worldX(longitude), worldY(latitude));
  return bounds;
}

const middleOf = ({ left, top, right, bottom }: Bounds): Point => ({ x: (left + right) / 2, y: (top + bottom) / 2 });

const ringsOf = (geometry: AreaGeometry): Ring[] =>
  geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat();

function areaOf(geometry: AreaGeometry, { dma_id, name }: { dma_id: string; name: string | null }, origin: Point): Area {
  const path = new Path2D();
  const rings = ringsOf(geometry);
  for (const ring of rings) {
    trace(path, ring, origin);
    path.closePath();
  }
  return { id: dma_id, name: name ?? dma_id, path, bounds: around(rings) };
}

function trace(path: Path2D, line: Ring, origin: Point): void {
  for (const [place, [longitude, latitude]] of line.entries()) {
    const x = (worldX(longitude) - origin.x) * METRES;
    const y = (worldY(latitude) - origin.y) * METRES;
    if (place === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
  }
}
