// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import type { Limit } from "./limits";
import { QuotaForm } from "./QuotaForm";

// The client keeps what it found at its start.
const fetch = vi.hoisted(() => (globalThis.fetch = vi.fn() as typeof globalThis.fetch));

afterEach(() => {
  cleanup();
  vi.mocked(fetch).mockReset();
});

const quota: Limit = { kind: "quota", id: "quo_1", projectId: null, name: "", unit: "tokens", limit: 250_000, window: "day", blocks: true, thresholds: [75, 100], scope: {}, timeZone: "Asia/Tokyo", ceilingUsd: null, createdAtMs: 0 };
const told = { unit: "tokens", limit: null, from_s: 0, to_s: 1, calls: 0, spent: 0, refused_calls: 0, refused: 0, refused_usd: "0", first_refused_at_ms: null, users: 0, keys: 0, unbounded_calls: 0, windows: [] };

/** Shows the form; answers what was sent to change or make a quota. */
function shown(limit?: Limit, answer?: () => Response): { method: string; body: Record<string, unknown> }[] {
  const sent: { method: string; body: Record<string, unknown> }[] = [];
  vi.mocked(fetch).mockImplementation(async (given) => {
    const request = given as Request;
    const path = new URL(request.url).pathname;
    if (path === "/v1/backtest") return Response.json(told);
    if (!path.startsWith("/v1/quotas")) return Response.json({ items: [] });
    sent.push({ method: request.method, body: (await request.json()) as Record<string, unknown> });
    return answer?.() ?? Response.json({});
  });
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(<QueryClientProvider client={client}><QuotaForm limit={limit} onClose={() => undefined} /></QueryClientProvider>);
  return sent;
}

const field = (name: string) => screen.getByLabelText<HTMLInputElement>(new RegExp(`^${name}`));
const retype = (name: string, text: string) => fireEvent.change(field(name), { target: { value: text } });
const button = (name: string) => screen.getByText<HTMLButtonElement>(name, { selector: "button" });

test("a quota is made with thresholds, and by the calendar of a zone", async () => {
  const sent = shown();
  retype("Limit", "1000");
  expect(field("Tell at per cent").value).toBe("");
  expect(screen.queryByLabelText("Time zone")).toBeNull();
  retype("In a", "day");
  expect(field("Tell at per cent").value).toBe("50, 80, 90, 100");
  retype("Tell at per cent", "60, 120");
  retype("Time zone", "Europe/Berlin");
  expect(screen.getByText(/^This day there ends in/)).toBeTruthy();
  fireEvent.click(button("Set quota"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]).toMatchObject({ method: "POST", body: { limit: "1000", window: "day", thresholds: [60, 120], time_zone: "Europe/Berlin" } });
});

test("what a quota had is shown and kept, and can be taken away", async () => {
  const sent = shown(quota);
  expect(field("Tell at per cent").value).toBe("75, 100");
  expect(field("Time zone").value).toBe("Asia/Tokyo");
  retype("Tell at per cent", "");
  fireEvent.click(button("Save"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]).toMatchObject({ method: "PATCH", body: { thresholds: [], time_zone: "Asia/Tokyo" } });
});

test("a quota of each value says how many it counts, and one of dollars how it refuses", async () => {
  const sent = shown({ ...quota, unit: "usd", scope: { user: "*" }, ceilingUsd: "0.50", valuesMax: 500, answers429: true });
  expect([field("Ceiling of one call").value, field("Values counted apart").value, field("Refuse with 429").checked]).toEqual(["0.50", "500", true]);
  retype("Values counted apart", "0");
  expect(button("Save").disabled).toBe(true);
  retype("Values counted apart", "800");
  retype("Ceiling of one call", "");
  fireEvent.click(field("Refuse with 429"));
  fireEvent.click(button("Save"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(sent[0]!.body).toMatchObject({ ceiling_usd: null, values_max: 800, answers_429: false });
});

test("a quota of tokens is not asked about dollars", async () => {
  const sent = shown(quota);
  expect(screen.queryByLabelText(/^Ceiling|^Refuse with|^Values/)).toBeNull();
  fireEvent.click(button("Save"));
  await waitFor(() => expect(sent).toHaveLength(1));
  expect(Object.keys(sent[0]!.body)).not.toContain("values_max");
});

test("what is wrong is told while it is typed, and not sent", () => {
  shown(quota);
  retype("Tell at per cent", "80, 50");
  expect(screen.getByText("They have to rise: 50 stands behind 80.")).toBeTruthy();
  expect(button("Save").disabled).toBe(true);
  retype("Tell at per cent", "50, 80");
  retype("Time zone", "Berlin");
  expect(screen.getByText(/There is no such zone/)).toBeTruthy();
  expect(button("Save").disabled).toBe(true);
});

test("what the API refuses stands beside its field", async () => {
  const detail = { type: "about:blank", title: "Bad request", status: 400, errors: [{ pointer: "body/time_zone", message: "there is no such zone at gateways" }] };
  shown(quota, () => Response.json(detail, { status: 400 }));
  fireEvent.click(button("Save"));
  expect(await screen.findByText("there is no such zone at gateways")).toBeTruthy();
});
