import { expect, test } from "@playwright/test";
import { call, pageOf, projectWithKey } from "./people";

/** A call that costs a tenth of the budget. */
async function long(secret: string): Promise<Response> {
  const answer = await call(secret, { max_tokens: 350 }, { "x-sandbox-tokens": "350" });
  await answer.text();
  return answer;
}

test("a budget that is used up blocks and shows, and an override lets calls through", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  const { key } = await projectWithKey(page, "Batch");
  await page.goto("/budgets?new=budget");
  const form = page.getByRole("dialog");
  await form.getByLabel("Of", { exact: true }).selectOption({ label: "Batch" });
  await form.getByRole("textbox", { name: "Limit" }).fill("0.0020");
  await form.getByRole("textbox", { name: "Name" }).fill("Nightly batch");
  await form.getByRole("button", { name: "Set budget" }).click();
  await expect(page.getByText("Budget set")).toBeVisible();
  await expect.poll(async () => (await long(key.secret)).status, { timeout: 30_000, intervals: [50] }).toBe(402);

  await page.getByRole("row", { name: /Nightly batch/ }).getByText("Nightly batch").click();
  const details = page.getByRole("dialog");
  await expect(details.getByText("Reached in this window")).toBeVisible();
  await details.getByRole("button", { name: "History" }).click();
  await expect(details.getByText("50%")).toBeVisible();
  await page.goto("/requests?outcome=refused");
  await expect(page.getByText("budget_exceeded").filter({ visible: true }).first()).toBeVisible();

  await page.goto("/budgets");
  await page.getByRole("row", { name: /Nightly batch/ }).getByText("Nightly batch").click();
  await page.getByRole("button", { name: "Override" }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("The run has to end tonight");
  await page.getByRole("dialog").getByRole("button", { name: "Override" }).click();
  await expect.poll(async () => (await call(key.secret)).status).toBe(200);
  await expect(details.getByText("Nothing is refused")).toBeVisible();
  await details.getByRole("button", { name: "History" }).click();
  await expect(details.getByText("The run has to end tonight")).toBeVisible();
});

test("the form says what a limit would have refused", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await expect(async () => {
    await page.goto("/budgets?new=budget");
    const form = page.getByRole("dialog");
    await form.getByRole("textbox", { name: "Limit" }).fill("0.00001");
    await expect(form.getByText(/would have refused \d+ of \d+ calls/)).toBeVisible({ timeout: 15_000 });
  }).toPass({ timeout: 50_000 });
  await page.getByRole("textbox", { name: "Limit" }).fill("5000");
  await expect(page.getByText(/would have refused none/)).toBeVisible();
});
