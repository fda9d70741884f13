// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { usePause } from "./paused";

test("a held table stays as it is, counts what comes, and goes on", () => {
  const { result, rerender } = renderHook(({ rows }) => usePause(rows, (row: string) => row), { initialProps: { rows: ["b", "a"] } });
  act(() => result.current.toggle());
  rerender({ rows: ["d", "c", "b", "a"] });
  expect(result.current).toMatchObject({ rows: ["b", "a"], isPaused: true, waiting: 2 });
  act(() => result.current.toggle());
  expect(result.current).toMatchObject({ rows: ["d", "c", "b", "a"], isPaused: false, waiting: 0 });
});
