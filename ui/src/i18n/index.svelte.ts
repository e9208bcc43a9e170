/** Texts in every language: one flat dictionary a page, a missing key is a compile error. */

import { settings } from "../settings.svelte";

export type Texts<K extends string> = Record<K, string>;
export type Values = Record<string, string | number>;

// For tests: every text 40 % longer, so that what does not fit is seen.
const pseudo = new URLSearchParams(location.search).has("pseudo");

/** The texts of a page or part; `{name}` in a text is replaced by the value of that name. */
export function dictionary<K extends string>(texts: {
  en: Texts<K>;
  hi: Texts<NoInfer<K>>;
}): (key: K, values?: Values) => string {
  return (key, values) => {
    const text = texts[settings.language][key];
    const filled = values ? text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? "–")) : text;
    return pseudo ? `[${filled}${"~".repeat(Math.ceil(filled.length * 0.4))}]` : filled;
  };
}
