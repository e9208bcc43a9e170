import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

type Rgb = [r: number, g: number, b: number];
type Matrix = [Rgb, Rgb, Rgb];

const SRC = join(import.meta.dirname, "../src");
const sheet = readFileSync(join(SRC, "tokens.css"), "utf8");
const THEMES = { day: tokensAfter(":root {"), night: tokensAfter(':root[data-theme="night"] {') };

// Machado, Oliveira and Fernandes 2009, severity 1.
const SIGHTS: Record<string, Matrix> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};

function tokensAfter(head: string): Record<string, string> {
  const start = sheet.indexOf(head);
  const block = sheet.slice(start, sheet.indexOf("}", start));
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, colour]) => [name, colour]));
}

const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as Rgb;
const times = (matrix: Matrix, [r, g, b]: Rgb): Rgb => matrix.map((row) => row[0] * r + row[1] * g + row[2] * b) as Rgb;
const luminance = (hex: string): number => times([[0.2126, 0.7152, 0.0722], [0, 0, 0], [0, 0, 0]], linear(hex))[0];

function contrast(one: string, other: string): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function lab(colour: Rgb): Rgb {
  const seen = colour.map((each) => Math.min(1, Math.max(0, each))) as Rgb;
  const xyz = times([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]], seen);
  const [x, y, z] = [xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883].map((t) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116)) as Rgb;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function apart(one: string, other: string, sight: Matrix): number {
  const [a, b] = [lab(times(sight, linear(one))), lab(times(sight, linear(other)))];
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

describe.each(Object.entries(THEMES))("%s", (_, theme) => {
  const of = (name: string) => theme[name]!;
  test("has every token", () =>
    expect(Object.keys(theme)).toEqual([
      "bg", "surface", "raised", "line", "band", "text", "muted", "proc", "trend", "ok", "stale", "focus",
      "p1", "p1-text", "p2", "p2-text", "p3", "p3-text", "p4", "p4-text",
    ]));
  test.each(["text", "muted", "stale"].flatMap((ink) => ["bg", "surface", "raised"].map((ground) => [ink, ground] as const)))(
    "%s can be read on %s",
    (ink, ground) => expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(4.5),
  );
  test.each(["text", "muted"])("%s can be read on the chosen row", (ink) =>
    expect(contrast(of(ink), of("band"))).toBeGreaterThanOrEqual(4.5));
  test.each(["p1", "p2", "p3", "p4"])("the words on %s can be read", (name) =>
    expect(contrast(of(`${name}-text`), of(name))).toBeGreaterThanOrEqual(4.5));
  test.each(["proc", "trend", "ok", "focus", "stale", "text"].flatMap((each) => ["bg", "surface"].map((ground) => [each, ground] as const)))(
    "%s can be seen on %s",
    (name, ground) => expect(contrast(of(name), of(ground))).toBeGreaterThanOrEqual(3),
  );
  test.each(Object.entries(SIGHTS))("priorities and normal stay apart with %s", (_sight, matrix) => {
    const names = ["p1", "p2", "p3", "p4", "ok"];
    const pairs = names.flatMap((one, place) => names.slice(place + 1).map((other) => apart(of(one), of(other), matrix)));
    expect(Math.min(...pairs)).toBeGreaterThanOrEqual(15);
  });
});

test("no colour stands outside of the tokens", () => {
  const found = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(svelte|ts|css)$/.test(name) && !/^(tokens\.css|api\.d\.ts)$/.test(name))
    .filter((name) => /#[0-9a-f]{3,8}\b|\b(rgba?|hsla?|oklch)\(/i.test(withoutAnchors(readFileSync(join(SRC, name), "utf8"))));
  expect(found).toEqual([]);
});

// `{#each` and `href="#content"` are no colours.
const withoutAnchors = (text: string) => text.replace(/\{#\w+|href="#\w+"/g, "");
