import { expect, test, type Page } from "@playwright/test";
import { pageOf } from "./people";

const SIZES = { wide: { width: 1440, height: 900 }, narrow: { width: 390, height: 844 } } as const;
const ADDRESSES = ["/", "/usage", "/requests", "/reconciliation", "/budgets", "/backtest", "/alerts", "/kill-switch", "/projects", "/keys", "/providers", "/members", "/audit", "/settings", "/onboarding"];

/** Where a page's heading stands, and what it says. */
async function heading(page: Page) {
  const [title, description] = [page.locator("main h1"), page.locator("main header p").first()];
  return { title: await title.textContent(), at: await title.boundingBox(), description: await description.textContent(), below: await description.boundingBox() };
}

for (const [size, viewport] of Object.entries(SIZES)) {
  test(`a page's heading stands before any script where it stands afterwards (${size})`, async ({ browser }) => {
    const after = await pageOf(browser, "owner", { viewport });
    const before = await pageOf(browser, "owner", { viewport, javaScriptEnabled: false });
    for (const address of ADDRESSES) {
      await before.goto(address);
      await after.goto(address);
      await expect(after.locator(".animate-shimmer")).toHaveCount(0, { timeout: 30_000 });
      await after.evaluate(() => document.fonts.ready);
      expect(await heading(before), address).toEqual(await heading(after));
      expect(await before.title(), address).toBe(await after.title());
    }
    await before.context().close();
  });
}

test("who is not signed in sees no page's heading on the way to signing in", async ({ browser }) => {
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto("/keys");
  await expect(page.locator("h1")).toHaveCount(0);
  await page.context().close();
});

test("a page whose code does not arrive says so, and loads when it is asked again", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await page.route(/\/assets\/router-.*\.js/, (route) => route.abort());
  await page.goto("/keys");
  await expect(page.getByRole("alert")).toContainText("This page could not be loaded");
  await page.unroute(/\/assets\/router-.*\.js/);
  await page.getByRole("button", { name: "Reload" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Keys");
  await expect(page.getByRole("alert")).toHaveCount(0);
  await page.context().close();
});
