import { expect, test } from "@playwright/test";
import { pageOf } from "./people";

test("a viewer sees, and is offered nothing that would be refused", async ({ browser }) => {
  const page = await pageOf(browser, "viewer");
  const pages = page.getByRole("navigation", { name: "Pages" });
  await expect(pages.getByRole("link", { name: "Keys" })).toBeVisible();
  await expect(pages.getByRole("link", { name: "Audit log" })).toBeHidden();
  for (const [address, offer] of [["/keys", "New key"], ["/projects", "New project"], ["/budgets", "Set a budget"], ["/members", "Invite"]] as const) {
    await page.goto(address);
    await expect(page.getByRole("region").or(page.getByText("No ")).first()).toBeVisible();
    await expect(page.getByRole("button", { name: offer })).toHaveCount(0);
  }
  await page.goto("/kill-switch");
  await expect(page.getByRole("heading", { name: "History" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Cut calls" })).toHaveCount(0);
  for (const address of ["/audit", "/reconciliation", "/reconciliation?tab=savings", "/reconciliation?tab=imports"]) {
    await page.goto(address);
    await expect(page.getByText("Your role does not include this")).toBeVisible();
  }
  await page.goto("/budgets");
  await page.getByRole("region", { name: "Budgets" }).getByRole("row").nth(1).click();
  const details = page.getByRole("dialog");
  await expect(details.getByRole("meter").first()).toBeVisible();
  await expect(details.getByRole("button", { name: "Override" })).toHaveCount(0);
  await details.getByRole("button", { name: "History" }).click();
  await expect(details.getByText("Overrides")).toBeVisible();
});
