/** The time window of a view as its query says it: `from=-24h&to=now`, or ISO 8601 with offset. */

const STEP_MS: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 };

/** An end of a window, as milliseconds since 1970; null where it cannot be read. */
export function momentOf(text: string, now: number): number | null {
  if (text === "now") return now;
  const relative = /^([+-])(\d{1,6})([smhdw])$/.exec(text);
  if (relative) {
    const [, sign, count, unit] = relative;
    return now + (sign === "-" ? -1 : 1) * Number(count) * (STEP_MS[unit!] as number);
  }
  // Without an offset it would be read in the zone of this PC.
  if (!/(Z|[+-]\d\d:\d\d)$/i.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

export interface Window {
  from: number;
  to: number;
}

/** The window of a query; the last `hours` where it says none that makes sense. */
export function windowOf(query: URLSearchParams, now: number, hours = 24): Window {
  const to = momentOf(query.get("to") ?? "now", now) ?? now;
  const from = momentOf(query.get("from") ?? `-${hours}h`, now) ?? to - hours * 36e5;
  return from < to ? { from, to } : { from: to - hours * 36e5, to };
}

/** The window moved by half of itself: what `[` and `]` do. */
export function moved({ from, to }: Window, direction: -1 | 1, now: number): { from: string; to: string } {
  const by = Math.min((direction * (to - from)) / 2, now - to);
  return { from: new Date(from + by).toISOString(), to: new Date(to + by).toISOString() };
}
