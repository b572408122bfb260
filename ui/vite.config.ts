import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** The node that `npm run dev` talks to: a real one, or the mock (`npm run mock`). */
const node = process.env["HEADWATER_NODE"] ?? "http://127.0.0.1:7333";

/** A node refuses a foreign Origin; the development server stands in for the node's own page. */
const proxied = { target: node, changeOrigin: true, headers: { origin: node }, ws: true };

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: "../src/headwater/web/static",
    emptyOutDir: true,
    target: "es2022",
    // Everything stays a file of its own: the node's Content-Security-Policy need not allow inline anything.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // hls.js is the one big piece; it is loaded only for videos that need it.
    chunkSizeWarningLimit: 600,
  },
  server: { proxy: { "/api": proxied, "/v": proxied, "/.well-known": proxied } },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
