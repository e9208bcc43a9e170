/** Times as a field of type datetime-local has them, in a zone that need not be that of this PC. */

function shown(at: number, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
  }).formatToParts(at);
  const part = (type: string) => parts.find((each) => each.type === type)!.value;
  return `${part("year")}-${part("month")}-${part("day")}T${part("hour")}:${part("minute")}`;
}

/** The text of the field for an instant; empty where there is none. */
export const localOf = (at: string | null | undefined, zone: string): string => (at ? shown(Date.parse(at), zone) : "");

/** The instant of the field's text as RFC 3339; null where it is empty. */
export function instantOfLocal(text: string, zone: string): string | null {
  if (!text) return null;
  const wanted = Date.parse(`${text.slice(0, 16)}:00Z`);
  if (Number.isNaN(wanted)) return null;
  // Twice: the offset of the first guess may be that before a change of summer time.
  let at = wanted;
  for (let round = 0; round < 2; round++) at += wanted - Date.parse(`${shown(at, zone)}:00Z`);
  return new Date(at).toISOString();
}
