/** The server's time: a wrong clock of this PC harms nothing. */

let offsetMs = $state(0);
let exact = false;
let nowMs = $state(Date.now());

export const clock = {
  /** Server time, moved once a second; what reads it follows. */
  get now(): number {
    return nowMs;
  },
  /** Server time at this moment, not followed. */
  exactly(): number {
    return Date.now() + offsetMs;
  },
  /** A frame said the server's time, in ms. */
  set(at: number): void {
    const offset = at - Date.now();
    // Frames wait on the way by some ms; a jitter of the clock would be worse than that.
    if (!exact || Math.abs(offset - offsetMs) > 250) offsetMs = offset;
    exact = true;
    tick();
  },
  /** A header said it, to a second; good enough until a frame comes. */
  heard(at: number): void {
    if (!exact && Number.isFinite(at)) offsetMs = at - Date.now();
  },
};

function tick(): void {
  nowMs = Math.floor((Date.now() + offsetMs) / 1000) * 1000;
}

export function startClock(): void {
  tick();
  setInterval(tick, 1000);
}
