/** What a panel reads from the API: its data, how old they are, what went wrong. */

import { untrack } from "svelte";
import { Problem } from "./api/client";
import { session } from "./api/session.svelte";
import { clock } from "./clock.svelte";

export class Loaded<T> {
  /** The newest answer; stays where a later one fails. */
  data = $state.raw<T | null>(null);
  /** When it was read, server time in ms; 0 before that. */
  readAt = $state(0);
  problem = $state.raw<Problem | null>(null);
  failedAt = $state(0);
  loading = $state(false);
  readonly everyMs: number | undefined;
  private controller: AbortController | null = null;

  constructor(
    private readonly ask: (signal: AbortSignal) => Promise<T>,
    everyMs?: number,
  ) {
    this.everyMs = everyMs;
  }

  /** Old: the last try failed, or three were missed. */
  get isStale(): boolean {
    if (this.readAt === 0) return false;
    return this.problem !== null || (this.everyMs !== undefined && clock.now - this.readAt > 3 * this.everyMs);
  }

  /** Asks again; an answer to an earlier question no longer counts. */
  async refresh(): Promise<void> {
    this.controller?.abort();
    const mine = (this.controller = new AbortController());
    this.loading = true;
    try {
      const answer = await this.ask(mine.signal);
      if (this.controller !== mine) return;
      this.data = answer;
      this.readAt = clock.exactly();
      this.problem = null;
    } catch (error) {
      if (this.controller !== mine || mine.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.problem = error;
      this.failedAt = clock.exactly();
    } finally {
      if (this.controller === mine) this.loading = false;
    }
  }

  cancel(): void {
    this.controller?.abort();
    this.controller = null;
  }
}

/**
 * Reads while the component is there: at once, whenever something `ask` reads before its first await has
 * changed, and every `everyMs` while the tab is seen. To be called while a component is being made.
 */
export function loaded<T>(ask: (signal: AbortSignal) => Promise<T>, { everyMs }: { everyMs?: number } = {}): Loaded<T> {
  const made = new Loaded(ask, everyMs);
  $effect(() => {
    // Somebody who has logged in again gets the answers that were refused.
    if (session.standing !== "in") return;
    void made.refresh();
    const timer = everyMs && setInterval(() => !document.hidden && untrack(() => made.refresh()), everyMs);
    return () => {
      clearInterval(timer);
      made.cancel();
    };
  });
  return made;
}
