import { expect, test } from "@playwright/test";
import { pageOf } from "./people";

const FIRST_LOAD_BYTES_MAX = 250_000;

test("the first page is there after a quarter of a megabyte", async ({ browser }, info) => {
  const page = await pageOf(browser, "owner");
  await page.goto("/keys", { waitUntil: "load" });
  await page.getByRole("row").nth(1).waitFor();
  const loaded = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
    return entries.filter((entry) => !entry.name.includes("/v1/")).map((entry) => entry.encodedBodySize);
  });
  const bytes = loaded.reduce((sum, size) => sum + size, 0);
  info.annotations.push({ type: "bytes", description: String(bytes) });
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(FIRST_LOAD_BYTES_MAX);
});
