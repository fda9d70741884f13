import { expect, test } from "vitest";
import { asProblem, explain, fieldError } from "./problem";

const problem = { type: "urn:lensai:problem:invalid", title: "Bad Request", status: 400, code: "invalid" };

test("a field's problem is told at the field", () => {
  const error = { ...problem, errors: [{ pointer: "body/limit_usd", message: "must be positive" }] };
  expect(fieldError(error, "limit_usd")).toBe("must be positive");
  expect(fieldError(error, "name")).toBeUndefined();
  expect(explain(error)).toBe("limit_usd: must be positive");
});

test("who is signed out is told how to go on, whoever shows a link that is spent what the API says of it", async () => {
  const told = JSON.stringify({ ...problem, status: 401, detail: "Sign in, or send a service token" });
  expect(explain(await asProblem(new Response(told, { status: 401, headers: { "www-authenticate": "Bearer" } })))).toMatch(/^You are signed out/);
  expect(explain(await asProblem(new Response(told, { status: 401 })))).toBe("Sign in, or send a service token");
});

test("no answer at all is told as such", () => expect(explain(new TypeError("failed"))).toMatch(/does not answer/));

test("what a proxy answers becomes a problem", async () => {
  const told = await asProblem(new Response("<h1>Bad gateway</h1>", { status: 502, statusText: "Bad Gateway" }));
  expect([told.status, explain(told)]).toEqual([502, "Bad Gateway"]);
});
