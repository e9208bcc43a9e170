import { dictionary } from "./index.svelte";

export const t = dictionary({
  en: {
    title: "New work order", of: "Of", what: "What is to be done", description: "Description", priority: "Priority",
    draftHint: "It begins as a draft, which an engineer opens.", make: "Make it", cancel: "Cancel", failed: "Not made: {why}",
    made: "Work order {id} is made.", open: "Open work order {id}", close: "Close",
  },
  hi: {
    title: "नया कार्य आदेश", of: "किसका", what: "क्या करना है", description: "विवरण", priority: "प्राथमिकता",
    draftHint: "यह मसौदे के रूप में शुरू होता है, जिसे अभियंता खोलता है।", make: "बनाएँ", cancel: "रद्द करें", failed: "नहीं बना: {why}",
    made: "कार्य आदेश {id} बना।", open: "कार्य आदेश {id} खोलें", close: "बंद करें",
  },
});
