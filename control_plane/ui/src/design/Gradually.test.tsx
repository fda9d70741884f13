// @vitest-environment jsdom
import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Gradually } from "./Gradually";

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const texts = () => screen.getAllByRole("listitem").map((item) => item.textContent);

it("shows its children one after another, in their order", () => {
  vi.useFakeTimers();
  render(<Gradually><li>a</li>{false}<li>b</li><li>c</li></Gradually>);
  const seen = [texts()];
  for (let turn = 0; turn < 3; turn++) {
    act(() => vi.advanceTimersToNextTimer());
    seen.push(texts());
  }
  expect(seen).toEqual([["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c"]]);
});

it("shows what its parent says anew", () => {
  const { rerender } = render(<Gradually><li>before</li></Gradually>);
  rerender(<Gradually><li>after</li></Gradually>);
  expect(texts()).toEqual(["after"]);
});
