/** Values that a map is drawn by: five classes of dots, the larger the more. */

import { type Answer, get } from "../api/client";
import { live } from "../live/index.svelte";
import { loaded } from "../loaded.svelte";
import { router } from "../router.svelte";
import { classesOf } from "./classes";

export const FIGURES = ["state", "pressure", "flow", "health", "age"] as const;
export type Figure = (typeof FIGURES)[number];
export type Values = Answer<"/api/gis/values", "get">;
export const STEP_MS = 300_000;

export const figureOf = (query: URLSearchParams): Figure => FIGURES.find((each) => each === query.get("by")) ?? "state";

/** The instant the map shows; null is now. */
export function momentOfMap(query: URLSearchParams): number | null {
  const at = Date.parse(query.get("at") ?? "");
  return Number.isNaN(at) ? null : at;
}

/** Reads what the query asks for; nothing where the map is drawn by state. */
export function loadedValues() {
  const by = $derived(figureOf(router.query));
  const at = $derived(momentOfMap(router.query));
  const read = loaded(
    async (signal): Promise<Values | null> =>
      by === "state"
        ? null
        : get<Values>("/api/gis/values", { signal, query: { by, at: at === null ? null : new Date(at).toISOString() }, timeoutMs: 60_000 }),
    { everyMs: 15_000 },
  );
  const list = $derived((void live.rev, live.state.listVersion));
  // Only an answer to what is asked for now: another figure's classes must not be drawn under its name.
  const values = $derived(read.data?.by === by ? read.data : null);
  const classes = $derived((void list, values && classesOf(live.state.serials, values)));
  return {
    read,
    get values() {
      return values;
    },
    get classes() {
      return classes;
    },
  };
}
