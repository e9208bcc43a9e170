/** Evidence of a finding as lines to read: what is nested is named by its way, what is long is left out. */

const MOST = 40;

export function linesOf(evidence: unknown, way = ""): [name: string, value: number | string | boolean | null][] {
  if (evidence === null || typeof evidence !== "object") return [[way || "–", evidence as number | string | boolean | null]];
  const entries = Array.isArray(evidence)
    ? evidence.map((each, place) => [String((each as { name?: unknown } | null)?.name ?? place + 1), each] as const)
    : Object.entries(evidence);
  return entries
    .filter(([name]) => name !== "name")
    .flatMap(([name, value]) => linesOf(value, way ? `${way} · ${name.replaceAll("_", " ")}` : name.replaceAll("_", " ")))
    .slice(0, MOST);
}
