/** The colours for canvases, read from the style sheet once a theme; paper has a theme of its own. */

const NAMES = [
  "bg", "surface", "raised", "line", "band", "text", "muted", "proc", "trend", "ok", "stale", "focus",
  "p1", "p2", "p3", "p4", "p1-text", "p2-text", "p3-text", "p4-text",
] as const;
export type Token = (typeof NAMES)[number];

const kept = new Map<string, Record<Token, string>>();

const paper = matchMedia("print");
export const themeKey = (): string => `${document.documentElement.dataset.theme ?? "day"}${paper.matches ? " on paper" : ""}`;

export function tokens(): Record<Token, string> {
  const theme = themeKey();
  let found = kept.get(theme);
  if (!found) {
    const style = getComputedStyle(document.documentElement);
    found = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()])) as Record<Token, string>;
    kept.set(theme, found);
  }
  return found;
}
