/** The domains and district areas there are, for filters. */

import { type Answer, get } from "./api/client";
import { loaded } from "./loaded.svelte";

interface Option {
  value: string;
  words: string;
}

/** To be called while a component is being made. */
export function loadedPlaces() {
  const read = loaded((signal) => get<Answer<"/api/assets/tree", "get">>("/api/assets/tree", { signal }));
  const branches = $derived(read.data?.domains ?? []);
  return {
    get domains(): Option[] {
      return branches.flatMap(({ domain }) => domain ?? []).map((value) => ({ value, words: value }));
    },
    /** The areas of these domains; of all where none is named. */
    dmas(domains: readonly string[]): Option[] {
      return branches
        .filter(({ domain }) => !domains.length || domains.includes(domain ?? ""))
        .flatMap(({ dmas = [] }) => dmas)
        .flatMap(({ dma_id, name }) => (dma_id === null ? [] : { value: dma_id, words: name ? `${dma_id} ${name}` : dma_id }));
    },
  };
}
