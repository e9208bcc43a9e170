/** How often a plan makes an order, in words. */

import type { components } from "../../api";
import { t } from "../../i18n/plans";
import { countWords } from "../../words.svelte";

export type Plan = components["schemas"]["Plan"];

export function rhythmWords({ every, unit, tag_code: tag }: Plan): string {
  if (unit === null) return t("everyHours", { n: countWords(every), tag: tag ?? "–" });
  return every === 1 ? t(`each_${unit}`) : t(`every_${unit}`, { n: countWords(every) });
}
