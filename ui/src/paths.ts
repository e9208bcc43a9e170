/** Paths with names in them: `/assets/:serial`. Serial numbers may hold `/ % ? #` and any letter. */

export type Params = Record<string, string>;

/** The named parts of a path that fits a pattern, decoded; null where it does not fit. */
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/");
  const given = path.replace(/\/$/, "").split("/");
  if (pattern === "/") return path === "/" ? {} : null;
  if (wanted.length !== given.length) return null;
  const params: Params = {};
  for (const [place, part] of wanted.entries()) {
    const found = given[place]!;
    if (!part.startsWith(":")) {
      if (part !== found) return null;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(found);
    } catch {
      return null;
    }
  }
  return params;
}

/** The address of an asset, pump, DMA …: every part is encoded. */
export const pathTo = (...parts: (string | number)[]): string =>
  "/" + parts.map((each) => encodeURIComponent(each)).join("/");
export const assetPath = (serial: string): string => pathTo("assets", serial);

/** A path of this dashboard to go to after a login; anything else leads to the overview. */
export const safeNext = (next: string | null): string =>
  next && /^\/(?![/\\])/.test(next) && !next.startsWith("/login") ? next : "/";
