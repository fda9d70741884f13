// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";
import { ImportForm } from "./ImportForm";

// The client keeps what it found at its start.
const fetch = vi.hoisted(() => (globalThis.fetch = vi.fn<(request: Request) => Promise<Response>>() as unknown as typeof globalThis.fetch));

afterEach(cleanup);

const button = () => screen.getByRole<HTMLButtonElement>("button", { name: "Import" });
const file = (name: string, text: string) => new File([text], name);

test("a file's name says what it is, and an empty one is not sent", async () => {
  render(<ImportForm onClose={() => undefined} />);
  expect(button().disabled).toBe(true);
  const user = userEvent.setup({ applyAccept: false });
  await user.upload(screen.getByLabelText("The export"), file("claude-costs.json", "{}"));
  expect(screen.getByLabelText<HTMLSelectElement>("What it is").value).toBe("anthropic_costs");
  expect(button().disabled).toBe(false);
  await user.upload(screen.getByLabelText("The export"), file("claude-costs.json", ""));
  expect(screen.getByRole("alert").textContent).toMatch("empty");
  expect(button().disabled).toBe(true);
});

test("the file is sent as it is, and what is wrong with it is told", async () => {
  const sent: Request[] = [];
  vi.mocked(fetch).mockImplementation(async (request) => {
    sent.push(request as Request);
    return Response.json({ type: "about:blank", title: "Bad request", status: 400, errors: [{ pointer: "body", message: "it is no JSON" }] }, { status: 400 });
  });
  const closed = vi.fn();
  render(<ImportForm onClose={closed} />);
  const user = userEvent.setup();
  await user.upload(screen.getByLabelText("The export"), file("openai-usage.json", "no JSON"));
  await user.click(button());
  expect((await screen.findByRole("alert")).textContent).toMatch("it is no JSON");
  expect(new URL(sent[0]!.url).search).toBe("?source=openai_usage");
  expect(sent[0]!.headers.get("content-type")).toBe("application/octet-stream");
  expect(closed).not.toHaveBeenCalled();
});
