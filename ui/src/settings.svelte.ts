/** What a person has set, kept in this browser. */

import type { Language, Zone } from "./formats";

export const SCALES = [100, 125, 150] as const;
export const THEMES = ["day", "night", "schedule"] as const;

export interface Settings {
  language: Language;
  /** `schedule` is night from 19:00 to 06:00 of the plant. */
  theme: (typeof THEMES)[number];
  scale: (typeof SCALES)[number];
  sound: boolean;
  /** Whether single letters are keys (WCAG 2.1.4). */
  singleKeys: boolean;
  zone: Zone;
}

const KEY = "ic3.settings";
const DEFAULTS: Settings = {
  language: "en", theme: "day", scale: 100, sound: false, singleKeys: true, zone: "plant",
};

function kept(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export const settings = $state<Settings>(kept());

export function set<K extends keyof Settings>(name: K, value: Settings[K]): void {
  settings[name] = value;
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing forgets it with the page.
  }
}

/** Day or night at an hour of the plant. */
export function themeAt(theme: Settings["theme"], hour: number): "day" | "night" {
  if (theme !== "schedule") return theme;
  return hour >= 19 || hour < 6 ? "night" : "day";
}
