/** A pump's assessment as the server stores it, and what is drawn of it. */

import type { Answer } from "../../api/client";

export type Figures = Answer<"/api/ai/pump-health", "get">["pumps"][number];

export interface SubScore {
  name: string;
  group: string;
  unit: string;
  score: number | null;
  value: number | null;
  inputs: { name: string; value: number; unit: string }[];
  limit: { at_100: number; at_60: number; at_20: number; unit: string; source: string; verify: boolean } | null;
  reason: string;
  samples: number;
}
export interface OperatingPoint {
  flow_m3_h: number;
  head_m: number | null;
  power_kw: number | null;
  speed_rpm: number | null;
  efficiency: number | null;
  nominal_flow_m3_h: number | null;
  nominal_head_m: number | null;
  reference_head_m: number | null;
  best_flow_m3_h: number | null;
  of_best: number | null;
}
export interface Curve {
  nominal_rpm: number;
  head0_m: number;
  head_fall: number;
  lowest_flow_m3_h: number;
  highest_flow_m3_h: number | null;
  days: number;
}
export interface Assessment {
  sub_scores: SubScore[];
  signs: { name: string; sentence: string; advice: string }[];
  worst: string;
  recommendations: string[];
  operating_point: OperatingPoint | null;
  /** Absent in an assessment of an earlier version. */
  curve?: Curve | null;
}

/** Points of H(Q) = H0 - a·Q² from no flow to beyond what is known, as far as the head is above zero. */
export function curvePoints({ head0_m, head_fall }: Curve, highest: number, count = 40): [flow: number, head: number][] {
  const end = head_fall > 0 ? Math.min(highest, Math.sqrt(head0_m / head_fall)) : highest;
  return Array.from({ length: count + 1 }, (_, place) => {
    const flow = (end * place) / count;
    return [flow, head0_m - head_fall * flow * flow];
  });
}

/** A round step that cuts a span into at most so many parts: 1, 2 or 5 times a power of ten. */
export function roundStep(span: number, most: number): number {
  if (!(span > 0)) return 1;
  const least = span / most;
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((each) => each * power >= least * (1 - 1e-9)) ?? 10) * power;
}
