// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { Button } from "./Button";

afterEach(cleanup);

test("a double press sends a form once", () => {
  const sent = vi.fn((event: Event) => event.preventDefault());
  render(<form onSubmit={(event) => sent(event.nativeEvent)}><Button type="submit">Create</Button></form>);
  const button = screen.getByRole("button", { name: "Create" });
  fireEvent.click(button, { detail: 1 });
  fireEvent.click(button, { detail: 2 });
  expect(sent).toHaveBeenCalledOnce();
  fireEvent.click(button, { detail: 1 });
  expect(sent).toHaveBeenCalledTimes(2);
});
