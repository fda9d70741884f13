import { expect, test } from "@playwright/test";
import { pageOf, projectWithKey, write } from "./people";

const DAY_S = 86_400;

/** OpenAI's own account of yesterday, on which no gateway was there. */
function account(model = "gpt-4o-mini"): string {
  const start_time = Math.floor(Date.now() / 1000 / DAY_S) * DAY_S - DAY_S;
  const result = { object: "organization.usage.completions.result", model, input_tokens: 125_000, output_tokens: 4_000, num_model_requests: 12 };
  return JSON.stringify({ object: "page", data: [{ object: "bucket", start_time, end_time: start_time + DAY_S, results: [result] }], has_more: false });
}

test("what a provider saw past the gateway is told, until its account is forgotten", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await page.goto("/reconciliation");
  await page.getByRole("button", { name: "Import an export" }).first().click();
  const form = page.getByRole("dialog");
  await expect(form.getByRole("button", { name: "Import" })).toBeDisabled();
  await form.getByLabel("The export").setInputFiles({ name: "openai-usage.json", mimeType: "application/json", buffer: Buffer.from("{}") });
  await form.getByRole("button", { name: "Import" }).click();
  await expect(form.getByRole("alert")).toBeVisible();
  await form.getByLabel("The export").setInputFiles({ name: "openai-usage.json", mimeType: "application/json", buffer: Buffer.from(account()) });
  await form.getByRole("button", { name: "Import" }).click();
  await expect(page.getByText(/lines of .* were imported/)).toBeVisible();

  await expect(page.getByRole("heading", { name: "OpenAI saw more than the gateways did" })).toBeVisible();
  const rows = page.getByRole("region", { name: "Differences" });
  await expect(rows.getByText("+125,000")).toBeVisible();
  await expect(rows.getByText("Bypass suspected").first()).toBeVisible();
  await page.getByRole("button", { name: /OpenAI, .*: Bypass suspected/ }).click();
  await expect(page).toHaveURL(/day=\d{4}-\d{2}-\d{2}/);

  await page.getByRole("tab", { name: "Savings" }).click();
  await expect(page.getByText("What these numbers rest on")).toBeVisible();
  await page.getByRole("tab", { name: "Imports" }).click();
  await page.getByRole("button", { name: /Forget OpenAI, usage/ }).click();
  await page.getByRole("button", { name: "Forget it" }).click();
  await expect(page.getByText("No account was imported yet")).toBeVisible();
});

test("a bill's own name is mapped to a model, and taken back", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await projectWithKey(page, "Billed by another name");
  await write(page, "POST", "/v1/reconciliation/imports?source=openai_usage", JSON.parse(account("our-private-name")) as object);
  await page.goto("/reconciliation");
  const rows = page.getByRole("region", { name: "Differences" });
  await rows.getByRole("button", { name: "Which model?" }).first().click();
  const form = page.getByRole("dialog");
  await form.getByLabel("Model of ours").selectOption({ index: 1 });
  await form.getByRole("button", { name: "It is this one" }).click();
  await expect(rows.getByText("billed as our-private-name").first()).toBeVisible();
  await expect(rows.getByRole("button", { name: "Which model?" })).toHaveCount(0);

  await page.getByRole("tab", { name: "Names" }).click();
  await page.getByRole("button", { name: "Forget what our-private-name means" }).click();
  await page.getByRole("button", { name: "Forget", exact: true }).click();
  await expect(page.getByText("No name was written down")).toBeVisible();
  await page.getByRole("tab", { name: "Report" }).click();
  await expect(rows.getByRole("button", { name: "Which model?" }).first()).toBeVisible();
});
