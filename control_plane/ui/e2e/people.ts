import { expect, type Browser, type Page } from "@playwright/test";
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

export type Made = { id: string; secret: string };

/** What a page would ask of the API, with its session. */
export async function write(page: Page, method: "POST" | "PATCH", address: string, data: object): Promise<unknown> {
  const { csrf_token } = (await (await page.request.get("/v1/session")).json()) as { csrf_token: string };
  const answer = await page.request.fetch(address, { method, data, headers: { "x-csrf-token": csrf_token } });
  if (!answer.ok()) throw new Error(`${address}: ${await answer.text()}`);
  return answer.json();
}

export async function post(page: Page, path: string, data: object): Promise<Made> {
  return (await write(page, "POST", `/v1/${path}`, data)) as Made;
}

/** A project with a key that works at the gateway already. */
export async function projectWithKey(page: Page, name: string): Promise<{ project: Made; key: Made }> {
  const project = await post(page, "projects", { name });
  const key = await post(page, "keys", { project_id: project.id, name: `${name}, key` });
  await expect.poll(async () => (await call(key.secret)).status).toBe(200);
  return { project, key };
}
