// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Menu, MenuItem } from "./Menu";

// What the primitives measure with, and this document cannot.
class Nothing {
  observe() {}
  unobserve() {}
  disconnect() {}
}
beforeEach(() => vi.stubGlobal("ResizeObserver", Nothing));
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function shown(onSelect = () => {}) {
  render(<Menu trigger={<button type="button">Actions</button>}><MenuItem onSelect={onSelect}>Revoke</MenuItem></Menu>);
  return screen.getByRole("button", { name: "Actions" });
}

test("a button says that it has a menu before there is one", () => {
  const button = shown();
  expect([button.getAttribute("aria-haspopup"), button.getAttribute("aria-expanded")]).toEqual(["menu", "false"]);
  expect(screen.queryByRole("menu")).toBeNull();
});

test("a press opens it, and what is chosen closes it", () => {
  const chosen = vi.fn();
  const button = shown(chosen);
  fireEvent.pointerDown(button, { button: 0 });
  expect(screen.getByRole("menu").getAttribute("aria-labelledby")).toBe(button.id);
  expect(button.getAttribute("aria-expanded")).toBe("true");
  fireEvent.click(screen.getByRole("menuitem", { name: "Revoke" }));
  expect(chosen).toHaveBeenCalledOnce();
  expect(screen.queryByRole("menu")).toBeNull();
});

test("a key opens it, and Escape gives the focus back", async () => {
  const button = shown();
  button.focus();
  fireEvent.keyDown(button, { key: "ArrowDown" });
  fireEvent.keyDown(screen.getByRole("menu"), { key: "Escape" });
  expect(screen.queryByRole("menu")).toBeNull();
  await vi.waitFor(() => expect(document.activeElement).toBe(button));
});

test("another press closes it", () => {
  const button = shown();
  fireEvent.pointerDown(button, { button: 0 });
  fireEvent.pointerDown(button, { button: 0 });
  expect(button.getAttribute("aria-expanded")).toBe("false");
});
