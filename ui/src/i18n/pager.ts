import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: { count: "{n} in all", first: "First page", next: "Next page" },
  hi: { count: "कुल {n}", first: "पहला पृष्ठ", next: "अगला पृष्ठ" },
});
