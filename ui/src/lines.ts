/** The past of an asset, as `/api/monitoring/history` answers it, made ready for charts. */

interface Point {
  at: string;
  quality?: string;
  value_num?: number | null;
  mean?: number | null;
}
export interface HistorySeries {
  tag_code: string;
  unit: string | null;
  /** Whether the server left points out: it keeps the first and last of each of `points` / 4 slots. */
  downsampled: boolean;
  points: Point[];
}
export interface History {
  serial_number: string;
  bucket: string;
  from: string;
  to: string;
  series: HistorySeries[];
}
export interface Line {
  /** Milliseconds, rising. */
  times: number[];
  /** null is a gap. */
  values: (number | null)[];
  /** The values that the source does not vouch for; null elsewhere. */
  bad: (number | null)[];
}

const BUCKET_MS: Record<string, number> = { "5m": 300_000, hour: 3_600_000, day: 864e5, week: 6048e5 };

const POINTS_A_SLOT = 4;

/**
 * A tag as a line over the whole window, broken where nothing came for longer than `gapMs` or a bucket is
 * missing; null where the answer does not have it. Of a thinned series a gap within a slot is not seen.
 */
export function lineOf(history: History, tag: string, { gapMs, asked }: { gapMs: number; asked: number }): Line | null {
  const found = history.series.find(({ tag_code }) => tag_code === tag);
  if (!found) return null;
  const from = Date.parse(history.from);
  const to = Date.parse(history.to);
  const slotMs = found.downsampled ? (to - from) / Math.floor(asked / POINTS_A_SLOT) : 0;
  const bucketMs = BUCKET_MS[history.bucket];
  return within(broken(found.points, (bucketMs === undefined ? gapMs : bucketMs * 1.5) + slotMs), from, to);
}

/** Places of values with a gap on either side: no line goes through them. */
export const alone = (values: readonly (number | null)[]): number[] =>
  values.flatMap((each, place) => (each !== null && values[place - 1] == null && values[place + 1] == null ? [place] : []));

function broken(points: readonly Point[], longest: number): Line {
  const line: Line = { times: [], values: [], bad: [] };
  for (const { at, value_num, mean, quality } of points) {
    const time = Date.parse(at);
    const before = line.times.at(-1);
    if (before !== undefined && time - before > longest) {
      line.times.push(before + 1);
      line.values.push(null);
      line.bad.push(null);
    }
    const value = value_num ?? mean ?? null;
    line.times.push(time);
    line.values.push(value);
    line.bad.push(quality !== undefined && quality !== "GOOD" ? value : null);
  }
  return line;
}

/** The line over the whole of a window, open at both ends. */
function within({ times, values, bad }: Line, from: number, to: number): Line {
  const open = (all: (number | null)[]) => [null, ...all, null];
  return { times: [Math.min(from, (times[0] ?? to) - 1), ...times, Math.max(to, (times.at(-1) ?? from) + 1)], values: open(values), bad: open(bad) };
}
