import { expect, test } from "vitest";
import type { Call } from "@/api/schema";
import { withCall } from "./live";

const call = (request_id: string) => ({ request_id }) as Call;

test("the newest is first, and what is told again is there once", () => {
  const calls = ["a", "b", "a"].reduce<Call[]>((kept, id) => withCall(kept, call(id)), []);
  expect(calls.map((one) => one.request_id)).toEqual(["a", "b"]);
});

test("a busy day does not fill the memory", () => {
  let calls: Call[] = [];
  for (let number = 0; number < 500; number++) calls = withCall(calls, call(String(number)));
  expect([calls.length, calls[0]!.request_id]).toEqual([200, "499"]);
});
