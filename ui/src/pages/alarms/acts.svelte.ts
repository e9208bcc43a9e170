/** What people do about alarms, and what became of it, in words. */

import { tick } from "svelte";
import { type Answer, path, post, Problem } from "../../api/client";
import { announcer } from "../../announcer.svelte";
import { t as ofRow } from "../../i18n/alarm-row";
import { t } from "../../i18n/alarms";
import type { Alarm } from "../../live/frames";
import { countWords } from "../../words.svelte";

export type Asking = "shelve" | "comment" | "order";

let said = $state("");
let asked = $state.raw<{ what: Asking; alarm: Alarm } | null>(null);

/** Buttons that act are gone once they have acted: the focus goes to the row, not to nowhere. */
async function keepingFocus(act: () => Promise<string>): Promise<boolean> {
  const row = document.activeElement?.closest("tr");
  said = "";
  try {
    said = await act();
    announcer.say(said);
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    said = `✕ ${t("failed", { why: error.message })}`;
    announcer.say(said);
    return false;
  } finally {
    await tick();
    if (document.activeElement === document.body) row?.querySelector<HTMLElement>("a, button")?.focus();
  }
}

const one = (alarm: Alarm, act: string, body?: unknown) =>
  post<Answer<"/api/alarms/{alarm_id}/ack", "post">>(path(`/api/alarms/{id}/${act}`, alarm.id), body);

export const acts = {
  /** What the last act came to. */
  get said(): string {
    return said;
  },
  /** The dialog that is open. */
  get asked() {
    return asked;
  },
  ask(what: Asking, alarm: Alarm): void {
    asked = { what, alarm };
  },
  close(): void {
    asked = null;
  },
  acknowledge: (alarm: Alarm) =>
    keepingFocus(async () => (await one(alarm, "ack", {}), t("ackDone", { n: 1 }))),
  acknowledgeAll: (alarms: readonly Alarm[]) =>
    keepingFocus(async () => {
      const done = await post<Answer<"/api/alarms/ack", "post">>("/api/alarms/ack", { ids: alarms.map(({ id }) => id) });
      return t("ackDone", { n: countWords(done.results.filter(({ outcome }) => outcome === "acknowledged").length) });
    }),
  comment: (alarm: Alarm, note: string) => keepingFocus(async () => (await one(alarm, "comment", { note }), ofRow("what_comment"))),
  shelve: (alarm: Alarm, minutes: number, reason: string) =>
    keepingFocus(async () => (await one(alarm, "shelve", { minutes, reason }), ofRow("heldShelved"))),
  outOfService: (alarm: Alarm, reason: string) =>
    keepingFocus(async () => (await one(alarm, "out-of-service", { reason }), ofRow("heldOut"))),
  unshelve: (alarm: Alarm) => keepingFocus(async () => (await one(alarm, "unshelve"), ofRow("what_unshelve"))),
  inService: (alarm: Alarm) => keepingFocus(async () => (await one(alarm, "in-service"), ofRow("what_unshelve"))),
};
