import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// Where `vite dev` finds the API; the control plane's own default.
const plane = process.env.LENSAI_CONTROL_URL ?? "http://127.0.0.1:8000";
// A page of another origin may change nothing: what the development server asks for is asked as the plane's own page would.
const asItself = { target: plane, changeOrigin: true, headers: { origin: plane } };

/** What is fetched together: what every page stands on, what pages share, and what opens over them. */
const FILES = [
  { name: "base", test: /node_modules\/(react|react-dom|scheduler|use-sync-external-store|@tanstack|openapi-fetch|openapi-react-query|clsx)\// },
  { name: "over", test: /node_modules\/(@radix-ui|@floating-ui|react-remove-scroll|aria-hidden)\/|src\/design\/(Dialog|Confirm|Menu|Tabs)/ },
  { name: "shared", test: /src\/(api|design|projects\/(projects|Project(Select|Name)))|src\/auth\/session|lucide-react/, minShareCount: 3 },
  { name: "numbers", test: /src\/(analytics|budgets\/(limits|LimitStanding))/, minShareCount: 2 },
].map((group, at) => ({ ...group, priority: 9 - at, includeDependenciesRecursively: false }));

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
  plugins: [react(), tailwindcss(), chartsWithoutIntl],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // Few files: each costs a round trip, and a look through the page for whether it is there already.
  // Nothing is inlined: the content security policy allows files alone.
  build: { target: "es2023", assetsInlineLimit: 0, cssTarget: "chrome123", modulePreload: { polyfill: false }, rolldownOptions: { output: { codeSplitting: { groups: FILES } } } },
  server: { proxy: { "/v1": asItself, "/docs": asItself } },
  test: { include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true },
});
