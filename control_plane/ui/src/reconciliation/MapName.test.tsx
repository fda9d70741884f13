// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { MapName } from "./MapName";

// The client keeps what it found at its start.
const fetch = vi.hoisted(() => (globalThis.fetch = vi.fn() as typeof globalThis.fetch));

afterEach(cleanup);

function shown(models: string[], onClose = vi.fn()) {
  render(<QueryClientProvider client={new QueryClient()}><MapName name={{ provider: "azure", billed: "Our-Deployment" }} models={models} onClose={onClose} /></QueryClientProvider>);
  return onClose;
}

const save = () => screen.getByRole<HTMLButtonElement>("button", { name: "It is this one" });

test("what is chosen is written down for the name on the bill", async () => {
  const sent: unknown[] = [];
  vi.mocked(fetch).mockImplementation(async (request) => {
    sent.push(await (request as Request).json());
    return Response.json({}, { status: 201 });
  });
  const onClose = shown(["gpt-4o", "gpt-4o-mini"]);
  expect(save().disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Model of ours"), { target: { value: "gpt-4o" } });
  fireEvent.click(save());
  await waitFor(() => expect(onClose).toHaveBeenCalled());
  expect(sent).toEqual([{ provider: "azure", billed: "Our-Deployment", model: "gpt-4o" }]);
});

test("without a model that was called there is nothing to choose", () => {
  shown([]);
  expect(screen.getByText(/look at more days first/)).toBeTruthy();
  expect(save().disabled).toBe(true);
});
