import { expect, test } from "@playwright/test";
import { call, pageOf } from "./people";

test("a key's secret is shown once, and works until the key is revoked", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await page.goto("/keys");
  await page.getByRole("button", { name: "New key" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Project").selectOption({ label: "Checkout" });
  await dialog.getByLabel("Name").fill("worker");
  await dialog.getByRole("button", { name: "Create key" }).click();
  const secret = (await dialog.locator("code", { hasText: /^lk-/ }).textContent())!;
  await page.keyboard.press("Escape");
  await expect(dialog).toBeVisible();
  await dialog.getByLabel("I have put it where it belongs").check();
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect.poll(async () => (await call(secret)).status).toBe(200);

  await page.getByRole("button", { name: "Actions for worker" }).click();
  await page.getByRole("menuitem", { name: "Revoke" }).click();
  await expect(page.getByRole("button", { name: "Revoke key" })).toBeDisabled();
  await page.getByLabel("Type worker to go on").fill("worker");
  await page.getByRole("button", { name: "Revoke key" }).click();
  await expect(page.getByText("worker is revoked")).toBeVisible();
  await expect.poll(async () => (await call(secret)).status).toBe(401);
});
