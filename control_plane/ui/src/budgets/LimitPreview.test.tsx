// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { LimitPreview } from "./LimitPreview";
import type { Proposed } from "./preview";

// The client keeps what it found at its start.
const fetch = vi.hoisted(() => (globalThis.fetch = vi.fn() as typeof globalThis.fetch));

afterEach(() => {
  cleanup();
  vi.mocked(fetch).mockReset();
});

const proposed: Proposed = { unit: "usd", limit: "40", window: "month", projectId: "", scope: {}, timeZone: "UTC", ceilingUsd: "" };
const window = { name: "2026-11", starts_at_s: 2e9, ends_at_s: 4e9, calls: 10, let_through: "40.00", refused: "10.00", refused_calls: 3 };
const told = { unit: "usd", limit: "40.00", from_s: 0, to_s: 3e9, calls: 10, spent: "50.00", refused_calls: 3, refused: "10.00", refused_usd: "10.00", first_refused_at_ms: null, users: 2, keys: 1, unbounded_calls: 0, windows: [window] };

function shown(change: Partial<Proposed>, answer: object, onSuggest = vi.fn()) {
  vi.mocked(fetch).mockImplementation(async () => Response.json(answer));
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(<QueryClientProvider client={client}><LimitPreview proposed={{ ...proposed, ...change }} blocks onSuggest={onSuggest} /></QueryClientProvider>);
  return onSuggest;
}

test("what would have been refused is told, and more room is offered", async () => {
  const onSuggest = shown({}, told);
  expect((await screen.findByText(/would have refused 3 of 10 calls/)).textContent).toMatch("$10.00, of 2 users and 1 key");
  await userEvent.click(screen.getByRole("button", { name: "Take $60.00" }));
  expect(onSuggest).toHaveBeenCalledWith("60");
});

test("calls at a time are not replayed, nor is what is no number", () => {
  shown({ unit: "concurrent" }, told);
  shown({ limit: "4o" }, told);
  expect(fetch).not.toHaveBeenCalled();
});
