import type { Page } from "@playwright/test";
import { call, post as postAs, write, type Made } from "./people";

/** Fills an empty organization with what a small company has, through the API and the real gateway; the first project's id. */
export async function furnish(page: Page): Promise<string> {
  const post = (path: string, data: object): Promise<Made> => postAs(page, path, data);
  await write(page, "PATCH", "/v1/organization", { name: "Northwind" });
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
  await post("kill-switch/release", { id: thrown.id });
  await reconcile(page, CALLS_EACH * keys.length);
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

type Row = { value: string; total: { calls: number; refused: number; tokens_in: number; tokens_out: number; cache_read_tokens: number | null } };
const DAY_S = 86_400;
const DAYS = 6;

/** What OpenAI would say of these calls, and of one model more than the gateway saw. */
async function reconcile(page: Page, calls: number): Promise<void> {
  let rows: Row[] = [];
  const until = Date.now() + 60_000;
  while (rows.reduce((sum, row) => sum + row.total.calls, 0) < calls && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    rows = ((await (await page.request.get("/v1/metrics/cost-by-model?range=today")).json()) as { rows: Row[] }).rows;
  }
  const today = Math.floor(Date.now() / 1000 / DAY_S) * DAY_S;
  const results = rows.filter(({ total }) => total.calls > total.refused).map(({ value, total }, index) => ({
    object: "organization.usage.completions.result",
    model: value,
    input_tokens: Math.round(total.tokens_in * (index === 1 ? 1.3 : 1)),
    input_cached_tokens: total.cache_read_tokens ?? 0,
    output_tokens: total.tokens_out,
    num_model_requests: total.calls - total.refused,
  }));
  const data = Array.from({ length: DAYS }, (_, index) => {
    const start_time = today - (DAYS - 1 - index) * DAY_S;
    return { object: "bucket", start_time, end_time: start_time + DAY_S, results: index === DAYS - 1 ? results : [] };
  });
  await write(page, "POST", "/v1/reconciliation/imports?source=openai_usage", { object: "page", data, has_more: false, next_page: null });
}
