import { test } from "@playwright/test";
import { pageOf } from "./people";
import { open, PLACES } from "./places";
import { furnish } from "./furnish";

const OUT = process.env.SCREENSHOTS ?? "../../build/screenshots";
const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } } as const;
const ONLY = process.env.ONLY?.split(",");

test("pictures of every page", async ({ browser }) => {
  test.setTimeout(1_200_000);
  const first = await pageOf(browser, "owner");
  const projectId = await furnish(first);
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const page = await pageOf(browser, "owner", { colorScheme, viewport, deviceScaleFactor: size === "narrow" ? 2 : 1 });
      for (const [name, address] of PLACES) {
        if (ONLY && !ONLY.includes(name)) continue;
        await open(page, address.replace("{project}", projectId));
        await page.waitForTimeout(500);
        await page.screenshot({ path: `${OUT}/${name}-${colorScheme}-${size}.png`, fullPage: true });
      }
      await page.context().close();
    }
  }
});
