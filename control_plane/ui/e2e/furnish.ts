import type { Page } from "@playwright/test";
import { call } from "./people";

type Made = { id: string; secret: string };

/** Fills an empty organization with what a small company has, through the API and the real gateway; the first project's id. */
export async function furnish(page: Page): Promise<string> {
  const { csrf_token } = (await (await page.request.get("/v1/session")).json()) as { csrf_token: string };
  const post = async (path: string, data: object): Promise<Made> => {
    const answer = await page.request.post(`/v1/${path}`, { data, headers: { "x-csrf-token": csrf_token } });
    if (!answer.ok()) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as Made;
  };
  await page.request.patch("/v1/organization", { data: { name: "Northwind" }, headers: { "x-csrf-token": csrf_token } });
  const [research, support, checkout] = [await post("projects", { name: "Research" }), await post("projects", { name: "Support assistant" }), await post("projects", { name: "Checkout" })];
  const keys: Made[] = [];
  for (const [project, name, team] of [[checkout, "web backend", "payments"], [checkout, "batch", "payments"], [support, "assistant", "support"], [research, "notebooks", "research"]] as const)
    keys.push(await post("keys", { project_id: project!.id, name, team, mode: "metered" }));
  await post("budgets", { project_id: checkout!.id, limit_usd: "0.0030", name: "Checkout, production" });
  await post("budgets", { project_id: support!.id, limit_usd: "0.0100", hard_stop: false, name: "Support assistant" });
  await post("budgets", { limit_usd: "500.00", name: "The whole company" });
  await post("quotas", { project_id: checkout!.id, unit: "requests", limit: 600, window: "minute" });
  await post("quotas", { unit: "tokens", limit: 250_000, window: "day", scope: { user: "*" }, name: "Fair use" });
  await post("quotas", { project_id: support!.id, unit: "concurrent", limit: 20 });
  const credential = await post("credentials", { name: "OpenAI, production", provider: "openai", secret: "sk-proj-Xk29fjw02kd9s8f7h3j2k1l0" });
  await post("credentials", { name: "Azure, Europe", provider: "azure", secret: "a8f7c6d5e4b3a2918273645546372819" });
  await post("upstreams", { name: "openai-eu", provider: "openai", credential_id: credential.id });
  await post("upstreams", { name: "vllm", provider: "vllm", origin: "http://inference.internal:8000", models: { "llama-4": "llama-4" } });
  await post("price-overrides", { upstream: "*", model: "gpt-4o", multiplier: "0.85" });
  await post("price-overrides", { upstream: "vllm", model: "llama-4", rates: { input_text: "0.10", output_text: "0.30" } });
  await post("alert-rules", { name: "Finance at 90 %", trigger: "threshold", thresholds: [90, 100], target: { channel: "email", address: "finance@example.com" } });
  await post("alert-rules", { name: "On call", trigger: "kill_switch", target: { channel: "slack", token: "xoxb-0000000000", channel_id: "C0123456789" } });
  await post("alert-rules", { name: "Unusual hours", trigger: "anomaly", anomaly: { factor: 3, floor_usd: "1.00" }, target: { channel: "slack_webhook", url: "http://127.0.0.1:8999/hook" } });
  for (const [email, role] of [["ada@example.com", "admin"], ["lin@example.com", "developer"], ["bill@example.com", "billing"]] as const) await post("invitations", { email, role });
  await post("tokens", { name: "Terraform", role: "admin" });
  await callAround(keys);
  const thrown = await post("kill-switch/trigger", { project_id: research!.id, reason: "A notebook runs in circles" });
  await page.request.post("/v1/kill-switch/release", { data: { id: thrown.id }, headers: { "x-csrf-token": csrf_token } });
  return checkout!.id;
}

const CALLS_EACH = 12;
const MODELS = ["gpt-4o-mini", "gpt-4o", "gpt-5-mini"];

async function callAround(keys: Made[]): Promise<void> {
  const until = Date.now() + 10_000;
  while ((await call(keys[0]!.secret)).status === 401 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 100));
  for (let number = 0; number < CALLS_EACH * keys.length; number++) {
    const model = MODELS[number % MODELS.length];
    await (await call(keys[number % keys.length]!.secret, { model, stream: number % 2 === 0, ...(model === "gpt-5-mini" ? { max_tokens: undefined, max_completion_tokens: 400 } : {}) }, { "x-lensai-user": `user-${number % 7}`, "x-sandbox-tokens": String(40 + ((number * 37) % 400)) })).text();
  }
}
