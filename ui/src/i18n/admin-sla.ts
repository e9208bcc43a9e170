import { dictionary } from "./index.svelte";

/** Texts of the times of work orders. */
export const t = dictionary({
  en: {
    title: "Times by priority", hint: "For orders that are made or change priority from now on; those there are keep theirs.",
    saved: "Saved for priority {n}.", start: "Begun within, minutes", finish: "Done within, minutes",
  },
  hi: {
    title: "प्राथमिकता के अनुसार समय", hint: "अब से बनने वाले या प्राथमिकता बदलने वाले आदेशों के लिए; मौजूदा आदेश अपने समय रखते हैं।",
    saved: "प्राथमिकता {n} के लिए सहेजा गया।", start: "कितने मिनट में शुरू", finish: "कितने मिनट में पूर्ण",
  },
});
