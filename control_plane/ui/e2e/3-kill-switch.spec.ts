import { expect, test } from "@playwright/test";
import { call, pageOf } from "./people";

test("the kill switch cuts a stream that is under way, and lets calls through again", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await page.goto("/keys?new=true");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Project").selectOption({ label: "Checkout" });
  await dialog.getByLabel("Name").fill("streams");
  await dialog.getByRole("button", { name: "Create key" }).click();
  const secret = (await dialog.locator("code", { hasText: /^lk-/ }).textContent())!;
  await dialog.getByLabel("I have put it where it belongs").check();
  await dialog.getByRole("button", { name: "Done" }).click();
  await expect.poll(async () => (await call(secret)).status).toBe(200);

  const stream = await call(secret, { stream: true, max_tokens: 16_000 }, { "x-sandbox-tokens": "16000", "x-sandbox-chunk-delay-ms": "20" });
  const read = stream.text();
  await page.goto("/kill-switch");
  await expect(page.getByText("1 call under way would end now")).toBeVisible();
  await page.getByLabel("Whose calls end").selectOption({ label: "Checkout" });
  await page.getByLabel("Reason").fill("An agent runs in circles");
  await page.getByLabel("What stays open").fill("models.list");
  await page.getByRole("button", { name: "Cut calls", exact: true }).click();
  await page.getByLabel("Type Checkout to go on").fill("Checkout");
  await page.getByRole("button", { name: "Cut calls now" }).click();
  expect(await read).toContain("kill_switch");
  expect((await call(secret)).status).toBeGreaterThanOrEqual(400);
  await expect(page.getByText("A kill switch is on: An agent runs in circles")).toBeVisible();

  const on = page.getByRole("region", { name: "A kill switch that is on" });
  await expect(on).toContainText("still open: models.list");
  await expect(on).toContainText(/by \S+@/);

  await page.getByRole("button", { name: "Release" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Release" }).click();
  await expect.poll(async () => (await call(secret)).status).toBe(200);
  await expect(page.getByText("A kill switch is on")).toBeHidden();
});
