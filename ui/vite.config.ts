import { brotliCompressSync, gzipSync } from "node:zlib";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const OUT = "../src/ic3/dashboard/static";
const SERVER = process.env.IC3_SERVER ?? "http://127.0.0.1:9090";

/** A .gz and a .br beside each text file: the server packs nothing itself. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    closeBundle() {
      const folder = join(import.meta.dirname, OUT, "_ui");
      for (const name of readdirSync(folder)) {
        if (!/\.(js|css)$/.test(name)) continue;
        const body = readFileSync(join(folder, name));
        writeFileSync(join(folder, `${name}.gz`), gzipSync(body, { level: 9 }));
        writeFileSync(join(folder, `${name}.br`), brotliCompressSync(body));
      }
    },
  };
}

export default defineConfig({
  base: "/",
  plugins: [svelte(), packed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    assetsDir: "_ui",
    assetsInlineLimit: 0, // a data: address is a request that the CSP refuses
    modulePreload: { polyfill: false },
    manifest: true,
    target: "es2022",
    rolldownOptions: {
      checks: { pluginTimings: false },
      // What most pages use in one file: many small ones pack worse.
      output: { codeSplitting: { groups: [{ name: "parts", test: /src\/(parts\/(?!Tabs|WindowButtons|Refused|CsvButton|Pager|RangeMark|Sparkline|[FS]\w*ilter|NewOrder|Assignee|Finding|Evidence)|i18n\/parts|loaded)/, minShareCount: 4 }] } },
    },
  },
  server: {
    proxy: {
      "/api": { target: SERVER, changeOrigin: true },
      "/ws": { target: SERVER, changeOrigin: true, ws: true, rewriteWsOrigin: true }, // the server takes sockets of its own origin
    },
  },
  test: { include: ["tests/**/*.test.ts"] },
} as import("vitest/config").ViteUserConfig);
