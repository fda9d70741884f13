// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, expect, test } from "vitest";
import { FirstPaint } from "./FirstPaint";
import { headingOf } from "./headings";

afterEach(cleanup);

test("a page's heading stands before there is any script, and nothing that could be pressed in vain", () => {
  const { container } = render(<div dangerouslySetInnerHTML={{ __html: renderToStaticMarkup(<FirstPaint heading={headingOf("/keys")} />) }} />);
  expect(screen.getByRole("heading", { name: "Keys" })).toBeTruthy();
  expect(container.querySelectorAll("a, button, input, [tabindex]")).toHaveLength(0);
});

test("the policy allows it: neither a style nor a script is in it", () => {
  const markup = renderToStaticMarkup(<FirstPaint heading={headingOf("/")} />);
  expect(markup).not.toMatch(/<(style|script)|\s(style|on\w+)=/);
});

test("without a heading the place of one is held", () => {
  render(<FirstPaint />);
  expect(screen.queryByRole("heading")).toBeNull();
  expect(screen.getByRole("status", { name: "Loading" })).toBeTruthy();
});
