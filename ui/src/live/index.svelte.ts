/** The live state as components see it: they read `live.rev` once a frame of the screen, then plain data. */

import { get, post } from "../api/client";
import { session } from "../api/session.svelte";
import { clock } from "../clock.svelte";
import { Connection, type Link } from "./connection";
import type { AlarmFrame, Frame, Hello, Snapshot } from "./frames";
import { type Counts, LiveState, waits } from "./state";

const state = new LiveState();
const listeners = new Set<(frame: AlarmFrame) => void>();
let rev = $state(0);
let link = $state<Link>("connecting");
let lostAt = $state(0);
let hello = $state.raw<Hello | null>(null);
let firstBuild = $state("");
let due = false;

const connection = new Connection(state, {
  async ticket() {
    const { ticket } = await post<{ ticket: string }>("/api/ws-ticket");
    return { ticket, life_ms: session.lifeMs };
  },
  fetchSnapshot: (url) => get<Snapshot>(url, { timeoutMs: 60_000 }),
  open(query) {
    return new WebSocket(`${location.origin.replace("http", "ws")}/ws/v1${query}`);
  },
  now: () => performance.now(),
  random: Math.random,
  taken,
  linkChanged(now) {
    link = now;
    if (now === "lost") lostAt = clock.exactly();
    bump();
  },
});

function taken(frame: Frame): void {
  clock.set(frame.t);
  if (frame.op === "hello") {
    hello = frame;
    firstBuild ||= frame.build;
  } else if (frame.op === "alarm") {
    for (const each of listeners) each(frame);
  }
  title();
  bump();
}

/** One change a frame of the screen, however much has come; a hidden tab draws once when it returns. */
function bump(): void {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    rev += 1;
  });
}

function title(): void {
  const waiting = state.counts().unacknowledged[0];
  const words = waiting ? `(${waiting}) IC³` : "IC³";
  if (document.title !== words) document.title = words;
}

export const live = {
  /** Read it where the data of `state` are drawn: what reads it follows. */
  get rev(): number {
    return rev;
  },
  state,
  get link(): Link {
    return link;
  },
  get hello(): Hello | null {
    return hello;
  },
  /** The plant's zone. */
  get zone(): string {
    return hello?.tz ?? "Asia/Kolkata";
  },
  get pollMs(): number {
    return (hello?.poll_s ?? 15) * 1000;
  },
  get simulated(): boolean {
    return hello?.plant === "simulated";
  },
  /** Since when nothing comes, server time in ms; 0 while it does. */
  get lostAt(): number {
    return link === "lost" ? lostAt : 0;
  },
  /** Whether all that is live is old: the connection has been lost for more than one poll. */
  get isStale(): boolean {
    return link === "lost" && clock.now - lostAt > live.pollMs;
  },
  /** Whether the server has another build of this page. */
  get newBuild(): boolean {
    return hello !== null && hello.build !== firstBuild;
  },
  get counts(): Counts {
    void rev;
    return state.counts();
  },
  start: () => connection.start(),
  stop: () => connection.stop(),
  retry: () => connection.retry(),
  /** Watches these assets instead of those before; ask again where `listVersion` has grown. */
  watch(serials: string[]): void {
    const numbers = serials.flatMap((each) => state.numberOf(each) ?? []);
    connection.watch(numbers.slice(0, 50));
  },
  /** Told of each event of an alarm, also in a hidden tab; gives back how to stop. */
  onAlarm(listener: (frame: AlarmFrame) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  waits,
};
