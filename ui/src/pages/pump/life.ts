/** Remaining life and reference of a pump in words. */

import { t } from "../../i18n/pumps";
import { countWords } from "../../words.svelte";
import type { Figures } from "./assessment";

/** The interval; "" where it is not computed. */
export function lifeWords({ low_days: low, high_days: high }: Figures["trend"]["life"]): string {
  if (low === null) return "";
  const begin = t("days", { n: countWords(low) });
  return high === null ? t("lifeBeyond", { low: begin }) : t("lifeSpan", { low: begin, high: t("days", { n: countWords(high) }) });
}

/** How far the pump's own reference is: learning, or learned. */
export function learningWords({ reference, provisional, trend }: Figures): string {
  const days = Number(/\d+/.exec(reference)?.[0] ?? Math.max(0, ...trend.wear.map((each) => each.baseline_days)));
  if (!reference) return t("noReference");
  return t(provisional ? "learn" : "whole", { n: countWords(days) });
}
