/** What a map is made of, read while a component is there. */

import { live } from "../live/index.svelte";
import { loaded } from "../loaded.svelte";
import { Points } from "./points";
import { readAreas, readMissing, readPipes } from "./scene";

const EVERY_MS = 300_000;

export function loadedScene() {
  const areas = loaded(readAreas, { everyMs: EVERY_MS });
  const network = loaded(readPipes, { everyMs: EVERY_MS });
  const epoch = $derived((void live.rev, live.state.epoch));
  // Another list of assets may hold another one that cannot be drawn.
  const missing = loaded((signal) => (void epoch, readMissing(signal)), { everyMs: EVERY_MS });
  const list = $derived((void live.rev, live.state.listVersion));
  const points = $derived((void list, new Points(live.state, new Set(missing.data?.items.map(({ id }) => id)))));
  return {
    areas, network, missing,
    get points(): Points {
      return points;
    },
    /** What could not be read of it, the first. */
    get trouble() {
      return [areas, network, missing].find(({ problem }) => problem !== null);
    },
  };
}
