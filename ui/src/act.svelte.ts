/** Something a person does to the server: busy while it is sent, and what was refused. */

import { Problem } from "./api/client";
import { live } from "./live/index.svelte";

export class Act {
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);
  private key = made();

  /** Nothing can be done now: it is being sent, or there is no connection. */
  get blocked(): boolean {
    return this.busy || live.link === "lost";
  }

  /**
   * Does it; answers whether it was done. The headers hold the key of this try: one that got no answer is
   * sent again with the same, so that it acts once. Where somebody changed it meanwhile it is read again,
   * before there can be another try.
   */
  async run(work: (headers: Record<string, string>) => Promise<unknown>, readAgain?: () => Promise<unknown>): Promise<boolean> {
    this.busy = true;
    this.problem = null;
    let unanswered = false;
    try {
      await work({ "idempotency-key": this.key });
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      unanswered = error.status === 0;
      if (error.status === 412) await readAgain?.();
      this.problem = error;
      return false;
    } finally {
      if (!unanswered) this.key = made();
      this.busy = false;
    }
  }
}

const made = (): string => crypto.getRandomValues(new Uint32Array(4)).join("-");
