/** Numbers, ages and instants as people read them: one format everywhere. */

export type Language = "en" | "hi";
export type Zone = "plant" | "utc";

const LOCALES: Record<Language, string> = { en: "en-IN-u-nu-latn", hi: "hi-IN-u-nu-latn" };
const UNITS: Record<Language, [s: string, min: string, h: string, d: string]> = {
  en: ["s", "min", "h", "d"],
  hi: ["से", "मि", "घं", "दिन"],
};
// Formatters are slow to make and asked for on every update.
const formatters = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

function kept<F extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: () => F): F {
  let found = formatters.get(key) as F | undefined;
  if (found === undefined) formatters.set(key, (found = make()));
  return found;
}

/** A figure with Indian grouping and a true minus; "–" where there is none. Without `decimals` it has three significant digits. */
export function numberWords(value: number | null | undefined, language: Language, decimals?: number): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const options: Intl.NumberFormatOptions =
    decimals === undefined
      ? Math.abs(value) >= 1000
        ? { maximumFractionDigits: 0 }
        : { maximumSignificantDigits: 3 }
      : { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  const format = kept(
    `n${language}${JSON.stringify(options)}`,
    () => new Intl.NumberFormat(LOCALES[language], options),
  );
  // What rounds to zero has no sign.
  return format.format(value).replace(/^-(?=[0.,]*$)/, "").replace("-", "\u2212");
}

/** A unit as people write it; the register has it in ASCII. */
export const unitWords = (unit: string | null | undefined): string =>
  (unit ?? "").replace(/m3/g, "m³").replace(/m2/g, "m²").replace(/^deg/, "°");

/** A count: whole, grouped. */
export const countWords = (value: number | null | undefined, language: Language) =>
  numberWords(value, language, 0);

/** A duration in at most two units: "12 s", "17 min", "1 h 23 min", "3 d 4 h". */
export function durationWords(ms: number, language: Language): string {
  const [s, min, h, d] = UNITS[language];
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} ${s}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} ${min}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 ? `${hours} ${h} ${minutes % 60} ${min}` : `${hours} ${h}`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} ${d} ${hours % 24} ${h}` : `${days} ${d}`;
}

/** The short name of a zone as it is printed at each instant: "IST", "UTC". */
export function zoneWords(zone: string, at = 0): string {
  if (zone === "UTC") return "UTC";
  if (zone === "Asia/Kolkata") return "IST";
  const format = kept(
    `z${zone}`,
    () => new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "shortOffset" }),
  );
  const parts = (format as Intl.DateTimeFormat).formatToParts(at);
  return parts.find((each) => each.type === "timeZoneName")?.value ?? zone;
}

/** An instant with its zone; the day is left out where it is that of `today`. */
export function instantWords(
  at: number,
  { zone, language, today, seconds = true }: { zone: string; language: Language; today?: number; seconds?: boolean },
): string {
  if (!Number.isFinite(at)) return "–";
  const day = dayWords(at, { zone, language });
  const time = `${clockWords(at, { zone, seconds })} ${zoneWords(zone, at)}`;
  return today !== undefined && day === dayWords(today, { zone, language }) ? time : `${day}, ${time}`;
}

/** The time of day in a zone, without its name. */
export const clockWords = (at: number, { zone, seconds = true }: { zone: string; seconds?: boolean }): string =>
  kept(
    `c${zone}${seconds}`,
    () =>
      new Intl.DateTimeFormat("en-GB", {
        timeZone: zone, hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }),
      }),
  ).format(at);

/** The day of an instant in a zone. */
export function dayWords(at: number, { zone, language }: { zone: string; language: Language }): string {
  return kept(
    `d${zone}${language}`,
    () =>
      new Intl.DateTimeFormat(language === "hi" ? "hi-IN-u-nu-latn" : "en-GB", {
        timeZone: zone, day: "numeric", month: "short", year: "numeric",
      }),
  ).format(at);
}

/** Milliseconds since 1970 of RFC 3339 text; NaN where it is none. */
export const instantOf = (text: string | null | undefined): number => (text ? Date.parse(text) : NaN);
