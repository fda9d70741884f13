import { readFileSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { call, pageOf, post, projectWithKey } from "./people";

test("a key is narrowed to some models, and its list is a file", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  const { key } = await projectWithKey(page, "Narrow");
  await page.goto("/keys");
  await page.getByRole("button", { name: "Actions for Narrow, key" }).click();
  await page.getByRole("menuitem", { name: "Change" }).click();
  await page.getByLabel("Models").fill("gpt-4o");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Narrow, key is changed")).toBeVisible();
  await expect.poll(async () => (await call(key.secret)).status).toBe(403);
  expect((await call(key.secret, { model: "gpt-4o" })).status).toBe(200);

  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  expect(file.suggestedFilename()).toBe("keys.csv");
  expect(readFileSync(await file.path(), "utf8")).toContain("\"Narrow, key\"");
});

test("an alert rule and a price are changed where they stand", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await post(page, "alert-rules", { name: "Finance", trigger: "threshold", thresholds: [90], target: { channel: "email", address: "finance@example.com" } });
  await post(page, "price-overrides", { upstream: "*", model: "gpt-4o", multiplier: "0.85" });
  await page.goto("/alerts");
  await page.getByRole("button", { name: "Actions for Finance" }).last().click();
  await page.getByRole("menuitem", { name: "Change" }).click();
  await page.getByLabel("At per cent").fill("75, 100");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("75%, 100%")).toBeVisible();

  await page.goto("/providers?tab=prices");
  await page.getByRole("button", { name: "Change the price of gpt-4o" }).first().click();
  await page.getByLabel("Times the list price").fill("0.80");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("0.80")).toBeVisible();
});

test("filters take several values, and the live table can be held", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await page.goto("/requests");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByLabel("Filter by").selectOption("outcome");
  await page.getByRole("checkbox", { name: /^ok/ }).click();
  await page.getByRole("checkbox", { name: /^refused/ }).click();
  await expect(page).toHaveURL(/outcome=ok&outcome=refused|outcome=refused&outcome=ok/);
  await page.keyboard.press("Escape");

  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("Paused")).toBeVisible();
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
});
