/** A district's report as the server stores it, and what is drawn of it. */

import type { Answer } from "../../api/client";

export type Figures = Answer<"/api/ai/nrw", "get">["districts"][number];
export interface Volume {
  m3: number;
  band_m3: number;
}
export interface Balance {
  system_input: Volume;
  billed_authorised: Volume;
  unbilled_authorised: Volume;
  apparent_losses: Volume;
  nrw: Volume;
  water_losses: Volume;
  real_losses: Volume;
}
interface Figure {
  value: number;
  band: number;
}
export interface Night {
  /** Days since 1970. */
  day: number;
  start_s: number;
  inflow_m3_h: number | null;
  pressure_m: number | null;
  measured_share: number;
  fault: string;
}
export interface Report {
  start_s: number;
  end_s: number;
  balance: Balance | null;
  balance_reason: string;
  litres_connection_d: number | null;
  litres_connection_pressurised_d: number | null;
  supply: { windows: { start_s: number; end_s: number }[]; hours_a_day: number; regularity: number | null; usual: string; source: string };
  night: {
    night_use_m3_h: Figure;
    leakage_m3_h: Figure | null;
    night_day_factor_h: number | null;
    upper_bound_m3_h: number | null;
    shut_inflow_m3_h: number | null;
    nights: Night[];
    refusal: string;
  };
  carl_m3_d: number | null;
  carl_basis: string;
  gap_m3_d: number | null;
}

/** Ends of the classes of NRW %: a class is from one to the next. */
export const CLASSES = [15, 25, 35, 50] as const;

/** The class of a figure, from 0; null where it is not computed. */
export const classOf = (percent: number | null): number | null =>
  percent === null ? null : CLASSES.filter((end) => percent >= end).length;

type Ring = readonly (readonly number[])[];
export interface Area {
  id: string;
  name: string;
  rings: Ring[];
}
interface Feature {
  geometry: { type: string; coordinates: unknown } | null;
  properties: { dma_id: string; name: string | null };
}

/** Areas with a place: the rings of polygons, as they come. */
export function areasOf(features: readonly Feature[]): Area[] {
  return features.flatMap(({ geometry, properties }) => {
    const rings =
      geometry?.type === "Polygon" ? (geometry.coordinates as Ring[])
      : geometry?.type === "MultiPolygon" ? (geometry.coordinates as Ring[][]).flat()
      : [];
    return rings.length ? [{ id: properties.dma_id, name: properties.name ?? properties.dma_id, rings }] : [];
  });
}

export interface Drawn {
  id: string;
  name: string;
  path: string;
  x: number;
  y: number;
}

/** Areas fitted into a width, north up; the middle of each is where its label stands. */
export function fitted(areas: readonly Area[], width: number, pad = 24): { height: number; drawn: Drawn[] } {
  const points = areas.flatMap(({ rings }) => rings.flat());
  if (points.length === 0) return { height: 0, drawn: [] };
  const west = Math.min(...points.map(([lon]) => lon!));
  const east = Math.max(...points.map(([lon]) => lon!));
  const south = Math.min(...points.map(([, lat]) => lat!));
  const north = Math.max(...points.map(([, lat]) => lat!));
  const flat = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = (width - 2 * pad) / ((east - west) * flat || 1);
  const x = (lon: number) => pad + (lon - west) * flat * scale;
  const y = (lat: number) => pad + (north - lat) * scale;
  const drawn = areas.map(({ id, name, rings }) => {
    const path = rings.map((ring) => ring.map(([lon, lat], place) => `${place ? "L" : "M"}${x(lon!).toFixed(1)} ${y(lat!).toFixed(1)}`).join("") + "Z").join("");
    const all = rings.flat();
    const middle = (values: number[]) => (Math.min(...values) + Math.max(...values)) / 2;
    return { id, name, path, x: middle(all.map(([lon]) => x(lon!))), y: middle(all.map(([, lat]) => y(lat!))) };
  });
  return { height: 2 * pad + (north - south) * scale, drawn };
}

/** Supply windows cut at the midnights of a zone, as parts of a day from 0 to 24 hours. */
export function byDay(
  windows: readonly { start_s: number; end_s: number }[],
  hourOf: (ms: number) => { day: string; hour: number },
): Map<string, [from: number, to: number][]> {
  const found = new Map<string, [number, number][]>();
  for (const { start_s, end_s } of windows) {
    let at = start_s;
    while (at < end_s) {
      const { day, hour } = hourOf(at * 1000);
      const until = Math.min(end_s, at + (24 - hour) * 3600);
      found.set(day, [...(found.get(day) ?? []), [hour, hour + (until - at) / 3600]]);
      at = until;
    }
  }
  return found;
}
