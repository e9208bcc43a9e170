/** Keys: single letters never fire in a field and can be switched off; `g` and a letter goes to a page. */

import { untrack } from "svelte";
import { settings } from "./settings.svelte";

export interface Key {
  /** As KeyboardEvent.key has it, or `g o` for a sequence, or `Ctrl+k`. */
  key: string;
  words: () => string;
  run: () => void;
}

const SEQUENCE_MS = 1500;
let all = $state.raw<Key[]>([]);
let goesUntil = 0;

/** Adds keys while a component is there: `$effect(() => useKeys([...]))`. */
export function useKeys(keys: Key[]): () => void {
  // An effect that adds keys does not depend on what keys there are.
  untrack(() => (all = [...keys, ...all]));
  return () => {
    all = all.filter((each) => !keys.includes(each));
  };
}

export const keyHelp = {
  /** What is to be had now, the nearest first; a key of a page hides the same one of the shell. */
  get keys(): Key[] {
    return all.filter((each, place) => all.findIndex((other) => other.key === each.key) === place);
  },
};

export function startKeys(): void {
  addEventListener("keydown", (event) => {
    const found = wanted(event);
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}

function wanted(event: KeyboardEvent): Key | undefined {
  if (event.altKey || event.metaKey || event.isComposing) return undefined;
  if (event.ctrlKey) return all.find((each) => each.key === `Ctrl+${event.key.toLowerCase()}`);
  const single = event.key.length === 1;
  if (inField(event.target) || document.querySelector("dialog[open]")) return undefined;
  if (single && !settings.singleKeys) return undefined;
  const isSecond = event.timeStamp < goesUntil;
  goesUntil = event.key === "g" && !isSecond ? event.timeStamp + SEQUENCE_MS : 0;
  return all.find((each) => each.key === (isSecond ? `g ${event.key}` : event.key));
}

const inField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
