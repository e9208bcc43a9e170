import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PAGES } from "../src/pages";

const STATIC = join(import.meta.dirname, "../../src/ic3/dashboard/static");
const KB = 1000;
const ENTRY = "index.html";
// Of a fresh install, where the overview has no asset to show yet: never with the rest of it.
// The server's messages in another language have a limit of their own, as fonts: never awaited.
const APART = /FirstSteps|messages-hi/;

interface Chunk {
  file: string;
  css?: string[];
  imports?: string[];
  dynamicImports?: string[];
}

const manifest = JSON.parse(readFileSync(join(STATIC, ".vite/manifest.json"), "utf8")) as Record<string, Chunk>;

/** Packed scripts and styles of a chunk with all that it imports, and `later` also with what it will import. */
function packed(name: string, { later }: { later: boolean }): number {
  const files = new Set<string>();
  const seen = new Set<string>();
  const visit = (name: string): void => {
    const chunk = manifest[name];
    if (!chunk || seen.has(name)) return;
    seen.add(name);
    for (const each of [chunk.file, ...(chunk.css ?? [])]) files.add(each);
    for (const each of chunk.imports ?? []) visit(each);
    // The entry names every page; a page's own lazy parts are part of it.
    if (name !== ENTRY && later) for (const each of chunk.dynamicImports ?? []) if (!APART.test(each)) visit(each);
  };
  visit(ENTRY);
  visit(name);
  return [...files].reduce((sum, file) => sum + statSync(join(STATIC, `${file}.gz`)).size, 0);
}

const components = PAGES.map(({ load }) => /pages\/\w+\.svelte/.exec(load.toString())![0]);

test("every page is a chunk of its own", () =>
  expect(components.filter((each) => !existsSync(join(import.meta.dirname, "../src", each)) || !manifest[`src/${each}`])).toEqual([]));

// The map, and the panel of an asset with its charts, come when tiles and alarms have been drawn.
test("the overview is at most 60 KB", () =>
  expect(packed("src/pages/Overview.svelte", { later: false })).toBeLessThanOrEqual(60 * KB));

test.each(components)("%s is at most 100 KB", (each) => expect(packed(`src/${each}`, { later: true })).toBeLessThanOrEqual(100 * KB));

test("the server's messages in another language are at most 10 KB", () => {
  const files = Object.values(manifest).map(({ file }) => file).filter((file) => file.includes("messages-"));
  expect(files.length).toBe(1);
  expect(statSync(join(STATIC, `${files[0]}.gz`)).size).toBeLessThanOrEqual(10 * KB);
});

test("fonts are at most 150 KB", () => {
  const fonts = Object.values(manifest).map(({ file }) => file).filter((file) => file.endsWith(".woff2"));
  expect(fonts.length).toBe(2);
  expect(fonts.reduce((sum, file) => sum + statSync(join(STATIC, file)).size, 0)).toBeLessThanOrEqual(150 * KB);
});
