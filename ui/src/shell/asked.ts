/** What is not needed for the first picture. */

export { default as Expired } from "./Expired.svelte";
export { default as KeyHelp } from "./KeyHelp.svelte";
