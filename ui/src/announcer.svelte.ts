/** One live region for all that is to be said: new alarms politely, critical ones at once. */

let polite = $state("");
let assertive = $state("");

export const announcer = {
  get polite(): string {
    return polite;
  },
  get assertive(): string {
    return assertive;
  },
  say(words: string, { now = false } = {}): void {
    // The same words again are not read by screen readers; a blank makes them others.
    if (now) assertive = assertive === words ? `${words}\u00a0` : words;
    else polite = polite === words ? `${words}\u00a0` : words;
  },
};
