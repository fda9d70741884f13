import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Where `vite dev` finds the API; the control plane's own default.
const plane = process.env.LENSAI_CONTROL_URL ?? "http://127.0.0.1:8000";
// A page of another origin may change nothing: what the development server asks for is asked as the plane's own page would.
const asItself = { target: plane, changeOrigin: true, headers: { origin: plane } };

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // Nothing is inlined: the content security policy allows files alone.
  build: { target: "es2023", assetsInlineLimit: 0, cssTarget: "chrome123", modulePreload: { polyfill: false } },
  server: { proxy: { "/v1": asItself, "/docs": asItself } },
  test: { include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true },
});
