import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    filters: "Filters", any: "Any", several: "Several: {values}", search: "Search", priority: "Priority", clear: "Clear the filters",
    domain: "Domain", dma: "DMA", window: "Window of time",
  },
  hi: {
    filters: "फ़िल्टर", any: "कोई भी", several: "कई: {values}", search: "खोजें", priority: "प्राथमिकता", clear: "फ़िल्टर हटाएँ",
    domain: "क्षेत्र", dma: "DMA", window: "समय अवधि",
  },
});
