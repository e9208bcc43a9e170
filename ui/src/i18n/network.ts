import { dictionary } from "./index.svelte";

/** Texts around the map on the overview. */
export const t = dictionary({
  en: {
    map: "Network", openMap: "Open the map",
  },
  hi: {
    map: "नेटवर्क", openMap: "मानचित्र खोलें",
  },
});
