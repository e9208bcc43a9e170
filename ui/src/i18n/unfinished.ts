import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: { words: "This page is being built. Nothing is shown here yet." },
  hi: { words: "यह पृष्ठ बनाया जा रहा है। यहाँ अभी कुछ नहीं दिखता।" },
});
