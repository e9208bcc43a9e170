/** Formats in the person's language and zone. */

import { clock } from "./clock.svelte";
import * as formats from "./formats";
import { live } from "./live/index.svelte";
import { router } from "./router.svelte";
import { settings } from "./settings.svelte";

export const zone = (): string =>
  (router.query.get("tz") ?? (settings.zone === "utc" ? "utc" : "")) === "utc" ? "UTC" : live.zone;

export const numberWords = (value: number | null | undefined, decimals?: number): string =>
  formats.numberWords(value, settings.language, decimals);
export const countWords = (value: number | null | undefined): string =>
  formats.countWords(value, settings.language);
export const durationWords = (ms: number): string => formats.durationWords(ms, settings.language);

/** An instant (RFC 3339 or ms) with its zone, the day only where it is not today. */
export function instantWords(at: string | number | null | undefined, { seconds = true, day = false } = {}): string {
  const ms = typeof at === "number" ? at : formats.instantOf(at);
  return formats.instantWords(ms, {
    zone: zone(), language: settings.language, seconds, ...(!day && { today: clock.now }),
  });
}

/** How long ago by the server's clock; "–" where the instant is not known. */
export function ageWords(at: string | number | null | undefined): string {
  const ms = typeof at === "number" ? at : formats.instantOf(at);
  return Number.isFinite(ms) ? durationWords(clock.now - ms) : "–";
}
