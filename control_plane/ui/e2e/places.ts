import { expect, type Page } from "@playwright/test";

/** Every page, by a name for its picture. `{project}` is the first project's id. */
export const PLACES: readonly (readonly [name: string, address: string])[] = [
  ["overview", "/"],
  ["usage", "/usage"],
  ["requests", "/requests"],
  ["requests-filtered", "/requests?outcome=ok&outcome=refused"],
  ["reconciliation", "/reconciliation"],
  ["reconciliation-all", "/reconciliation?show=all"],
  ["savings", "/reconciliation?tab=savings"],
  ["names", "/reconciliation?tab=names"],
  ["imports", "/reconciliation?tab=imports"],
  ["import-new", "/reconciliation?new=file"],
  ["fetch-new", "/reconciliation?new=fetch"],
  ["projects", "/projects"],
  ["project", "/projects/{project}"],
  ["project-keys", "/projects/{project}?tab=keys"],
  ["project-limits", "/projects/{project}?tab=limits"],
  ["project-settings", "/projects/{project}?tab=settings"],
  ["keys", "/keys"],
  ["key-new", "/keys?new=true"],
  ["budgets", "/budgets"],
  ["budget-new", "/budgets?new=budget"],
  ["quotas", "/budgets?tab=quotas"],
  ["quota-new", "/budgets?tab=quotas&new=quota"],
  ["backtest-empty", "/backtest"],
  ["backtest", "/backtest?unit=requests&limit=20&window=hour&scope=team:*&span=7"],
  ["backtest-limit", "/backtest?unit=usd&limit=0.0030&window=day&zone=Europe/Berlin&project={project}"],
  ["backtest-prices", "/backtest?unit=usd&window=day&price=gpt-4o|*|x0.5&price=gpt-5-mini|*|input_text:0.5,output_text:1.5"],
  ["alerts", "/alerts"],
  ["alert-new", "/alerts?new=true"],
  ["alert-history", "/alerts?tab=history"],
  ["kill-switch", "/kill-switch"],
  ["upstreams", "/providers"],
  ["credentials", "/providers?tab=credentials"],
  ["prices", "/providers?tab=prices"],
  ["members", "/members"],
  ["invitations", "/members?tab=invitations"],
  ["audit", "/audit"],
  ["settings", "/settings"],
  ["tokens", "/settings?tab=tokens"],
  ["gateways", "/settings?tab=gateways"],
  ["sessions", "/settings?tab=sessions"],
  ["onboarding", "/onboarding"],
];

/** Opens one of them, and waits until all of it is there: its heading, what was being loaded, and what its address opens over it. */
export async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await page.locator("h1, h2").first().waitFor();
  await expect(page.locator(".animate-shimmer")).toHaveCount(0, { timeout: 30_000 });
  if (new URL(page.url()).searchParams.has("new")) await page.getByRole("dialog").waitFor();
}
