/**
 * What the server says in English, in the person's language: reasons, causes, advice, checks.
 *
 * The English sentence is the message, as with gettext. What the book does not know stays as the server said it.
 */

import { settings } from "./settings.svelte";

type Entry = [pattern: RegExp, said: string];
let book = $state.raw<Entry[] | null>(null);

/** The pattern of a message: `{1}` … stand for what differs; a sentence may begin with a small letter. */
export const entryOf = ([message, said]: readonly [string, string]): Entry => [
  new RegExp(`^${message.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\d\}/g, "(.+?)")}$`, "is"),
  said,
];

/** A message in the other language, what differs in it likewise; null where the book does not have it. */
export function translated(text: string, entries: readonly Entry[]): string | null {
  for (const [pattern, said] of entries) {
    const found = pattern.exec(text);
    if (found) return said.replace(/\{(\d)\}/g, (_, place: string) => translated(found[Number(place)]!, entries) ?? found[Number(place)]!);
  }
  return null;
}

/** Null where it is English that is shown. */
export function inLanguage(text: string): string | null {
  if (settings.language === "en") return null;
  if (book === null) void import("./i18n/messages-hi").then(({ MESSAGES }) => (book = MESSAGES.map(entryOf)));
  return book && translated(text, book);
}

/** In words for a title or a text that is read out. */
export const said = (text: string): string => inLanguage(text) ?? text;
