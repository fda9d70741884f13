import { expect, test } from "@playwright/test";
import { pageOf, post } from "./people";
import { open } from "./places";

const LONG = `Unbroken${"x".repeat(80)}`;
const ADDRESSES = ["/members", "/members?tab=invitations", "/keys", "/budgets?tab=quotas", "/kill-switch", "/projects", "/projects/{project}", "/projects/{project}?tab=settings", "/reconciliation"];

test("on a phone no page is wider than the screen, whatever names are in it", async ({ browser }) => {
  const page = await pageOf(browser, "owner", { viewport: { width: 390, height: 844 } });
  const project = await post(page, "projects", { name: LONG });
  await post(page, "keys", { project_id: project.id, name: LONG });
  await post(page, "quotas", { project_id: project.id, name: LONG, unit: "requests", limit: 600, window: "minute", scope: { team: LONG } });
  await post(page, "kill-switch/trigger", { project_id: project.id, reason: LONG });
  for (const address of ADDRESSES) {
    await open(page, address.replace("{project}", project.id));
    expect(await page.evaluate(() => document.documentElement.scrollWidth), address).toBeLessThanOrEqual(390);
  }
  await post(page, "kill-switch/release", { project_id: project.id });
  await page.context().close();
});

test("who was signed out in the middle of a form keeps it, and is told how to go on", async ({ browser }) => {
  const page = await pageOf(browser, "owner");
  await open(page, "/projects?new=true");
  await page.getByLabel("Name").fill("Half written");
  const cookies = await page.context().cookies();
  await page.context().clearCookies();
  await page.getByRole("button", { name: "Create project" }).click();
  await expect(page.getByRole("alert")).toHaveText(/^You are signed out/);
  await expect(page.getByLabel("Name")).toHaveValue("Half written");
  await page.context().addCookies(cookies);
  await page.getByRole("button", { name: "Create project" }).click();
  await expect(page.getByRole("heading", { name: "Half written" })).toBeVisible();
  await page.context().close();
});
