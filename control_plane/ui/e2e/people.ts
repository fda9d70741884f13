import type { Browser, Page } from "@playwright/test";
import { existsSync, mkdirSync } from "node:fs";

const KEPT = "../../build/playwright-sessions";

function said(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run by tests/e2e/ui/stage.py`);
  return value;
}

export const gatewayUrl = () => said("LENSAI_GATEWAY_URL");

export type Who = "owner" | "viewer";

/** A page of somebody who is signed in. A link works once, so the session is kept for the tests that follow. */
export async function pageOf(browser: Browser, who: Who, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
  const link = said(who === "owner" ? "LENSAI_OWNER_LINK" : "LENSAI_VIEWER_LINK");
  mkdirSync(KEPT, { recursive: true });
  const path = `${KEPT}/${who}-${link.slice(-12)}.json`;
  const context = await browser.newContext({ ...options, storageState: existsSync(path) ? path : undefined });
  const page = await context.newPage();
  if (!existsSync(path)) {
    await page.goto(`/sign-in#token=${link}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL((url) => url.pathname === "/", { timeout: 20_000 });
    await context.storageState({ path });
  }
  return page;
}

/** A call by a key, as an application makes it. */
export function call(key: string, body: object = {}, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gatewayUrl()}/openai/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ model: "gpt-4o-mini", max_tokens: 50, messages: [{ role: "user", content: "hello" }], ...body }),
  });
}
