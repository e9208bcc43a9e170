/** Day or night now, by the setting and the hour of the plant; paper is always by day. */

import { flushSync } from "svelte";
import { clock } from "./clock.svelte";
import { live } from "./live/index.svelte";
import { settings, themeAt } from "./settings.svelte";

const paper = matchMedia("print");
let printing = $state(paper.matches);
// At once: what is drawn on canvases is drawn anew before the sheet is taken.
paper.addEventListener("change", ({ matches }) => flushSync(() => (printing = matches)));

export const theme = {
  get now(): "day" | "night" {
    if (printing) return "day";
    if (settings.theme !== "schedule") return settings.theme;
    const hour = new Intl.DateTimeFormat("en-GB", { timeZone: live.zone, hour: "2-digit", hourCycle: "h23" });
    return themeAt(settings.theme, Number(hour.format(clock.now)));
  },
};
