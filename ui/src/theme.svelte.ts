/** Day or night now, by the setting and the hour of the plant. */

import { clock } from "./clock.svelte";
import { live } from "./live/index.svelte";
import { settings, themeAt } from "./settings.svelte";

export const theme = {
  get now(): "day" | "night" {
    if (settings.theme !== "schedule") return settings.theme;
    const hour = new Intl.DateTimeFormat("en-GB", { timeZone: live.zone, hour: "2-digit", hourCycle: "h23" });
    return themeAt(settings.theme, Number(hour.format(clock.now)));
  },
};
