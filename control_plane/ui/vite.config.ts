import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import type { Plugin, Rolldown } from "vite";
import { defineConfig } from "vitest/config";
import { documents } from "./documents.ts";

// Where `vite dev` finds the API; the control plane's own default.
const plane = process.env.LENSAI_CONTROL_URL ?? "http://127.0.0.1:8000";
const SOURCES = /\/control_plane\/ui\/src\//;
const START = fileURLToPath(new URL("./src/app/start.tsx", import.meta.url));
// A page of another origin may change nothing: what the development server asks for is asked as the plane's own page would.
const asItself = { target: plane, changeOrigin: true, headers: { origin: plane } };

/** What is fetched together: libraries of every page, what the app begins with, what opens over pages, and what pages share. */
const FILES = [
  { name: "base", test: /node_modules\/(react|react-dom|scheduler|use-sync-external-store|@tanstack|openapi-fetch|openapi-react-query|clsx)\// },
  { name: (id: string, graph: Rolldown.ChunkingContext) => (isOfApp(id, graph) ? "app" : null), debugName: "app", test: SOURCES },
  { name: "icons", test: /node_modules\/lucide-react\// },
  { name: "over", test: /node_modules\/(@radix-ui|@floating-ui|react-remove-scroll(-bar)?|react-style-singleton|use-sidecar|use-callback-ref|get-nonce|aria-hidden|tslib)\/|src\/design\/(Dialog|Confirm|Menu|Tabs)/ },
  { name: "shared", test: /src\/(api|design|projects\/(projects|Project(Select|Name)))|src\/auth\/session/, minShareCount: 3 },
  { name: "numbers", test: /src\/(analytics\/(?!FilterPicker|PeriodBar|UsageBoard)|budgets\/(limits|LimitStanding))/, minShareCount: 2 },
].map((group, at) => ({ ...group, priority: 9 - at, includeDependenciesRecursively: false }));

/** Whether the app cannot begin without it. What is imported by itself has a file of its own: it tells what it exports. */
function isOfApp(id: string, graph: Rolldown.ChunkingContext): boolean {
  if (graph.getModuleInfo(id)?.dynamicImporters.length) return false;
  const found = new Set([START]);
  // A set that grows is walked to its end.
  for (const one of found) for (const next of graph.getModuleInfo(one)?.importedIds ?? []) if (SOURCES.test(next)) found.add(next);
  return found.has(id);
}

/**
 * uPlot makes a number formatter and asks for the time zone as it loads. The first object of `Intl` makes a browser read
 * every language it knows: longer than a chart takes. Ours write their own labels, so neither is ever used.
 */
const chartsWithoutIntl: Plugin = {
  name: "charts-without-intl",
  transform: {
    filter: { id: /uPlot\.esm\.js$/ },
    handler(code) {
      const plain = code.replace(/^const numFormatter = new Intl\..*$/m, "const numFormatter = { format: String };").replace(/^const localTz = new Intl\..*$/m, "const localTz = undefined;");
      if (/^const \w+ = .*\bIntl\b/m.test(plain)) this.error("uPlot uses Intl in another way now: look at chartsWithoutIntl");
      return plain;
    },
  },
};

export default defineConfig({
  plugins: [react(), tailwindcss(), chartsWithoutIntl, documents],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // Few files: each costs a round trip, and a look through the page for whether it is there already.
  // Nothing is inlined: the content security policy allows files alone.
  build: { target: "es2023", assetsInlineLimit: 0, cssTarget: "chrome123", modulePreload: { polyfill: false }, rolldownOptions: { output: { codeSplitting: { groups: FILES } } } },
  server: { proxy: { "/v1": asItself, "/docs": asItself } },
  test: { include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true },
});
