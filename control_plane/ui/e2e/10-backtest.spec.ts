import { expect, test } from "@playwright/test";
import { readFileSync } from "node:fs";
import { call, pageOf, projectWithKey, write } from "./people";

test("what another limit would have refused, and what other prices come to, of calls that there were", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  const { project, key } = await projectWithKey(page, "Backtested");
  for (let number = 0; number < 3; number++) await (await call(key.secret, {}, { "x-lensai-user": `user-${number % 2}` })).text();
  const asked = { unit: "requests", limit: null, window: "day", project_id: project.id };
  const replayed = async () => ((await write(page, "POST", "/v1/backtest", asked)) as { calls: number }).calls;
  await expect.poll(replayed, { timeout: 30_000 }).toBeGreaterThanOrEqual(4);
  const calls = await replayed();

  await page.goto(`/budgets?project=${project.id}`);
  await page.getByRole("main").getByRole("link", { name: "Backtest" }).click();
  await expect(page.getByText("Nothing was tried yet")).toBeVisible();
  await page.getByLabel("What is counted").selectOption("requests");
  await page.getByLabel(/^Limit/).fill("2x");
  await expect(page.getByText("Write a whole number.")).toBeVisible();
  await page.getByLabel(/^Limit/).fill("2");
  await page.getByRole("button", { name: "Replay the calls" }).click();
  await expect(page.getByRole("heading", { name: `It would have refused ${calls - 2} of ${calls} calls` })).toBeVisible();
  await expect(page.getByRole("region", { name: "Windows" })).toBeVisible();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download backtest-windows as CSV" }).click()]);
  expect(readFileSync(await file.path(), "utf8")).toMatch(/^window,starts at,calls/);

  await page.goto(page.url());
  await expect(page.getByRole("heading", { name: `It would have refused ${calls - 2} of ${calls} calls` })).toBeVisible();
  await page.getByLabel("What is counted").selectOption("usd");
  await page.getByLabel(/^Limit/).fill("");
  await page.getByRole("button", { name: "Try a price" }).click();
  await page.getByRole("dialog").getByLabel("Model").fill("*");
  await page.getByLabel("Times the list price").fill("2");
  await page.getByRole("button", { name: "Try it" }).click();
  await page.getByRole("button", { name: "Replay the calls" }).click();
  await expect(page.getByRole("heading", { name: /^They would have cost/ })).toBeVisible();
  await expect(page.getByText(/At the prices in force the same calls came to/)).toBeVisible();
  await expect(page).toHaveURL(/price=/);
});
