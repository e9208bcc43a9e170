import { expect, test } from "vitest";
import { MESSAGES } from "../src/i18n/messages-hi";
import { entryOf, translated } from "../src/said.svelte";

const book = MESSAGES.map(entryOf);
const hindi = (text: string) => translated(text, book);

test("a message is said with what differs in it", () =>
  expect(hindi("89 tags have no parameter")).toBe("89 टैग का कोई मापदंड नहीं"));
test("what differs is said too where the book has it", () =>
  expect(hindi("not computed: no reading of suction pressure while it ran")).toBe("नहीं निकाला गया: चलते समय चूषण दाब का कोई माप नहीं"));
test("a cause holds its quantity, score and reason, whatever letter it begins with", () =>
  expect(hindi("Operating region 0.485 of best flow (score 57): it works far from its best point")).toBe(
    "कार्य क्षेत्र, श्रेष्ठ प्रवाह का 0.485 (अंक 57): यह श्रेष्ठ बिंदु से दूर चल रहा है",
  ));
test("of several reasons each is said", () =>
  expect(hindi("No night flow: pressure below 5 m from 02:00 to 04:00 on 3 of 7 nights, inflow not measured from 02:00 to 04:00 on 4 of 7 nights; no supply")).toBe(
    "रात्रि प्रवाह नहीं: 7 में 3 रातों को 02:00 से 04:00 तक दाब 5 m से कम, 7 में 4 रातों को 02:00 से 04:00 तक अंतर्वाह नहीं मापा गया; कोई आपूर्ति नहीं",
  ));
test("what the book does not know stays as it was said", () => {
  expect(hindi("a sentence of tomorrow")).toBeNull();
  expect(hindi("not computed: a reason of tomorrow")).toBe("नहीं निकाला गया: a reason of tomorrow");
});
test("signs of patterns in a message are only signs", () => expect(hindi("<script>(.*)</script>")).toBeNull());
test("every message differs in what its translation differs in", () => {
  const places = (text: string) => [...text.matchAll(/\{\d\}/g)].map(([each]) => each).sort();
  expect(MESSAGES.filter(([english, said]) => String(places(english)) !== String(places(said)))).toEqual([]);
});
