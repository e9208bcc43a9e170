/** What fits the words that somebody typed: names that begin so first, then those that hold them. */

const SHOWN = 12;

export function fitting<T>(all: Iterable<T>, nameOf: (each: T) => string, typed: string): T[] {
  const words = typed.trim().toLowerCase();
  if (!words) return [];
  const begins: T[] = [];
  const holds: T[] = [];
  for (const each of all) {
    const place = nameOf(each).toLowerCase().indexOf(words);
    if (place === 0) begins.push(each);
    else if (place > 0 && holds.length < SHOWN) holds.push(each);
    if (begins.length === SHOWN) break;
  }
  return [...begins, ...holds].slice(0, SHOWN);
}
