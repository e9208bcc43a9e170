/** Assets that a person keeps at hand, in this browser. */

const KEY = "ic3.pins";
const LIMIT = 30;

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => typeof each === "string").slice(0, LIMIT) : [];
  } catch {
    return [];
  }
}

let serials = $state.raw(kept());

export const pins = {
  get serials(): readonly string[] {
    return serials;
  },
  has: (serial: string): boolean => serials.includes(serial),
  /** Pins an asset, or takes its pin away; the newest stand first. */
  turn(serial: string): void {
    serials = serials.includes(serial) ? serials.filter((each) => each !== serial) : [serial, ...serials].slice(0, LIMIT);
    try {
      localStorage.setItem(KEY, JSON.stringify(serials));
    } catch {
      // A browser that keeps nothing forgets it with the page.
    }
  },
};
