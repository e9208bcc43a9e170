import type { Role } from "../../live/frames";

export const ROLES: Role[] = ["viewer", "operator", "engineer", "admin"];

/** Names of domains as somebody typed them, each once; null where none is named, which is all. */
export function namesIn(text: string): string[] | null {
  const names = [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
  return names.length ? names : null;
}
