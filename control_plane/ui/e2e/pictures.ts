import { test, type Page } from "@playwright/test";
import { pageOf } from "./people";

const OUT = "../../docs/images";
const SIZE = { width: 1280, height: 800 };
const PLACES = [
  ["overview", "/"],
  ["usage", "/usage?range=30d"],
  ["budgets", "/budgets"],
] as const;

/** Of demo data, for the README and the guides: `stage --seed ROWS`. */
test("pictures for the documentation", async ({ browser }) => {
  test.setTimeout(300_000);
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await pageOf(browser, "owner", { colorScheme, viewport: SIZE });
    for (const [name, address] of PLACES) {
      await page.goto(address);
      await settled(page);
      await page.screenshot({ path: `${OUT}/${name}-${colorScheme}.png` });
    }
    await page.goto("/requests");
    await settled(page);
    await page.locator("tbody tr").nth(2).click();
    await settled(page);
    await page.screenshot({ path: `${OUT}/call-${colorScheme}.png` });
    await page.context().close();
  }
});

async function settled(page: Page): Promise<void> {
  await page.locator("h1, h2").first().waitFor();
  await page.waitForFunction(() => document.querySelectorAll(".animate-shimmer").length === 0);
  await page.waitForTimeout(800);
}
