/** What a key opens: not needed for the first picture. */

export { default as Find } from "./Find.svelte";
export { default as KeyHelp } from "./KeyHelp.svelte";
