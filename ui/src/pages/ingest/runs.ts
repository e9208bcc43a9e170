/** What the ingest page makes of runs: nothing here asks the server. */

/** Tags that no parameter is mapped to, with the assets that sent them: most assets first. */
export function byTag(unmapped: readonly string[]): [tag: string, serials: string[]][] {
  const found = new Map<string, string[]>();
  for (const each of unmapped) {
    // A serial number may hold anything, a tag no line feed.
    const end = each.lastIndexOf("\n");
    const tag = each.slice(end + 1);
    found.set(tag, [...(found.get(tag) ?? []), each.slice(0, Math.max(0, end))]);
  }
  return [...found].sort(([a, first], [b, second]) => second.length - first.length || a.localeCompare(b));
}

/** Phases with what is left of the whole: mapping and writing, which are not measured apart. */
export function withRest(phases: Record<string, number>, wholeMs: number): [phase: string, ms: number][] {
  const known = Object.entries(phases).filter(([, ms]) => Number.isFinite(ms));
  if (known.length === 0 || "map_and_write" in phases) return known;
  const rest = wholeMs - known.reduce((sum, [, ms]) => sum + ms, 0);
  return [...known, ["map_and_write", Math.max(0, rest)]];
}

/** Which of the evenly long parts of a span a moment is in. */
export const placeOf = (at: number, from: number, partMs: number): number => Math.floor((at - from) / partMs + 1e-9);
