/** The way to `/ws/v1`: tickets, gaps, silence, back-off, a planned change of socket. */

import type { Frame, Snapshot } from "./frames";
import type { LiveState } from "./state";

const SILENCE_MS = 12_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
// A socket ends with the token of its ticket; another is opened before.
const RENEW_BEFORE_MS = 60_000;

export type Link = "connecting" | "live" | "lost";

/** What the connection needs of the world; tests bring their own. */
export interface Outside {
  /** A ticket and for how long its login is good, in ms. Throws where there is none. */
  ticket(): Promise<{ ticket: string; life_ms: number }>;
  fetchSnapshot(url: string): Promise<Snapshot>;
  open(query: string): WebSocket;
  now(): number;
  random(): number;
  taken(frame: Frame): void;
  linkChanged(link: Link): void;
}

export class Connection {
  link: Link = "connecting";
  /** By this machine's clock; 0 before the first frame. */
  lastFrameAt = 0;
  private socket: WebSocket | null = null;
  private next: WebSocket | null = null;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private waiting: Frame[] | null = null;
  private resyncing = false;
  private stopped = true;
  private watched: number[] = [];

  constructor(
    private readonly state: LiveState,
    private readonly outside: Outside,
  ) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    for (const each of [this.timer, this.silence, this.renewal]) clearTimeout(each);
    this.next?.close();
    this.socket?.close();
    this.socket = this.next = null;
  }

  /** Try at once, not after the pause: the person asked, or the network is back. */
  retry(): void {
    if (this.stopped || this.link === "live") return;
    clearTimeout(this.timer);
    void this.connect();
  }

  watch(indexes: number[]): void {
    this.watched = indexes;
    this.say({ op: "sub", assets: indexes });
  }

  private async connect(): Promise<void> {
    clearTimeout(this.renewal);
    try {
      const { ticket, life_ms } = await this.outside.ticket();
      if (this.stopped) return;
      const { epoch, seq } = this.state;
      const resume = epoch >= 0 && this.waiting === null ? `&epoch=${epoch}&seq=${seq}` : "";
      this.next?.close();
      const opened = (this.next = this.outside.open(`?ticket=${encodeURIComponent(ticket)}${resume}`));
      opened.onmessage = (event) => this.receive(opened, JSON.parse(event.data as string) as Frame, life_ms);
      opened.onclose = () => this.closed(opened);
    } catch {
      this.lose(this.socket !== null);
    }
  }

  private receive(from: WebSocket, frame: Frame, life_ms: number): void {
    if (from === this.next && frame.op === "hello") this.replace(from, life_ms);
    if (from !== this.socket) return;
    this.lastFrameAt = this.outside.now();
    this.watchForSilence();
    if (frame.op === "snapshot" && frame.url !== undefined) void this.fetch(frame.url, from);
    else if (this.waiting && frame.op !== "hello" && frame.op !== "snapshot") this.waiting.push(frame);
    else this.take(frame);
  }

  private replace(by: WebSocket, life_ms: number): void {
    const before = this.socket;
    this.socket = by;
    this.next = null;
    before?.close();
    this.failures = 0;
    this.resyncing = false;
    this.waiting = null;
    clearTimeout(this.renewal);
    this.renewal = setTimeout(() => void this.connect(), Math.max(1_000, life_ms - RENEW_BEFORE_MS));
    if (this.watched.length) this.watch(this.watched);
    this.change("live");
  }

  private take(frame: Frame): void {
    if (frame.op === "snapshot") {
      this.waiting = null;
      this.resyncing = false;
      const other = frame.epoch !== this.state.epoch;
      this.state.take(frame);
      // Indexes are others now; the page watches anew.
      if (other) this.watched = [];
      this.outside.taken(frame);
      return;
    }
    const taken = this.state.take(frame);
    if (taken === "taken") {
      this.resyncing = false;
      this.outside.taken(frame);
    } else if (taken === "gap" && !this.resyncing) {
      this.resyncing = true;
      this.say({ op: "resync", have: this.state.seq, epoch: this.state.epoch });
      if (this.watched.length) this.watch(this.watched);
    }
  }

  private async fetch(url: string, from: WebSocket): Promise<void> {
    this.waiting = [];
    try {
      const snapshot = await this.outside.fetchSnapshot(url);
      if (from !== this.socket) return;
      const waiting: Frame[] = this.waiting ?? [];
      this.take(snapshot);
      for (const frame of waiting) this.take(frame);
    } catch {
      if (from === this.socket) from.close();
    }
  }

  private watchForSilence(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lose(), SILENCE_MS);
  }

  private closed(which: WebSocket): void {
    if (which === this.socket || which === this.next) this.lose(which === this.next && this.socket !== null);
  }

  /** Nothing comes any more; where only the planned next socket failed the present one still speaks. */
  private lose(onlyNext = false): void {
    if (this.stopped) return;
    const old = [this.next, onlyNext ? null : this.socket];
    this.next = null;
    if (!onlyNext) {
      this.socket = null;
      this.waiting = null;
      clearTimeout(this.silence);
      this.change("lost");
    }
    for (const each of old) {
      if (each) each.onclose = each.onmessage = null;
      each?.close();
    }
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures);
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.connect(), pause * (0.5 + this.outside.random() / 2));
  }

  private say(message: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private change(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.outside.linkChanged(link);
  }
}
