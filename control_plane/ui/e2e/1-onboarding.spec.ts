import { expect, test } from "@playwright/test";
import { call, gatewayUrl, pageOf } from "./people";

test("from an empty database to the first call, a budget and a rule", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await page.goto("/onboarding");
  await page.getByLabel("Name").fill("Checkout");
  await page.getByRole("button", { name: "Create and go on" }).click();
  await page.getByRole("button", { name: "Make the key" }).click();
  const secret = (await page.locator("code", { hasText: /^lk-/ }).textContent())!;
  await page.getByRole("button", { name: "I have copied it" }).click();

  await page.getByLabel("Address of your gateway").fill(gatewayUrl());
  await page.getByRole("button", { name: "curl" }).click();
  await expect(page.getByLabel("curl, Shell")).toContainText(`${gatewayUrl()}/openai/v1/chat/completions`);
  await expect(page.getByText("Waiting for the first call")).toBeVisible();
  await expect.poll(async () => (await call(secret)).status).toBe(200);
  await expect(page.getByText("The first call went through")).toBeVisible();
  await page.getByRole("button", { name: "Go on" }).click();

  await page.getByLabel("A month").fill("25.00");
  await page.getByRole("button", { name: "Set the budget" }).click();
  await page.getByLabel("Goes to").selectOption("email");
  await page.getByLabel("E-mail address").fill("finance@example.com");
  await page.getByRole("button", { name: "Tell us there" }).click();

  await expect(page.getByRole("heading", { name: "Checkout" })).toBeVisible();
  await page.getByRole("tab", { name: "Budgets & quotas" }).click();
  await expect(page.getByRole("meter")).toBeVisible();
  await expect(page.getByText(/of \$25\.00/)).toBeVisible();
});
