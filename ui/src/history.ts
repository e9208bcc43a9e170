/** Reads the past of an asset. */

import { get } from "./api/client";
import type { History } from "./lines";

export interface Asked {
  tags?: readonly string[];
  from: number;
  to: number;
  bucket?: "raw" | "auto";
  points: number;
}

export const readHistory = (serial: string, { tags, from, to, bucket = "auto", points }: Asked, signal: AbortSignal): Promise<History> =>
  get("/api/monitoring/history", {
    signal,
    query: {
      serial_number: serial, tag_code: tags?.join(","), bucket, max_points: points,
      from: new Date(from).toISOString(), to: new Date(to).toISOString(),
    },
  });
