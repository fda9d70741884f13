import { defineConfig } from "@playwright/test";

/** The stage (tests/e2e/ui/stage.py) says where everything is. */
export default defineConfig({
  testDir: "e2e",
  outputDir: "../../build/playwright",
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: "list",
  use: {
    baseURL: process.env.LENSAI_UI_URL,
    viewport: { width: 1280, height: 800 },
    launchOptions: { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] },
    permissions: ["clipboard-read", "clipboard-write"],
    trace: "off",
  },
  projects: [
    { name: "stories", testMatch: "*.spec.ts" },
    { name: "screenshots", testMatch: "screenshots.ts" },
    { name: "pictures", testMatch: "pictures.ts" },
    { name: "interactive", testMatch: "interactive.ts" },
  ],
});
